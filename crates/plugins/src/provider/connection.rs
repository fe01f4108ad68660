//! The connection to one resource plugin: how many calls at once, and where a failure came from.

use std::time::Duration;

use http::Uri;
use http::uri::InvalidUri;
use purlin_diag::Diagnostic;
use purlin_ports::ProviderError;
use purlin_wire::MAX_MESSAGE_SIZE;
use purlin_wire::pulumirpc::resource_provider_client::ResourceProviderClient;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};

use super::transport::{FROM_SERVER, Transport};

/// How long a plugin that has named its port may take to accept connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may still be read after the process has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A client that can tell where a failure came from.
pub(super) type Client = ResourceProviderClient<Transport>;

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
    client: Client,
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
        let origin: Uri =
            format!("http://127.0.0.1:{port}").parse().map_err(|e: InvalidUri| failed(e.to_string()))?;
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
        let client = ResourceProviderClient::with_origin(transport, origin)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        Ok(Connection {
            client,
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
    pub(super) async fn call<T, F>(&self, make: impl FnOnce(Client) -> F) -> Result<T, CallFailure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await.ok();
        self.call_unbounded(make).await
    }

    /// Makes a call at once. Calls that make other calls on the same plugin must not hold a slot.
    pub(super) async fn call_unbounded<T, F>(&self, make: impl FnOnce(Client) -> F) -> Result<T, CallFailure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        if self.exited.is_cancelled() {
            return Err(CallFailure::NotMade(format!("{} has ended", self.label)));
        }
        let call = make(self.client.clone());
        tokio::pin!(call);
        let answer = tokio::select! {
            biased;
            answer = &mut call => Some(answer),
            () = self.exited.cancelled() => tokio::time::timeout(LAST_ANSWERS, call).await.ok(),
        };
        match answer {
            Some(Ok(response)) => Ok(response.into_inner()),
            Some(Err(status)) if status.metadata().contains_key(FROM_SERVER.as_str()) => {
                Err(CallFailure::Server(status))
            }
            Some(Err(status)) => Err(self.lost(&status)),
            None => Err(CallFailure::Lost(format!("{} ended during the call", self.label))),
        }
    }

    fn lost(&self, status: &Status) -> CallFailure {
        let mut message = if self.exited.is_cancelled() {
            format!("{} ended during the call", self.label)
        } else {
            format!("the connection to {} was lost during the call", self.label)
        };
        message.push_str(": ");
        message.push_str(status.message());
        let mut source = std::error::Error::source(status);
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        CallFailure::Lost(message)
    }
}
