//! Refreshes: before the program over the old states, or one by one as the program registers.

use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::urn::is_provider_type;
use purlin_model::{ResourceState, Slot};

use crate::decide::StepSeed;
use crate::effect::{After, Reply, StepReasons};
use crate::envelope::same_envelope;
use crate::rule::Rule;
use crate::scope::RefreshScope;
use crate::settings::Mode;
use crate::table::{Fate, Phase, Planner, ResId, SlotEntry};

/// Which states a refresh looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// All of the base.
    All,
    /// Those whose provider asked for it.
    Eager,
    /// Those that the program has not registered.
    Unregistered,
}

impl Planner {
    /// What is refreshed before anything else, if anything is.
    pub(crate) fn early_refresh(&self) -> Option<Refreshed> {
        let settings = &self.settings;
        let all = match settings.mode {
            Mode::Update => settings.refresh_first && !settings.run_program,
            Mode::Refresh => !settings.run_program,
            Mode::Destroy => settings.refresh_first,
            Mode::Import => false,
        };
        let whole = settings.mode == Mode::Refresh || settings.refresh_first;
        match all {
            true => Some(Refreshed::All),
            false if self.eager_refresh && !whole => Some(Refreshed::Eager),
            false => None,
        }
    }

    /// A look at the cloud for every state that a provider manages.
    pub(crate) fn plan_refresh(&mut self, which: Refreshed) {
        let targets = std::mem::take(&mut self.settings.targets);
        let mut scope = RefreshScope::new(&targets);
        for slot in self.all_slots() {
            if scope.takes(&self.entry(slot).state) && self.is_refreshed(self.entry(slot), which) {
                match which {
                    Refreshed::All => {}
                    Refreshed::Eager => self.fire(Rule::RefreshedEager),
                    Refreshed::Unregistered => self.fire(Rule::RefreshedLate),
                }
                self.run_step(refresh(slot));
            }
        }
        self.settings.targets = targets;
    }

    fn is_refreshed(&self, entry: &SlotEntry, which: Refreshed) -> bool {
        let state = &entry.state;
        let managed = state.custom
            && !state.is_provider()
            && !state.pending_replacement
            && state.view_of.is_none()
            && !self.is_pending_create(&state.urn);
        managed
            && match which {
                Refreshed::All => true,
                Refreshed::Eager => state.refresh_before_update,
                Refreshed::Unregistered => {
                    entry.claimed.is_none() && !entry.new && entry.fate == Fate::Stands
                }
            }
    }

    /// Whether a registration's old state is to be refreshed before anything is decided about it.
    pub(crate) fn wants_refresh(&self, res: ResId) -> bool {
        let settings = &self.settings;
        let wanted = match settings.mode {
            Mode::Update => settings.refresh_first,
            Mode::Refresh => true,
            Mode::Destroy | Mode::Import => false,
        };
        if !(wanted && settings.run_program) {
            return false;
        }
        let resource = self.get(res);
        resource.goal.custom
            && !is_provider_type(&resource.goal.ty)
            && !resource.refreshed
            && resource.old.is_some_and(|old| {
                let state = &self.entry(old).state;
                state.custom && !self.is_recreated(old)
            })
    }

    /// Refreshes the old state of a registration, under the name and by the provider that it has now.
    /// In a refresh the state becomes what the program says, but for what the provider tells.
    pub(crate) fn plan_refresh_of(&mut self, res: ResId, old: Slot) {
        let resource = self.get_mut(res);
        resource.phase = Phase::Refreshing;
        resource.refreshed = true;
        let (provider, urn) = (resource.provider.clone(), resource.urn.clone());
        let (after, draft) = match self.settings.mode {
            Mode::Refresh => self.refreshed_envelope(res, old),
            _ => (After::Amend(old), None),
        };
        self.fire(Rule::RefreshedRegistered);
        if draft.is_some() {
            self.fire(Rule::RefreshedRewritten);
        }
        let mut step = self.make_step(StepSeed { res: Some(res), after, draft, ..refresh(old) });
        step.provider = provider.or(step.provider);
        step.urn = urn;
        self.add_step(step);
    }

    /// What a state that is refreshed for a registration becomes. What decides about replacements
    /// stays: a refresh must not make a later update forget them.
    fn refreshed_envelope(&mut self, res: ResId, old: Slot) -> (After, Option<Arc<ResourceState>>) {
        let state = Arc::clone(&self.entry(old).state);
        if self.needs_unmade(res) {
            return (After::Stay(old), None);
        }
        let mut draft = self.draft_over(res, &state);
        draft.taint = state.taint;
        draft.external = state.external;
        draft.replacement_trigger.clone_from(&state.replacement_trigger);
        if same_envelope(&state, &draft) {
            return (After::Stay(old), None);
        }
        let draft = Arc::new(draft);
        let slot = self.push_slot(Arc::clone(&draft), true);
        (After::Place { slot, replaces: Some(old) }, Some(draft))
    }

    /// The old state of a registration was refreshed, and may be gone.
    pub(crate) fn refresh_ended(&mut self, res: ResId, slot: Slot, gone: bool) {
        self.get_mut(res).old = (!gone).then_some(slot);
        if self.stopping {
            return self.skip(res);
        }
        if self.holds(res) {
            // It goes on when the cascade is decided.
            self.get_mut(res).held = Some(crate::table::Held::Registered);
            self.get_mut(res).phase = Phase::Checking;
            return;
        }
        self.go_on(res);
    }
}

fn refresh(slot: Slot) -> StepSeed {
    StepSeed {
        op: StepOp::Refresh,
        res: None,
        old: Some(slot),
        draft: None,
        reasons: StepReasons::default(),
        after: After::Amend(slot),
        inputs_equal: false,
        wait_for: None,
    }
}

impl Planner {
    /// A registration ended well without a step of its own.
    pub(crate) fn settle_registered(&mut self, res: ResId, slot: Slot) {
        self.get_mut(res).slot = Some(slot);
        self.settle(res, Phase::Done);
        let (ticket, urn) = (self.get(res).ticket, self.get(res).urn.clone());
        self.reply(ticket, Reply::Registered { urn: urn.clone(), res });
        self.default_settled(&urn);
    }

    /// Adds a step that waits for nothing.
    pub(crate) fn add_step(&mut self, step: crate::effect::Step) {
        self.note_references(&step);
        self.steps.add(step, &std::collections::BTreeSet::new());
    }
}
