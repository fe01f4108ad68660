//! `state protect`, `unprotect`, `taint`, `untaint`.

use purlin_edit::{Flag, set_flag};

use super::session::{edit, urns_or_choice};
use crate::args::StateFlagArgs;
use crate::context::{Context, Target};
use crate::exit::CommandError;

/// Sets or lifts a mark.
pub(crate) async fn set(
    context: &Context,
    target: &Target,
    args: StateFlagArgs,
    flag: Flag,
    on: bool,
) -> Result<(), CommandError> {
    if args.all && !args.urns.is_empty() {
        return Err(CommandError::usage("state-urns", "--all goes without URNs"));
    }
    let verb = match (flag, on) {
        (Flag::Protect, true) => "protect",
        (Flag::Protect, false) => "unprotect",
        (Flag::Taint, true) => "taint",
        (Flag::Taint, false) => "untaint",
    };
    let urns = if args.all {
        None
    } else {
        Some(urns_or_choice(context, target, args.urns, &format!("Select a resource to {verb}:")).await?)
    };
    let question = if (flag, on) == (Flag::Protect, true) {
        "This will edit your stack's state directly. Unless the program protects the resource, too, the next \
         update lifts the protection. Confirm?"
    } else {
        "This command will edit your stack's state directly. Confirm?"
    };
    context.confirm_edit(question, args.yes)?;
    let named = urns.as_ref().map_or("--all".to_owned(), |urns| urns.join(" "));
    let count = edit(context, target, format!("state {verb} {named}"), |snapshot| {
        Ok(set_flag(snapshot, urns.as_deref(), flag, on)?)
    })
    .await?;
    context.out.line(match urns {
        None => format!("All resources {verb}ed"),
        Some(_) => format!("{count} resources {verb}ed"),
    });
    Ok(())
}
