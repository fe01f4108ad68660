//! Starting programs and tools, passing on what they print, ending them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use purlin_diag::Severity;
use purlin_model::event::EngineEvent;
use purlin_ports::EventSink;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::policy::PolicyCommand;

/// A line longer than this is passed on in pieces.
const LONGEST_LINE: u64 = 1 << 20;

/// How long to go on reading after the program has ended, in case something that it started still
/// holds its output open.
const DRAIN: Duration = Duration::from_secs(2);

/// Streams of programs are numbered apart from those of plugins.
static NEXT_STREAM: AtomicI32 = AtomicI32::new(1 << 20);

/// A program or tool to start. Its standard input is empty.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Invocation {
    pub(crate) fn new(
        program: impl Into<PathBuf>,
        directory: impl Into<PathBuf>,
        environment: BTreeMap<String, String>,
    ) -> Self {
        Invocation {
            program: program.into(),
            arguments: Vec::new(),
            directory: directory.into(),
            environment,
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds `--name value`, unless the value is empty.
    pub(crate) fn option(self, name: &str, value: impl Into<OsString>) -> Self {
        let value = value.into();
        if value.is_empty() { self } else { self.arg(format!("--{name}")).arg(value) }
    }

    /// How the user would write it.
    pub(crate) fn shown(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy();
        self.arguments.iter().fold(name.into_owned(), |mut text, argument| {
            text.push(' ');
            text.push_str(&argument.to_string_lossy());
            text
        })
    }

    fn spawn(&self) -> std::io::Result<Group> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        Ok(Group { child: command.spawn()?, ended: false })
    }
}

impl From<Invocation> for PolicyCommand {
    fn from(invocation: Invocation) -> Self {
        let Invocation { program, arguments, directory, environment } = invocation;
        PolicyCommand { program, arguments, folder: directory, environment }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an exit code.
    Code(i32),
    /// By a signal that did not come from us.
    Signal(i32),
    /// Because it was cancelled.
    Cancelled,
}

/// What a tool printed and how it ended.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A child that leads a process group of its own. Dropping it before its end kills the group.
struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    #[cfg(unix)]
    fn signal(&mut self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // It may have ended in the meantime; then there is nobody to tell.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    #[cfg(unix)]
    fn interrupt(&mut self) {
        self.signal(rustix::process::Signal::INT);
    }

    #[cfg(unix)]
    fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(not(unix))]
    fn interrupt(&mut self) {
        self.kill();
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// Runs a program to its end and hands each line that it prints, line end included, to `print`.
pub(crate) async fn run(
    invocation: &Invocation,
    print: Arc<dyn Fn(Severity, String) + Send + Sync>,
    cancel: &CancellationToken,
    grace: Duration,
) -> std::io::Result<Ending> {
    let mut group = invocation.spawn()?;
    let readers = [
        group.child.stdout.take().map(|out| tokio::spawn(lines(out, Severity::Info, Arc::clone(&print)))),
        group.child.stderr.take().map(|err| tokio::spawn(lines(err, Severity::InfoError, print))),
    ];
    let ending = tokio::select! {
        status = group.child.wait() => ending(status?),
        () = cancel.cancelled() => {
            group.interrupt();
            if tokio::time::timeout(grace, group.child.wait()).await.is_err() {
                group.kill();
                group.child.wait().await?;
            }
            Ending::Cancelled
        }
    };
    group.ended = true;
    for mut reader in readers.into_iter().flatten() {
        if tokio::time::timeout(DRAIN, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    Ok(ending)
}

/// Runs a tool to its end and collects what it prints.
pub(crate) async fn capture(invocation: &Invocation) -> std::io::Result<Captured> {
    let mut group = invocation.spawn()?;
    let (out, err) = (group.child.stdout.take(), group.child.stderr.take());
    let (stdout, stderr, status) = tokio::join!(all(out), all(err), group.child.wait());
    group.ended = true;
    Ok(Captured { success: status?.success(), stdout: stdout?, stderr: stderr? })
}

/// A printer that passes lines on as diagnostics of two streams, as programs' output is shown.
pub(crate) fn to_events(events: Arc<dyn EventSink>) -> Arc<dyn Fn(Severity, String) + Send + Sync> {
    let first = NEXT_STREAM.fetch_add(2, Ordering::Relaxed);
    Arc::new(move |severity, line| {
        if line.trim().is_empty() {
            return;
        }
        let stream_id = if severity == Severity::Info { first } else { first + 1 };
        events.emit(EngineEvent::Diagnostic {
            urn: None,
            prefix: String::new(),
            message: line,
            severity,
            stream_id,
            ephemeral: false,
        });
    })
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn lines(
    stream: impl AsyncRead + Unpin,
    severity: Severity,
    print: Arc<dyn Fn(Severity, String) + Send + Sync>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => print(severity, String::from_utf8_lossy(&line).into_owned()),
        }
    }
}

#[cfg(unix)]
fn ending(status: std::process::ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    status.code().map_or_else(|| Ending::Signal(status.signal().unwrap_or_default()), Ending::Code)
}

#[cfg(not(unix))]
fn ending(status: std::process::ExitStatus) -> Ending {
    Ending::Code(status.code().unwrap_or(1))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn shell(script: &str) -> Invocation {
        Invocation::new("/bin/sh", "/", BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]))
            .args(["-c", script])
    }

    type Printed = Arc<Mutex<Vec<(Severity, String)>>>;

    fn printer() -> (Printed, Arc<dyn Fn(Severity, String) + Send + Sync>) {
        let printed = Printed::default();
        let sink = Arc::clone(&printed);
        (printed, Arc::new(move |severity, line| sink.lock().unwrap().push((severity, line))))
    }

    #[tokio::test]
    async fn output_comes_line_by_line_and_the_code_comes_through() {
        let (printed, print) = printer();
        let invocation = shell("echo $GREETING; echo oops >&2; printf unfinished; exit 32");
        let ending =
            run(&invocation, print, &CancellationToken::new(), Duration::from_secs(5)).await.unwrap();
        assert_eq!(ending, Ending::Code(32));
        let mut printed = printed.lock().unwrap().clone();
        printed.sort();
        assert_eq!(
            printed,
            [
                (Severity::Info, "hello\n".to_owned()),
                (Severity::Info, "unfinished".to_owned()),
                (Severity::InfoError, "oops\n".to_owned())
            ]
        );
    }

    #[tokio::test]
    async fn cancelling_interrupts_first_and_kills_the_whole_group_later() {
        // Where the tests run in the background the interrupt may be ignored, and a shell can't trap
        // what was ignored when it started. As in the binary, handling it undoes that for children.
        let _handled = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap();
        for (script, grace, last_words) in [
            ("trap 'echo bye; exit 3' INT; echo ready; while :; do sleep 0.05; done", 20, true),
            ("trap '' INT; (trap '' INT; sleep 600) & echo ready; wait; sleep 600", 0, false),
        ] {
            let cancel = CancellationToken::new();
            let (printed, record) = printer();
            let trigger = cancel.clone();
            let print: Arc<dyn Fn(Severity, String) + Send + Sync> = Arc::new(move |severity, line| {
                if line == "ready\n" {
                    trigger.cancel();
                }
                record(severity, line);
            });
            let ending = run(&shell(script), print, &cancel, Duration::from_secs(grace)).await.unwrap();
            assert_eq!(ending, Ending::Cancelled);
            let said = printed.lock().unwrap().iter().any(|(_, line)| line == "bye\n");
            assert_eq!(said, last_words);
        }
    }
}
