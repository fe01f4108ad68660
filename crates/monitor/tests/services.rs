//! The services as clients see them, in front of a monitor that remembers what it was asked.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use purlin_model::{Alias, AliasParent, OutputValue, PropertyMap, PropertyValue, ProviderRef, Urn};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{
    CallReply, CallRequest, DeploymentInfo, Inherited, InvokeReply, InvokeRequest, LogMessage, MonitorError,
    ReadReply, ReadRequest, RegisterReply, RegisterRequest, RegisterResult, ResourceMonitor,
};
use purlin_testkit::{CountingEntropy, NullMonitor};
use purlin_wire::pulumirpc::alias::spec::Parent;
use purlin_wire::pulumirpc::callbacks_server::{Callbacks, CallbacksServer};
use purlin_wire::pulumirpc::engine_client::EngineClient;
use purlin_wire::pulumirpc::register_resource_request::{CustomTimeouts, PropertyDependencies};
use purlin_wire::pulumirpc::resource_monitor_client::ResourceMonitorClient;
use purlin_wire::pulumirpc::{
    self, Callback, CallbackInvokeRequest, CallbackInvokeResponse, RegisterPackageRequest,
    RegisterResourceRequest, RequirePulumiVersionRequest, ResourceInvokeRequest, TransformRequest,
    TransformResponse,
};
use purlin_wire::{DecodeOptions, EncodeOptions, decode_map, encode_map, encode_value};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

type Client = ResourceMonitorClient<Channel>;

fn info() -> DeploymentInfo {
    DeploymentInfo { project: "shop".to_owned(), stack: "dev".to_owned(), ..DeploymentInfo::default() }
}

async fn serve(monitor: Arc<dyn ResourceMonitor>) -> (MonitorServer, Client) {
    let folder = std::env::temp_dir();
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder,
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let server = MonitorServer::start(monitor, settings).await.unwrap();
    let client = Client::connect(format!("http://{}", server.address())).await.unwrap();
    (server, client)
}

fn encoded(pairs: &[(&str, PropertyValue)]) -> Option<purlin_wire::Struct> {
    let map: PropertyMap = pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Some(encode_map(&map, &EncodeOptions::FULL).unwrap())
}

fn decoded(properties: Option<&purlin_wire::Struct>) -> PropertyMap {
    decode_map(properties.unwrap(), &DecodeOptions::FULL).unwrap()
}

fn object(name: &str) -> RegisterResourceRequest {
    RegisterResourceRequest {
        r#type: "faultcloud:index:Object".to_owned(),
        name: name.to_owned(),
        custom: true,
        ..RegisterResourceRequest::default()
    }
}

fn urn(name: &str) -> Urn {
    Urn::parse(&format!("urn:pulumi:dev::shop::faultcloud:index:Object::{name}")).unwrap()
}

/// A monitor that answers registrations in a way of its own.
struct Answering(Result<RegisterReply, MonitorError>, DeploymentInfo);

#[tonic::async_trait]
impl ResourceMonitor for Answering {
    fn info(&self) -> &DeploymentInfo {
        &self.1
    }
    async fn register(&self, _: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        self.0.clone()
    }
    async fn register_outputs(&self, _: Urn, _: PropertyMap) -> Result<(), MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn read(&self, _: ReadRequest) -> Result<ReadReply, MonitorError> {
        Err(MonitorError::Stopping)
    }
    async fn invoke(&self, _: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        Ok(InvokeReply { unknown: true, ..InvokeReply::default() })
    }
    async fn call(&self, _: CallRequest) -> Result<CallReply, MonitorError> {
        Err(MonitorError::Failed("no such method".to_owned()))
    }
    async fn program_finished(&self) -> Result<(), MonitorError> {
        Ok(())
    }
    fn log(&self, _: LogMessage) {}
}

fn reply(result: RegisterResult, outputs: PropertyMap) -> RegisterReply {
    RegisterReply {
        urn: urn("x"),
        id: "id".to_owned(),
        outputs: Arc::new(outputs),
        result,
        property_dependencies: Default::default(),
        unknown: false,
    }
}

