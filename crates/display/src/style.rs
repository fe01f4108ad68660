//! Colours, and texts that carry them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::text;

/// What a piece of text stands for; decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Headline,
    Column,
    Resource,
    Create,
    Update,
    Delete,
    Replace,
    CreateReplacement,
    DeleteReplaced,
    Read,
    Error,
    Warning,
    Info,
    Debug,
    Faint,
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        let color = |color: AnsiColor| color.on_default();
        match self {
            Tone::Plain => Style::new(),
            Tone::Headline => color(AnsiColor::BrightMagenta).bold(),
            Tone::Column => color(AnsiColor::BrightBlue).underline(),
            Tone::Resource => color(AnsiColor::BrightBlue),
            Tone::Create => color(AnsiColor::Green),
            Tone::Update => color(AnsiColor::Yellow),
            Tone::Delete => color(AnsiColor::Red),
            Tone::Replace => color(AnsiColor::Magenta),
            Tone::CreateReplacement => color(AnsiColor::BrightGreen),
            Tone::DeleteReplaced => color(AnsiColor::BrightRed),
            Tone::Read => color(AnsiColor::Cyan),
            Tone::Error => color(AnsiColor::BrightRed).bold(),
            Tone::Warning => color(AnsiColor::Yellow),
            Tone::Info => color(AnsiColor::Magenta),
            Tone::Debug | Tone::Faint => color(AnsiColor::BrightBlack),
            Tone::Strong => Style::new().bold(),
        }
    }
}

/// Appends text in a tone.
pub(crate) fn put(out: &mut String, colors: bool, tone: Tone, text: &str) {
    if !colors || tone == Tone::Plain || text.is_empty() {
        out.push_str(text);
        return;
    }
    let style = tone.style();
    // A style never spans lines: whoever cuts the text into lines gets whole ones.
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            let _ = write!(out, "{style}{line}{style:#}");
        }
    }
}

/// A text on one line, made of pieces in their tones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Styled(Vec<(Tone, String)>);

impl Styled {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        let mut styled = Styled::default();
        styled.push(tone, text);
        styled
    }

    pub(crate) fn push(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.0.push((tone, text));
        }
    }

    pub(crate) fn append(&mut self, other: Styled) {
        self.0.extend(other.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text::width(text)).sum()
    }

    pub(crate) fn pad_to(&mut self, width: usize) {
        let missing = width.saturating_sub(self.width());
        self.push(Tone::Plain, " ".repeat(missing));
    }

    /// Cuts the text to a number of columns; a cut is marked.
    pub(crate) fn fit(&mut self, limit: usize) {
        if self.width() <= limit {
            return;
        }
        let mut left = limit;
        let mut kept = Vec::new();
        for (tone, text) in std::mem::take(&mut self.0) {
            let width = text::width(&text);
            if width >= left {
                kept.push((tone, text::fit(&text, left, true).into_owned()));
                break;
            }
            left -= width;
            kept.push((tone, text));
        }
        self.0 = kept;
    }

    /// The text, cut to `limit` columns, with no blanks at its end.
    pub(crate) fn render(mut self, colors: bool, limit: usize) -> String {
        while let Some((_, last)) = self.0.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            self.0.pop();
        }
        self.fit(limit);
        let mut out = String::with_capacity(self.0.iter().map(|(_, text)| text.len()).sum());
        for (tone, text) in &self.0 {
            put(&mut out, colors, *tone, text);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_styled_text_is_cut_to_its_columns() {
        let styled = || {
            let mut s = Styled::new(Tone::Create, "äb日本");
            s.push(Tone::Plain, "cd  ");
            s
        };
        assert_eq!(styled().render(false, 80), "äb日本cd");
        assert_eq!(styled().render(false, 8), "äb日本cd");
        assert_eq!(styled().render(false, 7), "äb日本…");
        assert_eq!(styled().render(false, 6), "äb日…");
        assert_eq!(styled().render(false, 5), "äb日…");
        assert_eq!(styled().render(false, 0), "");
        assert_eq!(styled().render(true, 4), "\u{1b}[32mäb…\u{1b}[0m");
    }
}
