//! What goes along with the deletion of another (`deletedWith`): its provider is not called, so it
//! must not be forgotten before the other is really deleted. It goes right after that one, which
//! waits for everything that needs what goes along.

use std::collections::{BTreeMap, HashMap, HashSet};

use purlin_model::{ProviderRef, Slot, Urn};

use crate::settings::Mode;
use crate::table::{Fate, Planner};
use crate::twins::Twins;

/// Who takes whom along, among states that are all to be deleted.
#[derive(Debug, Default)]
pub(crate) struct Along {
    taken_by: HashMap<Slot, Slot>,
    /// Those of them that go right after what takes them along.
    takes: HashMap<Slot, Vec<Slot>>,
    follows: HashMap<Slot, Slot>,
    /// The providers of those that follow, where they would go before.
    providers: HashMap<Slot, Vec<Slot>>,
    /// What those that follow refer to.
    needs: HashMap<Slot, Vec<Slot>>,
    /// The other way around: those that follow and refer to a state.
    needed_by: HashMap<Slot, Vec<Slot>>,
    pub(crate) twins: Twins,
}

/// Whether what is deleted with a state shares its fate. What is retained keeps what is inside it:
/// whoever keeps a cluster does not want its databases deleted. What was only read takes nothing
/// along, and neither does what waits for its replacement, or a component, if something real of its
/// name may have been made: nobody knows whether it is inside that. Nor does a component in whose place
/// something real is made: it would go with that.
fn takes_along(planner: &Planner, slot: Slot) -> bool {
    let entry = planner.entry(slot);
    let state = &entry.state;
    let made_again = (state.pending_replacement || !state.custom) && planner.may_exist.contains(&state.urn);
    let made_real = !state.custom
        && planner.settings.mode == Mode::Update
        && entry.claimed.is_some_and(|res| planner.get(res).goal.custom);
    !state.external && !made_again && !made_real
}

/// The real things, besides states that are to be deleted, whose names these are deleted with.
fn real_besides<'a>(
    planner: &'a Planner,
    slots: &[Slot],
    with: &dyn Fn(&Slot) -> Option<&'a Urn>,
) -> Vec<Slot> {
    let named: HashSet<&Urn> = slots.iter().filter_map(with).collect();
    let deleted: HashSet<&Slot> = slots.iter().collect();
    let is_real = |slot: &Slot| {
        let entry = planner.entry(*slot);
        let state = &entry.state;
        let exists = matches!(entry.fate, Fate::Stands | Fate::Condemned(_)) && !state.pending_replacement;
        exists && state.custom && !state.external && !state.is_provider() && named.contains(&state.urn)
    };
    planner.all_slots().into_iter().filter(|slot| !deleted.contains(slot) && is_real(slot)).collect()
}

impl Along {
    /// Looks at the states in the order in which they are to be deleted.
    pub(crate) fn new(planner: &Planner, slots: &[Slot]) -> Along {
        let mut along = Along { twins: Twins::new(planner, slots), ..Along::default() };
        let with = |slot: &Slot| planner.entry(*slot).state.deleted_with.as_ref();
        if slots.iter().all(|slot| with(slot).is_none()) {
            return along;
        }
        // An old copy that an earlier run left takes along old copies only.
        let left = |slot: &Slot| planner.entry(*slot).state.delete && !planner.entry(*slot).marked;
        // What stays real for another's sake keeps what is inside it.
        let takes = |slot: Slot| takes_along(planner, slot) && !along.twins.spares(slot);
        let mut by_urn: HashMap<(&Urn, bool), Slot> = HashMap::new();
        // A component stands for nothing real where something real of its name stays, or was only read.
        let others = real_besides(planner, slots, &with);
        let staying: HashSet<&Urn> = slots
            .iter()
            .filter(|slot| !takes(**slot))
            .chain(&others)
            .map(|slot| &planner.entry(*slot).state.urn)
            .collect();
        // Of two old copies nobody knows which was made with which.
        let spared = slots.iter().filter(|slot| along.twins.spares(**slot));
        let left_besides: HashSet<&Urn> = others
            .iter()
            .chain(spared)
            .filter(|slot| left(slot))
            .map(|slot| &planner.entry(*slot).state.urn)
            .collect();
        for slot in slots {
            let state = &planner.entry(*slot).state;
            if takes(*slot) && (state.custom || !staying.contains(&state.urn)) {
                by_urn.insert((&state.urn, left(slot)), *slot);
            }
        }
        let places: HashMap<Slot, usize> = slots.iter().copied().zip(0..).collect();
        let mut providers: HashMap<ProviderRef, usize> = HashMap::new();
        for (slot, place) in slots.iter().zip(0..) {
            if let Some(provider) = planner.entry(*slot).state.as_provider() {
                providers.insert(provider, place);
            }
        }
        // What stands first in the list comes first here, so that it is known what a taker follows.
        let mut roots: HashMap<Slot, Slot> = HashMap::new();
        let mut late: BTreeMap<Slot, Slot> = BTreeMap::new();
        for slot in slots.iter().rev() {
            let taker = |urn| {
                let live = || by_urn.get(&(urn, false));
                match left(slot) {
                    true if left_besides.contains(urn) => None,
                    true => by_urn.get(&(urn, true)).or_else(live),
                    false => live(),
                }
            };
            // What is only forgotten goes with nothing.
            let with = with(slot).filter(|_| !along.twins.spares(*slot));
            let Some(other) = with.and_then(taker).filter(|other| *other != slot) else { continue };
            along.taken_by.insert(*slot, *other);
            let state = &planner.entry(*slot).state;
            let root = roots.get(other).copied().unwrap_or(*other);
            // Nothing real goes with a provider, whichever of the two it is.
            if state.is_provider() || planner.entry(*other).state.is_provider() {
                continue;
            }
            along.takes.entry(*other).or_default().push(*slot);
            along.follows.insert(*slot, *other);
            roots.insert(*slot, root);
            let provider = state.provider.as_ref().and_then(|provider| providers.get(provider));
            if let Some(place) = provider.filter(|place| **place < places[&root]) {
                // Nothing real goes with a provider: it stays until what it serves has gone.
                let after = late.entry(slots[*place]).or_insert(root);
                *after = if places[&root] > places[after] { root } else { *after };
            }
        }
        along.takes.values_mut().for_each(|taken| taken.reverse());
        for (provider, root) in late {
            along.follows.insert(provider, root);
            along.providers.entry(root).or_default().push(provider);
        }
        along.note_needs(planner, slots);
        along
    }

