//! The checkpoint that was read last.

use std::sync::{Arc, Mutex, PoisonError};

use purlin_model::Snapshot;
use purlin_ports::StateError;

use super::checkpoint::Stored;
use super::layout::StackFile;
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
    /// `None` if it isn't there.
    pub(crate) fn read(&self, inner: &Inner, file: StackFile) -> Result<Option<Parsed>, StateError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = last.take()
            && parsed.stored.file == file
            && inner.medium.stamp(&file.key)?.as_ref() == Some(&parsed.stored.stamp)
        {
            *last = Some(parsed.clone());
            return Ok(Some(parsed));
        }
        let Some(stored) = Stored::read(inner, file)? else { return Ok(None) };
        let checkpoint = stored.parse()?;
        let snapshot = Arc::new(checkpoint.snapshot);
        let parsed = Parsed { stored: Arc::new(stored), snapshot, deployed: checkpoint.deployed };
        *last = Some(parsed.clone());
        Ok(Some(parsed))
    }

    /// Forgets what was read.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
