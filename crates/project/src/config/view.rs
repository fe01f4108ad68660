//! Configuration as it is shown: listed, or one value at a time.

use purlin_diag::Diagnostic;

use super::key::{ConfigKey, ConfigTarget};
use super::map::ConfigMap;
use super::resolve::{Decrypter, plaintext};
use crate::value::{Object, Value};

/// Whether secrets are shown.
#[derive(Clone, Copy)]
pub enum Secrets<'d> {
    /// `[secret]` stands in their place.
    Hidden,
    /// In plaintext.
    Shown(&'d dyn Decrypter),
}

/// A configuration value as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigRow {
    /// The key.
    pub key: ConfigKey,
    /// The value, with `[secret]` for what is hidden. A list or object is JSON.
    pub text: String,
    /// Whether any part of it is secret.
    pub secret: bool,
    /// The value as data, if it is a list or object.
    pub object: Option<Value>,
    /// Whether something of it is hidden.
    pub hidden: bool,
}

/// All values in order of the keys.
pub fn list_rows(config: &ConfigMap, secrets: Secrets<'_>) -> Result<Vec<ConfigRow>, Diagnostic> {
    config.iter().map(|(key, value)| row(key.clone(), value, secrets)).collect()
}

/// One value, or the complaint that there is none.
pub fn get_row(
    config: &ConfigMap,
    target: &ConfigTarget,
    project: &str,
    stack: &str,
    secrets: Secrets<'_>,
) -> Result<ConfigRow, Diagnostic> {
    match config.get(target) {
        Some(value) => row(target.key.clone(), value, secrets),
        None => {
            let mut shown = target.key.pretty(project);
            if !target.inner.is_empty() {
                let inner = target.inner.to_string();
                let dot = if inner.starts_with('[') { "" } else { "." };
                shown = format!("{shown}{dot}{inner}");
            }
            let message = format!("configuration key '{shown}' not found for stack '{stack}'");
            Err(Diagnostic::error("config-not-found", message))
        }
    }
}

fn row(key: ConfigKey, value: &Value, secrets: Secrets<'_>) -> Result<ConfigRow, Diagnostic> {
    let hide = |_: &str| Ok("[secret]".to_owned());
    let (decrypter, hides): (&dyn Decrypter, bool) = match secrets {
        Secrets::Hidden => (&hide, true),
        Secrets::Shown(decrypter) => (decrypter, false),
    };
    let (text, is_object) = plaintext(value, decrypter).map_err(|problem| {
        let message = format!("could not decrypt configuration value: {}", problem.message);
        Diagnostic { message, ..problem }
    })?;
    let json = if is_object { serde_json::from_str(&text).ok() } else { None };
    let secret = value.contains_secure();
    let object = json.as_ref().map(Value::from_json);
    Ok(ConfigRow { key, text, secret, object, hidden: secret && hides })
}

/// The JSON of a list: keys to `{value, objectValue, secret}`. What is hidden is left out.
pub fn rows_to_json(rows: &[ConfigRow]) -> String {
    let mut entries: Vec<_> = rows.iter().map(|row| (row.key.to_string(), row_value(row))).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(entries.into_iter().collect()).to_pretty_json(2, false)
}

/// The JSON of one value.
pub fn row_to_json(row: &ConfigRow) -> String {
    row_value(row).to_pretty_escaped_json(2)
}

fn row_value(row: &ConfigRow) -> Value {
    let mut fields = Object::new();
    if !row.hidden {
        fields.insert("value".to_owned(), Value::from(row.text.as_str()));
        if let Some(object) = &row.object {
            fields.insert("objectValue".to_owned(), object.clone());
        }
    }
    fields.insert("secret".to_owned(), Value::Bool(row.secret));
    Value::Object(fields)
}
