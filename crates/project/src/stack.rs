//! Settings of a stack: `Pulumi.<stack>.yaml`.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use purlin_diag::{Diagnostic, Span};

use crate::config::{ConfigKey, ConfigMap};
use crate::files::{Access, TextFile, read_text, write_atomically};
use crate::value::{Object, Value};
use crate::yaml::{self, Content, Format, Node, Style, timestamp_text};

/// The settings of a stack and the text that they came from. Every change is made in the text at
/// once, and touches nothing else in it.
#[derive(Clone, Debug)]
pub struct StackSettings {
    path: PathBuf,
    project: String,
    format: Format,
    text: String,
    byte_order_mark: bool,
    root: Value,
    config: ConfigMap,
    /// How the file spells each key; the last spelling counts.
    spellings: IndexMap<ConfigKey, Vec<String>>,
    spans: IndexMap<ConfigKey, Span>,
    warnings: Vec<Diagnostic>,
}

impl StackSettings {
    /// Reads the settings of a stack. A file that is missing or empty means no settings. Keys without
    /// a namespace get that of the project.
    pub fn load(path: &Path, project: &str) -> Result<StackSettings, Vec<Diagnostic>> {
        let one = |problem| vec![problem];
        let file = read_text(path).map_err(one)?;
        let byte_order_mark = file.as_ref().is_some_and(|file| file.byte_order_mark);
        let text = file.map(|file| file.text).unwrap_or_default();
        let settings = StackSettings::parse(path, &text, project)?;
        Ok(StackSettings { byte_order_mark, ..settings })
    }

    /// Reads settings from text. `path` says where they would be; its extension gives the notation.
    pub fn parse(path: &Path, text: &str, project: &str) -> Result<StackSettings, Vec<Diagnostic>> {
        let mut settings = StackSettings {
            path: path.to_owned(),
            project: project.to_owned(),
            format: Format::of_path(path).map_err(|problem| vec![problem])?,
            text: text.to_owned(),
            byte_order_mark: false,
            root: Value::Object(Object::new()),
            config: ConfigMap::new(),
            spellings: IndexMap::new(),
            spans: IndexMap::new(),
            warnings: Vec::new(),
        };
        settings.read()?;
        Ok(settings)
    }

