//! Why an entry can't be folded.

use std::fmt;

use purlin_diag::Diagnostic;
use purlin_model::Slot;

use crate::entry::OpId;

/// An entry that makes no sense where it stands. The fold is as it was before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldError {
    /// An operation begins that is under way already.
    AlreadyBegun(OpId),
    /// An operation ends that is not under way.
    NotBegun(OpId),
    /// A new state takes a number that is or was in use.
    SlotTaken(Slot),
    /// A state is named that is not, or no longer, in the list.
    NoSuchSlot(Slot),
    /// A pending operation of the base is named that it does not have.
    NoSuchPending(u32),
    /// What a journal goes on with does not fit the snapshot.
    NotContinued(&'static str),
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FoldError::AlreadyBegun(op) => write!(f, "operation {} begins twice", op.0),
            FoldError::NotBegun(op) => write!(f, "operation {} ends without having begun", op.0),
            FoldError::SlotTaken(slot) => write!(f, "state {} is added twice", slot.0),
            FoldError::NoSuchSlot(slot) => write!(f, "there is no state {}", slot.0),
            FoldError::NoSuchPending(index) => write!(f, "there is no pending operation {index}"),
            FoldError::NotContinued(why) => write!(f, "it does not go on from the state: {why}"),
        }
    }
}

impl std::error::Error for FoldError {}

impl FoldError {
    /// The error as a diagnostic; `entry` is the number of the entry, counted from one.
    pub fn diagnostic(&self, entry: u64) -> Diagnostic {
        Diagnostic::error("journal-invalid", format!("entry {entry} of the journal makes no sense: {self}"))
            .with_hint(
                "the journal is damaged or was written by something else; keep a copy of it, and report this",
            )
    }
}
