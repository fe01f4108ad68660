//! What each kind of wire value is taken for.

use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyValue, ReferenceId,
};

use super::*;
use crate::{
    CodecError, CodecErrorKind, DecodeOptions, Unknowns, calls, decode_map, decode_optional, signature,
};

const FULL: DecodeOptions = DecodeOptions::FULL;
const PLAIN: DecodeOptions = DecodeOptions::PLAIN;
const PLAIN_UNKNOWNS: DecodeOptions = PLAIN.unknowns_allowed(true);

fn try_decode(
    value: prost_types::Value,
    options: &DecodeOptions,
) -> Result<Option<PropertyValue>, CodecError> {
    let bag = to_ours(&their_struct([("o", their_object([("l", their_list(vec![value]))]))]));
    let mut bag = decode_map(&bag, options)?;
    let Some(PropertyValue::Object(mut object)) = bag.remove("o") else { panic!() };
    let Some(PropertyValue::Array(list)) = object.remove("l") else { panic!() };
    Ok(list.into_iter().next())
}

fn decoded(value: prost_types::Value, options: &DecodeOptions) -> Option<PropertyValue> {
    try_decode(value, options).unwrap()
}

fn truth() -> prost_types::Value {
    theirs(Kind::BoolValue(true))
}

#[test]
fn every_unknown_is_recognised() {
    for text in [
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
    ] {
        let hidden = || special(signature::SECRET, [("value", their_text(text))]);
        assert_eq!(decoded(their_text(text), &FULL), Some(PropertyValue::Unknown));
        assert_eq!(decoded(hidden(), &FULL), Some(secret(PropertyValue::Unknown)));
        assert_eq!(decoded(their_text(text), &PLAIN), None);
        assert_eq!(decoded(hidden(), &PLAIN), None);
        let error = try_decode(hidden(), &calls::from_provider::READ_RESPONSE).unwrap_err();
        assert_eq!(error.kind, CodecErrorKind::UnexpectedUnknown);
        assert_eq!(error.to_string(), "property o.l[0]: the value is unknown where it has to be known");
    }
}

#[test]
fn wrappers_come_off_where_they_are_not_kept() {
    let hidden = special(signature::SECRET, [("value", their_text("x"))]);
    assert_eq!(decoded(hidden.clone(), &FULL), Some(secret("x")));
    assert_eq!(decoded(hidden, &PLAIN), Some("x".into()));

    let wrapped = special(signature::OUTPUT, [("value", their_text("x")), ("secret", truth())]);
    let kept = OutputValue { value: Some("x".into()), secret: true, dependencies: vec![] };
    assert_eq!(decoded(wrapped.clone(), &FULL), Some(PropertyValue::Output(Box::new(kept))));
    let secrets = DecodeOptions { keep_secrets: true, ..PLAIN };
    assert_eq!(decoded(wrapped.clone(), &secrets), Some(secret("x")));
    assert_eq!(decoded(wrapped, &PLAIN), Some("x".into()));
    let hidden = special(signature::OUTPUT, [("secret", truth())]);
    assert_eq!(decoded(hidden.clone(), &PLAIN), None);
    let secrets = DecodeOptions { unknowns: Unknowns::Keep, ..secrets };
    assert_eq!(decoded(hidden, &secrets), Some(secret(PropertyValue::Unknown)));
}

#[test]
fn dependencies_are_sorted_and_said_once() {
    let other = "urn:pulumi:dev::shop::pkg:index:Bucket::a";
    let list = their_list([URN, other, URN].map(their_text).to_vec());
    let value = decoded(special(signature::OUTPUT, [("dependencies", list)]), &FULL);
    let Some(PropertyValue::Output(output)) = value else { panic!() };
    assert_eq!(output.value, None);
    assert_eq!(output.dependencies.iter().map(Urn::as_str).collect::<Vec<_>>(), [other, URN]);
}

