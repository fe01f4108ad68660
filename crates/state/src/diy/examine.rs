//! Looks at everything that is kept about a stack, without changing anything.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::Checkpoint;
use purlin_journal::{IntegrityProblem, check_integrity};
use purlin_ports::{StackId, StateError};

use super::checkpoint::Stored;
use super::folder::Folder;
use super::history;
use super::locks;
use super::options::Compression;
use super::store::Inner;
use super::tags;
use super::takeover::{self, Folded};

/// What is wrong with a stack (errors), and what is odd or will be mended by the next operation
/// (warnings).
pub(crate) fn examine(inner: &Arc<Inner>, id: &StackId) -> Result<Vec<Diagnostic>, StateError> {
    let Some(file) = inner.layout.find(id)? else { return Err(StateError::NotFound(id.clone())) };
    let mut found = Vec::new();
    twins(inner, id, &mut found)?;
    let folder = Folder::of(inner, id);
    let stored = take(Stored::read(inner, file), &mut found).flatten();
    let parsed = stored.and_then(|stored| Some((take(stored.parse(), &mut found)?, stored)));
    if let Some((checkpoint, stored)) = parsed {
        names(id, stored.text(), &mut found);
        state(inner, id, &folder, &stored, checkpoint, &mut found)?;
    }
    held(inner, id, &folder, &mut found)?;
    let _ = take(tags::read(inner, id), &mut found);
    past(inner, id, &mut found)?;
    Ok(found)
}

/// What a part of the store says, or why it can't be used.
fn take<T>(result: Result<T, StateError>, found: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|error| found.push(error.diagnostic())).ok()
}

/// Several files that could all be the stack's.
fn twins(inner: &Inner, id: &StackId, found: &mut Vec<Diagnostic>) -> Result<(), StateError> {
    let names = inner.medium.names(&inner.layout.project(id))?;
    let all = Compression::ALL.map(|compression| inner.layout.stack_file(id, compression).key);
    let is_there = |key: &&String| key.rsplit('/').next().is_some_and(|name| names.iter().any(|n| n == name));
    let there: Vec<String> = all.iter().filter(is_there).map(|key| inner.medium.place(key)).collect();
    if there.len() > 1 {
        let message = format!("the stack has {} state files: {}", there.len(), there.join(", "));
        let hint =
            "the one that was changed last counts; move the others away once you know that they are old";
        found.push(Diagnostic::warning("state-twins", message).with_hint(hint));
    }
    for path in inner.layout.legacy_files(&id.name) {
        if inner.medium.stamp(&path)?.is_some() {
            let message = format!(
                "there is a stack of the same name in the old layout, without projects: {}",
                inner.medium.place(&path)
            );
            let hint = "`state upgrade` moves it into the folder of its project, or says why it can't";
            found.push(Diagnostic::warning("state-legacy-twin", message).with_hint(hint));
        }
    }
    Ok(())
}

/// The name in the file.
fn names(id: &StackId, text: &str, found: &mut Vec<Diagnostic>) {
    #[derive(serde::Deserialize)]
    struct Head {
        checkpoint: Option<Part>,
    }
    #[derive(serde::Deserialize)]
    struct Part {
        stack: Option<String>,
    }
    let head = serde_json::from_str::<Head>(text).ok();
    let Some(name) = head.and_then(|head| head.checkpoint?.stack) else { return };
    if name != id.to_string() {
        let message = format!("the state says that it is that of '{name}', and it is kept as '{id}'");
        let hint = "the name is corrected by the next operation";
        found.push(Diagnostic::warning("state-name", message).with_hint(hint));
    }
}

/// The state, with its journals folded on.
fn state(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    stored: &Stored,
    checkpoint: Checkpoint,
    found: &mut Vec<Diagnostic>,
) -> Result<(), StateError> {
    let base = Arc::new(checkpoint.snapshot);
    let snapshot = match takeover::fold(inner, id, folder, stored, &base) {
        Ok(Folded { snapshot: None, .. }) => Arc::clone(&base),
        Ok(Folded { snapshot: Some(folded), .. }) => {
            // While its writer runs that is as it should be.
            if !takeover::is_running(inner, folder)? {
                let message = "an operation did not finish; its journal goes on the state and is intact";
                let hint = "the next operation folds it in, or `cancel`";
                found.push(Diagnostic::warning("journal-left", message).with_hint(hint));
            }
            Arc::new(folded)
        }
        Err(error) => {
            found.push(error.diagnostic());
            Arc::clone(&base)
        }
    };
    found.extend(check_integrity(&snapshot).iter().map(IntegrityProblem::diagnostic));
    for resource in &snapshot.resources {
        let urn = &resource.urn;
        if urn.ty() != &*resource.ty {
            let message = format!("resource {urn} has the type {}, which its URN doesn't say", resource.ty);
            found.push(Diagnostic::error("state-type", message).with_urn(urn.as_str()));
        }
    }
    Ok(())
}

/// Locks and leases, and who has them.
fn held(inner: &Inner, id: &StackId, folder: &Folder, found: &mut Vec<Diagnostic>) -> Result<(), StateError> {
    let Some(leases) = take(folder.leases(), found) else { return Ok(()) };
    for lock in locks::list(inner, id)? {
        let line = lock.describe(inner);
        match &lock.content.purlin {
            Some(own) if takeover::is_dead(inner, &own.writer) => {
                let message = format!("a lock was left behind by a process that is gone: {line}");
                let hint = "the next operation removes it, or `cancel`";
                found.push(Diagnostic::warning("lock-dead", message).with_hint(hint));
            }
            Some(own) if !leases.iter().any(|(epoch, _)| *epoch == own.epoch) => {
                let message = format!("a lock has no sign of life beside it: {line}");
                let hint = "if its operation has ended, `cancel` removes it";
                found.push(Diagnostic::warning("lock-without-lease", message).with_hint(hint));
            }
            Some(_) => {}
            None => {
                let message = format!("another program has the stack locked: {line}");
                let hint = "if it has ended, `cancel` removes the lock";
                found.push(Diagnostic::warning("lock-foreign", message).with_hint(hint));
            }
        }
    }
    Ok(())
}

/// The history, and the states that it keeps.
fn past(inner: &Inner, id: &StackId, found: &mut Vec<Diagnostic>) -> Result<(), StateError> {
    let entries = history::entries(inner, id)?;
    for (version, entry) in (1..).zip(&entries) {
        if let Err(error) = history::read_entry(inner, version, entry) {
            found.push(Diagnostic { severity: purlin_diag::Severity::Warning, ..error.diagnostic() });
        }
        let unreadable = match &entry.checkpoint {
            Some(file) => Stored::read(inner, file.clone())
                .and_then(|stored| stored.map(|stored| stored.parse()).transpose())
                .err(),
            None => None,
        };
        if let Some(error) = unreadable {
            let message = format!("version {version} of the history: {}", error.diagnostic().message);
            let hint = "the state of that version is lost; nothing else depends on it";
            found.push(Diagnostic::warning("history-state", message).with_hint(hint));
        }
    }
    Ok(())
}
