//! Packs of all ages: what they are told, in which order, and what is made of their answers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use purlin_model::policy::PolicySeverity;
use purlin_model::{CustomTimeouts, PropertyMap, PropertyValue, Urn};
use purlin_plugins::process::Launcher;
use purlin_policy::{PackConfig, PackSource, PluginPack, StackFacts};
use purlin_ports::{Enforcement, PolicyPack as _, PolicyProvider, PolicyResource, PolicyScope};
use purlin_testkit::CollectedEvents;
use purlin_wire::calls::analyzer;
use purlin_wire::pulumirpc::analyzer_server::{Analyzer, AnalyzerServer};
use purlin_wire::{DecodeOptions, EncodeOptions, decode_map, encode_map, pulumirpc as rpc};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A pack that notes what it hears.
#[derive(Default)]
struct Fake {
    /// Whether it is from before everything but single resources and information.
    old: bool,
    info: rpc::AnalyzerInfo,
    found: rpc::AnalyzeResponse,
    repairs: rpc::RemediateResponse,
    heard: Mutex<Vec<String>>,
    analyzed: Mutex<Vec<rpc::AnalyzeRequest>>,
    stack: Mutex<Vec<rpc::AnalyzeStackRequest>>,
    configured: Mutex<Vec<rpc::ConfigureAnalyzerRequest>>,
}

impl Fake {
    fn hear(&self, what: impl Into<String>) -> Result<(), Status> {
        let what = what.into();
        let new = !["info", "analyze", "configure"].contains(&what.as_str());
        self.heard.lock().unwrap().push(what);
        if self.old && new { Err(Status::unimplemented("no")) } else { Ok(()) }
    }
}

/// The pack as a server.
struct Server(Arc<Fake>);

#[tonic::async_trait]
impl Analyzer for Server {
    async fn handshake(
        &self,
        request: Request<rpc::AnalyzerHandshakeRequest>,
    ) -> Result<Response<rpc::AnalyzerHandshakeResponse>, Status> {
        let request = request.into_inner();
        self.0.hear(format!("handshake {} {:?}", request.engine_address, request.root_directory))?;
        Ok(Response::new(Default::default()))
    }

    async fn configure_stack(
        &self,
        request: Request<rpc::AnalyzerStackConfigureRequest>,
    ) -> Result<Response<rpc::AnalyzerStackConfigureResponse>, Status> {
        let request = request.into_inner();
        let config: Vec<String> = request.config.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let facts = [&request.organization, &request.project, &request.stack].map(String::as_str).join("/");
        let secret = request.config_secret_keys.join(",");
        self.0.hear(format!("stack {facts} {} {} secret: {secret}", request.dry_run, config.join(",")))?;
        Ok(Response::new(Default::default()))
    }

    async fn get_analyzer_info(&self, _: Request<()>) -> Result<Response<rpc::AnalyzerInfo>, Status> {
        self.0.hear("info")?;
        Ok(Response::new(self.0.info.clone()))
    }

    async fn get_plugin_info(&self, _: Request<()>) -> Result<Response<rpc::PluginInfo>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn configure(
        &self,
        request: Request<rpc::ConfigureAnalyzerRequest>,
    ) -> Result<Response<()>, Status> {
        self.0.hear("configure")?;
        self.0.configured.lock().unwrap().push(request.into_inner());
        Ok(Response::new(()))
    }

    async fn remediate(
        &self,
        request: Request<rpc::AnalyzeRequest>,
    ) -> Result<Response<rpc::RemediateResponse>, Status> {
        self.0.hear("remediate")?;
        self.0.analyzed.lock().unwrap().push(request.into_inner());
        Ok(Response::new(self.0.repairs.clone()))
    }

    async fn analyze(
        &self,
        request: Request<rpc::AnalyzeRequest>,
    ) -> Result<Response<rpc::AnalyzeResponse>, Status> {
        self.0.hear("analyze")?;
        self.0.analyzed.lock().unwrap().push(request.into_inner());
        Ok(Response::new(self.0.found.clone()))
    }

