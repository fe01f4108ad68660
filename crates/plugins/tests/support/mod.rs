//! A provider that plays what real ones do, good and bad, and what is needed to run it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::large_enum_variant)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use purlin_model::event::EngineEvent;
use purlin_model::{PackageDescriptor, PropertyMap, PropertyValue, Urn};
use purlin_plugins::{PluginProvider, PluginSettings, ProviderOptions};
use purlin_ports::EventSink;
use purlin_wire::details::{ErrorDetail, status_with_details};
use purlin_wire::pulumirpc::resource_provider_server::{ResourceProvider, ResourceProviderServer};
use purlin_wire::{DecodeOptions, EncodeOptions, Struct, decode_map, encode_map, pulumirpc as rpc};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

/// What was sent to the provider, by call.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Handshake(rpc::ProviderHandshakeRequest),
    Attach(String),
    Parameterize(rpc::ParameterizeRequest),
    Configure(rpc::ConfigureRequest),
    CheckConfig(rpc::CheckRequest),
    Check(rpc::CheckRequest),
    Diff(rpc::DiffRequest),
    Create(rpc::CreateRequest),
    Update(rpc::UpdateRequest),
    Read(rpc::ReadRequest),
    Delete(rpc::DeleteRequest),
    Construct(rpc::ConstructRequest),
    Call(rpc::CallRequest),
    Invoke(rpc::InvokeRequest),
    Schema(rpc::GetSchemaRequest),
    Cancel,
}

/// The provider. The name of a resource says how its calls go.
#[derive(Default)]
pub struct Fake {
    /// Whether it is of the new kind, which shakes hands.
    pub handshake: Option<rpc::ProviderHandshakeResponse>,
    pub configure: rpc::ConfigureResponse,
    pub version: String,
    /// Whether it implements CheckConfig and DiffConfig.
    pub checks_config: bool,
    pub seen: Mutex<Vec<Seen>>,
    pub under_way: AtomicUsize,
    pub most_at_once: AtomicUsize,
    /// Fires when a call that hangs has arrived.
    pub hanging: CancellationToken,
    /// Whether the process may really be ended.
    pub may_exit: bool,
}

impl Fake {
    /// A provider that takes everything.
    pub fn modern() -> Fake {
        let handshake = rpc::ProviderHandshakeResponse {
            accept_secrets: true,
            accept_resources: true,
            accept_outputs: true,
            supports_autonaming_configuration: false,
            accepts_byte_string: true,
        };
        Fake { handshake: Some(handshake), checks_config: true, version: "1.2.3".into(), ..Fake::default() }
    }

    fn see(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    async fn act(&self, name: &str) -> Result<(), Status> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let detail = |reasons: Vec<String>| {
            ErrorDetail::InitFailed(rpc::ErrorResourceInitFailed {
                id: "half".into(),
                properties: Some(encode(&bag(&[("state", "half".into())]))),
                reasons,
                inputs: Some(encode(&bag(&[("wanted", "x".into())]))),
                refresh_before_update: true,
            })
        };
        match name {
            "unknown" => Err(Status::unknown("quota exceeded")),
            "internal" => Err(Status::internal("oops")),
            "unavailable" => Err(Status::unavailable("the cloud is down")),
            "unimplemented" => Err(Status::unimplemented("no such call")),
            "half" => Err(status_with_details(Code::Unknown, "not ready", [detail(vec!["slow".into()])])),
            "half-mute" => Err(status_with_details(Code::Unknown, "not ready", [detail(vec![])])),
            "hang" => {
                self.hanging.cancel();
                std::future::pending().await
            }
            "exit" if self.may_exit => {
                eprintln!("about to fall over");
                std::process::exit(7);
            }
            _ => Ok(()),
        }
    }
}

