//! Deletes after the program.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{Slot, Urn};

use crate::along::Along;
use crate::decide::StepSeed;
use crate::effect::{After, StepReasons};
use crate::graph::{Node, StateGraph};
use crate::settings::Mode;
use crate::step::StepId;
use crate::table::{Fate, Planner, SlotEntry};

/// What is to be deleted, in the order of the list: what the run registered, then what is left of
/// the base.
pub(crate) type Condemned = BTreeMap<(u32, Slot), StepOp>;

/// The steps of nodes that have one so far.
fn steps_of<'a>(steps: &'a [Option<StepId>], nodes: &'a [u32]) -> impl Iterator<Item = StepId> + 'a {
    nodes.iter().filter_map(|node| steps[*node as usize])
}

fn seed(op: StepOp, slot: Slot, after: After) -> StepSeed {
    StepSeed {
        op,
        res: None,
        old: Some(slot),
        draft: None,
        reasons: StepReasons::default(),
        after,
        inputs_equal: false,
        wait_for: None,
    }
}

impl Planner {
    #[expect(clippy::cast_possible_truncation, reason = "slots are numbered by u32")]
    pub(crate) fn all_slots(&self) -> Vec<Slot> {
        (0..self.slots.len() as u32).map(Slot).collect()
    }

    /// Deletes what was replaced and what the program no longer registers (in a destroy, all),
    /// each after everything that refers to it.
    pub(crate) fn plan_deletes(&mut self) {
        let mut condemned = Condemned::new();
        for slot in self.all_slots() {
            if let Some(op) = self.delete_op(self.entry(slot)) {
                condemned.insert(self.rank(slot), op);
            }
        }
        self.limit_deletes(&mut condemned);
        if condemned.is_empty() {
            return;
        }
        self.spare_protected(&mut condemned);
        self.spare_for_failed(&mut condemned);
        if !self.allows_deletes(&condemned) {
            return self.stop();
        }
        self.delete_in_order(&condemned);
    }

    fn delete_in_order(&mut self, condemned: &Condemned) {
        let graph = StateGraph::new(self, condemned.keys().map(|(_, slot)| *slot));
        let slots: Vec<Slot> = condemned.keys().rev().map(|(_, slot)| *slot).collect();
        let along = Along::new(self, &slots);
        let mut steps: Vec<Option<StepId>> = vec![None; graph.len()];
        for (number, node, dependents) in graph.dependents_first() {
            let Node::State(slot) = node else {
                steps[number] = Some(self.steps.add_gate(&steps_of(&steps, dependents).collect()));
                continue;
            };
            if along.taker(slot).is_some() {
                // Until it has a step it stands for what has to go before it and what takes it along.
                if steps[number].is_none() {
                    steps[number] = Some(self.steps.add_gate(&steps_of(&steps, dependents).collect()));
                }
                continue;
            }
            let mut wait = BTreeSet::new();
            for slot in [slot].into_iter().chain(along.all_taken(slot)) {
                wait.extend(steps_of(&steps, graph.dependents_of(slot)));
                // What takes it along goes first, and so does some of what it needs.
                let first = along.needs(slot).iter().copied().chain(along.taker(slot));
                wait.extend(first.filter_map(|first| graph.number(first).and_then(|number| steps[number])));
                let twins = along.twins.before(slot);
                wait.extend(twins.filter_map(|twin| graph.number(twin).and_then(|number| steps[number])));
                let op = condemned.get(&self.rank(slot)).copied().unwrap_or(StepOp::Delete);
                let id = self.delete_last(slot, op, &along, &std::mem::take(&mut wait));
                if let Some(number) = graph.number(slot) {
                    steps[number] = Some(id);
                }
            }
        }
        self.await_more(&along, &slots);
    }

