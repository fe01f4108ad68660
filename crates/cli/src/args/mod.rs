//! The command line, declared. Each group of flags is a structure of its own, so that a flag means
//! the same thing wherever it appears.

mod config;
mod forms;
mod global;
mod operation;
mod stack;
mod state;
mod top;

pub(crate) use config::{
    ConfigArgs, ConfigCommand, ConfigGetArgs, ConfigRmArgs, ConfigSetAllArgs, ConfigSetArgs,
};
pub(crate) use forms::lenient;
pub(crate) use global::{ColorChoice, GlobalArgs};
pub(crate) use operation::{
    CommonOperationArgs, DestroyArgs, PreviewArgs, RefreshArgs, UpArgs, UpdateFlags, WhyArgs,
};
pub(crate) use stack::{
    StackArgs, StackCommand, StackExportArgs, StackGraphArgs, StackHistoryArgs, StackImportArgs,
    StackInitArgs, StackLsArgs, StackOutputArgs, StackRenameArgs, StackRmArgs, StackSecretsArgs,
    StackSelectArgs, StackTagArgs, StackTagCommand,
};
pub(crate) use state::{
    StateArgs, StateCommand, StateDeleteArgs, StateDiffArgs, StateFlagArgs, StateFsckArgs, StateLogArgs,
    StateMigrateArgs, StateMoveArgs, StateRenameArgs, StateRepairArgs, StateRestoreArgs, StateSubmitArgs,
    StateUpgradeArgs,
};
pub(crate) use top::{
    AboutArgs, CancelArgs, Cli, Command, InstallArgs, LoginArgs, LogoutArgs, NewArgs, WhoamiArgs,
};

/// The stack that a flag names, for commands that do more than find it. Scripts pass an empty name where
/// they mean none.
pub(crate) fn named(flag: Option<&String>) -> Option<&str> {
    flag.map(String::as_str).filter(|name| !name.is_empty())
}
