//! The journal of a writer as numbered objects, several on their way at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use purlin_formats::JournalHeader;
use purlin_journal::Entry;
use purlin_ports::{Entropy, Put, StateError};

use super::batch::{Batch, Kind};
use super::keys;
use super::requests::{PutResult, Requests};
use crate::diy::folder::fenced;
use crate::diy::lines::{Before, Lines};
use crate::diy::medium::{Done, Journal};

/// How many objects may be on their way at once. A chain of steps needs one; many independent steps
/// gather in those that wait.
const WIDTH: usize = 8;

#[derive(Clone)]
pub(crate) struct ObjectJournal {
    requests: Requests,
    entropy: Arc<dyn Entropy>,
    /// What the keys begin with.
    journal: String,
    epoch: u64,
    progress: Arc<Mutex<Progress>>,
}

struct Progress {
    /// The number of the next object.
    next: u64,
    /// Up to which number all objects are there.
    durable: u64,
    /// Later ones that are there.
    ahead: BTreeSet<u64>,
    /// Counts the checkpoints that entries go on, from 1.
    part: u64,
    /// The lines of the part.
    lines: Lines,
    /// How many bytes they have.
    written: u64,
    /// The number of the object from which on all count.
    first: u64,
}

impl ObjectJournal {
    pub(crate) fn new(requests: Requests, entropy: Arc<dyn Entropy>, journal: String, epoch: u64) -> Self {
        let lines = Lines::default();
        let progress =
            Progress { next: 1, durable: 0, ahead: BTreeSet::new(), part: 1, lines, written: 0, first: 1 };
        ObjectJournal { requests, entropy, journal, epoch, progress: Arc::new(Mutex::new(progress)) }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn batch(&self, number: u64, progress: &Progress, kind: Kind, text: Vec<u8>) -> Batch {
        let (durable, part) = (progress.durable, progress.part);
        Batch { epoch: self.epoch, number, nonce: self.entropy.uuid(), durable, part, kind, text }
    }

    fn landed(&self, number: u64) {
        let mut progress = self.progress();
        progress.ahead.insert(number);
        loop {
            let next = progress.durable + 1;
            if !progress.ahead.remove(&next) {
                return;
            }
            progress.durable = next;
        }
    }

    /// Puts an object where nothing is yet. `None` if it is there now, otherwise what was there before.
    async fn put(&self, batch: Batch) -> Result<Option<Batch>, StateError> {
        let key = keys::object(&self.journal, batch.number);
        let bytes = batch.encode()?;
        if self.requests.put_if(&key, bytes, &Put::IfAbsent).await? == PutResult::Done {
            self.landed(batch.number);
            return Ok(None);
        }
        match self.requests.get(&key).await? {
            Some(blob) => Batch::decode(&self.requests.place(&key), &blob.bytes).map(Some),
            None => Err(fenced("taken over or removed")),
        }
    }
}

/// What a writer is told that finds something else in the way of its journal.
fn in_the_way(batch: &Batch) -> StateError {
    match &batch.kind {
        Kind::Seal { by, .. } => fenced(&format!("taken over by {by}")),
        _ => fenced("taken over or removed"),
    }
}

impl Journal for ObjectJournal {
    fn commit(
        &self,
        header: &dyn Fn() -> JournalHeader,
        entries: &[Entry],
        done: Done,
    ) -> Result<(), StateError> {
        let mut progress = self.progress();
        let text = progress.lines.batch(header, entries, Before::Lines)?;
        progress.written += text.len() as u64;
        let batch = self.batch(progress.next, &progress, Kind::Entries, text.into_bytes());
        progress.next += 1;
        drop(progress);
        let journal = self.clone();
        self.requests.spawn(async move {
            let put = journal.put(batch).await;
            done(put.and_then(|found| found.map_or(Ok(()), |batch| Err(in_the_way(&batch)))));
        });
        Ok(())
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn announce(&self, result: &str) -> Result<(), StateError> {
        let (journal, result) = (self.clone(), result.to_owned());
        self.requests.wait(async move {
            // Where objects failed there is a gap, and what comes after it would not count. An object
            // that wasn't known to be there may be, or may come yet.
            loop {
                let batch = {
                    let progress = journal.progress();
                    let number = progress.durable + 1;
                    journal.batch(number, &progress, Kind::Finish(result.clone()), Vec::new())
                };
                let number = batch.number;
                match journal.put(batch).await? {
                    None => break,
                    Some(found) if found.kind == Kind::Entries && found.epoch == journal.epoch => {
                        journal.landed(number);
                    }
                    Some(found) => return Err(in_the_way(&found)),
                }
            }
            let mut progress = journal.progress();
            progress.next = progress.durable + 1;
            progress.ahead.clear();
            progress.part += 1;
            progress.lines = Lines::default();
            progress.written = 0;
            Ok(())
        })
    }

    fn wants_result(&self) -> bool {
        true
    }

    fn written(&self) -> u64 {
        self.progress().written
    }

    fn go_on(&self) {
        let mut progress = self.progress();
        let (first, last) = (progress.first, progress.durable);
        progress.first = last;
        drop(progress);
        let keys = (first..last).map(|number| keys::object(&self.journal, number)).collect();
        let requests = self.requests.clone();
        // What is left is removed at the end.
        self.requests.spawn(async move { drop(requests.delete_all(keys).await) });
    }
}
