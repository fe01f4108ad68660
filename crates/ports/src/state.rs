//! The ports to where state lives and to what encrypts it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_journal::{Entry, IntegrityProblem, check_integrity};
use purlin_model::state::SecretsProvider;
use purlin_model::{Bag, PropertyMap, PropertyValue, RawText, SealedValue, Snapshot};

/// The full name of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId {
    /// The organization; `organization` where the store has none.
    pub organization: String,
    /// The project.
    pub project: String,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for StackId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.organization, self.project, self.name)
    }
}

/// Why a store can't do what it was asked to. Whatever the case, nothing has changed, unless the
/// text says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// There is no such stack.
    NotFound(StackId),
    /// There is such a stack already.
    Exists(StackId),
    /// Somebody else is changing the stack.
    Locked(Diagnostic),
    /// The writer has lost its right to write: somebody took the stack over.
    Fenced(Diagnostic),
    /// The stack still has resources.
    NotEmpty(StackId),
    /// The state can't be read or must not be used.
    Unusable(Diagnostic),
    /// The store can't be reached or refuses; the call may be tried again.
    Store(Diagnostic),
}

impl StateError {
    /// The error as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            StateError::NotFound(id) => {
                Diagnostic::error("stack-not-found", format!("no stack named '{}' found", id.name))
            }
            StateError::Exists(id) => {
                Diagnostic::error("stack-exists", format!("stack '{id}' already exists"))
            }
            StateError::NotEmpty(id) => Diagnostic::error(
                "stack-not-empty",
                format!("stack '{}' still has resources; destroy them first, or use --force", id.name),
            ),
            StateError::Locked(d)
            | StateError::Fenced(d)
            | StateError::Unusable(d)
            | StateError::Store(d) => d.clone(),
        }
    }
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.diagnostic().fmt(f)
    }
}

impl std::error::Error for StateError {}

/// A stack in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSummary {
    /// The stack.
    pub id: StackId,
    /// When it was last changed, RFC 3339; `None` if never.
    pub last_update: Option<String>,
    /// How many resources it has; `None` if it was never deployed.
    pub resource_count: Option<usize>,
}

/// A stack's state, with any journal that was left behind folded in memory.
#[derive(Clone, Debug)]
pub struct LoadedStack {
    /// The state; bags are raw.
    pub snapshot: Arc<Snapshot>,
    /// Whether the stack was ever deployed (a fresh stack has no deployment at all).
    pub deployed: bool,
    /// Whether a journal of an operation that did not finish was folded in.
    pub recovered: bool,
}

/// A configuration value as a store records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedConfig {
    /// A text.
    Plain(String),
    /// The ciphertext of a text.
    Secret(String),
    /// A number, a truth value, a list or an object, as JSON text. Secrets in it are objects with the
    /// one key `secure`.
    Structured(String),
}

/// What a store records about an operation.
#[derive(Clone, Debug, Default)]
pub struct UpdateInfo {
    /// `update`, `refresh`, `destroy`, `import` (of a deployment), `resource-import` or `state-edit`.
    pub kind: String,
    /// The user's message.
    pub message: String,
    /// What is known about where it ran: `git.head`, `exec.kind` and so on.
    pub environment: BTreeMap<String, String>,
    /// The stack's configuration by key, secrets encrypted.
    pub config: BTreeMap<String, RecordedConfig>,
}

/// How an operation ended.
#[derive(Clone, Debug, Default)]
pub struct UpdateOutcome {
    /// Whether everything went well.
    pub succeeded: bool,
    /// How many resources each kind of step touched, by its word.
    pub changes: BTreeMap<String, u64>,
}

/// One entry of a stack's history.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// Its number: the oldest entry has 1, each later one the next.
    pub version: u64,
    /// Whether the state that it left is kept, to be had from [`StateStore::load_version`].
    pub has_state: bool,
    /// What was recorded when it began.
    pub info: UpdateInfo,
    /// What was recorded when it ended.
    pub outcome: UpdateOutcome,
    /// When it began, in seconds of the Unix epoch.
    pub start_time: i64,
    /// When it ended.
    pub end_time: i64,
}