#[test]
fn secrets_and_unknowns_become_outputs_on_request() {
    let options = calls::from_program::REGISTER_RESOURCE;
    let made = |value, secret| {
        Some(PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![] })))
    };
    let hidden = |value| special(signature::SECRET, [("value", value)]);
    let unknown = || their_text(signature::UNKNOWN);
    assert_eq!(decoded(hidden(their_text("x")), &options), made(Some("x".into()), true));
    assert_eq!(decoded(unknown(), &options), made(None, false));
    assert_eq!(decoded(hidden(unknown()), &options), made(None, true));
    let nested = special(signature::OUTPUT, [("value", hidden(their_text("x")))]);
    assert_eq!(decoded(nested, &options), made(Some("x".into()), true));
    let explicit = special(signature::OUTPUT, [("secret", truth())]);
    assert_eq!(decoded(explicit, &options), made(None, true));
}

#[test]
fn references_are_kept_or_become_ids_and_urns() {
    let with = |id: prost_types::Value| {
        special(
            signature::REFERENCE,
            [("urn", their_text(URN)), ("id", id), ("packageVersion", their_text("1.2.3"))],
        )
    };
    let component =
        special(signature::REFERENCE, [("urn", their_text(URN)), ("packageVersion", their_text("1.2.3"))]);
    assert_eq!(decoded(component.clone(), &FULL), Some(reference(None)));
    assert_eq!(decoded(component, &PLAIN), Some(URN.into()));
    let known = || special(signature::OUTPUT, [("value", their_text("b-1"))]);
    for id in [their_text("b-1"), known()] {
        let kept = reference(Some(ReferenceId::Known("b-1".into())));
        assert_eq!(decoded(with(id.clone()), &FULL), Some(kept));
        assert_eq!(decoded(with(id), &PLAIN), Some("b-1".into()));
    }
    for id in [their_text(""), their_text(signature::UNKNOWN), special(signature::OUTPUT, [])] {
        assert_eq!(decoded(with(id.clone()), &FULL), Some(reference(Some(ReferenceId::Unknown))));
        assert_eq!(decoded(with(id.clone()), &PLAIN), None);
        assert_eq!(decoded(with(id), &PLAIN_UNKNOWNS), Some(PropertyValue::Unknown));
    }
}

#[test]
fn a_byte_string_that_is_a_text_is_one() {
    let wrapped = |text| special(signature::BYTES, [("value", their_text(text))]);
    assert_eq!(decoded(wrapped("/wA="), &PLAIN), Some(PropertyValue::Bytes(vec![0xff, 0])));
    assert_eq!(decoded(wrapped("b2s="), &PLAIN), Some("ok".into()));
}

