//! Go programs.

mod build;
mod modules;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::{EventSink, LanguageHost, ProgramInfo, RunOutcome, RunRequest};
use tokio_util::sync::CancellationToken;

use crate::options;
use crate::process::Invocation;
use crate::program::{self, missing_tool, run_tool, upwards};
use crate::settings::HostSettings;

/// Compiles and runs Go programs, or runs compiled ones.
pub struct GoHost {
    settings: Arc<HostSettings>,
}

impl GoHost {
    /// A host with its settings.
    pub fn new(settings: Arc<HostSettings>) -> Self {
        GoHost { settings }
    }

    fn invocation(&self, request: &RunRequest, binary: PathBuf) -> Result<Invocation, Diagnostic> {
        let (config, secret_keys) = program::config_texts(request, str::to_owned)?;
        let mut environment = self.settings.environment.clone();
        let root = request.program.root_directory.to_string_lossy().into_owned();
        for (name, value) in [
            ("PULUMI_ORGANIZATION", request.organization.clone()),
            ("PULUMI_PROJECT", request.project.clone()),
            ("PULUMI_ROOT_DIRECTORY", root),
            ("PULUMI_STACK", request.stack.clone()),
            ("PULUMI_CONFIG", config),
            ("PULUMI_CONFIG_SECRET_KEYS", secret_keys),
            ("PULUMI_DRY_RUN", request.dry_run.to_string()),
            ("PULUMI_PARALLEL", request.parallel.to_string()),
            ("PULUMI_MONITOR", request.monitor_address.clone()),
            ("PULUMI_ENGINE", request.engine_address.clone()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        Ok(Invocation::new(binary, &request.program.program_directory, environment))
    }
}

/// The Go tool.
fn go_tool(settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
    settings.find_tool("go").ok_or_else(|| {
        missing_tool("go", "install Go, or name a compiled program as `runtime.options.binary`")
    })
}

#[async_trait]
impl LanguageHost for GoHost {
    fn runtime(&self) -> &str {
        "go"
    }

    async fn install_dependencies(
        &self,
        program: &ProgramInfo,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic> {
        if options::text(&program.options, "binary")?.is_some() && !reinstall {
            return Ok(());
        }
        let directory = &program.program_directory;
        program::check_folder(directory)?;
        let Some(home) = upwards(directory, |folder| folder.join("go.mod").is_file()) else {
            return Ok(());
        };
        if !reinstall && (home.join("go.sum").is_file() || home.join("vendor").is_dir()) {
            return Ok(());
        }
        let invocation =
            Invocation::new(go_tool(&self.settings)?, directory, self.settings.environment.clone()).args([
                "mod",
                "tidy",
                "-compat=1.18",
            ]);
        run_tool("go dependencies", &invocation, events, &CancellationToken::new(), &self.settings).await
    }

    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        modules::find(&program.program_directory, &self.settings).await
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        let binary = build::binary(&request, &self.settings, &cancel).await?;
        if cancel.is_cancelled() {
            return Ok(RunOutcome::Bailed);
        }
        let invocation = self.invocation(&request, binary.path().to_owned())?;
        program::run(&invocation, &request, &self.settings, &cancel, |_| None).await
    }
}
