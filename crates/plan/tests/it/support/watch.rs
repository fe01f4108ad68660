//! Rules that hold in every run, whatever the planner decides.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use purlin_journal::Fold;
use purlin_model::{ResourceState, Slot};
use purlin_plan::{After, Planner, Step, StepId};

/// Watches the steps of a run.
#[derive(Default)]
pub struct Watch {
    busy: HashMap<Slot, StepId>,
    ids: HashSet<StepId>,
    /// The steps under way, with the states before and after.
    running: HashMap<StepId, (Slot, Vec<Arc<ResourceState>>)>,
    /// Deletes that have begun: the state, and whether it was after the program.
    deleted: Vec<(Slot, Arc<ResourceState>, bool)>,
}

fn slots(step: &Step) -> Vec<Slot> {
    let mut slots: Vec<Slot> = step.old.into_iter().collect();
    match step.after {
        After::Place { slot, replaces } => slots.extend([Some(slot), replaces].into_iter().flatten()),
        After::PlaceAndMark { slot, old } => slots.extend([slot, old]),
        After::Keep(slot)
        | After::Amend(slot)
        | After::Stay(slot)
        | After::Remove(slot)
        | After::MarkPendingReplacement(slot) => slots.push(slot),
    }
    slots.sort();
    slots.dedup();
    slots
}

impl Watch {
    /// A step begins. Says which rule that breaks, if it breaks one.
    pub fn began(
        &mut self,
        step: &Step,
        planner: &Planner,
        fold: &Fold,
        at_the_end: bool,
    ) -> Result<(), String> {
        let rule = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
        let name = format!("{} {} ({:?})", step.op.as_str(), step.urn.name(), step.id);
        rule(self.ids.insert(step.id), format!("{name} is taken twice"))?;
        for slot in slots(step) {
            let other = self.busy.insert(slot, step.id);
            rule(other.is_none(), format!("{name} and {other:?} are at once on {slot:?}"))?;
        }
        // What is deleted already needs nothing any more.
        let old = step.old.map(|slot| Arc::clone(planner.state(slot))).filter(|s| !s.pending_replacement);
        let place = step.old.unwrap_or(Slot(u32::MAX));
        self.running.insert(step.id, (place, old.into_iter().chain(step.draft.clone()).collect()));
        let (After::Remove(slot) | After::MarkPendingReplacement(slot)) = step.after else { return Ok(()) };
        let state = Arc::clone(planner.state(slot));
        // A step that was decided on later is about a state that was to stay.
        for (id, (place, states)) in self.running.iter().filter(|(id, _)| **id < step.id) {
            let refers = states.iter().any(|s| s.references().any(|urn| *urn == state.urn));
            rule(!refers || *place < slot, format!("{name} begins under {id:?}"))?;
        }
        rule(fold.state(slot).is_some(), format!("{name} deletes what is not there"))?;
        // What went along with another is gone already, with everything that it needed.
        let taker = |gone: &ResourceState| state.deleted_with.as_ref() == Some(&gone.urn);
        // Nothing real goes with a provider either: it may stay until what it serves has gone along.
        let taken = !step.calls_provider && self.deleted.iter().any(|(_, gone, _)| taker(gone))
            || state.is_provider();
        for (other, gone, gone_at_the_end) in self.deleted.iter().filter(|_| !taken) {
            let late = *gone_at_the_end == at_the_end && needs(&state, gone, at_the_end) && *other < slot;
            rule(!late, format!("{name} is late: {} was deleted before", gone.urn.name()))?;
        }
        self.deleted.push((slot, state, at_the_end));
        Ok(())
    }

    /// A step has ended.
    pub fn ended(&mut self, step: &Step) {
        self.running.remove(&step.id);
        for slot in slots(step) {
            self.busy.remove(&slot);
        }
    }
}

/// Whether a state has to be deleted before another. In a cascade only some edges count.
fn needs(state: &ResourceState, other: &ResourceState, at_the_end: bool) -> bool {
    if at_the_end {
        return state.references().any(|urn| *urn == other.urn);
    }
    let with = state.deleted_with.as_ref() == Some(&other.urn);
    let provided = state.provider.as_ref().is_some_and(|p| *p.urn() == other.urn);
    with || provided || state.replace_with.contains(&other.urn)
}
