//! Steps: which may run, which wait for others, which are running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{ResourceState, Slot};

use crate::effect::{After, Effect, Reply, Step};
use crate::input::StepOutcome;
use crate::rule::Rule;
use crate::table::{Fate, Phase, Planner, ResId};

/// The number of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// What waits for steps.
#[derive(Debug)]
enum Waiter {
    /// A step.
    Step(Box<Step>),
    /// Nothing but others that wait: it ends as soon as what it waits for has ended.
    Gate,
}

impl Waiter {
    fn step(self) -> Option<Step> {
        match self {
            Waiter::Step(step) => Some(*step),
            Waiter::Gate => None,
        }
    }
}

/// The steps that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    next: u32,
    /// What waits, with how many it waits for.
    waiting: BTreeMap<StepId, (Waiter, usize)>,
    /// Steps that wait for a step.
    followers: BTreeMap<StepId, Vec<StepId>>,
    /// Steps that may be emitted.
    ready: BTreeMap<StepId, Box<Step>>,
    running: BTreeMap<StepId, Box<Step>>,
}

impl Steps {
    pub(crate) fn next_id(&mut self) -> StepId {
        self.next += 1;
        StepId(self.next)
    }

    /// Adds a step that may run when all of some others have ended well.
    pub(crate) fn add(&mut self, step: Step, after: &BTreeSet<StepId>) {
        let id = step.id;
        if let Some(Waiter::Step(step)) = self.wait(id, Waiter::Step(Box::new(step)), after) {
            self.ready.insert(id, step);
        }
    }

    /// Adds what stands for several others: whoever waits for it waits for all of them.
    pub(crate) fn add_gate(&mut self, after: &BTreeSet<StepId>) -> StepId {
        let id = self.next_id();
        self.wait(id, Waiter::Gate, after);
        id
    }

    /// Has something wait; gives it back if there is nothing to wait for.
    fn wait(&mut self, id: StepId, waiter: Waiter, after: &BTreeSet<StepId>) -> Option<Waiter> {
        let pending: Vec<StepId> = after.iter().copied().filter(|id| self.is_open(*id)).collect();
        if pending.is_empty() {
            return Some(waiter);
        }
        for other in &pending {
            self.followers.entry(*other).or_default().push(id);
        }
        self.waiting.insert(id, (waiter, pending.len()));
        None
    }

    /// Whether a step has not ended yet.
    pub(crate) fn is_open(&self, id: StepId) -> bool {
        self.running.contains_key(&id) || self.waiting.contains_key(&id) || self.ready.contains_key(&id)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty() && self.running.is_empty()
    }

