//! The floor of a program: what its language and its SDK cost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_languages::{HostSettings, host_for};
use purlin_model::{PackageDescriptor, PropertyMap, PropertyValue};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{
    DeploymentInfo, EventSink, LanguageHost, ProgramInfo, ResourceMonitor, RunOutcome, RunRequest,
};
use purlin_schema::{PackageSchema, SchemaSource};
use purlin_testkit::{CollectedEvents, CountingEntropy, NullMonitor};
use purlin_yaml::YamlHost;
use semver::Version;
use tokio_util::sync::CancellationToken;

use crate::Problem;

/// The project that the programs of the benchmark are in.
const PROJECT: &str = "many";
/// The variable that names a virtual environment for Python programs.
const VENV: &str = "FLOOR_VENV";

/// What YAML programs of the benchmark need to know of the packages that they use.
const SCHEMAS: [(&str, &str); 2] = [
    (
        "random",
        r#"{"name": "random", "version": "4.0.0", "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
            "resources": {"random:index/randomString:RandomString": {
                "properties": {"length": {"type": "integer"},
                    "keepers": {"type": "object", "additionalProperties": {"type": "string"}}},
                "inputProperties": {"length": {"type": "integer"},
                    "keepers": {"type": "object", "additionalProperties": {"type": "string"}}}}}}"#,
    ),
    (
        "faultcloud",
        r#"{"name": "faultcloud", "version": "1.0.0", "meta": {"moduleFormat": "(.*)"},
            "resources": {"faultcloud:index:Object": {
                "properties": {"name": {"type": "string"}, "value": {"$ref": "pulumi.json#/Any"}},
                "inputProperties": {"name": {"type": "string"}, "value": {"$ref": "pulumi.json#/Any"}}}}}"#,
    ),
];

struct FixedSchemas;

#[async_trait]
impl SchemaSource for FixedSchemas {
    async fn schema(&self, package: &PackageDescriptor) -> Result<Arc<PackageSchema>, Diagnostic> {
        let found = SCHEMAS.iter().find(|(name, _)| *name == package.name);
        let (_, text) = found.ok_or_else(|| {
            Diagnostic::error("no-schema", format!("the benchmark doesn't know the package {}", package.name))
        })?;
        Ok(Arc::new(PackageSchema::parse((*text).to_owned())?))
    }
}

/// Runs a program and says how long it took.
pub(crate) async fn measure(
    runtime: &str,
    folder: &str,
    parallel: &str,
    config: &[&str],
) -> Result<String, Problem> {
    let folder = PathBuf::from(folder).canonicalize()?;
    let pairs = config.iter().filter_map(|pair| pair.split_once('='));
    let config: BTreeMap<String, String> =
        pairs.map(|(key, value)| (format!("{PROJECT}:{key}"), value.to_owned())).collect();
    let info = DeploymentInfo {
        organization: "organization".to_owned(),
        project: PROJECT.to_owned(),
        stack: "dev".to_owned(),
        config: config.clone(),
        parallel: parallel.parse()?,
        ..DeploymentInfo::default()
    };
    let monitor = Arc::new(NullMonitor::new(info.clone()));
    let version = Version::new(3, 260, 0);
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder.clone(),
        compatible_version: version.clone(),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let server = MonitorServer::start(Arc::clone(&monitor) as Arc<dyn ResourceMonitor>, settings).await?;
    let events = Arc::new(CollectedEvents::default());
    let mut options = PropertyMap::new();
    if let Ok(venv) = std::env::var(VENV) {
        options.insert("virtualenv".to_owned(), PropertyValue::String(venv));
    }
    let request = RunRequest {
        program: ProgramInfo {
            root_directory: folder.clone(),
            program_directory: folder,
            entry_point: ".".to_owned(),
            options,
        },
        project: info.project,
        stack: info.stack,
        organization: info.organization,
        config,
        config_secret_keys: Vec::new(),
        dry_run: false,
        parallel: info.parallel,
        monitor_address: server.address(),
        engine_address: server.address(),
        monitor: Arc::clone(&monitor) as Arc<dyn ResourceMonitor>,
        events: Arc::clone(&events) as Arc<dyn EventSink>,
    };
    let host: Arc<dyn LanguageHost> = match runtime {
        "yaml" => Arc::new(YamlHost::new(Arc::new(FixedSchemas), version)),
        other => {
            let cache = std::env::temp_dir().join("purlin-floor");
            host_for(other, Arc::new(HostSettings::new(std::env::vars().collect(), cache)))?
        }
    };
    let start = Instant::now();
    let outcome = host.run(request, CancellationToken::new()).await?;
    let seconds = start.elapsed().as_secs_f64();
    server.shutdown().await;
    if outcome != RunOutcome::Succeeded {
        return Err(format!("the program failed: {outcome:?} {:?}", events.diagnostics()).into());
    }
    Ok(format!("{seconds:.3} {}", monitor.count()))
}