    /// Has deletes wait for others that the order of the list does not tell of. What goes along with a state
    /// keeps nothing of that from being heeded.
    pub(crate) fn await_more(&mut self, along: &Along, slots: &[Slot]) {
        let copies = self.later_copies(slots);
        if copies.is_empty() && along.twins.is_empty() {
            return;
        }
        let step = |slot| self.delete_under_way(slot);
        let loose = along.loose().filter(|(_, need)| !self.entry(*need).state.is_provider());
        let loose = loose.filter_map(|(slot, need)| step(slot).zip(step(need))).collect();
        self.await_twins(&along.twins, &loose);
        for (copy, user) in copies {
            if let Some((copy, user)) = self.delete_under_way(copy).zip(self.delete_under_way(user)) {
                self.steps.wait_unless_awaited(copy, user, &loose);
            }
        }
    }

    /// Old copies that stand after others which refer to them, each with such a one: that was left alone for
    /// a while before it was replaced, too.
    fn later_copies(&self, slots: &[Slot]) -> Vec<(Slot, Slot)> {
        let mut waits: Vec<(Slot, Slot)> = Vec::new();
        let mut later: HashMap<&Urn, Vec<Slot>> = HashMap::new();
        for slot in slots.iter().filter(|slot| self.entry(**slot).state.delete) {
            let state = &self.entry(*slot).state;
            let needed: BTreeSet<&Urn> = state.references().map(|urn| self.new_name(urn)).collect();
            let copies = needed.into_iter().filter_map(|urn| later.get(urn)).flatten();
            waits.extend(copies.map(|copy| (*copy, *slot)));
            later.entry(&state.urn).or_default().push(*slot);
        }
        waits
    }

    /// A delete at the end of a run.
    fn delete_last(&mut self, slot: Slot, op: StepOp, along: &Along, wait: &BTreeSet<StepId>) -> StepId {
        let state = Arc::clone(&self.entry(slot).state);
        let calls = !(state.retain_on_delete
            || state.external
            || along.spares(slot)
            || matches!(op, StepOp::RemovePendingReplace | StepOp::Discard | StepOp::DiscardReplaced));
        let cause = Some(Arc::new(self.cause_of_delete(op, slot)));
        let reasons = StepReasons { cause, ..StepReasons::default() };
        let seed = StepSeed { reasons, ..seed(op, slot, After::Remove(slot)) };
        #[cfg(feature = "planted")]
        let wait = if crate::planted::is(crate::planted::Bug::DeleteOrder) { &BTreeSet::new() } else { wait };
        self.say_spared(&along.twins, slot);
        let id = self.run_step_after(seed, calls, wait);
        self.entry_mut(slot).fate = Fate::Condemned(id);
        id
    }

    /// Whether the update plan that is followed, if one is, allows some deletes. One that it doesn't
    /// allow keeps all from being done.
    fn allows_deletes(&mut self, condemned: &Condemned) -> bool {
        condemned.iter().rev().all(|((_, slot), op)| {
            let urn = self.entry(*slot).state.urn.clone();
            self.allows(&urn, &[*op])
        })
    }

    /// Where a state stands in the list.
    pub(crate) fn rank(&self, slot: Slot) -> (u32, Slot) {
        (self.entry(slot).place, slot)
    }

    fn delete_op(&self, entry: &SlotEntry) -> Option<StepOp> {
        let state = &entry.state;
        if state.view_of.is_some() {
            return None;
        }
        match entry.fate {
            Fate::Gone | Fate::Condemned(_) => return None,
            Fate::AwaitsReplacement => {
                return (!self.is_wanted(entry)).then_some(StepOp::RemovePendingReplace);
            }
            Fate::Stands => {}
        }
        if entry.carried && state.is_provider() && self.settings.mode == Mode::Update {
            return None;
        }
        if state.delete {
            return Some(if state.external { StepOp::DiscardReplaced } else { StepOp::DeleteReplaced });
        }
        let kept = entry.new && self.settings.mode != Mode::Destroy;
        if kept || self.is_wanted(entry) {
            return None;
        }
        Some(if state.pending_replacement {
            StepOp::RemovePendingReplace
        } else if state.external {
            StepOp::Discard
        } else {
            StepOp::Delete
        })
    }

    /// Whether the program has registered what has this state, and nothing has replaced it.
    fn is_wanted(&self, entry: &SlotEntry) -> bool {
        let wanted = entry.claimed.is_some() || entry.carried;
        self.settings.mode == Mode::Update && wanted && !entry.marked
    }
}
