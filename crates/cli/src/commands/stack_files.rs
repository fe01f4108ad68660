//! `stack output`, `export`, `import`, `history`.

use std::collections::BTreeMap;
use std::io::Read as _;

use purlin_diag::Diagnostic;
use purlin_model::urn::STACK_TYPE;
use purlin_model::{PropertyValue, Snapshot};
use purlin_ports::{HistoryEntry, RecordedConfig, UpdateInfo};

use crate::args::{StackExportArgs, StackHistoryArgs, StackImportArgs, StackOutputArgs};
use crate::commands::stack_show::{ago, output_rows, table};
use crate::config_values;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::plain::{shown, to_json};

/// What stands for a secret.
const SECRET: &str = "[secret]";

/// The outputs of a stack, secrets masked unless shown. Internal ones are left out.
pub(crate) async fn outputs_of(
    context: &Context,
    target: &Target,
    snapshot: &Snapshot,
    show_secrets: bool,
) -> Result<BTreeMap<String, PropertyValue>, CommandError> {
    let Some(root) = snapshot.resources.iter().find(|s| s.urn.qualified_type() == STACK_TYPE) else {
        return Ok(BTreeMap::new());
    };
    let properties = config_values::open_bag(context, target, snapshot, &root.outputs, show_secrets).await?;
    Ok(properties
        .iter()
        .map(|(key, value)| {
            let value = if show_secrets { value.without_secrets() } else { masked(value) };
            (key.clone(), value)
        })
        .collect())
}

fn masked(value: &PropertyValue) -> PropertyValue {
    match value {
        PropertyValue::Secret(_) => SECRET.into(),
        PropertyValue::Array(items) => PropertyValue::Array(items.iter().map(masked).collect()),
        PropertyValue::Object(map) => {
            PropertyValue::Object(map.iter().map(|(k, v)| (k.clone(), masked(v))).collect())
        }
        other => other.clone(),
    }
}

/// Shows the outputs of a stack.
pub(crate) async fn output(
    context: &Context,
    named: Option<&str>,
    args: StackOutputArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    let loaded = target.store.load(&target.id).await?;
    let outputs = outputs_of(context, &target, &loaded.snapshot, args.show_secrets).await?;
    if let Some(name) = &args.name {
        let Some(value) = outputs.get(name) else {
            let message = format!("current stack does not have output property '{name}'");
            return Err(Diagnostic::error("output-unknown", message).into());
        };
        if args.json {
            context.out.line(pretty(&to_json(value)));
        } else if args.shell {
            context.out.line(shell_assignment(name, value));
        } else {
            context.out.line(shown(value));
        }
        return Ok(());
    }
    if args.json {
        let all: serde_json::Map<String, serde_json::Value> =
            outputs.iter().map(|(k, v)| (k.clone(), to_json(v))).collect();
        context.out.line(pretty(&all.into()));
    } else if args.shell {
        for (name, value) in &outputs {
            context.out.line(shell_assignment(name, value));
        }
    } else {
        context.out.line(format!("Current stack outputs ({}):", outputs.len()));
        if outputs.is_empty() {
            context.out.line("    No output values currently in this stack");
        }
        let rows = output_rows(&outputs);
        for line in table(&["OUTPUT", "VALUE"], &rows).into_iter().filter(|_| !rows.is_empty()) {
            context.out.line(format!("    {line}"));
        }
    }
    Ok(())
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn shell_assignment(name: &str, value: &PropertyValue) -> String {
    let text = shown(value);
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return format!("{name}={text}");
    }
    format!("{name}='{}'", text.replace('\'', "'\"'\"'"))
}

