//! From the wire to the model.

use purlin_model::{OutputValue, PropertyMap, PropertyValue};

use crate::error::{CodecError, CodecErrorKind, Coded, Fail};
use crate::options::{DecodeOptions, Unknowns};
use crate::raw::{Struct, Value};
use crate::reader::{self, Entry, RawValue};
use crate::signature::{self, SIGNATURE_KEY};
use crate::special::Parts;

/// Decodes a bag of properties.
pub fn decode_map(properties: &Struct, options: &DecodeOptions) -> Result<PropertyMap, CodecError> {
    let mut entries = Vec::with_capacity(properties.entries.len());
    for bytes in &properties.entries {
        let entry = reader::entry(bytes)?;
        if entry.0 == SIGNATURE_KEY {
            return Err(Fail::from(CodecErrorKind::ReservedKey).in_key(entry.0).into());
        }
        entries.push(entry);
    }
    Ok(Decoder { options }.properties(&mut entries, crate::MAX_DEPTH)?)
}

/// Decodes a bag of properties that a message may lack; a missing one is empty.
pub fn decode_optional(
    properties: Option<&Struct>,
    options: &DecodeOptions,
) -> Result<PropertyMap, CodecError> {
    properties.map_or_else(|| Ok(PropertyMap::new()), |properties| decode_map(properties, options))
}

/// Decodes a value. The answer is `None` for an unknown one that isn't kept.
pub fn decode_value(value: &Value, options: &DecodeOptions) -> Result<Option<PropertyValue>, CodecError> {
    Ok(Decoder { options }.value(&value.fields, crate::MAX_DEPTH)?)
}

/// Reads values. Methods answer with `None` for what is to be left out.
#[derive(Clone, Copy)]
pub(crate) struct Decoder<'a> {
    pub(crate) options: &'a DecodeOptions,
}

