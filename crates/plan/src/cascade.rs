//! Delete-before-replace as a transaction of the planner.
//!
//! From the start of a cascade until its deletes are emitted, the root, its old dependents and
//! their registrations are held: registrations are parked, and answers that come in are kept and
//! not acted on. One cascade is decided at a time; it takes along the dependents that wait for a
//! cascade of their own, so that nothing is deleted before what refers to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{Cause, QuickMap, QuickSet, ResourceState, Slot, Urn, hash::set_of};

use crate::along::Along;
use crate::cause;
use crate::decide::StepSeed;
use crate::effect::{After, Effect, StepReasons};
use crate::input::DiffFacts;
use crate::rule::Rule;
use crate::step::StepId;
use crate::table::{Fate, Held, Phase, Planner, ResId};

/// The cascades that wait, and the one being decided.
#[derive(Debug, Default)]
pub(crate) struct Cascades {
    queue: VecDeque<ResId>,
    active: Option<Active>,
    reasons: QuickMap<Slot, Reason>,
}

/// The properties for whose sake a dependent goes, and what led to it.
type Reason = (Vec<String>, Arc<Cause>);

#[derive(Debug)]
struct Active {
    root: ResId,
    old: Slot,
    /// Dependents that may have to go, in the base's order.
    candidates: Vec<Slot>,
    next: usize,
    condemned: BTreeMap<Slot, Reason>,
    condemned_urns: QuickSet<Urn>,
    held: QuickSet<Slot>,
    asked: Option<Slot>,
}

impl Cascades {
    pub(crate) fn enqueue(&mut self, res: ResId) {
        self.queue.push_back(res);
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.active = None;
    }

    /// Whether a cascade of this run deleted a state that is not its root's.
    pub(crate) fn took(&self, slot: Slot) -> bool {
        self.reasons.contains_key(&slot)
    }

    /// Why a dependent was replaced; what no cascade of this run took was left by an earlier one.
    pub(crate) fn reasons_of(&self, slot: Slot) -> Reason {
        let left = || (Vec::new(), Arc::new(Cause::PendingReplacement));
        self.reasons.get(&slot).cloned().unwrap_or_else(left)
    }
}

enum Verdict {
    Stays,
    Goes(Cause),
    Ask(Vec<String>),
}

impl Planner {
    /// Whether the cascade being decided holds a registration.
    pub(crate) fn holds(&self, res: ResId) -> bool {
        let old = self.get(res).old;
        self.cascades.active.as_ref().is_some_and(|a| old.is_some_and(|slot| a.held.contains(&slot)))
    }

    /// Starts the next cascade if none is being decided, and goes on with the one that is.
    pub(crate) fn pump_cascades(&mut self) {
        while !self.stopping {
            if self.cascades.active.is_none() {
                let Some(root) = self.cascades.queue.pop_front() else { return };
                self.start_cascade(root);
            } else if self.decide_members() {
                self.end_cascade();
            } else {
                return;
            }
        }
    }

    /// Finds who may have to go. Where the root's old state goes already, with another's cascade, there is
    /// no new one: it is only created anew.
    fn start_cascade(&mut self, root: ResId) {
        let Some(old) = self.get(root).old else { return };
        if self.is_recreated(old) {
            let facts = self.facts_of_root(root);
            return self.create_after_delete(root, old, facts);
        }
        self.index_dependents();
        let urn = self.entry(old).state.urn.clone();
        let mut reached = set_of(urn.clone());
        let mut work = vec![urn.clone()];
        let mut candidates = BTreeSet::new();
        while let Some(urn) = work.pop() {
            for slot in self.states_on(&urn) {
                let entry = self.entry(*slot);
                // What a provider that waits for deletion serves may still be there.
                let last = entry.state.delete && entry.state.is_provider();
                let settled =
                    last || *slot == old || entry.fate != Fate::Stands || self.is_decided(entry.claimed);
                if !settled && candidates.insert(*slot) && reached.insert(entry.state.urn.clone()) {
                    work.push(entry.state.urn.clone());
                }
            }
        }
        self.cascades.active = Some(Active {
            root,
            old,
            held: candidates.iter().copied().collect(),
            candidates: candidates.into_iter().collect(),
            next: 0,
            condemned: BTreeMap::new(),
            condemned_urns: set_of(urn),
            asked: None,
        });
    }

    /// Whether it is settled what becomes of a registration, as far as a cascade cares.
    fn is_decided(&self, claimed: Option<ResId>) -> bool {
        claimed.is_some_and(|res| {
            matches!(self.get(res).phase, Phase::Stepping | Phase::Done | Phase::Failed | Phase::Skipped)
        })
    }

