//! The port to resource providers: plugins and those built in.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_model::diff::DetailedDiff;
use purlin_model::{
    CustomTimeouts, Extension, Goal, PackageDescriptor, PropertyDependencies, PropertyMap, Urn,
};

use crate::monitor::{CheckFailure, DeploymentInfo};

/// Why a provider's call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderError {
    /// The provider itself said no: nothing happened, or it has said what did.
    Rejected(String),
    /// The provider does not implement the call.
    Unimplemented(String),
    /// The connection was lost, the process ended, a deadline of ours ran out: nobody knows
    /// whether the call took effect.
    OutcomeUnknown(String),
    /// The plugin can't be had: not found, not installed, not started.
    Unavailable(String),
}

impl std::fmt::Display for ProviderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProviderError::Rejected(m)
            | ProviderError::Unimplemented(m)
            | ProviderError::OutcomeUnknown(m)
            | ProviderError::Unavailable(m) => f.write_str(m),
        }
    }
}

impl std::error::Error for ProviderError {}

/// Who the call is about; sent with every call that the protocol gives it to.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The resource.
    pub urn: Urn,
    /// Whether it is a preview.
    pub preview: bool,
    /// How long the operation may take.
    pub timeouts: CustomTimeouts,
    /// Where the provider says what it does to views of the resource.
    pub status: crate::StatusAddress,
    /// The views that the resource has; none for what doesn't exist yet.
    pub old_views: Vec<crate::View>,
}

impl CallContext {
    /// A context without views.
    pub fn new(urn: Urn, preview: bool, timeouts: CustomTimeouts) -> CallContext {
        let status = crate::StatusAddress::default();
        CallContext { urn, preview, timeouts, status, old_views: Vec::new() }
    }
}

/// Arguments of `Check` (and of `CheckConfig`).
#[derive(Clone, Debug)]
pub struct CheckArgs {
    /// The resource.
    pub urn: Urn,
    /// The old inputs; empty where there are none.
    pub olds: Arc<PropertyMap>,
    /// The wanted inputs.
    pub news: Arc<PropertyMap>,
    /// 32 bytes that make names unique.
    pub random_seed: Vec<u8>,
    /// How the resource is to be named; `None` leaves it to the provider.
    pub autonaming: Option<NameProposal>,
}

/// What a provider is told about the name of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameProposal {
    /// The name; empty where none may be made up.
    pub name: String,
    /// What it is.
    pub mode: NamingMode,
    /// Whether the user is to be told if the provider can't be told.
    pub warn_if_unsupported: bool,
}

/// How much a proposed name binds a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamingMode {
    /// A wish: the provider may adjust the name.
    Propose,
    /// The name has to be taken as it is.
    Enforce,
    /// No name may be made up.
    Disable,
}

/// What `Check` answers.
#[derive(Clone, Debug, Default)]
pub struct CheckResult {
    /// The inputs with defaults filled in.
    pub inputs: PropertyMap,
    /// Why they are refused.
    pub failures: Vec<CheckFailure>,
}

/// Arguments of `Diff` (and of `DiffConfig`).
#[derive(Clone, Debug)]
pub struct DiffArgs {
    /// The resource.
    pub urn: Urn,
    /// Its id.
    pub id: String,
    /// The old inputs.
    pub old_inputs: Arc<PropertyMap>,
    /// The old outputs.
    pub old_outputs: Arc<PropertyMap>,
    /// The checked new inputs.
    pub new_inputs: Arc<PropertyMap>,
    /// Property paths whose changes don't count.
    pub ignore_changes: Vec<String>,
    /// Whether unknowns may appear.
    pub preview: bool,
}

/// Whether something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DiffChanges {
    /// The provider can't tell; the engine compares inputs.
    #[default]
    Unknown,
    /// Nothing differs.
    None,
    /// Something differs.
    Some,
}

/// What `Diff` answers.
#[derive(Clone, Debug, Default)]
pub struct DiffResult {
    /// Whether something differs.
    pub changes: DiffChanges,
    /// The properties that force a replacement; non-empty means a replacement.
    pub replaces: Vec<String>,
    /// The properties that differ.
    pub diffs: Vec<String>,
    /// What differs path by path, if the provider says so.
    pub detailed: Option<DetailedDiff>,
    /// Whether a replacement must delete first.
    pub delete_before_replace: bool,
}

