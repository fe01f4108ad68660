//! JSON text as the ecosystem's programs write it: strings, numbers, objects, layout.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Which characters a string escapes beside those that JSON demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Nothing but the two line separators of Unicode.
    Plain,
    /// `<`, `>` and `&` too, so that the text can stand inside HTML.
    Html,
}

/// How many bytes are compared at once.
const PIECE: usize = 32;

/// 0: as it is; 1: always looked at; 2: only with [`Escape::Html`].
const LOOK: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = 1;
        byte += 1;
    }
    table[b'"' as usize] = 1;
    table[b'\\' as usize] = 1;
    table[0xe2] = 1;
    table[b'<' as usize] = 2;
    table[b'>' as usize] = 2;
    table[b'&' as usize] = 2;
    table
};

/// Whether nothing in a piece is ever looked at. Written so that the compiler compares many bytes at
/// once.
fn is_plain(piece: &[u8; PIECE]) -> bool {
    let marked = |byte: u8| {
        (byte < 0x20)
            | (byte == b'"')
            | (byte == b'\\')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b'&')
            | (byte == 0xe2)
    };
    !piece.iter().fold(false, |any, &byte| any | marked(byte))
}

/// Where the first byte stands whose class is at least 1 and at most `limit`.
fn first_looked_at(bytes: &[u8], limit: u8) -> Option<usize> {
    let (pieces, rest) = bytes.as_chunks::<PIECE>();
    let looked_at = |byte: &u8| (1..=limit).contains(&LOOK[*byte as usize]);
    for (index, piece) in pieces.iter().enumerate() {
        if !is_plain(piece)
            && let Some(at) = piece.iter().position(looked_at)
        {
            return Some(index * PIECE + at);
        }
    }
    rest.iter().position(looked_at).map(|at| bytes.len() - rest.len() + at)
}

/// Appends a string with its quotes.
pub fn push_string(out: &mut String, text: &str, escape: Escape) {
    let bytes = text.as_bytes();
    let limit = if escape == Escape::Html { 2 } else { 1 };
    out.reserve(text.len() + 2);
    out.push('"');
    let mut done = 0;
    let mut next = 0;
    while let Some(found) = first_looked_at(&bytes[next..], limit) {
        let (at, byte) = (next + found, bytes[next + found]);
        next = at + 1;
        let mut length = 1;
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0xe2 => match bytes.get(at + 1..at + 3) {
                Some([0x80, 0xa8]) => {
                    length = 3;
                    "\\u2028"
                }
                Some([0x80, 0xa9]) => {
                    length = 3;
                    "\\u2029"
                }
                _ => continue,
            },
            _ => "",
        };
        out.push_str(&text[done..at]);
        if short.is_empty() {
            // Writing to a string can't fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(short);
        }
        done = at + length;
    }
    out.push_str(&text[done..]);
    out.push('"');
}

/// Appends a finite number: plain digits from 1e-6 up to 1e21, an exponent outside.
pub fn push_number(out: &mut String, number: f64) {
    let size = number.abs();
    // Writing to a string can't fail.
    let _ = if size < 9e15 && number.trunc() == number && !(number == 0.0 && number.is_sign_negative()) {
        #[allow(clippy::cast_possible_truncation, reason = "whole and far below the limit")]
        let whole = number as i64;
        write!(out, "{whole}")
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
            _ => write!(out, "{text}"),
        }
    } else {
        write!(out, "{number}")
    };
}

/// Writes the members of one object. Keys given as names are written as they are.
pub(crate) struct ObjectWriter<'o> {
    pub(crate) out: &'o mut String,
    escape: Escape,
    empty: bool,
}

impl<'o> ObjectWriter<'o> {
    pub(crate) fn begin(out: &'o mut String, escape: Escape) -> Self {
        out.push('{');
        ObjectWriter { out, escape, empty: true }
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
    }

    /// A key that needs no escapes; the value is to follow.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        self.separate();
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    /// Any key; the value is to follow.
    pub(crate) fn any_key(&mut self, key: &str) -> &mut String {
        self.separate();
        push_string(self.out, key, self.escape);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        let escape = self.escape;
        push_string(self.key(key), value, escape);
    }

