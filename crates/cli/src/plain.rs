//! Property values as plain JSON, for `stack output` and its like.

use purlin_formats::BagEncoder;
use purlin_formats::text::{Escape, indent, push_string};
use purlin_model::PropertyValue;
use serde_json::Value;

/// A value as a person reads it: texts without quotes, the rest as JSON on one line.
pub(crate) fn shown(value: &PropertyValue) -> String {
    match value {
        PropertyValue::String(text) => text.clone(),
        PropertyValue::Bytes(bytes) => bytes_text(bytes),
        other => {
            let mut out = String::new();
            push(&mut out, other);
            out
        }
    }
}

/// A value as JSON over lines, two spaces a level. Secrets appear in clear: whoever must hide them does
/// so before.
pub(crate) fn json_lines(value: &PropertyValue) -> String {
    let mut flat = String::new();
    push(&mut flat, value);
    let wide = indent(&flat);
    // Line breaks in strings are escaped, so what a line begins with is its level.
    let halved = wide.lines().map(|line| &line[(line.len() - line.trim_start_matches(' ').len()) / 2..]);
    halved.collect::<Vec<_>>().join("\n")
}

fn push(out: &mut String, value: &PropertyValue) {
    match value {
        PropertyValue::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push(out, item);
            }
            out.push(']');
        }
        PropertyValue::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                push_string(out, key, Escape::Plain);
                out.push(':');
                push(out, value);
            }
            out.push('}');
        }
        PropertyValue::Secret(inner) => push(out, inner),
        PropertyValue::Output(output) => match &output.value {
            Some(inner) => push(out, inner),
            None => out.push_str("null"),
        },
        PropertyValue::Bytes(bytes) => push_string(out, &bytes_text(bytes), Escape::Plain),
        // What is left is shown as a state has it.
        leaf => out.push_str(&encoded(leaf)),
    }
}

/// A value without secrets as a state has it. Only archives in archives beyond all measure have no such
/// form.
fn encoded(leaf: &PropertyValue) -> String {
    let none: [&str; 0] = [];
    BagEncoder::value(leaf).and_then(|encoder| encoder.finish(&none)).unwrap_or_else(|_| "null".to_owned())
}

/// A text that is not valid UTF-8, as the ecosystem shows it.
fn bytes_text(bytes: &[u8]) -> String {
    let stored: Value =
        serde_json::from_str(&encoded(&PropertyValue::Bytes(bytes.to_vec()))).unwrap_or_default();
    format!("b\"{}\"", stored["value"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use purlin_formats::{BagDecoder, signature};

    use super::*;

    /// What a state's JSON is shown as.
    fn shown_as(json: &str) -> String {
        let bag = BagDecoder::new(&format!("{{\"p\":{json}}}")).unwrap();
        let none: [&str; 0] = [];
        shown(&bag.finish(&none).unwrap()["p"])
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (stored, text) in [
            ("1", "1"),
            ("-3.0", "-3"),
            ("1.5", "1.5"),
            ("9007199254740991", "9007199254740991"),
            ("10000000000000000", "10000000000000000"),
            ("123456789012345678", "123456789012345680"),
            ("100000000000000000000", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("-0.0", "-0"),
        ] {
            assert_eq!(shown_as(stored), text);
            assert_eq!(shown_as(&format!("[{stored}]")), format!("[{text}]"));
        }
    }

    #[test]
    fn special_values_are_shown_as_a_state_has_them() {
        let key = signature::KEY;
        for rest in [
            r#""8ad145fe-0d11-4827-bfd7-1abcbf086f5c","value":"7ff0000000000000""#,
            r#""8ad145fe-0d11-4827-bfd7-1abcbf086f5c","value":"7ff8000000000001""#,
            r#""c44067f5952c0a294b673a41bacd8c17","hash":"h","text":"t""#,
            r#""c44067f5952c0a294b673a41bacd8c17","hash":"h""#,
            r#""0def7320c3a5731c473e5ecbe6d01bc7","hash":"h","uri":"u""#,
            r#""5cf8f73096256a8f31e491e813e4eb8e","id":"i","packageVersion":"1.0.0","urn":"urn:pulumi:s::p::a:b:C::n""#,
            r#""5cf8f73096256a8f31e491e813e4eb8e","packageVersion":"","urn":"urn:pulumi:s::p::a:b:C::n""#,
        ] {
            let stored = format!("{{\"{key}\":{rest}}}");
            assert_eq!(shown_as(&stored), stored);
        }
        let nested = |asset: &str| {
            format!("{{\"{key}\":\"{}\",\"assets\":{{\"m\":{asset}}},\"hash\":\"h\"}}", signature::ARCHIVE)
        };
        let asset = format!("{{\"{key}\":\"{}\",\"hash\":\"x\",\"path\":\"./x\"}}", signature::ASSET);
        assert_eq!(shown_as(&nested(&asset)), nested(&asset));
        let bytes = format!("{{\"{key}\":\"{}\",\"value\":\"/wA=\"}}", signature::BYTES);
        assert_eq!(shown_as(&bytes), "b\"/wA=\"");
        assert_eq!(shown_as(&format!("[{bytes}]")), r#"["b\"/wA=\""]"#);
    }

    #[test]
    fn lines_are_indented_by_two() {
        let value = PropertyValue::Array(vec![1e21.into(), PropertyValue::Array(vec!["  a\n  b".into()])]);
        assert_eq!(json_lines(&value), "[\n  1e+21,\n  [\n    \"  a\\n  b\"\n  ]\n]");
        assert_eq!(json_lines(&PropertyValue::Array(Vec::new())), "[]");
    }
}