    async fn analyze_stack(
        &self,
        request: Request<rpc::AnalyzeStackRequest>,
    ) -> Result<Response<rpc::AnalyzeResponse>, Status> {
        self.0.hear("analyze stack")?;
        self.0.stack.lock().unwrap().push(request.into_inner());
        Ok(Response::new(self.0.found.clone()))
    }

    async fn cancel(&self, _: Request<()>) -> Result<Response<()>, Status> {
        self.0.hear("cancel")?;
        Ok(Response::new(()))
    }
}

/// Starts a pack whose process names the port of the fake.
async fn start(
    fake: Fake,
    version: Option<&str>,
    config: Option<&PackConfig>,
) -> (Arc<Fake>, Result<PluginPack, purlin_diag::Diagnostic>) {
    let fake = Arc::new(fake);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = AnalyzerServer::new(Server(Arc::clone(&fake)));
    let serving = tonic::transport::Server::builder().add_service(server);
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    let launcher = Launcher::new(Arc::new(CollectedEvents::default()), None).unwrap();
    let source = PackSource {
        place: "packs/p".into(),
        root: "/packs/p".into(),
        version: version.map(str::to_owned),
        program: "/bin/sh".into(),
        args: ["-c", "echo $0; exec sleep 600", &port.to_string()].map(Into::into).into(),
        folder: "/".into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
    };
    let facts = StackFacts {
        organization: "organization".into(),
        project: "shop".into(),
        stack: "dev".into(),
        dry_run: true,
        config: BTreeMap::from([("shop:size".into(), "3".into())]),
        config_secret_keys: vec!["shop:pw".into()],
        tags: BTreeMap::new(),
    };
    let started = PluginPack::start(source, &launcher, "127.0.0.1:1", &facts, config).await;
    (fake, started)
}

fn policy(name: &str, level: rpc::EnforcementLevel) -> rpc::PolicyInfo {
    rpc::PolicyInfo { name: name.into(), enforcement_level: level.into(), ..Default::default() }
}

fn info(supports_config: bool) -> rpc::AnalyzerInfo {
    let mut size = policy("size", rpc::EnforcementLevel::Mandatory);
    size.policy_type = rpc::PolicyType::Resource.into();
    size.severity = rpc::PolicySeverity::High.into();
    let schema = PropertyMap::from([(
        "max".to_owned(),
        PropertyMap::from([("type".to_owned(), "integer".into()), ("default".to_owned(), 3.0.into())]).into(),
    )]);
    size.config_schema = Some(rpc::PolicyConfigSchema {
        properties: Some(encode_map(&schema, &EncodeOptions::PLAIN).unwrap()),
        required: vec![],
    });
    rpc::AnalyzerInfo {
        name: "p".into(),
        version: "0.1.0".into(),
        policies: vec![size, policy("tags", rpc::EnforcementLevel::Advisory)],
        supports_config,
        ..Default::default()
    }
}

fn urn(ty: &str, name: &str) -> Urn {
    Urn::new("dev", "shop", None, ty, name)
}

fn resource() -> PolicyResource {
    let properties = PropertyMap::from([
        ("size".to_owned(), 4.0.into()),
        ("pw".to_owned(), PropertyValue::from("hidden").into_secret()),
        ("later".to_owned(), PropertyValue::Unknown),
        ("__internal".to_owned(), "x".into()),
    ]);
    PolicyResource {
        urn: urn("t:i:R", "a"),
        properties: Arc::new(properties),
        protect: true,
        ignore_changes: vec!["x".into()],
        delete_before_replace: Some(false),
        additional_secret_outputs: vec!["out".into()],
        custom_timeouts: CustomTimeouts { create: 60.0, ..CustomTimeouts::default() },
        aliases: vec![urn("t:i:R", "was")],
        parent: Some(urn("t:i:C", "parent")),
        dependencies: vec![urn("t:i:R", "b")],
        property_dependencies: [("size".into(), vec![urn("t:i:R", "b")]), ("pw".into(), vec![])].into(),
        provider: Some(PolicyProvider {
            urn: urn("pulumi:providers:t", "default"),
            properties: Arc::new(PropertyMap::from([("region".to_owned(), "north".into())])),
        }),
    }
}

