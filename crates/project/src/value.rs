//! A plain tree of data, as YAML and JSON files hold it, and its canonical JSON text.

use indexmap::IndexMap;
use serde_json::Value as Json;

/// A mapping from names to values that remembers the order of the file.
pub type Object = IndexMap<String, Value>;

/// A value as a settings file holds it.
///
/// Two numbers are equal when they denote the same number, so `1` equals `1.0`.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 signed bits.
    Int(i64),
    /// A whole number beyond the signed range.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Named values.
    Object(Object),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        use Value::*;
        match (self, other) {
            (Null, Null) => true,
            (Bool(a), Bool(b)) => a == b,
            (Int(a), Int(b)) => a == b,
            (Uint(a), Uint(b)) => a == b,
            (Int(a), Uint(b)) | (Uint(b), Int(a)) => u64::try_from(*a) == Ok(*b),
            (Float(a), Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Float(a), Int(b)) | (Int(b), Float(a)) => *a == *b as f64 && *a as i64 == *b,
            (Float(a), Uint(b)) | (Uint(b), Float(a)) => *a == *b as f64 && *a as u64 == *b,
            (String(a), String(b)) => a == b,
            (Array(a), Array(b)) => a == b,
            (Object(a), Object(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl Value {
    /// The form in which a settings file keeps a ciphertext: `{secure: <ciphertext>}`.
    pub fn secure(ciphertext: impl Into<String>) -> Value {
        Value::Object(Object::from([("secure".to_owned(), Value::String(ciphertext.into()))]))
    }

    /// The ciphertext, if this is an object whose only key is `secure` and holds a text.
    pub fn as_secure(&self) -> Option<&str> {
        match self {
            Value::Object(fields) if fields.len() == 1 => fields.get("secure")?.as_str(),
            _ => None,
        }
    }

    /// Whether a ciphertext occurs anywhere in the value.
    pub fn contains_secure(&self) -> bool {
        match self {
            Value::Array(items) => items.iter().any(Value::contains_secure),
            Value::Object(fields) => {
                self.as_secure().is_some() || fields.values().any(Value::contains_secure)
            }
            _ => false,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The named values, if it is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The name of the kind of value, in the words that messages use.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// Reads a JSON value; a whole number stays whole if it fits 64 signed bits.
    pub fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::String(text.clone()),
            Json::Array(items) => Value::Array(items.iter().map(Value::from_json).collect()),
            Json::Object(fields) => {
                Value::Object(fields.iter().map(|(k, v)| (k.clone(), Value::from_json(v))).collect())
            }
        }
    }

    /// The value as JSON. Numbers that JSON can't express become `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Uint(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::String(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Object(fields) => {
                Json::Object(fields.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
        }
    }

    /// Compact JSON in the form that programs of the ecosystem are given: keys sorted, whole
    /// numbers without a fraction, and `<`, `>` and `&` escaped.
    pub fn to_canonical_json(&self) -> String {
        let mut out = String::new();
        write_json(self, &Layout { sorted: true, escape_html: true, indent: None }, 0, &mut out);
        out
    }

    /// Indented JSON; with `sorted` the keys of every object are put in order.
    pub fn to_pretty_json(&self, indent: usize, sorted: bool) -> String {
        let mut out = String::new();
        write_json(self, &Layout { sorted, escape_html: false, indent: Some(indent) }, 0, &mut out);
        out
    }

    /// Like [`Value::to_pretty_json`] in the order of the value, with `<`, `>` and `&` escaped.
    pub fn to_pretty_escaped_json(&self, indent: usize) -> String {
        let mut out = String::new();
        write_json(self, &Layout { sorted: false, escape_html: true, indent: Some(indent) }, 0, &mut out);
        out
    }
}

/// How JSON is laid out.
struct Layout {
    sorted: bool,
    escape_html: bool,
    indent: Option<usize>,
}

impl Layout {
    fn line(&self, depth: usize, out: &mut String) {
        if let Some(width) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width * depth));
        }
    }
}

fn write_json(value: &Value, layout: &Layout, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Uint(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float_text(*value)),
        Value::String(text) => write_text(text, layout.escape_html, out),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                layout.line(depth + 1, out);
                write_json(item, layout, depth + 1, out);
            }
            layout.line(depth, out);
            out.push(']');
        }
        Value::Object(fields) if fields.is_empty() => out.push_str("{}"),
        Value::Object(fields) => {
            let mut ordered: Vec<_> = fields.iter().collect();
            if layout.sorted {
                ordered.sort_by(|a, b| a.0.cmp(b.0));
            }
            out.push('{');
            for (index, (name, item)) in ordered.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                layout.line(depth + 1, out);
                write_text(name, layout.escape_html, out);
                out.push_str(if layout.indent.is_some() { ": " } else { ":" });
                write_json(item, layout, depth + 1, out);
            }
            layout.line(depth, out);
            out.push('}');
        }
    }
}

/// The shortest decimal that reads back as the number, with an exponent only for very small and
/// very large ones.
pub(crate) fn float_text(value: f64) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    format!("{value}")
}

fn write_text(text: &str, escape_html: bool, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if escape_html => drop(write!(out, "\\u{:04x}", c as u32)),
            '\u{2028}' | '\u{2029}' => drop(write!(out, "\\u{:04x}", c as u32)),
            c if (c as u32) < 0x20 => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_escapes_and_keeps_whole_numbers() {
        let json: Json =
            serde_json::from_str(r#"{"b":[1,2.0,1.5,1e21,1e-7],"a":"<é\u2028>","n":null,"e":{}}"#).unwrap();
        assert_eq!(
            Value::from_json(&json).to_canonical_json(),
            r#"{"a":"\u003cé\u2028\u003e","b":[1,2,1.5,1e+21,1e-7],"e":{},"n":null}"#
        );
    }

    #[test]
    fn secure_is_recognised_only_as_the_single_key() {
        assert_eq!(Value::secure("ct").as_secure(), Some("ct"));
        let json = serde_json::json!({"secure": "x", "other": 1});
        assert_eq!(Value::from_json(&json).as_secure(), None);
        assert!(!Value::from_json(&serde_json::json!({"secure": 1})).contains_secure());
        assert!(Value::from_json(&serde_json::json!({"a": [{"secure": "ct"}]})).contains_secure());
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert_eq!(Value::Int(1000), Value::Float(1e3));
        assert_ne!(Value::Int(i64::MAX), Value::Float(9.3e18));
        assert_eq!(Value::Uint(7), Value::Int(7));
        assert_ne!(Value::Int(-1), Value::Uint(u64::MAX));
    }
}