/// Arguments of `Configure`.
#[derive(Clone, Debug)]
pub struct ConfigureArgs {
    /// The provider resource.
    pub urn: Urn,
    /// Its id.
    pub id: String,
    /// The configuration, with secrets, without `version` and `__internal`.
    pub inputs: Arc<PropertyMap>,
}

/// Arguments of `Create`.
#[derive(Clone, Debug)]
pub struct CreateArgs {
    /// The resource.
    pub context: CallContext,
    /// The checked inputs.
    pub inputs: Arc<PropertyMap>,
}

/// Arguments of `Update`.
#[derive(Clone, Debug)]
pub struct UpdateArgs {
    /// The resource.
    pub context: CallContext,
    /// Its id.
    pub id: String,
    /// The old inputs.
    pub old_inputs: Arc<PropertyMap>,
    /// The old outputs.
    pub old_outputs: Arc<PropertyMap>,
    /// The checked new inputs.
    pub new_inputs: Arc<PropertyMap>,
    /// Property paths whose changes don't count.
    pub ignore_changes: Vec<String>,
}

/// Arguments of `Delete`.
#[derive(Clone, Debug)]
pub struct DeleteArgs {
    /// The resource.
    pub context: CallContext,
    /// Its id.
    pub id: String,
    /// The inputs.
    pub inputs: Arc<PropertyMap>,
    /// The outputs.
    pub outputs: Arc<PropertyMap>,
}

/// Arguments of `Read`.
#[derive(Clone, Debug)]
pub struct ReadArgs {
    /// The resource.
    pub context: CallContext,
    /// Its id.
    pub id: String,
    /// The known inputs.
    pub inputs: Arc<PropertyMap>,
    /// The known outputs.
    pub outputs: Arc<PropertyMap>,
}

/// What a create or an update answers.
#[derive(Clone, Debug, Default)]
pub struct Operated {
    /// The id; empty only in previews, and for updates.
    pub id: String,
    /// The outputs.
    pub outputs: PropertyMap,
    /// Why it is only half done; empty if it is done.
    pub init_errors: Vec<String>,
    /// Whether the provider wants it read before each update.
    pub refresh_before_update: bool,
}

/// What a read answers.
#[derive(Clone, Debug, Default)]
pub struct ReadResult {
    /// The id; empty if the resource is gone.
    pub id: String,
    /// The inputs as the provider sees them; `None` if it doesn't say.
    pub inputs: Option<PropertyMap>,
    /// The outputs; `None` if the resource is gone.
    pub outputs: Option<PropertyMap>,
    /// What is wrong with the resource.
    pub init_errors: Vec<String>,
    /// Whether the provider wants it read before each update.
    pub refresh_before_update: bool,
}

/// Arguments of `Construct`.
#[derive(Clone, Debug)]
pub struct ConstructArgs {
    /// The component: type, name, parent, inputs (with output values), options.
    pub goal: Goal,
    /// Aliases as URNs, already expanded.
    pub aliases: Vec<Urn>,
    /// Providers by package, as references.
    pub providers: BTreeMap<String, String>,
    /// The deployment.
    pub info: DeploymentInfo,
    /// Where the children are registered, as `host:port`.
    pub monitor_address: String,
    /// By what they name the component's stack trace; empty without one.
    pub stack_trace_handle: String,
}

/// What `Construct` answers.
#[derive(Clone, Debug)]
pub struct ConstructResult {
    /// The URN that the component registered itself under.
    pub urn: Urn,
    /// Its outputs.
    pub outputs: PropertyMap,
    /// What each output depends on.
    pub dependencies: PropertyDependencies,
}

/// Arguments of `Invoke`.
#[derive(Clone, Debug)]
pub struct InvokeArgs {
    /// The function's token.
    pub token: String,
    /// The arguments.
    pub args: PropertyMap,
    /// Whether it is a preview.
    pub preview: bool,
}

