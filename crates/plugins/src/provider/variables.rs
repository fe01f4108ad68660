//! The older form of a provider's configuration: one text for each key.

use std::collections::BTreeMap;

use purlin_model::{AssetSource, PropertyMap, PropertyValue, ReferenceId};
use serde_json::{Map, Number, Value};

/// The variables of a configuration, by `<package>:config:<key>`: texts as they are, everything else
/// as JSON, secrets in clear. The plugin's version is no part of it.
pub(super) fn variables(package: &str, inputs: &PropertyMap) -> BTreeMap<String, String> {
    let pairs = inputs.iter().filter(|(key, _)| *key != "version");
    pairs
        .map(|(key, value)| {
            let text = match json(value) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (format!("{package}:config:{key}"), text)
        })
        .collect()
}

fn json(value: &PropertyValue) -> Value {
    match value.plain() {
        PropertyValue::Bool(truth) => Value::Bool(*truth),
        PropertyValue::Number(number) => json_number(*number),
        PropertyValue::String(text) => Value::String(text.clone()),
        PropertyValue::Bytes(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        PropertyValue::Array(items) => Value::Array(items.iter().map(json).collect()),
        PropertyValue::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), json(value))).collect::<Map<_, _>>())
        }
        PropertyValue::Asset(asset) => match &asset.source {
            AssetSource::Text(text) => Value::String(text.clone()),
            AssetSource::Path(place) | AssetSource::Uri(place) => Value::String(place.clone()),
            AssetSource::Elided => Value::Null,
        },
        PropertyValue::Reference(reference) => Value::String(match &reference.id {
            Some(ReferenceId::Known(id)) => id.clone(),
            _ => reference.urn.to_string(),
        }),
        // Secrets and outputs are looked through above; a configuration with unknowns isn't sent.
        PropertyValue::Null
        | PropertyValue::Archive(_)
        | PropertyValue::Secret(_)
        | PropertyValue::Output(_)
        | PropertyValue::Unknown => Value::Null,
    }
}

/// A number as JSON: whole numbers without a decimal point.
fn json_number(number: f64) -> Value {
    /// Up to here floats hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Value::Number(Number::from(number as i64));
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_and_everything_else_is_json() {
        let inputs = PropertyMap::from([
            ("version".into(), "1.2.3".into()),
            ("region".into(), PropertyValue::from("eu").into_secret()),
            ("count".into(), 5.0.into()),
            ("ratio".into(), 0.5.into()),
            ("on".into(), true.into()),
            ("tags".into(), PropertyMap::from([("a".into(), PropertyValue::from("x").into_secret())]).into()),
            ("list".into(), PropertyValue::Array(vec![1.0.into(), PropertyValue::Null])),
        ]);
        let found = variables("aws", &inputs);
        let expected = [
            ("aws:config:count", "5"),
            ("aws:config:list", "[1,null]"),
            ("aws:config:on", "true"),
            ("aws:config:ratio", "0.5"),
            ("aws:config:region", "eu"),
            ("aws:config:tags", r#"{"a":"x"}"#),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
