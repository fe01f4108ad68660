//! `state diff`: what differs between two versions of the state.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_edit::{FieldChange, StateDiff};
use purlin_formats::{ParseOptions, export_deployment, parse_deployment};
use purlin_model::Snapshot;
use serde_json::{Value, json};

use super::log::{Version, versions_of};
use crate::args::StateDiffArgs;
use crate::config_values;
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Shows what differs.
pub(crate) async fn diff(
    context: &Context,
    target: &Target,
    args: &StateDiffArgs,
) -> Result<(), CommandError> {
    let (newest, _) = versions_of(target).await?;
    let old = match &args.old {
        Some(text) => Version::parse(text, newest)?,
        None if newest < 2 => {
            let message = "there is no version before this one";
            let hint = "`state log` lists the versions";
            return Err(Diagnostic::error("version-unknown", message).with_hint(hint).into());
        }
        None => Version::Number(newest - 1),
    };
    let new = args.new.as_deref().map_or(Ok(Version::Current), |text| Version::parse(text, newest))?;
    let before = read(context, target, old, args.show_secrets).await?;
    let after = read(context, target, new, args.show_secrets).await?;
    let diff = purlin_edit::diff(&before, &after, args.show_secrets)?;
    if args.json {
        context.out.line(serde_json::to_string_pretty(&as_json(&diff)).unwrap_or_default());
        return Ok(());
    }
    context.out.line(format!("From {old} to {new} of {}:", target.id));
    for line in render(&diff) {
        context.out.line(line);
    }
    Ok(())
}

/// A version of the state, its secrets in clear if they are to be shown.
pub(crate) async fn read(
    context: &Context,
    target: &Target,
    version: Version,
    show_secrets: bool,
) -> Result<Arc<Snapshot>, CommandError> {
    let loaded = match version {
        Version::Current => target.store.load(&target.id).await?,
        Version::Number(number) => target.store.load_version(&target.id, number).await?,
    };
    if !show_secrets {
        return Ok(loaded.snapshot);
    }
    let text = export_deployment(Some(&loaded.snapshot)).map_err(|error| error.diagnostic())?;
    let manager = config_values::manager_of_state(context, &loaded.snapshot, None);
    let text = config_values::reveal_by(manager, &text).await?;
    let source: Arc<str> = text.into();
    Ok(Arc::new(parse_deployment(&source, ParseOptions { check_magic: false })?.snapshot))
}

/// What differs, as lines.
pub(crate) fn render(diff: &StateDiff) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(diff.added.iter().map(|urn| format!("+ {urn}")));
    lines.extend(diff.removed.iter().map(|urn| format!("- {urn}")));
    for change in &diff.changed {
        lines.push(format!("~ {}", change.urn));
        lines.extend(change.fields.iter().map(field));
    }
    if diff.reordered {
        lines.push("~ the order of resources".to_owned());
    }
    if diff.pending.0 != diff.pending.1 {
        lines.push(format!("~ pending operations: {} => {}", diff.pending.0, diff.pending.1));
    }
    if diff.secrets_provider_changed {
        lines.push("~ the secrets provider or its settings".to_owned());
    }
    if lines.is_empty() {
        lines.push("nothing differs".to_owned());
    }
    lines
}

fn field(change: &FieldChange) -> String {
    let path = &change.path;
    match (&change.old, &change.new) {
        (None, Some(new)) => format!("    + {path}: {new}"),
        (Some(old), None) => format!("    - {path}: {old}"),
        (old, new) => {
            let text = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
            format!("    ~ {path}: {} => {}", text(old), text(new))
        }
    }
}

fn as_json(diff: &StateDiff) -> Value {
    let urns = |urns: &[purlin_model::Urn]| urns.iter().map(|urn| json!(urn.as_str())).collect::<Value>();
    let changed: Vec<Value> = diff
        .changed
        .iter()
        .map(|change| {
            let fields = change.fields.iter().map(|field| {
                let mut row = serde_json::Map::new();
                row.insert("path".into(), field.path.clone().into());
                row.extend(field.old.clone().map(|old| ("old".to_owned(), old)));
                row.extend(field.new.clone().map(|new| ("new".to_owned(), new)));
                Value::from(row)
            });
            json!({ "urn": change.urn.as_str(), "fields": fields.collect::<Vec<_>>() })
        })
        .collect();
    json!({
        "added": urns(&diff.added),
        "removed": urns(&diff.removed),
        "changed": changed,
        "reordered": diff.reordered,
        "pendingOperations": { "old": diff.pending.0, "new": diff.pending.1 },
        "secretsProviderChanged": diff.secrets_provider_changed,
    })
}
