//! The reverse index: who refers to a URN.

use purlin_model::{QuickMap, ResourceState, Slot, Urn};

/// Which states refer to a URN. It is built when it is first asked (a run that neither renames nor
/// removes never asks) and kept up from then on. Entries may be stale: whoever asks has to look at
/// the states.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReverseIndex {
    by_target: Option<QuickMap<Urn, Vec<Slot>>>,
}

impl ReverseIndex {
    /// The states that refer, or referred, to a URN, each once.
    pub(crate) fn referrers<'a>(
        &mut self,
        urn: &Urn,
        states: impl Iterator<Item = (Slot, &'a ResourceState)>,
    ) -> Vec<Slot> {
        let index = self.by_target.get_or_insert_with(|| {
            let mut index = QuickMap::default();
            for (slot, state) in states {
                insert(&mut index, slot, state);
            }
            index
        });
        let mut slots = index.get(urn).cloned().unwrap_or_default();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Notes what a state refers to; `before` is what stood in its slot.
    pub(crate) fn note(&mut self, slot: Slot, before: Option<&ResourceState>, state: &ResourceState) {
        let Some(index) = &mut self.by_target else { return };
        if before.is_some_and(|before| before.references().eq(state.references())) {
            return;
        }
        insert(index, slot, state);
    }
}

fn insert(index: &mut QuickMap<Urn, Vec<Slot>>, slot: Slot, state: &ResourceState) {
    for urn in state.references() {
        match index.get_mut(urn) {
            Some(slots) if slots.last() == Some(&slot) => {}
            Some(slots) => slots.push(slot),
            None => {
                index.insert(urn.clone(), vec![slot]);
            }
        }
    }
}
