//! `stack output`, `export`, `import`.

use std::collections::BTreeMap;
use std::io::Read as _;

use purlin_diag::Diagnostic;
use purlin_formats::{WriteError, export_deployment, write_export};
use purlin_model::urn::STACK_TYPE;
use purlin_model::{PropertyValue, Snapshot};

use crate::args::{StackExportArgs, StackImportArgs, StackOutputArgs};
use crate::commands::stack_show::{output_rows, table};
use crate::commands::state::edit_info;
use crate::config_values;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::plain::{json_lines, shown};

/// What stands for a secret.
const SECRET: &str = "[secret]";

/// The export of a stack that has no deployment yet.
const NEVER_DEPLOYED: &str = "{\n    \"version\": 3,\n    \"deployment\": null\n}";

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
            context.out.line(json_lines(value));
        } else if args.shell {
            context.out.line(shell_assignment(name, value));
        } else {
            context.out.line(shown(value));
        }
        return Ok(());
    }
    if args.json {
        let all = outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        context.out.line(json_lines(&PropertyValue::Object(all)));
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

pub(crate) fn pretty(value: &serde_json::Value) -> String {
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
    let target = context.stack(named)?;
    let loaded = match &args.version {
        None => target.store.load(&target.id).await?,
        Some(version) => {
            let version = version.parse().map_err(|_| {
                Diagnostic::error("version-unknown", format!("'{version}' is no version"))
                    .with_hint("`stack history` lists the versions")
            })?;
            target.store.load_version(&target.id, version).await?
        }
    };
    let file = args.file.as_ref().map(|path| context.ambient.cwd.join(path));
    if loaded.deployed && !args.show_secrets {
        return write_exported(context, file.as_deref(), &loaded.snapshot);
    }
    let mut text = match loaded.deployed {
        true => {
            let text = export_deployment(Some(&loaded.snapshot)).map_err(|error| error.diagnostic())?;
            config_values::reveal(context, &target, &text).await?
        }
        false => NEVER_DEPLOYED.to_owned(),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match file {
        None => context.out.write(&text),
        Some(path) => config_values::write_private(&path, &text)?,
    }
    Ok(())
}

/// Writes a deployment as it is kept, piece by piece: it may be large.
fn write_exported(
    context: &Context,
    file: Option<&std::path::Path>,
    snapshot: &Snapshot,
) -> Result<(), CommandError> {
    let Some(path) = file else {
        let mut refused = Ok(());
        context.out.data(|out| match write_export(out, Some(snapshot)) {
            Err(WriteError::Io(error)) => Err(error),
            written => {
                refused = written.map_err(|error| error.diagnostic());
                Ok(())
            }
        });
        return Ok(refused?);
    };
    let failed =
        |error: std::io::Error| Diagnostic::error("file-write", format!("{}: {error}", path.display()));
    let mut out = config_values::open_private(path).map_err(failed)?;
    write_export(&mut out, Some(snapshot)).map_err(|error| match error {
        WriteError::Io(error) => failed(error),
        error @ WriteError::Refused(_) => error.diagnostic(),
    })?;
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
    let info = edit_info(context, "import", "stack import").await;
    target.store.import(&target.id, &text, args.force, info).await?;
    context.out.line("Import complete.");
    Ok(())
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