/// What taking a stack over found.
#[derive(Clone, Debug, Default)]
pub struct CancelReport {
    /// Whether a journal of an operation that did not finish was folded in.
    pub recovered: bool,
    /// Who held the locks that were removed, a line each.
    pub locks_removed: Vec<String>,
    /// How many operations stay pending.
    pub pending_operations: usize,
}

/// A promise that entries up to one are stored for good.
#[async_trait]
pub trait Durable: Send {
    /// Waits for it. An error means that it is not known to be stored and the writer must stop.
    async fn wait(self: Box<Self>) -> Result<(), StateError>;
}

/// One operation on a stack, from the taking of its lock to the writing of its checkpoint. If it is
/// dropped before it ended, the stack stays locked and its journal stays to be recovered, unless
/// nothing was appended.
#[async_trait]
pub trait UpdateSession: Send + Sync {
    /// The state that it starts from.
    fn base(&self) -> &LoadedStack;

    /// Appends an entry; the order of calls is the order of entries. Bags in entries are sealed
    /// (raw). Returns at once; the entry is durable when the promise says so.
    fn append(&self, entry: Entry) -> Box<dyn Durable>;

    /// Notes a process that acts for the operation, such as a plugin: should the writer die, whoever
    /// recovers the stack on the same host ends that process first. Stores that can't note it don't.
    fn note_process(&self, _pid: u32) {}

    /// Ends the operation: writes the snapshot as an ordinary checkpoint, records history, drops
    /// the journal and the locks.
    async fn finish(&self, snapshot: &Snapshot, outcome: UpdateOutcome) -> Result<(), StateError>;

    /// Ends the operation without changing anything: drops the journal, which must hold no begin,
    /// and the locks.
    async fn abandon(&self) -> Result<(), StateError>;
}

