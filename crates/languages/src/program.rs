//! What the hosts have in common: configuration as text, the run itself, what its end means.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_model::event::EngineEvent;
use purlin_ports::{EventSink, ProgramInfo, RunOutcome, RunRequest};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::process::{self, Ending, Invocation};
use crate::settings::HostSettings;

/// By this code programs say that they have reported their failure themselves.
const FAILED_AND_SAID_SO: i32 = 32;

/// How much of a failing tool's output a diagnostic repeats.
const REMEMBERED_LINES: usize = 40;

/// The configuration and the list of secret keys, as the JSON texts that SDKs read.
pub(crate) fn config_texts(
    request: &RunRequest,
    key: impl Fn(&str) -> String,
) -> Result<(String, String), Diagnostic> {
    let config: BTreeMap<String, &String> = request.config.iter().map(|(k, v)| (key(k), v)).collect();
    let secret: Vec<String> = request.config_secret_keys.iter().map(|k| key(k)).collect();
    let text = |result: Result<String, serde_json::Error>| {
        result.map_err(|e| {
            Diagnostic::error("config-text", format!("the configuration can't be passed on: {e}"))
        })
    };
    Ok((text(serde_json::to_string(&config))?, text(serde_json::to_string(&secret))?))
}

/// Refuses a program whose folder or file doesn't exist.
pub(crate) fn check_exists(program: &ProgramInfo) -> Result<(), Diagnostic> {
    check_folder(&program.program_directory)?;
    let place = program.program_directory.join(&program.entry_point);
    if place.exists() {
        return Ok(());
    }
    Err(missing(format!("there is no program at '{}'", place.display())))
}

/// Refuses a program whose folder doesn't exist.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Diagnostic> {
    let found = if folder.exists() { "is a file" } else { "does not exist" };
    match folder.is_dir() {
        true => Ok(()),
        false => Err(missing(format!("the program's folder '{}' {found}", folder.display()))),
    }
}

fn missing(message: String) -> Diagnostic {
    Diagnostic::error("program-missing", message)
        .with_hint("check `main` in the project file, which is relative to that file's folder")
}

/// Runs a program and turns its end into an outcome.
pub(crate) async fn run(
    invocation: &Invocation,
    request: &RunRequest,
    settings: &HostSettings,
    cancel: &CancellationToken,
    explain: impl Fn(i32) -> Option<Diagnostic>,
) -> Result<RunOutcome, Diagnostic> {
    let print = process::to_events(Arc::clone(&request.events));
    let ending = process::run(invocation, print, cancel, settings.grace)
        .await
        .map_err(|error| not_started(invocation, &error))?;
    Ok(match ending {
        Ending::Code(0) => RunOutcome::Succeeded,
        Ending::Code(FAILED_AND_SAID_SO) | Ending::Cancelled => RunOutcome::Bailed,
        Ending::Code(code) => RunOutcome::Failed(explain(code).unwrap_or_else(|| {
            Diagnostic::error("program-failed", format!("the program ended with exit code {code}"))
        })),
        Ending::Signal(signal) => RunOutcome::Failed(Diagnostic::error(
            "program-failed",
            format!("the program was ended by signal {signal}"),
        )),
    })
}

/// Runs a tool that installs or builds something, passing its lines on as progress.
pub(crate) async fn run_tool(
    what: &str,
    invocation: &Invocation,
    events: &Arc<dyn EventSink>,
    cancel: &CancellationToken,
    settings: &HostSettings,
) -> Result<(), Diagnostic> {
    let said = Arc::new(Mutex::new(Vec::<String>::new()));
    let (sink, memory, id) = (Arc::clone(events), Arc::clone(&said), what.to_owned());
    let print = Arc::new(move |_, line: String| {
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        let mut said = memory.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= REMEMBERED_LINES {
            said.remove(0);
        }
        said.push(line.clone());
        sink.emit(progress(&id, line, false));
    });
    events.emit(progress(what, what.to_owned(), false));
    let ending = process::run(invocation, print, cancel, settings.grace).await;
    events.emit(progress(what, what.to_owned(), true));
    let ending = ending.map_err(|error| not_started(invocation, &error))?;
    if ending == Ending::Code(0) {
        return Ok(());
    }
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    let how = match ending {
        Ending::Cancelled => "was stopped".to_owned(),
        Ending::Code(code) => format!("failed with exit code {code}"),
        Ending::Signal(signal) => format!("was ended by signal {signal}"),
    };
    let mut message = format!("`{}` in '{}' {how}", invocation.shown(), invocation.directory.display());
    if !said.is_empty() {
        message.push_str(":\n");
        message.push_str(&said);
    }
    Err(Diagnostic::error("tool-failed", message))
}

/// Puts a script of ours where an interpreter can read it, under a name that changes with it.
pub(crate) fn keep_script(
    settings: &HostSettings,
    name: &str,
    extension: &str,
    text: &str,
) -> Result<PathBuf, Diagnostic> {
    let digest = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
    let folder = &settings.cache_directory;
    let path = folder.join(format!("{name}-{digest}.{extension}"));
    if std::fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        return Ok(path);
    }
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|error| {
        Diagnostic::error("cache-write", format!("'{}' can't be written: {error}", path.display()))
    })?;
    Ok(path)
}

/// A tool that can't be found.
pub(crate) fn missing_tool(name: &str, hint: &str) -> Diagnostic {
    Diagnostic::error("tool-missing", format!("`{name}` is not on the search path")).with_hint(hint)
}

/// A tool or a program that can't be started. The system's words are the same where it is the
/// folder that is missing.
pub(crate) fn not_started(invocation: &Invocation, error: &std::io::Error) -> Diagnostic {
    check_folder(&invocation.directory).err().unwrap_or_else(|| {
        let program = invocation.program.display();
        Diagnostic::error("program-not-started", format!("'{program}' can't be started: {error}"))
    })
}

fn progress(id: &str, message: String, done: bool) -> EngineEvent {
    EngineEvent::Progress { id: id.to_owned(), message, received: 0, total: 0, done }
}

/// The nearest folder, from `start` upwards, for which `test` holds.
pub(crate) fn upwards(start: &Path, test: impl Fn(&Path) -> bool) -> Option<&Path> {
    start.ancestors().filter(|folder| !folder.as_os_str().is_empty()).find(|folder| test(folder))
}
