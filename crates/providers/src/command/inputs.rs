//! The inputs of commands: which there are, what they hold, and what a run takes from them.

use std::collections::BTreeMap;

use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::CheckFailure;

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Texts,
    TextMap,
    Any,
}

/// An input: its name, what it holds, and whether it must be given.
pub(super) type Field = (&'static str, Kind, bool);

/// The inputs of `command:local:Command`.
pub(super) const COMMAND_FIELDS: &[Field] = &[
    ("addPreviousOutputInEnv", Kind::Flag, false),
    ("archivePaths", Kind::Texts, false),
    ("assetPaths", Kind::Texts, false),
    ("create", Kind::Text, false),
    ("delete", Kind::Text, false),
    ("dir", Kind::Text, false),
    ("environment", Kind::TextMap, false),
    ("interpreter", Kind::Texts, false),
    ("logging", Kind::Text, false),
    ("stdin", Kind::Text, false),
    ("triggers", Kind::Any, false),
    ("update", Kind::Text, false),
];

/// The arguments of `command:local:run`.
pub(super) const RUN_FIELDS: &[Field] = &[
    ("addPreviousOutputInEnv", Kind::Flag, false),
    ("archivePaths", Kind::Texts, false),
    ("assetPaths", Kind::Texts, false),
    ("command", Kind::Text, true),
    ("dir", Kind::Text, false),
    ("environment", Kind::TextMap, false),
    ("interpreter", Kind::Texts, false),
    ("logging", Kind::Text, false),
    ("stdin", Kind::Text, false),
];

/// Why inputs are refused; empty if they aren't.
pub(super) fn failures(fields: &[Field], news: &PropertyMap) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    let mut refuse = |property: &str, reason: String| {
        failures.push(CheckFailure { property: property.to_owned(), reason });
    };
    for (name, value) in news {
        match fields.iter().find(|(field, ..)| field == name) {
            None => refuse(name, format!("unknown property \"{name}\"")),
            Some((_, kind, _)) if !fits(*kind, value) => {
                refuse(name, format!("property \"{name}\" must be {}", described(*kind)));
            }
            Some(_) => {}
        }
    }
    for (name, _, required) in fields {
        let absent = news.get(name).is_none_or(|value| *value.plain() == PropertyValue::Null);
        if *required && absent {
            refuse(name, format!("missing required property \"{name}\""));
        }
    }
    failures
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text",
        Kind::Flag => "true or false",
        Kind::Texts => "a list of texts",
        Kind::TextMap => "an object of texts",
        Kind::Any => "a list",
    }
}

fn fits(kind: Kind, value: &PropertyValue) -> bool {
    let text =
        |value: &PropertyValue| matches!(value.plain(), PropertyValue::String(_) | PropertyValue::Unknown);
    match (kind, value.plain()) {
        (_, PropertyValue::Unknown | PropertyValue::Null) => true,
        (Kind::Text, _) => text(value),
        (Kind::Flag, PropertyValue::Bool(_)) => true,
        (Kind::Texts, PropertyValue::Array(items)) => items.iter().all(text),
        (Kind::TextMap, PropertyValue::Object(map)) => map.values().all(text),
        (Kind::Any, PropertyValue::Array(_)) => true,
        _ => false,
    }
}

/// What a run takes from inputs and from the outputs before it.
#[derive(Debug, Default)]
pub(super) struct Settings<'a> {
    pub(super) interpreter: Vec<&'a str>,
    pub(super) dir: Option<&'a str>,
    pub(super) stdin: &'a str,
    /// What is added to the environment.
    pub(super) environment: BTreeMap<&'a str, &'a str>,
    pub(super) log_stdout: bool,
    pub(super) log_stderr: bool,
    /// The patterns of files to take as assets; `None` for no assets at all.
    pub(super) asset_paths: Option<Vec<&'a str>>,
    /// The patterns of files to take into the archive; `None` for no archive.
    pub(super) archive_paths: Option<Vec<&'a str>>,
}

/// The settings of a run.
pub(super) fn settings<'a>(inputs: &'a PropertyMap, before: &'a PropertyMap) -> Settings<'a> {
    let text = |map: &'a PropertyMap, name: &str| map.get(name).and_then(PropertyValue::as_str);
    let texts = |name: &str| match inputs.get(name).map(PropertyValue::plain) {
        Some(PropertyValue::Array(items)) => {
            Some(items.iter().filter_map(PropertyValue::as_str).collect::<Vec<_>>())
        }
        _ => None,
    };
    let mut environment = BTreeMap::new();
    if let Some(map) = inputs.get("environment").and_then(PropertyValue::as_object) {
        environment.extend(map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))));
    }
    let add_previous = inputs.get("addPreviousOutputInEnv").map(PropertyValue::plain);
    if add_previous != Some(&PropertyValue::Bool(false)) {
        for (variable, output) in [("PULUMI_COMMAND_STDOUT", "stdout"), ("PULUMI_COMMAND_STDERR", "stderr")] {
            if let Some(written) = text(before, output).filter(|text| !text.is_empty()) {
                environment.insert(variable, written);
            }
        }
    }
    let logging = text(inputs, "logging").unwrap_or("stdoutAndStderr");
    Settings {
        interpreter: texts("interpreter").unwrap_or_default(),
        dir: text(inputs, "dir"),
        stdin: text(inputs, "stdin").unwrap_or_default(),
        environment,
        log_stdout: matches!(logging, "stdout" | "stdoutAndStderr"),
        log_stderr: matches!(logging, "stderr" | "stdoutAndStderr"),
        asset_paths: texts("assetPaths"),
        archive_paths: texts("archivePaths"),
    }
}
