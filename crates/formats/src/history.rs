//! Entries of a stack's history.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::value::RawValue;

use crate::journal::OperationInfo;
use crate::reader::{Member, Members, ObjectParser, Text, explain, or_default};
use crate::text::{Escape, ObjectWriter, push_on_one_line, push_string};

/// A configuration value as history records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigText {
    /// A text.
    Plain(String),
    /// The ciphertext of a text.
    Secret(String),
    /// A number, a truth value, a list or an object, as JSON text. Secrets in it are objects with
    /// the one key `secure`.
    Structured(String),
}

/// One entry of a stack's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryRecord {
    /// What was recorded when the operation began.
    pub info: OperationInfo,
    /// When it began, in seconds of the Unix epoch.
    pub start_time: i64,
    /// When it ended.
    pub end_time: i64,
    /// `in-progress`, `succeeded` or `failed`.
    pub result: String,
    /// The number of the update; zero where the store doesn't count.
    pub version: i64,
    /// How many resources each kind of step touched.
    pub resource_changes: BTreeMap<String, u64>,
}

/// The text of an entry.
pub fn encode_history(record: &HistoryRecord) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::begin(&mut out, Escape::Plain);
    object.text("kind", &record.info.kind);
    object.integer("startTime", record.start_time);
    object.text("message", &record.info.message);
    let mut environment = ObjectWriter::begin(object.key("environment"), Escape::Plain);
    for (key, value) in &record.info.environment {
        push_string(environment.any_key(key), value, Escape::Plain);
    }
    environment.end();
    push_config(object.key("config"), &record.info.config);
    object.integer("version", record.version);
    object.text("result", &record.result);
    object.integer("endTime", record.end_time);
    if !record.resource_changes.is_empty() {
        let mut changes = ObjectWriter::begin(object.key("resourceChanges"), Escape::Plain);
        for (op, count) in &record.resource_changes {
            changes.integer(op, count);
        }
        changes.end();
    }
    object.end();
    out
}

/// Reads an entry.
pub fn decode_history(text: &str) -> Result<HistoryRecord, Diagnostic> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let parsed = Members(HistoryParser::default()).deserialize(&mut parser);
    parsed.and_then(|record| parser.end().map(|()| record)).map_err(|error| {
        let mut diagnostic = explain(text, &error);
        diagnostic.code = "history-malformed";
        diagnostic.hint = Some("entries of the history may be deleted; nothing depends on them".into());
        diagnostic
    })
}

#[derive(Default)]
struct HistoryParser(HistoryRecord);

impl<'s> ObjectParser<'s> for HistoryParser {
    type Value = HistoryRecord;
    const WHAT: &'static str = "an entry of the history";

    fn member<M: Member<'s>>(&mut self, key: &Text<'s>, member: &mut M) -> Result<(), M::Error> {
        let record = &mut self.0;
        match &**key {
            "kind" => record.info.kind = member.value::<Text>()?.to_string(),
            "startTime" => record.start_time = or_default(member)?,
            "message" => record.info.message = member.value::<Text>()?.to_string(),
            "environment" => record.info.environment = or_default(member)?,
            "config" => record.info.config = read_config(member)?,
            "version" => record.version = or_default(member)?,
            "result" => record.result = member.value::<Text>()?.to_string(),
            "endTime" => record.end_time = or_default(member)?,
            "resourceChanges" => record.resource_changes = or_default(member)?,
            _ => drop(member.value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<HistoryRecord, E> {
        Ok(self.0)
    }
}

/// Appends configuration values by key.
pub(crate) fn push_config(out: &mut String, config: &BTreeMap<String, ConfigText>) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    for (key, value) in config {
        let out = object.any_key(key);
        match value {
            ConfigText::Plain(text) => push_string(out, text, Escape::Plain),
            ConfigText::Secret(ciphertext) => {
                let mut secret = ObjectWriter::begin(out, Escape::Plain);
                secret.text("secure", ciphertext);
                secret.end();
            }
            ConfigText::Structured(json) => push_on_one_line(out, json),
        }
    }
    object.end();
}

/// Reads configuration values by key; null is none.
pub(crate) fn read_config<'s, M: Member<'s>>(
    member: &mut M,
) -> Result<BTreeMap<String, ConfigText>, M::Error> {
    let raw = or_default::<BTreeMap<String, &'s RawValue>, M>(member)?;
    Ok(raw.into_iter().map(|(key, value)| (key, config_text(value.get()))).collect())
}

fn config_text(json: &str) -> ConfigText {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Secure {
        secure: String,
    }
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return ConfigText::Plain(text);
    }
    match serde_json::from_str::<Secure>(json) {
        Ok(secret) => ConfigText::Secret(secret.secure),
        Err(_) => ConfigText::Structured(json.to_owned()),
    }
}
