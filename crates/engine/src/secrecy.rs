//! Outputs that are secrets because of what the program said.

use purlin_model::{PropertyMap, PropertyValue};

/// The outputs that have to become secret: those that the program asked for, and those that may
/// give away an input that is a secret.
fn to_be_secret(outputs: &PropertyMap, keys: &[String], inputs: &PropertyMap) -> Vec<String> {
    let secret = |value: &PropertyValue| matches!(value, PropertyValue::Secret(_));
    let asked = |key: &String| keys.contains(key);
    let clear = outputs.iter().filter(|(_, value)| !secret(value));
    clear
        .filter(|(key, _)| asked(key) || inputs.get(key).is_some_and(secret))
        .map(|(key, _)| key.clone())
        .collect()
}

/// Makes them secret.
pub(crate) fn mark_secrets(outputs: &mut PropertyMap, keys: &[String], inputs: &PropertyMap) {
    for key in to_be_secret(outputs, keys, inputs) {
        if let Some(value) = outputs.remove(&key) {
            outputs.insert(key, value.into_secret());
        }
    }
}

/// What was read, with secrets where what is wanted has them: a provider may not know about those.
pub(crate) fn as_secret_as(read: PropertyMap, wanted: &PropertyMap) -> PropertyMap {
    let secret = |key: &String| wanted.get(key).is_some_and(PropertyValue::contains_secrets);
    let mark = |(key, value): (String, PropertyValue)| {
        let value = if secret(&key) { value.into_secret() } else { value };
        (key, value)
    };
    read.into_iter().map(mark).collect()
}
