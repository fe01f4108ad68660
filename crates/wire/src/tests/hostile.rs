//! Input that nobody honest would send, and input that is only very deep.

use proptest::prelude::*;
use prost::Message;
use prost::bytes::Bytes;

use super::*;
use crate::pulumirpc::CreateResponse;
use crate::{
    CodecErrorKind, DecodeOptions, EncodeOptions, MAX_DEPTH, Value, decode_map, decode_value, encode_map,
    encode_value,
};

const FULL: DecodeOptions = DecodeOptions::FULL;

/// Runs on a stack smaller than that of the threads that serve calls.
fn on_a_small_stack(test: fn()) {
    std::thread::Builder::new().stack_size(3 << 19).spawn(test).unwrap().join().unwrap();
}

fn nested(depth: usize, wrap: fn(PropertyValue) -> PropertyValue) -> PropertyMap {
    let mut value = PropertyValue::from("core");
    for _ in 1..depth {
        value = wrap(value);
    }
    map([("a", value)])
}

const WRAPS: [fn(PropertyValue) -> PropertyValue; 4] = [
    |inner| map([("a", inner)]).into(),
    |inner| PropertyValue::Array(vec![inner]),
    |inner| secret(inner),
    |inner| output(Some(inner), false),
];

#[test]
fn values_may_be_as_deep_as_the_limit_says() {
    on_a_small_stack(|| {
        for wrap in WRAPS {
            let bag = nested(MAX_DEPTH, wrap);
            let message = CreateResponse {
                properties: Some(encode_map(&bag, &EncodeOptions::FULL).unwrap()),
                ..Default::default()
            };
            let sent = Bytes::from(message.encode_to_vec());
            let received = CreateResponse::decode(sent).unwrap();
            assert_eq!(decode_map(&received.properties.unwrap(), &FULL).unwrap(), bag);
        }
    });
}

#[test]
fn the_limit_of_the_protobuf_library_does_not_count() {
    let properties = encode_map(&nested(40, WRAPS[0]), &EncodeOptions::FULL).unwrap();
    assert!(prost_types::Struct::decode(properties.encode_to_vec().as_slice()).is_err());
    assert_eq!(decode_map(&properties, &FULL).unwrap(), nested(40, WRAPS[0]));
}

#[test]
fn deeper_values_are_errors_both_ways() {
    on_a_small_stack(|| {
        for wrap in WRAPS {
            let error = encode_map(&nested(MAX_DEPTH + 1, wrap), &EncodeOptions::FULL).unwrap_err();
            assert_eq!(error.kind, CodecErrorKind::TooDeep);
        }
        // A hundred thousand lists in each other.
        let mut bytes = vec![0x08, 0];
        for _ in 0..100_000 {
            let mut outer = vec![];
            prost::encoding::bytes::encode(1, &bytes, &mut outer);
            bytes.clear();
            prost::encoding::bytes::encode(6, &outer, &mut bytes);
            if bytes.len() > 60_000 {
                break;
            }
        }
        let error = decode_value(&Value { fields: bytes }, &FULL).unwrap_err();
        assert_eq!(error.kind, CodecErrorKind::TooDeep);
        assert_eq!(error.path.0.len(), MAX_DEPTH);
    });
}

#[test]
fn cut_off_input_is_an_error_or_less() {
    let bag = map([
        ("list", PropertyValue::Array(vec![1.0.into(), secret("x"), reference(None)])),
        ("out", output(Some("y".into()), true)),
    ]);
    let whole = encode_value(&bag.clone().into(), &EncodeOptions::FULL).unwrap().unwrap();
    for len in 0..whole.fields.len() {
        let part = Value { fields: whole.fields[..len].to_vec() };
        assert!(decode_value(&part, &FULL).is_err(), "{len}");
    }
    assert_eq!(decode_value(&whole, &FULL).unwrap(), Some(bag.into()));
}

#[test]
fn broken_encodings_are_errors() {
    for fields in [
        vec![0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // endless text
        vec![0x1a, 0x01, 0xff],                                                 // not UTF-8
        vec![0x08],                                                             // no number
        vec![0x80; 20],                                                         // no end
        vec![0x0b, 0x0c],                                                       // a group
        vec![0x18, 0x01],                                                       // a text that is a number
        vec![0x32, 0x02, 0x08, 0x00],                                           // a list of numbers
        vec![0x2a, 0x04, 0x0a, 0x02, 0x08, 0x00],                               // a key that is a number
    ] {
        let error = decode_value(&Value { fields: fields.clone() }, &FULL).unwrap_err();
        assert!(matches!(error.kind, CodecErrorKind::Wire(_)), "{fields:?} {error}");
    }
}

#[test]
fn fields_that_nobody_knows_are_skipped() {
    let mut fields = vec![0x7a, 0x01, 0x00, 0x7d, 1, 2, 3, 4];
    fields.extend(encode_value(&"x".into(), &EncodeOptions::FULL).unwrap().unwrap().fields);
    assert_eq!(decode_value(&Value { fields }, &FULL).unwrap(), Some("x".into()));
}

#[test]
fn debug_output_shows_no_values() {
    let properties = encode_map(&map([("password", secret("hunter2"))]), &EncodeOptions::PLAIN).unwrap();
    let shown = format!("{:?}", CreateResponse { properties: Some(properties), ..Default::default() });
    assert!(!shown.contains("hunter2") && shown.contains("1 properties"), "{shown}");
    let value = encode_value(&"hunter2".into(), &EncodeOptions::PLAIN).unwrap();
    assert!(!format!("{value:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_input_makes_decoding_panic(fields in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_value(&Value { fields: fields.clone() }, &FULL);
        if let Ok(properties) = Struct::decode(fields.as_slice()) {
            let _ = decode_map(&properties, &DecodeOptions::PLAIN);
        }
    }
}
