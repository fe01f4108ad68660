//! A resource plugin as the engine's port sees it.

mod bags;
mod components;
mod config;
mod connection;
mod errors;
mod method;
mod resources;
mod transport;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use purlin_diag::{Diagnostic, Severity};
use purlin_model::{Extension, PackageDescriptor, Urn};
use purlin_ports::{
    CheckArgs, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs, DeleteArgs, DiffArgs,
    DiffResult, EventSink, InvokeArgs, InvokeResult, Operated, Provider, ProviderError, ProviderMethodArgs,
    ProviderMethodResult, ReadArgs, ReadResult, UpdateArgs,
};
use purlin_wire::{PeerFlags, pulumirpc as rpc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::process::{INTERRUPT_GRACE, PluginProcess, diagnostic_event};
use crate::settings::{PluginSettings, parse_version};
use connection::{CallFailure, Connection};

/// How long a plugin that has just started may take to become available.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a plugin may take to acknowledge that it is to give up.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How to talk with a plugin.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// Where the engine service listens, as `host:port`.
    pub engine_address: String,
    /// Where the schema loader listens; empty for none.
    pub loader_address: String,
    /// Where the mapper listens; empty for none.
    pub mapper_address: String,
    /// The folder of the plugin; `None` if the process isn't ours.
    pub folder: Option<PathBuf>,
    /// How many calls may be under way at once.
    pub max_calls: usize,
    /// Whether the provider is left out of previews.
    pub disable_preview: bool,
    /// Whether previews with unknown configuration answer with the inputs.
    pub legacy_preview: bool,
    /// Whether the provider may ask to be read before updates.
    pub refresh_before_update: bool,
    /// Whether a warning is due if the plugin is older than what was asked for.
    pub warn_of_old_version: bool,
}

impl ProviderOptions {
    /// What settings say about a package's provider.
    pub fn from_settings(settings: &PluginSettings, package: &str, folder: Option<PathBuf>) -> Self {
        ProviderOptions {
            engine_address: settings.engine_address.clone(),
            loader_address: settings.loader_address.clone(),
            mapper_address: settings.mapper_address.clone(),
            folder,
            max_calls: if settings.serialised.contains(package) { 1 } else { settings.max_calls },
            disable_preview: settings.disable_provider_preview,
            legacy_preview: settings.legacy_provider_preview,
            refresh_before_update: !settings.disable_refresh_before_update,
            warn_of_old_version: !settings.dev,
        }
    }
}

/// What the plugin can do.
#[derive(Clone, Copy, Debug, Default)]
struct Protocol {
    peer: PeerFlags,
    preview: bool,
    /// Whether it can be told how to name resources.
    autonaming: bool,
}

/// How far the configuration has come.
#[derive(Clone, Debug)]
enum Configured {
    /// Nobody has configured it.
    Never,
    /// It is being configured.
    Running,
    /// It is configured.
    Yes,
    /// Some of the configuration is unknown, so it was not told anything.
    Unknown,
    /// It doesn't want the configuration.
    Failed(ProviderError),
}

#[derive(Clone, Debug)]
struct State {
    configured: Configured,
    /// What the handshake or the answer to the configuration said.
    protocol: Option<Protocol>,
}

/// What calls go by: whether the plugin may be asked, and what it takes.
enum Access {
    /// It may.
    Ready(Protocol),
    /// Its configuration is unknown.
    Unconfigured,
}

/// A resource plugin: one process, or one that somebody else has started, configured at most once.
pub struct PluginProvider {
    connection: Connection,
    process: Option<PluginProcess>,
    package: PackageDescriptor,
    version: String,
    options: ProviderOptions,
    events: Arc<dyn EventSink>,
    state: watch::Sender<State>,
}

impl std::fmt::Debug for PluginProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginProvider").field("label", &self.connection.label()).finish_non_exhaustive()
    }
}

