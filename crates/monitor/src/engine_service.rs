//! The `Engine` service.

use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Severity;
use purlin_model::Urn;
use purlin_ports::LogMessage;
use purlin_wire::pulumirpc::engine_server::Engine;
use purlin_wire::pulumirpc::{
    GetRootResourceRequest, GetRootResourceResponse, LogRequest, LogSeverity, RequirePulumiVersionRequest,
    RequirePulumiVersionResponse, SetRootResourceRequest, SetRootResourceResponse, StartDebuggingRequest,
};
use tonic::{Request, Response, Status};

use crate::monitor_service::Services;
use crate::version_range;

/// The service.
pub(crate) struct EngineService {
    services: Arc<Services>,
    root: Mutex<String>,
}

impl EngineService {
    pub(crate) fn new(services: Arc<Services>) -> Self {
        EngineService { services, root: Mutex::default() }
    }
}

#[tonic::async_trait]
impl Engine for EngineService {
    async fn log(&self, request: Request<LogRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        let severity = match request.severity() {
            LogSeverity::Debug => Severity::Debug,
            LogSeverity::Info => Severity::Info,
            LogSeverity::Warning => Severity::Warning,
            LogSeverity::Error => Severity::Error,
        };
        self.services.monitor.log(LogMessage {
            severity,
            message: request.message,
            urn: Urn::parse(&request.urn),
            stream_id: request.stream_id,
            ephemeral: request.ephemeral,
        });
        Ok(Response::new(()))
    }

    async fn get_root_resource(
        &self,
        _: Request<GetRootResourceRequest>,
    ) -> Result<Response<GetRootResourceResponse>, Status> {
        let urn = self.root.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Response::new(GetRootResourceResponse { urn }))
    }

    async fn set_root_resource(
        &self,
        request: Request<SetRootResourceRequest>,
    ) -> Result<Response<SetRootResourceResponse>, Status> {
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = request.into_inner().urn;
        Ok(Response::new(SetRootResourceResponse {}))
    }

    async fn start_debugging(&self, request: Request<StartDebuggingRequest>) -> Result<Response<()>, Status> {
        let message = request.into_inner().message;
        self.services.monitor.log(LogMessage {
            severity: Severity::Info,
            message: format!("waiting for a debugger to attach: {message}"),
            urn: None,
            stream_id: 0,
            ephemeral: false,
        });
        Ok(Response::new(()))
    }

    async fn require_pulumi_version(
        &self,
        request: Request<RequirePulumiVersionRequest>,
    ) -> Result<Response<RequirePulumiVersionResponse>, Status> {
        let range = request.into_inner().pulumi_version_range;
        let version = &self.services.settings.compatible_version;
        match version_range::contains(&range, version) {
            Ok(true) => Ok(Response::new(RequirePulumiVersionResponse {})),
            Ok(false) => Err(Status::failed_precondition(format!(
                "the program asks for a Pulumi CLI version of {range}, and this one answers to {version}"
            ))),
            Err(reason) => {
                Err(Status::invalid_argument(format!("'{range}' is not a range of versions: {reason}")))
            }
        }
    }
}
