//! Requests that can't be meant are refused before the engine hears of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::DeploymentInfo;
use purlin_testkit::{CountingEntropy, NullMonitor};
use purlin_wire::pulumirpc::alias::Spec;
use purlin_wire::pulumirpc::alias::spec::Parent;
use purlin_wire::pulumirpc::resource_monitor_client::ResourceMonitorClient;
use purlin_wire::pulumirpc::{Alias, ReadResourceRequest, RegisterResourceRequest, alias};
use tonic::Code;
use tonic::transport::Channel;

async fn serve() -> (MonitorServer, ResourceMonitorClient<Channel>) {
    let folder = std::env::temp_dir();
    let settings = MonitorSettings {
        root_directory: folder.clone(),
        program_directory: folder,
        compatible_version: semver::Version::new(3, 260, 0),
        entropy: Arc::new(CountingEntropy::default()),
        schemas: None,
        fetch: None,
    };
    let info = DeploymentInfo { project: "shop".into(), stack: "dev".into(), ..DeploymentInfo::default() };
    let server = MonitorServer::start(Arc::new(NullMonitor::new(info)), settings).await.unwrap();
    let client = ResourceMonitorClient::connect(format!("http://{}", server.address())).await.unwrap();
    (server, client)
}

fn object(ty: &str) -> RegisterResourceRequest {
    let (r#type, name) = (ty.to_owned(), "x".to_owned());
    RegisterResourceRequest { r#type, name, custom: true, ..RegisterResourceRequest::default() }
}

#[tokio::test]
async fn the_types_of_what_providers_manage_have_three_parts() {
    let (_server, mut client) = serve().await;
    let refused = client.register_resource(object("very:bad")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("'very:bad'"), "{}", refused.message());
    let read = ReadResourceRequest {
        r#type: "very:bad".into(),
        name: "x".into(),
        id: "x-1".into(),
        ..Default::default()
    };
    assert_eq!(client.read_resource(read).await.unwrap_err().code(), Code::InvalidArgument);
    for ty in ["a:component", "singlename"] {
        client.register_resource(RegisterResourceRequest { custom: false, ..object(ty) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_resource_without_a_name_is_refused() {
    let (_server, mut client) = serve().await;
    for custom in [true, false] {
        let request = RegisterResourceRequest { name: String::new(), custom, ..object("t:m:R") };
        let refused = client.register_resource(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("'t:m:R' has an empty name"), "{}", refused.message());
    }
}

#[tokio::test]
async fn names_that_are_no_urns_are_refused_wherever_they_stand() {
    const BAD: &str = "very-bad urn";
    let urn = || vec![BAD.to_owned()];
    let of_urn = Alias { alias: Some(alias::Alias::Urn(BAD.into())) };
    let spec = Spec { parent: Some(Parent::ParentUrn(BAD.into())), ..Spec::default() };
    let of_parent = Alias { alias: Some(alias::Alias::Spec(spec)) };
    let plain = || object("t:m:R");
    let requests = [
        RegisterResourceRequest { parent: BAD.into(), ..plain() },
        RegisterResourceRequest { dependencies: urn(), ..plain() },
        RegisterResourceRequest { deleted_with: BAD.into(), ..plain() },
        RegisterResourceRequest { replace_with: urn(), ..plain() },
        RegisterResourceRequest { alias_ur_ns: urn(), ..plain() },
        RegisterResourceRequest { aliases: vec![of_urn], ..plain() },
        RegisterResourceRequest { aliases: vec![of_parent], ..plain() },
        RegisterResourceRequest { provider: BAD.into(), ..plain() },
    ];
    let (_server, mut client) = serve().await;
    for request in requests {
        let refused = client.register_resource(request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{request:?}");
        assert!(refused.message().contains(BAD), "{}", refused.message());
    }
}