    /// A text, left out where empty.
    pub(crate) fn text_if(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(crate) fn boolean(&mut self, key: &str, value: bool) {
        self.key(key).push_str(if value { "true" } else { "false" });
    }

    /// A truth value, left out where false.
    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.boolean(key, true);
        }
    }

    pub(crate) fn integer(&mut self, key: &str, value: impl std::fmt::Display) {
        // Writing to a string can't fail.
        let _ = write!(self.key(key), "{value}");
    }

    /// A number, left out where zero.
    pub(crate) fn number_if(&mut self, key: &str, value: f64) {
        if value != 0.0 && value.is_finite() {
            push_number(self.key(key), value);
        }
    }

    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).push_str(json);
    }

    /// A list of texts, left out where empty.
    pub(crate) fn texts_if<'t>(&mut self, key: &str, values: impl IntoIterator<Item = &'t str>) {
        let escape = self.escape;
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            push_texts(self.key(key), values, escape);
        }
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// Appends a list of texts.
pub(crate) fn push_texts<'t>(out: &mut String, values: impl IntoIterator<Item = &'t str>, escape: Escape) {
    out.push('[');
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(out, value, escape);
    }
    out.push(']');
}

/// JSON without the white space between its tokens. The text is taken to be well-formed.
pub fn compact(text: &str) -> Cow<'_, str> {
    let is_space = |b: u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b if is_space(b) => {
                out.push_str(&text[done..at]);
                at += 1;
                done = at;
            }
            _ => at += 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Appends JSON that may have been laid out over lines, on one line. Text without a line break is
/// appended as it is.
pub(crate) fn push_on_one_line(out: &mut String, json: &str) {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_some() {
        out.push_str(&compact(json));
    } else {
        out.push_str(json);
    }
}

/// The place after the string that begins at a place.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// JSON laid out over lines, four spaces a level. The text is taken to be well-formed.
pub fn indent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    Indenter::default().push(text, &mut out);
    out
}

/// Lays JSON out over lines, four spaces a level, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Indenter {
    depth: usize,
    /// Whether the last token opened an object or a list, which may turn out to be empty.
    opened: bool,
}

/// A line break, and white space for as many levels as most texts have.
const LINE: &str = "\n                                                                ";

