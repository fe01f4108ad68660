//! Property bags: every kind of value goes to JSON text and back, secrets in two phases.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeMap;

use purlin_formats::{BagDecoder, BagEncoder, ValueDecoder};
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyMap, PropertyValue,
    ReferenceId, ResourceReference, Urn,
};

fn map(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

fn secret(value: impl Into<PropertyValue>) -> PropertyValue {
    PropertyValue::Secret(Box::new(value.into()))
}

/// Encodes with a cipher that puts `enc:` before the plaintext.
fn encode(properties: &PropertyMap) -> String {
    let encoder = BagEncoder::bag(properties, None).unwrap();
    let ciphertexts: Vec<String> =
        encoder.secrets().iter().map(|s| format!("enc:{}", s.plaintext())).collect();
    encoder.finish(&ciphertexts).unwrap()
}

fn decode(text: &str) -> PropertyMap {
    let decoder = BagDecoder::new(text).unwrap();
    let plaintexts: Vec<String> =
        decoder.ciphertexts().map(|c| c.strip_prefix("enc:").unwrap().to_owned()).collect();
    decoder.finish(&plaintexts).unwrap()
}

fn reference(id: Option<ReferenceId>) -> PropertyValue {
    let urn = Urn::parse("urn:pulumi:s::p::a:b:C::n").unwrap();
    PropertyValue::Reference(ResourceReference { urn, id, package_version: "1.2.3".into() })
}

#[test]
fn every_kind_of_value_goes_there_and_back() {
    let asset = |hash: &str, source| Asset { hash: hash.into(), source };
    let members = BTreeMap::from([
        ("a".to_owned(), AssetOrArchive::Asset(asset("", AssetSource::Path("p".into())))),
        (
            "b".to_owned(),
            AssetOrArchive::Archive(Archive { hash: "h".into(), source: ArchiveSource::Uri("u".into()) }),
        ),
    ]);
    let properties = map(&[
        ("null", PropertyValue::Null),
        ("bool", true.into()),
        ("number", 1.5.into()),
        ("nan", f64::NEG_INFINITY.into()),
        ("text", "é\u{2028}<\n".into()),
        ("bytes", PropertyValue::Bytes(vec![0xff, 0])),
        ("list", PropertyValue::Array(vec![PropertyValue::Null, map(&[]).into()])),
        ("unknown", PropertyValue::Unknown),
        ("asset text", PropertyValue::Asset(asset("h", AssetSource::Text("t".into())))),
        ("asset elided", PropertyValue::Asset(asset("h", AssetSource::Elided))),
        ("asset uri", PropertyValue::Asset(asset("", AssetSource::Uri("https://x".into())))),
        (
            "archive",
            PropertyValue::Archive(Archive { hash: "h".into(), source: ArchiveSource::Assets(members) }),
        ),
        (
            "archive elided",
            PropertyValue::Archive(Archive { hash: "h".into(), source: ArchiveSource::Elided }),
        ),
        (
            "archive path",
            PropertyValue::Archive(Archive { hash: "h".into(), source: ArchiveSource::Path("d".into()) }),
        ),
        ("component", reference(None)),
        ("custom", reference(Some(ReferenceId::Known("i".into())))),
        ("planned", reference(Some(ReferenceId::Unknown))),
        ("secret", secret(map(&[("a<b", secret("x")), ("c", PropertyValue::Unknown)]))),
    ]);
    assert_eq!(decode(&encode(&properties)), properties);
}

#[test]
fn texts_are_those_of_existing_checkpoints() {
    let cases: &[(PropertyValue, &str)] = &[
        (
            f64::NAN.into(),
            r#"{"4dabf18193072939515e22adb298388d":"8ad145fe-0d11-4827-bfd7-1abcbf086f5c","value":"7ff8000000000000"}"#,
        ),
        (PropertyValue::Unknown, r#""04da6b54-80e4-46f7-96ec-b56ff0331ba9""#),
        (
            reference(Some(ReferenceId::Known("i".into()))),
            r#"{"4dabf18193072939515e22adb298388d":"5cf8f73096256a8f31e491e813e4eb8e","id":"i","packageVersion":"1.2.3","urn":"urn:pulumi:s::p::a:b:C::n"}"#,
        ),
        (
            PropertyValue::Bytes(vec![0xff]),
            r#"{"4dabf18193072939515e22adb298388d":"803fd3297a5875dc03ca845dda5d2a98","value":"/w=="}"#,
        ),
        (
            PropertyValue::Archive(Archive {
                hash: "h".into(),
                source: ArchiveSource::Assets(BTreeMap::new()),
            }),
            r#"{"4dabf18193072939515e22adb298388d":"0def7320c3a5731c473e5ecbe6d01bc7","assets":{},"hash":"h"}"#,
        ),
    ];
    for (value, expected) in cases {
        let encoder = BagEncoder::value(value).unwrap();
        assert_eq!(encoder.finish::<&str>(&[]).unwrap(), *expected);
    }
    let nested = map(&[("p", secret(PropertyValue::Array(vec!["<".into(), secret(1.0)])))]);
    let encoder = BagEncoder::bag(&nested, None).unwrap();
    assert_eq!(
        encoder.secrets()[0].plaintext(),
        r#"["\u003c",{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"1"}]"#
    );
    assert_eq!(
        encoder.finish(&["C"]).unwrap(),
        r#"{"p":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"C"}}"#
    );
}

#[test]
fn output_values_become_what_they_stand_for() {
    let output = |value: Option<PropertyValue>, secret| {
        PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![] }))
    };
    let properties = map(&[
        ("a", output(Some("x".into()), false)),
        ("b", output(None, false)),
        ("c", output(Some("y".into()), true)),
        ("d", output(None, true)),
    ]);
    let back = decode(&encode(&properties));
    assert_eq!(
        back,
        map(&[
            ("a", "x".into()),
            ("b", PropertyValue::Unknown),
            ("c", secret("y")),
            ("d", secret(PropertyValue::Unknown))
        ])
    );
}

