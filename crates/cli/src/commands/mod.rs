//! The commands that run no operation.

mod about;
mod cancel;
mod config;
mod login;
mod new;
mod stack;
mod stack_files;
mod stack_graph;
mod stack_history;
mod stack_rename;
mod stack_secrets;
mod stack_show;
mod stack_tag;
mod state;
mod templates;

pub(crate) use about::{about, version};
pub(crate) use cancel::cancel;
pub(crate) use config::config;
pub(crate) use login::{login, logout, whoami};
pub(crate) use new::{install, new};
pub(crate) use stack::stack;
pub(crate) use state::state;