    fn read(&mut self) -> Result<(), Vec<Diagnostic>> {
        let file = self.path.display().to_string();
        let root = yaml::parse_as(self.format, &file, &self.text).map_err(|problem| vec![problem])?;
        if root.is_null() {
            return Ok(());
        }
        let mut problems = root.check_keys();
        if root.entries().is_none() {
            let message = format!("expected the settings of a stack to be an object, was '{}'", root.kind());
            problems.push(invalid(&root, message));
            return Err(problems);
        }
        for key in ["secretsprovider", "encryptedkey", "encryptionsalt"] {
            if let Some(node) = root.get(key).filter(|node| node.as_str().is_none() && !node.is_null()) {
                let message = format!("#/{key}: expected string, but got {}", node.kind());
                problems.push(invalid(node, message));
            }
        }
        check_environment(&root, &mut problems);
        self.root = root.to_value();
        self.read_config(&root, &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn read_config(&mut self, root: &Node, problems: &mut Vec<Diagnostic>) {
        let Some(node) = root.get("config").filter(|node| !node.is_null()) else { return };
        let Some(entries) = node.entries() else {
            problems.push(invalid(node, format!("#/config: expected object, but got {}", node.kind())));
            return;
        };
        let mut empty = Vec::new();
        let mut values = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = entry.name().unwrap_or_default();
            let key = match ConfigKey::parse_in(&self.project, name) {
                Ok(key) => key,
                Err(problem) => {
                    problems.push(problem.with_span(entry.key.span()));
                    continue;
                }
            };
            if entry.value.is_null() {
                empty.push((key.to_string(), entry.key.span()));
            }
            self.spellings.entry(key.clone()).or_default().push(name.to_owned());
            self.spans.insert(key.clone(), entry.key.span());
            let value = if entry.value.is_null() { Value::from("") } else { config_value(&entry.value) };
            values.push((key, value));
        }
        self.config = values.into_iter().collect();
        self.warnings.extend(empty_warning(empty));
    }

    /// Where the settings are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the user should know about the settings, though they can be used.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The text of the settings as it would be saved.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The configuration values.
    pub fn config(&self) -> &ConfigMap {
        &self.config
    }

    /// Where the file has a configuration value.
    pub fn config_span(&self, key: &ConfigKey) -> Option<&Span> {
        self.spans.get(key)
    }

    fn string(&self, name: &str) -> Option<&str> {
        self.root.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The secrets provider's URL or kind.
    pub fn secrets_provider(&self) -> Option<&str> {
        self.string("secretsprovider")
    }

    /// The encrypted data key of a cloud secrets provider.
    pub fn encrypted_key(&self) -> Option<&str> {
        self.string("encryptedkey")
    }

    /// The salt of the passphrase secrets provider.
    pub fn encryption_salt(&self) -> Option<&str> {
        self.string("encryptionsalt")
    }

    /// The environments: a list of names, or a definition with `imports`.
    pub fn environment(&self) -> Option<&Value> {
        self.root.get("environment").filter(|value| !value.is_null())
    }

    /// The names of the imported environments.
    pub fn environment_imports(&self) -> Vec<String> {
        let list = match self.environment() {
            Some(Value::Array(items)) => items.as_slice(),
            Some(definition) => definition.get("imports").and_then(Value::as_array).unwrap_or_default(),
            None => &[],
        };
        let name = |item: &Value| match item {
            Value::String(name) => Some(name.clone()),
            Value::Object(fields) if fields.len() == 1 => fields.keys().next().cloned(),
            _ => None,
        };
        list.iter().filter_map(name).collect()
    }

    /// Sets or removes the secrets provider.
    pub fn set_secrets_provider(&mut self, value: Option<&str>) -> Result<(), Diagnostic> {
        self.set_field("secretsprovider", value.map(Value::from))
    }

    /// Sets or removes the encrypted data key.
    pub fn set_encrypted_key(&mut self, value: Option<&str>) -> Result<(), Diagnostic> {
        self.set_field("encryptedkey", value.map(Value::from))
    }

    /// Sets or removes the salt.
    pub fn set_encryption_salt(&mut self, value: Option<&str>) -> Result<(), Diagnostic> {
        self.set_field("encryptionsalt", value.map(Value::from))
    }

    /// Sets or removes the environments.
    pub fn set_environment(&mut self, value: Option<Value>) -> Result<(), Diagnostic> {
        self.set_field("environment", value)
    }

    fn set_field(&mut self, name: &str, value: Option<Value>) -> Result<(), Diagnostic> {
        let mut root = self.root.clone();
        if let Value::Object(fields) = &mut root {
            match value {
                Some(value) => drop(fields.insert(name.to_owned(), value)),
                None => drop(fields.shift_remove(name)),
            }
        }
        self.change(root)
    }

    /// Makes the configuration what is given. Only values that differ are changed in the text; a key
    /// keeps its spelling, and new keys come last.
    pub fn set_config(&mut self, wanted: &ConfigMap) -> Result<(), Diagnostic> {
        let mut root = self.root.clone();
        let Value::Object(fields) = &mut root else { return Ok(()) };
        let mut section = match fields.get("config") {
            Some(Value::Object(section)) => section.clone(),
            _ => Object::new(),
        };
        for (key, old) in self.config.iter() {
            let spellings = self.spellings.get(key).map(Vec::as_slice).unwrap_or_default();
            let new = wanted.iter().find(|(wanted, _)| *wanted == key).map(|(_, value)| value);
            if new == Some(old) {
                continue;
            }
            for (index, spelling) in spellings.iter().enumerate() {
                match new {
                    Some(new) if index + 1 == spellings.len() => {
                        section.insert(spelling.clone(), new.clone());
                    }
                    _ => drop(section.shift_remove(spelling)),
                }
            }
        }
        for (key, value) in wanted.iter().filter(|(key, _)| !self.spellings.contains_key(*key)) {
            section.insert(key.to_string(), value.clone());
        }
        if section.is_empty() {
            fields.shift_remove("config");
        } else {
            fields.insert("config".to_owned(), Value::Object(section));
        }
        self.change(root)
    }

    /// Makes the text hold a new root and reads it back.
    fn change(&mut self, root: Value) -> Result<(), Diagnostic> {
        if root == self.root {
            return Ok(());
        }
        let file = self.path.display().to_string();
        let text = yaml::edit::edit(self.format, &file, &self.text, &root)?;
        let changed = StackSettings::parse(&self.path, &text, &self.project).map_err(|mut problems| {
            problems
                .pop()
                .unwrap_or_else(|| Diagnostic::error("stack-settings", "the change can't be read back"))
        })?;
        *self = StackSettings { byte_order_mark: self.byte_order_mark, ..changed };
        Ok(())
    }

    /// Writes the settings to their path, whole or not at all.
    pub fn save(&self) -> Result<(), Diagnostic> {
        self.save_as(&self.path)
    }

    /// Writes the settings to another path, whole or not at all.
    pub fn save_as(&self, path: &Path) -> Result<(), Diagnostic> {
        let file = TextFile { text: self.text.clone(), byte_order_mark: self.byte_order_mark };
        write_atomically(path, &file.bytes(), Access::Keep)
    }
}

fn invalid(node: &Node, message: String) -> Diagnostic {
    Diagnostic::error("stack-settings", message).with_span(node.span())
}

fn check_environment(root: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(node) = root.get("environment").filter(|node| !node.is_null()) else { return };
    if node.entries().is_none() && node.items().is_none() {
        let message = format!("#/environment: expected array or object, but got {}", node.kind());
        problems.push(invalid(node, message));
    }
}

/// The data of a configuration value. A date without quotes becomes the text that programs of the
/// ecosystem are used to getting for it.
fn config_value(node: &Node) -> Value {
    match &node.content {
        Content::Sequence(items) => Value::Array(items.iter().map(config_value).collect()),
        Content::Mapping(entries) => {
            let fields = entries
                .iter()
                .filter_map(|entry| Some((entry.name()?.to_owned(), config_value(&entry.value))));
            Value::Object(fields.collect())
        }
        Content::Scalar(scalar) => {
            let plain = scalar.style == Style::Plain && node.tag.is_none();
            match timestamp_text(&scalar.text).filter(|_| plain) {
                Some(text) => Value::String(text),
                None => node.to_value(),
            }
        }
    }
}

fn empty_warning(empty: Vec<(String, Span)>) -> Option<Diagnostic> {
    let (_, span) = empty.first()?.clone();
    let keys: Vec<_> = empty.iter().map(|(key, _)| format!("\"{key}\"")).collect();
    let plural = if keys.len() == 1 { "" } else { "s" };
    let keys = keys.join(if keys.len() == 2 { " and " } else { ", " });
    let message = format!(
        "No value for configuration key{plural} {keys}. This is currently treated as an empty string `\"\"`, but \
         will be treated as `null` in a future version of pulumi.\nSet the value{plural} to `\"\"` to avoid this \
         warning."
    );
    Some(Diagnostic::warning("config-empty", message).with_span(span))
}