#[test]
fn a_secret_at_the_same_place_offers_its_ciphertext() {
    let before = map(&[
        ("gone", secret("g")),
        ("list", PropertyValue::Array(vec!["open".into(), secret("l")])),
        ("object", map(&[("in", secret("o"))]).into()),
        ("was open", "w".into()),
    ]);
    let previous = BagDecoder::new(&encode(&before)).unwrap();
    let after = map(&[
        ("list", PropertyValue::Array(vec![secret("now"), secret("l")])),
        ("object", map(&[("in", secret("changed"))]).into()),
        ("was open", secret("w")),
    ]);
    let encoder = BagEncoder::bag(&after, Some(&previous)).unwrap();
    let found: Vec<_> = encoder.secrets().iter().map(|s| (s.plaintext(), s.candidate())).collect();
    assert_eq!(
        found,
        [
            ("\"now\"", None),
            ("\"l\"", Some("enc:\"l\"")),
            ("\"changed\"", Some("enc:\"o\"")),
            ("\"w\"", None)
        ]
    );
}

#[test]
fn secrets_in_clear_are_read_without_decryption() {
    let text = r#"{"a":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"{\"b\":[1]}"}}"#;
    let decoder = BagDecoder::new(text).unwrap();
    assert_eq!(decoder.ciphertexts().count(), 0);
    assert!(decoder.has_secrets());
    let expected = secret(map(&[("b", PropertyValue::Array(vec![1.0.into()]))]));
    assert_eq!(decoder.finish::<&str>(&[]).unwrap()["a"], expected);
}