impl Decoder<'_> {
    /// Maps come in any order; sorted first, each property is appended. Of equal keys the last
    /// counts.
    fn properties(self, entries: &mut [Entry<'_>], depth: usize) -> Coded<PropertyMap> {
        entries.sort_by_key(|entry| entry.0);
        let mut map = PropertyMap::with_capacity(entries.len());
        for (key, bytes) in entries {
            match self.value(bytes, depth).map_err(|fail| fail.in_key(key))? {
                Some(value) => map.insert((*key).to_owned(), value),
                None => map.remove(key),
            };
        }
        Ok(map)
    }

    pub(crate) fn value(self, bytes: &[u8], depth: usize) -> Coded<Option<PropertyValue>> {
        let depth = depth.checked_sub(1).ok_or(CodecErrorKind::TooDeep)?;
        Ok(Some(match reader::value(bytes)? {
            RawValue::Null => PropertyValue::Null,
            RawValue::Bool(value) => PropertyValue::Bool(value),
            RawValue::Number(value) => PropertyValue::Number(value),
            RawValue::Text(text) if signature::is_unknown(text) => return self.unknown(),
            RawValue::Text(text) => PropertyValue::String(text.to_owned()),
            RawValue::List(bytes) => self.list(bytes, depth)?,
            RawValue::Object(bytes) => return self.object(bytes, depth),
        }))
    }

    /// What becomes of an unknown value.
    pub(crate) fn unknown(self) -> Coded<Option<PropertyValue>> {
        match self.options.unknowns {
            Unknowns::Keep if self.upgrades() => Ok(Some(output(None, false, Vec::new()))),
            Unknowns::Keep => Ok(Some(PropertyValue::Unknown)),
            Unknowns::Drop => Ok(None),
            Unknowns::Reject => Err(CodecErrorKind::UnexpectedUnknown.into()),
        }
    }

    fn upgrades(self) -> bool {
        self.options.keep_outputs && self.options.upgrade_to_outputs
    }

    fn list(self, bytes: &[u8], depth: usize) -> Coded<PropertyValue> {
        let mut items = Vec::new();
        let mut index = 0;
        reader::each_element(bytes, |bytes| {
            items.extend(self.value(bytes, depth).map_err(|fail| fail.in_index(index))?);
            index += 1;
            Ok(())
        })?;
        Ok(PropertyValue::Array(items))
    }

    fn object(self, bytes: &[u8], depth: usize) -> Coded<Option<PropertyValue>> {
        let parts = Parts::read(bytes)?;
        match parts.signature()? {
            None => self.plain_object(&parts, depth).map(Some),
            Some(signature::SECRET) => self.secret(&parts, depth),
            Some(signature::OUTPUT) => self.output(&parts, depth),
            Some(signature) => self.leaf(signature, &parts, depth),
        }
    }

    fn plain_object(self, parts: &Parts<'_>, depth: usize) -> Coded<PropertyValue> {
        let mut entries = parts.entries.clone();
        Ok(PropertyValue::Object(self.properties(&mut entries, depth)?))
    }

    /// A special value that doesn't wrap another.
    fn leaf(self, signature: &str, parts: &Parts<'_>, depth: usize) -> Coded<Option<PropertyValue>> {
        match signature {
            signature::REFERENCE => self.reference(parts, depth),
            signature::BYTES => parts.byte_string().map(Some),
            signature::ASSET => match parts.asset()? {
                Some(asset) => Ok(Some(PropertyValue::Asset(asset))),
                None => self.unknown(),
            },
            signature::ARCHIVE => match parts.archive(depth)? {
                Some(archive) => Ok(Some(PropertyValue::Archive(archive))),
                None => self.unknown(),
            },
            other => Err(CodecErrorKind::UnknownSignature(other.chars().take(64).collect()).into()),
        }
    }

    fn secret(self, parts: &Parts<'_>, depth: usize) -> Coded<Option<PropertyValue>> {
        let value = parts.get("value").ok_or_else(|| Fail::malformed("secret", "the value is missing"))?;
        Ok(self.value(value, depth)?.map(|value| self.mark_secret(value)))
    }

    fn mark_secret(self, value: PropertyValue) -> PropertyValue {
        if !self.options.keep_secrets {
            value
        } else if !self.upgrades() {
            PropertyValue::Secret(Box::new(value))
        } else if let PropertyValue::Output(mut output) = value {
            output.secret = true;
            PropertyValue::Output(output)
        } else {
            output(Some(value), true, Vec::new())
        }
    }

    fn output(self, parts: &Parts<'_>, depth: usize) -> Coded<Option<PropertyValue>> {
        let value = match parts.get("value") {
            Some(bytes) => self.value(bytes, depth)?,
            None => self.unknown()?,
        };
        value.map(|value| self.mark_output(value, parts)).transpose()
    }

    fn mark_output(self, value: PropertyValue, parts: &Parts<'_>) -> Coded<PropertyValue> {
        let secret = self.options.keep_secrets && parts.flag("secret", "output value")?;
        if !self.options.keep_outputs {
            return Ok(if secret && !matches!(value, PropertyValue::Secret(_)) {
                self.mark_secret(value)
            } else {
                value
            });
        }
        let mut dependencies = parts.urns("dependencies", "output value")?;
        let (value, secret) = match value {
            PropertyValue::Output(inner) if self.upgrades() => {
                dependencies.extend(inner.dependencies);
                (inner.value, secret || inner.secret)
            }
            PropertyValue::Unknown => (None, secret),
            value => (Some(value), secret),
        };
        dependencies.sort();
        dependencies.dedup();
        Ok(output(value, secret, dependencies))
    }

    fn reference(self, parts: &Parts<'_>, depth: usize) -> Coded<Option<PropertyValue>> {
        let reference = parts.reference(depth)?;
        if self.options.keep_resources {
            return Ok(Some(PropertyValue::Reference(reference.parse()?)));
        }
        match reference.id {
            None => Ok(Some(PropertyValue::text(reference.urn))),
            Some(id) if id.is_empty() => self.unknown(),
            Some(id) => Ok(Some(PropertyValue::String(id))),
        }
    }
}

fn output(value: Option<PropertyValue>, secret: bool, dependencies: Vec<purlin_model::Urn>) -> PropertyValue {
    PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies }))
}
