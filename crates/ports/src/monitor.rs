//! The port through which programs reach the engine. The engine implements it; the gRPC services
//! and the evaluator of YAML programs call it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Severity;
use purlin_model::{Extension, Goal, PackageDescriptor, PropertyDependencies, PropertyMap, ProviderRef, Urn};

/// What a program may ask about the deployment that it is part of.
#[derive(Clone, Debug, Default)]
pub struct DeploymentInfo {
    /// The stack's organization.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The stack's name without organization and project.
    pub stack: String,
    /// Configuration by `namespace:key`, secrets decrypted.
    pub config: BTreeMap<String, String>,
    /// The keys whose values are secret.
    pub config_secret_keys: Vec<String>,
    /// Whether it is a preview.
    pub dry_run: bool,
    /// How many operations may run at once.
    pub parallel: i32,
}

/// The registration of a resource.
#[derive(Clone, Debug)]
pub struct RegisterRequest {
    /// What the resource is to be. `provider` is the explicit one, if any; what is inherited from
    /// the parent is not filled in yet. Assets are hashed, output values flattened unless `remote`.
    pub goal: Goal,
    /// Whether it is a component that a plugin constructs.
    pub remote: bool,
    /// The package that it belongs to, for the choice of a default provider. The name is that of
    /// the type's package unless the program registered a package; version and URL may be empty.
    pub package: PackageDescriptor,
    /// Explicit providers by package, for the children of a component.
    pub providers: BTreeMap<String, ProviderRef>,
    /// By what the children of a remote component name its stack trace; empty without one.
    pub stack_trace_handle: String,
}

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterResult {
    /// Well.
    Success,
    /// Its step failed and the run goes on.
    Fail,
    /// It was not tried, because something that it needs failed.
    Skip,
}

/// The answer to a registration.
#[derive(Clone, Debug)]
pub struct RegisterReply {
    /// The URN given to it.
    pub urn: Urn,
    /// The provider's id; empty where there is none or it isn't known yet.
    pub id: String,
    /// The outputs; in previews with unknowns.
    pub outputs: Arc<PropertyMap>,
    /// Whether and how it ended well.
    pub result: RegisterResult,
    /// What each output depends on; only for remote components.
    pub property_dependencies: PropertyDependencies,
    /// Whether all outputs are to be taken as unknown.
    pub unknown: bool,
}

/// A resource to be read rather than managed.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The provider's id.
    pub id: String,
    /// The resource: type, name, parent, known properties as inputs, dependencies, explicit
    /// provider, additional secret outputs, positions.
    pub goal: Goal,
    /// The package that it belongs to.
    pub package: PackageDescriptor,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct ReadReply {
    /// The URN given to it.
    pub urn: Urn,
    /// Its properties.
    pub outputs: Arc<PropertyMap>,
}

/// A call of a function of a package.
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    /// The function's token.
    pub token: String,
    /// The arguments.
    pub args: PropertyMap,
    /// An explicit provider.
    pub provider: Option<ProviderRef>,
    /// The package that the function belongs to.
    pub package: PackageDescriptor,
    /// The extension of the package that has the function.
    pub extension: Option<Arc<Extension>>,
    /// The resource whose providers serve, where no provider is named.
    pub parent: Option<Urn>,
    /// Resources that must exist before the call.
    pub depends_on: Vec<Urn>,
}

/// One reason why a provider refuses arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// The property; empty for the whole.
    pub property: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What a function answered.
#[derive(Clone, Debug, Default)]
pub struct InvokeReply {
    /// The result.
    pub result: PropertyMap,
    /// Why the arguments were refused.
    pub failures: Vec<CheckFailure>,
    /// Whether nothing was called, since something that it depends on does not exist yet.
    pub unknown: bool,
}

/// A call of a method of a resource.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// The method's token.
    pub token: String,
    /// The arguments, `__self__` among them.
    pub args: PropertyMap,
    /// What each argument depends on.
    pub arg_dependencies: PropertyDependencies,
    /// An explicit provider.
    pub provider: Option<ProviderRef>,
    /// The package that the method belongs to.
    pub package: PackageDescriptor,
    /// The extension of the package that has the method.
    pub extension: Option<Arc<Extension>>,
    /// By what resources that the method registers name the caller's stack trace; empty without one.
    pub stack_trace_handle: String,
}

/// What a method answered.
#[derive(Clone, Debug, Default)]
pub struct CallReply {
    /// The result.
    pub result: PropertyMap,
    /// What each part of it depends on.
    pub dependencies: PropertyDependencies,
    /// Why the arguments were refused.
    pub failures: Vec<CheckFailure>,
}

/// Something that a program or plugin says.
#[derive(Clone, Debug)]
pub struct LogMessage {
    /// How much it matters.
    pub severity: Severity,
    /// The text.
    pub message: String,
    /// The resource that it is about.
    pub urn: Option<Urn>,
    /// Messages of one stream are one text; zero for none.
    pub stream_id: i32,
    /// Whether it is a passing status.
    pub ephemeral: bool,
}

/// Why the engine refuses a program's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorError {
    /// The operation is being stopped; the program should end.
    Stopping,
    /// The call makes no sense; the message says why.
    Invalid(String),
    /// The call failed; diagnostics have been emitted, the message repeats the reason.
    Failed(String),
}

impl std::fmt::Display for MonitorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MonitorError::Stopping => f.write_str("the operation is being stopped"),
            MonitorError::Invalid(message) | MonitorError::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for MonitorError {}

/// What a resource has from its parent where it says nothing itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Whether it is protected.
    pub protect: Option<bool>,
    /// Whether it stays when it is deleted.
    pub retain_on_delete: Option<bool>,
    /// The resource whose deletion deletes it.
    pub deleted_with: Option<Urn>,
    /// The provider that serves it.
    pub provider: Option<ProviderRef>,
}

/// What programs (and plugins that construct components) can ask of the engine.
#[async_trait]
pub trait ResourceMonitor: Send + Sync {
    /// What the deployment is.
    fn info(&self) -> &DeploymentInfo;

    /// Registers a resource and waits until its step has ended.
    async fn register(&self, request: RegisterRequest) -> Result<RegisterReply, MonitorError>;

    /// What a resource below another inherits. `package` is its own; local components have none.
    async fn inherited(&self, _parent: &Urn, _package: Option<&str>) -> Result<Inherited, MonitorError> {
        Ok(Inherited::default())
    }

    /// Records the outputs of a component or of the root stack.
    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError>;

    /// Reads a resource that is managed elsewhere.
    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError>;

    /// Calls a function of a package.
    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError>;

    /// Calls a method of a resource.
    async fn call(&self, request: CallRequest) -> Result<CallReply, MonitorError>;

    /// Takes a hook that resources registered from now on may name.
    async fn register_hook(&self, hook: crate::Hook) -> Result<(), MonitorError> {
        Err(MonitorError::Failed(format!("there is nobody to call the hook '{}'", hook.name)))
    }

    /// Takes what a provider does to views, in the call that the token stands for.
    async fn publish_views(
        &self,
        token: String,
        steps: Vec<crate::PublishedStep>,
    ) -> Result<(), MonitorError> {
        Err(MonitorError::Failed(format!("nobody takes views ({}, {} steps)", token, steps.len())))
    }

    /// Says that the program has registered everything, and waits until the deployment has ended.
    async fn program_finished(&self) -> Result<(), MonitorError>;

    /// Takes a message for the user.
    fn log(&self, message: LogMessage);
}
