//! The gRPC services that programs, and plugins that construct components, talk to: resource
//! monitor, engine, schema loader and health. And the one that is talked to by us, about what happens.
//!
//! A request is decoded once, into what the [`ResourceMonitor`] port takes, and its answer is
//! encoded once. What needs no engine stays here: references to packages, transforms, positions
//! in source files, aliases in the forms that old SDKs send, durations, version ranges.

mod alias;
mod callbacks;
mod dependencies;
mod direct;
mod duration;
mod engine_service;
mod event_stream;
mod features;
mod hooks;
mod loader_service;
mod monitor_service;
mod packages;
mod position;
mod register;
mod server;
mod status;
mod status_service;
mod transforms;
mod version_range;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::Entropy;

pub use event_stream::{EventSender, EventStream};
pub use server::MonitorServer;

#[cfg(doc)]
use purlin_ports::ResourceMonitor;

/// Hands out package schemas.
#[async_trait]
pub trait SchemaSource: Send + Sync {
    /// The JSON text of a package's schema.
    async fn schema(&self, package: &PackageDescriptor) -> Result<String, Diagnostic>;
}

/// What the services need to know besides the monitor itself.
#[derive(Clone)]
pub struct MonitorSettings {
    /// The folder of the project file; positions in source files are given relative to it.
    pub root_directory: PathBuf,
    /// The folder of the program; relative paths of assets are taken from it.
    pub program_directory: PathBuf,
    /// The version of the official command line that this one is compatible with, which programs
    /// may make demands on.
    pub compatible_version: semver::Version,
    /// Where references to packages come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where schemas come from, if they can be had.
    pub schemas: Option<Arc<dyn SchemaSource>>,
    /// How assets at addresses of the network are fetched, if they can be.
    pub fetch: Option<purlin_assets::SharedFetch>,
}
