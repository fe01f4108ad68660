//! Hooks across the wire: registered by a program, called in its callback server.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use purlin_model::{PropertyMap, PropertyValue, ResourceState, Urn};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{
    CallReply, CallRequest, DeploymentInfo, ErrorHookCall, Hook, HookCall, HookKind, HookSide, InvokeReply,
    InvokeRequest, LogMessage, MonitorError, ReadReply, ReadRequest, RegisterReply, RegisterRequest,
    ResourceMonitor,
};
use purlin_testkit::CountingEntropy;
use purlin_wire::pulumirpc::callbacks_server::{Callbacks, CallbacksServer};
use purlin_wire::pulumirpc::resource_monitor_client::ResourceMonitorClient;
use purlin_wire::pulumirpc::{
    Callback, CallbackInvokeRequest, CallbackInvokeResponse, ErrorHookRequest, ErrorHookResponse,
    RegisterErrorHookRequest, RegisterResourceHookRequest, ResourceHookRequest, ResourceHookResponse,
    ResourceOptions, SupportsFeatureRequest,
};
use purlin_wire::{DecodeOptions, Struct, decode_map};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// A monitor that keeps the hooks that it is given.
#[derive(Default)]
struct Keeps {
    info: DeploymentInfo,
    hooks: Mutex<Vec<Hook>>,
}