    /// The steps that have not ended.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Step> {
        let waiting = self.waiting.values().filter_map(|(waiter, _)| match waiter {
            Waiter::Step(step) => Some(&**step),
            Waiter::Gate => None,
        });
        self.running.values().chain(self.ready.values()).map(|step| &**step).chain(waiting)
    }

    pub(crate) fn running_resources(&self) -> BTreeSet<ResId> {
        self.running.values().filter_map(|step| step.res).collect()
    }

    /// A step has ended: takes it out, and lets its followers go on if it went well.
    pub(crate) fn end(&mut self, id: StepId, outcome: &StepOutcome) -> Option<Step> {
        let step = *self.running.remove(&id)?;
        let mut ended = if matches!(outcome, StepOutcome::Done(_)) { vec![id] } else { Vec::new() };
        while let Some(id) = ended.pop() {
            for follower in self.followers.remove(&id).unwrap_or_default() {
                let Some((_, count)) = self.waiting.get_mut(&follower) else { continue };
                *count -= 1;
                if *count > 0 {
                    continue;
                }
                match self.waiting.remove(&follower) {
                    Some((Waiter::Step(step), _)) => drop(self.ready.insert(follower, step)),
                    _ => ended.push(follower),
                }
            }
        }
        Some(step)
    }

    /// Takes out the steps that wait, directly or not, for one that did not end well.
    pub(crate) fn drop_followers(&mut self, id: StepId) -> Vec<Step> {
        let mut dropped = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            for follower in self.followers.remove(&id).unwrap_or_default() {
                if let Some((waiter, _)) = self.waiting.remove(&follower) {
                    stack.push(follower);
                    dropped.extend(waiter.step());
                }
            }
        }
        dropped
    }

    /// What waits for a step waits for another as well, but for what that one waits for itself.
    pub(crate) fn wait_also(&mut self, first: StepId, then: StepId, loose: &BTreeSet<(StepId, StepId)>) {
        let none = BTreeSet::new();
        for follower in self.followers.get(&first).cloned().unwrap_or_default() {
            let is_loose = loose.iter().any(|(awaited, _)| *awaited == follower);
            self.wait_unless_awaited(follower, then, if is_loose { &none } else { loose });
        }
    }

    /// A step waits for another as well, unless that one waits for it. Where it does so only by way of
    /// waits that are loose, these give in: of each pair the second waits for the first.
    pub(crate) fn wait_unless_awaited(
        &mut self,
        step: StepId,
        other: StepId,
        loose: &BTreeSet<(StepId, StepId)>,
    ) {
        let waits = self.followers.get(&other).is_some_and(|all| all.contains(&step));
        if waits || !self.is_open(other) || self.leads_to(step, other, loose) {
            return;
        }
        let none = BTreeSet::new();
        for (awaited, waiter) in loose {
            if self.leads_to(step, *awaited, &none) && self.leads_to(*waiter, other, &none) {
                self.wait_no_more(*waiter, *awaited);
            }
        }
        if let Some(ready) = self.ready.remove(&step) {
            self.waiting.insert(step, (Waiter::Step(ready), 0));
        }
        if let Some((_, count)) = self.waiting.get_mut(&step) {
            *count += 1;
            self.followers.entry(other).or_default().push(step);
        }
    }

    /// Whether a step is another, or the other waits for it, directly or not, some waits left out.
    fn leads_to(&self, step: StepId, other: StepId, without: &BTreeSet<(StepId, StepId)>) -> bool {
        let mut seen = BTreeSet::from([step]);
        let mut work = vec![step];
        while let Some(id) = work.pop() {
            if id == other {
                return true;
            }
            let followers = self.followers.get(&id).into_iter().flatten().copied();
            let followers = followers.filter(|follower| !without.contains(&(id, *follower)));
            work.extend(followers.filter(|follower| seen.insert(*follower)));
        }
        false
    }

    fn wait_no_more(&mut self, waiter: StepId, awaited: StepId) {
        let Some(followers) = self.followers.get_mut(&awaited) else { return };
        let before = followers.len();
        followers.retain(|follower| *follower != waiter);
        let waited = followers.len() < before;
        let Some((_, count)) = self.waiting.get_mut(&waiter).filter(|_| waited) else { return };
        *count -= 1;
        if *count == 0
            && let Some((Waiter::Step(step), _)) = self.waiting.remove(&waiter)
        {
            self.ready.insert(waiter, step);
        }
    }

    /// Takes out every step that is not running.
    pub(crate) fn drop_waiting(&mut self) -> Vec<Step> {
        self.followers.clear();
        let waiting = std::mem::take(&mut self.waiting).into_values().filter_map(|(waiter, _)| waiter.step());
        std::mem::take(&mut self.ready).into_values().map(|step| *step).chain(waiting).collect()
    }
}

impl Planner {
    pub(crate) fn emit_ready_steps(&mut self) {
        for (id, step) in std::mem::take(&mut self.steps.ready) {
            self.steps.running.insert(id, step.clone());
            self.effects.push(Effect::Run(step));
        }
    }

    /// Records in the tables what a step's end does to the list of states.
    pub(crate) fn apply(&mut self, step: &Step, outcome: &StepOutcome) {
        let state = match outcome {
            StepOutcome::Done(state) => state.clone(),
            StepOutcome::Partial(state) => Some(Arc::clone(state)),
            StepOutcome::Failed | StepOutcome::Unknown => {
                self.let_stand(step);
                return;
            }
        };
        let old = step.old.map(|slot| Arc::clone(&self.entry(slot).state));
        let after = step.after(state.as_deref(), old.as_deref());
        if step.settles.is_some() || matches!(after, After::Stay(_)) {
            self.place_before(step, state.as_deref());
        }
        match after {
            After::Keep(slot) => self.take_place(slot),
            After::Place { slot, replaces } => {
                if let Some(old) = replaces {
                    // What took its place before that of its registration keeps it.
                    self.entry_mut(slot).place = self.entry(old).place;
                }
                self.fill(slot, state);
                self.adopt_import(step, slot);
                if let Some(old) = replaces {
                    self.entry_mut(old).fate = Fate::Gone;
                }
            }
            After::PlaceAndMark { slot, old } => {
                self.fill(slot, state);
                self.adopt_import(step, slot);
                self.mark_delete(old);
            }
            After::Amend(slot) => self.amend(slot, state, step.op),
            After::Stay(slot) => {
                self.take_place(slot);
                self.amend(slot, state, step.op);
            }
            After::Remove(slot) => self.remove(slot, step.op),
            After::MarkPendingReplacement(slot) => {
                let mut state = ResourceState::clone(&self.entry(slot).state);
                state.pending_replacement = true;
                let entry = self.entry_mut(slot);
                entry.state = Arc::new(state);
                entry.fate = Fate::AwaitsReplacement;
            }
        }
    }

