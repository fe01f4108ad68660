//! From the positioned tree to typed declarations.

mod expr;
mod interpolate;
mod options;
mod program;
mod record;

use std::sync::Arc;

use purlin_diag::{Diagnostic, Severity};
use purlin_project::yaml::{Location, Node};

pub(crate) use expr::function_name;

use crate::program::YamlProgram;
use crate::syntax::{Invoke, ResourceOptions, StackReference};

/// What has been read and what is wrong with it.
#[derive(Default)]
pub(crate) struct Parser {
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) invokes: Vec<Invoke>,
    pub(crate) stacks: Vec<StackReference>,
    pub(crate) no_options: Arc<ResourceOptions>,
}

/// Reads a program. The diagnostics are warnings if there is a program, and hold at least one error
/// if there is none.
pub(crate) fn parse(root: &Node) -> (Option<YamlProgram>, Vec<Diagnostic>) {
    let mut parser = Parser::default();
    let program = parser.program(root);
    let Parser { mut problems, .. } = parser;
    problems.sort_by_key(|p| p.span.as_ref().map_or((0, 0), |span| (span.line, span.column)));
    let failed = problems.iter().any(|p| p.severity == Severity::Error);
    (program.filter(|_| !failed), problems)
}

impl Parser {
    pub(crate) fn error(&mut self, code: &'static str, at: &Location, message: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, message).with_span(at.span()));
    }

    pub(crate) fn error_with_hint(
        &mut self,
        code: &'static str,
        at: &Location,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::error(code, message).with_span(at.span()).with_hint(hint));
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        at: &Location,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::warning(code, message).with_span(at.span()).with_hint(hint));
    }

    /// Warns if a word that is matched without regard to case was written in another than its own.
    pub(crate) fn check_casing(&mut self, at: &Location, written: &str, expected: &str) {
        if written != expected {
            self.warning(
                "yaml-casing",
                at,
                format!("\"{written}\" is not in its usual case"),
                format!("write \"{expected}\""),
            );
        }
    }
}

/// A hint that offers the most similar of some words, or lists them all.
pub(crate) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    if let Some(nearest) = purlin_project::nearest(word, known.iter().copied()) {
        return format!("did you mean \"{nearest}\"?");
    }
    match known.len() {
        0 => "there are none".to_owned(),
        1..=12 => format!("there are: {}", known.join(", ")),
        more => format!("there are: {} and {} more", known[..10].join(", "), more - 10),
    }
}
