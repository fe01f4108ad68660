//! Who refers to whom, as far as cascades ask: an index that is built when the first one starts.

use purlin_model::{QuickMap, Slot, Urn};

use crate::effect::Step;
use crate::step::StepId;
use crate::table::Planner;

/// The states of the base and the open steps that refer to a URN.
#[derive(Debug, Default)]
pub(crate) struct Dependents {
    states: QuickMap<Urn, Vec<Slot>>,
    steps: QuickMap<Urn, Vec<StepId>>,
}

impl Planner {
    /// Builds the index. A run without a cascade never needs it.
    pub(crate) fn index_dependents(&mut self) {
        if self.dependents.is_some() {
            return;
        }
        let mut index = Dependents::default();
        for (slot, entry) in (0u32..).map(Slot).zip(&self.slots).filter(|(_, entry)| !entry.new) {
            for urn in entry.state.references() {
                note(&mut index.states, urn, slot);
            }
        }
        self.dependents = Some(index);
        let open: Vec<Step> = self.steps.open().cloned().collect();
        for step in &open {
            self.note_references(step);
        }
    }

    /// Notes what the states before and after a step refer to.
    pub(crate) fn note_references(&mut self, step: &Step) {
        let Some(index) = &mut self.dependents else { return };
        let old = step.old.map(|slot| &self.slots[slot.0 as usize].state);
        for state in old.into_iter().chain(&step.draft) {
            for urn in state.references() {
                note(&mut index.steps, urn, step.id);
            }
        }
    }

    /// The states of the base that refer to a URN.
    pub(crate) fn states_on(&self, urn: &Urn) -> &[Slot] {
        self.dependents.as_ref().and_then(|index| index.states.get(urn)).map_or(&[], Vec::as_slice)
    }

    /// The steps that have not ended and whose states, before or after, refer to a URN.
    pub(crate) fn open_steps_on(&self, urn: &Urn) -> impl Iterator<Item = StepId> {
        let steps = self.dependents.as_ref().and_then(|index| index.steps.get(urn));
        steps.into_iter().flatten().copied().filter(|step| self.steps.is_open(*step))
    }
}

/// Whoever refers to something twice may be noted twice: those who ask count each once.
fn note<T>(index: &mut QuickMap<Urn, Vec<T>>, urn: &Urn, item: T) {
    match index.get_mut(urn) {
        Some(items) => items.push(item),
        None => {
            index.insert(urn.clone(), vec![item]);
        }
    }
}
