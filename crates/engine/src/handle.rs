//! The engine as programs see it.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_model::{Extension, PackageDescriptor, PropertyMap, PropertyValue, ProviderRef, ReferenceId, Urn};
use purlin_plan::{ProviderQuery, Rule};
use purlin_ports::{
    CallReply, CallRequest, ConstructArgs, DeploymentInfo, Hook, Inherited, InvokeArgs, InvokeReply,
    InvokeRequest, LogMessage, MonitorError, ProviderMethodArgs, PublishedStep, ReadReply, ReadRequest,
    RegisterReply, RegisterRequest, RegisterResult, ResourceMonitor,
};
use tokio::sync::{mpsc, oneshot};

use crate::calls::Calls;
use crate::message::{Answer, ChosenProvider, Message, Waiting};

/// The token of the function that reads a resource of this very deployment.
const GET_RESOURCE: &str = "pulumi:pulumi:getResource";

/// The engine's side of [`ResourceMonitor`].
pub(crate) struct Handle {
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
    pub(crate) calls: Arc<Calls>,
}

impl Handle {
    async fn ask<T>(&self, message: impl FnOnce(Answer<T>) -> Message) -> Result<T, MonitorError> {
        let (answer, reply) = oneshot::channel();
        self.inbox.send(message(answer)).map_err(|_| MonitorError::Stopping)?;
        reply.await.map_err(|_| MonitorError::Stopping)?
    }

    async fn provider(&self, query: ProviderQuery) -> Result<ChosenProvider, MonitorError> {
        self.ask(|answer| Message::NeedProvider { query: Box::new(query), answer }).await
    }

    /// The state of a resource; with `of_run` only if this run has registered it.
    async fn find(
        &self,
        urn: &Urn,
        of_run: bool,
    ) -> Result<Option<Arc<purlin_model::ResourceState>>, MonitorError> {
        let (answer, reply) = oneshot::channel();
        self.inbox
            .send(Message::Find { urn: urn.clone(), of_run, answer })
            .map_err(|_| MonitorError::Stopping)?;
        reply.await.map_err(|_| MonitorError::Stopping)
    }

    /// A failure that ends the run, said once to the user and once to the program.
    fn fail(&self, code: &'static str, urn: Option<&Urn>, message: String) -> MonitorError {
        let mut diagnostic = Diagnostic::error(code, message.clone());
        if let Some(urn) = urn {
            diagnostic = diagnostic.with_urn(urn.as_str());
        }
        let _ = self.inbox.send(Message::Failed(diagnostic));
        MonitorError::Failed(message)
    }

    /// Has a plugin make a component. The component registers itself on the way.
    async fn construct(&self, request: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        let RegisterRequest { mut goal, providers, package, stack_trace_handle, .. } = request;
        if let Some(parent) = goal.parent.clone() {
            let inherited = self.inherited(&parent, None).await?;
            goal.protect = goal.protect.or(inherited.protect);
            goal.retain_on_delete = goal.retain_on_delete.or(inherited.retain_on_delete);
            goal.deleted_with = goal.deleted_with.or(inherited.deleted_with);
        }
        let chosen = self
            .provider(ProviderQuery {
                explicit: goal.provider.clone(),
                parent: goal.parent.clone(),
                providers,
                package,
                function: false,
            })
            .await?;
        let label = format!("{} {}", goal.ty, goal.name);
        let provider = self
            .calls
            .pool
            .get_extended(&chosen.provider, self.extension_ref(goal.extension.as_ref()))
            .await
            .map_err(|e| self.fail("provider-unavailable", None, format!("{label}: {e}")))?;
        let aliases = self.alias_urns(&goal);
        let providers: std::collections::BTreeMap<String, String> =
            chosen.providers.iter().map(|(k, v)| (k.clone(), v.to_string())).collect();
        let args = ConstructArgs {
            aliases,
            providers,
            info: self.calls.info.clone(),
            monitor_address: self.calls.monitor_address.clone(),
            stack_trace_handle,
            goal,
        };
        self.calls.count(Rule::Constructed);
        let made = provider
            .construct(args)
            .await
            .map_err(|e| self.fail("construct-failed", None, format!("{label}: {e}")))?;
        Ok(RegisterReply {
            urn: made.urn,
            id: String::new(),
            outputs: Arc::new(made.outputs),
            result: RegisterResult::Success,
            property_dependencies: made.dependencies,
            unknown: false,
        })
    }

