//! What each kind of value becomes for each kind of peer.

use std::collections::BTreeMap;

use purlin_model::{Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyValue, ReferenceId};

use super::*;
use crate::{CodecErrorKind, EncodeOptions, PeerFlags, calls, encode_map, encode_value, signature};

/// Encodes a value inside a list inside an object; `None` if it was left out.
fn encoded(value: PropertyValue, options: &EncodeOptions) -> Option<prost_types::Value> {
    let bag = map([("o", map([("l", PropertyValue::Array(vec![value]))]).into())]);
    let mut sent = to_theirs(&encode_map(&bag, options).unwrap());
    let Some(Kind::StructValue(mut object)) = sent.fields.remove("o").unwrap().kind else { panic!() };
    let Some(Kind::ListValue(list)) = object.fields.remove("l").unwrap().kind else { panic!() };
    list.values.into_iter().next()
}

const PLAIN: EncodeOptions = EncodeOptions::PLAIN;
const FULL: EncodeOptions = EncodeOptions::FULL;
const UNKNOWNS: EncodeOptions = PLAIN.unknowns(true);
const SECRETS: EncodeOptions = EncodeOptions { keep_secrets: true, ..PLAIN };

fn unknown() -> prost_types::Value {
    their_text("04da6b54-80e4-46f7-96ec-b56ff0331ba9")
}

#[test]
fn simple_values_are_what_protobuf_has_for_them() {
    let kinds = [
        (PropertyValue::Null, Kind::NullValue(0)),
        (true.into(), Kind::BoolValue(true)),
        (1.5.into(), Kind::NumberValue(1.5)),
        ("text".into(), Kind::StringValue("text".into())),
    ];
    for (value, kind) in kinds {
        assert_eq!(encoded(value, &PLAIN), Some(theirs(kind)));
    }
}

#[test]
fn secrets_are_marked_or_sent_in_clear() {
    let marked = special(signature::SECRET, [("value", their_text("x"))]);
    assert_eq!(encoded(secret("x"), &FULL), Some(marked));
    assert_eq!(encoded(secret("x"), &PLAIN), Some(their_text("x")));
    let inside = secret(map([("a", secret("x"))]));
    assert_eq!(encoded(inside, &PLAIN), Some(their_object([("a", their_text("x"))])));
}

#[test]
fn unknowns_are_sent_or_left_out_with_what_wraps_them() {
    assert_eq!(encoded(PropertyValue::Unknown, &FULL), Some(unknown()));
    for value in [
        PropertyValue::Unknown,
        secret(PropertyValue::Unknown),
        output(None, true),
        output(Some(secret(PropertyValue::Unknown)), false),
        reference(Some(ReferenceId::Unknown)),
    ] {
        assert_eq!(encoded(value.clone(), &PLAIN), None, "{value:?}");
        let kept = EncodeOptions { keep_outputs: true, keep_secrets: true, ..PLAIN };
        assert_eq!(encoded(value.clone(), &kept), None, "{value:?}");
    }
    let bag = map([("a", PropertyValue::Unknown), ("b", 1.0.into())]);
    let sent = to_theirs(&encode_map(&bag, &PLAIN).unwrap());
    assert_eq!(sent, their_struct([("b", theirs(Kind::NumberValue(1.0)))]));
    assert_eq!(encode_value(&PropertyValue::Unknown, &PLAIN).unwrap(), None);
    let list = PropertyValue::Array(vec![1.0.into(), PropertyValue::Unknown, 2.0.into()]);
    let left = [1.0, 2.0].map(|number| theirs(Kind::NumberValue(number))).to_vec();
    assert_eq!(encoded(list, &PLAIN), Some(their_list(left)));
}

#[test]
fn outputs_are_kept_or_become_what_they_stand_for() {
    let dependencies = || their_list(vec![their_text(URN)]);
    let known = special(signature::OUTPUT, [("value", their_text("x")), ("dependencies", dependencies())]);
    assert_eq!(encoded(output(Some("x".into()), false), &FULL), Some(known.clone()));
    let hidden = special(
        signature::OUTPUT,
        [("secret", theirs(Kind::BoolValue(true))), ("dependencies", dependencies())],
    );
    assert_eq!(encoded(output(None, true), &FULL), Some(hidden.clone()));
    assert_eq!(encoded(output(Some(PropertyValue::Unknown), true), &FULL), Some(hidden));
    let in_clear = EncodeOptions { keep_secrets: false, ..FULL };
    assert_eq!(encoded(output(Some("x".into()), true), &in_clear), Some(known));

    let marked = Some(special(signature::SECRET, [("value", their_text("x"))]));
    assert_eq!(encoded(output(Some("x".into()), false), &PLAIN), Some(their_text("x")));
    assert_eq!(encoded(output(Some("x".into()), true), &PLAIN), Some(their_text("x")));
    assert_eq!(encoded(output(Some("x".into()), true), &SECRETS), marked);
    assert_eq!(encoded(output(Some(secret("x")), true), &SECRETS), marked, "marked once only");
    let nested = output(Some(output(Some("x".into()), true)), true);
    assert_eq!(encoded(nested, &SECRETS), marked, "marked once only");
    assert_eq!(encoded(output(None, true), &UNKNOWNS), Some(unknown()));
}

