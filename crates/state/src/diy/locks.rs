//! The locks of the ecosystem's file backends: every file in a folder is one.

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::folder::{WriterMark, to_json};
use super::store::Inner;
use super::takeover;

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
    /// Zero for a stack that is only being made.
    pub(crate) epoch: u64,
    pub(crate) writer: WriterMark,
}

/// A lock that is there.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) key: String,
    pub(crate) content: LockContent,
}

impl Lock {
    /// Whether a dead process of this host has left it.
    pub(crate) fn is_left_over(&self, inner: &Inner) -> bool {
        self.content.purlin.as_ref().is_some_and(|own| takeover::is_dead(inner, &own.writer))
    }

    /// Who holds it, as a line for people.
    pub(crate) fn describe(&self, inner: &Inner) -> String {
        let LockContent { pid, username, hostname, timestamp, .. } = &self.content;
        let url = inner.url.split('?').next().unwrap_or_default().trim_end_matches('/');
        format!("{url}/{}: created by {username}@{hostname} (pid {pid}) at {timestamp}", self.key)
    }
}

/// All locks of a stack. What isn't JSON counts as a lock of nobody known.
pub(crate) fn list(inner: &Inner, id: &StackId) -> Result<Vec<Lock>, StateError> {
    list_but(inner, id, |_| false)
}

/// The same without those with keys that are known.
pub(crate) fn list_but(
    inner: &Inner,
    id: &StackId,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<Lock>, StateError> {
    let folder = inner.layout.locks(id);
    let mut locks = Vec::new();
    for name in inner.medium.names(&folder)? {
        let key = format!("{folder}/{name}");
        if name.ends_with(".attrs") || name.ends_with(".tmp") || is_known(&key) {
            continue;
        }
        let Some((bytes, _)) = inner.medium.read(&key)? else { continue };
        let content = serde_json::from_slice(&bytes).unwrap_or_default();
        locks.push(Lock { key, content });
    }
    Ok(locks)
}

/// Makes a lock.
pub(crate) fn take(inner: &Inner, id: &StackId, own: Option<OwnLock>) -> Result<String, StateError> {
    let around = &inner.around;
    let key = format!("{}/{}.json", inner.layout.locks(id), around.entropy.uuid());
    let content = LockContent {
        pid: around.pid,
        username: around.username.clone(),
        hostname: around.hostname.clone(),
        timestamp: around.clock.now(),
        purlin: own,
    };
    // Other programs fail on a lock that isn't whole.
    inner.medium.write(&key, &to_json(&key, &content)?, false)?;
    Ok(key)
}

/// Removes a lock.
pub(crate) fn release(inner: &Inner, key: &str) -> Result<(), StateError> {
    inner.medium.remove(key)
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
