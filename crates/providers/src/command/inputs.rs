//! The inputs of commands: which there are, what they hold, and what a run takes from them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;

use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::CheckFailure;

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that need not be valid UTF-8, such as what another command wrote.
    Data,
    Flag,
    Texts,
    /// An object of texts that need not be valid UTF-8.
    DataMap,
    Any,
}

/// An input: its name, what it holds, and whether it must be given.
pub(super) type Field = (&'static str, Kind, bool);

/// The inputs of `command:local:Command`.
pub(super) const COMMAND_FIELDS: &[Field] = &[
    ("addPreviousOutputInEnv", Kind::Flag, false),
    ("archivePaths", Kind::Texts, false),
    ("assetPaths", Kind::Texts, false),
    ("create", Kind::Data, false),
    ("delete", Kind::Data, false),
    ("dir", Kind::Text, false),
    ("environment", Kind::DataMap, false),
    ("interpreter", Kind::Texts, false),
    ("logging", Kind::Text, false),
    ("stdin", Kind::Data, false),
    ("triggers", Kind::Any, false),
    ("update", Kind::Data, false),
];

/// The arguments of `command:local:run`.
pub(super) const RUN_FIELDS: &[Field] = &[
    ("addPreviousOutputInEnv", Kind::Flag, false),
    ("archivePaths", Kind::Texts, false),
    ("assetPaths", Kind::Texts, false),
    ("command", Kind::Data, true),
    ("dir", Kind::Text, false),
    ("environment", Kind::DataMap, false),
    ("interpreter", Kind::Texts, false),
    ("logging", Kind::Text, false),
    ("stdin", Kind::Data, false),
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
                let wrong = wrong_entry(*kind, value);
                refuse(name, format!("property \"{name}{wrong}\" must be {}", described(*kind, &wrong)));
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

/// The way to the first entry of an object or a list that holds something else than a text.
fn wrong_entry(kind: Kind, value: &PropertyValue) -> String {
    let found = match (kind, value.plain()) {
        (Kind::DataMap, PropertyValue::Object(map)) => map
            .iter()
            .find(|(_, entry)| **entry == PropertyValue::Null || !fits(Kind::Data, entry))
            .map(|(key, _)| format!(".{key}")),
        (Kind::Texts, PropertyValue::Array(items)) => items
            .iter()
            .position(|item| *item == PropertyValue::Null || !fits(Kind::Text, item))
            .map(|index| format!("[{index}]")),
        _ => None,
    };
    found.unwrap_or_default()
}

fn described(kind: Kind, entry: &str) -> &'static str {
    match kind {
        Kind::Texts if !entry.is_empty() => described(Kind::Text, ""),
        Kind::DataMap if !entry.is_empty() => described(Kind::Data, ""),
        Kind::Text => "a text of valid UTF-8",
        Kind::Data => "a text",
        Kind::Flag => "true or false",
        Kind::Texts => "a list of texts of valid UTF-8",
        Kind::DataMap => "an object of texts",
        Kind::Any => "a list",
    }
}

fn fits(kind: Kind, value: &PropertyValue) -> bool {
    let text =
        |value: &PropertyValue| matches!(value.plain(), PropertyValue::String(_) | PropertyValue::Unknown);
    let data = |value: &PropertyValue| text(value) || matches!(value.plain(), PropertyValue::Bytes(_));
    match (kind, value.plain()) {
        (_, PropertyValue::Unknown | PropertyValue::Null) => true,
        (Kind::Text, _) => text(value),
        (Kind::Data, _) => data(value),
        (Kind::Flag, PropertyValue::Bool(_)) => true,
        (Kind::Texts, PropertyValue::Array(items)) => items.iter().all(text),
        (Kind::DataMap, PropertyValue::Object(map)) => map.values().all(data),
        (Kind::Any, PropertyValue::Array(_)) => true,
        _ => false,
    }
}

/// What a run takes from inputs and from the outputs before it.
#[derive(Debug, Default)]
pub(super) struct Settings<'a> {
    pub(super) interpreter: Vec<&'a str>,
    pub(super) dir: Option<&'a str>,
    pub(super) stdin: &'a [u8],
    /// What is added to the environment.
    pub(super) environment: BTreeMap<&'a str, Cow<'a, OsStr>>,
    pub(super) log_stdout: bool,
    pub(super) log_stderr: bool,
    /// The patterns of files to take as assets; `None` for no assets at all.
    pub(super) asset_paths: Option<Vec<&'a str>>,
    /// The patterns of files to take into the archive; `None` for no archive.
    pub(super) archive_paths: Option<Vec<&'a str>>,
}

/// The bytes of a text, be it valid UTF-8 or not.
fn bytes_of(value: &PropertyValue) -> Option<&[u8]> {
    match value.plain() {
        PropertyValue::String(text) => Some(text.as_bytes()),
        PropertyValue::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// A text as processes get it: byte by byte where the system allows that.
pub(super) fn os_text(value: &PropertyValue) -> Option<Cow<'_, OsStr>> {
    let bytes = bytes_of(value)?;
    #[cfg(unix)]
    let text = Cow::Borrowed(std::os::unix::ffi::OsStrExt::from_bytes(bytes));
    #[cfg(not(unix))]
    let text = match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(OsStr::new(text)),
        Cow::Owned(text) => Cow::Owned(text.into()),
    };
    Some(text)
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
        environment.extend(map.iter().filter_map(|(key, value)| Some((key.as_str(), os_text(value)?))));
    }
    let add_previous = inputs.get("addPreviousOutputInEnv").map(PropertyValue::plain);
    if add_previous != Some(&PropertyValue::Bool(false)) {
        for (variable, output) in [("PULUMI_COMMAND_STDOUT", "stdout"), ("PULUMI_COMMAND_STDERR", "stderr")] {
            if let Some(written) = before.get(output).and_then(os_text).filter(|text| !text.is_empty()) {
                environment.insert(variable, written);
            }
        }
    }
    let logging = text(inputs, "logging").unwrap_or("stdoutAndStderr");
    Settings {
        interpreter: texts("interpreter").unwrap_or_default(),
        dir: text(inputs, "dir"),
        stdin: inputs.get("stdin").and_then(bytes_of).unwrap_or_default(),
        environment,
        log_stdout: matches!(logging, "stdout" | "stdoutAndStderr"),
        log_stderr: matches!(logging, "stderr" | "stdoutAndStderr"),
        asset_paths: texts("assetPaths"),
        archive_paths: texts("archivePaths"),
    }
}