#[test]
fn references_are_kept_or_become_ids_and_urns() {
    let known = reference(Some(ReferenceId::Known("b-1".into())));
    let parts = |id: &str| {
        special(
            signature::REFERENCE,
            [
                ("urn", their_text(URN)),
                ("name", their_text("b")),
                ("type", their_text("pkg:index:Bucket")),
                ("id", their_text(id)),
                ("packageVersion", their_text("1.2.3")),
            ],
        )
    };
    assert_eq!(encoded(known.clone(), &FULL), Some(parts("b-1")));
    assert_eq!(encoded(reference(Some(ReferenceId::Unknown)), &FULL), Some(parts("")));
    let Some(Kind::StructValue(component)) = encoded(reference(None), &FULL).unwrap().kind else { panic!() };
    assert!(!component.fields.contains_key("id"));

    assert_eq!(encoded(known, &PLAIN), Some(their_text("b-1")));
    assert_eq!(encoded(reference(None), &PLAIN), Some(their_text(URN)));
    assert_eq!(encoded(reference(Some(ReferenceId::Unknown)), &UNKNOWNS), Some(unknown()));
}

#[test]
fn byte_strings_are_wrapped_for_those_who_take_them() {
    let bytes = || PropertyValue::Bytes(vec![0xff, 0]);
    assert_eq!(encoded(bytes(), &FULL), Some(special(signature::BYTES, [("value", their_text("/wA="))])));
    assert_eq!(encoded(PropertyValue::Bytes(b"ok".to_vec()), &PLAIN), Some(their_text("ok")));
    let bag = map([("a", PropertyValue::Array(vec![1.0.into(), bytes()]))]);
    let error = encode_map(&bag, &PLAIN).unwrap_err();
    assert_eq!(
        (error.path.to_string().as_str(), &error.kind),
        ("a[1]", &CodecErrorKind::ByteStringNotAccepted)
    );
}

#[test]
fn assets_are_sent_whole_or_as_hashes() {
    let asset = |source| Asset { hash: "aa".into(), source };
    let elide = EncodeOptions { elide_asset_contents: true, ..PLAIN };
    let elided = special(signature::ASSET, [("hash", their_text("aa"))]);
    for (source, key, text) in [
        (AssetSource::Text("t".into()), "text", "t"),
        (AssetSource::Path("p".into()), "path", "p"),
        (AssetSource::Uri("u".into()), "uri", "u"),
    ] {
        let whole = special(signature::ASSET, [("hash", their_text("aa")), (key, their_text(text))]);
        assert_eq!(encoded(PropertyValue::Asset(asset(source.clone())), &PLAIN), Some(whole));
        assert_eq!(encoded(PropertyValue::Asset(asset(source)), &elide), Some(elided.clone()));
    }
    let member = asset(AssetSource::Text("t".into()));
    let archive = PropertyValue::Archive(Archive {
        hash: "bb".into(),
        source: ArchiveSource::Assets(BTreeMap::from([("m".into(), AssetOrArchive::Asset(member))])),
    });
    let sent = special(signature::ASSET, [("hash", their_text("aa")), ("text", their_text("t"))]);
    assert_eq!(
        encoded(archive.clone(), &PLAIN),
        Some(special(
            signature::ARCHIVE,
            [("hash", their_text("bb")), ("assets", their_object([("m", sent)]))]
        ))
    );
    assert_eq!(encoded(archive, &elide), Some(special(signature::ARCHIVE, [("hash", their_text("bb"))])));
}

#[test]
fn internal_properties_are_left_out_at_the_top_only() {
    let options = calls::analyzer::ANALYZE_REQUEST;
    let bag = map([("__a", 1.0.into()), ("b", map([("__c", "x".into())]).into())]);
    let sent = to_theirs(&encode_map(&bag, &options).unwrap());
    assert_eq!(sent, their_struct([("b", their_object([("__c", their_text("x"))]))]));
}

#[test]
fn an_ordinary_object_cannot_pass_for_a_special_value() {
    let fake = map([(signature::SIGNATURE_KEY, signature::SECRET.into()), ("value", "x".into())]);
    assert_eq!(encode_map(&fake, &FULL).unwrap_err().kind, CodecErrorKind::ReservedKey);
    let error = encode_map(&map([("a", fake.into())]), &FULL).unwrap_err();
    assert_eq!(error.kind, CodecErrorKind::ReservedKey);
    assert!(error.path.to_string().starts_with("a."), "{error}");
}

#[test]
fn the_handshake_limits_what_calls_carry() {
    use calls::to_provider::*;
    let bag = map([("s", secret("x")), ("u", PropertyValue::Unknown), ("r", reference(None))]);
    let old = PeerFlags::default();
    let sent = to_theirs(&encode_map(&bag, &CREATE_REQUEST.for_peer(old).unknowns(true)).unwrap());
    assert_eq!(sent, their_struct([("s", their_text("x")), ("u", unknown()), ("r", their_text(URN))]));
    let sent = to_theirs(&encode_map(&bag, &DELETE_REQUEST.for_peer(old)).unwrap());
    assert_eq!(sent, their_struct([("s", their_text("x")), ("r", their_text(URN))]));
    let call = call_args(old);
    assert!(call.keep_secrets && call.keep_resources && !call.keep_outputs && !call.keep_byte_strings);
    let sent = to_theirs(&encode_map(&bag, &CONFIG_REQUEST).unwrap());
    assert_eq!(sent, their_struct([("s", their_text("x")), ("u", unknown()), ("r", their_text(URN))]));
    let sent = to_theirs(&encode_map(&bag, &CONFIGURE_REQUEST).unwrap());
    assert_eq!(sent.fields["s"], special(signature::SECRET, [("value", their_text("x"))]));
    assert!([DIFF_REQUEST, READ_REQUEST, UPDATE_OLDS, DELETE_REQUEST].iter().all(|o| o.elide_asset_contents));
    assert!([CHECK_REQUEST, CREATE_REQUEST, UPDATE_NEWS].iter().all(|o| !o.elide_asset_contents));
}
