//! A store in memory, for tests of whatever uses one. It forgets everything with the process, and
//! fails on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_formats::{ParseOptions, export_deployment, parse_deployment};
use purlin_journal::{Entry, Fold, refuse_if_invalid};
use purlin_model::Snapshot;
use purlin_ports::{
    CancelReport, Durable, HistoryEntry, LoadedStack, StackId, StackSummary, StateError, StateStore,
    UpdateInfo, UpdateOutcome, UpdateSession,
};
use tokio::sync::watch;

use crate::rename::renamed;
use crate::rules::{check_import, only_the_root_is_left};

/// What goes wrong in a stack, and when. Nothing, by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The number of the first entry, counted from one, that can't be stored. What comes after it
    /// fails as well.
    pub fail_append_at: Option<u64>,
    /// Entries from this number on are not durable before [`MemoryStore::release`].
    pub hold_append_at: Option<u64>,
    /// Whether the end of the operation can't be stored.
    pub fail_finish: bool,
}

#[derive(Clone, Debug, Default)]
struct Stack {
    snapshot: Option<Arc<Snapshot>>,
    journal: Vec<Entry>,
    /// Raised by each writer and each take-over.
    epoch: u64,
    /// The epoch of the writer that holds the stack.
    holder: Option<u64>,
    /// Whether the holder is known to be dead.
    crashed: bool,
    /// Newest first, with the states that they left.
    history: Vec<(HistoryEntry, Option<LoadedStack>)>,
    tags: BTreeMap<String, String>,
    faults: Faults,
    processes: Vec<u32>,
}

impl Stack {
    /// The state with the journal folded on.
    fn folded(&self) -> Result<Option<Snapshot>, StateError> {
        if self.journal.is_empty() {
            return Ok(None);
        }
        let mut fold = Fold::new(self.snapshot.clone().unwrap_or_default());
        for (number, entry) in (1..).zip(&self.journal) {
            fold.apply(entry).map_err(|e| StateError::Unusable(e.diagnostic(number)))?;
        }
        Ok(Some(fold.snapshot()))
    }

    fn recover(&mut self) -> Result<bool, StateError> {
        let folded = self.folded()?;
        let recovered = folded.is_some();
        if let Some(snapshot) = folded {
            refuse_if_invalid(&snapshot).map_err(StateError::Unusable)?;
            self.snapshot = Some(Arc::new(snapshot));
        }
        self.journal.clear();
        self.holder = None;
        self.crashed = false;
        self.processes.clear();
        Ok(recovered)
    }

    /// Records an operation that has ended.
    fn record(&mut self, info: UpdateInfo, outcome: UpdateOutcome) {
        let state = LoadedStack {
            snapshot: self.snapshot.clone().unwrap_or_default(),
            deployed: self.snapshot.is_some(),
            recovered: false,
        };
        let entry = HistoryEntry { version: 0, has_state: true, info, outcome, start_time: 0, end_time: 0 };
        self.push_history(entry, Some(state));
    }

    fn push_history(&mut self, entry: HistoryEntry, state: Option<LoadedStack>) {
        let version = self.history.first().map_or(0, |(newest, _)| newest.version) + 1;
        self.history.insert(0, (HistoryEntry { version, has_state: state.is_some(), ..entry }, state));
    }

    fn loaded(&self) -> Result<LoadedStack, StateError> {
        let folded = self.folded()?;
        let recovered = folded.is_some();
        let deployed = recovered || self.snapshot.is_some();
        let snapshot = folded.map(Arc::new).or_else(|| self.snapshot.clone()).unwrap_or_default();
        Ok(LoadedStack { snapshot, deployed, recovered })
    }
}

type Stacks = Arc<Mutex<BTreeMap<StackId, Stack>>>;

fn lock(stacks: &Mutex<BTreeMap<StackId, Stack>>) -> MutexGuard<'_, BTreeMap<StackId, Stack>> {
    stacks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store in memory. Clones share their stacks.
