//! Policy packs as an adapter of the policy port: processes that speak the analyzer protocol, each
//! started once for an operation, configured, asked about resources, and ended.
//!
//! How a pack of some language is started is not known here: whoever loads one says what to run
//! ([`PackSource`]). The order of the first calls is fixed: the handshake, what the stack is,
//! what the pack is, its configuration. Answers of packs are read as hostile texts.

mod config;
mod json;
mod pack;
mod requests;

pub use config::PackConfig;
pub use pack::{PackSource, PluginPack, StackFacts};
