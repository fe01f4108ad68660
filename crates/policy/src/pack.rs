//! A pack that runs as a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::Urn;
use purlin_model::policy::PolicySeverity;
use purlin_plugins::process::{INTERRUPT_GRACE, LaunchSpec, Launcher, OutputLevel, PluginProcess};
use purlin_ports::{
    Analysis, Enforcement, PackInfo, PolicyInfo, PolicyPack, PolicyResource, PolicyViolation, Remediation,
    Remedies,
};
use purlin_wire::calls::analyzer;
use purlin_wire::pulumirpc::analyzer_client::AnalyzerClient;
use purlin_wire::{EncodeOptions, MAX_MESSAGE_SIZE, encode_map, pulumirpc as rpc};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::config::{PackConfig, PolicyConfig, PolicyDeclaration, settled};
use crate::{json, requests};

/// How long a pack that has named its port may take to answer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a pack may take to acknowledge that it is to give up.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a pack is and how it is started.
#[derive(Clone, Debug)]
pub struct PackSource {
    /// The pack's place as the user names it.
    pub place: String,
    /// The folder of its manifest.
    pub root: PathBuf,
    /// The version that its manifest gives; comes before what the pack says.
    pub version: Option<String>,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments, the engine's address among them.
    pub args: Vec<OsString>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
}

/// What packs are told about the operation.
#[derive(Clone, Debug, Default)]
pub struct StackFacts {
    /// The stack's organization.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The stack's short name.
    pub stack: String,
    /// Whether it is a preview.
    pub dry_run: bool,
    /// Configuration by `namespace:key`, secrets decrypted.
    pub config: BTreeMap<String, String>,
    /// The keys whose values are secret.
    pub config_secret_keys: Vec<String>,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
}

/// A policy pack: a process that speaks the analyzer protocol.
pub struct PluginPack {
    client: AnalyzerClient<Channel>,
    process: PluginProcess,
    place: String,
    /// The version that the manifest gives.
    version: Option<String>,
    info: PackInfo,
    severities: BTreeMap<String, PolicySeverity>,
}

impl PluginPack {
    /// Starts a pack, tells it what it is to know, and configures it. `config` is what the user
    /// says; a pack that can't be configured refuses anything.
    pub async fn start(
        source: PackSource,
        launcher: &Launcher,
        engine_address: &str,
        facts: &StackFacts,
        config: Option<&PackConfig>,
    ) -> Result<PluginPack, Diagnostic> {
        let place = source.place;
        let spec = LaunchSpec {
            label: format!("the policy pack {place}"),
            program: source.program,
            args: source.args,
            folder: source.folder,
            env: source.env,
            output: OutputLevel::Info,
        };
        let process = launcher.launch(spec).await?;
        let mut client = connect(process.port(), &place).await?;
        let root = source.root.display().to_string();
        shake_hands(&mut client, engine_address, &root).await.map_err(|s| start_failure(&place, &s))?;
        let configured = client.configure_stack(configure_stack(facts)).await;
        tolerate_unimplemented(configured.map(drop)).map_err(|s| start_failure(&place, &s))?;
        let said = client.get_analyzer_info(()).await.map_err(|s| start_failure(&place, &s))?.into_inner();
        let (declared, severities) = declarations(&said).map_err(|what| refused(&place, what))?;
        let configs = configs(&said, &declared, config, &place)?;
        if !configs.is_empty() {
            let request = configure(&configs, &place)?;
            client.configure(request).await.map_err(|s| start_failure(&place, &s))?;
        }
        let version = source.version.filter(|version| !version.is_empty());
        let policies = said.policies.iter().zip(&declared).map(|(policy, declared)| PolicyInfo {
            name: policy.name.clone(),
            scope: requests::scope(policy.policy_type),
            enforcement: configs.get(&policy.name).and_then(|c| c.level).unwrap_or(declared.level),
        });
        let policies = policies.collect();
        let info = PackInfo { name: said.name, version: version.clone().unwrap_or(said.version), policies };
        Ok(PluginPack { client, process, place, version, info, severities })
    }

    /// The pack's place as the user names it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Asks the pack to give up, then ends its process.
    pub async fn end(&self) {
        self.give_up().await;
        self.process.stop(INTERRUPT_GRACE).await;
    }

    async fn give_up(&self) {
        let mut client = self.client.clone();
        let asked = tokio::time::timeout(CANCEL_TIMEOUT, client.cancel(())).await;
        if asked.is_ok() {
            self.process.expect_exit();
        }
    }

    fn failed(&self, what: &str, resource: Option<&PolicyResource>, why: &str) -> Diagnostic {
        let message = format!("the policy pack {} ({}) failed to {what}: {why}", self.info.name, self.place);
        let failed =
            Diagnostic::error("policy-pack-failed", message).with_hint("correct the pack, or run without it");
        match resource {
            Some(resource) => failed.with_urn(resource.urn.as_str()),
            None => failed,
        }
    }

