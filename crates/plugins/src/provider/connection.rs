//! The connection to one resource plugin: how many calls at once, and where a failure came from.

use std::time::Duration;

use prost::Message;
use purlin_diag::Diagnostic;
use purlin_ports::ProviderError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::method::Method;
use super::transport::{Failure, Transport};

/// How long a plugin that has named its port may take to accept connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may still be read after the process has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why a call gave no answer.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The server said so.
    Server(Status),
    /// Nobody knows what the server did.
    Lost(String),
    /// The call was never made.
    NotMade(String),
}

impl CallFailure {
    /// Whether the server doesn't know the call.
    pub(super) fn is_unimplemented(&self) -> bool {
        matches!(self, CallFailure::Server(status) if status.code() == Code::Unimplemented)
    }
}

impl From<CallFailure> for ProviderError {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Server(status) if status.code() == Code::Unimplemented => {
                ProviderError::Unimplemented(super::errors::describe(&status))
            }
            CallFailure::Server(status) => ProviderError::Rejected(super::errors::describe(&status)),
            CallFailure::Lost(message) => ProviderError::OutcomeUnknown(message),
            CallFailure::NotMade(message) => ProviderError::Unavailable(message),
        }
    }
}

/// The connection to one plugin.
pub(super) struct Connection {
    transport: Transport,
    label: String,
    exited: CancellationToken,
    slots: Semaphore,
}

impl Connection {
    /// Connects to a port of this machine. `exited` fires when the process has ended.
    pub(super) async fn open(
        label: String,
        port: u16,
        exited: CancellationToken,
        max_calls: usize,
    ) -> Result<Connection, Diagnostic> {
        let failed = |what: String| {
            Diagnostic::error("plugin-connect", format!("{label} doesn't answer on port {port}: {what}"))
                .with_hint("look at what the plugin printed, with debug output")
        };
        let connecting = async {
            loop {
                match Transport::connect(port).await {
                    Ok(transport) => return transport,
                    // A plugin may name its port a little before it listens.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let transport = tokio::select! {
            transport = tokio::time::timeout(CONNECT_TIMEOUT, connecting) => {
                transport.map_err(|_| failed(format!("no connection within {CONNECT_TIMEOUT:?}")))?
            }
            () = exited.cancelled() => return Err(failed("it has ended".into())),
        };
        Ok(Connection {
            transport,
            label,
            exited,
            slots: Semaphore::new(max_calls.clamp(1, Semaphore::MAX_PERMITS)),
        })
    }

    /// What messages call the plugin.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Makes a call as soon as there is a slot for it.
    pub(super) fn call<'a, Q, A>(
        &'a self,
        method: Method<Q, A>,
        request: Q,
    ) -> impl Future<Output = Result<A, CallFailure>> + Send + use<'a, Q, A>
    where
        Q: Message,
        A: Message + Default,
    {
        let call = self.call_unbounded(method, request);
        async move {
            // The semaphore is never closed.
            let _slot = self.slots.acquire().await.ok();
            call.await
        }
    }

    /// Makes a call at once. Calls that make other calls on the same plugin must not hold a slot.
    pub(super) fn call_unbounded<'a, Q, A>(
        &'a self,
        method: Method<Q, A>,
        request: Q,
    ) -> impl Future<Output = Result<A, CallFailure>> + Send + use<'a, Q, A>
    where
        Q: Message,
        A: Message + Default,
    {
        let call = self.transport.call(method.path, &request);
        async move { self.settled(call).await }
    }

    async fn settled<A>(&self, call: impl Future<Output = Result<A, Failure>>) -> Result<A, CallFailure> {
        if self.exited.is_cancelled() {
            return Err(CallFailure::NotMade(format!("{} has ended", self.label)));
        }
        tokio::pin!(call);
        let answer = tokio::select! {
            biased;
            answer = &mut call => Some(answer),
            () = self.exited.cancelled() => tokio::time::timeout(LAST_ANSWERS, call).await.ok(),
        };
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(Failure::Status(status))) => Err(CallFailure::Server(status)),
            Some(Err(Failure::NotSent(why))) => {
                Err(CallFailure::NotMade(format!("{} can't be called: {why}", self.label)))
            }
            Some(Err(Failure::Lost(why))) if self.exited.is_cancelled() => {
                Err(CallFailure::Lost(format!("{} ended during the call: {why}", self.label)))
            }
            Some(Err(Failure::Lost(why))) => Err(CallFailure::Lost(format!(
                "the connection to {} was lost during the call: {why}",
                self.label
            ))),
            None => Err(CallFailure::Lost(format!("{} ended during the call", self.label))),
        }
    }
}
