//! Values as text: inside of texts with references, and as JSON. Both as the official host writes
//! them, so that a program's texts stay the same.

use std::fmt::Write as _;

use crate::value::{Value, kind_of};

/// A value inside of a text. The error is the kind of what can't be written.
pub(crate) fn interpolated(into: &mut String, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Null => into.push_str("<nil>"),
        Value::Bool(value) => into.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => into.push_str(&number(*value)),
        Value::Text(text) => into.push_str(text),
        Value::List(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(' ');
                }
                interpolated(into, &item.value)?;
            }
            into.push(']');
        }
        Value::Object(fields) => {
            into.push_str("map[");
            for (at, (key, field)) in fields.iter().enumerate() {
                if at > 0 {
                    into.push(' ');
                }
                let _ = write!(into, "{key}:");
                interpolated(into, &field.value)?;
            }
            into.push(']');
        }
        other => return Err(kind_of(other)),
    }
    Ok(())
}

/// The shortest digits that stand for a number, and the place of the point before them.
fn digits(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// A number inside of a text: without exponent from 0.0001 up to below a million, else with one of at
/// least two digits.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let (digits, exponent) = digits(value);
    let sign = if value < 0.0 { "-" } else { "" };
    if !(-4..6).contains(&exponent) {
        return format!("{sign}{}", scientific(&digits, exponent, 2));
    }
    format!("{value}")
}

fn scientific(digits: &str, exponent: i32, width: usize) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:0width$}", exponent.abs())
}

/// A value as JSON, keys sorted. The error is the kind of what JSON doesn't know.
pub(crate) fn json(into: &mut String, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Null => into.push_str("null"),
        Value::Bool(value) => into.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) if value.is_finite() => into.push_str(&json_number(*value)),
        Value::Number(_) => return Err("a number that isn't finite"),
        Value::Text(text) => json_text(into, text),
        Value::List(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                json(into, &item.value)?;
            }
            into.push(']');
        }
        Value::Object(fields) => {
            into.push('{');
            for (at, (key, field)) in fields.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                json_text(into, key);
                into.push(':');
                json(into, &field.value)?;
            }
            into.push('}');
        }
        other => return Err(kind_of(other)),
    }
    Ok(())
}

fn json_number(value: f64) -> String {
    if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) {
        let (digits, exponent) = digits(value);
        let sign = if value < 0.0 { "-" } else { "" };
        let width = if exponent < 0 { 1 } else { 2 };
        return format!("{sign}{}", scientific(&digits, exponent, width));
    }
    format!("{value}")
}

fn json_text(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            c if (c as u32) < 0x20 || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(into, "\\u{:04x}", c as u32);
            }
            c => into.push(c),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::value::Tracked;

    #[test]
    fn numbers_inside_of_texts() {
        let table = [
            (1.0, "1"),
            (-3.0, "-3"),
            (0.0, "0"),
            (1.5, "1.5"),
            (8080.0, "8080"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (12_345_678.0, "1.2345678e+07"),
            (1e21, "1e+21"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e-7, "1e-07"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in table {
            assert_eq!(number(value), expected);
        }
    }

    fn sample() -> Value {
        let number = |value| Tracked::plain(Value::Number(value));
        Value::Object(BTreeMap::from([
            ("big".to_owned(), number(1e21)),
            ("mill".to_owned(), number(1e6)),
            ("small".to_owned(), number(1e-7)),
            ("tiny".to_owned(), number(1.25e-10)),
            ("list".to_owned(), Tracked::plain(Value::List(vec![number(1.0), Tracked::plain(Value::Null)]))),
            ("text".to_owned(), Tracked::text("<&>\u{2028}é\u{1}\t/\"\\\u{7f}")),
        ]))
    }

    #[test]
    fn json_is_compact_sorted_and_escaped_for_html() {
        let mut text = String::new();
        json(&mut text, &sample()).unwrap();
        assert_eq!(
            text,
            "{\"big\":1e+21,\"list\":[1,null],\"mill\":1000000,\"small\":1e-7,\
             \"text\":\"\\u003c\\u0026\\u003e\\u2028é\\u0001\\t/\\\"\\\\\u{7f}\",\"tiny\":1.25e-10}"
        );
    }

    #[test]
    fn lists_and_objects_inside_of_texts() {
        let mut text = String::new();
        interpolated(&mut text, &sample()).unwrap();
        assert!(text.starts_with("map[big:1e+21 list:[1 <nil>] mill:1e+06 small:1e-07 text:<&>"), "{text}");
    }
}
