//! A monitor that is there before its engine: the gRPC services need a monitor, plugins need the
//! address of the services, and the engine needs the plugins. And a program may be started while
//! nobody knows yet whether there will be an engine: its calls wait.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_model::{PropertyMap, Urn};
use purlin_ports::{
    CallReply, CallRequest, DeploymentInfo, Hook, Inherited, InvokeReply, InvokeRequest, LogMessage,
    MonitorError, PublishedStep, ReadReply, ReadRequest, RegisterReply, RegisterRequest, ResourceMonitor,
};
use tokio::sync::SetOnce;

use crate::pace::Pace;

/// Passes everything on to a monitor that comes later.
pub(crate) struct LateMonitor {
    info: DeploymentInfo,
    pace: Arc<Pace>,
    /// The monitor; `None` if it will never come.
    inner: SetOnce<Option<Arc<dyn ResourceMonitor>>>,
    /// What was said before the monitor came.
    said: Mutex<Vec<LogMessage>>,
}

impl LateMonitor {
    pub(crate) fn new(info: DeploymentInfo, pace: Arc<Pace>) -> Arc<LateMonitor> {
        Arc::new(LateMonitor { info, pace, inner: SetOnce::new(), said: Mutex::default() })
    }

    /// Here it is.
    pub(crate) fn set(&self, monitor: Arc<dyn ResourceMonitor>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.drain(..).for_each(|message| monitor.log(message));
        // The first one stays; there is only one.
        let _ = self.inner.set(Some(monitor));
    }

    /// It will not come: whoever waits for it learns that everything is being stopped.
    pub(crate) fn give_up(&self) {
        let _ = self.inner.set(None);
    }

    async fn inner(&self) -> Result<&Arc<dyn ResourceMonitor>, MonitorError> {
        self.inner.wait().await.as_ref().ok_or(MonitorError::Stopping)
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
        let passing = self.pace.arrived();
        match self.inner.get() {
            Some(Some(inner)) => {
                let answering = inner.register(request);
                Box::pin(async move {
                    let _passing = passing;
                    answering.await
                })
            }
            _ => Box::pin(async move {
                let _passing = passing;
                self.inner().await?.register(request).await
            }),
        }
    }

    async fn register_outputs(&self, urn: Urn, outputs: PropertyMap) -> Result<(), MonitorError> {
        self.inner().await?.register_outputs(urn, outputs).await
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadReply, MonitorError> {
        self.inner().await?.read(request).await
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<InvokeReply, MonitorError> {
        self.inner().await?.invoke(request).await
    }

    async fn call(&self, request: CallRequest) -> Result<CallReply, MonitorError> {
        self.inner().await?.call(request).await
    }

    async fn inherited(&self, parent: &Urn, package: Option<&str>) -> Result<Inherited, MonitorError> {
        self.inner().await?.inherited(parent, package).await
    }

    async fn register_hook(&self, hook: Hook) -> Result<(), MonitorError> {
        self.inner().await?.register_hook(hook).await
    }

    async fn publish_views(&self, token: String, steps: Vec<PublishedStep>) -> Result<(), MonitorError> {
        self.inner().await?.publish_views(token, steps).await
    }

    async fn program_finished(&self) -> Result<(), MonitorError> {
        self.inner().await?.program_finished().await
    }

    fn log(&self, message: LogMessage) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match self.inner.get() {
            Some(Some(inner)) => inner.log(message),
            Some(None) => {}
            None => said.push(message),
        }
    }
}