    fn fill(&mut self, slot: Slot, state: Option<Arc<ResourceState>>) {
        self.take_place(slot);
        if let Some(state) = state {
            self.entry_mut(slot).state = state;
            self.note_imported(slot);
        }
    }

    /// The next place in the run's order is a state's, unless it has one.
    pub(crate) fn take_place(&mut self, slot: Slot) {
        let place = self.next_place;
        let entry = self.entry_mut(slot);
        if entry.place == u32::MAX {
            entry.place = place;
            self.next_place += 1;
        }
    }

    fn amend(&mut self, slot: Slot, state: Option<Arc<ResourceState>>, op: StepOp) {
        match state {
            Some(state) => self.entry_mut(slot).state = state,
            None => self.remove(slot, op),
        }
    }

    fn remove(&mut self, slot: Slot, op: StepOp) {
        let urn = self.entry(slot).state.urn.clone();
        self.entry_mut(slot).fate = Fate::Gone;
        if self.live.get(&urn) == Some(&slot) {
            self.live.remove(&urn);
        }
        if op == StepOp::Refresh {
            self.fire(Rule::RefreshedGone);
            self.vanished.insert(urn);
        }
    }

    fn mark_delete(&mut self, slot: Slot) {
        let mut state = ResourceState::clone(&self.entry(slot).state);
        state.delete = true;
        let entry = self.entry_mut(slot);
        entry.state = Arc::new(state);
        entry.marked = true;
    }

    /// A step did nothing, or was not taken: the states that it was about stay what they were.
    pub(crate) fn let_stand(&mut self, step: &Step) {
        if let Some(old) = step.old
            && self.entry(old).fate == Fate::Condemned(step.id)
        {
            self.entry_mut(old).fate = Fate::Stands;
        }
        if let After::Place { slot, .. } | After::PlaceAndMark { slot, .. } = step.after {
            self.entry_mut(slot).fate = Fate::Gone;
        }
    }

    /// Lets go of the steps that waited for one that did not end well.
    pub(crate) fn drop_blocked_by(&mut self, step: &Step) {
        for dropped in self.steps.drop_followers(step.id) {
            self.let_stand(&dropped);
            match dropped.res {
                Some(res) => self.skip(res),
                None => self.carry_ended(&dropped, false),
            }
        }
    }

    pub(crate) fn skip(&mut self, res: ResId) {
        self.fire(Rule::Skipped);
        self.settle(res, Phase::Skipped);
        let (ticket, urn) = (self.get(res).ticket, self.get(res).urn.clone());
        let reply = if self.stopping { Reply::Stopping } else { Reply::Skipped { urn: urn.clone() } };
        self.reply(ticket, reply);
        self.default_settled(&urn);
    }

    /// A registration's step has ended.
    pub(crate) fn resource_stepped(&mut self, res: ResId, step: &Step, outcome: &StepOutcome) {
        match outcome {
            StepOutcome::Done(_) => {
                let slot = match step.after {
                    After::Keep(slot) | After::Amend(slot) | After::Stay(slot) => slot,
                    After::Place { slot, .. } | After::PlaceAndMark { slot, .. } => slot,
                    After::Remove(slot) | After::MarkPendingReplacement(slot) => slot,
                };
                match step.op {
                    StepOp::Refresh => {
                        self.refresh_ended(res, slot, matches!(outcome, StepOutcome::Done(None)))
                    }
                    StepOp::Import | StepOp::ImportReplacement => self.import_ended(res, slot),
                    _ => self.settle_registered(res, slot),
                }
            }
            StepOutcome::Partial(_) => {
                if let After::Place { slot, .. } | After::PlaceAndMark { slot, .. } = step.after {
                    self.get_mut(res).slot = Some(slot);
                }
                self.drop_blocked_by(step);
                self.fail(res);
            }
            StepOutcome::Failed | StepOutcome::Unknown => {
                self.drop_blocked_by(step);
                self.fail(res);
            }
        }
    }
}
