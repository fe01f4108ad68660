//! Finds, installs, launches and supervises plugins, and adapts resource plugins to the port that
//! the engine calls.
//!
//! - [`discovery`] says where a plugin is: named by the project, on the search path, beside the
//!   executable, in the cache.
//! - [`install`] downloads a missing one, checks it and unpacks it.
//! - [`process`] starts one, reads its port, forwards what it prints and ends it.
//! - [`PluginProvider`] speaks the protocol with a resource plugin.
//! - [`PluginHost`] puts these together.
//!
//! Nothing here reads the environment, the home folder or arguments: all of it comes in
//! [`PluginSettings`].

pub mod discovery;
mod dynamic;
mod host;
pub mod install;
mod prepared;
pub mod process;
mod provider;
mod settings;

pub use dynamic::is_dynamic;
pub use host::{BuiltinProviders, PluginHost};
pub use provider::{PluginProvider, ProviderOptions};
pub use settings::{
    DownloadEndpoints, PluginKind, PluginSettings, ProjectPlugin, UrlOverride, parse_version,
};
