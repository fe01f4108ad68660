//! A session that keeps entries, stores them when they are let go, and checks every prefix.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_journal::{Change, Entry, Fold, OpId};
use purlin_model::{Bag, OperationKind, ResourceState, SealedValue, Snapshot, Urn};
use purlin_ports::{Durable, LoadedStack, StateError, UpdateOutcome, UpdateSession};

use super::gate::Gate;
use super::level::{Level, Riser};

/// After how many entries there is a checkpoint on the way.
const CHECKPOINT_EVERY: usize = 7;

struct Inner {
    fold: Fold,
    entries: Vec<Entry>,
    finished: Option<Arc<Snapshot>>,
    violations: Vec<String>,
    /// Whether what went in was valid: states that were broken before may stay so.
    sound: bool,
}

/// The journal of one operation.
pub struct Session {
    base: LoadedStack,
    gate: Gate,
    /// From this entry on, counted from one, nothing can be stored.
    fails_from: Option<usize>,
    inner: Arc<Mutex<Inner>>,
    /// How many entries are asked to be stored, and how many are.
    asked: Riser,
    stored: Riser,
}

/// What the cloud may ask of the journal.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Mutex<Inner>>,
    stored: Level,
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Whether the begin of an operation that has not ended is stored. What exists may have another
    /// name there; what was half created is completed by an update.
    pub fn is_stored(&self, kind: OperationKind, urn: &Urn, id: &str) -> bool {
        let stored = self.stored.value();
        let inner = lock(&self.inner);
        let mut open: Vec<OpId> = Vec::new();
        for (number, entry) in (1..).zip(&inner.entries) {
            match entry {
                Entry::Begin { op, kind: k, resource }
                    if (*k == kind || (*k, kind) == (OperationKind::Creating, OperationKind::Updating))
                        && (resource.urn == *urn || (!id.is_empty() && resource.id == id))
                        && number <= stored =>
                {
                    open.push(*op);
                }
                Entry::End { op: Some(op), .. } => open.retain(|other| other != op),
                _ => {}
            }
        }
        !open.is_empty()
    }
}

impl Session {
    /// A session on a state. What is appended is stored when the gate lets it go.
    pub fn new(base: &Arc<Snapshot>, gate: Gate, fails_from: Option<usize>) -> Session {
        let sound = purlin_journal::check_integrity(base).is_empty();
        let inner = Inner {
            fold: Fold::new(Arc::clone(base)),
            entries: Vec::new(),
            finished: None,
            violations: Vec::new(),
            sound,
        };
        Session {
            base: LoadedStack { snapshot: Arc::clone(base), deployed: true, recovered: false },
            gate,
            fails_from,
            inner: Arc::new(Mutex::new(inner)),
            asked: Riser::default(),
            stored: Riser::default(),
        }
    }

    /// For the cloud.
    pub fn watch(&self) -> Watch {
        Watch { inner: Arc::clone(&self.inner), stored: self.stored.level() }
    }

    /// Stores what is asked for, in batches, each when it is let go. Runs until it is dropped.
    pub async fn store(&self) {
        let asked = self.asked.level();
        while asked.reaches(self.stored.value() + 1).await {
            let wanted = asked.value();
            self.gate.pass("store").await;
            self.stored.raise(wanted);
        }
    }

    /// The entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.inner).entries.clone()
    }

    /// How many entries are known to be stored.
    pub fn stored(&self) -> usize {
        self.stored.value()
    }

    /// The state that was written at the end.
    pub fn finished(&self) -> Option<Arc<Snapshot>> {
        lock(&self.inner).finished.clone()
    }

    /// What must not happen and did.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.inner).violations.clone()
    }
}

struct Promise {
    number: usize,
    fails: bool,
    stored: Level,
}

#[async_trait]
impl Durable for Promise {
    async fn wait(self: Box<Self>) -> Result<(), StateError> {
        let stored = self.stored.reaches(self.number).await;
        if self.fails || !stored {
            return Err(StateError::Store(Diagnostic::error("disk-full", "no space is left")));
        }
        Ok(())
    }
}

fn is_sealed(bag: &Bag) -> bool {
    bag.decoded().is_none_or(|map| map.is_empty())
}