#[tokio::test]
async fn dependencies_are_filled_in_and_gathered_from_outputs() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let output = |value, secret| {
        PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![urn("from-output")] }))
    };
    let properties =
        [("plain", "x".into()), ("made", output(Some("y".into()), true)), ("later", output(None, false))];
    client
        .register_resource(RegisterResourceRequest {
            object: encoded(&properties),
            dependencies: vec![urn("b").to_string(), urn("a").to_string(), urn("b").to_string()],
            ..object("implied")
        })
        .await
        .unwrap();
    let said = PropertyDependencies { urns: vec![urn("said").to_string()] };
    client
        .register_resource(RegisterResourceRequest {
            object: encoded(&properties),
            property_dependencies: BTreeMap::from([("plain".to_owned(), said)]),
            ..object("explicit")
        })
        .await
        .unwrap();

    let seen = monitor.seen();
    let goal = &seen.named("implied").unwrap().goal;
    assert_eq!(goal.dependencies, [urn("a"), urn("b")]);
    assert_eq!(goal.property_dependencies["plain"], [urn("a"), urn("b")]);
    assert_eq!(goal.property_dependencies["made"], [urn("a"), urn("b"), urn("from-output")]);
    assert_eq!(goal.inputs["made"], PropertyValue::from("y").into_secret());
    assert_eq!(goal.inputs["later"], PropertyValue::Unknown);
    let goal = &seen.named("explicit").unwrap().goal;
    assert_eq!(goal.property_dependencies["plain"], [urn("said")]);
    assert_eq!(goal.property_dependencies["later"], [urn("from-output")]);
}

#[tokio::test]
async fn remote_components_keep_output_values() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let request = RegisterResourceRequest {
        r#type: "faultcloud:index:Group".to_owned(),
        custom: false,
        remote: true,
        object: encoded(&[("secretValue", PropertyValue::from("s").into_secret())]),
        stack_trace: Some(pulumirpc::StackTrace { frames: vec![pulumirpc::StackFrame::default()] }),
        ..object("group")
    };
    client.register_resource(request).await.unwrap();
    client.register_resource(object("plain")).await.unwrap();
    let seen = monitor.seen();
    assert_ne!(seen.named("group").unwrap().stack_trace_handle, "", "children go on from its trace");
    assert_eq!(seen.named("plain").unwrap().stack_trace_handle, "");
    let value = &seen.named("group").unwrap().goal.inputs["secretValue"];
    assert!(matches!(value, PropertyValue::Output(output) if output.secret), "{value:?}");
}