/// Writes the deployment.
pub(crate) async fn export(
    context: &Context,
    named: Option<&str>,
    args: StackExportArgs,
) -> Result<(), CommandError> {
    if args.version.is_some() {
        let problem =
            Diagnostic::error("export-version", "this backend keeps no versions that could be exported")
                .with_hint("export the current deployment without --version");
        return Err(problem.into());
    }
    let target = context.stack(named)?;
    let mut text = target.store.export(&target.id).await?;
    if args.show_secrets {
        text = config_values::reveal(context, &target, &text).await?;
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match &args.file {
        None => context.out.write(&text),
        Some(path) => config_values::write_private(&context.ambient.cwd.join(path), &text)?,
    }
    Ok(())
}

/// Replaces the deployment.
pub(crate) async fn import(
    context: &Context,
    named: Option<&str>,
    args: StackImportArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    let source = args.file.as_ref().map_or("standard input".to_owned(), |path| path.display().to_string());
    let text = match &args.file {
        Some(path) => std::fs::read_to_string(context.ambient.cwd.join(path))
            .map_err(|e| Diagnostic::error("import-file", format!("{}: {e}", path.display())))?,
        None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Diagnostic::error("import-file", format!("standard input: {e}")))?;
            text
        }
    };
    serde_json::from_str::<serde_json::Value>(&text).map_err(|e| {
        Diagnostic::error("import-file", format!("{source} is no JSON: {e}"))
            .with_hint("`stack export` writes what can be imported")
    })?;
    let text = config_values::conceal(context, &target, &text).await?;
    let info = UpdateInfo { kind: "import".to_owned(), ..UpdateInfo::default() };
    target.store.import(&target.id, &text, args.force, info).await?;
    context.out.line("Import complete.");
    Ok(())
}

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
    target.store.load(&target.id).await?;
    let entries = target.store.history(&target.id).await?;
    let page: Vec<&HistoryEntry> = if args.page_size == 0 {
        entries.iter().collect()
    } else {
        entries.iter().skip((args.page - 1) * args.page_size).take(args.page_size).collect()
    };
    if args.json {
        let mut rows = Vec::new();
        for entry in &page {
            rows.push(history_json(context, &target, entry, args.show_secrets).await?);
        }
        context.out.line(pretty(&serde_json::Value::Array(rows)));
        return Ok(());
    }
    if page.is_empty() {
        context.out.line(if entries.is_empty() {
            "Stack has never been updated".to_owned()
        } else {
            format!("No stack updates found on page '{}'", args.page)
        });
    }
    for entry in page {
        show_entry(context, entry, args.full_dates);
    }
    Ok(())
}

fn result_word(entry: &HistoryEntry) -> &'static str {
    if entry.outcome.succeeded { "succeeded" } else { "failed" }
}

fn show_entry(context: &Context, entry: &HistoryEntry, full_dates: bool) {
    let timestamp = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let when = timestamp(entry.start_time);
    let shown = if full_dates { when.to_string() } else { ago(when) };
    context.out.line(format!("UpdateID: {}", entry.start_time));
    context.out.line(format!("Kind: {}", entry.info.kind));
    context.out.line(format!("Status: {}", result_word(entry)));
    context.out.line(format!("Message: {}", entry.info.message));
    let changes: Vec<String> = entry.outcome.changes.iter().map(|(op, n)| format!("{n} {op}")).collect();
    context.out.line(format!("Resource changes: {}", changes.join(", ")));
    let seconds = entry.end_time - entry.start_time;
    context.out.line(format!("Updated: {shown} (took {seconds}s)"));
    context.out.line("");
}

async fn history_json(
    context: &Context,
    target: &Target,
    entry: &HistoryEntry,
    show_secrets: bool,
) -> Result<serde_json::Value, CommandError> {
    let time = |seconds| {
        let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        serde_json::Value::from(format!("{timestamp:.3}"))
    };
    let mut config = serde_json::Map::new();
    for (key, value) in &entry.info.config {
        let mut row = serde_json::Map::new();
        let secret = matches!(value, RecordedConfig::Secret(_));
        match value {
            RecordedConfig::Secret(text) if show_secrets => {
                row.insert("value".into(), config_values::decrypt_one(context, target, text).await?.into());
            }
            RecordedConfig::Secret(_) => {}
            RecordedConfig::Plain(text) | RecordedConfig::Structured(text) => {
                row.insert("value".into(), text.clone().into());
            }
        }
        row.insert("secret".into(), secret.into());
        config.insert(key.clone(), row.into());
    }
    let mut row = serde_json::Map::new();
    row.insert("kind".into(), entry.info.kind.clone().into());
    row.insert("startTime".into(), time(entry.start_time));
    row.insert("message".into(), entry.info.message.clone().into());
    row.insert("environment".into(), serde_json::json!(entry.info.environment));
    row.insert("config".into(), config.into());
    // Directories don't count their updates.
    row.insert("version".into(), 0.into());
    row.insert("result".into(), result_word(entry).into());
    row.insert("endTime".into(), time(entry.end_time));
    row.insert("resourceChanges".into(), serde_json::json!(entry.outcome.changes));
    Ok(row.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_assignments_are_quoted_when_they_must_be() {
        assert_eq!(shell_assignment("a", &"x.y-1".into()), "a=x.y-1");
        assert_eq!(shell_assignment("a", &"it's".into()), "a='it'\"'\"'s'");
        assert_eq!(shell_assignment("a", &"".into()), "a=''");
    }

    #[test]
    fn secrets_are_masked_at_their_own_leaf() {
        let value = PropertyValue::Array(vec!["a".into(), PropertyValue::from("b").into_secret()]);
        assert_eq!(masked(&value), PropertyValue::Array(vec!["a".into(), SECRET.into()]));
    }
}
