//! States of the base that nothing registers and that go on all the same, since something new refers
//! to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{ProviderRef, Slot, Urn};

use crate::decide::StepSeed;
use crate::effect::{After, Step, StepReasons};
use crate::step::StepId;
use crate::table::{Fate, Planner, ResId};

/// What carrying a state on comes to.
pub(crate) enum Carried {
    /// Nothing has to be done about it.
    Stands,
    /// A step of this slot is under way.
    UnderWay(Slot),
    /// It refers to what a registration is still deciding about: to be tried again after that.
    After(Urn),
}

impl Planner {
    /// Where a provider exists only in the base, gives it its place in the run's order, with what it
    /// refers to before it.
    pub(crate) fn carry_provider(&mut self, res: ResId, provider: &ProviderRef) -> Carried {
        let Some(slot) = self.live.get(provider.urn()).copied() else { return Carried::Stands };
        let entry = self.entry(slot);
        if entry.claimed.is_some_and(|res| !self.get(res).phase_is_open()) {
            return Carried::Stands;
        }
        if entry.state.as_provider().as_ref() == Some(provider) {
            self.carry(slot, res)
        } else {
            Carried::Stands
        }
    }

    /// Has a state of the base go on as it is, and before it everything that it refers to and that
    /// nothing has registered.
    fn carry(&mut self, slot: Slot, for_whom: ResId) -> Carried {
        // What a state refers to stands before it, so the order of slots is a right one.
        let mut needed = BTreeSet::new();
        let mut work = vec![slot];
        while let Some(slot) = work.pop() {
            let entry = self.entry(slot);
            if let Some(res) = entry.claimed {
                if !self.unsettled.contains(&res) {
                    continue;
                }
                // Who would wait for itself doesn't: what it needs can't come before it.
                return match self.waits_on(res, for_whom) {
                    true => Carried::Stands,
                    false => Carried::After(self.urn(res).clone()),
                };
            }
            if !entry.new && !entry.carried && entry.fate == Fate::Stands && needed.insert(slot) {
                let state = Arc::clone(&entry.state);
                for urn in state.references() {
                    work.extend(self.meant_by(slot, urn, |_| true));
                }
            }
        }
        for slot in needed {
            let state = Arc::clone(&self.entry(slot).state);
            let mut wait: BTreeSet<StepId> = BTreeSet::new();
            for urn in state.references() {
                let before = self.meant_by(slot, urn, |_| true);
                wait.extend(before.iter().filter_map(|slot| self.carries.get(slot).copied()));
            }
            let seed = StepSeed {
                op: StepOp::Same,
                res: None,
                old: Some(slot),
                draft: Some(state),
                reasons: StepReasons::default(),
                after: After::Keep(slot),
                inputs_equal: true,
                wait_for: None,
            };
            let step = self.run_step_after(seed, false, &wait);
            self.entry_mut(slot).carried = true;
            self.carries.insert(slot, step);
        }
        if self.carries.contains_key(&slot) { Carried::UnderWay(slot) } else { Carried::Stands }
    }

    /// A step without a registration has ended; if it was one of these, lets those go on who wait.
    pub(crate) fn carry_ended(&mut self, step: &Step, placed: bool) {
        if let After::Keep(slot) = step.after
            && self.carries.remove(&slot).is_some()
        {
            self.carried_settled(slot, placed);
        }
    }
}
