//! Maps for what is looked up at every step: a quick hash, the same in each run.
//!
//! The keys are the names of a user's own resources, so nobody gains by making them collide; and a
//! planner that draws nothing gets nothing drawn by its maps.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

/// A map with a quick hash.
pub type QuickMap<K, V> = HashMap<K, V, FixedState>;

/// A set with a quick hash.
pub type QuickSet<K> = HashSet<K, FixedState>;

/// An empty map with room for some entries.
pub fn map_for<K, V>(entries: usize) -> QuickMap<K, V> {
    QuickMap::with_capacity_and_hasher(entries, FixedState::default())
}

/// A set of one.
pub fn set_of<K: std::hash::Hash + Eq>(item: K) -> QuickSet<K> {
    std::iter::once(item).collect()
}
