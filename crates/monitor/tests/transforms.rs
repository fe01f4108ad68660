//! Transforms: what functions of a program may change about what it registers and calls.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use purlin_model::{Asset, AssetSource, OutputValue, PropertyMap, PropertyValue, Urn};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{DeploymentInfo, RegisterRequest};
use purlin_testkit::{CountingEntropy, NullMonitor};
use purlin_wire::pulumirpc::callbacks_server::{Callbacks, CallbacksServer};
use purlin_wire::pulumirpc::register_resource_request::{CustomTimeouts, PropertyDependencies};
use purlin_wire::pulumirpc::resource_monitor_client::ResourceMonitorClient;
use purlin_wire::pulumirpc::{
    Callback, CallbackInvokeRequest, CallbackInvokeResponse, RegisterResourceRequest, ResourceInvokeRequest,
    TransformInvokeRequest, TransformInvokeResponse, TransformRequest, TransformResourceOptions,
    TransformResponse,
};
use purlin_wire::{DecodeOptions, EncodeOptions, Struct, decode_map, encode_map};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

type OnResource = fn(PropertyMap, TransformResourceOptions) -> (PropertyMap, TransformResourceOptions);

/// A program's callback server.
#[derive(Clone, Default)]
struct Program {
    by_token: BTreeMap<String, OnResource>,
    seen: Arc<Mutex<Vec<TransformRequest>>>,
}

#[tonic::async_trait]
impl Callbacks for Program {
    async fn invoke(
        &self,
        request: Request<CallbackInvokeRequest>,
    ) -> Result<Response<CallbackInvokeResponse>, Status> {
        let CallbackInvokeRequest { token, request } = request.into_inner();
        let response = match token.as_str() {
            "garbage" => b"\xff\xff\xff".to_vec(),
            "error" => return Err(Status::unknown("bad transform")),
            token if token.starts_with("invoke") => {
                let asked: TransformInvokeRequest = prost::Message::decode(request).unwrap();
                let mut args = decoded(asked.args.as_ref());
                args.insert(token.to_owned(), asked.token.as_str().into());
                let mut options = asked.options.unwrap();
                if token == "invoke-elsewhere" {
                    options.provider = provider("explicit");
                }
                let answer = TransformInvokeResponse { args: Some(encoded(&args)), options: Some(options) };
                prost::Message::encode_to_vec(&answer)
            }
            token => {
                let asked: TransformRequest = prost::Message::decode(request).unwrap();
                self.seen.lock().unwrap().push(asked.clone());
                let (properties, options) =
                    self.by_token[token](decoded(asked.properties.as_ref()), asked.options.unwrap());
                let answer =
                    TransformResponse { properties: Some(encoded(&properties)), options: Some(options) };
                prost::Message::encode_to_vec(&answer)
            }
        };
        Ok(Response::new(CallbackInvokeResponse { response: response.into() }))
    }
}

fn encoded(map: &PropertyMap) -> Struct {
    encode_map(map, &EncodeOptions::FULL).unwrap()
}

fn decoded(properties: Option<&Struct>) -> PropertyMap {
    decode_map(properties.unwrap(), &DecodeOptions::FULL).unwrap()
}

fn provider(name: &str) -> String {
    format!("urn:pulumi:dev::shop::pulumi:providers:t::{name}::id")
}

fn urn(name: &str) -> Urn {
    Urn::parse(&format!("urn:pulumi:dev::shop::t:m:R::{name}")).unwrap()
}

struct World {
    monitor: Arc<NullMonitor>,
    program: Program,
    target: String,
    client: ResourceMonitorClient<Channel>,
    folder: tempfile::TempDir,
    _server: MonitorServer,
}

