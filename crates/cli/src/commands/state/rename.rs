//! `state rename`.

use purlin_diag::Diagnostic;

use super::session::{edit, urns_or_choice};
use crate::args::StateRenameArgs;
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Gives a resource another name.
pub(crate) async fn rename(
    context: &Context,
    target: &Target,
    args: StateRenameArgs,
) -> Result<(), CommandError> {
    let name = match args.name {
        Some(name) => Some(name),
        None if context.interactive() => None,
        None => {
            let message = "give the resource's URN and its new name: there is nobody to ask";
            let hint = "`state rename '<urn>' <new name>`";
            return Err(Diagnostic::error("state-rename-args", message).with_hint(hint).into());
        }
    };
    let given = args.urn.into_iter().collect();
    let urns = urns_or_choice(context, target, given, "Select a resource to rename:").await?;
    let name = match name {
        Some(name) => name,
        None => context.ask_text("Choose a new resource name:", "", "the new name")?,
    };
    let urn = urns.first().map(String::as_str).unwrap_or_default();
    context.confirm_edit("This command will edit your stack's state directly. Confirm?", args.yes)?;
    edit(context, target, format!("state rename {urn} {name}"), |snapshot| {
        Ok((purlin_edit::rename_resource(snapshot, urn, &name)?, ()))
    })
    .await?;
    context.out.line("Resource renamed");
    Ok(())
}
