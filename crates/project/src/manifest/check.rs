//! Reads typed fields out of a manifest and collects every complaint with its place.

use purlin_diag::{Diagnostic, Span};

use crate::suggest::nearest;
use crate::value::{Object, Value};
use crate::yaml::Node;

/// Collects complaints while a manifest is read.
pub(crate) struct Checker {
    pub(crate) problems: Vec<Diagnostic>,
}

/// Whether `null` is accepted and read as nothing.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Null {
    Allowed,
    Refused,
}

impl Checker {
    pub(crate) fn new() -> Self {
        Checker { problems: Vec::new() }
    }

    /// Complains about a value by its path in the file, such as `#/template/config`.
    pub(crate) fn at(&mut self, path: &str, span: Span, message: impl std::fmt::Display) {
        let message = format!("#{path}: {message}");
        self.problems.push(Diagnostic::error("project-invalid", message).with_span(span));
    }

    /// Complains in a whole sentence.
    pub(crate) fn say(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Diagnostic::error("project-invalid", message).with_span(span));
    }

    fn expected(&mut self, path: &str, node: &Node, kind: &str, null: Null) {
        let or_null = if null == Null::Allowed { " or null" } else { "" };
        self.at(path, node.span(), format_args!("expected {kind}{or_null}, but got {}", node.kind()));
    }

    pub(crate) fn string(&mut self, path: &str, node: Option<&Node>, null: Null) -> Option<String> {
        let node = node?;
        match node.as_str() {
            Some(text) => Some(text.to_owned()),
            None if node.is_null() && null == Null::Allowed => None,
            None => {
                self.expected(path, node, "string", null);
                None
            }
        }
    }

    pub(crate) fn non_empty_string(&mut self, path: &str, node: Option<&Node>) -> Option<String> {
        let text = self.string(path, node, Null::Refused)?;
        if text.is_empty() {
            self.at(path, node?.span(), "length must be >= 1, but got 0");
        }
        Some(text)
    }

    pub(crate) fn boolean(&mut self, path: &str, node: Option<&Node>, null: Null) -> Option<bool> {
        let node = node?;
        let value = node.as_bool();
        if value.is_none() && !(node.is_null() && null == Null::Allowed) {
            self.expected(path, node, "boolean", null);
        }
        value
    }

    /// A mapping; anything else is complained about.
    pub(crate) fn mapping<'n>(&mut self, path: &str, node: Option<&'n Node>, null: Null) -> Option<&'n Node> {
        let node = node?;
        if node.entries().is_some() {
            return Some(node);
        }
        if !(node.is_null() && null == Null::Allowed) {
            self.expected(path, node, "object", null);
        }
        None
    }

    /// Complains about every key of a mapping that isn't one of `allowed`.
    pub(crate) fn only_keys(&mut self, path: &str, node: &Node, allowed: &[&str]) {
        for entry in node.entries().unwrap_or_default() {
            let name = entry.name().unwrap_or_default();
            if allowed.contains(&name) {
                continue;
            }
            let advice = match (nearest(name, allowed.iter().copied()), allowed) {
                (Some(meant), _) => format!("; did you mean '{meant}'?"),
                (None, []) => String::new(),
                (None, [only]) => format!("; the only allowed attribute is '{only}'"),
                (None, _) => format!("; the allowed attributes are {}", listed(allowed)),
            };
            let message = format!("additionalProperties '{name}' not allowed{advice}");
            self.at(path, entry.key.span(), message);
        }
    }

    /// Complains about required keys that a mapping lacks.
    pub(crate) fn required_keys(&mut self, path: &str, node: &Node, required: &[&str]) {
        let missing: Vec<_> = required.iter().filter(|key| node.get(key).is_none()).collect();
        if !missing.is_empty() {
            let quoted: Vec<_> = missing.iter().map(|key| format!("'{key}'")).collect();
            self.at(path, node.span(), format_args!("missing properties: {}", quoted.join(", ")));
        }
    }

    /// A list of texts.
    pub(crate) fn strings(&mut self, path: &str, node: Option<&Node>) -> Vec<String> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = node.items() else {
            self.expected(path, node, "array", Null::Refused);
            return Vec::new();
        };
        let item = |(index, item)| self.string(&format!("{path}/{index}"), Some(item), Null::Refused);
        items.iter().enumerate().filter_map(item).collect()
    }

    /// A mapping of texts.
    pub(crate) fn string_map(
        &mut self,
        path: &str,
        node: Option<&Node>,
        null: Null,
    ) -> indexmap::IndexMap<String, String> {
        let Some(node) = self.mapping(path, node, null) else { return indexmap::IndexMap::new() };
        let mut texts = indexmap::IndexMap::new();
        for entry in node.entries().unwrap_or_default() {
            let name = entry.name().unwrap_or_default();
            if let Some(text) = self.string(&format!("{path}/{name}"), Some(&entry.value), Null::Refused) {
                texts.insert(name.to_owned(), text);
            }
        }
        texts
    }

    /// The items of a list; anything else is complained about.
    pub(crate) fn list<'n>(&mut self, path: &str, node: Option<&'n Node>) -> &'n [Node] {
        match node {
            None => &[],
            Some(node) => node.items().unwrap_or_else(|| {
                self.expected(path, node, "array", Null::Refused);
                &[]
            }),
        }
    }

    /// A mapping of anything, as data.
    pub(crate) fn object(&mut self, path: &str, node: Option<&Node>) -> Object {
        match self.mapping(path, node, Null::Refused).map(Node::to_value) {
            Some(Value::Object(fields)) => fields,
            _ => Object::new(),
        }
    }
}

/// `'a', 'b' and 'c'`, in order.
fn listed(names: &[&str]) -> String {
    let mut names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    names.sort();
    let last = names.pop().unwrap_or_default();
    format!("{} and {last}", names.join(", "))
}
