//! `state`: what is recorded, looked at, edited, mended and moved, without touching the cloud.

mod delete;
mod diff;
mod editor;
mod flags;
mod fsck;
mod log;
mod migrate;
mod moving;
mod rename;
mod repair;
mod restore;
mod session;
mod submit;
mod upgrade;

use purlin_edit::Flag;

use crate::args::{self, StateArgs, StateCommand, StateFlagArgs};
use crate::context::Context;
use crate::exit::CommandError;

pub(crate) use log::versions_of;
pub(crate) use session::edit_info;

/// Runs a command about the state.
pub(crate) async fn state(context: &Context, args: StateArgs) -> Result<(), CommandError> {
    let named = args::named(args.stack.as_ref());
    match args.command {
        StateCommand::Upgrade(args) => return upgrade::upgrade(context, &args).await,
        StateCommand::Move(args) => return moving::move_between(context, named, args).await,
        StateCommand::Migrate(args) => return migrate::migrate(context, named, args).await,
        StateCommand::Fsck(args) => return fsck::fsck(context, named, &args).await,
        _ => {}
    }
    let target = context.stack(named)?;
    match args.command {
        StateCommand::Delete(args) => delete::delete(context, &target, args).await,
        StateCommand::Rename(args) => rename::rename(context, &target, args).await,
        StateCommand::Protect(args) => flags::set(context, &target, args, Flag::Protect, true).await,
        StateCommand::Unprotect(args) => flags::set(context, &target, args, Flag::Protect, false).await,
        StateCommand::Taint(args) => {
            let args = StateFlagArgs { urns: args.urns, all: false, yes: args.yes };
            flags::set(context, &target, args, Flag::Taint, true).await
        }
        StateCommand::Untaint(args) => flags::set(context, &target, args, Flag::Taint, false).await,
        StateCommand::Submit(args) => submit::submit(context, &target, &args).await,
        StateCommand::Edit => editor::edit(context, &target).await,
        StateCommand::Log(args) => log::log(context, &target, &args).await,
        StateCommand::Diff(args) => diff::diff(context, &target, &args).await,
        StateCommand::Restore(args) => restore::restore(context, &target, &args).await,
        StateCommand::Repair(args) => repair::repair(context, &target, &args).await,
        StateCommand::Upgrade(_)
        | StateCommand::Move(_)
        | StateCommand::Migrate(_)
        | StateCommand::Fsck(_) => Ok(()),
    }
}