#[test]
fn ids_of_references_are_read_as_old_versions_wrote_them() {
    for (id, expected) in [
        (r#","id":{"V":null}"#, None),
        (r#","id":{"V":"i"}"#, Some(ReferenceId::Known("i".into()))),
        (r#","id":{"V":{"Element":{"V":""}}}"#, Some(ReferenceId::Unknown)),
        (r#","id":"""#, Some(ReferenceId::Unknown)),
        ("", None),
    ] {
        let text = format!(
            "{{\"4dabf18193072939515e22adb298388d\":\"5cf8f73096256a8f31e491e813e4eb8e\",\"urn\":\
             \"urn:pulumi:s::p::a:b:C::n\",\"packageVersion\":\"1.2.3\"{id}}}"
        );
        let value = ValueDecoder::new(&text).unwrap().finish::<&str>(&[]).unwrap();
        assert_eq!(value, reference(expected), "{text}");
    }
}

#[test]
fn broken_bags_are_refused() {
    let marked =
        |mark: &str, rest: &str| format!("{{\"a\":{{\"4dabf18193072939515e22adb298388d\":{mark}{rest}}}}}");
    let secret = "\"1b47061264138c4ac30d75fd1eb44270\"";
    for text in [
        String::new(),
        "[]".into(),
        "{\"a\":}".into(),
        "{\"a\":1}x".into(),
        "{\"a\":1e999}".into(),
        marked("\"nobody knows\"", ""),
        marked("7", ""),
        marked(secret, ""),
        marked(secret, ",\"ciphertext\":7"),
        marked(secret, ",\"ciphertext\":\"\""),
        marked(secret, ",\"ciphertext\":\"c\",\"plaintext\":\"1\""),
        marked("\"803fd3297a5875dc03ca845dda5d2a98\"", ",\"value\":\"?\""),
        marked("\"8ad145fe-0d11-4827-bfd7-1abcbf086f5c\"", ",\"value\":\"xyz\""),
        marked("\"5cf8f73096256a8f31e491e813e4eb8e\"", ",\"urn\":\"no urn\""),
        marked("\"5cf8f73096256a8f31e491e813e4eb8e\"", ",\"urn\":\"urn:pulumi:s::p::t::n\",\"id\":7"),
        marked("\"c44067f5952c0a294b673a41bacd8c17\"", ",\"text\":7"),
        marked("\"0def7320c3a5731c473e5ecbe6d01bc7\"", ",\"assets\":{\"x\":1}"),
    ] {
        assert_eq!(BagDecoder::new(&text).err().map(|d| d.code), Some("bag-malformed"), "{text}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(BagDecoder::new(&deep).err().map(|d| d.code), Some("bag-too-deep"));
}

#[test]
fn what_can_be_written_can_be_read() {
    let nested = |levels: usize| {
        let value = (0..levels).fold(PropertyValue::Bytes(vec![0xff]), |v, _| PropertyValue::Array(vec![v]));
        map(&[("a", value)])
    };
    let deepest = nested(purlin_formats::MAX_DEPTH - 1);
    assert_eq!(decode(&encode(&deepest)), deepest);
    let refused = BagEncoder::bag(&nested(purlin_formats::MAX_DEPTH), None).err().unwrap();
    assert_eq!(refused.code, "bag-too-deep");
}

#[test]
fn a_wrong_count_of_texts_is_noticed() {
    let text = encode(&map(&[("a", secret("x"))]));
    for plaintexts in [&[][..], &["1", "2"]] {
        assert_eq!(BagDecoder::new(&text).unwrap().finish(plaintexts).unwrap_err().code, "secret-miscounted");
    }
    let encoder = BagEncoder::bag(&map(&[("a", secret("x"))]), None).unwrap();
    assert_eq!(encoder.finish::<&str>(&[]).unwrap_err().code, "secret-miscounted");
}

#[test]
fn a_plaintext_never_shows_up_in_an_error() {
    let text = encode(&map(&[("a", secret("x"))]));
    let refused = BagDecoder::new(&text).unwrap().finish(&["hunter2"]).unwrap_err();
    assert_eq!(refused.code, "secret-malformed");
    assert!(!refused.to_string().contains("hunter2"));
}

#[test]
fn texts_that_are_not_utf8_are_noticed_inside_secrets() {
    let hidden = map(&[("a", secret(PropertyValue::Bytes(vec![0xff])))]);
    assert!(BagEncoder::bag(&hidden, None).unwrap().has_bytes());
    assert!(!BagEncoder::bag(&map(&[("a", secret("x"))]), None).unwrap().has_bytes());
}