pub fn bag(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

pub fn encode(map: &PropertyMap) -> Struct {
    encode_map(map, &EncodeOptions::FULL).unwrap()
}

pub fn decode(map: &Option<Struct>) -> PropertyMap {
    decode_map(map.as_ref().unwrap(), &DecodeOptions::FULL).unwrap()
}

pub fn secret(text: &str) -> PropertyValue {
    PropertyValue::from(text).into_secret()
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ResourceProvider for Fake {
    async fn handshake(
        &self,
        request: Request<rpc::ProviderHandshakeRequest>,
    ) -> Answer<rpc::ProviderHandshakeResponse> {
        let answer = self.handshake.ok_or_else(|| Status::unimplemented("handshake"))?;
        self.see(Seen::Handshake(request.into_inner()));
        Ok(Response::new(answer))
    }

    async fn parameterize(
        &self,
        request: Request<rpc::ParameterizeRequest>,
    ) -> Answer<rpc::ParameterizeResponse> {
        let request = request.into_inner();
        self.see(Seen::Parameterize(request.clone()));
        let Some(rpc::parameterize_request::Parameters::Value(value)) = request.parameters else {
            return Err(Status::invalid_argument("not a value"));
        };
        if value.name == "elsewhere" {
            return Ok(Response::new(Default::default()));
        }
        Ok(Response::new(rpc::ParameterizeResponse { name: value.name, version: value.version }))
    }

    async fn get_schema(&self, request: Request<rpc::GetSchemaRequest>) -> Answer<rpc::GetSchemaResponse> {
        self.see(Seen::Schema(request.into_inner()));
        Ok(Response::new(rpc::GetSchemaResponse { schema: "{}".into() }))
    }

    async fn check_config(&self, request: Request<rpc::CheckRequest>) -> Answer<rpc::CheckResponse> {
        let request = request.into_inner();
        self.see(Seen::CheckConfig(request.clone()));
        if !self.checks_config {
            return Err(Status::unimplemented("CheckConfig"));
        }
        Ok(Response::new(rpc::CheckResponse { inputs: request.news, failures: vec![] }))
    }

    async fn diff_config(&self, _: Request<rpc::DiffRequest>) -> Answer<rpc::DiffResponse> {
        if !self.checks_config {
            return Err(Status::unimplemented("DiffConfig"));
        }
        Ok(Response::new(rpc::DiffResponse {
            replaces: vec!["region".into()],
            changes: 2,
            ..Default::default()
        }))
    }

    async fn configure(&self, request: Request<rpc::ConfigureRequest>) -> Answer<rpc::ConfigureResponse> {
        let request = request.into_inner();
        let refused = request.variables.values().any(|v| v == "refuse");
        self.see(Seen::Configure(request));
        if refused {
            let key = rpc::configure_error_missing_keys::MissingKey {
                name: "fake:region".into(),
                description: "where it is".into(),
            };
            return Err(status_with_details(Code::Unknown, "", [ErrorDetail::MissingKeys(vec![key])]));
        }
        Ok(Response::new(self.configure))
    }

    async fn invoke(&self, request: Request<rpc::InvokeRequest>) -> Answer<rpc::InvokeResponse> {
        let request = request.into_inner();
        self.see(Seen::Invoke(request.clone()));
        Ok(Response::new(rpc::InvokeResponse { r#return: request.args, failures: vec![] }))
    }

    async fn call(&self, request: Request<rpc::CallRequest>) -> Answer<rpc::CallResponse> {
        let request = request.into_inner();
        self.see(Seen::Call(request.clone()));
        Ok(Response::new(rpc::CallResponse { r#return: request.args, ..Default::default() }))
    }

    async fn check(&self, request: Request<rpc::CheckRequest>) -> Answer<rpc::CheckResponse> {
        let request = request.into_inner();
        self.see(Seen::Check(request.clone()));
        self.act(&request.name).await?;
        let failure = rpc::CheckFailure { property: "p".into(), reason: "bad".into() };
        let failures = if request.name == "invalid" { vec![failure] } else { vec![] };
        Ok(Response::new(rpc::CheckResponse { inputs: request.news, failures }))
    }

    async fn diff(&self, request: Request<rpc::DiffRequest>) -> Answer<rpc::DiffResponse> {
        let request = request.into_inner();
        self.see(Seen::Diff(request.clone()));
        self.act(&request.name).await?;
        let diff = rpc::PropertyDiff { kind: 5, input_diff: true };
        Ok(Response::new(rpc::DiffResponse {
            changes: 2,
            diffs: vec!["p".into()],
            detailed_diff: [("p.q".to_owned(), diff)].into(),
            has_detailed_diff: true,
            delete_before_replace: true,
            ..Default::default()
        }))
    }

    async fn create(&self, request: Request<rpc::CreateRequest>) -> Answer<rpc::CreateResponse> {
        let request = request.into_inner();
        self.see(Seen::Create(request.clone()));
        self.act(&request.name).await?;
        let id = match (&*request.name, request.preview) {
            ("no-id", _) | (_, true) => String::new(),
            _ => "id-1".into(),
        };
        let properties = match &*request.name {
            "computes" => Some(encode(&bag(&[("later", PropertyValue::Unknown)]))),
            _ => request.properties,
        };
        Ok(Response::new(rpc::CreateResponse { id, properties, refresh_before_update: true }))
    }

    async fn read(&self, request: Request<rpc::ReadRequest>) -> Answer<rpc::ReadResponse> {
        let request = request.into_inner();
        self.see(Seen::Read(request.clone()));
        self.act(&request.name).await?;
        if request.name == "gone" {
            return Ok(Response::new(Default::default()));
        }
        Ok(Response::new(rpc::ReadResponse {
            id: request.id,
            properties: request.properties,
            inputs: request.inputs,
            refresh_before_update: false,
        }))
    }

    type ListStream = tokio_stream::Empty<Result<rpc::ListResponse, Status>>;

    async fn list(&self, _: Request<rpc::ListRequest>) -> Answer<Self::ListStream> {
        Err(Status::unimplemented("List"))
    }

    async fn update(&self, request: Request<rpc::UpdateRequest>) -> Answer<rpc::UpdateResponse> {
        let request = request.into_inner();
        self.see(Seen::Update(request.clone()));
        self.act(&request.name).await?;
        Ok(Response::new(rpc::UpdateResponse { properties: request.news, refresh_before_update: false }))
    }

    async fn delete(&self, request: Request<rpc::DeleteRequest>) -> Answer<()> {
        let request = request.into_inner();
        self.see(Seen::Delete(request.clone()));
        self.act(&request.name).await?;
        Ok(Response::new(()))
    }

    async fn construct(&self, request: Request<rpc::ConstructRequest>) -> Answer<rpc::ConstructResponse> {
        let request = request.into_inner();
        self.see(Seen::Construct(request.clone()));
        let dependencies =
            rpc::construct_response::PropertyDependencies { urns: vec![urn("other").to_string()] };
        Ok(Response::new(rpc::ConstructResponse {
            urn: urn(&request.name).to_string(),
            state: request.inputs,
            state_dependencies: [("out".to_owned(), dependencies)].into(),
        }))
    }

    async fn cancel(&self, _: Request<()>) -> Answer<()> {
        self.see(Seen::Cancel);
        Ok(Response::new(()))
    }

    async fn get_plugin_info(&self, _: Request<()>) -> Answer<rpc::PluginInfo> {
        Ok(Response::new(rpc::PluginInfo { version: self.version.clone() }))
    }

    async fn attach(&self, request: Request<rpc::PluginAttach>) -> Answer<()> {
        self.see(Seen::Attach(request.into_inner().address));
        Ok(Response::new(()))
    }

    async fn get_mapping(&self, _: Request<rpc::GetMappingRequest>) -> Answer<rpc::GetMappingResponse> {
        Err(Status::unimplemented("GetMapping"))
    }

    async fn get_mappings(&self, _: Request<rpc::GetMappingsRequest>) -> Answer<rpc::GetMappingsResponse> {
        Err(Status::unimplemented("GetMappings"))
    }
}

pub fn urn(name: &str) -> Urn {
    Urn::new("dev", "shop", None, "fake:index:Thing", name)
}

pub fn provider_urn() -> Urn {
    Urn::new("dev", "shop", None, "pulumi:providers:fake", "default")
}

/// Keeps events.
#[derive(Default)]
pub struct Events(pub Mutex<Vec<EngineEvent>>);

impl EventSink for Events {
    fn emit(&self, event: EngineEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    /// All diagnostics as `severity: message`.
    pub fn said(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let diagnostics = events.iter().filter_map(|event| match event {
            EngineEvent::Diagnostic { severity, message, .. } => {
                Some(format!("{}: {message}", severity.as_str()))
            }
            _ => None,
        });
        diagnostics.collect()
    }
}

/// Serves a provider on a port of its own.
pub async fn serve(fake: Arc<Fake>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = ResourceProviderServer::from_arc(fake);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    address
}

/// A cable that can be cut.
pub async fn cable(to: SocketAddr, cut: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let cut = cut.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cut.cancelled() => {}
                }
            });
        }
    });
    address
}

pub fn options() -> ProviderOptions {
    let mut settings = PluginSettings::new("/home", "/program");
    settings.engine_address = "127.0.0.1:1".into();
    ProviderOptions::from_settings(&settings, "fake", None)
}

/// A provider and the adapter that talks with it.
pub struct Bench {
    pub fake: Arc<Fake>,
    pub provider: PluginProvider,
    pub events: Arc<Events>,
}

impl Bench {
    pub async fn new(fake: Fake) -> Bench {
        Bench::with(fake, options(), PackageDescriptor::new("fake", "1.2.3")).await
    }

    pub async fn with(fake: Fake, options: ProviderOptions, package: PackageDescriptor) -> Bench {
        let (fake, events) = (Arc::new(fake), Arc::new(Events::default()));
        let address = serve(fake.clone()).await;
        let provider = PluginProvider::attached(address.port(), package, options, events.clone()).await;
        Bench { fake, provider: provider.unwrap(), events }
    }
}
