//! Between JSON and the properties that travel on the wire.

use purlin_model::{PropertyMap, PropertyValue};
use serde_json::{Map, Value};

/// The JSON value of a plain property. What has no form in JSON becomes null.
pub(crate) fn to_json(value: &PropertyValue) -> Value {
    match value.plain() {
        PropertyValue::Bool(b) => Value::Bool(*b),
        PropertyValue::Number(n) => number(*n),
        PropertyValue::String(text) => Value::String(text.clone()),
        PropertyValue::Array(items) => Value::Array(items.iter().map(to_json).collect()),
        PropertyValue::Object(map) => Value::Object(object(map)),
        _ => Value::Null,
    }
}

/// A JSON object of plain properties.
pub(crate) fn object(map: &PropertyMap) -> Map<String, Value> {
    map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()
}

/// Whole numbers are written without a fraction: schemas tell integers from others by it.
#[expect(clippy::cast_possible_truncation, reason = "only whole numbers that fit")]
fn number(n: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if n.fract() == 0.0 && n.abs() < EXACT { Value::from(n as i64) } else { Value::from(n) }
}

/// The property of a JSON value.
pub(crate) fn to_property(value: &Value) -> PropertyValue {
    match value {
        Value::Null => PropertyValue::Null,
        Value::Bool(b) => PropertyValue::Bool(*b),
        Value::Number(n) => PropertyValue::Number(n.as_f64().unwrap_or_default()),
        Value::String(text) => PropertyValue::String(text.clone()),
        Value::Array(items) => PropertyValue::Array(items.iter().map(to_property).collect()),
        Value::Object(map) => PropertyValue::Object(properties(map)),
    }
}

/// The properties of a JSON object.
pub(crate) fn properties(map: &Map<String, Value>) -> PropertyMap {
    map.iter().map(|(key, value)| (key.clone(), to_property(value))).collect()
}
