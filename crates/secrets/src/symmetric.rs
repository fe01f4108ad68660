//! AES-256-GCM as the ecosystem writes its ciphertexts: `v1:<nonce>:<ciphertext and tag>`, both in
//! base64.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_ports::Entropy;
use zeroize::{Zeroize as _, Zeroizing};

/// How many bytes a key has.
pub(crate) const KEY_LENGTH: usize = 32;

/// A key of 32 bytes.
pub(crate) fn key_of(bytes: &[u8; KEY_LENGTH]) -> Result<LessSafeKey, Diagnostic> {
    let key = UnboundKey::new(&AES_256_GCM, bytes)
        .map_err(|_| Diagnostic::error("secret-key", "the key can't be used for encryption"))?;
    Ok(LessSafeKey::new(key))
}

/// Encrypts a text: `v1:<nonce>:<ciphertext and tag>`.
pub(crate) fn seal(key: &LessSafeKey, entropy: &dyn Entropy, plaintext: &str) -> Result<String, Diagnostic> {
    let mut nonce = [0u8; NONCE_LEN];
    entropy.fill(&mut nonce);
    // Room for the tag, so that the plaintext is not left behind in memory given back.
    let mut text = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
    text.extend_from_slice(plaintext.as_bytes());
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text);
    if sealed.is_err() {
        text.zeroize();
        return Err(Diagnostic::error("secret-unencryptable", "a secret could not be encrypted"));
    }
    Ok(format!("v1:{}:{}", STANDARD.encode(nonce), STANDARD.encode(&text)))
}

/// Encrypts texts, in order.
pub(crate) fn seal_all(
    key: &LessSafeKey,
    entropy: &dyn Entropy,
    plaintexts: &[String],
) -> Result<Vec<String>, Diagnostic> {
    plaintexts.iter().map(|text| seal(key, entropy, text)).collect()
}

/// Decrypts texts, in order.
pub(crate) fn open_all(key: &LessSafeKey, ciphertexts: &[String]) -> Result<Vec<String>, Diagnostic> {
    ciphertexts.iter().map(|text| open(key, text).map(|mut text| std::mem::take(&mut *text))).collect()
}

/// Decrypts what [`seal`] has made.
pub(crate) fn open(key: &LessSafeKey, ciphertext: &str) -> Result<Zeroizing<String>, Diagnostic> {
    let refused = |why: &str| {
        Diagnostic::error("secret-undecryptable", format!("a secret can't be decrypted: {why}"))
            .with_hint("it was damaged, or was encrypted for another stack")
    };
    let mut parts = ciphertext.split(':');
    let (Some("v1"), Some(nonce), Some(text), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused("it is not of the form v1:<nonce>:<text>"));
    };
    let nonce = STANDARD.decode(nonce).ok().and_then(|bytes| Nonce::try_assume_unique_for_key(&bytes).ok());
    let nonce = nonce.ok_or_else(|| refused("its nonce is malformed"))?;
    let mut text =
        Zeroizing::new(STANDARD.decode(text).map_err(|_| refused("its text is not valid base64"))?);
    let opened =
        key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| refused("it does not fit the key"))?;
    match std::str::from_utf8(opened) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(refused("what it holds is not text")),
    }
}
