//! Bytes as text.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use purlin_model::PropertyMap;

/// The outputs that show the bytes of a random identifier.
pub(super) fn id_outputs(bytes: &[u8], prefix: &str) -> PropertyMap {
    let texts = [
        ("b64Std", base64(bytes)),
        ("b64Url", base64_url(bytes)),
        ("dec", decimal(bytes)),
        ("hex", hex(bytes)),
    ];
    texts.into_iter().map(|(name, text)| (name.to_owned(), format!("{prefix}{text}").into())).collect()
}

/// The outputs that show secret random bytes.
pub(super) fn bytes_outputs(bytes: &[u8]) -> PropertyMap {
    let texts = [("base64", base64(bytes)), ("hex", hex(bytes))];
    texts.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// Base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 of the alphabet for URLs, without padding.
pub(super) fn base64_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes out of base64 with padding.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Bytes out of base64 for URLs.
pub(super) fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The decimal number that bytes are, the most significant first.
fn decimal(bytes: &[u8]) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = Vec::new();
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let value = *limb * 256 + carry;
            *limb = value % BASE;
            carry = value / BASE;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let Some((top, rest)) = limbs.split_last() else {
        return "0".to_owned();
    };
    rest.iter().rev().fold(top.to_string(), |text, limb| format!("{text}{limb:09}"))
}

/// 16 bytes as the text of a UUID.
pub(super) fn uuid(bytes: [u8; 16]) -> String {
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A UUID in its usual text form, out of any form that people write: with or without hyphens, in
/// braces, or as a URN.
pub(super) fn normal_uuid(text: &str) -> Option<String> {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    if !hyphens.is_empty() && hyphens != [8, 13, 18, 23] {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(uuid(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_bytes_in_every_form() {
        let outputs = id_outputs(&[0xa7, 0xef, 0x61, 0x52], "p-");
        let shown: Vec<_> = outputs.values().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(shown, ["p-p+9hUg==", "p-p-9hUg", "p-2817483090", "p-a7ef6152"]);
    }

    #[test]
    fn long_numbers_are_written_in_full() {
        assert_eq!(decimal(&[]), "0");
        assert_eq!(decimal(&[0, 0]), "0");
        assert_eq!(decimal(&[255; 16]), u128::MAX.to_string());
        assert_eq!(decimal(&(10u128.pow(27)).to_be_bytes()), 10u128.pow(27).to_string());
    }

    #[test]
    fn uuids_are_read_in_any_usual_form() {
        let normal = "8df9bf40-1954-5c99-aa73-ae3acb375373";
        for text in [normal, "8DF9BF40-1954-5C99-AA73-AE3ACB375373", "8df9bf4019545c99aa73ae3acb375373"] {
            assert_eq!(normal_uuid(text).as_deref(), Some(normal), "{text}");
        }
        for text in ["", "zz", "8df9bf40-19545c99-aa73-ae3acb375373", "8df9bf40195-45c99aa73ae3acb375373é"] {
            assert_eq!(normal_uuid(text), None, "{text}");
        }
    }
}
