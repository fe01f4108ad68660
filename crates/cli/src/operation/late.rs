//! A monitor that is there before its engine: the gRPC services need a monitor, plugins need the
//! address of the services, and the engine needs the plugins.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use purlin_model::{PropertyMap, Urn};
use purlin_ports::{
    CallReply, CallRequest, DeploymentInfo, Hook, Inherited, InvokeReply, InvokeRequest, LogMessage,
    MonitorError, PublishedStep, ReadReply, ReadRequest, RegisterReply, RegisterRequest, ResourceMonitor,
};

/// Passes everything on to a monitor that comes later. Before that, everything is being stopped.
pub(crate) struct LateMonitor {
    info: DeploymentInfo,
    inner: OnceLock<Arc<dyn ResourceMonitor>>,
}

impl LateMonitor {
    pub(crate) fn new(info: DeploymentInfo) -> Arc<LateMonitor> {
        Arc::new(LateMonitor { info, inner: OnceLock::new() })
    }

    /// Here it is.
    pub(crate) fn set(&self, monitor: Arc<dyn ResourceMonitor>) {
        // The first one stays; there is only one.
        let _ = self.inner.set(monitor);
    }

    fn inner(&self) -> Result<&Arc<dyn ResourceMonitor>, MonitorError> {
        self.inner.get().ok_or(MonitorError::Stopping)
    }
}

#[async_trait]
impl ResourceMonitor for LateMonitor {
    fn info(&self) -> &DeploymentInfo {
        &self.info
    }

    // Written out so that the request isn't part of what waits.
    fn register<'a, 'async_trait>(
        &'a self,
        request: RegisterRequest,
    ) -> Pin<Box<dyn Future<Output = Result<RegisterReply, MonitorError>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        match self.inner() {
            Ok(inner) => inner.register(request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError> {
        self.inner()?.register_outputs(urn, outputs).await
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError> {
        self.inner()?.read(request).await
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        self.inner()?.invoke(request).await
    }

    async fn call(&self, request: CallRequest) -> Result<CallReply, MonitorError> {
        self.inner()?.call(request).await
    }

    async fn inherited(&self, parent: &Urn, package: Option<&str>) -> Result<Inherited, MonitorError> {
        self.inner()?.inherited(parent, package).await
    }

    async fn register_hook(&self, hook: Hook) -> Result<(), MonitorError> {
        self.inner()?.register_hook(hook).await
    }

    async fn publish_views(&self, token: String, steps: Vec<PublishedStep>) -> Result<(), MonitorError> {
        self.inner()?.publish_views(token, steps).await
    }

    async fn program_finished(&self) -> Result<(), MonitorError> {
        self.inner()?.program_finished().await
    }

    fn log(&self, message: LogMessage) {
        if let Ok(inner) = self.inner() {
            inner.log(message);
        }
    }
}
