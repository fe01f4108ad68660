//! Secrets inside the text of an exported deployment: found and replaced where they stand.

use purlin_diag::Diagnostic;
use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::encode::MAX_DEPTH;
use crate::reader::members;
use crate::signature;
use crate::text::{Escape, ObjectWriter, compact, indent, push_string};

/// How a secret is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// Encrypted.
    Ciphertext,
    /// In clear.
    Plaintext,
}

impl SecretForm {
    fn key(self) -> &'static str {
        match self {
            SecretForm::Ciphertext => "ciphertext",
            SecretForm::Plaintext => "plaintext",
        }
    }
}

/// The texts of all secrets of one form in a JSON text, in order.
pub fn find_secrets(text: &str, form: SecretForm) -> Result<Vec<String>, Diagnostic> {
    let mut found = Vec::new();
    rewrite(text, &mut |given, secret| {
        if given == form {
            found.push(secret.to_owned());
        }
        Ok(None)
    })?;
    Ok(found)
}

/// The JSON text with its secrets of one form put into the other: for each text that
/// [`find_secrets`] gave, its counterpart. Laid out over lines, with a line break at its end.
///
/// From ciphertexts this shows the secrets of an export; from plaintexts it makes an export that
/// was edited in clear safe to store.
pub fn replace_secrets<T: AsRef<str>>(
    text: &str,
    form: SecretForm,
    counterparts: &[T],
) -> Result<String, Diagnostic> {
    let mut given = counterparts.iter();
    let replaced = rewrite(text, &mut |found, _| {
        if found != form {
            return Ok(None);
        }
        given.next().map(|text| Some(text.as_ref().to_owned())).ok_or_else(miscounted)
    })?;
    if given.next().is_some() {
        return Err(miscounted());
    }
    let mut out = indent(&replaced);
    out.push('\n');
    Ok(out)
}

fn miscounted() -> Diagnostic {
    Diagnostic::error(
        "secret-miscounted",
        "the secrets manager returned another number of texts than it was given",
    )
}

/// What a secret becomes: the text of its other form, or nothing if it stays.
type Replace<'f> = dyn FnMut(SecretForm, &str) -> Result<Option<String>, Diagnostic> + 'f;

fn rewrite(text: &str, replace: &mut Replace<'_>) -> Result<String, Diagnostic> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let raw = <&RawValue>::deserialize(&mut parser)
        .and_then(|raw| parser.end().map(|()| raw))
        .map_err(|error| crate::reader::explain(text, &error))?;
    let mut out = String::with_capacity(text.len());
    value(&mut out, raw.get(), 0, replace)?;
    Ok(out)
}

fn value(out: &mut String, json: &str, depth: usize, replace: &mut Replace<'_>) -> Result<(), Diagnostic> {
    if !json.contains(signature::SECRET) {
        out.push_str(&compact(json));
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(Diagnostic::error("state-too-deep", "the state is nested too deeply"));
    }
    if json.starts_with('{') {
        return object(out, json, depth, replace);
    }
    let items: Vec<&RawValue> = match serde_json::from_str(json) {
        Ok(items) => items,
        Err(_) => {
            out.push_str(json);
            return Ok(());
        }
    };
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        value(out, item.get(), depth + 1, replace)?;
    }
    out.push(']');
    Ok(())
}

fn object(out: &mut String, json: &str, depth: usize, replace: &mut Replace<'_>) -> Result<(), Diagnostic> {
    let found = members(json);
    let text = |wanted: &str| {
        let (_, value) = found.iter().rev().find(|(key, _)| &**key == wanted)?;
        serde_json::from_str::<String>(value.get()).ok()
    };
    if text(signature::KEY).as_deref() == Some(signature::SECRET) {
        for (form, other) in
            [(SecretForm::Ciphertext, SecretForm::Plaintext), (SecretForm::Plaintext, SecretForm::Ciphertext)]
        {
            let Some(secret) = text(form.key()).filter(|secret| !secret.is_empty()) else { continue };
            let (key, secret) = match replace(form, &secret)? {
                Some(replaced) => (other.key(), replaced),
                None => (form.key(), secret),
            };
            let mut object = ObjectWriter::begin(out, Escape::Plain);
            object.text(signature::KEY, signature::SECRET);
            object.text(key, &secret);
            object.end();
            return Ok(());
        }
    }
    out.push('{');
    for (index, (key, member)) in found.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(out, key, Escape::Plain);
        out.push(':');
        value(out, member.get(), depth + 1, replace)?;
    }
    out.push('}');
    Ok(())
}
