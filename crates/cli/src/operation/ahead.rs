//! A program that is started before its engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::PackageDescriptor;
use purlin_model::event::EngineEvent;
use purlin_ports::{EventSink, LanguageHost, ProgramInfo, RunOutcome, RunRequest};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

type Running = JoinHandle<Result<RunOutcome, Diagnostic>>;

/// A run of a program that has begun. To an engine it is a host that runs this program once; to the
/// program the engine is a monitor that is slow to answer. What a language needs to get going thus
/// goes on while the passphrase is being checked and the state read.
pub(crate) struct Ahead {
    host: Arc<dyn LanguageHost>,
    events: Arc<Muffler>,
    cancel: CancellationToken,
    running: Mutex<Option<Running>>,
}

impl Ahead {
    /// Starts a program.
    pub(crate) fn start(host: Arc<dyn LanguageHost>, mut request: RunRequest) -> Arc<Ahead> {
        let cancel = CancellationToken::new();
        let events = Arc::new(Muffler { sink: request.events, muffled: AtomicBool::new(false) });
        request.events = Arc::clone(&events) as Arc<dyn EventSink>;
        let (own, token) = (Arc::clone(&host), cancel.clone());
        let running = tokio::spawn(async move { own.run(request, token).await });
        Arc::new(Ahead { host, events, cancel, running: Mutex::new(Some(running)) })
    }

    fn take(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the program if no engine came to want it.
    pub(crate) async fn end(&self) {
        if let Some(running) = self.take() {
            // That it was ended is nothing that it needs to complain of.
            self.events.muffled.store(true, Ordering::Relaxed);
            self.cancel.cancel();
            // How it ended matters to nobody.
            let _ = running.await;
        }
    }
}

/// Where a program's events go until nobody wants them any more.
struct Muffler {
    sink: Arc<dyn EventSink>,
    muffled: AtomicBool,
}

impl EventSink for Muffler {
    fn emit(&self, event: EngineEvent) {
        if !self.muffled.load(Ordering::Relaxed) {
            self.sink.emit(event);
        }
    }
}

#[async_trait]
impl LanguageHost for Ahead {
    fn runtime(&self) -> &str {
        self.host.runtime()
    }

    async fn install_dependencies(
        &self,
        program: &ProgramInfo,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic> {
        self.host.install_dependencies(program, events, reinstall).await
    }

    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        self.host.required_packages(program).await
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        let Some(mut running) = self.take() else { return self.host.run(request, cancel).await };
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = cancel.cancelled() => {
                self.cancel.cancel();
                running.await
            }
        };
        ended.unwrap_or_else(|error| {
            Err(Diagnostic::error("program-failed", format!("the program's run was cut off: {error}")))
        })
    }
}
