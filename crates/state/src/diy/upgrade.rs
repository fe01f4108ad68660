//! From the old layout, without projects, to the one with them.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};

use super::checkpoint::{self, Stored};
use super::layout::StackFile;
use super::medium::PlaceError;
use super::store::Inner;
use crate::rules::{ORGANIZATION, check_name};

/// A stack of the old layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyStack {
    /// Its name.
    pub name: String,
    /// Its project, as its resources tell it; `None` if it has none.
    pub project: Option<String>,
}

/// What an upgrade did.
#[derive(Clone, Debug, Default)]
pub struct UpgradeReport {
    /// The stacks that are in the new layout now.
    pub moved: Vec<StackId>,
    /// Those that stay where they are, by name, and why.
    pub skipped: Vec<(String, Diagnostic)>,
}

/// The stacks of the old layout, sorted.
pub(crate) fn list(inner: &Inner) -> Result<Vec<LegacyStack>, StateError> {
    let mut found = Vec::new();
    for (name, file) in inner.layout.legacy_stacks()? {
        // What can't be read has no project that is known; the upgrade then says why.
        let stored = Stored::read(inner, file).ok().flatten();
        let checkpoint = stored.and_then(|stored| stored.parse().ok());
        let first = checkpoint.and_then(|checkpoint| checkpoint.snapshot.resources.first().cloned());
        found.push(LegacyStack { name, project: first.map(|state| state.urn.project().to_owned()) });
    }
    Ok(found)
}

/// Moves stacks into the folders of their projects. The backend is marked first, so that no program
/// goes on with the old layout meanwhile.
pub(crate) fn upgrade(inner: &Arc<Inner>, stacks: Vec<LegacyStack>) -> Result<UpgradeReport, StateError> {
    inner.medium.write(&inner.layout.meta(), b"version: 1\n", true)?;
    let mut report = UpgradeReport::default();
    for stack in stacks {
        let done = match stack.project {
            Some(project) => {
                let name = stack.name.clone();
                let id = StackId { organization: ORGANIZATION.to_owned(), project, name };
                check_name(&id).and_then(|()| upgrade_one(inner, &id)).map(|()| id)
            }
            None => Err(unknown_project(inner, &stack.name)),
        };
        match done {
            Ok(id) => report.moved.push(id),
            Err(error) => report.skipped.push((stack.name, error.diagnostic())),
        }
    }
    Ok(report)
}

/// Why nothing tells the project of a stack.
fn unknown_project(inner: &Inner, name: &str) -> StateError {
    let file = inner.layout.legacy_stacks().map(|all| all.into_iter().find(|(known, _)| known == name));
    let read = file.and_then(|file| match file {
        Some((_, file)) => Stored::read(inner, file)?.map(|stored| stored.parse()).transpose(),
        None => Ok(None),
    });
    if let Err(error) = read {
        return error;
    }
    let message = "it has no resources to tell its project";
    let hint = "run the command in a terminal and give the project, or remove the stack's file";
    StateError::Unusable(Diagnostic::error("upgrade-project", message).with_hint(hint))
}

fn upgrade_one(inner: &Inner, id: &StackId) -> Result<(), StateError> {
    let missing = || StateError::NotFound(id.clone());
    let mut legacy = inner.layout.legacy_stacks()?.into_iter().filter(|(name, _)| *name == id.name);
    let (_, file) = legacy.next().ok_or_else(missing)?;
    let locks = inner.layout.legacy_folder("locks", &id.name);
    if let Some(lock) = inner.medium.names(&locks)?.iter().find(|name| name.ends_with(".json")) {
        let message = format!("it is locked: {}", inner.medium.place(&format!("{locks}/{lock}")));
        let hint = "wait for the operation that holds it; if there is none, remove the lock";
        return Err(StateError::Locked(Diagnostic::error("stack-locked", message).with_hint(hint)));
    }
    let stored = Stored::read(inner, file.clone())?.ok_or_else(missing)?;
    let parsed = stored.parse()?;
    let there = match inner.layout.find(id)? {
        Some(there) => Stored::read(inner, there)?,
        None => None,
    };
    match there {
        // An upgrade that was cut off: the rest is still to be done.
        Some(there) if there.parse()?.snapshot.resources == parsed.snapshot.resources => {}
        Some(there) => return Err(twins(&stored.place, &there.place)),
        None => {
            let snapshot = parsed.deployed.then_some(&parsed.snapshot);
            let draft = checkpoint::draft(inner, id, snapshot, false)?;
            checkpoint::put(inner, None, draft, true).map_err(|error| match error {
                PlaceError::Changed => twins(&stored.place, "one that was made meanwhile"),
                PlaceError::Failed(error) => error,
            })?;
        }
    }
    move_files(inner, &inner.layout.legacy_folder("history", &id.name), &inner.layout.history(id))?;
    move_files(inner, &inner.layout.legacy_folder("backups", &id.name), &inner.layout.backups(id))?;
    retire(inner, &file)
}

fn twins(old: &str, new: &str) -> StateError {
    let message = format!("there are two stacks of this name: {old} and {new}");
    let hint = "find out which one is in use, and move the file of the other one away";
    StateError::Unusable(Diagnostic::error("upgrade-twins", message).with_hint(hint))
}

/// Moves the files of a folder. What is a folder in it belongs to the new layout and stays.
fn move_files(inner: &Inner, from: &str, to: &str) -> Result<(), StateError> {
    for name in inner.medium.names(from)? {
        inner.medium.rename(&format!("{from}/{name}"), &format!("{to}/{name}"))?;
    }
    Ok(())
}

/// Keeps the old file under the name of a backup.
fn retire(inner: &Inner, file: &StackFile) -> Result<(), StateError> {
    checkpoint::keep_as_backup(inner, file)?;
    inner.medium.remove(&file.key)
}
