//! A session that folds what it is given and checks every prefix, and that fails on request.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_journal::{Entry, Fold};
use purlin_model::{Bag, Snapshot};
use purlin_ports::{Durable, LoadedStack, StateError, UpdateOutcome, UpdateSession};
use tokio_util::sync::CancellationToken;

use super::Log;

/// What goes wrong.
#[derive(Clone, Default)]
pub struct Trouble {
    /// From this entry on, counted from zero, nothing can be stored.
    pub fails_from: Option<usize>,
    /// Begins of this name are not stored before the token says so.
    pub held: Option<(String, CancellationToken)>,
}

pub struct Session {
    base: LoadedStack,
    log: Log,
    trouble: Trouble,
    inner: Mutex<Inner>,
}

struct Inner {
    fold: Fold,
    entries: Vec<Entry>,
    finished: Option<Arc<Snapshot>>,
}

impl Session {
    pub fn new(base: &Arc<Snapshot>, log: Log, trouble: Trouble) -> Session {
        Session {
            base: LoadedStack { snapshot: Arc::clone(base), deployed: true, recovered: false },
            log,
            trouble,
            inner: Mutex::new(Inner {
                fold: Fold::new(Arc::clone(base)),
                entries: Vec::new(),
                finished: None,
            }),
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.inner.lock().unwrap().entries.clone()
    }

    pub fn finished(&self) -> Option<Arc<Snapshot>> {
        self.inner.lock().unwrap().finished.clone()
    }
}

struct Promise {
    log: Log,
    stored: Result<String, StateError>,
    held: Option<CancellationToken>,
}

#[async_trait]
impl Durable for Promise {
    async fn wait(self: Box<Self>) -> Result<(), StateError> {
        if let Some(token) = &self.held {
            token.cancelled().await;
        }
        self.stored.map(|line| self.log.add(line))
    }
}

fn sealed(bag: &Bag) -> bool {
    bag.decoded().is_none_or(|map| map.is_empty())
}

#[async_trait]
impl UpdateSession for Session {
    fn base(&self) -> &LoadedStack {
        &self.base
    }

    fn append(&self, entry: Entry) -> Box<dyn Durable> {
        let mut inner = self.inner.lock().unwrap();
        let number = inner.entries.len();
        inner.fold.apply(&entry).unwrap();
        let problems = inner.fold.problems();
        assert!(problems.is_empty(), "{problems:?}");
        let (line, name) = match &entry {
            Entry::Begin { kind, resource, .. } => {
                assert!(sealed(&resource.inputs), "bags in entries are sealed");
                (format!("stored {} {}", kind.as_str(), resource.urn.name()), resource.urn.name().to_owned())
            }
            Entry::End { .. } => {
                self.log.add("appended end");
                ("stored end".to_owned(), String::new())
            }
        };
        inner.entries.push(entry);
        let fails = self.trouble.fails_from.is_some_and(|from| number >= from);
        let stored = if fails {
            Err(StateError::Store(Diagnostic::error("disk-full", "no space is left")))
        } else {
            Ok(line)
        };
        let held = self.trouble.held.clone().filter(|(held, _)| *held == name).map(|(_, token)| token);
        Box::new(Promise { log: self.log.clone(), stored, held })
    }

    async fn finish(&self, snapshot: &Snapshot, _: UpdateOutcome) -> Result<(), StateError> {
        let mut inner = self.inner.lock().unwrap();
        assert_eq!(inner.fold.finish().resources, snapshot.resources, "the journal says what is written");
        inner.finished = Some(Arc::new(snapshot.clone()));
        Ok(())
    }

    async fn abandon(&self) -> Result<(), StateError> {
        Ok(())
    }
}
