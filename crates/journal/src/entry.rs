//! The entries of a journal.

use std::sync::Arc;

use purlin_model::{Extension, OperationKind, ResourceState, Slot};

/// The number of one operation at a provider, unique in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u32);

/// One entry. Entries count in the order in which they were appended.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A provider is about to be called. Until its end comes, the operation is pending.
    Begin {
        /// The operation.
        op: OpId,
        /// What is being done.
        kind: OperationKind,
        /// The resource as it is to become (creating), or as it is.
        resource: Arc<ResourceState>,
    },
    /// Something is settled: an operation ended, or a state changed without one. No changes mean
    /// that the operation failed without effect.
    End {
        /// The operation that ended, if there was one.
        op: Option<OpId>,
        /// What changed, all at once.
        changes: Vec<Change>,
    },
}

/// One change to the list of states.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A registration ended well with a new state. It takes the next place in the run's order and
    /// the old state, if there was one, goes away. If the two have different URNs, references to
    /// the old one are rewritten.
    Place {
        /// The number of the new state, not used before.
        slot: Slot,
        /// The new state.
        state: Arc<ResourceState>,
        /// The state that it takes the place of.
        replaces: Option<Slot>,
    },
    /// A registration ended well and changed nothing: the state takes the next place in the run's
    /// order.
    Keep {
        /// The state.
        slot: Slot,
    },
    /// A state changes where it stands: outputs were registered, or a refresh found something.
    Amend {
        /// The state.
        slot: Slot,
        /// What it is now.
        state: Arc<ResourceState>,
    },
    /// A state was replaced and waits for deletion.
    MarkDelete {
        /// The state.
        slot: Slot,
    },
    /// A state was deleted and waits for its replacement.
    MarkPendingReplacement {
        /// The state.
        slot: Slot,
    },
    /// A state is gone. References to it are pruned, unless another state of its URN remains.
    Remove {
        /// The state.
        slot: Slot,
    },
    /// An extension of a package is used from now on; states refer to it.
    Extend {
        /// The extension.
        extension: Arc<Extension>,
    },
    /// A pending operation of the base is settled and goes away.
    ClearPending {
        /// Its place among the pending operations of the base.
        index: u32,
    },
}
