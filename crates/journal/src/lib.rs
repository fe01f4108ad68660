//! Folds journal entries on a base snapshot and checks the rules of integrity.
//!
//! The journal is the state: every step appends a *begin* before its provider is called and an
//! *end* after. This crate knows what entries mean; where they live is the stores' affair, and
//! what is in a bag nobody's here.

mod entry;
mod error;
mod fold;
mod index;
mod integrity;
mod references;
mod resume;

pub use entry::{Change, Entry, OpId};
pub use error::FoldError;
pub use fold::{Fold, Gone};
pub use integrity::{IntegrityProblem, Rule, check_integrity, refuse_if_invalid};
pub use purlin_model::Slot;
pub use resume::Continuation;
