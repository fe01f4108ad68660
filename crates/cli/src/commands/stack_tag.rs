//! `stack tag`.

use purlin_diag::Diagnostic;

use crate::args::{StackTagArgs, StackTagCommand};
use crate::commands::stack_show::table;
use crate::context::Context;
use crate::exit::CommandError;

/// Shows, sets and removes tags.
pub(crate) async fn tag(
    context: &Context,
    named: Option<&str>,
    args: StackTagArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    let mut tags = target.store.tags(&target.id).await?;
    match args.command {
        StackTagCommand::Get { name } => match tags.get(&name) {
            Some(value) => context.out.line(value),
            None => {
                let message = format!("stack tag '{name}' not found for stack '{}'", target.id.name);
                return Err(Diagnostic::error("tag-unknown", message).into());
            }
        },
        StackTagCommand::Ls { json: true } => {
            context.out.line(serde_json::to_string_pretty(&tags).unwrap_or_default());
        }
        StackTagCommand::Ls { json: false } => {
            let rows: Vec<Vec<String>> = tags.into_iter().map(|(name, value)| vec![name, value]).collect();
            table(&["NAME", "VALUE"], &rows).iter().for_each(|line| context.out.line(line));
        }
        StackTagCommand::Rm { name } => {
            if tags.remove(&name).is_some() {
                target.store.set_tags(&target.id, &tags).await?;
            }
        }
        StackTagCommand::Set { name, value } => {
            tags.insert(name, value);
            target.store.set_tags(&target.id, &tags).await?;
        }
    }
    Ok(())
}
