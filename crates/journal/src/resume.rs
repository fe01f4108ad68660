//! Going on with a fold from a snapshot of it.
//!
//! A long operation writes checkpoints on the way, so that its journal does not grow without end. A
//! snapshot says what is there, but not by which numbers entries name it, nor what has no place in the
//! run's order yet, nor what became of names. That is a [`Continuation`].

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use purlin_model::{Extension, QuickMap, Slot, Snapshot, Urn, hash::map_for};

use crate::entry::OpId;
use crate::error::FoldError;
use crate::fold::{Cell, Fold, Gone};
use crate::index::ReverseIndex;

/// What a fold knows and its snapshot ([`Fold::snapshot`]) does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Continuation {
    /// The numbers of the snapshot's states, in its order.
    pub slots: Vec<Slot>,
    /// How many of them have their place in the run's order. They come first.
    pub placed: usize,
    /// How many states the run's base had. Their numbers are below this, those of new states are not.
    pub base_slots: u32,
    /// The first number above all that were ever used.
    pub next_slot: u32,
    /// The operations that are under way: the first of the snapshot's pending ones.
    pub begun: Vec<OpId>,
    /// Where the snapshot's other pending operations stood in the run's base.
    pub pending: Vec<u32>,
    /// How many pending operations the run's base had.
    pub pending_count: u32,
    /// New views of states that stand where the base has them, by those states.
    pub behind: BTreeMap<Slot, Vec<Slot>>,
    /// What became of names, sorted.
    pub gone: Vec<(Urn, Gone)>,
    /// Extensions that no state refers to yet.
    pub extensions: Vec<Arc<Extension>>,
}

impl Fold {
    /// What [`Fold::resume`] needs beside [`Fold::snapshot`].
    pub fn continuation(&self) -> Continuation {
        let slots: Vec<Slot> = self.states().map(|(slot, _)| slot).collect();
        let placed = slots.iter().filter(|slot| self.is_placed(**slot)).count();
        let mut gone: Vec<(Urn, Gone)> =
            self.gone.iter().map(|(urn, gone)| (urn.clone(), gone.clone())).collect();
        gone.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let kept = self.snapshot().extensions;
        let unused = self.extensions.iter().filter(|(reference, _)| !kept.contains_key(*reference));
        Continuation {
            slots,
            placed,
            base_slots: u32::try_from(self.base_cells.len()).unwrap_or(u32::MAX),
            next_slot: self.next_slot,
            begun: self.begun.keys().copied().collect(),
            pending: self.pending.keys().copied().collect(),
            pending_count: self.pending_count,
            behind: self.behind.iter().map(|(owner, views)| (*owner, views.clone())).collect(),
            gone,
            extensions: unused.map(|(_, extension)| Arc::clone(extension)).collect(),
        }
    }

    /// The fold whose snapshot and continuation these are: whatever is applied to it gives what it
    /// would have given there.
    pub fn resume(snapshot: Arc<Snapshot>, from: &Continuation) -> Result<Fold, FoldError> {
        check(&snapshot, from)?;
        let mut by_urn: QuickMap<Urn, Vec<Slot>> = map_for(snapshot.resources.len());
        let mut base_cells = vec![Cell::default(); from.base_slots as usize];
        let mut new_cells: QuickMap<Slot, Cell> = QuickMap::default();
        for ((place, slot), state) in (0u32..).zip(&from.slots).zip(&snapshot.resources) {
            by_urn.entry(state.urn.clone()).or_default().push(*slot);
            let place = ((place as usize) < from.placed).then_some(place);
            let cell = Cell { state: Some(Arc::clone(state)), place };
            match base_cells.get_mut(slot.0 as usize) {
                Some(known) => *known = cell,
                None => drop(new_cells.insert(*slot, cell)),
            }
        }
        by_urn.values_mut().for_each(|slots| slots.sort_unstable());
        let (begun, pending) = snapshot.pending_operations.split_at(from.begun.len());
        let mut extensions = snapshot.extensions.clone();
        extensions.extend(from.extensions.iter().map(|known| (known.reference.clone(), Arc::clone(known))));
        Ok(Fold {
            base_cells,
            new_cells,
            order: from.slots[..from.placed].to_vec(),
            behind: from.behind.iter().map(|(owner, views)| (*owner, views.clone())).collect(),
            living: snapshot.resources.len(),
            next_slot: from.next_slot,
            by_urn,
            referrers: ReverseIndex::default(),
            gone: from.gone.iter().cloned().collect(),
            begun: from.begun.iter().copied().zip(begun.iter().cloned()).collect(),
            pending: from.pending.iter().copied().zip(pending.iter().cloned()).collect(),
            pending_count: from.pending_count,
            extensions,
            base: snapshot,
        })
    }
}

/// Whether a continuation can be that of a snapshot.
fn check(snapshot: &Snapshot, from: &Continuation) -> Result<(), FoldError> {
    let refuse = |why| Err(FoldError::NotContinued(why));
    let distinct: HashSet<Slot> = from.slots.iter().copied().collect();
    if from.slots.len() != snapshot.resources.len() || from.placed > from.slots.len() {
        return refuse("it has another number of states");
    }
    if distinct.len() != from.slots.len() || distinct.iter().any(|slot| slot.0 >= from.next_slot) {
        return refuse("its states are numbered wrongly");
    }
    if from.base_slots > from.next_slot {
        return refuse("the states of its base are numbered wrongly");
    }
    let pending = snapshot.pending_operations.len();
    if from.begun.len() + from.pending.len() != pending {
        return refuse("it has another number of pending operations");
    }
    if from.pending.iter().any(|place| *place >= from.pending_count) {
        return refuse("its pending operations are numbered wrongly");
    }
    Ok(())
}
