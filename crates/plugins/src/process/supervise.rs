//! The task that watches one process until it has ended.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::output::Forwarder;
use super::{Launcher, ProcessEvent};

/// How long output may still come after the process has ended. Children of the plugin may hold
/// its streams open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// The request to end the process.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) grace: Duration,
}

/// A process and what is to be told of its end.
pub(super) struct Watched {
    pub(super) child: Child,
    pub(super) pid: u32,
    /// Kept open, for some plugins take its end as theirs.
    pub(super) stdin: Option<ChildStdin>,
    pub(super) outputs: Vec<JoinHandle<()>>,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) expected: Arc<AtomicBool>,
    pub(super) exited: CancellationToken,
    /// Kept, for the process would be killed with the thread of its launcher.
    pub(super) launcher: Launcher,
}

impl Watched {
    /// Waits for the end of the process or for the request to end it.
    pub(super) async fn watch(mut self, mut stops: mpsc::UnboundedReceiver<Stop>) {
        let status = tokio::select! {
            status = self.child.wait() => status,
            stop = stops.recv() => self.end(stop.map_or(Duration::ZERO, |stop| stop.grace)).await,
        };
        drop(self.stdin.take());
        // What the plugin started itself and left running on purpose stays, as users expect it of
        // commands that start something in the background.
        for output in &mut self.outputs {
            if tokio::time::timeout(OUTPUT_GRACE, &mut *output).await.is_err() {
                output.abort();
            }
        }
        if !self.expected.load(Ordering::Acquire) {
            self.forwarder.unexpected_end(&describe(status));
        }
        self.launcher.observe(ProcessEvent::Ended { pid: self.pid });
        self.exited.cancel();
    }

    async fn end(&mut self, grace: Duration) -> std::io::Result<ExitStatus> {
        self.signal(Signal::INT);
        if let Ok(status) = tokio::time::timeout(grace, self.child.wait()).await {
            return status;
        }
        self.signal(Signal::KILL);
        self.child.start_kill()?;
        self.child.wait().await
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // Fails only if nobody of the group is left.
            let _ = kill_process_group(group, signal);
        }
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("it can't be waited for: {error}"),
    }
}
