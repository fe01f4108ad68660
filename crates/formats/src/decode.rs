//! Bags from JSON text to property values.
//!
//! Decoding takes two phases, since decryption may take a while and is best done in one batch: the
//! first parses and gathers the ciphertexts, the second puts the plaintexts in their places.

use std::cell::RefCell;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyMap, PropertyValue, ReferenceId,
    ResourceReference, UNKNOWN_ID, Urn,
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::signature;

/// How the text of a secret is given.
#[derive(Clone, PartialEq)]
pub(crate) enum SecretText {
    /// Encrypted.
    Cipher(String),
    /// In clear, as the JSON text of the value.
    Plain(String),
}

/// A value, parsed, whose secrets wait for their plaintexts.
pub struct ValueDecoder {
    // Every secret in it holds the number of its text and nothing else.
    value: PropertyValue,
    secrets: Vec<SecretText>,
}

impl ValueDecoder {
    /// Parses the JSON text of a value.
    pub fn new(text: &str) -> Result<Self, Diagnostic> {
        let secrets = RefCell::new(Vec::new());
        let mut parser = serde_json::Deserializer::from_str(text);
        let value = ValueSeed(&secrets).deserialize(&mut parser).map_err(malformed)?;
        parser.end().map_err(malformed)?;
        Ok(ValueDecoder { value, secrets: secrets.into_inner() })
    }

    /// The ciphertexts to decrypt, in order.
    pub fn ciphertexts(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter_map(|secret| match secret {
            SecretText::Cipher(text) => Some(text.as_str()),
            SecretText::Plain(_) => None,
        })
    }

    /// Whether there is any secret at all.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The value, its secrets filled in from the plaintexts of [`ValueDecoder::ciphertexts`].
    pub fn finish<T: AsRef<str>>(self, plaintexts: &[T]) -> Result<PropertyValue, Diagnostic> {
        if self.secrets.is_empty() {
            return Ok(self.value);
        }
        let mut given = plaintexts.iter();
        let mut values = Vec::with_capacity(self.secrets.len());
        for secret in &self.secrets {
            let value = match secret {
                SecretText::Plain(text) => open_nested(text)?,
                SecretText::Cipher(_) => open_nested(given.next().ok_or_else(miscounted)?.as_ref())?,
            };
            values.push(Some(value));
        }
        if given.next().is_some() {
            return Err(miscounted());
        }
        let mut value = self.value;
        fill(&mut value, &mut values);
        Ok(value)
    }

    /// The value with its secrets left empty, to show or to compare shapes.
    pub fn without_plaintexts(&self) -> &PropertyValue {
        &self.value
    }

    /// The ciphertext behind a secret of [`ValueDecoder::without_plaintexts`].
    pub(crate) fn ciphertext_of(&self, secret: &PropertyValue) -> Option<&str> {
        match self.secrets.get(slot_of(secret)?)? {
            SecretText::Cipher(text) => Some(text),
            SecretText::Plain(_) => None,
        }
    }
}

/// A bag, parsed, whose secrets wait for their plaintexts.
pub struct BagDecoder(ValueDecoder);

impl BagDecoder {
    /// Parses the JSON text of an object of properties.
    pub fn new(text: &str) -> Result<Self, Diagnostic> {
        let decoder = ValueDecoder::new(text)?;
        match decoder.value {
            PropertyValue::Object(_) => Ok(BagDecoder(decoder)),
            _ => Err(Diagnostic::error("bag-malformed", "the properties of a resource are not an object")),
        }
    }

    /// The ciphertexts to decrypt, in order.
    pub fn ciphertexts(&self) -> impl Iterator<Item = &str> {
        self.0.ciphertexts()
    }

    /// Whether there is any secret at all.
    pub fn has_secrets(&self) -> bool {
        self.0.has_secrets()
    }

    /// The properties, their secrets filled in from the plaintexts of [`BagDecoder::ciphertexts`].
    pub fn finish<T: AsRef<str>>(self, plaintexts: &[T]) -> Result<PropertyMap, Diagnostic> {
        match self.0.finish(plaintexts)? {
            PropertyValue::Object(map) => Ok(map),
            _ => Err(miscounted()),
        }
    }

    pub(crate) fn value(&self) -> &ValueDecoder {
        &self.0
    }
}

