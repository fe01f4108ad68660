//! Opens and seals bags with a secrets manager.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_formats::{BagDecoder, BagEncoder, ValueDecoder};
use purlin_model::state::SealedValue;
use purlin_model::{Bag, PropertyMap, PropertyValue, RawText};
use purlin_ports::{BagCodec, SecretsManager};
use zeroize::{Zeroize as _, Zeroizing};

/// Opens and seals bags with a secrets manager.
///
/// What was decrypted or encrypted is remembered until this is dropped: sealing a bag whose
/// secrets did not change keeps their ciphertexts, so that states stay the same byte for byte. A
/// bag without secrets never asks the manager.
pub struct SealedBags {
    manager: Arc<dyn SecretsManager>,
    /// Plaintexts by ciphertext.
    known: Mutex<HashMap<String, Zeroizing<String>>>,
    reuse: bool,
    hidden_bytes: AtomicBool,
}

impl SealedBags {
    /// A codec over a manager.
    pub fn new(manager: Arc<dyn SecretsManager>) -> Self {
        SealedBags { manager, known: Mutex::default(), reuse: true, hidden_bytes: AtomicBool::new(false) }
    }

    /// A codec that encrypts every secret anew.
    #[must_use]
    pub fn without_reuse(mut self) -> Self {
        self.reuse = false;
        self
    }

    /// Whether anything sealed held a text that is not valid UTF-8. Inside a secret the stored
    /// bytes don't show it, so the snapshot has to declare the feature `byteString`.
    pub fn sealed_bytes(&self) -> bool {
        self.hidden_bytes.load(Ordering::Relaxed)
    }

    /// The plaintexts of ciphertexts, in order: those known, and the rest in one batch.
    async fn plaintexts(&self, ciphertexts: &[String]) -> Result<Vec<Zeroizing<String>>, Diagnostic> {
        if ciphertexts.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing: Vec<String> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            ciphertexts.iter().filter(|text| !known.contains_key(*text)).cloned().collect()
        };
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let plaintexts = self.manager.decrypt(&missing).await?;
            if plaintexts.len() != missing.len() {
                return Err(miscounted());
            }
            self.remember(missing, plaintexts);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        ciphertexts.iter().map(|text| known.get(text).cloned().ok_or_else(miscounted)).collect()
    }

    fn remember(&self, ciphertexts: Vec<String>, plaintexts: Vec<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(ciphertexts.into_iter().zip(plaintexts.into_iter().map(Zeroizing::new)));
    }

    /// Which secrets may keep the ciphertext of the previous bag.
    async fn kept(&self, encoder: &BagEncoder) -> Vec<Option<String>> {
        let candidates: Vec<String> =
            encoder.secrets().iter().filter_map(|secret| secret.candidate().map(str::to_owned)).collect();
        // What can't be decrypted can't be kept; it is not an error here.
        let Ok(plaintexts) = self.plaintexts(&candidates).await else {
            return vec![None; encoder.secrets().len()];
        };
        let mut pairs = candidates.into_iter().zip(plaintexts);
        let keep = encoder.secrets().iter().map(|secret| {
            secret.candidate()?;
            let (ciphertext, plaintext) = pairs.next()?;
            (*plaintext == secret.plaintext()).then_some(ciphertext)
        });
        keep.collect()
    }

    async fn finish(&self, encoder: BagEncoder) -> Result<RawText, Diagnostic> {
        if encoder.has_bytes() {
            self.hidden_bytes.store(true, Ordering::Relaxed);
        }
        if encoder.secrets().is_empty() {
            return encoder.finish::<&str>(&[]).map(RawText::from);
        }
        let kept = self.kept(&encoder).await;
        let mut fresh: Vec<String> = encoder
            .secrets()
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none())
            .map(|(secret, _)| secret.plaintext().to_owned())
            .collect();
        let made = if fresh.is_empty() { Vec::new() } else { self.manager.encrypt(&fresh).await? };
        if made.len() != fresh.len() {
            fresh.zeroize();
            return Err(miscounted());
        }
        self.remember(made.clone(), fresh);
        let mut made = made.into_iter();
        let ciphertexts: Option<Vec<String>> =
            kept.into_iter().map(|kept| kept.or_else(|| made.next())).collect();
        encoder.finish(&ciphertexts.ok_or_else(miscounted)?).map(RawText::from)
    }
}

fn miscounted() -> Diagnostic {
    Diagnostic::error(
        "secret-miscounted",
        "the secrets manager returned another number of texts than it was given",
    )
}

#[async_trait]
impl BagCodec for SealedBags {
    async fn open(&self, bag: &Bag) -> Result<Arc<PropertyMap>, Diagnostic> {
        let raw = match bag {
            Bag::Decoded(map) => return Ok(Arc::clone(map)),
            Bag::Raw(raw) => raw,
        };
        let decoder = BagDecoder::new(raw.as_str())?;
        let ciphertexts: Vec<String> = decoder.ciphertexts().map(str::to_owned).collect();
        let plaintexts = self.plaintexts(&ciphertexts).await?;
        decoder.finish(&plaintexts).map(Arc::new)
    }

    async fn seal(&self, properties: &PropertyMap, previous: Option<&Bag>) -> Result<RawText, Diagnostic> {
        let before = match previous {
            Some(Bag::Raw(raw)) if self.reuse && properties.values().any(PropertyValue::contains_secrets) => {
                BagDecoder::new(raw.as_str()).ok()
            }
            _ => None,
        };
        let encoder = BagEncoder::bag(properties, before.as_ref())?;
        self.finish(encoder).await
    }

    async fn open_value(&self, value: &SealedValue) -> Result<PropertyValue, Diagnostic> {
        let raw = match value {
            SealedValue::Decoded(value) => return Ok(value.clone()),
            SealedValue::Raw(raw) => raw,
        };
        let decoder = ValueDecoder::new(raw.as_str())?;
        let ciphertexts: Vec<String> = decoder.ciphertexts().map(str::to_owned).collect();
        let plaintexts = self.plaintexts(&ciphertexts).await?;
        decoder.finish(&plaintexts)
    }

    async fn seal_value(&self, value: &PropertyValue) -> Result<RawText, Diagnostic> {
        self.finish(BagEncoder::value(value)?).await
    }
}
