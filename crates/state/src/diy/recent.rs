//! The checkpoint that was read last.

use std::sync::{Arc, Mutex, PoisonError};

use purlin_model::Snapshot;
use purlin_ports::StateError;

use super::checkpoint::Stored;
use super::layout::StackFile;
use super::medium::Stamp;
use super::store::Inner;

/// A checkpoint, read and understood.
#[derive(Clone)]
pub(crate) struct Parsed {
    pub(crate) stored: Arc<Stored>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) deployed: bool,
}

/// Remembers the checkpoint that was read last: commands look at a stack before they take it, and a
/// large one is not to be fetched, nor to be in memory, twice.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Option<Parsed>>);

impl Recent {
    /// Reads a checkpoint, unless it is the one that was read last and nobody has touched it since.
    /// `stamp` is what it has now, if that is known. `None` if it isn't there.
    pub(crate) fn read(
        &self,
        inner: &Inner,
        file: StackFile,
        stamp: Option<Stamp>,
    ) -> Result<Option<Parsed>, StateError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = last.take()
            && parsed.stored.file == file
            && is_at(inner, &file, stamp, &parsed.stored.stamp)?
        {
            *last = Some(parsed.clone());
            return Ok(Some(parsed));
        }
        let Some(stored) = Stored::read(inner, file)? else { return Ok(None) };
        Self::keep(&mut last, stored).map(Some)
    }

    /// Takes what has just been read for what was read last.
    pub(crate) fn take(&self, stored: Stored) -> Result<Parsed, StateError> {
        Self::keep(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), stored)
    }

    fn keep(last: &mut Option<Parsed>, stored: Stored) -> Result<Parsed, StateError> {
        let checkpoint = stored.parse()?;
        let snapshot = Arc::new(checkpoint.snapshot);
        let parsed = Parsed { stored: Arc::new(stored), snapshot, deployed: checkpoint.deployed };
        *last = Some(parsed.clone());
        Ok(parsed)
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Forgets what was read.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether what is there has a stamp. `now` is the one that it has, if that is known.
fn is_at(inner: &Inner, file: &StackFile, now: Option<Stamp>, stamp: &Stamp) -> Result<bool, StateError> {
    let now = match now {
        Some(now) => Some(now),
        None => inner.medium.stamp(&file.key)?,
    };
    Ok(now.as_ref() == Some(stamp))
}
