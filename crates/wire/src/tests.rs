//! Tests of the codec as a whole, and what they share.

mod decoding;
mod encoding;
mod hostile;
mod round_trip;
mod transport;

use prost::Message;
use prost_types::value::Kind;
use purlin_model::{OutputValue, PropertyMap, PropertyValue, ReferenceId, ResourceReference, Urn};

use crate::{Struct, signature};

const URN: &str = "urn:pulumi:dev::shop::pkg:index:Bucket::b";

fn urn() -> Urn {
    Urn::parse(URN).unwrap()
}

fn map<const N: usize>(pairs: [(&str, PropertyValue); N]) -> PropertyMap {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn secret(value: impl Into<PropertyValue>) -> PropertyValue {
    PropertyValue::Secret(Box::new(value.into()))
}

fn output(value: Option<PropertyValue>, secret: bool) -> PropertyValue {
    PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![urn()] }))
}

fn reference(id: Option<ReferenceId>) -> PropertyValue {
    PropertyValue::Reference(ResourceReference { urn: urn(), id, package_version: "1.2.3".into() })
}

/// Values as the protobuf library's own types have them, to check ours against.
fn theirs(kind: Kind) -> prost_types::Value {
    prost_types::Value { kind: Some(kind) }
}

fn their_text(text: &str) -> prost_types::Value {
    theirs(Kind::StringValue(text.to_owned()))
}

fn their_list(values: Vec<prost_types::Value>) -> prost_types::Value {
    theirs(Kind::ListValue(prost_types::ListValue { values }))
}

fn their_struct<const N: usize>(pairs: [(&str, prost_types::Value); N]) -> prost_types::Struct {
    prost_types::Struct { fields: pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
}

fn their_object<const N: usize>(pairs: [(&str, prost_types::Value); N]) -> prost_types::Value {
    theirs(Kind::StructValue(their_struct(pairs)))
}

fn special<const N: usize>(kind: &str, pairs: [(&str, prost_types::Value); N]) -> prost_types::Value {
    let mut fields = their_struct(pairs);
    fields.fields.insert(signature::SIGNATURE_KEY.to_owned(), their_text(kind));
    theirs(Kind::StructValue(fields))
}

fn to_ours(theirs: &prost_types::Struct) -> Struct {
    Struct::decode(theirs.encode_to_vec().as_slice()).unwrap()
}

fn to_theirs(ours: &Struct) -> prost_types::Struct {
    prost_types::Struct::decode(ours.encode_to_vec().as_slice()).unwrap()
}