async fn world(transforms: &[(&str, OnResource)]) -> World {
    let incoming = tonic::transport::server::TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let target = incoming.local_addr().unwrap().to_string();
    let by_token = transforms.iter().map(|(token, change)| ((*token).to_owned(), *change)).collect();
    let program = Program { by_token, ..Program::default() };
    let service = CallbacksServer::new(program.clone());
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let folder = tempfile::tempdir().unwrap();
    let settings = MonitorSettings {
        root_directory: folder.path().to_owned(),
        program_directory: folder.path().to_owned(),
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let info = DeploymentInfo { project: "shop".into(), stack: "dev".into(), ..DeploymentInfo::default() };
    let monitor = Arc::new(NullMonitor::recording(info));
    let server = MonitorServer::start(Arc::clone(&monitor) as _, settings).await.unwrap();
    let client = ResourceMonitorClient::connect(format!("http://{}", server.address())).await.unwrap();
    World { monitor, program, target, client, folder, _server: server }
}

impl World {
    fn callback(&self, token: &str) -> Callback {
        Callback { target: self.target.clone(), token: token.to_owned(), accepts_byte_string: true }
    }

    async fn register(&mut self, request: RegisterResourceRequest) -> Result<RegisterRequest, Status> {
        let name = request.name.clone();
        self.client.register_resource(request).await?;
        Ok(self.monitor.seen().named(&name).unwrap().clone())
    }
}

fn thing(name: &str, properties: &[(&str, PropertyValue)]) -> RegisterResourceRequest {
    let map: PropertyMap = properties.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    RegisterResourceRequest {
        r#type: "t:m:R".into(),
        name: name.into(),
        custom: true,
        object: Some(encoded(&map)),
        ..RegisterResourceRequest::default()
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_and_an_error_fail_the_registration() {
    for (token, reason) in [("garbage", "can't be read"), ("error", "bad transform")] {
        let mut world = world(&[]).await;
        let transforms = vec![world.callback(token)];
        let request = RegisterResourceRequest { transforms, ..thing("a", &[]) };
        let refused = world.register(request).await.unwrap_err();
        assert!(refused.message().contains(reason), "{refused}");
        assert!(world.monitor.seen().registered.is_empty());
    }
}

#[tokio::test]
async fn a_transform_sees_every_option_and_may_change_each() {
    let change: OnResource = |properties, mut options| {
        assert_eq!(options.additional_secret_outputs, ["s"]);
        assert_eq!(options.depends_on, [urn("d").to_string()]);
        assert_eq!(options.ignore_changes, ["i"]);
        assert_eq!(options.replace_on_changes, ["r"]);
        assert_eq!(options.custom_timeouts.as_ref().unwrap().create, "10m");
        assert_eq!((options.delete_before_replace, options.protect), (Some(true), Some(true)));
        assert_eq!((options.version.as_str(), options.plugin_download_url.as_str()), ("1.0.0", "http://a"));
        assert_eq!(options.aliases.len(), 1);
        assert_eq!(options.deleted_with, urn("w").to_string());
        options.additional_secret_outputs = vec!["S".into()];
        options.depends_on = vec![urn("D").to_string()];
        options.ignore_changes = vec!["I".into()];
        options.replace_on_changes = vec!["R".into()];
        options.custom_timeouts = Some(CustomTimeouts { create: "20s".into(), ..CustomTimeouts::default() });
        (options.delete_before_replace, options.protect) = (Some(false), Some(false));
        (options.version, options.plugin_download_url) = ("2.0.0".into(), "http://b".into());
        options.aliases.clear();
        options.deleted_with = urn("W").to_string();
        options.retain_on_delete = Some(true);
        options.provider = provider("p");
        (properties, options)
    };
    let mut world = world(&[("all", change)]).await;
    let request = RegisterResourceRequest {
        transforms: vec![world.callback("all")],
        additional_secret_outputs: vec!["s".into()],
        dependencies: vec![urn("d").to_string()],
        ignore_changes: vec!["i".into()],
        replace_on_changes: vec!["r".into()],
        custom_timeouts: Some(CustomTimeouts { create: "10m".into(), ..CustomTimeouts::default() }),
        delete_before_replace: true,
        delete_before_replace_defined: true,
        protect: Some(true),
        version: "1.0.0".into(),
        plugin_download_url: "http://a".into(),
        alias_ur_ns: vec![urn("old").to_string()],
        deleted_with: urn("w").to_string(),
        ..thing("a", &[])
    };
    let RegisterRequest { goal, package, .. } = world.register(request).await.unwrap();
    assert_eq!(goal.additional_secret_outputs, ["S"]);
    assert_eq!(goal.dependencies, [urn("D")]);
    assert_eq!((goal.ignore_changes, goal.replace_on_changes), (vec!["I".to_owned()], vec!["R".to_owned()]));
    assert!((goal.custom_timeouts.create - 20.0).abs() < f64::EPSILON);
    assert_eq!((goal.delete_before_replace, goal.protect), (Some(false), Some(false)));
    assert_eq!((package.version.as_str(), package.download_url.as_str()), ("2.0.0", "http://b"));
    assert!(goal.aliases.is_empty());
    assert_eq!((goal.deleted_with, goal.retain_on_delete), (Some(urn("W")), Some(true)));
    assert_eq!(goal.provider.unwrap().to_string(), provider("p"));
}

#[tokio::test]
async fn a_transform_sees_what_properties_depend_on_and_may_add_to_it() {
    let change: OnResource = |mut properties, options| {
        let PropertyValue::Output(output) = &properties["x"] else { panic!("{:?}", properties["x"]) };
        assert_eq!(output.dependencies, [urn("b")]);
        let dependencies = vec![urn("a")];
        let output = OutputValue { value: Some("2".into()), secret: false, dependencies };
        properties.insert("x".into(), PropertyValue::Output(Box::new(output)));
        (properties, options)
    };
    let mut world = world(&[("t", change)]).await;
    let request = RegisterResourceRequest {
        transforms: vec![world.callback("t")],
        dependencies: vec![urn("b").to_string()],
        property_dependencies: BTreeMap::from([(
            "x".to_owned(),
            PropertyDependencies { urns: vec![urn("b").to_string()] },
        )]),
        ..thing("c", &[("x", "1".into())])
    };
    let goal = world.register(request).await.unwrap().goal;
    assert_eq!(goal.inputs["x"], "2".into());
    assert_eq!(goal.property_dependencies["x"], [urn("a"), urn("b")]);
    assert_eq!(goal.dependencies, [urn("a"), urn("b")]);
}

#[tokio::test]
async fn transforms_of_a_remote_component_reach_its_children_and_are_called_once_for_it() {
    let change: OnResource = |mut properties, options| {
        properties.insert("marked".into(), true.into());
        (properties, options)
    };
    let mut world = world(&[("t", change)]).await;
    let component = RegisterResourceRequest {
        r#type: "t:m:C".into(),
        custom: false,
        remote: true,
        transforms: vec![world.callback("t")],
        ..thing("group", &[])
    };
    world.register(component).await.unwrap();
    // Now the plugin registers what it makes.
    let own = RegisterResourceRequest { r#type: "t:m:C".into(), custom: false, ..thing("group", &[]) };
    let group = world.client.register_resource(own).await.unwrap().into_inner().urn;
    let child = RegisterResourceRequest { parent: group, ..thing("child", &[]) };
    assert_eq!(world.register(child).await.unwrap().goal.inputs["marked"], true.into());
    let seen: Vec<String> = world.program.seen.lock().unwrap().iter().map(|t| t.name.clone()).collect();
    assert!(seen.contains(&"child".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn transforms_of_functions_change_arguments_and_the_provider() {
    let mut world = world(&[]).await;
    for token in ["invoke-one", "invoke-elsewhere"] {
        world.client.register_stack_invoke_transform(world.callback(token)).await.unwrap();
    }
    let args = PropertyMap::from([("x".to_owned(), "1".into())]);
    let request = ResourceInvokeRequest {
        tok: "t:m:f".into(),
        args: Some(encoded(&args)),
        provider: provider("implicit"),
        ..ResourceInvokeRequest::default()
    };
    let answer = world.client.invoke(request).await.unwrap().into_inner();
    let result = decoded(answer.r#return.as_ref());
    assert_eq!(
        result.keys().map(String::as_str).collect::<Vec<_>>(),
        ["invoke-elsewhere", "invoke-one", "x"]
    );
    let seen = world.monitor.seen();
    assert_eq!(seen.invokes[0].provider.as_ref().unwrap().to_string(), provider("explicit"));
}

#[tokio::test]
async fn assets_go_through_a_transform_and_may_come_from_one() {
    let change: OnResource = |mut properties, options| {
        let PropertyValue::Asset(asset) = &properties["given"] else { panic!("{:?}", properties["given"]) };
        assert!(!asset.hash.is_empty(), "it is read before the transform sees it");
        let source = AssetSource::Text("made".into());
        properties.insert("made".into(), PropertyValue::Asset(Asset { hash: String::new(), source }));
        (properties, options)
    };
    let mut world = world(&[("t", change)]).await;
    std::fs::write(world.folder.path().join("given.txt"), "given").unwrap();
    let source = AssetSource::Path("given.txt".into());
    let given = PropertyValue::Asset(Asset { hash: String::new(), source });
    let request =
        RegisterResourceRequest { transforms: vec![world.callback("t")], ..thing("a", &[("given", given)]) };
    let inputs = world.register(request).await.unwrap().goal.inputs;
    for key in ["given", "made"] {
        let PropertyValue::Asset(asset) = &inputs[key] else { panic!("{:?}", inputs[key]) };
        assert!(!asset.hash.is_empty(), "{key}");
    }
}

#[tokio::test]
async fn texts_that_are_not_utf_8_go_through_a_transform() {
    let change: OnResource = |mut properties, options| {
        let bytes = properties["bytes"].clone();
        properties.insert("copy".into(), bytes);
        (properties, options)
    };
    let mut world = world(&[("t", change)]).await;
    let bytes = PropertyValue::Bytes(vec![0xff, 0xfe]);
    let request = RegisterResourceRequest {
        transforms: vec![world.callback("t")],
        accepts_byte_string: true,
        ..thing("a", &[("bytes", bytes.clone())])
    };
    let inputs = world.register(request).await.unwrap().goal.inputs;
    assert_eq!((&inputs["bytes"], &inputs["copy"]), (&bytes, &bytes));
}

#[tokio::test]
async fn mappings_of_variables_are_for_providers_only() {
    let mut world = world(&[]).await;
    let mappings = BTreeMap::from([("MINE".to_owned(), "THEIRS".to_owned())]);
    let request = RegisterResourceRequest { env_var_mappings: mappings.clone(), ..thing("a", &[]) };
    let refused = world.register(request).await.unwrap_err();
    assert!(refused.message().contains("only providers"), "{refused}");
    let request = RegisterResourceRequest {
        r#type: "pulumi:providers:t".into(),
        env_var_mappings: mappings,
        ..thing("p", &[])
    };
    let inputs = world.register(request).await.unwrap().goal.inputs;
    let internal = inputs["__internal"].as_object().unwrap();
    assert_eq!(internal["envVarMappings"].as_object().unwrap()["MINE"], "THEIRS".into());
}
