//! Property values to JSON text.
//!
//! Like decoding, encoding for the state takes two phases: the first writes the text and gathers
//! the plaintexts of secrets, the second puts the ciphertexts in their places.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_model::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyMap, PropertyValue,
    ReferenceId, ResourceReference, UNKNOWN_ID,
};
use zeroize::Zeroizing;

use crate::decode::{BagDecoder, ValueDecoder};
use crate::signature;
use crate::text::{Escape, ObjectWriter, push_number, push_string};

/// How deep values may be nested: as deep as can be read back.
pub const MAX_DEPTH: usize = 120;

/// Room for most bags, so that few of them grow from nothing step by step.
const BAG: usize = 512;

/// What is shown in the place of a secret.
pub const MASK: &str = "[secret]";

/// A secret that waits for its ciphertext.
pub struct PendingSecret {
    at: usize,
    plaintext: Zeroizing<String>,
    candidate: Option<String>,
}

impl PendingSecret {
    /// What is to be encrypted: the JSON text of the value.
    pub fn plaintext(&self) -> &str {
        &self.plaintext
    }

    /// The ciphertext that the previous bag has at the same place. If it is that of the same
    /// plaintext, it can be kept.
    pub fn candidate(&self) -> Option<&str> {
        self.candidate.as_deref()
    }
}

/// A bag or a value as JSON text whose secrets wait for their ciphertexts.
pub struct BagEncoder {
    text: String,
    secrets: Vec<PendingSecret>,
    bytes: bool,
}

impl BagEncoder {
    /// Encodes properties. `previous` is the bag whose ciphertexts may be kept.
    pub fn bag(properties: &PropertyMap, previous: Option<&BagDecoder>) -> Result<Self, Diagnostic> {
        let previous = previous.map(BagDecoder::value);
        let before = match previous.map(ValueDecoder::without_plaintexts) {
            Some(PropertyValue::Object(map)) => Some(map),
            _ => None,
        };
        let mut encoder = Encoder::new(Mode::Seal(previous), Escape::Plain);
        encoder.object(properties, before, 0)?;
        Ok(encoder.done())
    }

    /// Encodes one value.
    pub fn value(value: &PropertyValue) -> Result<Self, Diagnostic> {
        let mut encoder = Encoder::new(Mode::Seal(None), Escape::Plain);
        encoder.value(value, None, 0)?;
        Ok(encoder.done())
    }

    /// The secrets, in order.
    pub fn secrets(&self) -> &[PendingSecret] {
        &self.secrets
    }

    /// Whether there is a text in it that is not valid UTF-8, which makes the checkpoint declare
    /// the feature `byteString`.
    pub fn has_bytes(&self) -> bool {
        self.bytes
    }

    /// The text, with a ciphertext for each of [`BagEncoder::secrets`].
    pub fn finish<T: AsRef<str>>(self, ciphertexts: &[T]) -> Result<String, Diagnostic> {
        if ciphertexts.len() != self.secrets.len() {
            return Err(Diagnostic::error(
                "secret-miscounted",
                "the secrets manager returned another number of texts than it was given",
            ));
        }
        if self.secrets.is_empty() {
            return Ok(self.text);
        }
        let more: usize = ciphertexts.iter().map(|c| c.as_ref().len() + 2).sum();
        let mut out = String::with_capacity(self.text.len() + more);
        let mut done = 0;
        for (secret, ciphertext) in self.secrets.iter().zip(ciphertexts) {
            out.push_str(&self.text[done..secret.at]);
            push_string(&mut out, ciphertext.as_ref(), Escape::Plain);
            done = secret.at;
        }
        out.push_str(&self.text[done..]);
        Ok(out)
    }
}

/// Encodes properties without secrets; `None` if there is one.
pub(crate) fn encode_open(properties: &PropertyMap) -> Result<Option<String>, Diagnostic> {
    let encoder = BagEncoder::bag(properties, None)?;
    Ok(if encoder.secrets.is_empty() { Some(encoder.text) } else { None })
}

/// Encodes one value without secrets; `None` if there is one.
pub(crate) fn encode_open_value(value: &PropertyValue) -> Result<Option<String>, Diagnostic> {
    let encoder = BagEncoder::value(value)?;
    Ok(if encoder.secrets.is_empty() { Some(encoder.text) } else { None })
}

/// How properties are shown rather than stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As in engine events: secrets as secret objects without content, texts of assets left out.
    Event,
    /// As in digests: secrets as a plain text.
    Digest,
}

