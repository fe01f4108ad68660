//! `stack history`.

use purlin_ports::{HistoryEntry, RecordedConfig};
use serde_json::{Value, json};

use crate::args::StackHistoryArgs;
use crate::commands::stack_files::pretty;
use crate::commands::stack_show::ago;
use crate::commands::state::versions_of;
use crate::config_values;
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Stands for what can't be decrypted.
const UNREADABLE: &str = "ERROR_UNABLE_TO_DECRYPT";

/// Shows what happened to a stack.
pub(crate) async fn history(
    context: &Context,
    named: Option<&str>,
    args: StackHistoryArgs,
) -> Result<(), CommandError> {
    if args.page == 0 {
        return Err(CommandError::usage("history-page", "pages count from one"));
    }
    let target = context.stack(named)?;
    let (_, entries) = versions_of(&target).await?;
    let page: Vec<&HistoryEntry> = if args.page_size == 0 {
        entries.iter().collect()
    } else {
        entries.iter().skip((args.page - 1) * args.page_size).take(args.page_size).collect()
    };
    if args.json {
        let mut rows = Vec::new();
        for entry in &page {
            rows.push(as_json(context, &target, entry, args.show_secrets).await?);
        }
        context.out.line(pretty(&Value::Array(rows)));
        return Ok(());
    }
    if page.is_empty() {
        context.out.line(if args.page == 1 {
            "Stack has never been updated".to_owned()
        } else {
            format!("No stack updates found on page '{}'", args.page)
        });
    }
    page.into_iter().for_each(|entry| show(context, entry, args.full_dates));
    Ok(())
}

fn result_word(entry: &HistoryEntry) -> &'static str {
    if entry.outcome.succeeded { "succeeded" } else { "failed" }
}

fn show(context: &Context, entry: &HistoryEntry, full_dates: bool) {
    let out = &context.out;
    let color = |code: &str, text: String| {
        if out.colors() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    };
    let count = |op: &str| entry.outcome.changes.get(op).copied().unwrap_or_default();
    let result = result_word(entry);
    let when = jiff::Timestamp::from_second(entry.start_time).unwrap_or_default();
    let when = if full_dates { when.to_string() } else { ago(when) };
    out.line(format!("Version: {}", entry.version));
    out.line(format!("UpdateKind: {}", entry.info.kind));
    out.line(color(if entry.outcome.succeeded { "32" } else { "31" }, format!("Status: {result}")));
    out.line(format!("Message: {}", entry.info.message));
    let counts = [
        ("42;30", "+", "create"),
        ("41;30", "-", "delete"),
        ("43;30", "~", "update"),
        ("44;30", " ", "same"),
    ];
    let counts = counts.map(|(code, sign, op)| color(code, format!("{sign}{}", count(op))));
    out.line(format!(
        "{} Updated {when} took {}",
        counts.concat(),
        duration(entry.end_time - entry.start_time)
    ));
    for (key, value) in &entry.info.environment {
        if !value.trim().is_empty() {
            let line = format!("{key}: {value}");
            out.line(format!("    {}", if key == "git.head" { color("33", line) } else { line }));
        }
    }
    out.line("");
}

/// A number of seconds as `1h2m3s`.
fn duration(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

async fn as_json(
    context: &Context,
    target: &Target,
    entry: &HistoryEntry,
    show_secrets: bool,
) -> Result<Value, CommandError> {
    let time = |seconds| format!("{:.3}", jiff::Timestamp::from_second(seconds).unwrap_or_default());
    let mut config = serde_json::Map::new();
    for (key, value) in &entry.info.config {
        config.insert(key.clone(), config_row(context, target, value, show_secrets).await);
    }
    // The order of keys is that of the ecosystem.
    let mut row = serde_json::Map::new();
    row.insert("version".into(), entry.version.into());
    row.insert("kind".into(), entry.info.kind.clone().into());
    row.insert("startTime".into(), time(entry.start_time).into());
    row.insert("message".into(), entry.info.message.clone().into());
    row.insert("environment".into(), json!(entry.info.environment));
    row.insert("config".into(), config.into());
    row.insert("result".into(), result_word(entry).into());
    row.insert("endTime".into(), time(entry.end_time).into());
    row.insert("resourceChanges".into(), json!(entry.outcome.changes));
    Ok(row.into())
}

async fn config_row(context: &Context, target: &Target, value: &RecordedConfig, show_secrets: bool) -> Value {
    let mut row = serde_json::Map::new();
    let secret = match value {
        RecordedConfig::Plain(text) => {
            row.insert("value".into(), text.clone().into());
            false
        }
        RecordedConfig::Secret(ciphertext) => {
            if show_secrets {
                let clear = config_values::decrypt_one(context, target, ciphertext).await;
                row.insert("value".into(), clear.unwrap_or_else(|_| UNREADABLE.to_owned()).into());
            }
            true
        }
        RecordedConfig::Structured(text) => {
            let mut parsed: Value = serde_json::from_str(text).unwrap_or_default();
            let mut ciphertexts = Vec::new();
            collect_secrets(&mut parsed, &mut |text| {
                ciphertexts.push(text.to_owned());
                None
            });
            let secret = !ciphertexts.is_empty();
            if secret && show_secrets {
                let mut clear = Vec::new();
                for ciphertext in &ciphertexts {
                    let text = config_values::decrypt_one(context, target, ciphertext).await;
                    clear.push(text.unwrap_or_else(|_| UNREADABLE.to_owned()));
                }
                let mut clear = clear.into_iter();
                collect_secrets(&mut parsed, &mut |_| clear.next());
            }
            if !secret || show_secrets {
                let text = if secret { parsed.to_string() } else { text.clone() };
                row.insert("value".into(), text.into());
                row.insert("objectValue".into(), parsed);
            }
            secret
        }
    };
    row.insert("secret".into(), secret.into());
    row.into()
}

/// Goes through the secrets in a structured value, and puts in their place what is given for them.
fn collect_secrets(value: &mut Value, each: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Object(members)
            if members.len() == 1 && members.get("secure").is_some_and(Value::is_string) =>
        {
            let given = members.get("secure").and_then(Value::as_str).and_then(each);
            if let Some(text) = given {
                *value = text.into();
            }
        }
        Value::Object(members) => members.values_mut().for_each(|value| collect_secrets(value, each)),
        Value::Array(items) => items.iter_mut().for_each(|value| collect_secrets(value, each)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!([0, 59, 61, 3723].map(duration), ["0s", "59s", "1m1s", "1h2m3s"]);
    }
}