/// A backend: where stacks live.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The URL by which the user names it.
    fn url(&self) -> &str;

    /// All stacks, or those of a project, sorted.
    async fn list(&self, project: Option<&str>) -> Result<Vec<StackSummary>, StateError>;

    /// Makes a stack without any deployment.
    async fn create(&self, id: &StackId) -> Result<(), StateError>;

    /// Reads a stack without taking its lock and without changing anything.
    async fn load(&self, id: &StackId) -> Result<LoadedStack, StateError>;

    /// Deletes a stack and its side files; with `force` even if it has resources.
    async fn remove(&self, id: &StackId, force: bool) -> Result<(), StateError>;

    /// Gives a stack another name; URNs are rewritten.
    async fn rename(&self, id: &StackId, new: &StackId) -> Result<(), StateError>;

    /// Takes the stack's lock for an operation, recovering what a crashed one left behind.
    async fn begin(&self, id: &StackId, info: UpdateInfo) -> Result<Arc<dyn UpdateSession>, StateError>;

    /// Takes the stack over from whoever holds it: recovers its journal and removes its locks.
    async fn cancel(&self, id: &StackId) -> Result<CancelReport, StateError>;

    /// Brings in entries that the store did not take when an operation lost it, from the file that they
    /// were kept in. Gives a line for each change. Stores that keep none refuse.
    async fn submit(&self, _id: &StackId, file: &Path) -> Result<Vec<String>, StateError> {
        let message = format!("this backend keeps no entries in files such as {}", file.display());
        Err(StateError::Unusable(Diagnostic::error("entries-unknown", message)))
    }

    /// What happened to the stack, newest first.
    async fn history(&self, id: &StackId) -> Result<Vec<HistoryEntry>, StateError>;

    /// The deployment as the JSON text of an export, secrets encrypted.
    async fn export(&self, id: &StackId) -> Result<String, StateError>;

    /// The state that an operation left, by the number of its entry in the history. An error that
    /// isn't [`StateError::NotFound`] if there is no such entry or its state was not kept.
    async fn load_version(&self, id: &StackId, version: u64) -> Result<LoadedStack, StateError>;

    /// Adds an entry to the history of a stack as it was in another store, after those that are there,
    /// with the state that it left, if that is known. The entry's number and `has_state` don't count.
    async fn add_history(
        &self,
        id: &StackId,
        entry: &HistoryEntry,
        state: Option<&Snapshot>,
    ) -> Result<(), StateError>;

    /// Replaces the deployment by that of an export, and records that in the history. Pending
    /// operations are kept out. With `force` even a state that can't be read is replaced, and journals
    /// that were left behind are set aside.
    async fn import(&self, id: &StackId, text: &str, force: bool, info: UpdateInfo)
    -> Result<(), StateError>;

    /// The tags of a stack.
    async fn tags(&self, id: &StackId) -> Result<BTreeMap<String, String>, StateError>;

    /// Replaces the tags of a stack.
    async fn set_tags(&self, id: &StackId, tags: &BTreeMap<String, String>) -> Result<(), StateError>;

    /// Looks at everything that the store keeps about a stack, without changing anything: the state and
    /// its rules, journals, locks, names, side files. What is wrong is an error; what a command would
    /// mend by itself, or what is merely odd, a warning. Nothing is an intact stack.
    async fn examine(&self, id: &StackId) -> Result<Vec<Diagnostic>, StateError> {
        let loaded = match self.load(id).await {
            Ok(loaded) => loaded,
            Err(StateError::Unusable(problem)) => return Ok(vec![problem]),
            Err(error) => return Err(error),
        };
        Ok(check_integrity(&loaded.snapshot).iter().map(IntegrityProblem::diagnostic).collect())
    }

    /// Sets journals aside that can't be folded on the state, so that nothing looks at them any more.
    /// Says where they are now, a line each. Refused while somebody is changing the stack.
    async fn set_journals_aside(&self, id: &StackId) -> Result<Vec<String>, StateError> {
        self.load(id).await.map(|_| Vec::new())
    }

    /// Removes the copies of states that [`StateStore::remove`] leaves. Stores that leave none do
    /// nothing.
    async fn remove_backups(&self, _id: &StackId) -> Result<(), StateError> {
        Ok(())
    }
}

/// Encrypts and decrypts texts.
#[async_trait]
pub trait SecretsManager: Send + Sync {
    /// How snapshots name it.
    fn provider(&self) -> SecretsProvider;

    /// Makes sure that it can be used, such as that a passphrase is right. May take its time, and is
    /// quick from then on.
    async fn unlock(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Encrypts texts, in order.
    async fn encrypt(&self, plaintexts: &[String]) -> Result<Vec<String>, Diagnostic>;

    /// Decrypts texts, in order.
    async fn decrypt(&self, ciphertexts: &[String]) -> Result<Vec<String>, Diagnostic>;
}

/// Turns bags into what states and journals hold, and back.
#[async_trait]
pub trait BagCodec: Send + Sync {
    /// Decodes a bag and decrypts its secrets.
    async fn open(&self, bag: &Bag) -> Result<Arc<PropertyMap>, Diagnostic>;

    /// Encodes properties and encrypts their secrets. Secrets that `previous` holds at the same
    /// place with the same text keep their ciphertext.
    async fn seal(&self, properties: &PropertyMap, previous: Option<&Bag>) -> Result<RawText, Diagnostic>;

    /// Like `open`, for one value of an envelope.
    async fn open_value(&self, value: &SealedValue) -> Result<PropertyValue, Diagnostic>;

    /// Like `seal`, for one value of an envelope.
    async fn seal_value(&self, value: &PropertyValue) -> Result<RawText, Diagnostic>;
}
