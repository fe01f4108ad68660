//! `state repair`.

use purlin_diag::Diagnostic;
use purlin_model::Snapshot;
use purlin_ports::StateError;

use super::restore::keep_copy;
use super::session::edit;
use crate::args::StateRepairArgs;
use crate::context::{Context, Target};
use crate::exit::{CommandError, Failure};
use crate::report;

/// Mends a state that breaks rules, after saying how.
pub(crate) async fn repair(
    context: &Context,
    target: &Target,
    args: &StateRepairArgs,
) -> Result<(), CommandError> {
    let before = match target.store.load(&target.id).await {
        Ok(loaded) => loaded.snapshot,
        Err(StateError::Unusable(problem)) => return unreadable(context, target, args, problem).await,
        Err(error) => return Err(error.into()),
    };
    let repair = purlin_edit::repair(&before);
    if repair.problems.is_empty() {
        context.out.line("The state is valid; there is nothing to repair");
        return Ok(());
    }
    context.out.line(format!("The state of {} breaks {} rules:", target.id, repair.problems.len()));
    repair.problems.iter().for_each(|problem| context.out.line(format!("  {problem}")));
    context.out.line("What can be done:");
    if repair.fixes.is_empty() {
        context.out.line("  nothing");
    }
    repair.fixes.iter().for_each(|fix| context.out.line(format!("  {fix}")));
    if let Some(first) = repair.left.first() {
        let message = format!("what is left can't be decided by a program: {first}");
        let hint = "restore an earlier version with `state restore` (`state fsck --bisect` finds a good one), or write \
                    the state with `stack export`, correct it, and read it back with `stack import`";
        let problem = Diagnostic::error("state-repair", message).with_urn(first.urn.as_str()).with_hint(hint);
        return Err(CommandError::new(Failure::General, problem));
    }
    if args.dry_run {
        return Ok(());
    }
    context.confirm("This command will edit your stack's state directly. Confirm?", args.yes, "--yes")?;
    let copy = keep_copy(context, target, &before)?;
    context.out.line(format!("The state as it was is in {}", copy.display()));
    edit(context, target, "state repair".to_owned(), |now: &Snapshot| {
        let again = purlin_edit::repair(now);
        Ok((again.snapshot, ()))
    })
    .await?;
    context.out.line("State repaired successfully");
    Ok(())
}

/// A state that can't be read, or whose journal doesn't go on it: what can be done without guessing.
async fn unreadable(
    context: &Context,
    target: &Target,
    args: &StateRepairArgs,
    problem: Diagnostic,
) -> Result<(), CommandError> {
    let of_journal = problem.code == "journal-base" || problem.code == "journal-damaged";
    context.out.error_line(report::render(&problem, context.out.colors()));
    if !of_journal {
        let message = "the state can't be read, so it can't be repaired";
        let hint = "restore the newest version that can be read: `state log` lists them, `state restore <version>` \
                    makes one the state";
        return Err(Diagnostic::error("state-repair", message).with_hint(hint).into());
    }
    context.out.line("What can be done:\n  sets the journal aside, so that the state counts as it is");
    if args.dry_run {
        return Ok(());
    }
    let question = "What only the journal knows will not be in the state. Set it aside?";
    context.confirm(question, args.yes, "--yes")?;
    for place in target.store.set_journals_aside(&target.id).await? {
        context.out.line(format!("The journal is in {place}"));
    }
    Ok(())
}
