//! The policy packs of an operation: found, started, named, ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use purlin_diag::Diagnostic;
use purlin_languages::{PolicyStart, host_for, policy_command};
use purlin_model::event::EngineEvent;
use purlin_plugins::discovery::{self, PluginQuery, Program};
use purlin_plugins::{PluginHost, PluginKind};
use purlin_policy::{PackConfig, PackSource, PluginPack, StackFacts};
use purlin_ports::{EventSink, PolicyPack as _, ProgramInfo};
use purlin_project::manifest::{ManifestKind, SourceManifest, manifest_in};

use crate::exit::CommandError;
use crate::operation::Prepared;
use crate::operation::prepare::property;

/// Paths longer than this are cut in the middle where packs are named.
const LONGEST_PATH: usize = 75;

impl Prepared<'_> {
    /// Starts the packs that the user asks for.
    pub(crate) async fn policy_packs(
        &self,
        preview: bool,
        plugins: &PluginHost,
        engine_address: &str,
        events: &Arc<dyn EventSink>,
    ) -> Result<Vec<Arc<PluginPack>>, CommandError> {
        let starts = self.flags.policy_packs.iter().map(|(path, config)| {
            events.emit(EngineEvent::PolicyLoad);
            self.start_pack(preview, path, config.as_deref(), plugins, engine_address, events)
        });
        try_join_all(starts).await
    }

    async fn start_pack(
        &self,
        preview: bool,
        path: &Path,
        config: Option<&Path>,
        plugins: &PluginHost,
        engine_address: &str,
        events: &Arc<dyn EventSink>,
    ) -> Result<Arc<PluginPack>, CommandError> {
        let config = config.map(|file| self.pack_config(file)).transpose()?;
        let info = self.info(preview);
        let facts = StackFacts {
            organization: info.organization,
            project: info.project,
            stack: info.stack,
            dry_run: preview,
            config: info.config,
            config_secret_keys: info.config_secret_keys,
            tags: BTreeMap::new(),
        };
        let source = self.pack_source(path, plugins, engine_address, &facts, events).await?;
        let launcher = plugins.launcher();
        Ok(Arc::new(PluginPack::start(source, launcher, engine_address, &facts, config.as_ref()).await?))
    }

    fn pack_config(&self, file: &Path) -> Result<PackConfig, Diagnostic> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(self.context.ambient.cwd.join(file)).map_err(|e| {
            Diagnostic::error("policy-config", format!("{shown} can't be read: {e}"))
                .with_hint("check the path given with --policy-pack-config")
        })?;
        PackConfig::parse(&shown, &text)
    }

    /// Finds out what to run for a pack: the file itself, or what the manifest's runtime says.
    async fn pack_source(
        &self,
        path: &Path,
        plugins: &PluginHost,
        engine_address: &str,
        facts: &StackFacts,
        events: &Arc<dyn EventSink>,
    ) -> Result<PackSource, CommandError> {
        let place = path.display().to_string();
        let missing = |what: String| {
            Diagnostic::error("policy-pack-missing", what)
                .with_hint("--policy-pack is the folder that holds PulumiPolicy.yaml")
        };
        let found = self.context.ambient.cwd.join(path).canonicalize();
        let found = found.map_err(|e| missing(format!("there is no policy pack at {place}: {e}")))?;
        let env = plugins.settings().env.clone();
        if found.is_file() {
            let root = found.parent().map(Path::to_path_buf).unwrap_or_default();
            let manifest = manifest_in(&root, ManifestKind::Policy);
            let version = manifest.map(|file| load(&file)).transpose()?.and_then(|manifest| manifest.version);
            return Ok(PackSource {
                place,
                root,
                version,
                program: found,
                args: vec![engine_address.into()],
                folder: self.program.program_directory.clone(),
                env,
            });
        }
        let manifest = manifest_in(&found, ManifestKind::Policy)
            .ok_or_else(|| missing(format!("the folder {place} has no PulumiPolicy.yaml")))?;
        let manifest = load(&manifest)?;
        let runtime = &manifest.runtime.name;
        let pack = ProgramInfo {
            root_directory: found.clone(),
            program_directory: found.clone(),
            entry_point: ".".to_owned(),
            options: manifest.runtime.options.iter().map(|(k, v)| (k.clone(), property(v))).collect(),
        };
        if let Ok(host) = host_for(runtime, Arc::clone(&self.host_settings)) {
            host.install_dependencies(&pack, events, false).await?;
        }
        let start = PolicyStart {
            pack,
            engine_address: engine_address.to_owned(),
            organization: facts.organization.clone(),
            project: facts.project.clone(),
            stack: facts.stack.clone(),
            dry_run: facts.dry_run,
            config: facts.config.clone(),
        };
        let source = |program, args, folder, env| PackSource {
            place: place.clone(),
            root: found.clone(),
            version: manifest.version.clone(),
            program,
            args,
            folder,
            env,
        };
        if let Some(command) = policy_command(runtime, &start, &self.host_settings).await? {
            let env = command.environment.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
            return Ok(source(command.program, command.arguments, command.folder, env));
        }
        let program = analyzer_of(runtime, plugins)?;
        let mut args: Vec<OsString> = vec![engine_address.into(), ".".into()];
        for (name, value) in &manifest.runtime.options {
            args.push(format!("-{name}={}", crate::plain::shown(&property(value))).into());
        }
        Ok(source(program, args, found.clone(), env_with(env, &start)))
    }
}

