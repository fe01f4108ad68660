//! The heartbeat of a writer: shows that it is alive, and notices when the stack is lost.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use purlin_diag::Diagnostic;
use purlin_ports::StateError;

use super::folder::{Folder, Lease, ProcessMark};
use super::hold::Hold;
use super::store::Inner;
use super::writer::Stopper;

/// Beats until it is dropped or the stack is lost.
pub(crate) struct Heart {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    inner: Arc<Inner>,
    folder: Folder,
    epoch: u64,
    journal: Stopper,
    pulse: Mutex<Pulse>,
    stop: Condvar,
}

struct Pulse {
    lease: Lease,
    stopped: bool,
}

impl Heart {
    /// Starts to beat for a writer; what it appends fails once the stack is lost.
    pub(crate) fn start(hold: &Hold, journal: Stopper) -> Heart {
        let inner = Arc::clone(&hold.inner);
        let lease = Lease { beat: 0, writer: inner.writer.clone(), processes: Vec::new() };
        let shared = Arc::new(Shared {
            inner,
            folder: hold.folder.clone(),
            epoch: hold.epoch,
            journal,
            pulse: Mutex::new(Pulse { lease, stopped: false }),
            stop: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("lease".to_owned()).spawn(move || for_thread.run());
        let thread = thread.map_err(|error| {
            let message = format!("failed to start the thread of the lease: {error}");
            shared.journal.stop(StateError::Store(Diagnostic::error("store-thread", message)));
        });
        Heart { shared, thread: Mutex::new(thread.ok()) }
    }

    /// Notes a process that acts for the writer.
    pub(crate) fn note(&self, process: ProcessMark) {
        let mut pulse = self.shared.lock();
        pulse.lease.processes.push(process);
        self.shared.beat(&mut pulse);
    }

    pub(crate) fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.stop.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut pulse = self.lock();
        while !pulse.stopped {
            let waited = self.stop.wait_timeout(pulse, self.inner.options.times.beat);
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            pulse = next;
            if timeout.timed_out() {
                self.beat(&mut pulse);
            }
        }
    }

    /// Shows a sign of life, if the stack is still ours.
    fn beat(&self, pulse: &mut Pulse) {
        if pulse.stopped {
            return;
        }
        if !self.folder.is_current(self.epoch) {
            self.journal.stop(self.folder.fenced());
            pulse.stopped = true;
            return;
        }
        pulse.lease.beat += 1;
        // A beat that fails to show may cost us the stack, and nothing else.
        let _ = self.folder.write_json(&self.folder.lease_file(self.epoch), &pulse.lease);
    }
}
