//! The server that offers all services at one address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use purlin_diag::Diagnostic;
use purlin_ports::ResourceMonitor;
use purlin_wire::codegen::loader_server::LoaderServer;
use purlin_wire::pulumirpc::engine_server::EngineServer;
use purlin_wire::pulumirpc::resource_monitor_server::ResourceMonitorServer;
use purlin_wire::pulumirpc::resource_status_server::ResourceStatusServer;
use purlin_wire::{GatheringStream, MAX_MESSAGE_SIZE};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::MonitorSettings;
use crate::direct::Direct;
use crate::engine_service::EngineService;
use crate::loader_service::LoaderService;
use crate::monitor_service::{MonitorService, Services};
use crate::status_service::StatusService;

/// How many calls one connection may have open: as good as any number, for each registration is a
/// call that lasts until the resource's step has ended.
const CALLS_AT_ONCE: u32 = 1 << 20;

/// Flow control windows that large properties fit into.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 24;

/// How long calls in flight may go on after the server has been told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// A running server. Dropping it stops the server as well, without grace for calls in flight.
pub struct MonitorServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl MonitorServer {
    /// Starts the services on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If there is no port to be had.
    pub async fn start(
        monitor: Arc<dyn ResourceMonitor>,
        settings: MonitorSettings,
    ) -> Result<MonitorServer, Diagnostic> {
        let failed = |error: &dyn std::fmt::Display| {
            Diagnostic::error(
                "monitor-not-started",
                format!("the engine's services can't be started: {error}"),
            )
        };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let incoming = TcpIncoming::bind(loopback).map_err(|e| failed(&e))?.with_nodelay(Some(true));
        let address = incoming.local_addr().map_err(|e| failed(&e))?;
        let incoming = incoming.map(|accepted| accepted.map(GatheringStream::new));

        let loader = LoaderService(settings.schemas.clone());
        let services = Arc::new(Services::new(monitor, settings));
        let engine = EngineService::new(Arc::clone(&services));
        let (health_reporter, health) = tonic_health::server::health_reporter();
        health_reporter.set_serving::<ResourceMonitorServer<MonitorService>>().await;
        let status = StatusService(Arc::clone(&services));
        let registrations = Arc::clone(&services);
        let direct = move |others| Direct { services: Arc::clone(&registrations), others };
        let router = Server::builder()
            .layer(tower_layer::layer_fn(direct))
            .max_concurrent_streams(CALLS_AT_ONCE)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_service(
                ResourceMonitorServer::new(MonitorService(services))
                    .max_decoding_message_size(MAX_MESSAGE_SIZE)
                    .max_encoding_message_size(MAX_MESSAGE_SIZE),
            )
            .add_service(
                EngineServer::new(engine)
                    .max_decoding_message_size(MAX_MESSAGE_SIZE)
                    .max_encoding_message_size(MAX_MESSAGE_SIZE),
            )
            .add_service(
                ResourceStatusServer::new(status)
                    .max_decoding_message_size(MAX_MESSAGE_SIZE)
                    .max_encoding_message_size(MAX_MESSAGE_SIZE),
            )
            .add_service(
                LoaderServer::new(loader)
                    .max_decoding_message_size(MAX_MESSAGE_SIZE)
                    .max_encoding_message_size(MAX_MESSAGE_SIZE),
            )
            .add_service(health);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let signal = async move {
                // Either way it is a wish to stop.
                let _ = stopped.await;
            };
            // A failure to accept shows at the clients.
            let _ = router.serve_with_incoming_shutdown(incoming, signal).await;
        });
        Ok(MonitorServer { address, stop: Some(stop), task })
    }

    /// Where the services listen, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Stops taking calls and gives those in flight a moment to end.
    pub async fn shutdown(mut self) {
        self.stop.take();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for MonitorServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