#[tokio::test]
async fn options_are_read_in_all_their_forms() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let spec = pulumirpc::Alias {
        alias: Some(pulumirpc::alias::Alias::Spec(pulumirpc::alias::Spec {
            name: "old".to_owned(),
            parent: Some(Parent::NoParent(true)),
            ..pulumirpc::alias::Spec::default()
        })),
    };
    let full = RegisterResourceRequest {
        aliases: vec![spec],
        alias_ur_ns: vec![urn("older").to_string()],
        delete_before_replace_defined: true,
        custom_timeouts: Some(CustomTimeouts { create: "1m30s".to_owned(), ..CustomTimeouts::default() }),
        version: "1.2.3".to_owned(),
        provider: "urn:pulumi:dev::shop::pulumi:providers:faultcloud::p::id-1".to_owned(),
        ..object("full")
    };
    let mut from_node = Request::new(RegisterResourceRequest { name: "node".to_owned(), ..full.clone() });
    from_node.metadata_mut().insert("pulumi-runtime", "nodejs".parse().unwrap());
    client.register_resource(full.clone()).await.unwrap();
    client.register_resource(from_node).await.unwrap();

    let seen = monitor.seen();
    let request = seen.named("full").unwrap();
    let alias =
        |parent| Alias::Spec { name: Some("old".to_owned()), ty: None, stack: None, project: None, parent };
    assert_eq!(request.goal.aliases, [Alias::Urn(urn("older")), alias(AliasParent::None)]);
    assert_eq!(seen.named("node").unwrap().goal.aliases[1], alias(AliasParent::Same));
    assert_eq!(request.goal.delete_before_replace, Some(false));
    assert_eq!(request.goal.custom_timeouts.create, 90.0);
    assert_eq!((request.package.name.as_str(), request.package.version.as_str()), ("faultcloud", "1.2.3"));
    assert_eq!(request.goal.provider.as_ref().unwrap().id(), "id-1");

    for (wrong, text) in [
        (RegisterResourceRequest { version: "v1.2".to_owned(), ..full.clone() }, "v1.2"),
        (RegisterResourceRequest { provider: "nonsense".to_owned(), ..full.clone() }, "nonsense"),
        (
            RegisterResourceRequest {
                provider: "urn:pulumi:dev::shop::pulumi:providers:faultcloud::p".to_owned(),
                ..full.clone()
            },
            "is not a reference to a provider",
        ),
        (RegisterResourceRequest { r#type: "Object".to_owned(), ..full.clone() }, "Object"),
        (RegisterResourceRequest { package_ref: "who".to_owned(), ..full.clone() }, "who"),
        (RegisterResourceRequest { parent: "mother".to_owned(), ..full.clone() }, "mother"),
        (
            RegisterResourceRequest {
                custom_timeouts: Some(CustomTimeouts {
                    read: "soon".to_owned(),
                    ..CustomTimeouts::default()
                }),
                ..full.clone()
            },
            "soon",
        ),
    ] {
        let status = client.register_resource(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(text), "{status:?}");
    }
}

/// Has something to hand on.
struct Heir(NullMonitor);

#[async_trait::async_trait]
impl ResourceMonitor for Heir {
    fn info(&self) -> &DeploymentInfo {
        self.0.info()
    }
    async fn register(&self, request: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        self.0.register(request).await
    }
    async fn register_outputs(&self, _: Urn, _: PropertyMap) -> Result<(), MonitorError> {
        unreachable!()
    }
    async fn read(&self, _: ReadRequest) -> Result<ReadReply, MonitorError> {
        unreachable!()
    }
    async fn invoke(&self, _: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        unreachable!()
    }
    async fn call(&self, _: CallRequest) -> Result<CallReply, MonitorError> {
        unreachable!()
    }
    async fn inherited(&self, parent: &Urn, package: Option<&str>) -> Result<Inherited, MonitorError> {
        assert_eq!((parent.name(), package), ("shelf", Some("faultcloud")));
        Ok(Inherited {
            protect: Some(true),
            retain_on_delete: Some(true),
            deleted_with: Some(urn("along")),
            provider: ProviderRef::parse("urn:pulumi:dev::shop::pulumi:providers:faultcloud::p::id-1"),
        })
    }
    async fn program_finished(&self) -> Result<(), MonitorError> {
        unreachable!()
    }
    fn log(&self, _: LogMessage) {}
}

#[tokio::test]
async fn transforms_see_what_a_resource_inherits() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let incoming = tonic::transport::server::TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let target = incoming.local_addr().unwrap().to_string();
    let marker = CallbacksServer::new(Marker(Arc::clone(&calls)));
    tokio::spawn(tonic::transport::Server::builder().add_service(marker).serve_with_incoming(incoming));
    let callback = Callback { target, token: "own".to_owned(), accepts_byte_string: false };

    let monitor = Arc::new(Heir(NullMonitor::recording(info())));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let parent = urn("shelf").to_string();
    let plain = RegisterResourceRequest { parent, transforms: vec![callback], ..object("thing") };
    let named = "urn:pulumi:dev::shop::pulumi:providers:faultcloud::q::id-2".to_owned();
    let explicit = RegisterResourceRequest {
        name: "explicit".to_owned(),
        retain_on_delete: Some(false),
        provider: named.clone(),
        ..plain.clone()
    };
    let given = RegisterResourceRequest {
        name: "given".to_owned(),
        providers: [("faultcloud".to_owned(), named)].into(),
        ..plain.clone()
    };
    for request in [plain, explicit, given] {
        client.register_resource(request).await.unwrap();
    }
    let seen = monitor.0.seen();
    let goal = |name: &str| seen.named(name).unwrap().goal.clone();
    let served = |name: &str| goal(name).provider.unwrap().id().to_owned();
    assert_eq!(goal("thing").retain_on_delete, Some(true));
    assert_eq!(goal("thing").deleted_with, Some(urn("along")));
    assert_eq!(goal("explicit").retain_on_delete, Some(false));
    assert_eq!([served("thing"), served("explicit"), served("given")], ["id-1", "id-2", "id-2"]);
}