#[derive(Clone)]
pub struct MemoryStore {
    stacks: Stacks,
    released: watch::Sender<u64>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("stacks", &*lock(&self.stacks)).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore { stacks: Stacks::default(), released: watch::Sender::new(0) }
    }
}

impl MemoryStore {
    /// A store without stacks.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// Makes a stack with a state, or replaces its state.
    pub fn put(&self, id: &StackId, snapshot: Snapshot) {
        lock(&self.stacks).entry(id.clone()).or_default().snapshot = Some(Arc::new(snapshot));
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, id: &StackId, faults: Faults) {
        lock(&self.stacks).entry(id.clone()).or_default().faults = faults;
    }

    /// Lets the entries up to a number become durable that a fault holds back.
    pub fn release(&self, up_to: u64) {
        self.released.send_modify(|released| *released = up_to.max(*released));
    }

    /// The entries that were stored since the last checkpoint.
    pub fn journal(&self, id: &StackId) -> Vec<Entry> {
        lock(&self.stacks).get(id).map(|stack| stack.journal.clone()).unwrap_or_default()
    }

    /// The processes that the writer under way has noted.
    pub fn processes(&self, id: &StackId) -> Vec<u32> {
        lock(&self.stacks).get(id).map(|stack| stack.processes.clone()).unwrap_or_default()
    }

    /// Kills the writer that holds the stack: it can do nothing more, and the next one recovers what
    /// it left behind.
    pub fn crash(&self, id: &StackId) {
        if let Some(stack) = lock(&self.stacks).get_mut(id) {
            stack.epoch += 1;
            stack.crashed = true;
        }
    }

    fn with<T>(
        &self,
        id: &StackId,
        act: impl FnOnce(&mut Stack) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut stacks = lock(&self.stacks);
        act(stacks.get_mut(id).ok_or_else(|| StateError::NotFound(id.clone()))?)
    }

    /// Acts on a stack that nobody else is changing.
    fn with_free<T>(
        &self,
        id: &StackId,
        act: impl FnOnce(&mut Stack) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.with(id, |stack| {
            if stack.holder.is_some() && !stack.crashed {
                return Err(locked(id));
            }
            stack.recover()?;
            act(stack)
        })
    }
}

fn locked(id: &StackId) -> StateError {
    let message = format!("the stack is currently locked by 1 lock(s): another writer is changing {id}");
    StateError::Locked(Diagnostic::error("stack-locked", message).with_hint("wait, or use `purlin cancel`"))
}

fn fenced(id: &StackId) -> StateError {
    let message = format!("the stack {id} was taken over by somebody else");
    StateError::Fenced(Diagnostic::error("stack-fenced", message).with_hint("run the operation again"))
}

fn broken(what: &str) -> StateError {
    StateError::Store(Diagnostic::error(
        "store-fault",
        format!("the store failed to {what}, as it was told to"),
    ))
}

/// One operation on a stack in memory.
struct MemorySession {
    id: StackId,
    stacks: Stacks,
    released: watch::Receiver<u64>,
    epoch: u64,
    base: LoadedStack,
    info: UpdateInfo,
    appended: Mutex<u64>,
}

impl MemorySession {
    fn with<T>(&self, act: impl FnOnce(&mut Stack) -> Result<T, StateError>) -> Result<T, StateError> {
        let mut stacks = lock(&self.stacks);
        let stack = stacks.get_mut(&self.id).ok_or_else(|| fenced(&self.id))?;
        if stack.epoch != self.epoch || stack.holder != Some(self.epoch) {
            return Err(fenced(&self.id));
        }
        act(stack)
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        // Nothing has begun, or the stack is somebody else's: then this does nothing.
        let _ = self.with(|stack| {
            if stack.journal.is_empty() {
                stack.holder = None;
            }
            Ok(())
        });
    }
}

/// The promise of an entry in memory.
struct Stored {
    result: Result<(), StateError>,
    hold: Option<(u64, watch::Receiver<u64>)>,
}

