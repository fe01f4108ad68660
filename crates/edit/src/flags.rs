//! Marks that people set on states: protection, and the wish for a replacement.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::{ResourceState, Snapshot};

use crate::find::live;

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Deleting it is forbidden.
    Protect,
    /// It is to be replaced by the next update.
    Taint,
}

/// A snapshot with a mark set or lifted on the resources named, or on all. What waits for its deletion
/// is left out. Says how many were named. The errors name every URN that isn't there.
pub fn set_flag(
    snapshot: &Snapshot,
    urns: Option<&[String]>,
    flag: Flag,
    on: bool,
) -> Result<(Snapshot, usize), Vec<Diagnostic>> {
    let chosen: Vec<usize> = match urns {
        None => (0..snapshot.resources.len()).filter(|index| !snapshot.resources[*index].delete).collect(),
        Some(urns) => {
            let (found, missing): (Vec<_>, Vec<_>) =
                urns.iter().map(|urn| live(snapshot, urn)).partition(Result::is_ok);
            if !missing.is_empty() {
                return Err(missing.into_iter().filter_map(Result::err).collect());
            }
            found.into_iter().flatten().collect()
        }
    };
    let mut changed = snapshot.clone();
    for index in &chosen {
        let old = &snapshot.resources[*index];
        let new = match flag {
            Flag::Protect if old.protect != on => ResourceState { protect: on, ..ResourceState::clone(old) },
            Flag::Taint if old.taint != on => ResourceState { taint: on, ..ResourceState::clone(old) },
            _ => continue,
        };
        changed.resources[*index] = Arc::new(new);
    }
    Ok((changed, chosen.len()))
}
