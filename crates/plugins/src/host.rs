//! Finds, installs and starts the plugin of a package.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_ports::{EventSink, Provider, ProviderError, ProviderHost};

use crate::discovery::{self, PluginQuery, Program};
use crate::dynamic;
use crate::install::{InstallRequest, by_hand, install};
use crate::prepared::Prepared;
use crate::process::{LaunchSpec, Launcher, OutputLevel, ProcessObserver, diagnostic_event};
use crate::provider::{PluginProvider, ProviderOptions};
use crate::settings::{PluginKind, PluginSettings};

/// Makes a provider that is built in, if there is one for a package. Each answer is an instance of
/// its own.
pub type BuiltinProviders = Arc<dyn Fn(&PackageDescriptor) -> Option<Arc<dyn Provider>> + Send + Sync>;

/// The package of the engine itself.
const ENGINE_PACKAGE: &str = "pulumi";

/// Starts providers: plugins, and those built in.
pub struct PluginHost {
    settings: Arc<PluginSettings>,
    launcher: Launcher,
    builtin: BuiltinProviders,
    running: Mutex<Vec<Weak<PluginProvider>>>,
    prepared: Prepared<Arc<PluginProvider>>,
    warned: Mutex<BTreeSet<String>>,
}

/// What to run for a package.
struct Found {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    folder: PathBuf,
}