impl PluginProvider {
    /// Takes up the conversation with a process that was started for this.
    pub async fn over_process(
        process: PluginProcess,
        package: PackageDescriptor,
        options: ProviderOptions,
        events: Arc<dyn EventSink>,
    ) -> Result<PluginProvider, Diagnostic> {
        let (label, port, exited) = (process.label().to_owned(), process.port(), process.exited().clone());
        let connection = Connection::open(label, port, exited, options.max_calls).await?;
        Self::start(connection, Some(process), package, options, events).await
    }

    /// Takes up the conversation with a plugin that somebody else has started.
    pub async fn attached(
        port: u16,
        package: PackageDescriptor,
        options: ProviderOptions,
        events: Arc<dyn EventSink>,
    ) -> Result<PluginProvider, Diagnostic> {
        let label = format!("the resource plugin {} on port {port}", package.name);
        let connection = Connection::open(label, port, CancellationToken::new(), options.max_calls).await?;
        Self::start(connection, None, package, options, events).await
    }

    async fn start(
        connection: Connection,
        process: Option<PluginProcess>,
        package: PackageDescriptor,
        options: ProviderOptions,
        events: Arc<dyn EventSink>,
    ) -> Result<PluginProvider, Diagnostic> {
        let protocol = handshake(&connection, &options).await?;
        let failed = |what: &str, failure: CallFailure| start_failure(&connection, what, failure);
        if process.is_none() {
            let attach = rpc::PluginAttach { address: options.engine_address.clone() };
            let attached = connection.call(method::ATTACH, attach).await;
            attached.map_err(|e| failed("attaching", e))?;
        }
        let info = connection.call(method::GET_PLUGIN_INFO, ()).await;
        let version = info.map_err(|e| failed("asking for its version", e))?.version;
        if let Some(parameterization) = &package.parameterization {
            let value = rpc::parameterize_request::ParametersValue {
                name: parameterization.name.clone(),
                version: parameterization.version.clone(),
                value: parameterization.value.clone().into(),
            };
            let request = rpc::ParameterizeRequest {
                parameters: Some(rpc::parameterize_request::Parameters::Value(value)),
            };
            let answer = connection.call(method::PARAMETERIZE, request).await;
            let what = format!("turning it into the package {}", parameterization.name);
            answer.map_err(|e| failed(&what, e))?;
        }
        let state = State { configured: Configured::Never, protocol };
        let provider = PluginProvider {
            connection,
            process,
            package,
            version,
            options,
            events,
            state: watch::Sender::new(state),
        };
        provider.warn_of_old_version();
        Ok(provider)
    }

    fn warn_of_old_version(&self) {
        let (Some(wanted), Some(actual)) =
            (parse_version(&self.package.version), parse_version(&self.version))
        else {
            return;
        };
        if self.options.warn_of_old_version && actual.cmp_precedence(&wanted).is_lt() {
            let message = format!(
                "{} has version {actual}, but at least version {wanted} was asked for",
                self.connection.label()
            );
            self.warn(message, None);
        }
    }

    fn warn(&self, message: String, urn: Option<Urn>) {
        self.events.emit(diagnostic_event(Severity::Warning, message, urn));
    }

    /// The process, if it is ours.
    pub fn process(&self) -> Option<&PluginProcess> {
        self.process.as_ref()
    }

    /// Asks the plugin to give up, then ends its process.
    pub async fn stop(&self) {
        self.cancel().await;
        self.end(INTERRUPT_GRACE).await;
    }

    /// Ends the plugin's process: interrupts it, and kills it after a time.
    pub async fn end(&self, grace: std::time::Duration) {
        if let Some(process) = &self.process {
            process.stop(grace).await;
        }
    }

    /// Waits while the plugin is being configured, then says how to talk with it.
    async fn access(&self) -> Result<Access, ProviderError> {
        let mut state = self.state.subscribe();
        // The sender is part of `self`, so waiting can't fail.
        let Ok(state) = state.wait_for(|s| !matches!(s.configured, Configured::Running)).await else {
            return Err(ProviderError::Unavailable(format!("{} is gone", self.connection.label())));
        };
        match &state.configured {
            Configured::Failed(error) => Err(error.clone()),
            Configured::Unknown => Ok(Access::Unconfigured),
            Configured::Never | Configured::Yes | Configured::Running => {
                Ok(Access::Ready(state.protocol.unwrap_or_default()))
            }
        }
    }

