//! What is encoded and decoded again is what it was.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use prost::bytes::Bytes;
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyMap, PropertyValue,
    ReferenceId, ResourceReference, Urn,
};

use super::{to_ours, to_theirs};
use crate::pulumirpc::{ConstructRequest, CreateResponse};
use crate::{DecodeOptions, EncodeOptions, Unknowns, decode_map, decode_value, encode_map, encode_value};

fn a_urn() -> impl Strategy<Value = Urn> {
    "[a-z]{1,4}".prop_map(|name| Urn::new("dev", "shop", None, "pkg:index:Thing", &name))
}

fn a_reference() -> impl Strategy<Value = PropertyValue> {
    let id = prop_oneof![Just(ReferenceId::Unknown), "[a-z]{1,5}".prop_map(ReferenceId::Known)];
    (a_urn(), proptest::option::of(id), "[0-9.]{0,5}").prop_map(|(urn, id, package_version)| {
        PropertyValue::Reference(ResourceReference { urn, id, package_version })
    })
}

fn an_asset() -> impl Strategy<Value = Asset> {
    let source = prop_oneof![
        Just(AssetSource::Elided),
        ".{0,8}".prop_map(AssetSource::Text),
        "[a-z/]{1,8}".prop_map(AssetSource::Path),
        "[a-z/]{1,8}".prop_map(AssetSource::Uri),
    ];
    ("[0-9a-f]{1,8}", source).prop_map(|(hash, source)| Asset { hash, source })
}

fn an_archive() -> impl Strategy<Value = Archive> {
    let source = prop_oneof![
        Just(ArchiveSource::Elided),
        "[a-z/]{1,8}".prop_map(ArchiveSource::Path),
        "[a-z/]{1,8}".prop_map(ArchiveSource::Uri),
    ];
    let leaf = ("[0-9a-f]{1,8}", source).prop_map(|(hash, source)| Archive { hash, source });
    leaf.prop_recursive(3, 8, 3, |inner| {
        let member =
            prop_oneof![an_asset().prop_map(AssetOrArchive::Asset), inner.prop_map(AssetOrArchive::Archive)];
        ("[0-9a-f]{0,8}", btree_map("[a-z./]{0,6}", member, 0..3)).prop_map(
            |(hash, members): (String, BTreeMap<_, _>)| Archive {
                hash,
                source: ArchiveSource::Assets(members),
            },
        )
    })
}

/// Any value in the form that decoding gives it.
fn a_value() -> impl Strategy<Value = PropertyValue> {
    let leaf = prop_oneof![
        Just(PropertyValue::Null),
        any::<bool>().prop_map(PropertyValue::Bool),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |n| !n.is_nan())
            .prop_map(PropertyValue::Number),
        ".{0,12}".prop_map(PropertyValue::String),
        vec(any::<u8>(), 0..8).prop_map(|mut bytes| {
            bytes.push(0xff);
            PropertyValue::Bytes(bytes)
        }),
        Just(PropertyValue::Unknown),
        a_reference(),
        an_asset().prop_map(PropertyValue::Asset),
        an_archive().prop_map(PropertyValue::Archive),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        let output = (proptest::option::of(inner.clone()), any::<bool>(), vec(a_urn(), 0..3));
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(PropertyValue::Array),
            btree_map(".{0,6}", inner.clone(), 0..5)
                .prop_map(|map| PropertyValue::Object(map.into_iter().collect())),
            inner.prop_map(|value| PropertyValue::Secret(Box::new(value))),
            output.prop_map(|(value, secret, mut dependencies)| {
                let value = value.filter(|value| *value != PropertyValue::Unknown);
                dependencies.sort();
                dependencies.dedup();
                PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies }))
            }),
        ]
    })
}

fn a_bag() -> impl Strategy<Value = PropertyMap> {
    btree_map(".{0,6}", a_value(), 0..5).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn every_value_survives_the_wire(bag in a_bag(), value in a_value()) {
        let message = ConstructRequest {
            inputs: Some(encode_map(&bag, &EncodeOptions::FULL).unwrap()),
            replacement_trigger: encode_value(&value, &EncodeOptions::FULL).unwrap(),
            ..Default::default()
        };
        let received = ConstructRequest::decode(Bytes::from(message.encode_to_vec())).unwrap();
        prop_assert_eq!(&received, &message);
        prop_assert_eq!(decode_map(&received.inputs.unwrap(), &DecodeOptions::FULL).unwrap(), bag);
        let trigger = decode_value(&received.replacement_trigger.unwrap(), &DecodeOptions::FULL).unwrap();
        prop_assert_eq!(trigger, Some(value));
    }

    #[test]
    fn the_protobuf_library_reads_the_same_and_writes_the_same(bag in a_bag()) {
        let theirs = to_theirs(&encode_map(&bag, &EncodeOptions::FULL).unwrap());
        prop_assert_eq!(decode_map(&to_ours(&theirs), &DecodeOptions::FULL).unwrap(), bag);
    }

    #[test]
    fn it_is_the_same_which_side_simplifies(
        bag in a_bag(),
        (keep_secrets, keep_unknowns, keep_resources, keep_outputs) in any::<(bool, bool, bool, bool)>(),
    ) {
        let sender =
            EncodeOptions { keep_secrets, keep_unknowns, keep_resources, keep_outputs, ..EncodeOptions::FULL };
        let unknowns = if keep_unknowns { Unknowns::Keep } else { Unknowns::Drop };
        let receiver =
            DecodeOptions { keep_secrets, unknowns, keep_resources, keep_outputs, upgrade_to_outputs: false };
        let by_sender = encode_map(&bag, &sender).unwrap();
        let by_sender = decode_map(&by_sender, &DecodeOptions::FULL).unwrap();
        let by_receiver = encode_map(&bag, &EncodeOptions::FULL).unwrap();
        let by_receiver = decode_map(&by_receiver, &receiver).unwrap();
        prop_assert_eq!(&by_sender, &by_receiver);

        let whole = PropertyValue::Object(by_sender);
        prop_assert!(keep_secrets || !whole.contains_secrets());
        prop_assert!(keep_resources || !whole.any(&mut |v| matches!(v, PropertyValue::Reference(_))));
        prop_assert!(keep_outputs || !whole.any(&mut |v| matches!(v, PropertyValue::Output(_))));
        prop_assert!(keep_unknowns || !whole.any(&mut |v| matches!(v, PropertyValue::Unknown)));
    }
}

#[test]
fn numbers_keep_every_bit() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 1e308, 0.1] {
        let value = encode_value(&PropertyValue::Number(number), &EncodeOptions::PLAIN).unwrap().unwrap();
        let Some(PropertyValue::Number(back)) = decode_value(&value, &DecodeOptions::PLAIN).unwrap() else {
            panic!("no number");
        };
        assert_eq!(back.to_bits(), number.to_bits());
    }
}

#[test]
fn large_bags_outgrow_the_first_buffer() {
    let bag: PropertyMap =
        (0..2000).map(|n| (format!("key{n}"), PropertyValue::text("v".repeat(n)))).collect();
    let message = CreateResponse {
        properties: Some(encode_map(&bag, &EncodeOptions::FULL).unwrap()),
        ..Default::default()
    };
    let received = CreateResponse::decode(Bytes::from(message.encode_to_vec())).unwrap();
    assert_eq!(decode_map(&received.properties.unwrap(), &DecodeOptions::FULL).unwrap(), bag);
}
