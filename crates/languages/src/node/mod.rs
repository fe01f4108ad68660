//! Node programs, in JavaScript or TypeScript.

mod install;
mod packages;
mod typescript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::{EventSink, LanguageHost, ProgramInfo, RunOutcome, RunRequest};
use tokio_util::sync::CancellationToken;

use crate::policy::{PolicyCommand, PolicyStart};
use crate::process::{self, Invocation};
use crate::settings::HostSettings;
use crate::{options, program};

/// The SDK's own script that runs a program.
const RUN_MODULE: &str = "@pulumi/pulumi/cmd/run";

/// The SDK's own script that runs a policy pack.
const POLICY_MODULE: &str = "@pulumi/pulumi/cmd/run-policy-pack";

/// Loaded before the program; keeps debug messages off the wire.
const QUIET_SCRIPT: &str = include_str!("quiet.js");

/// Runs Node programs through the script that their SDK comes with.
pub struct NodeHost {
    settings: Arc<HostSettings>,
}

impl NodeHost {
    /// A host with its settings.
    pub fn new(settings: Arc<HostSettings>) -> Self {
        NodeHost { settings }
    }

    /// The script that runs programs.
    async fn run_script(&self, node: &Path, program: &ProgramInfo) -> Result<PathBuf, Diagnostic> {
        let module = self.settings.variable("PULUMI_LANGUAGE_NODEJS_RUN_PATH").unwrap_or(RUN_MODULE);
        script(module, node, program, &self.settings).await
    }

    fn invocation(&self, request: &RunRequest, node: &Path, script: &Path) -> Result<Invocation, Diagnostic> {
        let given = &request.program.options;
        let (config, secret_keys) = program::config_texts(request, long_key)?;
        let mut environment = self.settings.environment.clone();
        environment.insert("PULUMI_CONFIG".to_owned(), config);
        environment.insert("PULUMI_CONFIG_SECRET_KEYS".to_owned(), secret_keys);
        compiling(&request.program, &self.settings, &mut environment)?;
        let info = &request.program;
        let mut invocation = Invocation::new(node, &info.program_directory, environment)
            .args(options::words(options::text(given, "nodeargs")?.unwrap_or_default())?);
        if !self.settings.debug_messages {
            invocation = invocation.arg("--require").arg(program::keep_script(
                &self.settings,
                "quiet-node",
                "js",
                QUIET_SCRIPT,
            )?);
        }
        invocation = invocation
            .arg(script)
            .option("monitor", &request.monitor_address)
            .option("engine", &request.engine_address)
            .option("organization", &request.organization)
            .option("project", &request.project)
            .option("root-directory", &info.root_directory)
            .option("stack", &request.stack)
            .option("pwd", &info.program_directory);
        if request.dry_run {
            invocation = invocation.arg("--dry-run");
        }
        Ok(invocation.option("parallel", request.parallel.to_string()).arg(&info.entry_point))
    }
}

fn find_node(settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
    settings.find_tool("node").ok_or_else(|| program::missing_tool("node", "install Node.js 20 or later"))
}

/// A script of the SDK: found by walking up the `node_modules` folders as Node does, or, where the
/// packages are laid out in another way, by asking Node.
async fn script(
    module: &str,
    node: &Path,
    program: &ProgramInfo,
    settings: &HostSettings,
) -> Result<PathBuf, Diagnostic> {
    let directory = &program.program_directory;
    let inside = Path::new("node_modules").join(module).join("index.js");
    if let Some(folder) = program::upwards(directory, |folder| folder.join(&inside).is_file()) {
        return Ok(folder.join(inside));
    }
    let ask = Invocation::new(node, directory, settings.environment.clone()).args([
        "-e",
        "process.stdout.write(require.resolve(process.argv[1]))",
        module,
    ]);
    let said = process::capture(&ask).await.map_err(|error| program::not_started(&ask, &error))?;
    if said.success && !said.stdout.is_empty() {
        return Ok(PathBuf::from(said.stdout));
    }
    let mut diagnostic = Diagnostic::error(
        "sdk-missing",
        format!("the Pulumi SDK for Node.js can't be found from '{}'", directory.display()),
    );
    if !said.stderr.contains("MODULE_NOT_FOUND") && !said.stderr.trim().is_empty() {
        diagnostic.message.push_str(":\n");
        diagnostic.message.push_str(said.stderr.trim_end());
    }
    Err(diagnostic.with_hint(format!(
        "run `{} install`; package.json must name `@pulumi/pulumi` among its dependencies",
        settings.command_name
    )))
}

/// What a program in Node needs in its environment to be compiled.
fn compiling(
    program: &ProgramInfo,
    settings: &HostSettings,
    environment: &mut BTreeMap<String, String>,
) -> Result<(), Diagnostic> {
    let given = &program.options;
    let typescript = options::flag(given, "typescript")?;
    if typescript.unwrap_or_else(|| typescript::is_needed(&program.program_directory)) {
        environment.insert("PULUMI_NODEJS_TYPESCRIPT".to_owned(), "true".to_owned());
    }
    if let Some(path) = options::text(given, "tsconfig")? {
        environment.insert("PULUMI_NODEJS_TSCONFIG_PATH".to_owned(), path.to_owned());
    }
    // From version 22 on, Node keeps compiled modules there; older ones ignore it.
    let compiled = settings.cache_directory.join("node-modules").to_string_lossy().into_owned();
    environment.entry("NODE_COMPILE_CACHE".to_owned()).or_insert(compiled);
    Ok(())
}

/// How a policy pack is started: by the script of its SDK.
pub(crate) async fn policy_command(
    start: &PolicyStart,
    settings: &HostSettings,
) -> Result<PolicyCommand, Diagnostic> {
    let pack = &start.pack;
    let node = find_node(settings)?;
    let script = script(POLICY_MODULE, &node, pack, settings).await?;
    let mut environment = settings.environment.clone();
    compiling(pack, settings, &mut environment)?;
    environment.extend(start.variables(&["PULUMI_", "PULUMI_NODEJS_"])?);
    let folder = &pack.program_directory;
    let words = options::words(options::text(&pack.options, "nodeargs")?.unwrap_or_default())?;
    let invocation = Invocation::new(node, folder, environment)
        .args(words)
        .arg(script)
        .arg(&start.engine_address)
        .arg(folder);
    Ok(invocation.into())
}

/// The old form of a configuration key, `namespace:config:name`. All versions of the SDK read it.
fn long_key(key: &str) -> String {
    match key.split_once(':') {
        Some((namespace, name)) if !name.starts_with("config:") => format!("{namespace}:config:{name}"),
        _ => key.to_owned(),
    }
}

#[async_trait]
impl LanguageHost for NodeHost {
    fn runtime(&self) -> &str {
        "nodejs"
    }

    async fn install_dependencies(
        &self,
        program: &ProgramInfo,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic> {
        program::check_folder(&program.program_directory)?;
        install::install(program, &self.settings, events, reinstall).await
    }

    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        let directory = program.program_directory.clone();
        tokio::task::spawn_blocking(move || packages::find(&directory)).await.map_err(|error| {
            Diagnostic::error("packages-search", format!("the search for packages failed: {error}"))
        })
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        program::check_exists(&request.program)?;
        let node = find_node(&self.settings)?;
        let script = self.run_script(&node, &request.program).await?;
        let invocation = self.invocation(&request, &node, &script)?;
        program::run(&invocation, &request, &self.settings, &cancel, |_| None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_get_their_old_form_once() {
        assert_eq!(long_key("shop:size"), "shop:config:size");
        assert_eq!(long_key("shop:config:size"), "shop:config:size");
    }
}