    /// Whether the old state of a registration is being refreshed or imported.
    fn is_reading(&self, res: ResId) -> bool {
        matches!(self.get(res).phase, Phase::Refreshing | Phase::Importing)
    }

    fn awaits_own_cascade(&self, res: ResId) -> bool {
        matches!(self.get(res).phase, Phase::AwaitingCascade(_))
    }

    /// Why a resource that waits for a cascade of its own is replaced.
    fn own_reason(&self, res: ResId) -> Reason {
        let Phase::AwaitingCascade(facts) = &self.get(res).phase else {
            return (Vec::new(), Arc::new(Cause::Asked));
        };
        let cause = facts.cause.clone().unwrap_or_else(|| Arc::new(Cause::Properties(Vec::new())));
        (facts.replace.clone().unwrap_or_default(), cause)
    }

    /// What led a cascade to a dependent.
    fn in_cascade(&self, because: Cause) -> Arc<Cause> {
        let Some(active) = &self.cascades.active else { return Arc::new(because) };
        let root = self.urn(active.root).clone();
        Arc::new(Cause::Cascade { root, because: Arc::new(because) })
    }

    /// Decides members in order until one has to be asked about, or is about to start a cascade of
    /// its own. Whether all are decided.
    fn decide_members(&mut self) -> bool {
        loop {
            let Some(active) = &self.cascades.active else { return false };
            if active.asked.is_some() {
                return false;
            }
            let Some(slot) = active.candidates.get(active.next).copied() else { return true };
            match self.entry(slot).claimed {
                Some(res) if self.is_decided(Some(res)) => {
                    self.decided(None);
                    continue;
                }
                Some(res) if self.will_delete_first(res) || self.is_reading(res) => return false,
                Some(res) if self.awaits_own_cascade(res) => {
                    let reason = self.own_reason(res);
                    self.fire(Rule::CascadeMerged);
                    self.decided(Some((slot, reason)));
                    continue;
                }
                _ => {}
            }
            match self.verdict(&self.entry(slot).state, &active.condemned_urns) {
                Verdict::Stays => self.decided(None),
                Verdict::Goes(because) => {
                    let cause = self.in_cascade(because);
                    self.decided(Some((slot, (Vec::new(), cause))));
                }
                Verdict::Ask(properties) => {
                    if let Some(active) = &mut self.cascades.active {
                        active.asked = Some(slot);
                    }
                    self.effects.push(Effect::DiffDependent { slot, properties });
                    return false;
                }
            }
        }
    }

    fn decided(&mut self, goes: Option<(Slot, Reason)>) {
        let urn = goes.as_ref().map(|(slot, _)| self.entry(*slot).state.urn.clone());
        let Some(active) = &mut self.cascades.active else { return };
        active.next += 1;
        self.rules.fire(if goes.is_some() { Rule::CascadeMember } else { Rule::CascadeSpared });
        if let (Some((slot, reason)), Some(urn)) = (goes, urn) {
            active.condemned.insert(slot, reason);
            active.condemned_urns.insert(urn);
        }
    }

    fn verdict(&self, state: &ResourceState, condemned: &QuickSet<Urn>) -> Verdict {
        if !state.custom || state.external {
            return Verdict::Stays;
        }
        if let Some(provider) = state.provider.as_ref().filter(|p| condemned.contains(p.urn())) {
            return Verdict::Goes(Cause::Provider(provider.urn().clone()));
        }
        if let Some(urn) = state.deleted_with.as_ref().filter(|urn| condemned.contains(*urn)) {
            return Verdict::Goes(Cause::DeletedWith(urn.clone()));
        }
        if let Some(urn) = state.replace_with.iter().find(|urn| condemned.contains(*urn)) {
            return Verdict::Goes(Cause::ReplaceWith(urn.clone()));
        }
        let properties: Vec<String> =
            made_from_condemned(state, condemned).map(|(key, _)| key.clone()).collect();
        if properties.is_empty() { Verdict::Stays } else { Verdict::Ask(properties) }
    }

    pub(crate) fn dependent_diffed(&mut self, slot: Slot, replace_keys: Vec<String>) {
        let Some(active) = &mut self.cascades.active else { return };
        if active.asked != Some(slot) {
            return;
        }
        active.asked = None;
        let goes = !replace_keys.is_empty();
        let condemned = std::mem::take(&mut active.condemned_urns);
        let state = Arc::clone(&self.entry(slot).state);
        let because = cause::made_from(made_from_condemned(&state, &condemned), &replace_keys, &condemned);
        let cause = self.in_cascade(because);
        if let Some(active) = &mut self.cascades.active {
            active.condemned_urns = condemned;
        }
        self.decided(goes.then_some((slot, (replace_keys, cause))));
    }

