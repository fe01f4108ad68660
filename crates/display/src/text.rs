//! Widths, names and untrusted text.

use std::borrow::Cow;
use std::fmt::Write as _;

use purlin_model::urn::Urn;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// How many columns a line takes on a terminal, colours left out.
pub fn columns(line: &str) -> usize {
    width(&clean(line, false))
}

/// The text, cut to a number of columns; a cut is marked. `marked` asks for the mark even where the
/// text itself would fit, because more follows it.
pub(crate) fn fit(text: &str, limit: usize, marked: bool) -> Cow<'_, str> {
    if !marked && width(text) <= limit {
        return Cow::Borrowed(text);
    }
    if limit == 0 {
        return Cow::Borrowed("");
    }
    let mut taken = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let columns = c.width().unwrap_or(0);
        if taken + columns > limit - 1 {
            break;
        }
        taken += columns;
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A text from elsewhere, made harmless: without escape sequences (but for colours, if they are
/// wanted), colour tags and control characters. Line ends stay.
pub(crate) fn clean(text: &str, colors: bool) -> Cow<'_, str> {
    let suspect = |c: char| (c.is_control() && c != '\n') || is_bidi(c);
    if !text.contains(suspect) && !text.contains("<{%") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut colored = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\u{1b}' {
            let (sequence, after) = escape_sequence(rest);
            if colors && is_color(sequence) {
                colored = true;
                out.push_str(sequence);
            }
            rest = after;
            continue;
        }
        if let Some(tag) = rest.strip_prefix("<{%")
            && let Some(end) = tag.find("%}>")
            && !tag[..end].contains('\n')
        {
            rest = &tag[end + 3..];
            continue;
        }
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if suspect(c) => {}
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    if colored {
        out.push_str("\u{1b}[0m");
    }
    Cow::Owned(out)
}

/// The first line of a text that has something on it, made harmless and without colours.
pub(crate) fn first_line(text: &str) -> String {
    let cleaned = clean(text, false);
    cleaned.lines().map(str::trim_end).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The lines of a text without the empty ones at its end, made harmless.
pub(crate) fn lines(text: &str, colors: bool) -> Vec<String> {
    let cleaned = clean(text, colors);
    let mut lines: Vec<String> = cleaned.lines().map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(|line| clean(line, false).trim().is_empty()) {
        lines.pop();
    }
    lines
}

fn is_color(sequence: &str) -> bool {
    sequence.starts_with("\u{1b}[") && sequence.ends_with('m')
}

/// Splits off the escape sequence that a text begins with.
fn escape_sequence(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut end = 1;
    match bytes.get(1) {
        Some(b'[') => {
            end = 2;
            while bytes.get(end).is_some_and(|b| (0x20..0x40).contains(b)) {
                end += 1;
            }
            end += usize::from(bytes.get(end).is_some_and(|b| (0x40..0x7f).contains(b)));
        }
        Some(b']' | b'P' | b'_' | b'^' | b'X') => {
            // The string ends with BEL or ESC \; one that never ends takes the rest of its line.
            end = text.find(['\u{7}', '\n']).unwrap_or(text.len());
            if let Some(terminator) = text.find("\u{1b}\\")
                && terminator < end
            {
                end = terminator + 2;
            } else if bytes.get(end) == Some(&7) {
                end += 1;
            }
        }
        Some(b) if (0x30..0x7f).contains(b) => end = 2,
        _ => {}
    }
    text.split_at(end)
}

/// Whether a character turns the direction of the text around it.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A text in double quotes, with everything escaped that would not be seen as itself.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(&mut out, text);
    out.push('"');
    out
}

/// Appends a text as it stands between double quotes.
pub(crate) fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_bidi(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// A name as it can be shown on a line: what can't be seen is escaped.
pub fn shown_name(name: &str) -> Cow<'_, str> {
    if !name.contains(|c: char| c.is_control() || is_bidi(c)) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '"' | '\\') { out.push(c) } else { escape_into(&mut out, c.encode_utf8(&mut [0; 4])) }
    }
    Cow::Owned(out)
}

/// A type token without the part of its module that repeats its name:
/// `random:index:RandomPet` for `random:index/randomPet:RandomPet`.
pub fn shown_type(ty: &str) -> Cow<'_, str> {
    let short = || {
        let (package, rest) = ty.split_once(':')?;
        let (module, name) = rest.split_once(':')?;
        let (module, file) = module.rsplit_once('/')?;
        let mut letters = name.chars();
        let first = letters.next().filter(|_| !name.contains(':'))?;
        let camel = first.to_lowercase().chain(letters);
        camel.eq(file.chars()).then(|| format!("{package}:{module}:{name}"))
    };
    match short() {
        Some(text) => Cow::Owned(text),
        None => shown_name(ty),
    }
}

/// A resource as headings name it.
pub(crate) fn resource_title(urn: &Urn, urns: bool) -> String {
    if urns {
        return shown_name(urn.as_str()).into_owned();
    }
    format!("{} ({})", shown_type(urn.ty()), shown_name(urn.name()))
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_the_part_that_repeats() {
        assert_eq!(shown_type("random:index/randomPet:RandomPet"), "random:index:RandomPet");
        assert_eq!(shown_type("aws:s3/bucketV2:BucketV2"), "aws:s3:BucketV2");
        assert_eq!(shown_type("kubernetes:apps/v1:Deployment"), "kubernetes:apps/v1:Deployment");
        assert_eq!(shown_type("pulumi:pulumi:Stack"), "pulumi:pulumi:Stack");
        assert_eq!(shown_type("odd"), "odd");
    }

    #[test]
    fn untrusted_text_cannot_steer_the_terminal() {
        let text = "a\u{1b}[31mred\u{1b}[0m\u{1b}[2Jb\u{1b}]0;title\u{7}c\u{8}\rd\te<{%fg 2%}>f\u{202e}g";
        assert_eq!(clean(text, false), "aredbcd    efg");
        assert_eq!(clean(text, true), "a\u{1b}[31mred\u{1b}[0mbcd    efg\u{1b}[0m");
        assert_eq!(clean("plain\nlines", true), "plain\nlines");
        assert_eq!(clean("x\u{1b}", false), "x");
        assert_eq!(clean("x\u{1b}]never ends\nnext", false), "x\nnext");
    }

    #[test]
    fn names_are_shown_escaped() {
        assert_eq!(shown_name("a\nb\"c\\"), "a\\nb\"c\\");
        assert_eq!(quoted("a\nb\"\u{1}"), "\"a\\nb\\\"\\u0001\"");
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(fit("abc", 3, false), "abc");
        assert_eq!(fit("abcd", 3, false), "ab…");
        assert_eq!(fit("日本語", 4, false), "日…");
        assert_eq!(fit("abc", 0, false), "");
    }
}
