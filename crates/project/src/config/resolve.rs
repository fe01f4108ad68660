//! What an operation is given: the stack's values, completed and checked by what the project
//! declares.

use std::fmt;

use purlin_diag::Diagnostic;

use super::input::ConfigInput;
use super::key::{ConfigKey, ConfigTarget};
use super::map::ConfigMap;
use crate::manifest::{ConfigDeclaration, Project, is_project_key};
use crate::value::Value;

/// Turns ciphertexts into plaintexts.
pub trait Decrypter {
    /// The plaintext of a ciphertext.
    fn decrypt(&self, ciphertext: &str) -> Result<String, Diagnostic>;
}

impl<F: Fn(&str) -> Result<String, Diagnostic>> Decrypter for F {
    fn decrypt(&self, ciphertext: &str) -> Result<String, Diagnostic> {
        self(ciphertext)
    }
}

/// Whether the values are checked against what the project declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Missing, mistyped and unencrypted values are complained about.
    On,
    /// Defaults are filled in, and that is all.
    Off,
}

/// A configuration value as programs and plugins get it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResolvedConfig {
    /// The key.
    pub key: ConfigKey,
    /// The value in plaintext: a text as it is, a list or object as JSON.
    pub text: String,
    /// Whether any part of it is secret.
    pub secret: bool,
    /// Whether the text is JSON of a list or object.
    pub object: bool,
}

impl fmt::Debug for ResolvedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { "[secret]" } else { &self.text };
        f.debug_struct("ResolvedConfig")
            .field("key", &self.key)
            .field("text", &text)
            .field("secret", &self.secret)
            .field("object", &self.object)
            .finish()
    }
}

/// The values of a stack with the project's values and defaults, decrypted and in order of the keys.
pub fn resolve(
    project: &Project,
    stack: &str,
    config: &ConfigMap,
    decrypter: &dyn Decrypter,
    validation: Validation,
) -> Result<Vec<ResolvedConfig>, Vec<Diagnostic>> {
    let (config, missing) = complete(project, config).map_err(|problem| vec![problem])?;
    if validation == Validation::On && !missing.is_empty() {
        return Err(vec![missing_problem(stack, missing)]);
    }
    let mut resolved = Vec::with_capacity(config.len());
    for (key, value) in config.iter() {
        let (text, object) = plaintext(value, decrypter).map_err(|problem| vec![in_key(key, problem)])?;
        resolved.push(ResolvedConfig { key: key.clone(), text, secret: value.contains_secure(), object });
    }
    if validation == Validation::On {
        let problems = type_problems(project, stack, &config, decrypter);
        if !problems.is_empty() {
            return Err(problems);
        }
    }
    Ok(resolved)
}

/// The values of a stack with the project's values and defaults, secrets still encrypted and nothing
/// checked.
pub fn apply_project(project: &Project, config: &ConfigMap) -> Result<ConfigMap, Diagnostic> {
    Ok(complete(project, config)?.0)
}

/// Fills in what the project gives; also lists the declared keys that have no value.
fn complete(project: &Project, config: &ConfigMap) -> Result<(ConfigMap, Vec<String>), Diagnostic> {
    let mut config = config.clone();
    let mut missing = Vec::new();
    for (key, declaration) in sorted(project) {
        let target = target(project, key)?;
        if config.get(&target).is_some() {
            continue;
        }
        match declaration.default.as_ref().or(declaration.value.as_ref()) {
            Some(value) => config.set(&target, given(value))?,
            None if is_project_key(&project.name, key) => missing.push(key.to_owned()),
            None => {}
        }
    }
    Ok((config, missing))
}

/// A value from the project as it would have been set on the command line.
fn given(value: &Value) -> ConfigInput {
    match value {
        Value::String(text) => ConfigInput::text(text.as_str()),
        Value::Int(number) => ConfigInput::text(number.to_string()),
        Value::Bool(value) => ConfigInput::text(value.to_string()),
        value => ConfigInput::Value(value.clone()),
    }
}