    /// All members are decided: emits the deletes and lets everybody go on.
    fn end_cascade(&mut self) {
        let Some(active) = self.cascades.active.take() else { return };
        self.fire(Rule::CascadeRoot);
        if let Some(problem) = self.protected_member(&active) {
            self.fire(Rule::ProtectedCascade);
            self.say(problem);
            self.fail(active.root);
        } else if !self.allows_cascade(&active) {
            self.stop();
        } else {
            let slots: Vec<Slot> = active.condemned.keys().rev().copied().chain([active.old]).collect();
            let along = Along::new(self, &slots);
            for slot in along.order(&slots) {
                let cause = match active.condemned.get(&slot) {
                    Some(reason) => {
                        self.cascades.reasons.insert(slot, reason.clone());
                        Arc::clone(&reason.1)
                    }
                    None => Arc::new(Cause::Replaced),
                };
                self.delete_first(slot, &along, cause);
            }
            self.await_more(&along, &slots);
            let facts = self.facts_of_root(active.root);
            self.create_after_delete(active.root, active.old, facts);
        }
        self.release(&active);
    }

    /// Whether the update plan that is followed, if one is, allows the deletes of a cascade.
    fn allows_cascade(&mut self, active: &Active) -> bool {
        active.condemned.keys().rev().chain([&active.old]).all(|slot| self.allows_delete_first(*slot))
    }

    fn protected_member(&self, active: &Active) -> Option<Diagnostic> {
        if self.settings.ignore_protect {
            return None;
        }
        let of_its_own = |slot: &Slot| self.entry(*slot).claimed.is_some_and(|r| self.awaits_own_cascade(r));
        let mut dependents = active.condemned.keys().filter(|slot| !of_its_own(slot));
        let slot = dependents.find(|slot| self.entry(**slot).state.protect)?;
        let (member, root) = (&self.entry(*slot).state.urn, self.urn(active.root));
        let message = format!(
            "unable to replace resource \"{member}\" as part of replacing \"{root}\" as it is currently marked \
             for protection. To unprotect the resource, remove the `protect` flag from the resource in your \
             program and run `up`, or use the command:\n`pulumi state unprotect '{member}'`"
        );
        Some(Diagnostic::error("protected-cascade", message).with_urn(root.as_str()))
    }

    fn facts_of_root(&mut self, root: ResId) -> DiffFacts {
        match std::mem::replace(&mut self.get_mut(root).phase, Phase::Stepping) {
            Phase::AwaitingCascade(facts) => *facts,
            _ => DiffFacts::default(),
        }
    }

    /// A delete that goes before a replacement. It waits for every open step of a state that refers
    /// to what is deleted, the deletes of this and earlier cascades among them.
    fn delete_first(&mut self, slot: Slot, along: &Along, cause: Arc<Cause>) {
        let state = Arc::clone(&self.entry(slot).state);
        let mut wait: BTreeSet<StepId> = self.open_steps_on(&state.urn).collect();
        for taken in along.all_taken(slot).into_iter().chain(along.need(slot)) {
            wait.extend(self.open_steps_on(&self.entry(taken).state.urn));
        }
        wait.extend(along.taker(slot).and_then(|taker| self.delete_under_way(taker)));
        wait.extend(along.needs(slot).iter().filter_map(|need| self.delete_under_way(*need)));
        let calls = !(state.retain_on_delete || state.external || along.spares(slot));
        self.say_spared(&along.twins, slot);
        let seed = StepSeed {
            op: StepOp::DeleteReplaced,
            res: None,
            old: Some(slot),
            draft: None,
            reasons: StepReasons { cause: Some(cause), ..StepReasons::default() },
            after: if state.delete { After::Remove(slot) } else { After::MarkPendingReplacement(slot) },
            inputs_equal: false,
            wait_for: None,
        };
        let id = self.run_step_after(seed, calls, &wait);
        self.entry_mut(slot).fate = Fate::Condemned(id);
    }

    fn release(&mut self, active: &Active) {
        for slot in &active.candidates {
            let Some(res) = self.entry(*slot).claimed else { continue };
            match self.get_mut(res).held.take() {
                Some(Held::Registered) => self.begin(res),
                Some(Held::Checked(accepted)) => self.checked(res, accepted),
                Some(Held::Diffed(facts)) => self.diffed(res, facts),
                None => {}
            }
        }
    }
}

/// The properties of a state that were made from what goes.
fn made_from_condemned<'a>(
    state: &'a ResourceState,
    condemned: &'a QuickSet<Urn>,
) -> impl Iterator<Item = (&'a String, &'a Vec<Urn>)> {
    state.property_dependencies.iter().filter(|(_, urns)| urns.iter().any(|urn| condemned.contains(urn)))
}