/// Encodes properties to be shown. What is nested too deeply is cut off.
pub(crate) fn encode_shown(properties: &PropertyMap, shown: Shown, escape: Escape) -> String {
    let mut encoder = Encoder::new(Mode::Show(shown), escape);
    // Showing never fails: depth cuts off.
    let _ = encoder.object(properties, None, 0);
    encoder.out
}

/// Like [`encode_shown`], for one value.
pub(crate) fn encode_shown_value(value: &PropertyValue, shown: Shown, escape: Escape) -> String {
    let mut encoder = Encoder::new(Mode::Show(shown), escape);
    // Showing never fails: depth cuts off.
    let _ = encoder.value(value, None, 0);
    encoder.out
}

#[derive(Clone, Copy)]
enum Mode<'p> {
    /// Secrets wait for their ciphertexts; those of a previous value may be kept.
    Seal(Option<&'p ValueDecoder>),
    /// Inside a secret: secrets are marked only.
    Nested,
    /// To be shown.
    Show(Shown),
}

struct Encoder<'p> {
    out: String,
    secrets: Vec<PendingSecret>,
    bytes: bool,
    mode: Mode<'p>,
    escape: Escape,
}

impl<'p> Encoder<'p> {
    fn new(mode: Mode<'p>, escape: Escape) -> Self {
        Encoder { out: String::with_capacity(BAG), secrets: Vec::new(), bytes: false, mode, escape }
    }

    fn done(self) -> BagEncoder {
        BagEncoder { text: self.out, secrets: self.secrets, bytes: self.bytes }
    }

    fn text(&mut self, text: &str) {
        push_string(&mut self.out, text, self.escape);
    }

    fn object(
        &mut self,
        map: &PropertyMap,
        before: Option<&PropertyMap>,
        depth: usize,
    ) -> Result<(), Diagnostic> {
        self.out.push('{');
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.text(key);
            self.out.push(':');
            self.value(value, before.and_then(|map| map.get(key)), depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// `before` is what the previous bag has at the same place.
    fn value(
        &mut self,
        value: &PropertyValue,
        before: Option<&PropertyValue>,
        depth: usize,
    ) -> Result<(), Diagnostic> {
        if depth > MAX_DEPTH {
            if matches!(self.mode, Mode::Show(_)) {
                self.out.push_str("null");
                return Ok(());
            }
            return Err(Diagnostic::error(
                "bag-too-deep",
                format!("properties are nested more than {MAX_DEPTH} levels deep"),
            )
            .with_hint("pass deeply nested documents as JSON text"));
        }
        match value {
            PropertyValue::Null => self.out.push_str("null"),
            PropertyValue::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            PropertyValue::Number(number) if number.is_finite() => push_number(&mut self.out, *number),
            PropertyValue::Number(number) => {
                let bits = format!("{:016x}", number.to_bits());
                self.marked(signature::FLOAT).text("value", &bits);
                self.out.push('}');
            }
            PropertyValue::String(text) => self.text(text),
            PropertyValue::Bytes(bytes) => self.byte_string(bytes),
            PropertyValue::Array(items) => {
                let before = match before {
                    Some(PropertyValue::Array(items)) => items.as_slice(),
                    _ => &[],
                };
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.value(item, before.get(index), depth + 1)?;
                }
                self.out.push(']');
            }
            PropertyValue::Object(map) => {
                let before = match before {
                    Some(PropertyValue::Object(map)) => Some(map),
                    _ => None,
                };
                self.object(map, before, depth)?;
            }
            PropertyValue::Asset(asset) => self.asset(asset),
            PropertyValue::Archive(archive) => self.archive(archive, depth)?,
            PropertyValue::Secret(inner) => self.secret(inner, before)?,
            PropertyValue::Unknown => self.text(UNKNOWN_ID),
            PropertyValue::Output(output) => self.output(output, before, depth)?,
            PropertyValue::Reference(reference) => self.reference(reference),
        }
        Ok(())
    }

    /// Begins an object with a mark.
    fn marked(&mut self, mark: &str) -> ObjectWriter<'_> {
        let mut object = ObjectWriter::begin(&mut self.out, self.escape);
        object.text(signature::KEY, mark);
        object
    }

