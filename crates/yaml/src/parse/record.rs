//! Objects with known keys, which are matched without regard to case.

use purlin_project::yaml::{Entry, Location, Node, Resolved};

use super::{Parser, did_you_mean};
use crate::syntax::{Flag, Text};

/// How an unknown key of a record is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// As an error.
    Error,
    /// As a warning.
    Warn,
    /// As somebody else's affair.
    Ignore,
}

impl Parser {
    /// The entries of a record, each under the key that was meant. `what` names the record.
    pub(super) fn record<'n, 'k>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &'k [&'k str],
        unknown: Unknown,
    ) -> Vec<(&'k str, &'n Entry)> {
        let Some(entries) = node.entries() else {
            if !node.is_null() {
                let message = format!("{what} must be an object, not {}", article(node.kind()));
                self.error("yaml-shape", &node.location, message);
            }
            return Vec::new();
        };
        let mut found: Vec<(&'k str, &'n Entry)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(name) = entry.name() else {
                self.error("yaml-key", &entry.key.location, "keys must be texts");
                continue;
            };
            let Some(key) = known.iter().copied().find(|key| key.eq_ignore_ascii_case(name)) else {
                let message = format!("unknown key \"{name}\" in {what}");
                let hint = did_you_mean(name, known.iter().copied());
                match unknown {
                    Unknown::Error => {
                        self.error_with_hint("yaml-unknown-key", &entry.key.location, message, hint);
                    }
                    Unknown::Warn => self.warning("yaml-unknown-key", &entry.key.location, message, hint),
                    Unknown::Ignore => {}
                }
                continue;
            };
            self.check_casing(&entry.key.location, name, key);
            if found.iter().any(|(other, _)| *other == key) {
                let message = format!("\"{key}\" is given twice in {what}");
                self.error("yaml-duplicate-key", &entry.key.location, message);
                continue;
            }
            found.push((key, entry));
        }
        found
    }

    /// The entries of an object with keys of the user's choice.
    pub(super) fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Text, &'n Node)> {
        let Some(entries) = node.entries() else {
            if !node.is_null() {
                let message = format!("{what} must be an object, not {}", article(node.kind()));
                self.error("yaml-shape", &node.location, message);
            }
            return Vec::new();
        };
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry.name() {
                Some(name) => {
                    found.push((text_at(name, &entry.key.location), &entry.value));
                }
                None => self.error("yaml-key", &entry.key.location, "keys must be texts"),
            }
        }
        found
    }

    /// A text without references. Numbers and truth values are not taken for texts.
    pub(super) fn literal(&mut self, node: &Node, what: &str) -> Option<Text> {
        let Some(text) = node.as_str() else {
            let message = format!("{what} must be a string, not {}", article(node.kind()));
            self.error("yaml-shape", &node.location, message);
            return None;
        };
        match self.text_expr(text, &node.location).kind {
            crate::syntax::ExprKind::Text(value) => Some(Text { value, at: node.location.clone() }),
            crate::syntax::ExprKind::Null => None,
            _ => {
                let message = format!("{what} must be a plain string: references are not possible here");
                self.error("yaml-literal", &node.location, message);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, node: &Node, what: &str) -> Option<Flag> {
        match node.resolve() {
            Some(Resolved::Bool(value)) => Some(Flag { value, at: node.location.clone() }),
            _ => {
                let message = format!("{what} must be true or false, not {}", article(node.kind()));
                self.error("yaml-shape", &node.location, message);
                None
            }
        }
    }

    pub(super) fn literals(&mut self, node: &Node, what: &str) -> Vec<Text> {
        let Some(items) = node.items() else {
            let message = format!("{what} must be a list of strings, not {}", article(node.kind()));
            self.error("yaml-shape", &node.location, message);
            return Vec::new();
        };
        let what = format!("an item of {what}");
        items.iter().filter_map(|item| self.literal(item, &what)).collect()
    }
}

pub(super) fn text_at(value: &str, at: &Location) -> Text {
    Text { value: value.to_owned(), at: at.clone() }
}

/// The name of a kind of value with its article.
pub(super) fn article(kind: &str) -> &'static str {
    match kind {
        "array" => "a list",
        "object" => "an object",
        "boolean" => "a boolean",
        "number" => "a number",
        "string" => "a string",
        _ => "nothing",
    }
}