#[tonic::async_trait]
impl ResourceMonitor for Keeps {
    fn info(&self) -> &DeploymentInfo {
        &self.info
    }
    async fn register(&self, _: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn register_outputs(&self, _: Urn, _: PropertyMap) -> Result<(), MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn read(&self, _: ReadRequest) -> Result<ReadReply, MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn invoke(&self, _: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn call(&self, _: CallRequest) -> Result<CallReply, MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn register_hook(&self, hook: Hook) -> Result<(), MonitorError> {
        self.hooks.lock().unwrap().push(hook);
        Ok(())
    }
    async fn program_finished(&self) -> Result<(), MonitorError> {
        Ok(())
    }
    fn log(&self, _: LogMessage) {}
}

/// A program's callback server: writes down what it gets.
#[derive(Clone, Default)]
struct Program {
    hooks: Arc<Mutex<Vec<ResourceHookRequest>>>,
    errors: Arc<Mutex<Vec<ErrorHookRequest>>>,
}

#[tonic::async_trait]
impl Callbacks for Program {
    async fn invoke(
        &self,
        request: Request<CallbackInvokeRequest>,
    ) -> Result<Response<CallbackInvokeResponse>, Status> {
        let CallbackInvokeRequest { token, request } = request.into_inner();
        let response = match token.as_str() {
            "error" => {
                self.errors.lock().unwrap().push(prost::Message::decode(request).unwrap());
                prost::Message::encode_to_vec(&ErrorHookResponse { error: String::new(), retry: true })
            }
            "broken" => return Err(Status::internal("it broke")),
            token => {
                self.hooks.lock().unwrap().push(prost::Message::decode(request).unwrap());
                let error = if token == "fails" { "oh no".to_owned() } else { String::new() };
                prost::Message::encode_to_vec(&ResourceHookResponse { error })
            }
        };
        Ok(Response::new(CallbackInvokeResponse { response: response.into() }))
    }
}

struct World {
    monitor: Arc<Keeps>,
    program: Program,
    target: String,
    client: ResourceMonitorClient<Channel>,
    _server: MonitorServer,
}

async fn world() -> World {
    let incoming = tonic::transport::server::TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let target = incoming.local_addr().unwrap().to_string();
    let program = Program::default();
    let service = CallbacksServer::new(program.clone());
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let folder = std::env::temp_dir();
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder,
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let monitor = Arc::new(Keeps::default());
    let server = MonitorServer::start(Arc::clone(&monitor) as _, settings).await.unwrap();
    let client = ResourceMonitorClient::connect(format!("http://{}", server.address())).await.unwrap();
    World { monitor, program, target, client, _server: server }
}

impl World {
    fn callback(&self, token: &str, accepts_byte_string: bool) -> Option<Callback> {
        Some(Callback { target: self.target.clone(), token: token.to_owned(), accepts_byte_string })
    }

    /// Registers a hook and gives what the engine has of it.
    async fn hook(&mut self, token: &str, accepts_byte_string: bool) -> HookKind {
        let request = RegisterResourceHookRequest {
            name: "h".to_owned(),
            callback: self.callback(token, accepts_byte_string),
            on_dry_run: true,
            ignore_errors: false,
        };
        self.client.register_resource_hook(request).await.unwrap();
        self.monitor.hooks.lock().unwrap().pop().unwrap().kind
    }
}

fn urn(name: &str) -> Urn {
    Urn::parse(&format!("urn:pulumi:dev::shop::t:m:R::{name}")).unwrap()
}

fn call() -> HookCall {
    let mut state = ResourceState::new(urn("a"), true);
    state.protect = true;
    state.dependencies = vec![urn("b")];
    state.custom_timeouts.create = 90.0;
    state.resource_hooks.by_kind.insert("AfterUpdate".to_owned(), vec!["h".to_owned()]);
    let map = |value: PropertyValue| Arc::new(PropertyMap::from([("x".to_owned(), value)]));
    HookCall {
        urn: urn("a"),
        id: "id".to_owned(),
        old: Some(HookSide {
            state: Arc::new(ResourceState::new(urn("a"), true)),
            inputs: map("1".into()),
            outputs: Some(map("2".into())),
        }),
        new: Some(HookSide {
            state: Arc::new(state),
            inputs: map(PropertyValue::from("3").into_secret()),
            outputs: None,
        }),
    }
}

fn decoded(properties: Option<&Struct>) -> PropertyMap {
    decode_map(properties.unwrap(), &DecodeOptions::FULL).unwrap()
}

fn is_as_the_state_says(options: Option<&ResourceOptions>) {
    let options = options.unwrap();
    assert_eq!((options.protect, options.retain_on_delete), (Some(true), Some(false)));
    assert_eq!(options.depends_on, [urn("b").to_string()]);
    assert_eq!(options.custom_timeouts.as_ref().unwrap().create, "90s");
    assert_eq!(options.hooks.as_ref().unwrap().after_update, ["h"]);
}

#[tokio::test]
async fn a_hook_gets_what_was_and_what_is_with_secrets_and_options() {
    let mut world = world().await;
    let HookKind::Resource { function, on_dry_run: true, ignore_errors: false } =
        world.hook("works", false).await
    else {
        panic!("it is no resource hook");
    };
    function.run(call()).await.unwrap();
    let told = world.program.hooks.lock().unwrap().pop().unwrap();
    assert_eq!((told.urn, told.id.as_str(), told.name.as_str()), (urn("a").to_string(), "id", "a"));
    assert_eq!(told.r#type, "t:m:R");
    assert_eq!(decoded(told.old_inputs.as_ref())["x"], "1".into());
    assert_eq!(decoded(told.old_outputs.as_ref())["x"], "2".into());
    assert_eq!(decoded(told.new_inputs.as_ref())["x"], PropertyValue::from("3").into_secret());
    assert!(told.new_outputs.is_none());
    is_as_the_state_says(told.new_options.as_ref());
    assert_eq!(told.old_options.unwrap().protect, Some(false));
}

#[tokio::test]
async fn what_goes_wrong_in_a_hook_is_its_failure() {
    let mut world = world().await;
    for (token, message) in [("fails", "oh no"), ("broken", "it broke")] {
        let HookKind::Resource { function, .. } = world.hook(token, false).await else { panic!() };
        assert_eq!(function.run(call()).await.unwrap_err(), message);
    }
}

#[tokio::test]
async fn an_error_hook_hears_what_failed_and_answers() {
    let mut world = world().await;
    let callback = world.callback("error", false);
    let request = RegisterErrorHookRequest { name: "e".to_owned(), callback };
    world.client.register_error_hook(request).await.unwrap();
    let HookKind::Error(function) = world.monitor.hooks.lock().unwrap().pop().unwrap().kind else { panic!() };
    let errors = vec!["second".to_owned(), "first".to_owned()];
    let call = ErrorHookCall { resource: call(), operation: "update", errors: errors.clone() };
    assert_eq!(function.run(call).await, Ok(true));
    let told = world.program.errors.lock().unwrap().pop().unwrap();
    assert_eq!((told.failed_operation.as_str(), told.errors), ("update", errors));
    assert_eq!(decoded(told.old_outputs.as_ref())["x"], "2".into());
    is_as_the_state_says(told.new_options.as_ref());
}

#[tokio::test]
async fn texts_that_are_not_utf_8_reach_only_hooks_that_take_them() {
    for accepts in [true, false] {
        let mut world = world().await;
        let HookKind::Resource { function, .. } = world.hook("works", accepts).await else { panic!() };
        let bytes = PropertyValue::Bytes(vec![0xff, 0x00]);
        let mut call = call();
        call.new.as_mut().unwrap().inputs = Arc::new(PropertyMap::from([("x".to_owned(), bytes.clone())]));
        assert_eq!(function.run(call).await.is_ok(), accepts);
        let told = world.program.hooks.lock().unwrap().pop();
        assert_eq!(told.is_some_and(|told| decoded(told.new_inputs.as_ref())["x"] == bytes), accepts);
    }
}

#[tokio::test]
async fn a_hook_without_a_callback_that_can_be_called_is_refused() {
    let mut world = world().await;
    for callback in [None, Some(Callback::default())] {
        let request = RegisterResourceHookRequest { name: "h".to_owned(), callback, ..Default::default() };
        let refused = world.client.register_resource_hook(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    for feature in ["resourceHooks", "errorHooks", "sendsOptionsToHooks"] {
        let request = SupportsFeatureRequest { id: feature.to_owned() };
        assert!(world.client.supports_feature(request).await.unwrap().into_inner().has_support);
    }
}
