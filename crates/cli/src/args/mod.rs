//! The command line, declared. Each group of flags is a structure of its own, so that a flag means
//! the same thing wherever it appears.

mod config;
mod global;
mod operation;
mod stack;
mod top;

pub(crate) use config::{
    ConfigArgs, ConfigCommand, ConfigGetArgs, ConfigRmArgs, ConfigSetAllArgs, ConfigSetArgs,
};
pub(crate) use global::{ColorChoice, GlobalArgs};
pub(crate) use operation::{
    CommonOperationArgs, DestroyArgs, PreviewArgs, RefreshArgs, UpArgs, UpdateFlags, WhyArgs,
};
pub(crate) use stack::{
    StackArgs, StackCommand, StackExportArgs, StackHistoryArgs, StackImportArgs, StackInitArgs, StackLsArgs,
    StackOutputArgs, StackRmArgs, StackSelectArgs,
};
pub(crate) use top::{
    AboutArgs, CancelArgs, Cli, Command, InstallArgs, LoginArgs, LogoutArgs, NewArgs, StateArgs,
    StateCommand, StateDeleteArgs, StateUnprotectArgs, WhoamiArgs,
};
