//! The text of a journal, as every store writes it: a header and entries, a marked line each.

use purlin_formats::{JournalHeader, LineMark, encode_entry, encode_header, mark_line};
use purlin_journal::Entry;
use purlin_ports::StateError;

/// Whether lines that were written before count as durable when others are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Those of earlier batches do, those of the same batch don't: some may get lost and others not.
    Batches,
    /// All do: a batch is there whole or not at all.
    Lines,
}

/// Numbers the lines of a journal, or of the part of one that goes on one checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The number of the next line. The header has 0.
    next: u64,
}

impl Lines {
    /// The lines of a batch, the header first if it wasn't written yet.
    pub(crate) fn batch(
        &mut self,
        header: &dyn Fn() -> JournalHeader,
        entries: &[Entry],
        before: Before,
    ) -> Result<String, StateError> {
        let mut text = String::new();
        let durable = self.next;
        let mut push = |line: String| {
            let seq = self.next;
            let durable = if before == Before::Batches { durable } else { seq };
            text.push_str(&mark_line(line, LineMark { seq, durable }));
            text.push('\n');
            self.next += 1;
        };
        if durable == 0 {
            push(encode_header(&header()));
        }
        for entry in entries {
            push(encode_entry(entry).map_err(StateError::Unusable)?);
        }
        Ok(text)
    }
}