impl PluginHost {
    /// A host. `observer` hears of every process that starts or ends.
    pub fn new(
        settings: PluginSettings,
        events: Arc<dyn EventSink>,
        builtin: BuiltinProviders,
        observer: Option<ProcessObserver>,
    ) -> Result<PluginHost, Diagnostic> {
        Ok(PluginHost {
            settings: Arc::new(settings),
            launcher: Launcher::new(events, observer)?,
            builtin,
            running: Mutex::default(),
            prepared: Prepared::default(),
            warned: Mutex::default(),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &PluginSettings {
        &self.settings
    }

    /// Ends every plugin that is still running, in the middle of calls if need be.
    pub async fn end_all(&self, grace: Duration) {
        let running: Vec<_> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.iter().filter_map(Weak::upgrade).collect()
        };
        join_all(running.iter().map(|provider| provider.end(grace))).await;
    }

    /// What starts processes; for plugins of other kinds.
    pub fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// Starts a plugin for a package and takes up the conversation.
    pub async fn start_plugin(&self, package: &PackageDescriptor) -> Result<Arc<PluginProvider>, Diagnostic> {
        match self.find(package).await? {
            Some(found) => self.launch(package, found).await,
            None => {
                let found = self.download(package).await?;
                self.launch(package, found).await
            }
        }
    }

    /// Looks for the plugin of a package on this machine.
    async fn find(&self, package: &PackageDescriptor) -> Result<Option<Found>, Diagnostic> {
        let query = PluginQuery::new(PluginKind::Resource, &package.name, &package.version)?;
        let named = self.settings.project_plugins.iter();
        let named = named.into_iter().any(|p| p.kind == PluginKind::Resource && p.name == package.name);
        if dynamic::is_dynamic(&package.name) && !named {
            let command = dynamic::command(&package.name, &self.settings).await?;
            let dynamic::DynamicCommand { program, args, env, folder } = command;
            return Ok(Some(Found { program, args, env, folder }));
        }
        let Some(located) = discovery::find(&query, &self.settings)? else { return Ok(None) };
        for warning in located.warnings {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(warning.message.clone()) {
                let severity = warning.severity;
                self.launcher.events().emit(diagnostic_event(severity, warning.to_string(), None));
            }
        }
        found(&query, located.program, located.folder).map(Some)
    }

    async fn download(&self, package: &PackageDescriptor) -> Result<Found, Diagnostic> {
        let query = PluginQuery::new(PluginKind::Resource, &package.name, &package.version)?;
        if self.settings.disable_acquisition {
            let message = format!(
                "the {} was not found, and downloading is switched off (PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION)",
                query.describe()
            );
            return Err(
                Diagnostic::error("plugin-missing", message).with_hint(by_hand(&query, &self.settings))
            );
        }
        let request = InstallRequest {
            query: query.clone(),
            download_url: package.download_url.clone(),
            checksums: package.checksums.clone(),
        };
        let folder = install(request, &self.settings, self.launcher.events().clone()).await?;
        let program = discovery::program_in(&folder, &query).ok_or_else(|| {
            Diagnostic::error("plugin-broken", format!("{} holds no plugin", folder.display()))
                .with_hint("remove the folder to have it installed again")
        })?;
        found(&query, program, folder)
    }

    async fn launch(
        &self,
        package: &PackageDescriptor,
        found: Found,
    ) -> Result<Arc<PluginProvider>, Diagnostic> {
        let label = format!("the resource plugin {}", package.name);
        let output = if dynamic::is_dynamic(&package.name) { OutputLevel::Info } else { OutputLevel::Debug };
        let mut args = found.args;
        args.push(self.settings.engine_address.clone().into());
        let spec = LaunchSpec {
            label,
            program: found.program,
            args,
            folder: self.settings.program_dir.clone(),
            env: environment(&self.settings, package, found.env),
            output,
        };
        let process = self.launcher.launch(spec).await?;
        let options = ProviderOptions::from_settings(&self.settings, &package.name, Some(found.folder));
        let events = self.launcher.events().clone();
        let provider = PluginProvider::over_process(process, package.clone(), options, events).await?;
        Ok(self.remember(provider))
    }

    async fn attach(
        &self,
        package: &PackageDescriptor,
        port: u16,
    ) -> Result<Arc<PluginProvider>, Diagnostic> {
        let options = ProviderOptions::from_settings(&self.settings, &package.name, None);
        let events = self.launcher.events().clone();
        Ok(self.remember(PluginProvider::attached(port, package.clone(), options, events).await?))
    }

    fn remember(&self, provider: PluginProvider) -> Arc<PluginProvider> {
        let provider = Arc::new(provider);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|provider| provider.strong_count() > 0);
        running.push(Arc::downgrade(&provider));
        provider
    }

    async fn start_any(&self, package: &PackageDescriptor) -> Result<Arc<dyn Provider>, Diagnostic> {
        if package.name == ENGINE_PACKAGE
            && let Some(provider) = (self.builtin)(package)
        {
            return Ok(provider);
        }
        if let Some(port) = self.settings.debug_providers.get(&package.name) {
            return Ok(self.attach(package, *port).await?);
        }
        if let Some(provider) = self.prepared.take(package).await {
            return Ok(provider);
        }
        if let Some(found) = self.find(package).await? {
            return Ok(self.launch(package, found).await?);
        }
        if let Some(provider) = (self.builtin)(package) {
            return Ok(provider);
        }
        let found = self.download(package).await?;
        Ok(self.launch(package, found).await?)
    }
}

fn found(query: &PluginQuery, program: Program, folder: PathBuf) -> Result<Found, Diagnostic> {
    match program {
        Program::Executable(program) => Ok(Found { program, args: Vec::new(), env: Vec::new(), folder }),
        Program::Source(description) => Err(Diagnostic::error(
            "plugin-source",
            format!(
                "the {} is source code ({}), and running plugins from source is not supported yet",
                query.describe(),
                description.display()
            ),
        )
        .with_hint(format!("build it into an executable {} in the same folder", query.file_name()))),
    }
}

/// The environment of a provider: what everybody has, and what says for what it runs.
fn environment(
    settings: &PluginSettings,
    package: &PackageDescriptor,
    changes: Vec<(OsString, Option<OsString>)>,
) -> Vec<(OsString, OsString)> {
    let mut env = settings.env.clone();
    for (from, to) in &package.env_var_mappings {
        let found = settings.env.iter().rev().find(|(key, _)| *key == **from);
        if let Some((_, value)) = found {
            env.retain(|(key, _)| *key != **to);
            env.push((to.into(), value.clone()));
        }
    }
    let package = package.name.as_str();
    env.retain(|(key, _)| !changes.iter().any(|(changed, _)| changed == key));
    env.extend(changes.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let mut set = |key: String, value: &str| {
        env.retain(|(other, _)| *other != *key);
        env.push((key.into(), value.into()));
    };
    for (name, value) in &settings.runtime_options {
        set(format!("PULUMI_RUNTIME_{}", name.to_uppercase()), value);
    }
    if !settings.project.is_empty() {
        set("PULUMI_PROJECT".into(), &settings.project);
        if package == "pulumi-nodejs" {
            set("PULUMI_NODEJS_PROJECT".into(), &settings.project);
        }
    }
    let own = settings.config.iter().filter_map(|(key, value)| {
        let (namespace, name) = key.split_once(':')?;
        (namespace == package).then(|| (name.to_owned(), value.clone().into()))
    });
    let config = serde_json::Value::Object(own.collect());
    set("PULUMI_CONFIG".into(), &config.to_string());
    env
}

#[async_trait]
impl ProviderHost for PluginHost {
    async fn start(&self, package: &PackageDescriptor) -> Result<Arc<dyn Provider>, ProviderError> {
        self.start_any(package).await.map_err(|d| ProviderError::Unavailable(d.to_string()))
    }

    async fn prepare(&self, package: &PackageDescriptor) {
        if package.name == ENGINE_PACKAGE || self.settings.debug_providers.contains_key(&package.name) {
            return;
        }
        let launching = async {
            // Whoever needs it hears what is wrong with it.
            let found = self.find(package).await.ok()??;
            self.launch(package, found).await.ok()
        };
        self.prepared.prepare(package, launching).await;
    }

    async fn stop_all(&self) {
        self.prepared.give_up();
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let running: Vec<_> = running.iter().filter_map(Weak::upgrade).collect();
        join_all(running.iter().map(|provider| provider.stop())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_hear_of_the_project_and_of_their_own_configuration_only() {
        let mut settings = PluginSettings::new("/home", "/program");
        settings.env = vec![("A".into(), "1".into()), ("PULUMI_PROJECT".into(), "outer".into())];
        settings.project = "shop".into();
        settings.runtime_options.insert("virtualenv".into(), "venv".into());
        settings.config.insert("aws:region".into(), "eu".into());
        settings.config.insert("gcp:project".into(), "secret".into());
        let aws = PackageDescriptor::new("aws", "");
        let env = environment(&settings, &aws, vec![("A".into(), None), ("B".into(), Some("2".into()))]);
        let mut env: Vec<String> =
            env.iter().map(|(k, v)| format!("{}={}", k.display(), v.display())).collect();
        env.sort();
        assert_eq!(
            env,
            [
                "B=2",
                r#"PULUMI_CONFIG={"region":"eu"}"#,
                "PULUMI_PROJECT=shop",
                "PULUMI_RUNTIME_VIRTUALENV=venv"
            ]
        );
        let nodejs = PackageDescriptor::new("pulumi-nodejs", "");
        let env = environment(&settings, &nodejs, Vec::new());
        assert!(env.contains(&("PULUMI_NODEJS_PROJECT".into(), "shop".into())));
    }

    #[test]
    fn variables_reach_a_provider_under_the_names_that_they_are_mapped_to() {
        let mut settings = PluginSettings::new("/home", "/program");
        settings.env = vec![("MINE".into(), "1".into()), ("THEIRS".into(), "2".into())];
        let mut package = PackageDescriptor::new("aws", "");
        let mappings = [("MINE", "THEIRS"), ("NOWHERE", "GONE")];
        package.env_var_mappings = mappings.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let env = environment(&settings, &package, Vec::new());
        let of = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, v)| v.display().to_string());
        assert_eq!(of("MINE").as_deref(), Some("1"));
        assert_eq!(of("THEIRS").as_deref(), Some("1"));
        assert_eq!(of("GONE"), None);
    }
}