/// Decodes the plaintext of a secret; secrets in it are marked but not encrypted again.
fn open_nested(plaintext: &str) -> Result<PropertyValue, Diagnostic> {
    let decoder = ValueDecoder::new(plaintext)
        // The plaintext must not show up in the message.
        .map_err(|_| Diagnostic::error("secret-malformed", "a decrypted secret is not valid JSON"))?;
    let inner: Vec<String> = decoder.ciphertexts().map(str::to_owned).collect();
    decoder.finish(&inner)
}

fn miscounted() -> Diagnostic {
    Diagnostic::error(
        "secret-miscounted",
        "the secrets manager returned another number of texts than it was given",
    )
}

fn malformed(error: serde_json::Error) -> Diagnostic {
    let (code, what) = if error.to_string().starts_with("recursion limit") {
        ("bag-too-deep", "properties are nested too deeply")
    } else {
        ("bag-malformed", "properties can't be decoded")
    };
    Diagnostic::error(code, format!("{what}: {error}"))
}

/// The number of the text that a secret waits for.
fn slot_of(secret: &PropertyValue) -> Option<usize> {
    match secret {
        PropertyValue::Secret(inner) => match **inner {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made from an index")]
            PropertyValue::Number(slot) => Some(slot as usize),
            _ => None,
        },
        _ => None,
    }
}

fn fill(value: &mut PropertyValue, values: &mut [Option<PropertyValue>]) {
    match value {
        PropertyValue::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        PropertyValue::Object(map) => map.values_mut().for_each(|item| fill(item, values)),
        PropertyValue::Secret(_) => {
            let found = slot_of(value).and_then(|slot| values.get_mut(slot)).and_then(Option::take);
            if let (PropertyValue::Secret(inner), Some(found)) = (value, found) {
                **inner = found;
            }
        }
        _ => {}
    }
}