/// Secrets are texts with this word in them, by agreement.
pub const HUSH: &str = "hush";

fn look_for_secrets(state: &ResourceState, violations: &mut Vec<String>) {
    if !is_sealed(&state.inputs) || !is_sealed(&state.outputs) {
        violations.push(format!("an entry about {} holds an open bag", state.urn));
    }
    let trigger = match &state.replacement_trigger {
        Some(SealedValue::Decoded(_)) => {
            violations.push(format!("an entry about {} holds an open trigger", state.urn));
            ""
        }
        Some(SealedValue::Raw(text)) => text.as_str(),
        None => "",
    };
    let raw = |bag: &Bag| match bag {
        Bag::Raw(text) => text.as_str().contains(HUSH),
        Bag::Decoded(_) => false,
    };
    if raw(&state.inputs) || raw(&state.outputs) || trigger.contains(HUSH) {
        violations.push(format!("an entry about {} holds a secret in clear", state.urn));
    }
}

/// What an entry begins something with.
fn begins(entry: &Entry) -> Option<&Arc<ResourceState>> {
    match entry {
        Entry::Begin { resource, .. } => Some(resource),
        Entry::End { .. } => None,
    }
}

impl Inner {
    fn take(&mut self, entry: Entry) {
        let number = self.entries.len() + 1;
        match &entry {
            Entry::Begin { resource, .. } => look_for_secrets(resource, &mut self.violations),
            Entry::End { changes, .. } => {
                for change in changes {
                    if let Change::Place { state, .. } | Change::Amend { state, .. } = change {
                        look_for_secrets(state, &mut self.violations);
                    }
                }
            }
        }
        if let Err(error) = self.fold.apply(&entry) {
            self.violations.push(format!("entry {number} can't be folded: {error}"));
        } else if self.sound
            && let Some(problem) = self.fold.problems().first()
        {
            self.violations.push(format!("after entry {number}: {problem}"));
        }
        self.entries.push(entry);
        if number.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoint(number);
        }
    }

    /// Goes on from a checkpoint, as the stores do in operations that take long.
    fn checkpoint(&mut self, number: usize) {
        match Fold::resume(Arc::new(self.fold.snapshot()), &self.fold.continuation()) {
            Ok(resumed) => self.fold = resumed,
            Err(error) => self.violations.push(format!("no checkpoint after entry {number}: {error}")),
        }
    }
}

#[async_trait]
impl UpdateSession for Session {
    fn base(&self) -> &LoadedStack {
        &self.base
    }

    fn append(&self, entry: Entry) -> Box<dyn Durable> {
        let mut inner = lock(&self.inner);
        inner.take(entry);
        let number = inner.entries.len();
        drop(inner);
        self.asked.raise(number);
        let fails = self.fails_from.is_some_and(|from| number >= from);
        Box::new(Promise { number, fails, stored: self.stored.level() })
    }

    async fn finish(&self, snapshot: &Snapshot, _: UpdateOutcome) -> Result<(), StateError> {
        let mut inner = lock(&self.inner);
        // A begin that could not be stored is followed by no call: nothing is pending.
        let stored = self.fails_from.map_or(usize::MAX, |from| from - 1);
        let unstored = inner.entries.iter().skip(stored);
        let unstored: Vec<&Arc<ResourceState>> = unstored.filter_map(|entry| begins(entry)).collect();
        let written = |mut folded: Snapshot| {
            // What was pending before stands behind it in the list, and stays.
            for resource in &unstored {
                let mut pending = folded.pending_operations.iter();
                if let Some(at) = pending.position(|pending| pending.resource == **resource) {
                    folded.pending_operations.remove(at);
                }
            }
            folded.resources == snapshot.resources && folded.pending_operations == snapshot.pending_operations
        };
        let differs = !written(inner.fold.finish()) && !written(inner.fold.snapshot());
        if differs {
            inner.violations.push("what is written is not what the journal says".into());
        }
        inner.finished = Some(Arc::new(snapshot.clone()));
        Ok(())
    }

    async fn abandon(&self) -> Result<(), StateError> {
        Ok(())
    }
}
