//! Where the batches of an operation's journal go.

use std::sync::Arc;

use purlin_formats::JournalHeader;
use purlin_journal::Entry;
use purlin_ports::StateError;

use super::hold::Hold;
use super::medium::Done;
use super::writer::{Broken, Sink};

/// The journal of an operation, and what it says of it.
pub(crate) struct Target {
    hold: Arc<Hold>,
    /// The header, without the hash of the base.
    header: JournalHeader,
    /// How many bytes of journal there have to be before the next checkpoint is tried.
    limit: u64,
}

impl Target {
    pub(crate) fn new(hold: &Arc<Hold>, header: JournalHeader) -> Target {
        Target { hold: Arc::clone(hold), header, limit: hold.journal_limit() }
    }
}

impl Sink for Target {
    fn commit(&mut self, entries: &[Entry], done: Done) -> Result<(), StateError> {
        // The hash of the first one is not known before it is needed.
        let base = || self.hold.stored().sha256().to_owned();
        let header = || JournalHeader { base: base(), ..self.header.clone() };
        self.hold.journal.commit(&header, entries, done)
    }

    fn width(&self) -> usize {
        self.hold.journal.width()
    }

    fn is_long(&self) -> bool {
        self.hold.journal.written() >= self.limit
    }

    fn checkpoint(&mut self) -> Result<(), Broken> {
        let Some(next) = self.hold.draft_on_the_way()? else {
            // What hinders it may not last.
            self.limit = self.hold.journal.written().saturating_mul(2);
            return Ok(());
        };
        let header =
            |base, continued| JournalHeader { base, continues: Some(continued), ..self.header.clone() };
        let header = header(next.result().to_owned(), next.continued.clone());
        match self.hold.put_on_the_way(next) {
            Ok(()) => {
                self.header = header;
                self.limit = self.hold.journal_limit();
                Ok(())
            }
            Err(error) => Err(Broken { error, header: Some(Box::new(header)) }),
        }
    }
}
