//! `state restore`: an earlier version becomes the state.

use std::path::PathBuf;

use purlin_diag::Diagnostic;
use purlin_formats::export_deployment;
use purlin_model::Snapshot;
use purlin_ports::{Clock as _, StateError};

use super::diff::render;
use super::log::Version;
use super::session::{edit, edit_info};
use crate::ambient::SystemClock;
use crate::args::StateRestoreArgs;
use crate::config_values::write_private;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::report;

/// Makes an earlier version the state. The cloud is not touched.
pub(crate) async fn restore(
    context: &Context,
    target: &Target,
    args: &StateRestoreArgs,
) -> Result<(), CommandError> {
    let history = target.store.history(&target.id).await?;
    let newest = history.first().map_or(0, |entry| entry.version);
    let Version::Number(number) = Version::parse(&args.version, newest)? else {
        return Err(CommandError::usage(
            "version-unknown",
            "the current state is what it is; give a version",
        ));
    };
    let wanted = target.store.load_version(&target.id, number).await?.snapshot;
    let current = match target.store.load(&target.id).await {
        Ok(loaded) => Some(loaded.snapshot),
        Err(StateError::Unusable(problem)) => {
            let warning = Diagnostic { severity: purlin_diag::Severity::Warning, ..problem };
            context.out.error_line(report::render(&warning, context.out.colors()));
            None
        }
        Err(error) => return Err(error.into()),
    };
    context.out.line(format!("Restoring version {number} of {}:", target.id));
    match &current {
        Some(current) => {
            let diff = purlin_edit::diff(current, &wanted, false)?;
            render(&diff).iter().for_each(|line| context.out.line(line));
            if diff.is_empty() {
                return Ok(());
            }
        }
        None => context
            .out
            .line(format!("replaces a state that can't be read by {} resources", wanted.resources.len())),
    }
    context.out.line(
        "Nothing in the cloud is changed: what was made since is no longer managed, what was deleted \
                      since is believed to exist until the next refresh.",
    );
    let provider = current.as_ref().map(|current| &current.secrets_provider);
    if provider
        .is_some_and(|provider| *provider != wanted.secrets_provider && wanted.secrets_provider.is_some())
    {
        let message = "the secrets of that version are encrypted by another provider, or with another passphrase, than \
                       those of the state now";
        let hint = "what opens them is needed from then on; the stack's settings keep what they have";
        let warning = Diagnostic::warning("restore-secrets", message).with_hint(hint);
        context.out.error_line(report::render(&warning, context.out.colors()));
    }
    if args.dry_run {
        return Ok(());
    }
    context.confirm("Do you want to restore this version?", args.yes, "--yes")?;
    let message = format!("state restore {number}");
    match &current {
        Some(current) => {
            let copy = keep_copy(context, target, current)?;
            context.out.line(format!("The state as it was is in {}", copy.display()));
            edit(context, target, message, |_| Ok((Snapshot::clone(&wanted), ()))).await?;
        }
        None => {
            let text = export_deployment(Some(&wanted)).map_err(|error| error.diagnostic())?;
            target
                .store
                .import(&target.id, &text, true, edit_info(context, "state-edit", message).await)
                .await?;
        }
    }
    context.out.line(format!("Version {number} was restored"));
    Ok(())
}

/// Writes the state to a file of its own, readable by its owner only, secrets encrypted.
pub(crate) fn keep_copy(
    context: &Context,
    target: &Target,
    state: &Snapshot,
) -> Result<PathBuf, CommandError> {
    let text = export_deployment(Some(state)).map_err(|error| error.diagnostic())?;
    let folder = context.ambient.pulumi_home().join("purlin-backups");
    std::fs::create_dir_all(&folder)
        .map_err(|error| Diagnostic::error("backup", format!("{}: {error}", folder.display())))?;
    let id = &target.id;
    let path = folder.join(format!("{}.{}.{}.json", id.project, id.name, SystemClock.unix_nanos()));
    write_private(&path, &text)?;
    Ok(path)
}