fn found(level: rpc::EnforcementLevel) -> rpc::AnalyzeResponse {
    let mut found = rpc::AnalyzeDiagnostic {
        policy_name: "size".into(),
        policy_pack_name: "p".into(),
        policy_pack_version: "0.1.0".into(),
        message: "too big".into(),
        urn: urn("t:i:R", "a").to_string(),
        ..Default::default()
    };
    found.enforcement_level = level.into();
    let not_applicable = rpc::PolicyNotApplicable { policy_name: "tags".into(), reason: String::new() };
    rpc::AnalyzeResponse { diagnostics: vec![found], not_applicable: vec![not_applicable] }
}

#[tokio::test]
async fn a_pack_is_told_of_the_stack_before_anything_else() {
    let (fake, pack) = start(Fake { info: info(false), ..Fake::default() }, None, None).await;
    let pack = pack.unwrap();
    assert_eq!(
        *fake.heard.lock().unwrap(),
        [
            "handshake 127.0.0.1:1 Some(\"/packs/p\")",
            "stack organization/shop/dev true shop:size=3 secret: shop:pw",
            "info"
        ]
    );
    assert_eq!((pack.info().name.as_str(), pack.info().version.as_str()), ("p", "0.1.0"));
    let scopes: Vec<_> = pack.info().policies.iter().map(|p| (p.scope, p.enforcement)).collect();
    assert_eq!(
        scopes,
        [(PolicyScope::Resource, Enforcement::Mandatory), (PolicyScope::Unknown, Enforcement::Advisory)]
    );
    pack.end().await;
    assert_eq!(fake.heard.lock().unwrap().last().unwrap(), "cancel");
}

