//! Events of an operation on their way to whoever listens at an address, such as a program that runs
//! this one.

use futures::channel::mpsc::{UnboundedSender, unbounded};
use purlin_diag::Diagnostic;
use purlin_wire::pulumirpc::EventRequest;
use purlin_wire::pulumirpc::events_client::EventsClient;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A stream of events, a JSON text each, as the service `pulumirpc.Events` takes it.
pub struct EventStream {
    events: EventSender,
    sending: JoinHandle<Result<(), Status>>,
    address: String,
}

/// Puts events into an [`EventStream`], from any thread.
#[derive(Clone)]
pub struct EventSender(UnboundedSender<EventRequest>);

impl EventSender {
    /// Sends an event. Never waits.
    pub fn send(&self, event: String) {
        // Whoever listened may be gone, which the end of the stream tells.
        let _ = self.0.unbounded_send(EventRequest { event });
    }
}

impl EventStream {
    /// Connects to an address, `host:port`.
    pub async fn open(address: &str) -> Result<EventStream, Diagnostic> {
        let channel = connect(address).await.map_err(|error| not_reached(address, &error))?;
        let (sender, events) = unbounded();
        let sending =
            tokio::spawn(
                async move { EventsClient::new(channel).stream_events(events).await.map(|_done| ()) },
            );
        Ok(EventStream { events: EventSender(sender), sending, address: address.to_owned() })
    }

    /// What sends events.
    pub fn sender(&self) -> EventSender {
        self.events.clone()
    }

    /// Waits until everything has arrived. To be called when nobody sends any more.
    pub async fn close(self) -> Result<(), Diagnostic> {
        let EventStream { events, sending, address } = self;
        drop(events);
        match sending.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => Err(lost(&address, status.message())),
            Err(error) => Err(lost(&address, &error.to_string())),
        }
    }
}

async fn connect(address: &str) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await
}

fn not_reached(address: &str, error: &tonic::transport::Error) -> Diagnostic {
    use std::error::Error as _;
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Diagnostic::error("event-log", format!("nobody takes events at {address}: {why}"))
        .with_hint("give --event-log the address of a listener, or the path of a file")
}

fn lost(address: &str, why: &str) -> Diagnostic {
    Diagnostic::warning("event-log", format!("not all events have arrived at {address}: {why}"))
}
