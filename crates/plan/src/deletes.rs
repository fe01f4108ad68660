//! Deletes after the program.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{ResourceState, Slot, Urn};

use crate::decide::StepSeed;
use crate::effect::{After, StepReasons};
use crate::rule::Rule;
use crate::settings::Mode;
use crate::step::StepId;
use crate::table::{Fate, Phase, Planner, SlotEntry};

/// What is to be deleted, in the order of the list: what the run registered, then what is left of
/// the base.
type Condemned = BTreeMap<(u32, Slot), StepOp>;

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
        self.spare_protected(&mut condemned);
        self.spare_for_failed(&mut condemned);
        if !self.allows_deletes(&condemned) {
            return self.stop();
        }
        let graph = DeleteGraph::new(self, condemned.keys().map(|(_, slot)| *slot));
        let mut steps: BTreeMap<Slot, StepId> = BTreeMap::new();
        for ((_, slot), op) in condemned.iter().rev() {
            let wait: BTreeSet<StepId> =
                graph.dependents_of(*slot).iter().filter_map(|other| steps.get(other).copied()).collect();
            let state = Arc::clone(&self.entry(*slot).state);
            let with = state.deleted_with.as_ref().is_some_and(|urn| graph.deletes(urn));
            let calls = !(state.retain_on_delete
                || state.external
                || with
                || matches!(op, StepOp::RemovePendingReplace | StepOp::Discard | StepOp::DiscardReplaced));
            let cause = Some(Arc::new(self.cause_of_delete(*op, *slot)));
            let reasons = StepReasons { cause, ..StepReasons::default() };
            let seed = StepSeed { reasons, ..seed(*op, *slot, After::Remove(*slot)) };
            let id = self.run_step_after(seed, calls, &wait);
            self.entry_mut(*slot).fate = Fate::Condemned(id);
            steps.insert(*slot, id);
        }
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
    fn rank(&self, slot: Slot) -> (u32, Slot) {
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

    /// Takes protected resources out, and with them everything that they need. Without
    /// `exclude_protected` each is an error.
    fn spare_protected(&mut self, condemned: &mut Condemned) {
        if self.settings.ignore_protect {
            return;
        }
        let protected: Vec<Slot> = condemned
            .iter()
            .filter(|((_, slot), op)| **op == StepOp::Delete && self.entry(*slot).state.protect)
            .map(|((_, slot), _)| *slot)
            .collect();
        if protected.is_empty() {
            return;
        }
        let excludes = self.settings.exclude_protected;
        self.fire(if excludes { Rule::ProtectedExcluded } else { Rule::ProtectedDelete });
        if !self.settings.exclude_protected {
            for slot in &protected {
                let urn = self.entry(*slot).state.urn.clone();
                self.say(protected_delete(&urn));
            }
            self.failed = true;
        }
        let graph = DeleteGraph::new(self, condemned.keys().map(|(_, slot)| *slot));
        keep_needs(condemned, &graph, protected.into_iter().collect());
    }

    /// Where registrations failed or were skipped and the run went on: keeps what their old states
    /// need. What needed them is kept, too, since the program may have left it out only because it
    /// had nothing to make it from; the next run that goes well deletes it.
    fn spare_for_failed(&mut self, condemned: &mut Condemned) {
        if !self.failed || self.settings.mode != Mode::Update {
            return;
        }
        let failed = |phase: &Phase| matches!(phase, Phase::Failed | Phase::Skipped);
        let failed: BTreeSet<Slot> =
            self.resources.iter().filter(|r| failed(&r.phase)).filter_map(|r| r.old).collect();
        if failed.is_empty() {
            return;
        }
        let failed_ranks = failed.iter().map(|slot| self.rank(*slot));
        let slots: BTreeSet<(u32, Slot)> = failed_ranks.chain(condemned.keys().copied()).collect();
        let graph = DeleteGraph::new(self, slots.iter().map(|(_, slot)| *slot));
        let mut kept: HashSet<Slot> = failed.into_iter().collect();
        for (_, slot) in &slots {
            if kept.contains(slot) {
                let dependents = graph.dependents_of(*slot).iter().copied();
                let deleted = |other: &Slot| condemned.get(&self.rank(*other)) == Some(&StepOp::Delete);
                kept.extend(dependents.filter(deleted));
            }
        }
        let all = condemned.len();
        keep_needs(condemned, &graph, kept);
        if condemned.len() < all {
            self.fire(Rule::SparedForFailed);
        }
    }
}

/// Takes what is kept out of what is to be deleted, and with it everything that it needs.
fn keep_needs(condemned: &mut Condemned, graph: &DeleteGraph, mut kept: HashSet<Slot>) {
    for (_, slot) in condemned.keys().rev() {
        if graph.dependents_of(*slot).iter().any(|other| kept.contains(other)) {
            kept.insert(*slot);
        }
    }
    condemned.retain(|(_, slot), _| !kept.contains(slot));
}

fn protected_delete(urn: &Urn) -> Diagnostic {
    let message = format!(
        "resource \"{urn}\" cannot be deleted\nbecause it is protected. To unprotect the resource, either remove \
         the `protect` flag from the resource in your program and run `up`, or use the command:\n\
         `pulumi state unprotect '{urn}'`"
    );
    Diagnostic::error("protected-delete", message).with_urn(urn.as_str())
}

/// Which of the states to be deleted refer to which.
struct DeleteGraph {
    dependents: HashMap<Slot, Vec<Slot>>,
    urns: HashSet<Urn>,
}

impl DeleteGraph {
    /// Looks only at these states, in their order. What a state refers to stands before it, so the
    /// graph has no cycles; a state that refers to a component refers to all that is below it, too.
    fn new(planner: &Planner, slots: impl Iterator<Item = Slot>) -> DeleteGraph {
        let mut by_urn: HashMap<&Urn, Vec<Slot>> = HashMap::new();
        let mut below: HashMap<&Urn, Vec<Slot>> = HashMap::new();
        let mut dependents: HashMap<Slot, Vec<Slot>> = HashMap::new();
        let mut parents: HashMap<&Urn, &Urn> = HashMap::new();
        let mut urns = HashSet::new();
        for slot in slots {
            let state: &ResourceState = &planner.entry(slot).state;
            urns.insert(state.urn.clone());
            let mut needs: BTreeSet<Slot> = BTreeSet::new();
            for urn in state.references() {
                needs.extend(by_urn.get(urn).into_iter().flatten());
                if state.parent.as_ref() != Some(urn) {
                    needs.extend(below.get(urn).into_iter().flatten());
                }
            }
            for need in needs {
                dependents.entry(need).or_default().push(slot);
            }
            by_urn.entry(&state.urn).or_default().push(slot);
            if let Some(parent) = &state.parent {
                parents.insert(&state.urn, parent);
            }
            let mut ancestor = state.parent.as_ref();
            let mut steps = 0;
            while let Some(urn) = ancestor {
                if urn.ty() != purlin_model::urn::STACK_TYPE {
                    below.entry(urn).or_default().push(slot);
                }
                steps += 1;
                ancestor = if steps > 1000 { None } else { parents.get(urn).copied() };
            }
        }
        DeleteGraph { dependents, urns }
    }

    fn dependents_of(&self, slot: Slot) -> &[Slot] {
        self.dependents.get(&slot).map_or(&[], Vec::as_slice)
    }

    fn deletes(&self, urn: &Urn) -> bool {
        self.urns.contains(urn)
    }
}
