//! Property values as plain JSON, for `stack output` and its like.

use purlin_model::{ArchiveSource, AssetOrArchive, AssetSource, PropertyValue, ReferenceId};
use serde_json::{Map, Value, json};

/// A value as JSON. Secrets appear in clear: whoever must hide them does so before.
pub(crate) fn to_json(value: &PropertyValue) -> Value {
    match value {
        PropertyValue::Null => Value::Null,
        PropertyValue::Bool(b) => (*b).into(),
        PropertyValue::Number(n) => number(*n),
        PropertyValue::String(text) => text.as_str().into(),
        PropertyValue::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        PropertyValue::Array(items) => items.iter().map(to_json).collect(),
        PropertyValue::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), to_json(v))).collect::<Map<_, _>>())
        }
        PropertyValue::Secret(inner) => to_json(inner),
        PropertyValue::Unknown => purlin_model::UNKNOWN_ID.into(),
        PropertyValue::Output(output) => output.value.as_ref().map_or(Value::Null, to_json),
        PropertyValue::Asset(asset) => asset_json(&asset.hash, &asset.source),
        PropertyValue::Archive(archive) => archive_json(&archive.hash, &archive.source),
        PropertyValue::Reference(reference) => match &reference.id {
            Some(ReferenceId::Known(id)) if !id.is_empty() => id.as_str().into(),
            _ => reference.urn.as_str().into(),
        },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 9e15 { (n as i64).into() } else { json!(n) }
}

fn asset_json(hash: &str, source: &AssetSource) -> Value {
    match source {
        AssetSource::Elided => json!({ "hash": hash }),
        AssetSource::Text(text) => json!({ "hash": hash, "text": text }),
        AssetSource::Path(path) => json!({ "hash": hash, "path": path }),
        AssetSource::Uri(uri) => json!({ "hash": hash, "uri": uri }),
    }
}

fn archive_json(hash: &str, source: &ArchiveSource) -> Value {
    match source {
        ArchiveSource::Elided => json!({ "hash": hash }),
        ArchiveSource::Path(path) => json!({ "hash": hash, "path": path }),
        ArchiveSource::Uri(uri) => json!({ "hash": hash, "uri": uri }),
        ArchiveSource::Assets(members) => {
            let members: Map<String, Value> = members
                .iter()
                .map(|(name, member)| {
                    let value = match member {
                        AssetOrArchive::Asset(a) => asset_json(&a.hash, &a.source),
                        AssetOrArchive::Archive(a) => archive_json(&a.hash, &a.source),
                    };
                    (name.clone(), value)
                })
                .collect();
            json!({ "hash": hash, "assets": members })
        }
    }
}

/// A value as a person reads it: texts without quotes, the rest as JSON.
pub(crate) fn shown(value: &PropertyValue) -> String {
    match value {
        PropertyValue::String(text) => text.clone(),
        other => to_json(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_fraction() {
        let value = PropertyValue::Array(vec![1.0.into(), 1.5.into(), (-3.0).into()]);
        assert_eq!(shown(&value), "[1,1.5,-3]");
    }
}