#[tokio::test]
async fn triggers_are_read_as_values_whatever_they_come_in() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let output = |value, secret| {
        PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: vec![urn("a")] }))
    };
    for (name, trigger, read) in [
        ("plain", PropertyValue::from("first"), PropertyValue::from("first")),
        ("known", output(Some("first".into()), false), PropertyValue::from("first")),
        ("secret", output(Some("first".into()), true), PropertyValue::from("first").into_secret()),
        ("unknown", output(None, false), PropertyValue::Unknown),
    ] {
        let value = encode_value(&trigger, &EncodeOptions::FULL).unwrap();
        let request = RegisterResourceRequest { replacement_trigger: value, ..object(name) };
        client.register_resource(request).await.unwrap();
        assert_eq!(monitor.seen().named(name).unwrap().goal.replacement_trigger, read, "{name}");
    }
}

#[tokio::test]
async fn packages_have_one_reference_each() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let package = |version: &str| RegisterPackageRequest {
        name: "terraform-provider".to_owned(),
        version: version.to_owned(),
        parameterization: Some(pulumirpc::Parameterization {
            name: "hetzner".to_owned(),
            version: "2.0.0".to_owned(),
            value: vec![1, 2].into(),
        }),
        ..RegisterPackageRequest::default()
    };
    let first = client.register_package(package("1.0.0")).await.unwrap().into_inner().r#ref;
    let again = client.register_package(package("1.0.0")).await.unwrap().into_inner().r#ref;
    let other = client.register_package(package("1.1.0")).await.unwrap().into_inner().r#ref;
    assert_eq!(first, again);
    assert_ne!(first, other);
    let request = RegisterResourceRequest {
        r#type: "hetzner:index:Server".to_owned(),
        package_ref: first,
        ..object("server")
    };
    client.register_resource(request).await.unwrap();
    let seen = monitor.seen();
    let package = &seen.named("server").unwrap().package;
    assert_eq!((package.name.as_str(), package.package()), ("terraform-provider", "hetzner"));
}

#[tokio::test]
async fn an_extension_has_a_reference_made_of_what_it_is() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let package = |plugin: &str, version: &str| RegisterPackageRequest {
        name: plugin.to_owned(),
        extension: Some(pulumirpc::Parameterization {
            name: "more".to_owned(),
            version: version.to_owned(),
            value: vec![1, 2].into(),
        }),
        ..RegisterPackageRequest::default()
    };
    let first = client.register_package(package("base", "1.0.0")).await.unwrap().into_inner().r#ref;
    let again = client.register_package(package("base", "1.0.0")).await.unwrap().into_inner().r#ref;
    let other = client.register_package(package("base", "1.1.0")).await.unwrap().into_inner().r#ref;
    assert_eq!(first, "d728f2ca17fe5c03dbabef85a7993997038dbbd8cf0d885a6eb645521a0d91c4");
    assert_eq!(first, again);
    assert_ne!(first, other);
    let plain = RegisterPackageRequest { extension: None, ..package("base", "") };
    let plain = client.register_package(plain).await.unwrap().into_inner().r#ref;
    assert!(plain != first && plain != other);
    let wrong = client.register_package(package("base", "new")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong}");

    for (name, package_ref) in [("server", &first), ("disk", &plain)] {
        let request = RegisterResourceRequest { package_ref: package_ref.clone(), ..object(name) };
        client.register_resource(request).await.unwrap();
    }
    let seen = monitor.seen();
    let server = seen.named("server").unwrap();
    let extension = server.goal.extension.as_ref().unwrap();
    assert_eq!((&extension.reference, &*extension.name, &extension.value[..]), (&first, "more", &[1, 2][..]));
    assert_eq!((server.package.name.as_str(), server.package.package()), ("base", "base"));
    assert!(seen.named("disk").unwrap().goal.extension.is_none());
}

