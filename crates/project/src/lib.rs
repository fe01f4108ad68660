//! Project and stack settings, workspace and credentials files.
//!
//! Settings are read into a positioned tree ([`yaml`]), so that every complaint names its place,
//! and written back by changing only the text that has to change. Nothing here reads the
//! environment, the home directory or the clock: paths and names come in as parameters.

pub mod config;
mod credentials;
mod files;
pub mod manifest;
pub mod names;
mod stack;
mod suggest;
mod value;
mod version;
mod workspace;
pub mod yaml;

pub use credentials::{Account, Credentials, TokenInformation};
pub use manifest::{Project, find_project};
pub use stack::StackSettings;
pub use suggest::nearest;
pub use value::{Object, Value};
pub use version::check_required_version;
pub use workspace::{BackendSettings, WorkspaceSettings, workspace_files};
