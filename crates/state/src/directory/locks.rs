//! The locks of the ecosystem's file backends: every file in a folder is one.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::files::{self, Doing as _, Draft};
use super::folder::WriterMark;
use super::store::Inner;

/// What a lock holds. Other programs read the first four keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LockContent {
    #[serde(default)]
    pub(crate) pid: u32,
    #[serde(default)]
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) hostname: String,
    #[serde(default)]
    pub(crate) timestamp: String,
    /// Where it is one of ours: who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) purlin: Option<OwnLock>,
}

/// What our locks say in addition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnLock {
    pub(crate) epoch: u64,
    pub(crate) writer: WriterMark,
}

/// A lock that is there.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) content: LockContent,
}

impl Lock {
    /// Who holds it, as a line for people.
    pub(crate) fn describe(&self, inner: &Inner) -> String {
        let LockContent { pid, username, hostname, timestamp, .. } = &self.content;
        let path = self.path.strip_prefix(inner.layout.root()).unwrap_or(&self.path);
        let url = inner.url.split('?').next().unwrap_or_default().trim_end_matches('/');
        format!("{url}/{}: created by {username}@{hostname} (pid {pid}) at {timestamp}", path.display())
    }
}

/// All locks of a stack. What isn't JSON counts as a lock of nobody known.
pub(crate) fn list(inner: &Inner, id: &StackId) -> Result<Vec<Lock>, StateError> {
    let folder = inner.layout.locks(id);
    let mut locks = Vec::new();
    for name in files::names(&folder).doing("list", &folder)? {
        let path = folder.join(&name);
        if name.ends_with(".attrs") || name.ends_with(".tmp") || path.is_dir() {
            continue;
        }
        let Some(bytes) = files::found(fs::read(&path)).doing("read", &path)? else { continue };
        let content = serde_json::from_slice(&bytes).unwrap_or_default();
        locks.push(Lock { path, content });
    }
    Ok(locks)
}

/// Makes a lock.
pub(crate) fn take(inner: &Inner, id: &StackId, own: Option<OwnLock>) -> Result<PathBuf, StateError> {
    let around = &inner.around;
    let path = inner.layout.locks(id).join(format!("{}.json", around.entropy.uuid()));
    let content = LockContent {
        pid: around.pid,
        username: around.username.clone(),
        hostname: around.hostname.clone(),
        timestamp: around.clock.now(),
        purlin: own,
    };
    // Other programs fail on a lock that isn't whole, so it is written elsewhere.
    let folder = inner.layout.locks(id);
    fs::create_dir_all(&folder).doing("create", &folder)?;
    let text = serde_json::to_vec(&content).map_err(io::Error::from).doing("write", &path)?;
    let scratch = inner.layout.scratch();
    let (draft, mut file) = Draft::create(&scratch, &inner.token()).doing("create a file in", &scratch)?;
    file.write_all(&text).doing("write", &path)?;
    draft.place(&path).doing("write", &path)?;
    Ok(path)
}

/// Removes a lock.
pub(crate) fn release(path: &Path) -> Result<(), StateError> {
    files::remove(path).doing("remove the lock", path)
}

/// The refusal to touch a stack that others hold.
pub(crate) fn refusal(inner: &Inner, locks: &[&Lock]) -> StateError {
    let mut message = format!("the stack is currently locked by {} lock(s)", locks.len());
    for lock in locks {
        message.push_str("\n  ");
        message.push_str(&lock.describe(inner));
    }
    StateError::Locked(
        Diagnostic::error("stack-locked", message)
            .with_hint("wait for the other operation to end, or take the stack over with `purlin cancel`"),
    )
}
