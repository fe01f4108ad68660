//! `state submit`: what an operation did after it had lost the stack.

use crate::args::StateSubmitArgs;
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Brings the entries in a file into the state.
pub(super) async fn submit(
    context: &Context,
    target: &Target,
    args: &StateSubmitArgs,
) -> Result<(), CommandError> {
    let lines = target.store.submit(&target.id, &context.ambient.cwd.join(&args.file)).await?;
    for line in &lines {
        context.out.line(line);
    }
    context.out.line(match lines.len() {
        0 => "The state has everything already".to_owned(),
        1 => "Brought one change into the state".to_owned(),
        count => format!("Brought {count} changes into the state"),
    });
    Ok(())
}