impl Indenter {
    /// Appends a piece, which is made of whole tokens.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            let byte = bytes[start];
            at += 1;
            if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                continue;
            }
            let closes = matches!(byte, b'}' | b']');
            self.depth -= usize::from(closes && self.depth > 0);
            if self.opened != closes {
                self.line(out);
            }
            self.opened = matches!(byte, b'{' | b'[');
            self.depth += usize::from(self.opened);
            match byte {
                b'"' => at = string_end(bytes, start),
                b'{' | b'[' | b'}' | b']' => {}
                b',' => {
                    out.push(',');
                    self.line(out);
                    continue;
                }
                b':' => {
                    out.push_str(": ");
                    continue;
                }
                _ => {
                    while at < bytes.len()
                        && !matches!(bytes[at], b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[')
                        && !bytes[at].is_ascii_whitespace()
                    {
                        at += 1;
                    }
                }
            }
            out.push_str(&text[start..at]);
        }
    }

    fn line(&self, out: &mut String) {
        let width = self.depth * 4;
        match LINE.get(..=width) {
            Some(line) => out.push_str(line),
            None => {
                out.push_str(LINE);
                out.extend(std::iter::repeat_n(' ', width + 1 - LINE.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str, escape: Escape) -> String {
        let mut out = String::new();
        push_string(&mut out, text, escape);
        out
    }

    #[test]
    fn strings_are_escaped_wherever_it_stands_in_them() {
        let escapes = [
            ("\"", "\\\"", "\\\""),
            ("\\", "\\\\", "\\\\"),
            ("\u{1}", "\\u0001", "\\u0001"),
            ("<", "<", "\\u003c"),
            ("\u{2028}", "\\u2028", "\\u2028"),
            ("\u{20ac}", "\u{20ac}", "\u{20ac}"),
        ];
        for before in 0..70 {
            for (raw, plain, html) in escapes {
                let around = |middle: &str| format!("{}{middle}{}", "x".repeat(before), "é".repeat(40));
                let quoted = |middle: &str| format!("\"{}\"", around(middle));
                assert_eq!(string(&around(raw), Escape::Plain), quoted(plain), "{before} before {raw:?}");
                assert_eq!(string(&around(raw), Escape::Html), quoted(html), "{before} before {raw:?}");
            }
        }
    }

    #[test]
    fn numbers_print_as_in_existing_checkpoints() {
        let table: &[(u64, &str)] = &[
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "-0"),
            (0x3ff0_0000_0000_0000, "1"),
            (0xbff0_0000_0000_0000, "-1"),
            (0x3ff8_0000_0000_0000, "1.5"),
            (0x4415_af1d_78b5_8c40, "100000000000000000000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0xc44b_1ae4_d6e2_ef50, "-1e+21"),
            (0x44ba_249b_1f10_a06d, "1.2345678901234569e+23"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x3eb0_c2ac_1dbb_e3d8, "9.99e-7"),
            (0x3e7a_d7f2_9abc_af48, "1e-7"),
            (0x3de4_9da7_e361_ce4c, "1.5e-10"),
            (0x2b2b_ff2e_e48e_0530, "1e-100"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x433f_ffff_ffff_ffff, "9007199254740991"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x3fb9_9999_9999_999a, "0.1"),
            (0x3fd5_5555_5555_5555, "0.3333333333333333"),
            (0x40fe_240c_9fbe_76c9, "123456.789"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x4480_f0cf_064d_d592, "1e+22"),
            (0xbe25_798e_e230_8c3a, "-2.5e-9"),
            (0x4330_0000_0000_0002, "4503599627370498"),
        ];
        for (bits, expected) in table {
            let mut out = String::new();
            push_number(&mut out, f64::from_bits(*bits));
            assert_eq!(out, *expected);
            assert_eq!(out.parse::<f64>().unwrap().to_bits(), *bits, "{out}");
        }
    }

    #[test]
    fn strings_escape_as_in_existing_checkpoints() {
        let controls: String = (0u8..0x20).map(char::from).collect();
        assert_eq!(
            string(&controls, Escape::Plain),
            "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\
             \\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\
             \\u001e\\u001f\""
        );
        assert_eq!(string("\"\\/\u{7f}\u{80}", Escape::Plain), "\"\\\"\\\\/\u{7f}\u{80}\"");
        assert_eq!(
            string("\u{2027}\u{2028}\u{2029}\u{202a}\u{feff}😀", Escape::Plain),
            "\"\u{2027}\\u2028\\u2029\u{202a}\u{feff}😀\""
        );
        assert_eq!(string("<a&b>", Escape::Plain), "\"<a&b>\"");
        assert_eq!(string("<a&b>", Escape::Html), "\"\\u003ca\\u0026b\\u003e\"");
        assert_eq!(string("ends with \u{e2}", Escape::Plain), "\"ends with \u{e2}\"");
    }

    #[test]
    fn layout_goes_there_and_back() {
        let flat = r#"{"a":[1,-2.5e-7,{"b \" [":"x, {\\"}],"c":{},"d":[],"e":null}"#;
        let lines = indent(flat);
        assert_eq!(
            lines,
            "{\n    \"a\": [\n        1,\n        -2.5e-7,\n        {\n            \"b \\\" [\": \"x, {\\\\\"\n        \
             }\n    ],\n    \"c\": {},\n    \"d\": [],\n    \"e\": null\n}"
        );
        assert_eq!(compact(&lines), flat);
        assert_eq!(indent(&lines), lines);
        assert!(matches!(compact(flat), Cow::Borrowed(_)));
    }

    #[test]
    fn pieces_are_laid_out_as_the_whole() {
        let pieces = ["{\"a\":[", "1,", "{}", "],\"b\"", ":{ ", " }", "", ",\"c\":[[", "]]}"];
        let (mut indenter, mut out) = (Indenter::default(), String::new());
        for piece in pieces {
            indenter.push(piece, &mut out);
        }
        assert_eq!(out, indent(&pieces.concat()));
        let (deep, levels) = ("[".repeat(20), 20);
        assert!(indent(&(deep + "1")).ends_with(&format!("\n{}1", "    ".repeat(levels))));
    }

    #[test]
    fn broken_text_does_not_panic() {
        for text in ["\"", "\"\\", "{", "[[", "}", "]]}", "{\"a\":\"\\", ",", "é\"é"] {
            let _ = (compact(text).len(), indent(text).len());
        }
    }
}
