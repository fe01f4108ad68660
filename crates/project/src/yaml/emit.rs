//! Writes values as YAML: two blanks of indent, and quotes exactly where a reader of the same
//! dialect needs them.

use super::scalar::{Resolved, looks_like_timestamp, needs_quotes_for_old_parsers, resolve_plain};
use crate::value::{Object, Value, float_text};

/// Writes a whole document.
pub fn document(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => block_mapping(fields, 0) + "\n",
        Value::Array(items) if !items.is_empty() => block_sequence(items, 0) + "\n",
        value => inline(value) + "\n",
    }
}

/// Writes a value as it stands after `key:` or `-` whose column is `indent`, with the blank or line
/// break in front. A list or mapping after a dash starts on the dash's line.
pub(super) fn after_indicator(value: &Value, indent: usize, after_dash: bool, may_block: bool) -> String {
    let inner = indent + 2;
    let pad = |text: String| {
        if after_dash { format!(" {}", &text[inner..]) } else { format!("\n{text}") }
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => pad(block_mapping(fields, inner)),
        Value::Array(items) if !items.is_empty() => pad(block_sequence(items, inner)),
        Value::String(text) if may_block && fits_literal(text) => format!(" {}", literal(text, inner)),
        value => format!(" {}", inline(value)),
    }
}

/// Writes the entries of a mapping, one below the other, without a final line break.
pub(super) fn block_mapping(fields: &Object, indent: usize) -> String {
    let lines = fields.iter().map(|(name, value)| block_entry(name, value, indent));
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes one entry of a block mapping with its indent.
pub(super) fn block_entry(name: &str, value: &Value, indent: usize) -> String {
    let after = after_indicator(value, indent, false, true);
    format!("{}{}:{after}", " ".repeat(indent), scalar_text(name, false))
}

pub(super) fn block_sequence(items: &[Value], indent: usize) -> String {
    items.iter().map(|item| block_item(item, indent)).collect::<Vec<_>>().join("\n")
}

/// Writes one item of a block list with its indent.
pub(super) fn block_item(item: &Value, indent: usize) -> String {
    format!("{}-{}", " ".repeat(indent), after_indicator(item, indent, true, true))
}

/// Writes a value on one line, lists and mappings in brackets.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => ".nan".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Value::Float(value) if *value == 0.0 && value.is_sign_negative() => "-0.0".to_owned(),
        Value::Float(value) if value.abs() >= 9e15 => format!("{value:e}").replace('e', "e+"),
        Value::Float(value) => float_text(*value),
        Value::String(text) => scalar_text(text, false),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(inline_inner).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| inline_entry(name, value)).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// Writes a value inside brackets.
pub(super) fn inline_inner(value: &Value) -> String {
    match value {
        Value::String(text) => scalar_text(text, true),
        value => inline(value),
    }
}

/// Writes one entry of a mapping in brackets.
pub(super) fn inline_entry(name: &str, value: &Value) -> String {
    format!("{}: {}", scalar_text(name, true), inline_inner(value))
}

/// Writes a text on one line. `strict` is for keys and texts inside brackets, where fewer
/// characters may stand without quotes.
fn scalar_text(text: &str, strict: bool) -> String {
    let is_text = resolve_plain(text) == Resolved::Str(text)
        && !needs_quotes_for_old_parsers(text)
        && !looks_like_timestamp(text)
        && text != "<<";
    let traits = Traits::of(text);
    if traits.needs_escapes || text.contains('\n') || !is_text {
        return double_quoted(text);
    }
    if if strict { traits.plain_in_brackets } else { traits.plain } {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// What stands in the way of writing a text without quotes.
struct Traits {
    needs_escapes: bool,
    plain: bool,
    plain_in_brackets: bool,
}

impl Traits {
    fn of(text: &str) -> Traits {
        let mut plain = !text.starts_with("---") && !text.starts_with("...");
        let mut plain_in_brackets = plain;
        let mut previous = ' ';
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let blank_follows = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t' | '\n' | '\r'));
            match (first, c) {
                (
                    true,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%',
                )
                | (true, '@' | '`') => plain = false,
                (true, '?' | ':' | '-') if blank_follows => plain = false,
                (true, '?' | ':') | (false, ',' | '?' | '[' | ']' | '{' | '}') => plain_in_brackets = false,
                (false, ':') if blank_follows => plain = false,
                (false, ':') => plain_in_brackets = false,
                (false, '#') if previous.is_whitespace() => plain = false,
                _ => {}
            }
            previous = c;
            first = false;
        }
        if text.starts_with(' ') || text.ends_with(' ') {
            plain = false;
        }
        Traits {
            needs_escapes: text.chars().any(needs_escape),
            plain,
            plain_in_brackets: plain && plain_in_brackets,
        }
    }
}

fn needs_escape(c: char) -> bool {
    c != '\n'
        && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            c if needs_escape(c) && (c as u32) < 0x100 => out.push_str(&format!("\\x{:02X}", c as u32)),
            c if needs_escape(c) => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a text of several lines can be written as a literal block without any hints.
fn fits_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(['\n', ' '])
        && !text.ends_with("\n\n")
        && !text.ends_with([' ', '\t'])
        && !text.contains(" \n")
        && !text.contains("\t\n")
        && !text.chars().any(|c| needs_escape(c) && c != '\t')
        && !text.starts_with('\t')
}

fn literal(text: &str, indent: usize) -> String {
    let (header, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let mut out = String::from(header);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn texts_are_quoted_only_where_needed() {
        let table = [
            ("us-west-2", "us-west-2"),
            ("a b", "a b"),
            ("", "\"\""),
            ("5", "\"5\""),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            ("12:30", "\"12:30\""),
            ("2020-01-02", "\"2020-01-02\""),
            ("1e3", "\"1e3\""),
            ("it's", "it's"),
            ("'q'", "'''q'''"),
            ("a: b", "'a: b'"),
            ("a:b", "a:b"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("#a", "'#a'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("@x", "'@x'"),
            ("[x", "'[x'"),
            (" x", "' x'"),
            ("x ", "'x '"),
            ("tab\tin", "\"tab\\tin\""),
            ("bell\u{7}", "\"bell\\x07\""),
            ("v1:abc+/=", "v1:abc+/="),
            ("é", "é"),
            ("<<", "\"<<\""),
        ];
        for (text, expected) in table {
            assert_eq!(inline(&Value::from(text)), expected, "{text:?}");
            let read = parse("t", &format!("k: {expected}\n")).unwrap();
            assert_eq!(read.get("k").unwrap().as_str(), Some(text));
        }
    }

    #[test]
    fn documents_are_laid_out_with_two_blanks() {
        let json = serde_json::json!({
            "config": {
                "p:text": "line one\nline two\n",
                "p:chomped": "a\n\nb",
                "p:list": ["a", {"b": 1, "c": [true]}, [1, 2], []],
                "p:s": {"secure": "v1:x"},
                "p:none": null,
                "p:empty": {},
            },
        });
        let value = Value::from_json(&json);
        let text = document(&value);
        assert_eq!(
            text,
            "config:\n  p:text: |\n    line one\n    line two\n  p:chomped: |-\n    a\n\n    b\n  p:list:\n    \
             - a\n    - b: 1\n      c:\n        - true\n    - - 1\n      - 2\n    - []\n  p:s:\n    secure: v1:x\n  \
             p:none: null\n  p:empty: {}\n"
        );
        assert_eq!(parse("t", &text).unwrap().to_value(), value);
    }
}
