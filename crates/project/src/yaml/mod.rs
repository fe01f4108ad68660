//! A tree of YAML (or JSON) in which every node knows its place in the file.

mod build;
pub mod edit;
pub mod emit;
mod json;
mod place;
mod scalar;

use std::path::Path;
use std::sync::Arc;

use purlin_diag::{Diagnostic, Span};

use crate::value::{Object, Value};
pub use place::{Location, Position};
pub(crate) use scalar::timestamp_text;
pub use scalar::{Resolved, resolve_plain};

/// How deeply values may be nested.
pub const MAX_DEPTH: usize = 200;
/// How many nodes all aliases of a file may stand for together.
pub const MAX_ALIASED_NODES: usize = 100_000;

/// The notation of a settings file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The notation that the extension of a file name stands for.
    pub fn of_path(path: &Path) -> Result<Format, Diagnostic> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Ok(Format::Json),
            Some("yaml" | "yml") => Ok(Format::Yaml),
            _ => Err(Diagnostic::error(
                "file-format",
                format!("can not read '{}': the file name must end in .yaml, .yml or .json", path.display()),
            )),
        }
    }
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes; only such a scalar can be something else than a text.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A text as it was written, with escapes and folds undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
    /// Whether the entry came in through a merge key (`<<`).
    pub merged: bool,
}

impl Entry {
    /// The key, if it is a scalar.
    pub fn name(&self) -> Option<&str> {
        self.key.scalar().map(|scalar| scalar.text.as_str())
    }
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order of the file.
    Mapping(Vec<Entry>),
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it holds.
    pub content: Content,
    /// Its tag, if one was written: `!!str`, `!custom`, or a whole URI.
    pub tag: Option<String>,
    /// Its place. For an alias this is the alias; the nodes below it are where the anchor is.
    pub location: Location,
    /// Whether it stands for an anchor that was defined elsewhere.
    pub aliased: bool,
    /// Whether it was written with brackets (`[…]`, `{…}`) or stands inside such a node.
    pub flow: bool,
}

impl Node {
    /// Names the file that the tree was read from anew.
    pub fn name_file(&mut self, file: &Arc<str>) {
        self.location.file = Arc::clone(file);
        match &mut self.content {
            Content::Scalar(_) => {}
            Content::Sequence(items) => items.iter_mut().for_each(|item| item.name_file(file)),
            Content::Mapping(entries) => entries.iter_mut().for_each(|entry| {
                entry.key.name_file(file);
                entry.value.name_file(file);
            }),
        }
    }

    /// The stretch of the file that the node covers.
    pub fn span(&self) -> Span {
        self.location.span()
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The items of a list, or nothing.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping, or nothing.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a mapping under a key.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.name() == Some(name))
    }

    /// The value of a mapping under a key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        Some(&self.entry(name)?.value)
    }

    /// What a scalar means; `None` for lists and mappings.
    pub fn resolve(&self) -> Option<Resolved<'_>> {
        let scalar = self.scalar()?;
        Some(match self.tag.as_deref() {
            None if scalar.style == Style::Plain => resolve_plain(&scalar.text),
            Some("!!int" | "!!float" | "!!bool" | "!!null") => match resolve_plain(&scalar.text) {
                Resolved::Int(value) if self.tag.as_deref() == Some("!!float") => {
                    Resolved::Float(value as f64)
                }
                resolved => resolved,
            },
            _ => Resolved::Str(&scalar.text),
        })
    }

    /// The text, if the node is a text (and not, say, a number).
    pub fn as_str(&self) -> Option<&str> {
        match self.resolve() {
            Some(Resolved::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.resolve() {
            Some(Resolved::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.resolve() {
            Some(Resolved::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.resolve() {
            Some(Resolved::Int(value)) => Some(value as f64),
            Some(Resolved::Uint(value)) => Some(value as f64),
            Some(Resolved::Float(value)) => Some(value),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        self.resolve() == Some(Resolved::Null)
    }

    /// The name of the kind of value, in the words that messages use.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Sequence(_) => "array",
            Content::Mapping(_) => "object",
            Content::Scalar(_) => match self.resolve() {
                Some(Resolved::Null) | None => "null",
                Some(Resolved::Bool(_)) => "boolean",
                Some(Resolved::Int(_) | Resolved::Uint(_) | Resolved::Float(_)) => "number",
                Some(Resolved::Str(_)) => "string",
            },
        }
    }

    /// The data without places. A key that isn't a scalar is left out; [`parse`] refuses such keys
    /// in settings files through [`Node::check_keys`].
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Sequence(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Mapping(entries) => {
                let mut fields = Object::with_capacity(entries.len());
                for entry in entries {
                    if let Some(name) = entry.name() {
                        fields.insert(name.to_owned(), entry.value.to_value());
                    }
                }
                Value::Object(fields)
            }
            Content::Scalar(_) => match self.resolve() {
                Some(Resolved::Null) | None => Value::Null,
                Some(Resolved::Bool(value)) => Value::Bool(value),
                Some(Resolved::Int(value)) => Value::Int(value),
                Some(Resolved::Uint(value)) => Value::Uint(value),
                Some(Resolved::Float(value)) => Value::Float(value),
                Some(Resolved::Str(text)) => Value::String(text.to_owned()),
            },
        }
    }

    /// Complains about every key below this node that is a list or a mapping.
    pub fn check_keys(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        self.collect_complex_keys(&mut problems);
        problems
    }

    fn collect_complex_keys(&self, problems: &mut Vec<Diagnostic>) {
        for item in self.items().unwrap_or_default() {
            item.collect_complex_keys(problems);
        }
        for entry in self.entries().unwrap_or_default() {
            if entry.key.scalar().is_none() {
                let message = format!("expected only string keys, got an {}", entry.key.kind());
                problems.push(Diagnostic::error("yaml-key", message).with_span(entry.key.span()));
            }
            entry.value.collect_complex_keys(problems);
        }
    }
}

/// Reads the first document of a YAML text. `file` is how the user would name it; an empty text is
/// a null node.
pub fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    build::parse(file, text)
}

/// Reads a JSON text into the same kind of tree. When a key occurs twice, the last one counts.
pub fn parse_json(file: &str, text: &str) -> Result<Node, Diagnostic> {
    json::parse(file, text)
}

/// Reads a text in the given notation.
pub fn parse_as(format: Format, file: &str, text: &str) -> Result<Node, Diagnostic> {
    match format {
        Format::Yaml => parse(file, text),
        Format::Json => parse_json(file, text),
    }
}
