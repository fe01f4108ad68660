//! Interrupts: once to finish what is in flight, twice to stop at once.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// The two ways of stopping.
#[derive(Clone)]
pub(crate) struct Stops {
    pub(crate) stop: CancellationToken,
    pub(crate) abandon: CancellationToken,
}

/// Listens for interrupts until dropped. Handlers are installed even for process 1, to which
/// signals without one are not delivered.
pub(crate) struct Listener {
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    pub(crate) fn start(out: Arc<Output>) -> (Stops, Listener) {
        let stops = Stops { stop: CancellationToken::new(), abandon: CancellationToken::new() };
        let task = tokio::spawn(listen(stops.clone(), out));
        (stops, Listener { task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(stops: Stops, out: Arc<Output>) {
    loop {
        interrupted().await;
        if stops.stop.is_cancelled() {
            out.error_line("Stopping at once: what is in flight stays pending in the state.");
            stops.abandon.cancel();
        } else {
            out.error_line("Stopping: waiting for what is in flight. Interrupt again to stop at once.");
            stops.stop.cancel();
        }
    }
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