    /// Notes the extension that a call is about; its reference.
    fn extension_ref<'e>(&self, extension: Option<&'e Arc<Extension>>) -> &'e str {
        extension.map_or("", |extension| {
            self.calls.pool.note(extension);
            extension.reference.as_str()
        })
    }

    /// The other names of a component as URNs, for plugins take no other form. Those that follow
    /// from its parents' are added when the component registers itself.
    fn alias_urns(&self, goal: &purlin_model::Goal) -> Vec<Urn> {
        let info = &self.calls.info;
        goal.aliases
            .iter()
            .map(|alias| match alias {
                purlin_model::Alias::Urn(urn) => urn.clone(),
                purlin_model::Alias::Spec { name, ty, stack, project, parent } => Urn::new(
                    stack.as_deref().unwrap_or(&info.stack),
                    project.as_deref().unwrap_or(&info.project),
                    match parent {
                        purlin_model::AliasParent::Same => goal.parent.as_ref(),
                        purlin_model::AliasParent::None => None,
                        purlin_model::AliasParent::Urn(urn) => Some(urn),
                    },
                    ty.as_deref().unwrap_or(&goal.ty),
                    name.as_deref().unwrap_or(&goal.name),
                ),
            })
            .collect()
    }

    async fn get_resource(&self, args: &PropertyMap) -> Result<InvokeReply, MonitorError> {
        let urn = args.get("urn").and_then(PropertyValue::as_str).and_then(Urn::parse);
        let urn = urn.ok_or_else(|| MonitorError::Invalid("getResource needs a URN".into()))?;
        let Some(state) = self.find(&urn, true).await? else {
            return Err(MonitorError::Failed(format!("unknown resource {urn}")));
        };
        let outputs = self
            .calls
            .ports
            .bags
            .open(&state.outputs)
            .await
            .map_err(|d| MonitorError::Failed(d.to_string()))?;
        let provider = state.provider.as_ref().map(ToString::to_string).unwrap_or_default();
        let result = PropertyMap::from([
            ("urn".to_owned(), PropertyValue::from(urn.as_str())),
            ("id".to_owned(), PropertyValue::from(state.id.as_str())),
            ("provider".to_owned(), PropertyValue::from(provider)),
            ("state".to_owned(), PropertyValue::Object(PropertyMap::clone(&outputs))),
        ]);
        Ok(InvokeReply { result, ..InvokeReply::default() })
    }

    /// Whether all that a call depends on exists; waits for what is on its way.
    async fn exist(&self, urns: &[Urn]) -> Result<bool, MonitorError> {
        if urns.is_empty() {
            return Ok(true);
        }
        self.ask(|answer| Message::Exist { urns: urns.to_vec(), answer }).await
    }
}

/// What serves a function. The one that reads a resource of this deployment belongs to the engine's own
/// package, whose default provider is registered as that of any other.
fn query_of(request: &InvokeRequest) -> ProviderQuery {
    let own = request.token == GET_RESOURCE;
    ProviderQuery {
        explicit: request.provider.clone().filter(|_| !own),
        parent: request.parent.clone().filter(|_| !own),
        providers: std::collections::BTreeMap::new(),
        package: if own { PackageDescriptor::new("pulumi", "") } else { request.package.clone() },
        function: true,
    }
}

#[async_trait]
impl ResourceMonitor for Handle {
    fn info(&self) -> &DeploymentInfo {
        &self.calls.info
    }

