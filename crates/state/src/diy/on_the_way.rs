//! Checkpoints on the way: in an operation that takes long, what the journal holds is put into the
//! checkpoint from time to time, and the journal goes on from that. So it does not grow without end,
//! and neither does what a recovery has to read.
//!
//! What is put in place is what a recovery would make of the journal as it is kept: the same code reads
//! it and folds it. Nothing of the operation is on its way to the store meanwhile; what is appended waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use purlin_formats::Continued;
use purlin_journal::refuse_if_invalid;
use purlin_ports::StateError;

use super::checkpoint::{self, NewCheckpoint, Stored};
use super::hold::{Hold, Leftovers, When};
use super::takeover;

/// How many bytes a journal may have in any case.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

impl Hold {
    /// How many bytes of journal there have to be before it is put into the checkpoint. Where that is
    /// large, more: it is written whole.
    pub(crate) fn journal_limit(&self) -> u64 {
        self.inner.options.journal_bytes.unwrap_or_else(|| JOURNAL_BYTES.max(self.stored().length()))
    }

    /// Writes a checkpoint with the journal in it, beside its place. `None` if that can't be done now.
    pub(crate) fn draft_on_the_way(&self) -> Result<Option<Next>, StateError> {
        if self.is_unwritten() || self.leftovers == Leftovers::SetAside {
            return Ok(None);
        }
        let Some(stored) = Stored::read(&self.inner, self.stored().file.clone())? else {
            return Err(self.changed());
        };
        if stored.sha256() != self.stored().sha256() {
            return Err(self.changed());
        }
        let base = Arc::new(stored.parse()?.snapshot);
        let found = self.inner.medium.unfinished(&self.folder, &|| stored.sha256().to_owned())?;
        let [own] = &found.segments[..] else { return Ok(None) };
        if own.header.epoch != self.epoch {
            return Ok(None);
        }
        let fold = takeover::fold_segment(own, base)?;
        let mut snapshot = fold.snapshot();
        if refuse_if_invalid(&snapshot).is_err() {
            return Ok(None);
        }
        snapshot.time = self.inner.around.clock.now();
        // A disk that is full for it may do for the journal.
        let Ok(checkpoint) = checkpoint::draft(&self.inner, &self.id, Some(&snapshot), true) else {
            return Ok(None);
        };
        let continued = Continued { entries: own.last(), continuation: fold.continuation() };
        Ok(Some(Next { checkpoint, continued }))
    }

    /// Puts it in place. After an error it may be there, and nothing can be added to the journal.
    pub(crate) fn put_on_the_way(&self, next: Next) -> Result<(), StateError> {
        let result = next.result().to_owned();
        let file =
            self.put(next.checkpoint, Some(&[(self.epoch, next.continued.entries)]), When::OnTheWay)?;
        self.on_the_way.store(true, Ordering::Relaxed);
        // What is there now may already be somebody else's.
        let stored = Stored::read(&self.inner, file)?.filter(|stored| stored.sha256() == result);
        self.set_stored(stored.ok_or_else(|| self.changed())?.without_text());
        Ok(())
    }
}

/// A checkpoint on the way that is not in place yet.
pub(crate) struct Next {
    checkpoint: NewCheckpoint,
    /// What the journal goes on from.
    pub(crate) continued: Continued,
}

impl Next {
    /// The hex SHA-256 of the checkpoint.
    pub(crate) fn result(&self) -> &str {
        &self.checkpoint.sha256
    }
}