fn load(manifest: &Path) -> Result<SourceManifest, CommandError> {
    SourceManifest::load(manifest).map_err(CommandError::from)
}

/// The plugin that runs packs of a language that has no host here.
fn analyzer_of(runtime: &str, plugins: &PluginHost) -> Result<PathBuf, Diagnostic> {
    let query = PluginQuery::new(PluginKind::Analyzer, &format!("policy-{runtime}"), "")?;
    match discovery::find(&query, plugins.settings())?.map(|located| located.program) {
        Some(Program::Executable(program)) => Ok(program),
        _ => Err(Diagnostic::error(
            "policy-runtime",
            format!("nothing runs policy packs of the runtime '{runtime}'"),
        )
        .with_hint(format!("put {} on the search path", query.file_name()))),
    }
}

/// What plugins that run packs read from their environment.
fn env_with(mut env: Vec<(OsString, OsString)>, start: &PolicyStart) -> Vec<(OsString, OsString)> {
    let config = serde_json::to_string(&start.config).unwrap_or_default();
    for (name, value) in [
        ("PULUMI_CONFIG", config),
        ("PULUMI_ORGANIZATION", start.organization.clone()),
        ("PULUMI_PROJECT", start.project.clone()),
        ("PULUMI_STACK", start.stack.clone()),
        ("PULUMI_DRY_RUN", start.dry_run.to_string()),
    ] {
        env.retain(|(key, _)| key != name);
        env.push((name.into(), value.into()));
    }
    env
}

/// The versions of packs by their names, as events tell them.
pub(crate) fn names(packs: &[Arc<PluginPack>]) -> BTreeMap<String, String> {
    let name = |pack: &Arc<PluginPack>| {
        let info = pack.info();
        (format!("{}|local|{}", info.name, abbreviated(pack.place())), info.version.clone())
    };
    packs.iter().map(name).collect()
}

/// Ends all packs.
pub(crate) async fn end(packs: &[Arc<PluginPack>]) {
    join_all(packs.iter().map(|pack| pack.end())).await;
}

/// A path without its middle, if it is long; without `.` and doubled separators.
fn abbreviated(path: &str) -> String {
    let clean: PathBuf = Path::new(path).components().collect();
    let clean = clean.display().to_string();
    let parts: Vec<&str> = clean.split('/').collect();
    if clean.len() <= LONGEST_PATH || parts.len() <= 4 {
        return clean;
    }
    [&parts[..2], &["..."], &parts[parts.len() - 2..]].concat().join("/")
}

#[cfg(test)]
mod tests {
    use super::abbreviated;

    #[test]
    fn long_paths_lose_their_middle() {
        assert_eq!(abbreviated("packs//rules/"), "packs/rules");
        let long = format!("/home/me/{}/packs/rules", "deep/".repeat(20));
        assert_eq!(abbreviated(&long), "/home/.../packs/rules");
    }
}
