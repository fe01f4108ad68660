//! Bugs that are planted to see whether the seeded world finds them. Only a build with the feature
//! `planted` has this module, and only the world asks for that build.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Providers are called without a begin entry.
    SkipBegin,
    /// Deletes don't wait for what depends on them.
    DeleteOrder,
    /// The first alias of a registration is forgotten.
    ForgetAlias,
    /// Outputs lose their secretness.
    DropSecretness,
    /// An end entry is ordered after what follows from it.
    LateEnd,
    /// A lost connection is taken for a failure.
    LostIsFailed,
    /// Unchanged resources don't take their place in the order of the run.
    UnorderedSames,
}

impl Bug {
    /// Every bug with its name.
    pub const ALL: [(Bug, &str); 7] = [
        (Bug::SkipBegin, "skip the begin entry"),
        (Bug::DeleteOrder, "wrong delete order"),
        (Bug::ForgetAlias, "forget an alias"),
        (Bug::DropSecretness, "drop secretness"),
        (Bug::LateEnd, "reply before the end entry is ordered"),
        (Bug::LostIsFailed, "record a lost connection as a failure"),
        (Bug::UnorderedSames, "leave unchanged resources out of the order"),
    ];
}

static PLANTED: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Plants a bug in the whole process, or takes it out.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(usize::MAX, |bug| bug as usize), Ordering::Relaxed);
}

/// Whether a bug is planted.
pub fn is(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as usize
}
