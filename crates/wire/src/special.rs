//! The parts of special values: objects that a signature gives a meaning of their own.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, PropertyValue, ReferenceId,
    ResourceReference, Urn,
};

use crate::decode::Decoder;
use crate::error::{CodecErrorKind, Coded, Fail};
use crate::options::DecodeOptions;
use crate::reader::{self, Entry, RawValue};
use crate::signature::{self, SIGNATURE_KEY};

/// The entries of an object, values still encoded.
pub(crate) struct Parts<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
}

/// A text inside a special value.
enum Text<'a> {
    Missing,
    Unknown,
    Known(&'a str),
}

/// A reference whose URN hasn't been looked at.
pub(crate) struct RawReference<'a> {
    pub(crate) urn: &'a str,
    /// The id; empty where it is unknown, missing for components.
    pub(crate) id: Option<String>,
    package_version: String,
}

impl RawReference<'_> {
    /// The reference with a proper URN.
    pub(crate) fn parse(self) -> Coded<ResourceReference> {
        let urn = Urn::parse(self.urn)
            .ok_or_else(|| Fail::malformed("resource reference", "the URN has not the form of one"))?;
        let id = self.id.map(|id| if id.is_empty() { ReferenceId::Unknown } else { ReferenceId::Known(id) });
        Ok(ResourceReference { urn, id, package_version: self.package_version })
    }
}

impl<'a> Parts<'a> {
    /// Reads an encoded `Struct`.
    pub(crate) fn read(bytes: &'a [u8]) -> Coded<Parts<'a>> {
        let mut entries = Vec::new();
        reader::each_element(bytes, |bytes| {
            entries.push(reader::entry(bytes)?);
            Ok(())
        })?;
        Ok(Parts { entries })
    }

    /// The encoded value of a part.
    pub(crate) fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.entries.iter().rev().find(|entry| entry.0 == key).map(|entry| entry.1)
    }

