//! Diagnostics as text for standard error.

use std::fmt::Write as _;

use purlin_diag::{Diagnostic, Severity};

/// A diagnostic with its place, the line of the file that it is about, and the way out.
pub(crate) fn render(diagnostic: &Diagnostic, colors: bool) -> String {
    let (word, color) = match diagnostic.severity {
        Severity::Error => ("error", "\u{1b}[1;31m"),
        Severity::Warning => ("warning", "\u{1b}[1;33m"),
        _ => ("info", "\u{1b}[1m"),
    };
    let (on, off) = if colors { (color, "\u{1b}[0m") } else { ("", "") };
    let mut text = format!("{on}{word}:{off} {}", diagnostic.message);
    if let Some(span) = &diagnostic.span {
        let _ = write!(text, "\n  --> {span}");
        if let Some(line) = source_line(span) {
            let start = span.column.saturating_sub(1) as usize;
            let length = if span.end_line == span.line {
                span.end_column.saturating_sub(span.column).max(1)
            } else {
                1
            };
            let gutter = span.line.to_string().len();
            let _ = write!(
                text,
                "\n{:gutter$} |\n{} | {line}\n{:gutter$} | {}{on}{}{off}",
                "",
                span.line,
                "",
                " ".repeat(start),
                "^".repeat(length as usize)
            );
        }
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    text
}

fn source_line(span: &purlin_diag::Span) -> Option<String> {
    let text = std::fs::read_to_string(&span.file).ok()?;
    let line = text.lines().nth((span.line as usize).checked_sub(1)?)?;
    (line.len() < 400).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_without_a_place_is_a_line_and_a_hint() {
        let diagnostic = Diagnostic::error("x", "it is broken").with_hint("mend it");
        assert_eq!(render(&diagnostic, false), "error: it is broken\n  hint: mend it");
    }
}
