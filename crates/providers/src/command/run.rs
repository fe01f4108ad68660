//! Runs one command and takes what it writes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use purlin_model::{PropertyValue, Urn};
use purlin_ports::ProviderError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::LineSink;
use super::inputs::Settings;

/// Where commands run.
pub(super) struct Place<'a> {
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) directory: &'a Path,
    pub(super) lines: Option<&'a LineSink>,
}

/// What a command wrote, without the last line's end.
pub(super) struct Done {
    pub(super) stdout: PropertyValue,
    pub(super) stderr: PropertyValue,
}

const SHELL: &[&str] = if cfg!(windows) { &["cmd", "/C"] } else { &["/bin/sh", "-c"] };

impl Place<'_> {
    /// Runs a command to its end. A command that is cancelled has had an effect or not: nobody
    /// knows.
    pub(super) async fn run(
        &self,
        urn: Option<&Urn>,
        command: &OsStr,
        settings: &Settings<'_>,
        mut cancelled: watch::Receiver<bool>,
    ) -> Result<Done, ProviderError> {
        let shown = command.to_string_lossy();
        let failed = |why: String| ProviderError::Rejected(format!("the command `{shown}` {why}"));
        let mut child =
            self.command(command, settings).spawn().map_err(|e| failed(self.not_started(settings, &e)))?;
        let id = child.id();
        let both = Mutex::new(Vec::new());
        let sink = |on: bool| self.lines.filter(|_| on).map(|lines| (lines, urn));
        let finished = async {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            tokio::join!(
                async {
                    if let Some(mut stdin) = stdin {
                        // A command need not read what it is given.
                        let _ = stdin.write_all(settings.stdin).await;
                    }
                },
                copy(out, &mut stdout, &both, sink(settings.log_stdout)),
                copy(err, &mut stderr, &both, sink(settings.log_stderr)),
            );
            (child.wait().await, stdout, stderr)
        };
        let outcome = tokio::select! {
            finished = finished => Some(finished),
            Ok(_) = cancelled.wait_for(|cancelled| *cancelled) => None,
        };
        let Some((status, stdout, stderr)) = outcome else {
            stop(&mut child, id);
            let message = format!("the command `{shown}` was stopped by a cancellation");
            return Err(ProviderError::OutcomeUnknown(message));
        };
        let status = status.map_err(|e| failed(format!("can't be waited for: {e}")))?;
        if !status.success() {
            let both = both.into_inner().unwrap_or_default();
            let said = String::from_utf8_lossy(&both);
            let said = said.trim_end_matches('\n');
            let colon = if said.is_empty() { "" } else { ":\n" };
            return Err(failed(format!("ended with {status}{colon}{said}")));
        }
        Ok(Done { stdout: written(stdout), stderr: written(stderr) })
    }

    fn folder(&self, settings: &Settings<'_>) -> PathBuf {
        self.directory.join(settings.dir.unwrap_or_default())
    }

    /// Why a command didn't start. The system's words are the same for a folder and an interpreter
    /// that are missing.
    fn not_started(&self, settings: &Settings<'_>, error: &std::io::Error) -> String {
        let folder = self.folder(settings);
        if !folder.is_dir() {
            return format!("can't be started: there is no folder '{}', which dir names", folder.display());
        }
        format!("can't be started by `{}`: {error}", words(settings)[0])
    }

    fn command(&self, command: &OsStr, settings: &Settings<'_>) -> Command {
        let words = words(settings);
        let mut process = Command::new(words[0]);
        process
            .args(&words[1..])
            .arg(command)
            .env_clear()
            .envs(self.environment)
            .envs(&settings.environment)
            .current_dir(self.folder(settings))
            .stdin(if settings.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // An interrupt from the keyboard is for the engine, which decides what it means.
        #[cfg(unix)]
        process.process_group(0);
        process
    }
}

/// The interpreter with its arguments.
fn words<'a>(settings: &'a Settings<'_>) -> &'a [&'a str] {
    if settings.interpreter.is_empty() { SHELL } else { &settings.interpreter }
}

/// Stops a command and, where that can be done, all that it started.
fn stop(child: &mut Child, id: Option<u32>) {
    #[cfg(unix)]
    if let Some(group) = id.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
    let _ = child.start_kill();
}

/// Reads a stream to its end, into `own` and into what both streams wrote, and passes on its lines.
async fn copy(
    stream: Option<impl AsyncRead + Unpin>,
    own: &mut Vec<u8>,
    both: &Mutex<Vec<u8>>,
    sink: Option<(&LineSink, Option<&Urn>)>,
) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; 8192];
    let mut passed_on = 0;
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        own.extend_from_slice(&chunk[..count]);
        if let Ok(mut both) = both.lock() {
            both.extend_from_slice(&chunk[..count]);
        }
        let Some((lines, urn)) = sink else { continue };
        while let Some(length) = own[passed_on..].iter().position(|byte| *byte == b'\n') {
            let line = &own[passed_on..passed_on + length];
            lines(urn, &String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)));
            passed_on += length + 1;
        }
    }
    if let Some((lines, urn)) = sink
        && passed_on < own.len()
    {
        lines(urn, &String::from_utf8_lossy(&own[passed_on..]));
    }
}

/// What a stream held: a text, or bytes where it is none.
fn written(mut bytes: Vec<u8>) -> PropertyValue {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_or_else(|e| PropertyValue::Bytes(e.into_bytes()), PropertyValue::String)
}