    fn unconfigured(&self) -> ProviderError {
        ProviderError::Rejected(format!(
            "{} can't do anything yet, for its configuration depends on values that are not known",
            self.connection.label()
        ))
    }
}

/// Says hello, as soon as the server is there. `None` if the plugin doesn't know how.
async fn handshake(
    connection: &Connection,
    options: &ProviderOptions,
) -> Result<Option<Protocol>, Diagnostic> {
    let folder = options.folder.as_ref().map(|f| f.display().to_string());
    let target = |address: &str| (!address.is_empty()).then(|| address.to_owned());
    let request = rpc::ProviderHandshakeRequest {
        engine_address: options.engine_address.clone(),
        root_directory: folder.clone(),
        program_directory: folder,
        configure_with_urn: true,
        supports_views: true,
        supports_refresh_before_update: options.refresh_before_update,
        invoke_with_preview: true,
        mapper_target: target(&options.mapper_address),
        loader_target: target(&options.loader_address),
        resolver_target: None,
        accepts_byte_string: true,
    };
    let trying = async {
        loop {
            let request = request.clone();
            match connection.call(method::HANDSHAKE, request).await {
                Err(CallFailure::Server(status)) if status.code() == Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answer => return answer,
            }
        }
    };
    let answer = tokio::time::timeout(HANDSHAKE_TIMEOUT, trying)
        .await
        .unwrap_or_else(|_| Err(CallFailure::NotMade(format!("no answer within {HANDSHAKE_TIMEOUT:?}"))));
    match answer {
        Ok(answer) => {
            let peer = PeerFlags {
                secrets: answer.accept_secrets,
                resources: answer.accept_resources,
                outputs: answer.accept_outputs,
                byte_strings: answer.accepts_byte_string,
            };
            let autonaming = answer.supports_autonaming_configuration;
            Ok(Some(Protocol { peer, preview: true, autonaming }))
        }
        Err(failure) if failure.is_unimplemented() => Ok(None),
        Err(failure) => Err(start_failure(connection, "the handshake", failure)),
    }
}

fn start_failure(connection: &Connection, what: &str, failure: CallFailure) -> Diagnostic {
    let why = ProviderError::from(failure);
    Diagnostic::error("plugin-handshake", format!("{what} failed with {}: {why}", connection.label()))
        .with_hint("the plugin may be too old or broken; try another version")
}

#[async_trait]
impl Provider for PluginProvider {
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        self.check_config_call(args).await
    }

    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        self.diff_config_call(args).await
    }

    async fn configure(&self, args: ConfigureArgs) -> Result<(), ProviderError> {
        self.configure_call(args).await
    }

    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        self.check_call(args).await
    }

    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        self.diff_call(args).await
    }

    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        self.create_call(args).await
    }

    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        self.update_call(args).await
    }

    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        self.delete_call(args).await
    }

    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        self.read_call(args).await
    }

    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        self.construct_call(args).await
    }

    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        self.invoke_call(args).await
    }

    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError> {
        self.method_call(args).await
    }

    async fn schema(&self) -> Result<String, ProviderError> {
        let (name, version) = match &self.package.parameterization {
            Some(p) => (p.name.clone(), p.version.clone()),
            None => Default::default(),
        };
        let request =
            rpc::GetSchemaRequest { version: 0, subpackage_name: name, subpackage_version: version };
        let answer = self.connection.call(method::GET_SCHEMA, request).await?;
        Ok(answer.schema)
    }

    fn version(&self) -> &str {
        &self.version
    }

    async fn extend(&self, extension: &Extension) -> Result<(), ProviderError> {
        self.extend_by(extension).await
    }

    async fn cancel(&self) {
        let call = self.connection.call_unbounded(method::CANCEL, ());
        match tokio::time::timeout(CANCEL_TIMEOUT, call).await {
            Ok(Err(failure)) if !failure.is_unimplemented() => {}
            Err(_) => {}
            // From here on the end of the process is what was asked for.
            Ok(_) => self.process.iter().for_each(PluginProcess::expect_exit),
        }
    }
}
