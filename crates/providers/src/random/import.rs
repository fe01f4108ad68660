//! Takes over values that exist: what an id given for an import stands for.

use purlin_model::{PropertyMap, PropertyValue};

use super::encode;
use super::generate::Made;
use super::spec::{Resource, Spec};

/// A resource found by an import: what it was made with, its id and what was made. A password's
/// hash is not among it.
pub(super) struct Found {
    pub(super) inputs: PropertyMap,
    pub(super) made: Made,
}

/// Reads the id given for an import. `Err` says what it should look like.
pub(super) fn find(spec: &Spec, id: &str) -> Result<Found, String> {
    let shape = match spec.resource {
        Resource::Bytes => "the bytes in base64",
        Resource::Id => "the bytes in base64 for URLs, or <prefix>,<bytes>",
        Resource::Integer => "<result>,<min>,<max> or <result>,<min>,<max>,<seed>",
        Resource::Uuid | Resource::Uuid4 | Resource::Uuid7 => "a UUID",
        Resource::String | Resource::Password => "the text itself",
        Resource::Pet | Resource::Shuffle => {
            return Err(format!(
                "{} can't be imported: its id doesn't tell what it was made with",
                spec.token
            ));
        }
    };
    parse(spec.resource, id).ok_or_else(|| format!("the id to import a {} must be {shape}", spec.token))
}

fn parse(resource: Resource, id: &str) -> Option<Found> {
    match resource {
        Resource::Bytes => {
            let bytes = encode::from_base64(id)?;
            let inputs = pairs([("length", number(bytes.len() as f64))]);
            Some(found(inputs, id, encode::bytes_outputs(&bytes)))
        }
        Resource::Id => {
            let (prefix, id) = id.rsplit_once(',').unwrap_or(("", id));
            let bytes = encode::from_base64_url(id)?;
            let mut inputs = pairs([("byteLength", number(bytes.len() as f64))]);
            if !prefix.is_empty() {
                inputs.insert("prefix".to_owned(), prefix.into());
            }
            Some(found(inputs, id, encode::id_outputs(&bytes, prefix)))
        }
        Resource::Integer => integer(id),
        Resource::Uuid | Resource::Uuid4 | Resource::Uuid7 => {
            let uuid = encode::normal_uuid(id)?;
            Some(found(PropertyMap::new(), &uuid, pairs([("result", uuid.as_str().into())])))
        }
        Resource::String => Some(found(text_inputs(id), id, pairs([("result", id.into())]))),
        Resource::Password => Some(found(text_inputs(id), "none", pairs([("result", id.into())]))),
        Resource::Pet | Resource::Shuffle => None,
    }
}

fn integer(id: &str) -> Option<Found> {
    let parts: Vec<&str> = id.split(',').collect();
    let (result, min, max, seed) = match parts[..] {
        [result, min, max] => (result, min, max, None),
        [result, min, max, seed] => (result, min, max, Some(seed)),
        _ => return None,
    };
    let parsed = |text: &str| text.parse::<i64>().ok().map(|n| number(n as f64));
    let mut inputs = pairs([("max", parsed(max)?), ("min", parsed(min)?)]);
    if let Some(seed) = seed {
        inputs.insert("seed".to_owned(), seed.into());
    }
    Some(found(inputs, result, pairs([("result", parsed(result)?)])))
}

/// The inputs that an imported text counts as made with. Its length counts bytes, as with the
/// official plugin.
fn text_inputs(text: &str) -> PropertyMap {
    let flags = ["lower", "number", "numeric", "special", "upper"];
    let mut inputs: PropertyMap = flags.map(|name| (name.to_owned(), true.into())).into();
    inputs.insert("length".to_owned(), number(text.len() as f64));
    inputs
}

fn found(inputs: PropertyMap, id: &str, outputs: PropertyMap) -> Found {
    Found { inputs, made: Made { id: id.to_owned(), outputs } }
}

fn number(value: f64) -> PropertyValue {
    PropertyValue::Number(value)
}

fn pairs<const N: usize>(pairs: [(&str, PropertyValue); N]) -> PropertyMap {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}