    /// What an analysis answered.
    fn analysis(&self, answer: rpc::AnalyzeResponse) -> Result<Analysis, String> {
        let violation = |found: rpc::AnalyzeDiagnostic| {
            let named = found.policy_name;
            let enforcement = requests::level(found.enforcement_level)
                .ok_or_else(|| format!("{} is no enforcement level", found.enforcement_level))?;
            let severity =
                requests::severity(found.severity).or_else(|| self.severities.get(&named).copied());
            Ok(PolicyViolation {
                policy: requests::named(
                    named,
                    found.policy_pack_name,
                    found.policy_pack_version,
                    self.version.as_ref(),
                ),
                message: found.message,
                enforcement,
                severity,
                urn: Urn::parse(&found.urn),
            })
        };
        let violations = answer.diagnostics.into_iter().map(violation).collect::<Result<_, String>>()?;
        Ok(Analysis { violations, not_applicable: requests::not_applicable(answer.not_applicable) })
    }

    /// What a repair answered. One without properties and without a reason did nothing.
    fn remedies(&self, answer: rpc::RemediateResponse) -> Result<Remedies, String> {
        let mut remediations = Vec::new();
        for done in answer.remediations {
            let outcome = match (done.diagnostic, &done.properties) {
                (reason, _) if !reason.is_empty() => Err(reason),
                (_, None) => continue,
                (_, properties) => Ok(requests::repaired(properties.as_ref()).map_err(|e| e.to_string())?),
            };
            let (policy, pack, version) = (done.policy_name, done.policy_pack_name, done.policy_pack_version);
            let policy = requests::named(policy, pack, version, self.version.as_ref());
            remediations.push(Remediation { policy, outcome });
        }
        Ok(Remedies { remediations, not_applicable: requests::not_applicable(answer.not_applicable) })
    }
}

#[async_trait]
impl PolicyPack for PluginPack {
    fn info(&self) -> &PackInfo {
        &self.info
    }

    async fn remediate(&self, resource: &PolicyResource) -> Result<Remedies, Diagnostic> {
        let failed = |why: &str| self.failed("put a resource right", Some(resource), why);
        let request = requests::analyze(resource, analyzer::REMEDIATE_REQUEST);
        let request = request.map_err(|e| failed(&e.to_string()))?;
        match self.client.clone().remediate(request).await {
            Ok(answer) => self.remedies(answer.into_inner()).map_err(|e| failed(&e)),
            // Packs from before there were repairs.
            Err(status) if status.code() == Code::Unimplemented => Ok(Remedies::default()),
            Err(status) => Err(failed(status.message())),
        }
    }

    async fn analyze(&self, resource: &PolicyResource) -> Result<Analysis, Diagnostic> {
        let failed = |why: &str| self.failed("look at a resource", Some(resource), why);
        let request = requests::analyze(resource, analyzer::ANALYZE_REQUEST);
        let request = request.map_err(|e| failed(&e.to_string()))?;
        let answer = self.client.clone().analyze(request).await.map_err(|s| failed(s.message()))?;
        self.analysis(answer.into_inner()).map_err(|e| failed(&e))
    }

    async fn analyze_stack(&self, resources: &[PolicyResource]) -> Result<Analysis, Diagnostic> {
        let failed = |why: &str| self.failed("look at the stack", None, why);
        let request = requests::stack(resources).map_err(|e| failed(&e.to_string()))?;
        match self.client.clone().analyze_stack(request).await {
            Ok(answer) => self.analysis(answer.into_inner()).map_err(|e| failed(&e)),
            // Packs from before stacks were looked at.
            Err(status) if status.code() == Code::Unimplemented => Ok(Analysis::default()),
            Err(status) => Err(failed(status.message())),
        }
    }

    async fn cancel(&self) {
        self.give_up().await;
    }
}

fn start_failure(place: &str, status: &Status) -> Diagnostic {
    refused(place, status.message().to_owned())
}

fn refused(place: &str, what: String) -> Diagnostic {
    Diagnostic::error("policy-pack-start", format!("the policy pack {place} failed to start: {what}"))
        .with_hint("run with debug output to see what the pack prints")
}

async fn connect(port: u16, place: &str) -> Result<AnalyzerClient<Channel>, Diagnostic> {
    let failed = |what: String| refused(place, format!("it doesn't answer on port {port}: {what}"));
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"));
    let endpoint = endpoint.map_err(|e| failed(e.to_string()))?.tcp_nodelay(true);
    let channel = endpoint.connect_timeout(HANDSHAKE_TIMEOUT).connect_lazy();
    Ok(AnalyzerClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(MAX_MESSAGE_SIZE))
}