    /// What says which kind of special value it is; `None` for ordinary objects.
    pub(crate) fn signature(&self) -> Coded<Option<&'a str>> {
        match self.get(SIGNATURE_KEY).map(reader::value).transpose()? {
            None => Ok(None),
            Some(RawValue::Text(signature)) => Ok(Some(signature)),
            Some(_) => Err(CodecErrorKind::UnknownSignature("(not a text)".to_owned()).into()),
        }
    }

    fn raw(&self, key: &str) -> Coded<Option<RawValue<'a>>> {
        self.get(key).map(reader::value).transpose().map_err(|fail| fail.in_key(key))
    }

    fn text(&self, key: &str, what: &'static str) -> Coded<Text<'a>> {
        match self.raw(key)? {
            None | Some(RawValue::Null) => Ok(Text::Missing),
            Some(RawValue::Text(text)) if signature::is_unknown(text) => Ok(Text::Unknown),
            Some(RawValue::Text(text)) => Ok(Text::Known(text)),
            Some(_) => Err(Fail::malformed(what, "a part that has to be a text isn't one").in_key(key)),
        }
    }

    /// A truth value; false where it is missing.
    pub(crate) fn flag(&self, key: &str, what: &'static str) -> Coded<bool> {
        match self.raw(key)? {
            None | Some(RawValue::Null) => Ok(false),
            Some(RawValue::Bool(value)) => Ok(value),
            Some(_) => {
                Err(Fail::malformed(what, "a part that has to be a truth value isn't one").in_key(key))
            }
        }
    }

    /// A list of URNs; empty where it is missing.
    pub(crate) fn urns(&self, key: &str, what: &'static str) -> Coded<Vec<Urn>> {
        let wrong = || Fail::malformed(what, "a part that has to be a list of URNs isn't one").in_key(key);
        let bytes = match self.raw(key)? {
            None | Some(RawValue::Null) => return Ok(Vec::new()),
            Some(RawValue::List(bytes)) => bytes,
            Some(_) => return Err(wrong()),
        };
        let mut urns = Vec::new();
        reader::each_element(bytes, |bytes| {
            let RawValue::Text(text) = reader::value(bytes)? else { return Err(wrong()) };
            urns.push(Urn::parse(text).ok_or_else(wrong)?);
            Ok(())
        })?;
        Ok(urns)
    }

    /// A byte string; an ordinary text if it turns out to be valid UTF-8.
    pub(crate) fn byte_string(&self) -> Coded<PropertyValue> {
        let what = "byte string";
        let Text::Known(encoded) = self.text("value", what)? else {
            return Err(Fail::malformed(what, "the value is missing"));
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| Fail::malformed(what, "the value is not base64"))?;
        Ok(String::from_utf8(bytes)
            .map_or_else(|error| PropertyValue::Bytes(error.into_bytes()), PropertyValue::String))
    }

    /// A reference to a resource.
    pub(crate) fn reference(&self, depth: usize) -> Coded<RawReference<'a>> {
        let what = "resource reference";
        let Text::Known(urn) = self.text("urn", what)? else {
            return Err(Fail::malformed(what, "the URN is missing"));
        };
        let package_version = match self.text("packageVersion", what)? {
            Text::Known(version) => version.to_owned(),
            _ => String::new(),
        };
        let id = match self.get("id") {
            None => None,
            Some(bytes) => Some(reference_id(bytes, depth).map_err(|fail| fail.in_key("id"))?),
        };
        Ok(RawReference { urn, id, package_version })
    }

    fn source(&self, key: &str, what: &'static str) -> Coded<Text<'a>> {
        Ok(match self.text(key, what)? {
            Text::Known("") => Text::Missing,
            other => other,
        })
    }

    /// The hash, empty where it is missing.
    fn hash(&self, what: &'static str) -> Coded<&'a str> {
        Ok(match self.text("hash", what)? {
            Text::Known(hash) => hash,
            _ => "",
        })
    }

    /// An asset; `None` if where its content comes from is unknown.
    pub(crate) fn asset(&self) -> Coded<Option<Asset>> {
        let what = "asset";
        let hash = self.hash(what)?;
        let path = self.source("path", what)?;
        let uri = self.source("uri", what)?;
        let text = self.text("text", what)?;
        let source = match (path, uri, text) {
            (Text::Unknown, ..) | (_, Text::Unknown, _) | (.., Text::Unknown) => return Ok(None),
            (Text::Known(path), ..) => AssetSource::Path(path.to_owned()),
            (_, Text::Known(uri), _) => AssetSource::Uri(uri.to_owned()),
            (.., Text::Known(text)) => AssetSource::Text(text.to_owned()),
            _ if hash.is_empty() || hash == signature::EMPTY_TEXT_HASH => AssetSource::Text(String::new()),
            _ => AssetSource::Elided,
        };
        Ok(Some(Asset { hash: hash.to_owned(), source }))
    }

    /// An archive; `None` if where its content comes from is unknown, in whole or in part.
    pub(crate) fn archive(&self, depth: usize) -> Coded<Option<Archive>> {
        let what = "archive";
        let depth = depth.checked_sub(1).ok_or(CodecErrorKind::TooDeep)?;
        let hash = self.hash(what)?;
        let source = match (self.source("path", what)?, self.source("uri", what)?) {
            (Text::Unknown, _) | (_, Text::Unknown) => return Ok(None),
            (Text::Known(path), _) => ArchiveSource::Path(path.to_owned()),
            (_, Text::Known(uri)) => ArchiveSource::Uri(uri.to_owned()),
            _ => match self.raw("assets")? {
                Some(RawValue::Object(bytes)) => match members(bytes, depth)? {
                    Some(members) => ArchiveSource::Assets(members),
                    None => return Ok(None),
                },
                Some(RawValue::Text(text)) if signature::is_unknown(text) => return Ok(None),
                None | Some(RawValue::Null) if is_empty_archive(hash) => {
                    ArchiveSource::Assets(BTreeMap::new())
                }
                None | Some(RawValue::Null) => ArchiveSource::Elided,
                Some(_) => return Err(Fail::malformed(what, "the members are no object").in_key("assets")),
            },
        };
        Ok(Some(Archive { hash: hash.to_owned(), source }))
    }
}

fn is_empty_archive(hash: &str) -> bool {
    hash.is_empty() || hash == signature::EMPTY_ARCHIVE_HASH
}

/// The id in a reference: a text, or whatever else a program made of an output.
fn reference_id(bytes: &[u8], depth: usize) -> Coded<String> {
    let value = Decoder { options: &DecodeOptions::FULL }.value(bytes, depth)?;
    match value.as_ref().map(PropertyValue::plain) {
        Some(PropertyValue::String(id)) => Ok(id.clone()),
        Some(PropertyValue::Unknown) => Ok(String::new()),
        _ => Err(Fail::malformed("resource reference", "the id is not a text")),
    }
}

/// The members of an archive; `None` if one of them is unknown.
fn members(bytes: &[u8], depth: usize) -> Coded<Option<BTreeMap<String, AssetOrArchive>>> {
    let mut members = BTreeMap::new();
    for (name, bytes) in Parts::read(bytes)?.entries {
        match member(bytes, depth).map_err(|fail| fail.in_key(name))? {
            Some(member) => drop(members.insert(name.to_owned(), member)),
            None => return Ok(None),
        }
    }
    Ok(Some(members))
}

fn member(bytes: &[u8], depth: usize) -> Coded<Option<AssetOrArchive>> {
    let other = || Fail::malformed("archive", "a member is neither asset nor archive");
    let parts = match reader::value(bytes)? {
        RawValue::Object(bytes) => Parts::read(bytes)?,
        RawValue::Text(text) if signature::is_unknown(text) => return Ok(None),
        _ => return Err(other()),
    };
    match parts.signature()? {
        Some(signature::ASSET) => Ok(parts.asset()?.map(AssetOrArchive::Asset)),
        Some(signature::ARCHIVE) => Ok(parts.archive(depth)?.map(AssetOrArchive::Archive)),
        _ => Err(other()),
    }
}
