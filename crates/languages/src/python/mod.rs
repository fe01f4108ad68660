//! Python programs.

mod packages;
mod toolchain;

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::{EventSink, LanguageHost, ProgramInfo, RunOutcome, RunRequest};
use tokio_util::sync::CancellationToken;

use crate::policy::{PolicyCommand, PolicyStart};
use crate::process::{self, Invocation};
use crate::program;
use crate::settings::HostSettings;
use toolchain::Toolchain;

/// The script that starts programs.
const START_SCRIPT: &str = include_str!("start.py");

/// By this code the script says that it couldn't import the SDK.
const SDK_MISSING: i32 = 33;

/// Runs Python programs, each in its virtual environment.
pub struct PythonHost {
    settings: Arc<HostSettings>,
}

impl PythonHost {
    /// A host with its settings.
    pub fn new(settings: Arc<HostSettings>) -> Self {
        PythonHost { settings }
    }

    fn invocation(&self, request: &RunRequest, toolchain: &Toolchain) -> Result<Invocation, Diagnostic> {
        let (config, secret_keys) = program::config_texts(request, str::to_owned)?;
        let mut environment = toolchain.environment(&self.settings);
        environment.insert("PULUMI_CONFIG".to_owned(), config);
        environment.insert("PULUMI_CONFIG_SECRET_KEYS".to_owned(), secret_keys);
        let directory = &request.program.program_directory;
        Ok(Invocation::new(toolchain.python(&self.settings)?, directory, environment)
            .arg(program::keep_script(&self.settings, "start-python", "py", START_SCRIPT)?)
            .option("monitor", &request.monitor_address)
            .option("engine", &request.engine_address)
            .option("project", &request.project)
            .option("root_directory", &request.program.root_directory)
            .option("stack", &request.stack)
            .option("pwd", directory)
            .option("dry_run", request.dry_run.to_string())
            .option("parallel", request.parallel.to_string())
            .option("organization", &request.organization)
            .option("debug_messages", self.settings.debug_messages.to_string())
            .arg(&request.program.entry_point))
    }

    async fn check_types(&self, request: &RunRequest, toolchain: &Toolchain) -> Result<(), Diagnostic> {
        let options = &request.program.options;
        let Some(checker) = crate::options::choice(options, "typechecker", &["mypy", "pyright"])? else {
            return Ok(());
        };
        let directory = &request.program.program_directory;
        let mut invocation = Invocation::new(
            toolchain.python(&self.settings)?,
            directory,
            toolchain.environment(&self.settings),
        )
        .args(["-m", checker]);
        if let (true, Some(venv)) = (checker == "mypy", toolchain.virtual_environment()) {
            let inside = venv.strip_prefix(directory).unwrap_or(venv);
            invocation = invocation.arg("--exclude").arg(inside);
        }
        let invocation = invocation.arg(directory);
        let checked =
            process::capture(&invocation).await.map_err(|error| program::not_started(&invocation, &error))?;
        if checked.success {
            return Ok(());
        }
        let said = format!("{}{}", checked.stdout, checked.stderr);
        let missing = said.contains(&format!("No module named {checker}"));
        let diagnostic = Diagnostic::error(
            "typecheck-failed",
            format!("{checker} refuses the program:\n{}", said.trim_end()),
        );
        Err(if missing {
            diagnostic.with_hint(format!("add {checker} to the program's dependencies"))
        } else {
            diagnostic
        })
    }

    fn sdk_missing(&self, toolchain: &Toolchain) -> Diagnostic {
        let name = &self.settings.command_name;
        let hint = match toolchain.virtual_environment() {
            Some(venv) => format!(
                "add `pulumi` to the dependencies and run `{name} install`, which fills '{}'",
                venv.display()
            ),
            None => format!(
                "add `pulumi` to requirements.txt, set `runtime.options.virtualenv` to `venv` in the project \
                 file, and run `{name} install`"
            ),
        };
        Diagnostic::error("sdk-missing", "the Pulumi SDK for Python can't be imported").with_hint(hint)
    }
}

/// How a policy pack is started: in its own environment, by the script of its SDK.
pub(crate) async fn policy_command(
    start: &PolicyStart,
    settings: &HostSettings,
) -> Result<PolicyCommand, Diagnostic> {
    let pack = &start.pack;
    let mut toolchain = Toolchain::of(pack, settings)?;
    toolchain.resolve(pack, settings).await?;
    let mut environment = toolchain.environment(settings);
    environment.extend(start.variables(&["PULUMI_"])?);
    let folder = &pack.program_directory;
    let invocation = Invocation::new(toolchain.python(settings)?, folder, environment)
        .args(["-u", "-m", "pulumi.policy"])
        .arg(&start.engine_address)
        .arg(folder);
    Ok(invocation.into())
}

#[async_trait]
impl LanguageHost for PythonHost {
    fn runtime(&self) -> &str {
        "python"
    }

    async fn install_dependencies(
        &self,
        program: &ProgramInfo,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic> {
        program::check_folder(&program.program_directory)?;
        let toolchain = Toolchain::of(program, &self.settings)?;
        toolchain.install(program, &self.settings, events, reinstall).await
    }

    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        let mut toolchain = Toolchain::of(program, &self.settings)?;
        if toolchain.resolve(program, &self.settings).await.is_err() {
            // Nothing is installed; the run will say so.
            return Ok(Vec::new());
        }
        let folders = toolchain.package_folders(&self.settings, &program.program_directory).await?;
        Ok(packages::find(&folders))
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        program::check_exists(&request.program)?;
        let mut toolchain = Toolchain::of(&request.program, &self.settings)?;
        toolchain.resolve(&request.program, &self.settings).await?;
        self.check_types(&request, &toolchain).await?;
        let invocation = self.invocation(&request, &toolchain)?;
        program::run(&invocation, &request, &self.settings, &cancel, |code| {
            (code == SDK_MISSING).then(|| self.sdk_missing(&toolchain))
        })
        .await
    }
}