#[tokio::test]
async fn responses_hold_what_the_caller_takes() {
    let outputs = PropertyMap::from([
        ("known".to_owned(), "x".into()),
        ("secret".to_owned(), PropertyValue::from("y").into_secret()),
        ("unknown".to_owned(), PropertyValue::Unknown),
    ]);
    let monitor = Arc::new(Answering(Ok(reply(RegisterResult::Success, outputs.clone())), info()));
    let (_server, mut client) = serve(monitor).await;
    let plain = client.register_resource(object("x")).await.unwrap().into_inner();
    let expected = PropertyMap::from([("known".to_owned(), "x".into()), ("secret".to_owned(), "y".into())]);
    assert_eq!(decoded(plain.object.as_ref()), expected);
    let able = RegisterResourceRequest { accept_secrets: true, supports_partial_values: true, ..object("x") };
    let full = client.register_resource(able).await.unwrap().into_inner();
    assert_eq!(decoded(full.object.as_ref()), outputs);
    let component = RegisterResourceRequest { custom: false, ..object("x") };
    let component = client.register_resource(component).await.unwrap().into_inner();
    assert_eq!(decoded(component.object.as_ref()), PropertyMap::new());
    let invoked =
        client.invoke(ResourceInvokeRequest { tok: "a:b:c".to_owned(), ..Default::default() }).await;
    assert!(invoked.unwrap().into_inner().unknown);
}