    // Written out so that the request isn't part of what waits.
    fn register<'a, 'async_trait>(
        &'a self,
        request: RegisterRequest,
    ) -> BoxFuture<'async_trait, Result<RegisterReply, MonitorError>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        if request.remote {
            return Box::pin(self.construct(request));
        }
        let (answer, reply) = oneshot::channel();
        let message = Message::Register {
            request: Box::new(request),
            read_id: None,
            answer: Waiting::Register(answer),
        };
        let sent = self.inbox.send(message).is_ok();
        Box::pin(async move {
            if sent { reply.await.map_err(|_| MonitorError::Stopping)? } else { Err(MonitorError::Stopping) }
        })
    }

    async fn inherited(&self, parent: &Urn, package: Option<&str>) -> Result<Inherited, MonitorError> {
        let (answer, reply) = oneshot::channel();
        let (parent, package) = (parent.clone(), package.map(str::to_owned));
        self.inbox.send(Message::Inherit { parent, package, answer }).map_err(|_| MonitorError::Stopping)?;
        reply.await.map_err(|_| MonitorError::Stopping)
    }

    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError> {
        self.ask(|answer| Message::Outputs { urn, outputs, answer }).await
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError> {
        let read_id = Some(request.id);
        let request = RegisterRequest {
            goal: request.goal,
            remote: false,
            package: request.package,
            providers: std::collections::BTreeMap::new(),
            stack_trace_handle: String::new(),
        };
        self.ask(|answer| Message::Register {
            request: Box::new(request),
            read_id,
            answer: Waiting::Read(answer),
        })
        .await
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        let unknown_args =
            self.calls.info.dry_run && request.args.values().any(PropertyValue::contains_unknowns);
        // The provider is used whether there is an answer already or not: a preview must not foresee
        // its delete.
        let chosen = self.provider(query_of(&request)).await?;
        if unknown_args || !self.exist(&request.depends_on).await? {
            return Ok(InvokeReply { unknown: true, ..InvokeReply::default() });
        }
        if request.token == GET_RESOURCE {
            return self.get_resource(&request.args).await;
        }
        let provider = self
            .calls
            .pool
            .get_extended(&chosen.provider, self.extension_ref(request.extension.as_ref()))
            .await
            .map_err(|e| MonitorError::Failed(format!("invoking {}: {e}", request.token)))?;
        let args =
            InvokeArgs { token: request.token.clone(), args: request.args, preview: self.calls.info.dry_run };
        let answer = provider.invoke(args).await.map_err(|e| {
            MonitorError::Failed(format!("invocation of {} returned an error: {e}", request.token))
        })?;
        Ok(InvokeReply { result: answer.result, failures: answer.failures, unknown: false })
    }

    async fn call(&self, request: CallRequest) -> Result<CallReply, MonitorError> {
        let explicit = match request.provider {
            Some(provider) => Some(provider),
            None => self.provider_of_self(&request.token, &request.args).await?,
        };
        let chosen = self
            .provider(ProviderQuery {
                explicit,
                parent: None,
                providers: std::collections::BTreeMap::new(),
                package: request.package,
                function: false,
            })
            .await?;
        let extension_ref = self.extension_ref(request.extension.as_ref());
        let extended = self.calls.pool.get_extended(&chosen.provider, extension_ref).await;
        let provider = extended.map_err(|e| {
            self.fail("provider-unavailable", None, format!("calling {}: {e}", request.token))
        })?;
        let args = ProviderMethodArgs {
            token: request.token.clone(),
            args: request.args,
            arg_dependencies: request.arg_dependencies,
            info: self.calls.info.clone(),
            monitor_address: self.calls.monitor_address.clone(),
            stack_trace_handle: request.stack_trace_handle,
        };
        let answer = provider.call(args).await.map_err(|e| {
            self.fail("call-failed", None, format!("call of {} returned an error: {e}", request.token))
        })?;
        Ok(CallReply { result: answer.result, dependencies: answer.dependencies, failures: answer.failures })
    }

    async fn register_hook(&self, hook: Hook) -> Result<(), MonitorError> {
        self.calls.hooks.register(hook)
    }

    async fn publish_views(&self, token: String, steps: Vec<PublishedStep>) -> Result<(), MonitorError> {
        self.calls.desk.publish(&token, steps)
    }

    async fn program_finished(&self) -> Result<(), MonitorError> {
        self.ask(|answer| Message::ProgramSignal { answer }).await
    }

    fn log(&self, message: LogMessage) {
        self.calls.ports.events.emit(EngineEvent::Diagnostic {
            urn: message.urn,
            prefix: String::new(),
            message: message.message,
            severity: message.severity,
            stream_id: message.stream_id,
            ephemeral: message.ephemeral,
        });
    }
}

impl Handle {
    /// The provider that serves a method: the resource's own, or the resource itself where it is a
    /// provider.
    async fn provider_of_self(
        &self,
        token: &str,
        args: &PropertyMap,
    ) -> Result<Option<ProviderRef>, MonitorError> {
        let Some(PropertyValue::Reference(reference)) = args.get("__self__").map(PropertyValue::plain) else {
            return Ok(None);
        };
        if purlin_model::urn::is_provider_type(token) {
            let id = match &reference.id {
                Some(ReferenceId::Known(id)) if !id.is_empty() => id.clone(),
                _ => purlin_model::UNKNOWN_ID.to_owned(),
            };
            return Ok(Some(ProviderRef::new(reference.urn.clone(), id)));
        }
        Ok(self.find(&reference.urn, false).await?.and_then(|state| state.provider.clone()))
    }
}
