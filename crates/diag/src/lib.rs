//! A diagnostic as a value: what is wrong, where, and what to do about it.
//!
//! Nothing here knows a terminal: `display` and the command line draw these values.

use std::fmt;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Shown only when debug output was asked for.
    Debug,
    /// A message for the user that asks for nothing.
    Info,
    /// Text that a program wrote to its standard error; shown like [`Severity::Info`].
    InfoError,
    /// Something that the user should know about, though the operation goes on.
    Warning,
    /// The operation, or one resource of it, fails.
    Error,
}

impl Severity {
    /// The word that engine events use for this severity.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::InfoError => "info#err",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A stretch of a text file. Lines and columns count from one; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file as the user would name it.
    pub file: String,
    /// First line of the stretch.
    pub line: u32,
    /// First column of the stretch.
    pub column: u32,
    /// Last line of the stretch.
    pub end_line: u32,
    /// Column just after the stretch.
    pub end_column: u32,
}

impl Span {
    /// A span of no length at a place.
    pub fn at(file: impl Into<String>, line: u32, column: u32) -> Self {
        Span { file: file.into(), line, column, end_line: line, end_column: column }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong (or worth knowing), where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable short code such as `state-truncated`, by which documents and tests name it.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What happened, in a sentence without a trailing newline.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// The resource that it is about, as a URN.
    pub urn: Option<String>,
    /// The place in a file that it is about.
    pub span: Option<Span>,
}

impl Diagnostic {
    /// An error with a code and a message.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            hint: None,
            urn: None,
            span: None,
        }
    }

    /// A warning with a code and a message.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the resource that it is about.
    #[must_use]
    pub fn with_urn(mut self, urn: impl Into<String>) -> Self {
        self.urn = Some(urn.into());
        self
    }

    /// Names the place that it is about.
    #[must_use]
    pub fn with_span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            write!(f, "{span}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_message_and_hint() {
        let d = Diagnostic::error("yaml-unknown-key", "unknown key \"foo\"")
            .with_span(Span::at("Pulumi.yaml", 3, 5))
            .with_hint("did you mean \"for\"?");
        assert_eq!(d.to_string(), "Pulumi.yaml:3:5: unknown key \"foo\"\n  did you mean \"for\"?");
    }
}
