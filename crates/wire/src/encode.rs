//! From the model to the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_model::value::is_internal_key;
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyMap, PropertyValue,
    ReferenceId, ResourceReference,
};

use crate::buffer::Buffer;
use crate::error::{CodecError, CodecErrorKind, Coded, Fail};
use crate::options::EncodeOptions;
use crate::raw::{Struct, Value};
use crate::signature::{self, SIGNATURE_KEY};

/// Encodes a bag of properties. Properties that come to nothing (unknowns that aren't kept) are
/// left out.
pub fn encode_map(map: &PropertyMap, options: &EncodeOptions) -> Result<Struct, CodecError> {
    let mut encoder = Encoder { out: Buffer::new(), options };
    let mut bounds = Vec::with_capacity(map.len());
    for (key, value) in map.iter().rev() {
        if options.skip_internal_keys && is_internal_key(key) {
            continue;
        }
        let mark = encoder.out.mark();
        if encoder.property(key, value, crate::MAX_DEPTH)? {
            encoder.out.name(mark, key);
            bounds.push((mark, encoder.out.mark()));
        }
    }
    let all = encoder.out.finish();
    let entries = bounds.into_iter().rev().map(|(earlier, later)| all.between(earlier, later)).collect();
    Ok(Struct { entries })
}

/// Encodes a value. The answer is `None` for an unknown one that isn't kept.
pub fn encode_value(value: &PropertyValue, options: &EncodeOptions) -> Result<Option<Value>, CodecError> {
    let mut encoder = Encoder { out: Buffer::new(), options };
    let written = encoder.value(value, crate::MAX_DEPTH)?;
    Ok(written.then(|| Value { fields: encoder.out.finish().all().to_vec() }))
}

/// Writes values, the last part first. Methods that answer with a truth value say whether they
/// wrote anything.
struct Encoder<'a> {
    out: Buffer,
    options: &'a EncodeOptions,
}

