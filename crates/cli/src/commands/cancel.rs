//! `cancel`: takes a stack over from an operation that does not go on.

use crate::args::CancelArgs;
use crate::context::Context;
use crate::exit::CommandError;

/// Recovers a stack's state from what a crashed operation left behind and removes its locks.
pub(crate) async fn cancel(context: &Context, args: CancelArgs) -> Result<(), CommandError> {
    let named = args.name.as_deref().or(args.stack.as_deref());
    let target = context.stack(named)?;
    let warning = format!(
        "This will take the stack '{}' over from whoever is changing it. An operation that is still running \
         won't be able to record what it does.",
        target.id
    );
    context.confirm_word(&warning, &target.id.name, args.yes)?;
    let report = target.store.cancel(&target.id).await?;
    if report.recovered {
        context.out.line("The state was recovered from the journal of the interrupted operation.");
    }
    for lock in &report.locks_removed {
        context.out.line(format!("Removed the lock of {lock}."));
    }
    if report.pending_operations > 0 {
        context.out.line(format!(
            "{} operations are pending: nobody knows whether they took effect. Run `refresh` to find out.",
            report.pending_operations
        ));
    }
    context.out.line(format!("The currently running update for '{}' has been canceled!", target.id.name));
    Ok(())
}
