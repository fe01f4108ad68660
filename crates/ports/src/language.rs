//! The port to programs in a language.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{PackageDescriptor, PropertyMap};
use tokio_util::sync::CancellationToken;

use crate::ambient::EventSink;
use crate::monitor::ResourceMonitor;

/// Where a program is and how it is to be run.
#[derive(Clone, Debug)]
pub struct ProgramInfo {
    /// The folder of the project file.
    pub root_directory: PathBuf,
    /// The folder of the program: the root joined with the project's `main` (its folder, if that
    /// is a file). The program runs here.
    pub program_directory: PathBuf,
    /// The file to start, or `.`.
    pub entry_point: String,
    /// The options of the project's `runtime`.
    pub options: PropertyMap,
}

/// A run of a program.
#[derive(Clone)]
pub struct RunRequest {
    /// The program.
    pub program: ProgramInfo,
    /// The project's name.
    pub project: String,
    /// The stack's name without organization and project.
    pub stack: String,
    /// The stack's organization.
    pub organization: String,
    /// Configuration by `namespace:key`, secrets decrypted, objects as JSON text.
    pub config: BTreeMap<String, String>,
    /// The keys whose values are secret.
    pub config_secret_keys: Vec<String>,
    /// Whether it is a preview.
    pub dry_run: bool,
    /// How many operations may run at once.
    pub parallel: i32,
    /// Where the gRPC resource monitor listens, as `host:port`.
    pub monitor_address: String,
    /// Where the gRPC engine service listens, as `host:port`.
    pub engine_address: String,
    /// The monitor itself, for programs that run in this process.
    pub monitor: Arc<dyn ResourceMonitor>,
    /// Where what the program prints goes.
    pub events: Arc<dyn EventSink>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Well.
    Succeeded,
    /// Badly, and it has said so itself.
    Bailed,
    /// Badly.
    Failed(Diagnostic),
}

/// Runs programs of one language.
#[async_trait]
pub trait LanguageHost: Send + Sync {
    /// The name of the runtime, as project files have it.
    fn runtime(&self) -> &str;

    /// Installs what the program depends on. Does nothing if everything is there, unless
    /// `reinstall`.
    async fn install_dependencies(
        &self,
        program: &ProgramInfo,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic>;

    /// The packages that the program's dependencies need plugins for.
    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic>;

    /// Runs the program to its end. Cancelling ends the program.
    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic>;
}