#[async_trait]
impl Durable for Stored {
    async fn wait(mut self: Box<Self>) -> Result<(), StateError> {
        if let Some((number, released)) = &mut self.hold {
            released.wait_for(|up_to| *up_to >= *number).await.map_err(|_| broken("stay there"))?;
        }
        self.result
    }
}

#[async_trait]
impl UpdateSession for MemorySession {
    fn base(&self) -> &LoadedStack {
        &self.base
    }

    fn append(&self, entry: Entry) -> Box<dyn Durable> {
        let mut appended = self.appended.lock().unwrap_or_else(PoisonError::into_inner);
        *appended += 1;
        let number = *appended;
        let mut hold = None;
        let result = self.with(|stack| {
            let from = |first: Option<u64>| first.is_some_and(|first| number >= first);
            if from(stack.faults.fail_append_at) {
                return Err(broken("append"));
            }
            if from(stack.faults.hold_append_at) {
                hold = Some((number, self.released.clone()));
            }
            stack.journal.push(entry);
            Ok(())
        });
        Box::new(Stored { result, hold })
    }

    fn note_process(&self, pid: u32) {
        // Whoever lost the stack has nothing to note any more.
        let _ = self.with(|stack| {
            stack.processes.push(pid);
            Ok(())
        });
    }

    async fn finish(&self, snapshot: &Snapshot, outcome: UpdateOutcome) -> Result<(), StateError> {
        self.with(|stack| {
            if stack.faults.fail_finish {
                return Err(broken("finish"));
            }
            refuse_if_invalid(snapshot).map_err(StateError::Unusable)?;
            stack.snapshot = Some(Arc::new(snapshot.clone()));
            stack.journal.clear();
            stack.processes.clear();
            stack.holder = None;
            stack.record(self.info.clone(), outcome);
            Ok(())
        })
    }

