//! `state delete`.

use std::collections::BTreeSet;

use purlin_diag::Diagnostic;
use purlin_edit::DeleteOptions;

use super::session::{edit, one_state, urns_or_choice};
use crate::args::StateDeleteArgs;
use crate::context::{Context, Target};
use crate::exit::CommandError;
use crate::report;

/// Forgets resources.
pub(crate) async fn delete(
    context: &Context,
    target: &Target,
    args: StateDeleteArgs,
) -> Result<(), CommandError> {
    if args.all && !args.urns.is_empty() {
        return Err(CommandError::usage("state-urns", "--all goes without URNs"));
    }
    let urns = if args.all {
        Vec::new()
    } else {
        urns_or_choice(context, target, args.urns, "Select the resource to delete").await?
    };
    context.confirm_edit("This command will edit your stack's state directly. Confirm?", args.yes)?;
    let message =
        if args.all { "state delete --all".to_owned() } else { format!("state delete {}", urns.join(" ")) };
    let options = DeleteOptions { force: args.force, dependents: args.target_dependents };
    let deleted = edit(context, target, message, |snapshot| {
        let chosen: BTreeSet<usize> = if args.all {
            (0..snapshot.resources.len()).collect()
        } else {
            urns.iter().map(|urn| one_state(context, snapshot, urn)).collect::<Result<_, _>>()?
        };
        let deleted = purlin_edit::delete(snapshot, &chosen, options)?;
        Ok((deleted.snapshot.clone(), deleted))
    })
    .await?;
    for urn in &deleted.protected {
        let warning = Diagnostic::warning(
            "state-protected",
            format!("{urn} was protected; forgotten because of --force"),
        );
        context.out.error_line(report::render(&warning, context.out.colors()));
    }
    context.out.line(match (args.all, deleted.urns.len()) {
        (true, _) => "Resources deleted".to_owned(),
        (false, 1) => "Resource deleted".to_owned(),
        (false, count) => format!("{count} resources deleted"),
    });
    Ok(())
}