    fn note_needs(&mut self, planner: &Planner, slots: &[Slot]) {
        if self.follows.is_empty() {
            return;
        }
        let mut named: HashMap<&Urn, Vec<Slot>> = HashMap::new();
        for slot in slots {
            named.entry(&planner.entry(*slot).state.urn).or_default().push(*slot);
        }
        for slot in self.follows.keys() {
            let found = planner.entry(*slot).state.references().filter_map(|urn| named.get(urn)).flatten();
            let found: Vec<Slot> = found.copied().collect();
            for need in &found {
                self.needed_by.entry(*need).or_default().push(*slot);
            }
            self.needs.insert(*slot, found);
        }
    }

    /// What a state that goes along refers to: some of it may go first.
    pub(crate) fn needs(&self, slot: Slot) -> &[Slot] {
        self.needs.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Those that go along and refer to a state, directly or by way of others that go along. They may go
    /// after it; what refers to them may not.
    pub(crate) fn need(&self, slot: Slot) -> Vec<Slot> {
        let mut all: Vec<Slot> = Vec::new();
        let mut seen: HashSet<Slot> = HashSet::new();
        let mut work = vec![slot];
        while let Some(slot) = work.pop() {
            let others = self.needed_by.get(&slot).into_iter().flatten().copied();
            let fresh: Vec<Slot> = others.filter(|other| seen.insert(*other)).collect();
            all.extend(&fresh);
            work.extend(fresh);
        }
        all
    }

    /// What goes along, each with what it refers to and what does not go along: that waits for it where it
    /// can, but need not.
    pub(crate) fn loose(&self) -> impl Iterator<Item = (Slot, Slot)> {
        let pairs = self.needs.iter().flat_map(|(slot, needs)| needs.iter().map(|need| (*slot, *need)));
        pairs.filter(|(_, need)| !self.follows.contains_key(need))
    }

    /// Whether no provider is called for a state: another is about its thing, or takes it along.
    pub(crate) fn spares(&self, slot: Slot) -> bool {
        self.taken_by.contains_key(&slot) || self.twins.spares(slot)
    }

    /// The state that takes another along and goes before it.
    pub(crate) fn taker(&self, slot: Slot) -> Option<Slot> {
        self.follows.get(&slot).copied()
    }

    /// What a state takes along, directly and by way of others.
    pub(crate) fn all_taken(&self, slot: Slot) -> Vec<Slot> {
        let takes = |slot: &Slot| self.takes.get(slot).into_iter().flatten().copied();
        let serves = |slot: &Slot| self.providers.get(slot).into_iter().flatten().copied();
        let mut all: Vec<Slot> = takes(&slot).collect();
        let mut late: Vec<Slot> = serves(&slot).collect();
        let mut next = 0;
        loop {
            while let Some(taken) = all.get(next).copied() {
                next += 1;
                all.extend(takes(&taken));
                late.extend(serves(&taken));
            }
            if late.is_empty() {
                break;
            }
            all.append(&mut late);
        }
        all
    }

    /// The order of deletion in which everything that goes along follows what takes it.
    pub(crate) fn order(&self, slots: &[Slot]) -> Vec<Slot> {
        if self.follows.is_empty() {
            return slots.to_vec();
        }
        let mut order = Vec::with_capacity(slots.len());
        for slot in slots.iter().filter(|slot| !self.follows.contains_key(slot)) {
            order.push(*slot);
            order.extend(self.all_taken(*slot));
        }
        order
    }
}
