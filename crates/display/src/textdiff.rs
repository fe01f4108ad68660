//! Texts: as JSON where both sides are, else line by line or side by side.

use std::borrow::Cow;

use purlin_model::value::PropertyValue;
use similar::{ChangeTag, TextDiff};

use crate::compare::Comparer;
use crate::printer::{Mark, Printer};
use crate::style::Tone;
use crate::text;

/// Unchanged lines to show around changed ones.
const CONTEXT: usize = 2;

/// Above this many lines on a side, texts are not compared line by line.
const MOST_LINES: usize = 4000;

/// Longer lines are cut if long texts are to be cut short.
const LONG_LINE: usize = 150;

/// More lines are cut if long texts are to be cut short.
const MANY_LINES: usize = 3;

/// The object or list that a text is the JSON of.
pub(crate) fn decode_json(text: &str) -> Option<PropertyValue> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    let decoded: serde_json::Value = serde_json::from_str(trimmed).ok()?;
    Some(from_json(decoded))
}

fn from_json(value: serde_json::Value) -> PropertyValue {
    match value {
        serde_json::Value::Null => PropertyValue::Null,
        serde_json::Value::Bool(value) => PropertyValue::Bool(value),
        serde_json::Value::Number(number) => match number.as_f64() {
            // A float can't hold every number that JSON can.
            Some(float) if float.to_string() == number.to_string() => PropertyValue::Number(float),
            _ if number.is_f64() => PropertyValue::Number(number.as_f64().unwrap_or_default()),
            _ => PropertyValue::String(number.to_string()),
        },
        serde_json::Value::String(text) => PropertyValue::String(text),
        serde_json::Value::Array(items) => PropertyValue::Array(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(map) => {
            PropertyValue::Object(map.into_iter().map(|(k, v)| (k, from_json(v))).collect())
        }
    }
}

/// The beginning of a text that has many or long lines.
pub(crate) fn truncated(text: &str) -> Cow<'_, str> {
    let short = |line: &str| line.chars().count() <= LONG_LINE;
    if text.lines().count() <= MANY_LINES && text.lines().all(short) {
        return Cow::Borrowed(text);
    }
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    for line in text.lines().take(MANY_LINES) {
        if short(line) {
            lines.push(line.into());
        } else {
            let cut: String = line.chars().take(LONG_LINE).collect();
            lines.push(format!("{cut}...").into());
        }
    }
    if text.lines().count() > MANY_LINES {
        lines.push("...".into());
    }
    Cow::Owned(lines.join("\n"))
}

impl Printer {
    /// A property whose text has changed.
    pub(crate) fn text_update(&mut self, level: usize, title: &str, old: &str, new: &str) {
        if let (Some(a), Some(b)) = (decode_json(old), decode_json(new)) {
            let entry = Comparer::new(self.lens, &[]).values(&a, &b);
            if entry.differs() {
                return self.entry(level, &format!("{title}(json) "), &entry);
            }
        } else if old.contains('\n') || new.contains('\n') {
            self.begin(level, Mark::Update);
            self.put(Tone::Update, title.trim_end());
            self.out.push('\n');
            return self.line_diff(level + 1, old, new);
        }
        self.begin(level, Mark::Update);
        self.put(Tone::Update, title);
        let (old, new) = if self.truncate_texts() {
            (truncated(old), truncated(new))
        } else {
            (Cow::Borrowed(old), Cow::Borrowed(new))
        };
        let (start, end) = common_ends(&old, &new);
        self.marked_text(&old, start, end, Tone::Delete);
        self.put(Tone::Update, " => ");
        self.marked_text(&new, start, end, Tone::Create);
        self.out.push('\n');
    }

    /// A quoted text whose middle, by which it differs, stands out.
    fn marked_text(&mut self, text: &str, start: usize, end: usize, tone: Tone) {
        let escaped = |part: &str| {
            let mut out = String::new();
            text::escape_into(&mut out, part);
            out
        };
        self.put(Tone::Plain, &format!("\"{}", escaped(&text[..start])));
        self.put(tone, &escaped(&text[start..text.len() - end]));
        self.put(Tone::Plain, &format!("{}\"", escaped(&text[text.len() - end..])));
    }

    /// The lines by which two texts differ, with some lines around them.
    pub(crate) fn line_diff(&mut self, level: usize, old: &str, new: &str) {
        let counts = (old.lines().count(), new.lines().count());
        if counts.0.max(counts.1) > MOST_LINES {
            self.begin(level, Mark::None);
            let lines = |count: usize| text::counted(count as u64, "line");
            self.put(Tone::Update, &format!("({} => {})\n", lines(counts.0), lines(counts.1)));
            return;
        }
        let diff = TextDiff::from_lines(old, new);
        let total = counts.0;
        let mut reached = 0;
        for group in diff.grouped_ops(CONTEXT) {
            let start = group.first().map_or(0, |op| op.old_range().start);
            self.ellipsis(level, start > reached);
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let mark = match change.tag() {
                    ChangeTag::Equal => Mark::None,
                    ChangeTag::Insert => Mark::Add,
                    ChangeTag::Delete => Mark::Delete,
                };
                self.begin(level, mark);
                let line = text::clean(change.value().trim_end_matches(['\n', '\r']), false);
                self.put(mark.tone(), &line);
                if change.missing_newline() && mark != Mark::None {
                    self.put(Tone::Faint, " (no line end)");
                }
                self.out.push('\n');
            }
            reached = group.last().map_or(reached, |op| op.old_range().end);
        }
        self.ellipsis(level, reached < total);
    }

    fn ellipsis(&mut self, level: usize, wanted: bool) {
        if wanted {
            self.begin(level, Mark::None);
            self.out.push_str("...\n");
        }
    }
}

/// How many bytes two texts have in common at their starts and at their ends.
fn common_ends(a: &str, b: &str) -> (usize, usize) {
    let start: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    let (a, b) = (&a[start..], &b[start..]);
    let end =
        a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_ends_never_overlap() {
        assert_eq!(common_ends("aa", "aaa"), (2, 0));
        assert_eq!(common_ends("abc", "axc"), (1, 1));
        assert_eq!(common_ends("ä", "ö"), (0, 0));
        assert_eq!(common_ends("", "x"), (0, 0));
    }

    #[test]
    fn only_objects_and_lists_count_as_json() {
        assert!(decode_json("1").is_none());
        assert!(decode_json("\"x\"").is_none());
        assert!(decode_json("{\"a\": 1} trailing").is_none());
        assert!(decode_json(" {\"a\": 1}\n").is_some());
        assert_eq!(
            decode_json("[12345678901234567890]"),
            Some(PropertyValue::Array(vec!["12345678901234567890".into()]))
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(truncated("a\nb\nc"), "a\nb\nc");
        assert_eq!(truncated("a\nb\nc\nd"), "a\nb\nc\n...");
        assert_eq!(truncated(&"x".repeat(200)).len(), 153);
    }
}
