//! `state migrate`: stacks from one backend to another, with their history.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::Snapshot;
use purlin_ports::{
    HistoryEntry, LoadedStack, RecordedConfig, SecretsManager, StackId, StateError, StateStore, UpdateOutcome,
};

use super::session::edit_info;
use crate::args::StateMigrateArgs;
use crate::commands::stack_secrets::{Fresh, NewManager, change_settings, new_manager};
use crate::commands::stack_show::table;
use crate::config_values::{self, manager_of_provider, recrypt_snapshot};
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Copies stacks. Those of the source stay as they are.
pub(crate) async fn migrate(
    context: &Context,
    named: Option<&str>,
    args: StateMigrateArgs,
) -> Result<(), CommandError> {
    config_values::check_secrets_provider(args.secrets_provider.as_deref())?;
    let project = context.find_project()?;
    let source = match &args.from {
        Some(url) => context.open_store(url)?,
        None => context.store(project.as_ref())?,
    };
    let dest = context.open_store(&args.to)?;
    if source.url().trim_end_matches('/') == dest.url().trim_end_matches('/') {
        return Err(CommandError::usage("migrate-same", "source and destination are the same backend"));
    }
    let ids = chosen(context, named, &args, source.as_ref()).await?;
    let plan = plan(source.as_ref(), dest.as_ref(), ids).await?;
    let rows: Vec<Vec<String>> = plan
        .iter()
        .map(|stack| {
            let versions = if args.skip_history { 0 } else { stack.history.len() };
            vec![stack.id.to_string(), stack.resources.to_string(), versions.to_string()]
        })
        .collect();
    context.out.line(format!("From {} to {}:", shown_url(source.url()), shown_url(dest.url())));
    table(&["STACK", "RESOURCES", "VERSIONS"], &rows).iter().for_each(|line| context.out.line(line));
    if args.dry_run {
        return Ok(());
    }
    context.confirm("Do you want to copy these stacks?", args.yes, "--yes")?;
    let secrets = match &args.secrets_provider {
        Some(provider) => Some(new_manager(context, provider)?),
        None => None,
    };
    for stack in &plan {
        let history = if args.skip_history { &[] } else { &*stack.history };
        copy(context, (source.as_ref(), dest.as_ref()), &stack.id, history, secrets.as_ref()).await?;
        context.out.line(format!("Copied {}", stack.id));
    }
    context.out.line(format!(
        "The stacks in {} are as they were; log in to {} to go on with the copies.",
        shown_url(source.url()),
        shown_url(dest.url())
    ));
    Ok(())
}

/// A backend's URL without what may be secret in it: passwords and options.
pub(crate) fn shown_url(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, path)| (a, Some(path)));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.map(|path| format!("/{path}")).unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// The stacks that are meant.
async fn chosen(
    context: &Context,
    named: Option<&str>,
    args: &StateMigrateArgs,
    source: &dyn StateStore,
) -> Result<Vec<StackId>, CommandError> {
    if args.all {
        return Ok(source.list(None).await?.into_iter().map(|stack| stack.id).collect());
    }
    let project = context.find_project()?;
    let names: Vec<String> = args.stacks.iter().cloned().chain(named.map(str::to_owned)).collect();
    if names.is_empty() {
        let selected = match &project {
            Some(project) => context.selected(project, source.url())?,
            None => None,
        };
        let Some(name) = selected else {
            let message = "name the stacks, or give --all";
            return Err(CommandError::usage("migrate-stacks", message));
        };
        return Ok(vec![context.stack_id(project.as_ref(), &name)?]);
    }
    names.iter().map(|name| context.stack_id(project.as_ref(), name)).collect()
}

/// A stack to be copied.
struct Planned {
    id: StackId,
    resources: usize,
    history: Vec<HistoryEntry>,
}

/// Looks at everything before anything is written.
async fn plan(
    source: &dyn StateStore,
    dest: &dyn StateStore,
    ids: Vec<StackId>,
) -> Result<Vec<Planned>, CommandError> {
    let mut plan = Vec::new();
    for id in ids {
        match dest.load(&id).await {
            Err(StateError::NotFound(_)) => {}
            Ok(_) | Err(StateError::Unusable(_)) => {
                let message =
                    format!("{} has a stack {id} already; nothing was copied", shown_url(dest.url()));
                let hint = "remove it there, rename it, or leave it out";
                return Err(Diagnostic::error("migrate-exists", message).with_hint(hint).into());
            }
            Err(error) => return Err(error.into()),
        }
        let loaded = source.load(&id).await?;
        let history = source.history(&id).await?;
        plan.push(Planned { id, resources: loaded.snapshot.resources.len(), history });
    }
    Ok(plan)
}