#[derive(Clone, Copy)]
struct ValueSeed<'c>(&'c RefCell<Vec<SecretText>>);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = PropertyValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PropertyValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = PropertyValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property value")
    }

    fn visit_unit<E>(self) -> Result<PropertyValue, E> {
        Ok(PropertyValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<PropertyValue, E> {
        Ok(PropertyValue::Bool(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "the protocol knows floats only")]
    fn visit_i64<E>(self, value: i64) -> Result<PropertyValue, E> {
        Ok(PropertyValue::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "the protocol knows floats only")]
    fn visit_u64<E>(self, value: u64) -> Result<PropertyValue, E> {
        Ok(PropertyValue::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<PropertyValue, E> {
        Ok(PropertyValue::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<PropertyValue, E> {
        Ok(if value == UNKNOWN_ID { PropertyValue::Unknown } else { PropertyValue::String(value.to_owned()) })
    }

    fn visit_string<E>(self, value: String) -> Result<PropertyValue, E> {
        Ok(if value == UNKNOWN_ID { PropertyValue::Unknown } else { PropertyValue::String(value) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PropertyValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(PropertyValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<PropertyValue, A::Error> {
        let mut map = PropertyMap::new();
        while let Some(key) = access.next_key::<String>()? {
            map.insert(key, access.next_value_seed(self)?);
        }
        if map.contains_key(signature::KEY) {
            return marked(map, self.0).map_err(A::Error::custom);
        }
        Ok(PropertyValue::Object(map))
    }
}

/// What an object with a mark stands for.
fn marked(mut map: PropertyMap, secrets: &RefCell<Vec<SecretText>>) -> Result<PropertyValue, String> {
    let mark = match map.remove(signature::KEY) {
        Some(PropertyValue::String(mark)) => mark,
        _ => return Err("the signature of an object is not a text".into()),
    };
    match mark.as_str() {
        signature::SECRET => {
            let text = match (map.remove("ciphertext"), map.remove("plaintext")) {
                (Some(PropertyValue::String(text)), None) if !text.is_empty() => SecretText::Cipher(text),
                (None, Some(PropertyValue::String(text))) if !text.is_empty() => SecretText::Plain(text),
                _ => return Err("a secret must have either a ciphertext or a plaintext".into()),
            };
            let mut secrets = secrets.borrow_mut();
            #[allow(clippy::cast_precision_loss, reason = "there are never that many")]
            let slot = secrets.len() as f64;
            secrets.push(text);
            Ok(PropertyValue::Secret(Box::new(PropertyValue::Number(slot))))
        }
        signature::ASSET => asset(map).map(PropertyValue::Asset),
        signature::ARCHIVE => archive(map).map(PropertyValue::Archive),
        signature::REFERENCE => reference(map).map(PropertyValue::Reference),
        signature::BYTES => {
            let text = required_text(&mut map, "value", "a byte string")?;
            let bytes =
                STANDARD.decode(&text).map_err(|e| format!("a byte string is not valid base64: {e}"))?;
            Ok(match String::from_utf8(bytes) {
                Ok(text) => PropertyValue::String(text),
                Err(error) => PropertyValue::Bytes(error.into_bytes()),
            })
        }
        signature::FLOAT => {
            let text = required_text(&mut map, "value", "a special number")?;
            let bits = u64::from_str_radix(&text, 16)
                .map_err(|_| "a special number is not given by hexadecimal digits".to_owned())?;
            Ok(PropertyValue::Number(f64::from_bits(bits)))
        }
        other => Err(format!("an object has the unknown signature '{other}'")),
    }
}

fn required_text(map: &mut PropertyMap, key: &str, of: &str) -> Result<String, String> {
    match map.remove(key) {
        Some(PropertyValue::String(text)) => Ok(text),
        _ => Err(format!("{of} lacks its {key}")),
    }
}

/// A text that may be missing; an unknown-value mark in it is a text like any other.
fn optional_text(map: &mut PropertyMap, key: &str, of: &str) -> Result<String, String> {
    match map.remove(key) {
        None | Some(PropertyValue::Null) => Ok(String::new()),
        Some(PropertyValue::String(text)) => Ok(text),
        Some(PropertyValue::Unknown) => Ok(UNKNOWN_ID.to_owned()),
        Some(_) => Err(format!("the {key} of {of} is not a text")),
    }
}

fn asset(mut map: PropertyMap) -> Result<Asset, String> {
    let mut field = |key| optional_text(&mut map, key, "an asset");
    let (hash, text, path, uri) = (field("hash")?, field("text")?, field("path")?, field("uri")?);
    let source = if !path.is_empty() {
        AssetSource::Path(path)
    } else if !uri.is_empty() {
        AssetSource::Uri(uri)
    } else if !text.is_empty() || hash.is_empty() || hash == signature::HASH_OF_NOTHING {
        AssetSource::Text(text)
    } else {
        AssetSource::Elided
    };
    Ok(Asset { hash, source })
}

fn archive(mut map: PropertyMap) -> Result<Archive, String> {
    let mut field = |key| optional_text(&mut map, key, "an archive");
    let (hash, path, uri) = (field("hash")?, field("path")?, field("uri")?);
    let source = if !path.is_empty() {
        ArchiveSource::Path(path)
    } else if !uri.is_empty() {
        ArchiveSource::Uri(uri)
    } else {
        match map.remove("assets") {
            Some(PropertyValue::Object(members)) => ArchiveSource::Assets(
                members
                    .into_iter()
                    .map(|(name, member)| match member {
                        PropertyValue::Asset(asset) => Ok((name, AssetOrArchive::Asset(asset))),
                        PropertyValue::Archive(archive) => Ok((name, AssetOrArchive::Archive(archive))),
                        _ => Err(format!("the member '{name}' of an archive is neither asset nor archive")),
                    })
                    .collect::<Result<_, _>>()?,
            ),
            None if !hash.is_empty() => ArchiveSource::Elided,
            None => ArchiveSource::Assets(Default::default()),
            Some(_) => return Err("the members of an archive are not an object".into()),
        }
    };
    Ok(Archive { hash, source })
}

fn reference(mut map: PropertyMap) -> Result<ResourceReference, String> {
    let urn = required_text(&mut map, "urn", "a resource reference")?;
    let urn = Urn::parse(&urn).ok_or_else(|| format!("a resource reference has the invalid URN '{urn}'"))?;
    let package_version = optional_text(&mut map, "packageVersion", "a resource reference")?;
    let known = |id: String| match id.is_empty() {
        true => ReferenceId::Unknown,
        false => ReferenceId::Known(id),
    };
    let id = match map.remove("id") {
        None => None,
        Some(PropertyValue::String(id)) => Some(known(id)),
        Some(PropertyValue::Unknown) => Some(ReferenceId::Unknown),
        // Some old versions wrote their own inner structure of the id.
        Some(PropertyValue::Object(mut wrapped)) => match wrapped.remove("V") {
            None | Some(PropertyValue::Null) => None,
            Some(PropertyValue::String(id)) => Some(known(id)),
            Some(PropertyValue::Object(_) | PropertyValue::Unknown) => Some(ReferenceId::Unknown),
            Some(_) => return Err("the id of a resource reference is not a text".into()),
        },
        Some(_) => return Err("the id of a resource reference is not a text".into()),
    };
    Ok(ResourceReference { urn, id, package_version })
}
