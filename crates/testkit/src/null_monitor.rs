//! A monitor that answers at once and does nothing else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use purlin_model::value::flatten_outputs;
use purlin_model::{PropertyMap, Urn};
use purlin_ports::{
    CallReply, CallRequest, DeploymentInfo, InvokeReply, InvokeRequest, LogMessage, MonitorError, ReadReply,
    ReadRequest, RegisterReply, RegisterRequest, RegisterResult, ResourceMonitor,
};

/// What a monitor was asked, in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The registrations.
    pub registered: Vec<RegisterRequest>,
    /// The outputs of components and of the stack.
    pub outputs: Vec<(Urn, PropertyMap)>,
    /// The reads.
    pub reads: Vec<ReadRequest>,
    /// The calls of functions.
    pub invokes: Vec<InvokeRequest>,
    /// The calls of methods.
    pub calls: Vec<CallRequest>,
    /// What was logged.
    pub logs: Vec<LogMessage>,
    /// Whether the program said that it had finished.
    pub finished: bool,
}

impl Seen {
    /// The registration of a name.
    pub fn named(&self, name: &str) -> Option<&RegisterRequest> {
        self.registered.iter().find(|request| request.goal.name == name)
    }

    /// The outputs of the root stack.
    pub fn stack_outputs(&self) -> Option<&PropertyMap> {
        let stack = self.outputs.iter().rev().find(|(urn, _)| urn.ty() == purlin_model::urn::STACK_TYPE);
        stack.map(|(_, outputs)| outputs)
    }
}

/// A monitor that answers at once: outputs are the inputs, ids count up, reads return what is laid
/// in, functions return their arguments. For benchmarks it is the floor, what a program costs
/// without an engine. For tests it can remember what it was asked.
pub struct NullMonitor {
    info: DeploymentInfo,
    reads: BTreeMap<String, PropertyMap>,
    counter: AtomicU64,
    seen: Option<Mutex<Seen>>,
    delay: Duration,
}

impl NullMonitor {
    /// A monitor that forgets everything.
    pub fn new(info: DeploymentInfo) -> Self {
        NullMonitor {
            info,
            reads: BTreeMap::new(),
            counter: AtomicU64::new(0),
            seen: None,
            delay: Duration::ZERO,
        }
    }

    /// A monitor that remembers everything.
    pub fn recording(info: DeploymentInfo) -> Self {
        NullMonitor { seen: Some(Mutex::default()), ..NullMonitor::new(info) }
    }

    /// Lays in what a read of an id returns. Stack references are read by the stack's full name.
    #[must_use]
    pub fn with_read(mut self, id: &str, outputs: PropertyMap) -> Self {
        self.reads.insert(id.to_owned(), outputs);
        self
    }

    /// Lets each registration of a custom resource take some time, as creates do.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How many registrations there were.
    pub fn count(&self) -> u64 {
        self.counter.load(Ordering::Relaxed)
    }

    /// What it was asked so far; nothing unless it remembers.
    pub fn seen(&self) -> Seen {
        let seen = self.seen.as_ref().map(|seen| seen.lock().unwrap_or_else(PoisonError::into_inner).clone());
        seen.unwrap_or_default()
    }

    fn remember(&self, note: impl FnOnce(&mut Seen)) {
        if let Some(seen) = &self.seen {
            note(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn urn(&self, parent: Option<&Urn>, ty: &str, name: &str) -> Urn {
        Urn::new(&self.info.stack, &self.info.project, parent, ty, name)
    }
}

#[async_trait]
impl ResourceMonitor for NullMonitor {
    fn info(&self) -> &DeploymentInfo {
        &self.info
    }

    async fn register(&self, request: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        if request.goal.custom && !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let goal = &request.goal;
        let reply = RegisterReply {
            urn: self.urn(goal.parent.as_ref(), &goal.ty, &goal.name),
            id: if goal.custom { format!("id-{number}") } else { String::new() },
            outputs: Arc::clone(&goal.inputs),
            result: RegisterResult::Success,
            property_dependencies: purlin_model::PropertyDependencies::new(),
            unknown: false,
        };
        self.remember(|seen| seen.registered.push(request));
        Ok(reply)
    }

    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError> {
        self.remember(|seen| seen.outputs.push((urn, outputs)));
        Ok(())
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError> {
        let goal = &request.goal;
        let outputs = match self.reads.get(&request.id) {
            Some(outputs) => Arc::new(outputs.clone()),
            None => Arc::clone(&goal.inputs),
        };
        let urn = self.urn(goal.parent.as_ref(), &goal.ty, &goal.name);
        self.remember(|seen| seen.reads.push(request));
        Ok(ReadReply { urn, outputs })
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        let result = request.args.clone();
        self.remember(|seen| seen.invokes.push(request));
        Ok(InvokeReply { result, ..InvokeReply::default() })
    }

    async fn call(&self, request: CallRequest) -> Result<CallReply, MonitorError> {
        let mut result = flatten_outputs(request.args.clone());
        result.remove("__self__");
        self.remember(|seen| seen.calls.push(request));
        Ok(CallReply { result, ..CallReply::default() })
    }

    async fn program_finished(&self) -> Result<(), MonitorError> {
        self.remember(|seen| seen.finished = true);
        Ok(())
    }

    fn log(&self, message: LogMessage) {
        self.remember(|seen| seen.logs.push(message));
    }
}