/// Copies a stack under its lock. What went wrong leaves no half copy behind.
async fn copy(
    context: &Context,
    (source, dest): (&dyn StateStore, &dyn StateStore),
    id: &StackId,
    history: &[HistoryEntry],
    secrets: Option<&NewManager>,
) -> Result<(), CommandError> {
    let held = source.begin(id, edit_info(context, "state-edit", "state migrate").await).await?;
    let base = held.base().clone();
    let copied = async {
        let secrets = match secrets {
            Some(new) => Some(new.create().await?),
            None => None,
        };
        dest.create(id).await?;
        let by = secrets.as_ref().map(Fresh::manager);
        let filled = fill(context, (source, dest), id, &base, history, by.as_deref()).await;
        match filled {
            Ok(()) => Ok(secrets),
            Err(problem) => {
                dest.remove(id, true).await?;
                dest.remove_backups(id).await?;
                Err(problem)
            }
        }
    }
    .await;
    held.abandon().await?;
    if let (Some(fresh), Some(project)) = (copied?, context.find_project()?)
        && project.name == id.project
    {
        let target = Target { id: id.clone(), store: context.store(Some(&project))?, project: Some(project) };
        change_settings(context, &target, &fresh, true).await?;
    }
    Ok(())
}

async fn fill(
    context: &Context,
    (source, dest): (&dyn StateStore, &dyn StateStore),
    id: &StackId,
    base: &LoadedStack,
    history: &[HistoryEntry],
    secrets: Option<&dyn SecretsManager>,
) -> Result<(), CommandError> {
    for entry in history.iter().rev() {
        let state = match entry.has_state {
            true => {
                let state = source.load_version(id, entry.version).await?;
                state.deployed.then_some(anew(context, &state.snapshot, secrets).await?)
            }
            false => None,
        };
        let entry = config_anew(context, base, entry, secrets).await?;
        dest.add_history(id, &entry, state.as_ref()).await?;
    }
    let tags = source.tags(id).await?;
    if !tags.is_empty() {
        dest.set_tags(id, &tags).await?;
    }
    if !base.deployed {
        return Ok(());
    }
    let snapshot = anew(context, &base.snapshot, secrets).await?;
    let info = edit_info(context, "import", format!("state migrate from {}", shown_url(source.url()))).await;
    let session = dest.begin(id, info).await?;
    let outcome = UpdateOutcome { succeeded: true, ..UpdateOutcome::default() };
    session.finish(&snapshot, outcome).await?;
    let arrived = dest.load(id).await?.snapshot;
    let diff = purlin_edit::diff(&snapshot, &arrived, false)?;
    if !diff.is_empty() {
        let message =
            format!("the copy of {id} isn't what was copied: {}", super::diff::render(&diff).join("; "));
        return Err(Diagnostic::error("migrate-differs", message).into());
    }
    Ok(())
}

/// A state with its secrets encrypted by another manager.
async fn anew(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    secrets: Option<&dyn SecretsManager>,
) -> Result<Snapshot, CommandError> {
    match (secrets, &snapshot.secrets_provider) {
        (Some(new), Some(provider)) => {
            let old = manager_of_provider(context, provider)?;
            recrypt_snapshot(snapshot, old.as_ref(), new).await
        }
        _ => Ok(Snapshot::clone(snapshot)),
    }
}

/// An entry of the history with the secrets of its configuration encrypted by another manager.
async fn config_anew(
    context: &Context,
    base: &LoadedStack,
    entry: &HistoryEntry,
    secrets: Option<&dyn SecretsManager>,
) -> Result<HistoryEntry, CommandError> {
    let mut entry = entry.clone();
    let (Some(new), Some(provider)) = (secrets, &base.snapshot.secrets_provider) else { return Ok(entry) };
    let old = manager_of_provider(context, provider)?;
    for value in entry.info.config.values_mut() {
        if let RecordedConfig::Secret(ciphertext) = value {
            // What was encrypted by yet another manager can't be read any more, here or there.
            if let Ok(plain) = purlin_secrets::decrypt_text(old.as_ref(), ciphertext).await {
                *ciphertext = purlin_secrets::encrypt_text(new, &plain).await?;
            }
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    #[test]
    fn urls_are_shown_without_passwords() {
        assert_eq!(shown_url("postgres://me:pa@ss@db:5432/state?sslmode=off"), "postgres://db:5432/state");
        assert_eq!(shown_url("s3://bucket/prefix?region=x"), "s3://bucket/prefix");
        assert_eq!(shown_url("file:///srv/state"), "file:///srv/state");
        assert_eq!(shown_url("file://~"), "file://~");
    }
}