#[tokio::test]
async fn failures_are_reported_as_the_caller_wants_them() {
    let failed = Ok(reply(RegisterResult::Fail, PropertyMap::new()));
    let (_server, mut client) = serve(Arc::new(Answering(failed, info()))).await;
    let status = client.register_resource(object("x")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "resource registration failed"));
    let able = RegisterResourceRequest { supports_result_reporting: true, ..object("x") };
    let answer = client.register_resource(able).await.unwrap().into_inner();
    assert_eq!(answer.result(), pulumirpc::Result::Fail);

    let (_server, mut client) = serve(Arc::new(Answering(Err(MonitorError::Stopping), info()))).await;
    assert_eq!(client.register_resource(object("x")).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_program_finishes_once_and_may_ask_for_versions() {
    let (server, mut client) = serve(Arc::new(NullMonitor::new(info()))).await;
    client.signal_and_wait_for_shutdown(()).await.unwrap();
    assert!(client.signal_and_wait_for_shutdown(()).await.is_err());
    let info = client.get_deployment_info(()).await.unwrap().into_inner();
    assert_eq!(info.stack, "dev");
    assert!(info.supported_features.contains(&10), "hooks are supported");
    assert!(!info.supported_features.contains(&16), "state migrations are not");

    let mut engine = EngineClient::connect(format!("http://{}", server.address())).await.unwrap();
    let mut ask = async |range: &str| {
        let request = RequirePulumiVersionRequest { pulumi_version_range: range.to_owned() };
        engine.require_pulumi_version(request).await.map(drop).map_err(|status| status.code())
    };
    assert_eq!(ask(">=3.0.0 <4.0.0").await, Ok(()));
    assert_eq!(ask(">=4.0.0").await, Err(Code::FailedPrecondition));
    assert_eq!(ask("soon").await, Err(Code::InvalidArgument));
    server.shutdown().await;
    assert!(client.get_deployment_info(()).await.is_err());
}

/// A monitor whose registrations last until they are let go, and which counts those that ended.
#[derive(Default)]
struct Slow {
    info: DeploymentInfo,
    arrived: tokio::sync::Notify,
    let_go: tokio::sync::Notify,
    ended: tokio::sync::Notify,
}

#[tonic::async_trait]
impl ResourceMonitor for Slow {
    fn info(&self) -> &DeploymentInfo {
        &self.info
    }
    async fn register(&self, _: RegisterRequest) -> Result<RegisterReply, MonitorError> {
        self.arrived.notify_one();
        self.let_go.notified().await;
        self.ended.notify_one();
        Ok(reply(RegisterResult::Success, PropertyMap::new()))
    }
    async fn register_outputs(&self, _: Urn, _: PropertyMap) -> Result<(), MonitorError> {
        Ok(())
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
    async fn program_finished(&self) -> Result<(), MonitorError> {
        Ok(())
    }
    fn log(&self, _: LogMessage) {}
}

#[tokio::test]
async fn a_registration_goes_on_when_the_program_hangs_up() {
    let monitor = Arc::new(Slow::default());
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    let call = tokio::spawn(async move { client.register_resource(object("x")).await });
    monitor.arrived.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    monitor.let_go.notify_one();
    monitor.ended.notified().await;
}

/// A program's callback server: writes down who called and puts a property in.
struct Marker(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl Callbacks for Marker {
    async fn invoke(
        &self,
        request: Request<CallbackInvokeRequest>,
    ) -> Result<Response<CallbackInvokeResponse>, Status> {
        let request = request.into_inner();
        let transform: TransformRequest = prost::Message::decode(request.request).unwrap();
        self.0.lock().unwrap().push(format!("{} on {}", request.token, transform.name));
        let mut properties = decoded(transform.properties.as_ref());
        properties.insert(request.token.clone(), true.into());
        let mut options = transform.options.unwrap();
        options.protect = Some(true);
        let answer = TransformResponse {
            properties: Some(encode_map(&properties, &EncodeOptions::FULL).unwrap()),
            options: Some(options),
        };
        Ok(Response::new(CallbackInvokeResponse { response: prost::Message::encode_to_vec(&answer).into() }))
    }
}

#[tokio::test]
async fn bytes_that_a_program_cannot_take_are_refused_with_their_place() {
    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(monitor as Arc<dyn ResourceMonitor>).await;
    let bytes = PropertyValue::Bytes(vec![0xff]);
    let request = |accepts_byte_string| RegisterResourceRequest {
        object: encoded(&[("stdout", bytes.clone())]),
        accepts_byte_string,
        ..object("thing")
    };
    let taken = client.register_resource(request(true)).await.unwrap().into_inner();
    let refused = client.register_resource(request(false)).await.unwrap_err();
    for part in ["outputs of ", taken.urn.as_str(), "property stdout: ", "not valid UTF-8"] {
        assert!(refused.message().contains(part), "{}", refused.message());
    }
}

#[tokio::test]
async fn transforms_run_from_the_resource_up_to_the_stack() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let incoming = tonic::transport::server::TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let target = incoming.local_addr().unwrap().to_string();
    let marker = CallbacksServer::new(Marker(Arc::clone(&calls)));
    tokio::spawn(tonic::transport::Server::builder().add_service(marker).serve_with_incoming(incoming));
    let callback = |token: &str| Callback {
        target: target.clone(),
        token: token.to_owned(),
        accepts_byte_string: false,
    };

    let monitor = Arc::new(NullMonitor::recording(info()));
    let (_server, mut client) = serve(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>).await;
    client.register_stack_transform(callback("stack")).await.unwrap();
    let parent = RegisterResourceRequest {
        r#type: "my:index:Shelf".to_owned(),
        custom: false,
        transforms: vec![callback("parent")],
        ..object("shelf")
    };
    let parent = client.register_resource(parent).await.unwrap().into_inner().urn;
    let child = RegisterResourceRequest {
        parent,
        object: encoded(&[("value", "x".into())]),
        dependencies: vec![urn("a").to_string()],
        transforms: vec![callback("own")],
        ..object("thing")
    };
    client.register_resource(child).await.unwrap();

    assert_eq!(
        *calls.lock().unwrap(),
        ["parent on shelf", "stack on shelf", "own on thing", "parent on thing", "stack on thing"]
    );
    let seen = monitor.seen();
    let goal = &seen.named("thing").unwrap().goal;
    assert_eq!(
        goal.inputs.keys().map(String::as_str).collect::<Vec<_>>(),
        ["own", "parent", "stack", "value"]
    );
    assert_eq!(goal.inputs["value"], PropertyValue::from("x"));
    assert_eq!(goal.property_dependencies["value"], [urn("a")]);
    assert_eq!(goal.protect, Some(true));

    let nowhere = Callback { target: String::new(), token: "t".to_owned(), accepts_byte_string: false };
    assert_eq!(client.register_stack_transform(nowhere).await.unwrap_err().code(), Code::InvalidArgument);
}
