//! The schema loader that programs and plugins ask.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_monitor::{MonitorServer, MonitorSettings, SchemaSource};
use purlin_testkit::{CountingEntropy, NullMonitor};
use purlin_wire::codegen::GetSchemaRequest;
use purlin_wire::codegen::loader_client::LoaderClient;

/// Knows one package.
struct OnePackage;

#[async_trait]
impl SchemaSource for OnePackage {
    async fn schema(&self, package: &PackageDescriptor) -> Result<String, Diagnostic> {
        match (package.name.as_str(), package.version.as_str()) {
            ("t", version) => Ok(format!("{{\"name\":\"t\",\"version\":\"{version}\"}}")),
            (name, _) => Err(Diagnostic::error("no-schema", format!("there is no schema of {name}"))),
        }
    }
}

#[tokio::test]
async fn programs_get_schemas_of_packages() {
    let folder = std::env::temp_dir();
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder,
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: Some(Arc::new(OnePackage)),
        fetch: None,
    };
    let monitor = Arc::new(NullMonitor::new(purlin_ports::DeploymentInfo::default()));
    let server = MonitorServer::start(monitor, settings).await.unwrap();
    let mut loader = LoaderClient::connect(format!("http://{}", server.address())).await.unwrap();
    let ask = |package: &str| GetSchemaRequest {
        package: package.to_owned(),
        version: "1.2.3".to_owned(),
        ..GetSchemaRequest::default()
    };
    let answer = loader.get_schema(ask("t")).await.unwrap().into_inner();
    assert_eq!(&answer.schema[..], br#"{"name":"t","version":"1.2.3"}"#);
    let refused = loader.get_schema(ask("other")).await.unwrap_err();
    assert!(refused.message().contains("there is no schema of other"), "{refused}");
}