#[test]
fn assets_and_archives_are_read_in_the_order_of_precedence() {
    let text = their_text;
    let asset =
        |pairs: [(&str, prost_types::Value); 2]| match decoded(special(signature::ASSET, pairs), &FULL) {
            Some(PropertyValue::Asset(asset)) => asset.source,
            other => panic!("{other:?}"),
        };
    assert_eq!(asset([("path", text("p")), ("uri", text("u"))]), AssetSource::Path("p".into()));
    assert_eq!(asset([("uri", text("u")), ("text", text("t"))]), AssetSource::Uri("u".into()));
    assert_eq!(asset([("hash", text("aa")), ("text", text(""))]), AssetSource::Text(String::new()));
    assert_eq!(asset([("hash", text("aa")), ("path", text(""))]), AssetSource::Elided);
    assert_eq!(
        asset([("hash", text(signature::EMPTY_TEXT_HASH)), ("path", text(""))]),
        AssetSource::Text(String::new())
    );
    let archive =
        |pairs: [(&str, prost_types::Value); 2]| match decoded(special(signature::ARCHIVE, pairs), &FULL) {
            Some(PropertyValue::Archive(archive)) => archive.source,
            other => panic!("{other:?}"),
        };
    let inner = special(signature::ARCHIVE, [("path", text("p"))]);
    let members = || their_object([("m", inner.clone())]);
    assert_eq!(archive([("path", text("p")), ("assets", members())]), ArchiveSource::Path("p".into()));
    assert_eq!(archive([("uri", text("u")), ("assets", members())]), ArchiveSource::Uri("u".into()));
    let member = Archive { hash: String::new(), source: ArchiveSource::Path("p".into()) };
    assert_eq!(
        archive([("hash", text("aa")), ("assets", members())]),
        ArchiveSource::Assets([("m".to_owned(), AssetOrArchive::Archive(member))].into())
    );
    assert_eq!(archive([("hash", text("aa")), ("uri", text(""))]), ArchiveSource::Elided);
    assert_eq!(archive([("hash", text("")), ("uri", text(""))]), ArchiveSource::Assets([].into()));
    let unknown = special(signature::ASSET, [("path", text(signature::UNKNOWN))]);
    assert_eq!(decoded(unknown.clone(), &FULL), Some(PropertyValue::Unknown));
    let unknown = special(signature::ARCHIVE, [("assets", their_object([("m", unknown)]))]);
    assert_eq!(decoded(unknown.clone(), &FULL), Some(PropertyValue::Unknown));
    assert_eq!(decoded(unknown, &PLAIN), None);
    let elided = Asset { hash: "aa".into(), source: AssetSource::Elided };
    assert_eq!(
        decoded(special(signature::ASSET, [("hash", text("aa"))]), &FULL),
        Some(PropertyValue::Asset(elided))
    );
}

#[test]
fn malformed_special_values_are_errors_that_name_the_place() {
    let no = || theirs(Kind::NumberValue(1.0));
    let cases = [
        (special("deadbeef", []), "o.l[0]", "deadbeef"),
        (their_object([(signature::SIGNATURE_KEY, no())]), "o.l[0]", "signature"),
        (special(signature::SECRET, []), "o.l[0]", "secret: the value is missing"),
        (special(signature::OUTPUT, [("secret", no())]), "o.l[0].secret", "truth value"),
        (special(signature::OUTPUT, [("dependencies", no())]), "o.l[0].dependencies", "list of URNs"),
        (
            special(signature::OUTPUT, [("dependencies", their_list(vec![their_text("x")]))]),
            "o.l[0].dependencies",
            "list of URNs",
        ),
        (special(signature::REFERENCE, []), "o.l[0]", "the URN is missing"),
        (special(signature::REFERENCE, [("urn", their_text("x"))]), "o.l[0]", "form"),
        (special(signature::REFERENCE, [("urn", their_text(URN)), ("id", no())]), "o.l[0].id", "not a text"),
        (special(signature::BYTES, [("value", their_text("%"))]), "o.l[0]", "base64"),
        (special(signature::ASSET, [("path", no())]), "o.l[0].path", "text"),
        (special(signature::ARCHIVE, [("assets", no())]), "o.l[0].assets", "object"),
        (special(signature::ARCHIVE, [("assets", their_object([("m", no())]))]), "o.l[0].m", "neither"),
        (prost_types::Value { kind: None }, "o.l[0]", "no kind"),
    ];
    for (value, path, part) in cases {
        let error = try_decode(value, &FULL).unwrap_err();
        assert_eq!(error.path.to_string(), path, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let bag = to_ours(&their_struct([(signature::SIGNATURE_KEY, their_text(signature::SECRET))]));
    assert_eq!(decode_map(&bag, &FULL).unwrap_err().kind, CodecErrorKind::ReservedKey);
}

#[test]
fn a_missing_bag_is_empty() {
    assert!(decode_optional(None, &FULL).unwrap().is_empty());
    let bag = to_ours(&their_struct([("a", truth())]));
    assert_eq!(decode_optional(Some(&bag), &FULL).unwrap(), map([("a", true.into())]));
    assert_eq!(bag.len(), 1);
}