/// Says hello, as soon as the server is there.
async fn shake_hands(
    client: &mut AnalyzerClient<Channel>,
    engine_address: &str,
    root: &str,
) -> Result<(), Status> {
    let request = rpc::AnalyzerHandshakeRequest {
        engine_address: engine_address.to_owned(),
        root_directory: Some(root.to_owned()),
        program_directory: Some(root.to_owned()),
    };
    let trying = async {
        loop {
            match client.handshake(request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answer => return tolerate_unimplemented(answer.map(drop)),
            }
        }
    };
    let late = |_| Err(Status::deadline_exceeded(format!("no answer within {HANDSHAKE_TIMEOUT:?}")));
    tokio::time::timeout(HANDSHAKE_TIMEOUT, trying).await.unwrap_or_else(late)
}

/// Old packs don't know all calls.
fn tolerate_unimplemented(answer: Result<(), Status>) -> Result<(), Status> {
    match answer {
        Err(status) if status.code() == Code::Unimplemented => Ok(()),
        other => other,
    }
}

fn configure_stack(facts: &StackFacts) -> rpc::AnalyzerStackConfigureRequest {
    rpc::AnalyzerStackConfigureRequest {
        stack: facts.stack.clone(),
        project: facts.project.clone(),
        organization: facts.organization.clone(),
        dry_run: facts.dry_run,
        config_secret_keys: facts.config_secret_keys.clone(),
        config: facts.config.clone(),
        tags: facts.tags.clone(),
    }
}

type Declared = (Vec<PolicyDeclaration>, BTreeMap<String, PolicySeverity>);

/// What the policies of a pack say of themselves, in the order of the answer.
fn declarations(said: &rpc::AnalyzerInfo) -> Result<Declared, String> {
    let mut declared = Vec::new();
    let mut severities = BTreeMap::new();
    for policy in &said.policies {
        let level = requests::level(policy.enforcement_level)
            .ok_or_else(|| format!("{} is no enforcement level", policy.enforcement_level))?;
        let mut declaration = PolicyDeclaration {
            name: policy.name.clone(),
            level,
            properties: serde_json::Map::new(),
            required: Vec::new(),
        };
        if let Some(schema) = &policy.config_schema {
            let properties = requests::repaired(schema.properties.as_ref()).map_err(|e| e.to_string())?;
            declaration.properties = json::object(&properties);
            declaration.required.clone_from(&schema.required);
        }
        severities.extend(requests::severity(policy.severity).map(|s| (policy.name.clone(), s)));
        declared.push(declaration);
    }
    Ok((declared, severities))
}

/// The configuration of a pack; empty if it can't be configured.
fn configs(
    said: &rpc::AnalyzerInfo,
    declared: &[PolicyDeclaration],
    given: Option<&PackConfig>,
    place: &str,
) -> Result<BTreeMap<String, PolicyConfig>, Diagnostic> {
    if !said.supports_config {
        return match given {
            None => Ok(BTreeMap::new()),
            Some(_) => Err(Diagnostic::error(
                "policy-config",
                format!("the policy pack \"{}\" at {place} does not support configuration", said.name),
            )
            .with_hint("leave out --policy-pack-config, or use a newer SDK for the pack")),
        };
    }
    let mut initial = PackConfig::default();
    for (name, config) in &said.initial_config {
        let properties = requests::repaired(config.properties.as_ref())
            .map_err(|e| refused(place, format!("the configuration of '{name}' can't be read: {e}")))?;
        let level = requests::level(config.enforcement_level);
        initial.0.insert(name.clone(), PolicyConfig { level, properties: json::object(&properties) });
    }
    let none = PackConfig::default();
    settled(declared, &initial, given.unwrap_or(&none)).map_err(|complaints| {
        let complaints: BTreeSet<String> = complaints.into_iter().collect();
        let lines: Vec<String> = complaints.into_iter().map(|line| format!("\n  {line}")).collect();
        let message =
            format!("the configuration of the policy pack \"{}\" is wrong:{}", said.name, lines.concat());
        Diagnostic::error("policy-config", message)
            .with_hint("correct the file that --policy-pack-config names")
    })
}

fn configure(
    configs: &BTreeMap<String, PolicyConfig>,
    place: &str,
) -> Result<rpc::ConfigureAnalyzerRequest, Diagnostic> {
    let mut request = rpc::ConfigureAnalyzerRequest::default();
    for (name, config) in configs {
        let properties = encode_map(&json::properties(&config.properties), &EncodeOptions::PLAIN)
            .map_err(|e| refused(place, format!("the configuration of '{name}' can't be sent: {e}")))?;
        let level = config.level.unwrap_or(Enforcement::Advisory);
        request.policy_config.insert(
            name.clone(),
            rpc::PolicyConfig {
                enforcement_level: requests::level_number(level),
                properties: Some(properties),
            },
        );
    }
    Ok(request)
}