impl Encoder<'_> {
    fn property(&mut self, key: &str, value: &PropertyValue, depth: usize) -> Coded<bool> {
        if key == SIGNATURE_KEY {
            return Err(Fail::from(CodecErrorKind::ReservedKey).in_key(key));
        }
        self.value(value, depth).map_err(|fail| fail.in_key(key))
    }

    fn value(&mut self, value: &PropertyValue, depth: usize) -> Coded<bool> {
        let depth = depth.checked_sub(1).ok_or(CodecErrorKind::TooDeep)?;
        match value {
            PropertyValue::Null => self.out.null(),
            PropertyValue::Bool(value) => self.out.bool(*value),
            PropertyValue::Number(value) => self.out.number(*value),
            PropertyValue::String(text) => self.out.text(text),
            PropertyValue::Bytes(bytes) => self.bytes(bytes)?,
            PropertyValue::Array(items) => self.list(items, depth)?,
            PropertyValue::Object(map) => self.object(map, depth)?,
            PropertyValue::Asset(asset) => self.asset(asset),
            PropertyValue::Archive(archive) => self.archive(archive, depth)?,
            PropertyValue::Secret(inner) => return self.secret(inner, depth),
            PropertyValue::Unknown => return Ok(self.unknown()),
            PropertyValue::Output(output) => return self.output(output, depth),
            PropertyValue::Reference(reference) => return Ok(self.reference(reference)),
        }
        Ok(true)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Coded<()> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.out.text(text);
            return Ok(());
        }
        if !self.options.keep_byte_strings {
            return Err(CodecErrorKind::ByteStringNotAccepted.into());
        }
        let mark = self.out.mark();
        self.out.text_entry("value", &STANDARD.encode(bytes));
        self.out.close_special(mark, signature::BYTES);
        Ok(())
    }

    fn list(&mut self, items: &[PropertyValue], depth: usize) -> Coded<()> {
        let list = self.out.mark();
        for (index, item) in items.iter().enumerate().rev() {
            let mark = self.out.mark();
            if self.value(item, depth).map_err(|fail| fail.in_index(index))? {
                self.out.close_element(mark);
            }
        }
        self.out.close_list(list);
        Ok(())
    }

    fn object(&mut self, map: &PropertyMap, depth: usize) -> Coded<()> {
        let object = self.out.mark();
        for (key, value) in map.iter().rev() {
            let mark = self.out.mark();
            if self.property(key, value, depth)? {
                self.out.close_entry(mark, key);
            }
        }
        self.out.close_object(object);
        Ok(())
    }

    fn secret(&mut self, inner: &PropertyValue, depth: usize) -> Coded<bool> {
        let mark = self.out.mark();
        if !self.value(inner, depth)? {
            return Ok(false);
        }
        if self.options.keep_secrets {
            self.out.close_entry(mark, "value");
            self.out.close_special(mark, signature::SECRET);
        }
        Ok(true)
    }

    fn unknown(&mut self) -> bool {
        if self.options.keep_unknowns {
            self.out.text(signature::UNKNOWN);
        }
        self.options.keep_unknowns
    }

    fn output(&mut self, output: &OutputValue, depth: usize) -> Coded<bool> {
        let value = output.value.as_ref().filter(|value| **value != PropertyValue::Unknown);
        if !self.options.keep_outputs {
            let value = value.unwrap_or(&PropertyValue::Unknown);
            return if output.secret && !marks_itself(value) {
                self.secret(value, depth)
            } else {
                self.value(value, depth)
            };
        }
        if value.is_none() && !self.options.keep_unknowns {
            return Ok(false);
        }
        let mark = self.out.mark();
        if let Some(value) = value {
            let mark = self.out.mark();
            if !self.value(value, depth)? {
                return Ok(false);
            }
            self.out.close_entry(mark, "value");
        }
        if output.secret && self.options.keep_secrets {
            let mark = self.out.mark();
            self.out.bool(true);
            self.out.close_entry(mark, "secret");
        }
        if !output.dependencies.is_empty() {
            let entry = self.out.mark();
            for urn in output.dependencies.iter().rev() {
                let mark = self.out.mark();
                self.out.text(urn.as_str());
                self.out.close_element(mark);
            }
            self.out.close_list(entry);
            self.out.close_entry(entry, "dependencies");
        }
        self.out.close_special(mark, signature::OUTPUT);
        Ok(true)
    }

    fn reference(&mut self, reference: &ResourceReference) -> bool {
        if !self.options.keep_resources {
            match &reference.id {
                Some(ReferenceId::Unknown) => return self.unknown(),
                Some(ReferenceId::Known(id)) => self.out.text(id),
                None => self.out.text(reference.urn.as_str()),
            }
            return true;
        }
        let mark = self.out.mark();
        if !reference.package_version.is_empty() {
            self.out.text_entry("packageVersion", &reference.package_version);
        }
        match &reference.id {
            Some(ReferenceId::Unknown) => self.out.text_entry("id", ""),
            Some(ReferenceId::Known(id)) => self.out.text_entry("id", id),
            None => {}
        }
        self.out.text_entry("type", reference.urn.ty());
        self.out.text_entry("name", reference.urn.name());
        self.out.text_entry("urn", reference.urn.as_str());
        self.out.close_special(mark, signature::REFERENCE);
        true
    }

    fn asset(&mut self, asset: &Asset) {
        let mark = self.out.mark();
        if !self.options.elide_asset_contents {
            match &asset.source {
                AssetSource::Elided => {}
                AssetSource::Text(text) => self.out.text_entry("text", text),
                AssetSource::Path(path) => self.out.text_entry("path", path),
                AssetSource::Uri(uri) => self.out.text_entry("uri", uri),
            }
        }
        if !asset.hash.is_empty() {
            self.out.text_entry("hash", &asset.hash);
        }
        self.out.close_special(mark, signature::ASSET);
    }

    fn archive(&mut self, archive: &Archive, depth: usize) -> Coded<()> {
        let depth = depth.checked_sub(1).ok_or(CodecErrorKind::TooDeep)?;
        let mark = self.out.mark();
        if !self.options.elide_asset_contents {
            match &archive.source {
                ArchiveSource::Elided => {}
                ArchiveSource::Path(path) => self.out.text_entry("path", path),
                ArchiveSource::Uri(uri) => self.out.text_entry("uri", uri),
                ArchiveSource::Assets(members) => {
                    let assets = self.out.mark();
                    for (name, member) in members.iter().rev() {
                        let mark = self.out.mark();
                        self.member(name, member, depth)?;
                        self.out.close_entry(mark, name);
                    }
                    self.out.close_object(assets);
                    self.out.close_entry(assets, "assets");
                }
            }
        }
        if !archive.hash.is_empty() {
            self.out.text_entry("hash", &archive.hash);
        }
        self.out.close_special(mark, signature::ARCHIVE);
        Ok(())
    }

    fn member(&mut self, name: &str, member: &AssetOrArchive, depth: usize) -> Coded<()> {
        if name == SIGNATURE_KEY {
            return Err(Fail::from(CodecErrorKind::ReservedKey).in_key(name));
        }
        match member {
            AssetOrArchive::Asset(asset) => self.asset(asset),
            AssetOrArchive::Archive(archive) => {
                self.archive(archive, depth).map_err(|fail| fail.in_key(name))?;
            }
        }
        Ok(())
    }
}

/// Whether a value comes out as a secret by itself where outputs aren't kept.
fn marks_itself(value: &PropertyValue) -> bool {
    match value {
        PropertyValue::Secret(_) => true,
        PropertyValue::Output(output) => output.secret || output.value.as_ref().is_some_and(marks_itself),
        _ => false,
    }
}