fn sorted(project: &Project) -> Vec<(&str, &ConfigDeclaration)> {
    let mut declared: Vec<_> = project.config.iter().map(|(key, d)| (key.as_str(), d)).collect();
    declared.sort_by_key(|(key, _)| *key);
    declared
}

/// A declared key is a path: its dots lead inside a value.
fn target(project: &Project, key: &str) -> Result<ConfigTarget, Diagnostic> {
    ConfigTarget::from_path_key(&ConfigKey::parse_in(&project.name, key)?)
}

fn type_problems(
    project: &Project,
    stack: &str,
    config: &ConfigMap,
    decrypter: &dyn Decrypter,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (key, declaration) in sorted(project) {
        let (Some(kind), Ok(target)) = (&declaration.kind, target(project, key)) else { continue };
        let Some(value) = config.get(&target) else { continue };
        let mut complain = |message: String| {
            let problem = Diagnostic::error("config-invalid", message);
            let place = project.root.get("config").and_then(|config| config.entry(key));
            problems.push(match place {
                Some(entry) => problem.with_span(entry.key.span()),
                None => problem,
            });
        };
        if declaration.secret && !value.contains_secure() {
            complain(format!(
                "Stack '{stack}' with configuration key '{key}' must be encrypted as it's secret"
            ));
            continue;
        }
        let found = match value.as_secure() {
            Some(ciphertext) => decrypter.decrypt(ciphertext).map(Value::String),
            None => decrypted(value, decrypter),
        };
        match found.map(as_checked) {
            Ok(found) if !kind.accepts(&found) => {
                complain(format!("Stack '{stack}' with configuration key '{key}' must be of type '{kind}'"));
            }
            Ok(_) => {}
            Err(problem) => problems.push(in_key(&target.key, problem)),
        }
    }
    problems
}

/// A plain value is checked as the text that programs get.
fn as_checked(value: Value) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) | Value::String(_) => value,
        plain => Value::String(plain_text(&plain)),
    }
}

fn missing_problem(stack: &str, mut missing: Vec<String>) -> Diagnostic {
    missing.sort();
    let quoted: Vec<_> = missing.iter().map(|key| format!("'{key}'")).collect();
    let (last, others) = quoted.split_last().map_or((String::new(), &[][..]), |(l, o)| (l.clone(), o));
    let message = if others.is_empty() {
        format!("Stack '{stack}' is missing configuration value {last}")
    } else {
        format!("Stack '{stack}' is missing configuration values {} and {last}", others.join(", "))
    };
    let hint = format!("set it with `pulumi config set {} <value>`", missing[0]);
    Diagnostic::error("config-missing", message).with_hint(hint)
}

fn in_key(key: &ConfigKey, problem: Diagnostic) -> Diagnostic {
    let message = format!("could not decrypt configuration value '{key}': {}", problem.message);
    Diagnostic { message, ..problem }
}

/// The text that programs get, and whether it is JSON of a list or object.
pub(super) fn plaintext(value: &Value, decrypter: &dyn Decrypter) -> Result<(String, bool), Diagnostic> {
    if let Some(ciphertext) = value.as_secure() {
        return Ok((decrypter.decrypt(ciphertext)?, false));
    }
    match value {
        Value::Array(_) | Value::Object(_) => Ok((decrypted(value, decrypter)?.to_canonical_json(), true)),
        plain => Ok((plain_text(plain), false)),
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_canonical_json(),
    }
}

/// The value with every secret in it decrypted.
fn decrypted(value: &Value, decrypter: &dyn Decrypter) -> Result<Value, Diagnostic> {
    if let Some(ciphertext) = value.as_secure() {
        return decrypter.decrypt(ciphertext).map(Value::String);
    }
    Ok(match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| decrypted(item, decrypter));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| Ok((name.clone(), decrypted(field, decrypter)?)));
            Value::Object(fields.collect::<Result<_, Diagnostic>>()?)
        }
        plain => plain.clone(),
    })
}