    async fn abandon(&self) -> Result<(), StateError> {
        self.with(|stack| {
            if !stack.journal.is_empty() {
                return Err(crate::rules::not_abandoned());
            }
            stack.holder = None;
            Ok(())
        })
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    fn url(&self) -> &str {
        "memory://"
    }

    async fn list(&self, project: Option<&str>) -> Result<Vec<StackSummary>, StateError> {
        let stacks = lock(&self.stacks);
        let wanted = stacks.iter().filter(|(id, _)| project.is_none_or(|project| id.project == project));
        let summary = |(id, stack): (&StackId, &Stack)| StackSummary {
            id: id.clone(),
            last_update: stack.snapshot.as_ref().map(|s| s.time.clone()).filter(|time| !time.is_empty()),
            resource_count: stack.snapshot.as_ref().map(|s| s.resources.len()),
        };
        Ok(wanted.map(summary).collect())
    }

    async fn create(&self, id: &StackId) -> Result<(), StateError> {
        crate::rules::check_name(id)?;
        let mut stacks = lock(&self.stacks);
        if stacks.contains_key(id) {
            return Err(StateError::Exists(id.clone()));
        }
        stacks.insert(id.clone(), Stack::default());
        Ok(())
    }

    async fn load(&self, id: &StackId) -> Result<LoadedStack, StateError> {
        self.with(id, |stack| stack.loaded())
    }

    async fn remove(&self, id: &StackId, force: bool) -> Result<(), StateError> {
        self.with_free(id, |stack| {
            let left = stack.snapshot.as_ref().is_some_and(|s| !only_the_root_is_left(s));
            if left && !force { Err(StateError::NotEmpty(id.clone())) } else { Ok(()) }
        })?;
        lock(&self.stacks).remove(id);
        Ok(())
    }

    async fn rename(&self, id: &StackId, new: &StackId) -> Result<(), StateError> {
        crate::rules::check_name(new)?;
        if lock(&self.stacks).contains_key(new) {
            return Err(StateError::Exists(new.clone()));
        }
        let stack = self.with_free(id, |stack| {
            stack.snapshot = stack.snapshot.take().map(|snapshot| Arc::new(renamed(&snapshot, id, new)));
            stack.epoch += 1;
            Ok(stack.clone())
        })?;
        let mut stacks = lock(&self.stacks);
        stacks.remove(id);
        stacks.insert(new.clone(), stack);
        Ok(())
    }

    async fn begin(&self, id: &StackId, info: UpdateInfo) -> Result<Arc<dyn UpdateSession>, StateError> {
        self.with(id, |stack| {
            if stack.holder.is_some() && !stack.crashed {
                return Err(locked(id));
            }
            let recovered = stack.recover()?;
            stack.epoch += 1;
            stack.holder = Some(stack.epoch);
            Ok(Arc::new(MemorySession {
                id: id.clone(),
                stacks: Arc::clone(&self.stacks),
                released: self.released.subscribe(),
                epoch: stack.epoch,
                base: LoadedStack { recovered, ..stack.loaded()? },
                info,
                appended: Mutex::new(0),
            }) as Arc<dyn UpdateSession>)
        })
    }

    async fn cancel(&self, id: &StackId) -> Result<CancelReport, StateError> {
        self.with(id, |stack| {
            stack.epoch += 1;
            let locks_removed = stack.holder.iter().map(|epoch| format!("writer {epoch}")).collect();
            let recovered = stack.recover()?;
            let pending_operations = stack.snapshot.as_ref().map_or(0, |s| s.pending_operations.len());
            Ok(CancelReport { recovered, locks_removed, pending_operations })
        })
    }

    async fn history(&self, id: &StackId) -> Result<Vec<HistoryEntry>, StateError> {
        self.with(id, |stack| Ok(stack.history.iter().map(|(entry, _)| entry.clone()).collect()))
    }

    async fn export(&self, id: &StackId) -> Result<String, StateError> {
        let loaded = self.load(id).await?;
        let snapshot = loaded.deployed.then_some(&*loaded.snapshot);
        export_deployment(snapshot).map_err(|e| StateError::Unusable(e.diagnostic()))
    }

    async fn load_version(&self, id: &StackId, version: u64) -> Result<LoadedStack, StateError> {
        self.with(id, |stack| {
            let newest = stack.history.len();
            let found = stack.history.iter().find(|(entry, _)| entry.version == version);
            let (_, state) = found.ok_or_else(|| crate::rules::no_version(id, version, newest))?;
            state.clone().ok_or_else(|| crate::rules::no_state(id, version))
        })
    }

    async fn add_history(
        &self,
        id: &StackId,
        entry: &HistoryEntry,
        state: Option<&Snapshot>,
    ) -> Result<(), StateError> {
        self.with(id, |stack| {
            let state = state.map(|snapshot| LoadedStack {
                snapshot: Arc::new(snapshot.clone()),
                deployed: true,
                recovered: false,
            });
            stack.push_history(entry.clone(), state);
            Ok(())
        })
    }

    async fn import(
        &self,
        id: &StackId,
        text: &str,
        force: bool,
        info: UpdateInfo,
    ) -> Result<(), StateError> {
        let source: Arc<str> = text.into();
        let options = ParseOptions { check_magic: !force };
        let parsed = parse_deployment(&source, options).map_err(StateError::Unusable)?;
        let snapshot = check_import(id, parsed, force)?;
        self.with_free(id, |stack| {
            stack.snapshot = snapshot.map(Arc::new);
            stack.epoch += 1;
            stack.record(info, UpdateOutcome { succeeded: true, ..UpdateOutcome::default() });
            Ok(())
        })
    }

    async fn tags(&self, id: &StackId) -> Result<BTreeMap<String, String>, StateError> {
        self.with(id, |stack| Ok(stack.tags.clone()))
    }

    async fn set_tags(&self, id: &StackId, tags: &BTreeMap<String, String>) -> Result<(), StateError> {
        crate::rules::check_tags(tags)?;
        self.with(id, |stack| {
            stack.tags.clone_from(tags);
            Ok(())
        })
    }
}
