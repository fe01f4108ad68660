//! The inputs of a resource as its state will have them: of the right kind, with what counts
//! where nothing is given.

use purlin_model::{PropertyMap, PropertyValue};

use super::spec::{Fallback, Input, Kind, Spec};

/// The value of an input as the outputs will have it; `None` where there is none. Secrets stay
/// secret; in lists the whole list becomes it.
pub(super) fn planned(input: &Input, news: &PropertyMap) -> Result<Option<PropertyValue>, String> {
    match news.get(input.name) {
        Some(value) if *value.plain() != PropertyValue::Null => convert(input.kind, value).map(Some),
        _ => fallback(input, news),
    }
}

fn fallback(input: &Input, news: &PropertyMap) -> Result<Option<PropertyValue>, String> {
    Ok(match input.fallback {
        Fallback::Required | Fallback::Absent => None,
        Fallback::Integer(number) => Some(PropertyValue::Number(number as f64)),
        Fallback::Flag(flag) => Some(flag.into()),
        Fallback::Text(text) => Some(text.into()),
        Fallback::Numeric => {
            let other = if input.name == "number" { "numeric" } else { "number" };
            match news.get(other) {
                Some(value) if *value.plain() != PropertyValue::Null => Some(convert(input.kind, value)?),
                _ => Some(true.into()),
            }
        }
    })
}

/// All inputs as the outputs will have them. Inputs were checked before; what can't be converted
/// is said by the name of the input.
pub(super) fn planned_all(spec: &Spec, news: &PropertyMap) -> Result<PropertyMap, String> {
    let mut map = PropertyMap::new();
    for input in spec.inputs {
        let value = planned(input, news).map_err(|reason| format!("property \"{}\" {reason}", input.name))?;
        if let Some(value) = value {
            map.insert(input.name.to_owned(), value);
        }
    }
    Ok(map)
}

/// A value in the kind that an input has.
fn convert(kind: Kind, value: &PropertyValue) -> Result<PropertyValue, String> {
    if let PropertyValue::Secret(inner) = value {
        return convert(kind, inner).map(PropertyValue::into_secret);
    }
    let plain = value.plain();
    if *plain == PropertyValue::Unknown {
        return Ok(PropertyValue::Unknown);
    }
    match (kind, plain) {
        (Kind::Integer { least, most }, _) => whole_number(plain, least, most),
        (Kind::Flag, PropertyValue::Bool(_)) => Ok(plain.clone()),
        (Kind::Flag, _) => Err(format!("must be true or false, not {}", described(plain))),
        (Kind::Text, _) => text(plain),
        (Kind::TextMap, PropertyValue::Object(map)) => {
            let entry = |(key, value): (&String, &PropertyValue)| match element(value) {
                Ok(value) => Ok((key.clone(), value)),
                Err(reason) => Err(format!("must hold texts only: \"{key}\" {reason}")),
            };
            map.iter().map(entry).collect::<Result<PropertyMap, _>>().map(PropertyValue::Object)
        }
        (Kind::TextMap, _) => Err(format!("must be an object, not {}", described(plain))),
        (Kind::TextList, PropertyValue::Array(items)) => {
            let secret = items.iter().any(PropertyValue::contains_secrets);
            let items: Result<Vec<_>, _> = items.iter().map(|item| element(item.plain())).collect();
            let list = PropertyValue::Array(items.map_err(|r| format!("must hold texts only: one {r}"))?);
            Ok(if secret { list.into_secret() } else { list })
        }
        (Kind::TextList, _) => Err(format!("must be a list, not {}", described(plain))),
    }
}

/// An element of a list or a map: a text or nothing.
fn element(value: &PropertyValue) -> Result<PropertyValue, String> {
    match value {
        PropertyValue::Secret(inner) => element(inner).map(PropertyValue::into_secret),
        PropertyValue::Null => Ok(PropertyValue::Null),
        other => text(other.plain()),
    }
}

fn text(value: &PropertyValue) -> Result<PropertyValue, String> {
    Ok(match value {
        PropertyValue::String(_) | PropertyValue::Unknown => value.clone(),
        PropertyValue::Number(number) => PropertyValue::String(number.to_string()),
        PropertyValue::Bool(flag) => PropertyValue::String(flag.to_string()),
        other => return Err(format!("must be a text, not {}", described(other))),
    })
}

fn whole_number(value: &PropertyValue, least: i64, most: i64) -> Result<PropertyValue, String> {
    let number = match value {
        PropertyValue::Number(number) => *number,
        PropertyValue::String(text) => match text.parse::<f64>() {
            Ok(number) => number,
            Err(_) => return Err("must be a number, not a text".to_owned()),
        },
        other => return Err(format!("must be a number, not {}", described(other))),
    };
    if number.fract() != 0.0 || !number.is_finite() || number.abs() > i64::MAX as f64 {
        return Err(format!("must be a whole number, got {number}"));
    }
    if number < least as f64 {
        return Err(format!("must be at least {least}, got {number}"));
    }
    if number > most as f64 {
        return Err(format!("must be at most {most}, got {number}"));
    }
    Ok(PropertyValue::Number(number))
}

/// What a value is, for messages. Never shows the value, which may be secret.
fn described(value: &PropertyValue) -> &'static str {
    match value {
        PropertyValue::Null => "nothing",
        PropertyValue::Bool(_) => "a truth value",
        PropertyValue::Number(_) => "a number",
        PropertyValue::String(_) => "a text",
        PropertyValue::Array(_) => "a list",
        PropertyValue::Object(_) => "an object",
        _ => "something else",
    }
}

/// The whole number of a planned value; `None` while it isn't known.
pub(super) fn as_integer(map: &PropertyMap, name: &str) -> Option<i64> {
    match map.get(name)?.plain() {
        PropertyValue::Number(number) => Some(*number as i64),
        _ => None,
    }
}

/// The truth value of a planned value; `None` while it isn't known.
pub(super) fn as_flag(map: &PropertyMap, name: &str) -> Option<bool> {
    match map.get(name)?.plain() {
        PropertyValue::Bool(flag) => Some(*flag),
        _ => None,
    }
}

/// The text of a planned value; empty where there is none.
pub(super) fn as_text<'a>(map: &'a PropertyMap, name: &str) -> &'a str {
    map.get(name).and_then(PropertyValue::as_str).unwrap_or_default()
}
