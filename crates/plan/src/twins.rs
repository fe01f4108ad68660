//! States about one real thing: one of them was taken over by the id that the other has. While one of
//! them stays, the thing does too; where all go, one of them calls the provider.

use std::collections::{BTreeSet, HashMap, HashSet};

use purlin_diag::Diagnostic;
use purlin_model::{ProviderRef, ResourceState, Slot};

use crate::step::StepId;
use crate::table::{Fate, Planner};

/// Of states that are to be deleted, those for which no provider is called.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    /// Those whose thing another state is about, with that one.
    spared: HashMap<Slot, Slot>,
}

/// Whether a state stands for something real that its deletion would delete.
pub(crate) fn manages(state: &ResourceState) -> bool {
    state.custom && !state.external && !state.is_provider() && !state.pending_replacement
}

/// Whether a provider is one that nobody registered: those of a package are configured alike.
fn is_default(provider: &ProviderRef) -> bool {
    let name = provider.urn().name();
    name == "default" || name.starts_with("default_")
}

fn same_provider(one: &ProviderRef, other: &ProviderRef) -> bool {
    one == other || (is_default(one) && is_default(other) && one.package() == other.package())
}

fn was_imported(state: &ResourceState) -> bool {
    !state.import_id.is_empty() && state.import_id == state.id
}

/// Whether two states have one id at one provider.
pub(crate) fn same_place(one: &ResourceState, other: &ResourceState) -> bool {
    let providers = one.provider.as_ref().zip(other.provider.as_ref());
    one.id == other.id
        && one.ty == other.ty
        && providers.is_some_and(|(one, other)| same_provider(one, other))
}

/// Whether two states are surely about one thing. Equal ids alone don't say so: some providers give
/// all their resources the same. Of one resource a program may have taken over by way of another
/// provider what waits for deletion.
fn are_twins(one: &ResourceState, other: &ResourceState) -> bool {
    let one_resource = one.urn == other.urn && one.id == other.id;
    (was_imported(one) || was_imported(other)) && (one_resource || same_place(one, other))
}

impl Twins {
    /// Looks at states that are to be deleted together, in any order. What stands first in the list
    /// calls the provider, after the others have gone.
    pub(crate) fn new(planner: &Planner, slots: &[Slot]) -> Twins {
        let mut twins = Twins::default();
        if planner.imported.is_empty() {
            return twins;
        }
        let state = |slot: Slot| &*planner.entry(slot).state;
        let mut going: HashMap<&str, Vec<Slot>> = HashMap::new();
        let mut asks_all = false;
        for slot in slots.iter().copied().filter(|slot| manages(state(*slot))) {
            let imported = was_imported(state(slot));
            if imported || planner.imported.contains_key(&state(slot).id) {
                asks_all |= imported;
                going.entry(&state(slot).id).or_default().push(slot);
            }
        }
        if going.is_empty() {
            return twins;
        }
        let deleted: HashSet<Slot> = slots.iter().copied().collect();
        let stays = |slot: Slot| {
            let stands = planner.entry(slot).fate == Fate::Stands && !deleted.contains(&slot);
            manages(state(slot)) && (stands || state(slot).retain_on_delete)
        };
        let others: Vec<Slot> = match asks_all {
            true => planner.all_slots(),
            false => planner.imported.values().flatten().copied().collect(),
        };
        for other in others.into_iter().filter(|other| stays(*other)) {
            for slot in going.get(state(other).id.as_str()).into_iter().flatten() {
                if *slot != other && are_twins(state(*slot), state(other)) {
                    twins.spared.entry(*slot).or_insert(other);
                }
            }
        }
        for group in going.values_mut() {
            group.sort_by_key(|slot| planner.rank(*slot));
            group.retain(|slot| !twins.spared.contains_key(slot));
            for (place, slot) in group.iter().enumerate().skip(1) {
                if let Some(first) =
                    group[..place].iter().find(|first| are_twins(state(**first), state(*slot)))
                {
                    twins.spared.insert(*slot, *first);
                }
            }
        }
        twins
    }

    /// Whether no provider is called for a state, since another is about the same thing.
    pub(crate) fn spares(&self, slot: Slot) -> bool {
        self.spared.contains_key(&slot)
    }

    /// Whether a provider is called for each.
    pub(crate) fn is_empty(&self) -> bool {
        self.spared.is_empty()
    }

    /// States that are forgotten, each with the one that calls the provider for it, in some fixed order.
    fn forgotten(&self) -> Vec<(Slot, Slot)> {
        let mut all: Vec<(Slot, Slot)> = self.spared.iter().map(|(slot, first)| (*slot, *first)).collect();
        all.sort_unstable();
        all
    }

    /// Those that have to go before a state which calls the provider for them.
    pub(crate) fn before(&self, slot: Slot) -> impl Iterator<Item = Slot> {
        self.spared.iter().filter(move |(_, first)| **first == slot).map(|(spared, _)| *spared)
    }
}

impl Planner {
    /// Notes a state that was taken over by the id that it has.
    pub(crate) fn note_imported(&mut self, slot: Slot) {
        let state = &self.slots[slot.0 as usize].state;
        if was_imported(state) {
            let id = state.id.clone();
            self.imported.entry(id).or_default().push(slot);
        }
    }

    /// What a state needs that is only forgotten stays until its thing has gone with another state, unless
    /// that one, which is the newer, says that it is needed there.
    pub(crate) fn await_twins(&mut self, twins: &Twins, loose: &BTreeSet<(StepId, StepId)>) {
        for (slot, first) in twins.forgotten() {
            let steps = self.delete_under_way(slot).zip(self.delete_under_way(first));
            if let Some((forgotten, deleted)) = steps {
                self.steps.wait_also(forgotten, deleted, loose);
            }
        }
    }

    /// Says of a state that is forgotten why its thing is not deleted.
    pub(crate) fn say_spared(&mut self, twins: &Twins, slot: Slot) {
        let Some(other) = twins.spared.get(&slot) else { return };
        let (state, other) = (&self.entry(slot).state, &self.entry(*other).state);
        let urn = state.urn.clone();
        let message = format!(
            "'{}' of resource \"{urn}\" is not deleted with it: \"{}\" is about the same thing, by an import",
            state.id, other.urn
        );
        let hint = "only the entry in the state goes; remove the other resource to delete the thing";
        self.say(Diagnostic::warning("same-thing", message).with_urn(urn.as_str()).with_hint(hint));
    }
}
