//! Programs as closures over the monitor.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use purlin_diag::Diagnostic;
use purlin_engine::{Engine, Program};
use purlin_model::urn::package_of_type;
use purlin_model::{
    Goal, PackageDescriptor, PropertyMap, PropertyValue, ProviderRef, ResourceReference, Urn,
};
use purlin_ports::{
    EventSink, InvokeReply, InvokeRequest, LanguageHost, MonitorError, ProgramInfo, ReadReply, ReadRequest,
    RegisterReply, RegisterRequest, ResourceMonitor, RunOutcome, RunRequest,
};
use tokio_util::sync::CancellationToken;

/// A program: what it does, and how that ends.
pub type Script = Box<dyn Fn(Prog) -> BoxFuture<'static, Result<(), MonitorError>> + Send + Sync>;

/// Makes a program from an async closure.
pub fn script<F, R>(run: F) -> Script
where
    F: Fn(Prog) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), MonitorError>> + Send + 'static,
{
    Box::new(move |prog| Box::pin(run(prog)))
}

struct Host(Script);

#[async_trait]
impl LanguageHost for Host {
    fn runtime(&self) -> &str {
        "closure"
    }

    async fn install_dependencies(
        &self,
        _: &ProgramInfo,
        _: &Arc<dyn EventSink>,
        _: bool,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    async fn required_packages(&self, _: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        Ok(Vec::new())
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        let root = Urn::root_stack(super::STACK, super::PROJECT);
        let run = (self.0)(Prog { monitor: request.monitor, root });
        let ended = tokio::select! {
            ended = run => ended,
            () = cancel.cancelled() => Err(MonitorError::Stopping),
        };
        Ok(match ended {
            Ok(()) => RunOutcome::Succeeded,
            Err(MonitorError::Stopping) => RunOutcome::Bailed,
            Err(e) => RunOutcome::Failed(Diagnostic::error("program", e.to_string())),
        })
    }
}

pub(crate) fn program(script: Script, engine: &Engine, events: Arc<dyn EventSink>) -> Program {
    let request = RunRequest {
        program: ProgramInfo {
            root_directory: ".".into(),
            program_directory: ".".into(),
            entry_point: ".".into(),
            options: PropertyMap::new(),
        },
        project: super::PROJECT.into(),
        stack: super::STACK.into(),
        organization: "organization".into(),
        config: BTreeMap::new(),
        config_secret_keys: Vec::new(),
        dry_run: false,
        parallel: 0,
        monitor_address: String::new(),
        engine_address: String::new(),
        monitor: engine.monitor(),
        events,
    };
    Program { host: Arc::new(Host(script)), request }
}

/// The monitor as a program sees it.
#[derive(Clone)]
pub struct Prog {
    pub monitor: Arc<dyn ResourceMonitor>,
    pub root: Urn,
}

/// A registration in the making.
#[derive(Clone)]
pub struct Making {
    prog: Prog,
    pub goal: Goal,
    package: PackageDescriptor,
}

impl Prog {
    fn make(&self, ty: &str, name: &str, custom: bool) -> Making {
        let mut goal = Goal::new(ty, name, custom, PropertyMap::new());
        goal.parent = Some(self.root.clone()).filter(|_| ty != purlin_model::urn::STACK_TYPE);
        let package = PackageDescriptor::new(package_of_type(ty), "");
        Making { prog: self.clone(), goal, package }
    }

    /// The root resource, registered.
    pub async fn stack(&self) -> Result<(), MonitorError> {
        self.make(purlin_model::urn::STACK_TYPE, self.root.name(), false).go().await.map(|_| ())
    }

    pub fn custom(&self, name: &str) -> Making {
        self.make("t:m:R", name, true)
    }

    pub fn component(&self, name: &str) -> Making {
        self.make("t:m:C", name, false)
    }

    pub fn provider(&self, name: &str) -> Making {
        self.make("pulumi:providers:t", name, true)
    }

    pub fn of_type(&self, ty: &str, name: &str) -> Making {
        self.make(ty, name, true)
    }

    pub async fn stack_outputs(&self, outputs: &[(&str, &str)]) -> Result<(), MonitorError> {
        self.monitor.register_outputs(self.root.clone(), super::map(outputs)).await
    }

    pub async fn invoke(
        &self,
        token: &str,
        args: PropertyMap,
        provider: Option<ProviderRef>,
    ) -> Result<InvokeReply, MonitorError> {
        let package = PackageDescriptor::new(package_of_type(token), "");
        let token = token.to_owned();
        let (parent, depends_on) = (None, Vec::new());
        let request = InvokeRequest { token, args, provider, package, extension: None, parent, depends_on };
        self.monitor.invoke(request).await
    }

    pub fn reference(&self, urn: &Urn) -> PropertyValue {
        PropertyValue::Reference(ResourceReference {
            urn: urn.clone(),
            id: None,
            package_version: String::new(),
        })
    }
}

/// A provider that was registered.
pub fn reference(reply: &RegisterReply) -> ProviderRef {
    let id = if reply.id.is_empty() { purlin_model::UNKNOWN_ID } else { &reply.id };
    ProviderRef::new(reply.urn.clone(), id)
}

impl Making {
    pub fn input(mut self, key: &str, value: impl Into<PropertyValue>) -> Making {
        Arc::make_mut(&mut self.goal.inputs).insert(key.to_owned(), value.into());
        self
    }

    /// An input that is made from another resource.
    pub fn from(mut self, key: &str, source: &RegisterReply) -> Making {
        let value = source.outputs.get("made").cloned().unwrap_or(PropertyValue::Unknown);
        self.goal.property_dependencies.insert(key.to_owned(), vec![source.urn.clone()]);
        self.goal.dependencies.push(source.urn.clone());
        self.input(key, value)
    }

    pub fn parent(mut self, parent: &RegisterReply) -> Making {
        self.goal.parent = Some(parent.urn.clone());
        self
    }

    pub fn provided_by(mut self, provider: &RegisterReply) -> Making {
        self.goal.provider = Some(reference(provider));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Goal)) -> Making {
        change(&mut self.goal);
        self
    }

    pub async fn go(self) -> Result<RegisterReply, MonitorError> {
        let request = RegisterRequest {
            goal: self.goal,
            remote: false,
            package: self.package,
            providers: BTreeMap::new(),
            stack_trace_handle: String::new(),
        };
        self.prog.monitor.register(request).await
    }

    pub async fn read(self, id: &str) -> Result<ReadReply, MonitorError> {
        let request = ReadRequest { id: id.to_owned(), goal: self.goal, package: self.package };
        self.prog.monitor.read(request).await
    }
}
