//! Starting, watching and ending the process of a plugin.
//!
//! A plugin gets a process group of its own, so that a terminal's interrupt doesn't reach it, and
//! a standard input that stays open and empty. The first line that it prints is the port on which
//! it listens; all later lines are forwarded as events.

mod launcher;
mod output;
mod parent_death;
mod supervise;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use purlin_diag::Diagnostic;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use launcher::Launcher;
pub(crate) use output::diagnostic_event;
use output::{Forwarder, Lines};

/// How loud the output of a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputLevel {
    /// For debugging only, and shown as an error if the plugin ends unexpectedly.
    Debug,
    /// For the user.
    Info,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// What messages call the plugin.
    pub label: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// How loud its output is.
    pub output: OutputLevel,
}

/// What becomes of plugin processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// A process was started. Its group has the same number.
    Started {
        /// Its number.
        pid: u32,
        /// What messages call the plugin.
        label: String,
    },
    /// A process has ended.
    Ended {
        /// Its number.
        pid: u32,
    },
}

/// Hears of every process that starts or ends, such as a lease that holds their numbers.
pub type ProcessObserver = Arc<dyn Fn(ProcessEvent) + Send + Sync>;

/// How long a plugin may take to end after it was interrupted.
pub const INTERRUPT_GRACE: Duration = Duration::from_secs(5);

/// A running plugin. It is ended when this is dropped.
#[derive(Debug)]
pub struct PluginProcess {
    label: String,
    pid: u32,
    port: u16,
    exited: CancellationToken,
    expected: Arc<AtomicBool>,
    stop: mpsc::UnboundedSender<supervise::Stop>,
}

impl PluginProcess {
    /// What messages call the plugin.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The number of the process and of its group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Fires once the process has ended.
    pub fn exited(&self) -> &CancellationToken {
        &self.exited
    }

    /// Says that the plugin knows that it is to end: from now on its end is no surprise.
    pub fn expect_exit(&self) {
        self.expected.store(true, Ordering::Release);
    }

    /// Ends the process and waits until it has ended: interrupts its group, waits for the grace,
    /// kills the group.
    pub async fn stop(&self, grace: Duration) {
        self.expect_exit();
        let _ = self.stop.send(supervise::Stop { grace });
        self.exited.cancelled().await;
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        self.expect_exit();
        let _ = self.stop.send(supervise::Stop { grace: INTERRUPT_GRACE });
    }
}

/// What a process that has just been spawned needs to become a [`PluginProcess`].
struct Spawned {
    child: Child,
    pid: u32,
    launcher: Launcher,
}

/// Waits for the port and starts to watch the process.
async fn attach(spec: LaunchSpec, spawned: Spawned) -> Result<PluginProcess, Diagnostic> {
    let Spawned { mut child, pid, launcher } = spawned;
    let events = launcher.events().clone();
    let forwarder = Arc::new(Forwarder::new(spec.label.clone(), spec.output, events));
    let stdin = child.stdin.take();
    let mut stdout = child.stdout.take().map(BufReader::new);
    let stderr = child.stderr.take().map(|s| forwarder.clone().forward(BufReader::new(s), Lines::Stderr));
    let expected = Arc::new(AtomicBool::new(false));
    let exited = CancellationToken::new();
    let (stop, stops) = mpsc::unbounded_channel();

    let port = match &mut stdout {
        Some(stdout) => read_port(stdout).await,
        None => Err("its standard output is closed".to_owned()),
    };
    let stdout = stdout.map(|s| forwarder.clone().forward(s, Lines::Stdout));
    if port.is_err() {
        // What it printed is part of the message below.
        expected.store(true, Ordering::Release);
        let _ = stop.send(supervise::Stop { grace: Duration::from_millis(200) });
    }
    let watched = supervise::Watched {
        child,
        pid,
        stdin,
        outputs: [stdout, stderr].into_iter().flatten().collect(),
        forwarder: forwarder.clone(),
        expected: expected.clone(),
        exited: exited.clone(),
        launcher,
    };
    tokio::spawn(watched.watch(stops));
    match port {
        Ok(port) => Ok(PluginProcess { label: spec.label, pid, port, exited, expected, stop }),
        Err(what) => {
            exited.cancelled().await;
            let mut message = format!("{} didn't start: {what}", spec.label);
            let said = forwarder.recent();
            if !said.is_empty() {
                message.push_str(&format!("; it printed:\n{said}"));
            }
            Err(Diagnostic::error("plugin-start", message)
                .with_hint(format!("run {} by hand to see what is wrong", spec.program.display())))
        }
    }
}

/// The longest first line that can be a port, with room for what terminals are sent.
const LONGEST_PORT_LINE: u64 = 4096;

async fn read_port(stdout: &mut BufReader<ChildStdout>) -> Result<u16, String> {
    let mut line = Vec::new();
    let read = stdout.take(LONGEST_PORT_LINE).read_until(b'\n', &mut line).await;
    read.map_err(|e| format!("its output can't be read: {e}"))?;
    if line.last() != Some(&b'\n') {
        return Err(if line.is_empty() {
            "it ended without naming the port on which it listens".to_owned()
        } else {
            format!("it ended within its first line, {:?}", String::from_utf8_lossy(&line))
        });
    }
    let line = String::from_utf8_lossy(&line);
    parse_port(&line).ok_or_else(|| format!("its first line has to be a port, but is {:?}", line.trim()))
}

/// Reads the line with the port. Build tools of .NET put progress codes for terminals before it.
fn parse_port(line: &str) -> Option<u16> {
    let line = line.replace("\x1b]9;4;3;\x1b\\", "").replace("\x1b]9;4;0;\x1b\\", "");
    line.trim().parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::parse_port;

    #[test]
    fn the_first_line_is_the_port() {
        assert_eq!(parse_port("41234\n"), Some(41234));
        assert_eq!(parse_port(" 1 \r\n"), Some(1));
        assert_eq!(parse_port("\x1b]9;4;3;\x1b\\\x1b]9;4;0;\x1b\\50051\n"), Some(50051));
        for line in ["0\n", "65536\n", "-1\n", "port 12\n", "\n"] {
            assert_eq!(parse_port(line), None, "{line:?}");
        }
    }
}