#[tokio::test]
async fn a_pack_is_configured_by_its_schema_and_the_user() {
    let config = PackConfig::parse("f", r#"{ "all": "disabled", "size": { "max": 5 } }"#).unwrap();
    let (fake, pack) = start(Fake { info: info(true), ..Fake::default() }, None, Some(&config)).await;
    let pack = pack.unwrap();
    let configured = fake.configured.lock().unwrap().pop().unwrap();
    let size = &configured.policy_config["size"];
    assert_eq!(size.enforcement_level(), rpc::EnforcementLevel::Disabled);
    let properties = decode_map(size.properties.as_ref().unwrap(), &DecodeOptions::FULL).unwrap();
    assert_eq!(properties["max"], 5.0.into());
    assert!(pack.info().policies.iter().all(|p| p.enforcement == Enforcement::Disabled));
    // One that knows no configuration refuses any.
    let (_, refused) = start(Fake { info: info(false), ..Fake::default() }, None, Some(&config)).await;
    let refused = refused.err().unwrap();
    assert!(refused.message.contains("does not support configuration"), "{refused}");
    let wrong = PackConfig::parse("f", r#"{ "size": { "max": "many" } }"#).unwrap();
    let (fake, refused) = start(Fake { info: info(true), ..Fake::default() }, None, Some(&wrong)).await;
    assert!(refused.err().unwrap().message.contains("size: max: "));
    assert!(fake.configured.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_pack_sees_everything_of_a_resource_and_secrets_as_secrets() {
    let (fake, pack) = start(
        Fake { info: info(false), found: found(rpc::EnforcementLevel::Remediate), ..Fake::default() },
        Some("9.9.9"),
        None,
    )
    .await;
    let pack = pack.unwrap();
    let analysis = pack.analyze(&resource()).await.unwrap();
    let violation = &analysis.violations[0];
    assert_eq!(violation.enforcement, Enforcement::Remediate);
    assert_eq!(violation.severity, Some(PolicySeverity::High), "as the policy says");
    assert_eq!(violation.policy.version, "9.9.9", "the manifest's version comes first");
    assert_eq!(violation.urn, Some(urn("t:i:R", "a")));
    assert_eq!(analysis.not_applicable, ["tags"]);
    pack.remediate(&resource()).await.unwrap();
    let [analyzed, remediated] = fake.analyzed.lock().unwrap().clone().try_into().unwrap();
    let sent = decode_map(analyzed.properties.as_ref().unwrap(), &analyzer::REMEDIATE_RESPONSE).unwrap();
    assert_eq!(sent["pw"], PropertyValue::from("hidden").into_secret());
    assert_eq!(sent["later"], PropertyValue::Unknown);
    assert!(!sent.contains_key("__internal"));
    let sent = decode_map(remediated.properties.as_ref().unwrap(), &analyzer::REMEDIATE_RESPONSE).unwrap();
    assert!(sent.contains_key("__internal"), "who puts right sees everything");
    let options = analyzed.options.unwrap();
    assert!(options.protect && options.delete_before_replace_defined && !options.delete_before_replace);
    assert_eq!(options.aliases, [urn("t:i:R", "was").to_string()]);
    assert_eq!(options.custom_timeouts.unwrap().create, 60.0);
    assert_eq!(analyzed.provider.unwrap().name, "default");
    pack.analyze_stack(&[resource()]).await.unwrap();
    let stack = fake.stack.lock().unwrap().pop().unwrap();
    assert_eq!(stack.resources[0].dependencies, [urn("t:i:R", "b").to_string()]);
    let keys: Vec<&String> = stack.resources[0].property_dependencies.keys().collect();
    assert_eq!(keys, ["size"], "without those of nothing");
}

#[tokio::test]
async fn repairs_are_taken_in_order_and_empty_ones_are_nothing() {
    let bag = PropertyMap::from([("size".to_owned(), PropertyValue::from("1").into_secret())]);
    let done = |policy: &str, properties, diagnostic: &str| rpc::Remediation {
        policy_name: policy.into(),
        properties,
        diagnostic: diagnostic.into(),
        ..Default::default()
    };
    let properties = encode_map(&bag, &EncodeOptions::FULL).unwrap();
    let repairs = rpc::RemediateResponse {
        remediations: vec![
            done("mends", Some(properties), ""),
            done("nothing", None, ""),
            done("fails", None, "unknown yet"),
        ],
        not_applicable: vec![],
    };
    let (_, pack) = start(Fake { info: info(false), repairs, ..Fake::default() }, None, None).await;
    let remedies = pack.unwrap().remediate(&resource()).await.unwrap();
    let outcomes: Vec<_> =
        remedies.remediations.into_iter().map(|done| (done.policy.policy, done.outcome)).collect();
    assert_eq!(
        outcomes,
        [("mends".to_owned(), Ok(bag)), ("fails".to_owned(), Err("unknown yet".to_owned()))]
    );
}

#[tokio::test]
async fn a_violation_may_have_another_severity_than_its_policy() {
    let mut found = found(rpc::EnforcementLevel::Advisory);
    found.diagnostics[0].severity = rpc::PolicySeverity::Low.into();
    let (_, pack) = start(Fake { info: info(false), found, ..Fake::default() }, None, None).await;
    let analysis = pack.unwrap().analyze(&resource()).await.unwrap();
    assert_eq!(analysis.violations[0].severity, Some(PolicySeverity::Low));
}

#[tokio::test]
async fn an_old_pack_looks_at_resources_only() {
    let fake = Fake {
        old: true,
        info: info(false),
        found: found(rpc::EnforcementLevel::Advisory),
        ..Fake::default()
    };
    let (_, pack) = start(fake, None, None).await;
    let pack = pack.unwrap();
    assert!(pack.remediate(&resource()).await.unwrap().remediations.is_empty());
    assert!(pack.analyze_stack(&[resource()]).await.unwrap().violations.is_empty());
    assert_eq!(pack.analyze(&resource()).await.unwrap().violations.len(), 1);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error_that_names_the_pack() {
    let mut wrong = found(rpc::EnforcementLevel::Advisory);
    wrong.diagnostics[0].enforcement_level = 17;
    let (_, pack) = start(Fake { info: info(false), found: wrong, ..Fake::default() }, None, None).await;
    let error = pack.unwrap().analyze(&resource()).await.unwrap_err();
    assert!(error.message.contains("packs/p") && error.message.contains("17"), "{error}");
    assert_eq!(error.urn.as_deref(), Some(urn("t:i:R", "a").as_str()));
}