    fn byte_string(&mut self, bytes: &[u8]) {
        self.bytes = true;
        let encoded = STANDARD.encode(bytes);
        if matches!(self.mode, Mode::Show(Shown::Digest)) {
            return self.text(&format!("b\"{encoded}\""));
        }
        let mut object = self.marked(signature::BYTES);
        object.text("value", &encoded);
        object.end();
    }

    fn output(
        &mut self,
        output: &OutputValue,
        before: Option<&PropertyValue>,
        depth: usize,
    ) -> Result<(), Diagnostic> {
        let value = output.value.as_ref().unwrap_or(&PropertyValue::Unknown);
        if output.secret { self.secret(value, before) } else { self.value(value, before, depth) }
    }

    fn secret(&mut self, inner: &PropertyValue, before: Option<&PropertyValue>) -> Result<(), Diagnostic> {
        match self.mode {
            Mode::Show(Shown::Digest) => self.text(MASK),
            Mode::Show(Shown::Event) => {
                let mut object = self.marked(signature::SECRET);
                object.text("ciphertext", MASK);
                object.end();
            }
            Mode::Nested => {
                let plaintext = self.plaintext(inner)?;
                let mut object = self.marked(signature::SECRET);
                object.text("ciphertext", &plaintext);
                object.end();
            }
            Mode::Seal(previous) => {
                let plaintext = self.plaintext(inner)?;
                let candidate =
                    previous.zip(before).and_then(|(p, before)| p.ciphertext_of(before)).map(str::to_owned);
                self.marked(signature::SECRET).key("ciphertext");
                self.secrets.push(PendingSecret { at: self.out.len(), plaintext, candidate });
                self.out.push('}');
            }
        }
        Ok(())
    }

    /// The JSON text of what is in a secret, always with the escapes of HTML: ciphertexts of equal
    /// values must come from equal texts, whoever wrote them.
    fn plaintext(&mut self, inner: &PropertyValue) -> Result<Zeroizing<String>, Diagnostic> {
        let mut nested = Encoder::new(Mode::Nested, Escape::Html);
        nested.value(inner, None, 0)?;
        self.bytes |= nested.bytes;
        Ok(Zeroizing::new(nested.out))
    }

    fn reference(&mut self, reference: &ResourceReference) {
        let mut object = self.marked(signature::REFERENCE);
        match &reference.id {
            None => {}
            Some(ReferenceId::Unknown) => object.text("id", ""),
            Some(ReferenceId::Known(id)) => object.text("id", id),
        }
        object.text("packageVersion", &reference.package_version);
        object.text("urn", reference.urn.as_str());
        object.end();
    }

    fn asset(&mut self, asset: &Asset) {
        let elided = matches!(self.mode, Mode::Show(Shown::Event));
        let mut object = self.marked(signature::ASSET);
        object.text_if("hash", &asset.hash);
        match &asset.source {
            AssetSource::Elided => {}
            AssetSource::Text(_) if elided => object.text("text", "<contents elided>"),
            AssetSource::Text(text) => object.text_if("text", text),
            AssetSource::Path(path) => object.text_if("path", path),
            AssetSource::Uri(uri) => object.text_if("uri", uri),
        }
        object.end();
    }

    fn archive(&mut self, archive: &Archive, depth: usize) -> Result<(), Diagnostic> {
        let mut object = self.marked(signature::ARCHIVE);
        let members = match &archive.source {
            ArchiveSource::Assets(members) => Some(members),
            _ => None,
        };
        // Keys are sorted: the members come before the hash.
        if let Some(members) = members {
            object.key("assets").push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                self.text(name);
                self.out.push(':');
                match member {
                    AssetOrArchive::Asset(asset) => self.asset(asset),
                    AssetOrArchive::Archive(inner) if depth < MAX_DEPTH => self.archive(inner, depth + 2)?,
                    AssetOrArchive::Archive(_) => {
                        return Err(Diagnostic::error("bag-too-deep", "archives are nested too deeply"));
                    }
                }
            }
            self.out.push('}');
        }
        let mut rest = String::new();
        let mut object = ObjectWriter::begin(&mut rest, self.escape);
        object.text_if("hash", &archive.hash);
        match &archive.source {
            ArchiveSource::Path(path) => object.text_if("path", path),
            ArchiveSource::Uri(uri) => object.text_if("uri", uri),
            ArchiveSource::Elided | ArchiveSource::Assets(_) => {}
        }
        object.end();
        if rest.len() > 2 {
            self.out.push(',');
        }
        self.out.push_str(&rest[1..]);
        Ok(())
    }
}