/// What `Invoke` answers.
#[derive(Clone, Debug, Default)]
pub struct InvokeResult {
    /// The result.
    pub result: PropertyMap,
    /// Why the arguments were refused.
    pub failures: Vec<CheckFailure>,
}

/// Arguments of `Call`.
#[derive(Clone, Debug)]
pub struct ProviderMethodArgs {
    /// The method's token.
    pub token: String,
    /// The arguments.
    pub args: PropertyMap,
    /// What each argument depends on.
    pub arg_dependencies: PropertyDependencies,
    /// The deployment.
    pub info: DeploymentInfo,
    /// Where new resources are registered, as `host:port`.
    pub monitor_address: String,
    /// By what they name the caller's stack trace; empty without one.
    pub stack_trace_handle: String,
}

/// What `Call` answers.
#[derive(Clone, Debug, Default)]
pub struct ProviderMethodResult {
    /// The result.
    pub result: PropertyMap,
    /// What each part depends on.
    pub dependencies: PropertyDependencies,
    /// Why the arguments were refused.
    pub failures: Vec<CheckFailure>,
}

/// One provider instance. For plugins: one process, configured at most once.
///
/// Bags hold secrets as secrets: an adapter strips them for a peer that doesn't take them and
/// marks outputs again. Answers outside previews hold no unknowns; that is the adapter's to check.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Validates the instance's own configuration.
    async fn check_config(&self, args: CheckArgs) -> Result<CheckResult, ProviderError>;

    /// Compares the instance's configuration with a new one.
    async fn diff_config(&self, args: DiffArgs) -> Result<DiffResult, ProviderError>;

    /// Sets the configuration; called at most once and before any of the calls below.
    async fn configure(&self, args: ConfigureArgs) -> Result<(), ProviderError>;

    /// Validates inputs and fills in defaults.
    async fn check(&self, args: CheckArgs) -> Result<CheckResult, ProviderError>;

    /// Compares a resource with new inputs.
    async fn diff(&self, args: DiffArgs) -> Result<DiffResult, ProviderError>;

    /// Creates a resource. In previews it predicts the outputs and changes nothing.
    async fn create(&self, args: CreateArgs) -> Result<Operated, ProviderError>;

    /// Changes a resource. In previews it predicts the outputs and changes nothing.
    async fn update(&self, args: UpdateArgs) -> Result<Operated, ProviderError>;

    /// Deletes a resource.
    async fn delete(&self, args: DeleteArgs) -> Result<(), ProviderError>;

    /// Reads a resource.
    async fn read(&self, args: ReadArgs) -> Result<ReadResult, ProviderError>;

    /// Makes a component by registering its children with the monitor.
    async fn construct(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError>;

    /// Calls a function.
    async fn invoke(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError>;

    /// Calls a method of a resource.
    async fn call(&self, args: ProviderMethodArgs) -> Result<ProviderMethodResult, ProviderError>;

    /// The package's schema as JSON text.
    async fn schema(&self) -> Result<String, ProviderError>;

    /// The version of the plugin; empty where it has none.
    fn version(&self) -> &str;

    /// Makes it serve an extension of its package, too.
    async fn extend(&self, extension: &Extension) -> Result<(), ProviderError> {
        Err(ProviderError::Unimplemented(format!(
            "it can't be extended by the package {} {}",
            extension.name, extension.version
        )))
    }

    /// Asks it to give up what it is doing. Returns at once or soon.
    async fn cancel(&self);
}

/// Finds and starts providers.
#[async_trait]
pub trait ProviderHost: Send + Sync {
    /// Starts a new instance for a package, downloading the plugin if need be. A package without
    /// an installed plugin may be served from inside.
    async fn start(&self, package: &PackageDescriptor) -> Result<Arc<dyn Provider>, ProviderError>;

    /// Gets an instance ready that will probably be started soon, without configuring it. What can't be
    /// got ready is none of anybody's business until it is started; nothing is downloaded.
    async fn prepare(&self, _package: &PackageDescriptor) {}

    /// Stops every instance that is still running.
    async fn stop_all(&self);
}
