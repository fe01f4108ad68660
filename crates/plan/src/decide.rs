//! Decisions: from checks and diffs to steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::{Cause, ResourceState, Slot};

use crate::effect::{After, Effect, Step, StepReasons};
use crate::envelope;
use crate::input::DiffFacts;
use crate::rule::Rule;
use crate::settings::Mode;
use crate::step::StepId;
use crate::table::{Held, Phase, Planner, ResId};

/// What a step is made from.
pub(crate) struct StepSeed {
    pub(crate) op: StepOp,
    pub(crate) res: Option<ResId>,
    pub(crate) old: Option<Slot>,
    pub(crate) draft: Option<Arc<ResourceState>>,
    pub(crate) reasons: StepReasons,
    pub(crate) after: After,
    pub(crate) inputs_equal: bool,
    pub(crate) wait_for: Option<StepId>,
}

impl From<DiffFacts> for StepReasons {
    fn from(facts: DiffFacts) -> Self {
        StepReasons {
            replace_keys: facts.replace.unwrap_or_default(),
            diff_keys: facts.diff_keys,
            detailed: facts.detailed,
            cause: facts.cause,
            differs: false,
        }
    }
}

impl Planner {
    /// A resource's inputs were validated.
    pub(crate) fn checked(&mut self, res: ResId, accepted: bool) {
        if !self.get(res).phase_is_open() {
            return;
        }
        if self.holds(res) && !self.will_delete_first(res) {
            self.fire(Rule::CascadeHeld);
            self.get_mut(res).held = Some(Held::Checked(accepted));
            return;
        }
        if !accepted {
            return self.fail(res);
        }
        if matches!(self.get(res).phase, Phase::Rechecking(_))
            && let Phase::Rechecking(facts) = std::mem::replace(&mut self.get_mut(res).phase, Phase::Checking)
        {
            return self.replace_checked(res, *facts);
        }
        let Some(old) = self.get(res).old else {
            return self.plan_create(res);
        };
        if self.is_recreated(old) {
            return self.recreate(res, old);
        }
        let state = Arc::clone(&self.entry(old).state);
        if let Some((key, cause)) = self.reason_to_replace(res, &state) {
            let facts = DiffFacts {
                replace: Some(vec![key.to_owned()]),
                cause: Some(Arc::new(cause)),
                ..DiffFacts::default()
            };
            return self.replace(res, facts);
        }
        let resource = self.get_mut(res);
        resource.phase = Phase::Diffing;
        let provider = resource.provider.clone();
        let changed = provider != state.provider && state.provider.is_some() && provider.is_some();
        let renamed = changed
            && state.provider.as_ref().zip(provider.as_ref()).is_some_and(|(old, new)| {
                self.resource_by_urn(new.urn()).is_some_and(|r| r.claimed_as.as_ref() == Some(old.urn()))
                    && old.id() == new.id()
            });
        let old_provider = state.provider.clone().filter(|_| changed && !renamed);
        if renamed {
            self.fire(Rule::ProviderRenamed);
        }
        self.effects.push(Effect::Diff { res, old, old_provider });
    }

    /// Reasons for a replacement that are known without asking a provider.
    fn reason_to_replace(&self, res: ResId, old: &ResourceState) -> Option<(&'static str, Cause)> {
        let goal = &self.get(res).goal;
        if old.taint {
            return Some(("id", Cause::Tainted));
        }
        if self.settings.targets.replace.contains(self.urn(res)) {
            return Some(("id", Cause::Asked));
        }
        if old.external && goal.custom {
            return Some(("id", Cause::WasRead));
        }
        if let Some(urn) = goal.replace_with.iter().find(|urn| self.replaced.contains(*urn)) {
            return Some(("replaceWith", Cause::ReplaceWith(urn.clone())));
        }
        if let Some(urn) = goal.deleted_with.as_ref().filter(|urn| self.replaced.contains(*urn)) {
            return Some(("deletedWith", Cause::DeletedWith(urn.clone())));
        }
        if old.custom != goal.custom {
            return Some(("provider", Cause::Kind));
        }
        None
    }

    /// A resource was compared with its old state.
    pub(crate) fn diffed(&mut self, res: ResId, facts: Option<DiffFacts>) {
        if !self.get(res).phase_is_open() {
            return;
        }
        if self.holds(res) {
            self.fire(Rule::CascadeHeld);
            self.get_mut(res).held = Some(Held::Diffed(facts));
            return;
        }
        let (Some(facts), Some(old)) = (facts, self.get(res).old) else {
            return self.fail(res);
        };
        if self.is_recreated(old) {
            return self.recreate(res, old);
        }
        let state = Arc::clone(&self.entry(old).state);
        if facts.replace.is_some() {
            self.replace(res, facts);
        } else if facts.changed || !state.init_errors.is_empty() {
            self.plan_update(res, old, facts);
        } else {
            self.plan_same(res, old, &facts);
        }
    }

    fn plan_create(&mut self, res: ResId) {
        if !self.allows_of(res, &[StepOp::Create]) {
            return;
        }
        let resource = self.get(res);
        let draft =
            Arc::new(envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), None));
        let slot = self.push_slot(Arc::clone(&draft), true);
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(StepSeed {
            op: StepOp::Create,
            res: Some(res),
            old: None,
            draft: Some(draft),
            reasons: StepReasons::default(),
            after: After::Place { slot, replaces: None },
            inputs_equal: false,
            wait_for: None,
        });
    }

    fn place_over(&mut self, draft: &Arc<ResourceState>, old: Slot) -> After {
        After::Place { slot: self.push_slot(Arc::clone(draft), true), replaces: Some(old) }
    }

    pub(crate) fn draft_over(&self, res: ResId, old: &ResourceState) -> ResourceState {
        let resource = self.get(res);
        envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), Some(old))
    }

    /// The same for a state that stays what it is to the provider: one that is only read stays so.
    fn draft_beside(&self, res: ResId, old: &ResourceState) -> ResourceState {
        ResourceState { external: old.external, ..self.draft_over(res, old) }
    }

    /// Whether nothing of an old state's envelope would change.
    fn keeps(&self, res: ResId, old: &ResourceState) -> bool {
        let resource = self.get(res);
        let keeps = envelope::keeps(old, &resource.goal, &resource.urn, resource.provider.as_ref());
        debug_assert_eq!(keeps, envelope::same_envelope(old, &self.draft_beside(res, old)));
        keeps
    }

    pub(crate) fn plan_same(&mut self, res: ResId, old: Slot, facts: &DiffFacts) {
        if !self.allows_of(res, &[StepOp::Same]) {
            return;
        }
        if self.get(res).imported && facts.inputs_equal {
            self.fire(Rule::ImportedAsWanted);
            return self.settle_registered(res, old);
        }
        let state = Arc::clone(&self.entry(old).state);
        let pruned = !self.vanished.is_empty() && state.references().any(|urn| self.vanished.contains(urn));
        let unchanged = facts.inputs_equal && !pruned && self.keeps(res, &state);
        let draft = if unchanged { state } else { Arc::new(self.draft_beside(res, &state)) };
        let after = if unchanged { After::Keep(old) } else { self.place_over(&draft, old) };
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(StepSeed {
            op: StepOp::Same,
            res: Some(res),
            old: Some(old),
            draft: Some(draft),
            reasons: StepReasons::default(),
            after,
            inputs_equal: facts.inputs_equal,
            wait_for: None,
        });
    }

    fn plan_update(&mut self, res: ResId, old: Slot, mut facts: DiffFacts) {
        if !self.allows_of(res, &[StepOp::Update]) {
            return;
        }
        self.explain_update(res, &mut facts);
        let state = Arc::clone(&self.entry(old).state);
        let draft = Arc::new(self.draft_over(res, &state));
        let after = self.place_over(&draft, old);
        let inputs_equal = facts.inputs_equal;
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(StepSeed {
            op: StepOp::Update,
            res: Some(res),
            old: Some(old),
            draft: Some(draft),
            reasons: facts.into(),
            after,
            inputs_equal,
            wait_for: None,
        });
    }

    /// A resource is to be replaced: refuse if it is protected, else validate its inputs anew.
    fn replace(&mut self, res: ResId, mut facts: DiffFacts) {
        let Some(old) = self.get(res).old else { return self.plan_create(res) };
        let state = Arc::clone(&self.entry(old).state);
        let urn = self.urn(res).clone();
        if !self.may_replace(res, old) || self.undoes_import(res, &state) {
            return self.fail(res);
        }
        self.replaced.insert(urn);
        self.explain_replacement(res, &mut facts);
        if self.get(res).goal.custom && !self.get(res).checked_fresh {
            self.get_mut(res).phase = Phase::Rechecking(Box::new(facts));
            self.effects.push(Effect::Check { res, olds: None, for_replacement: true });
        } else {
            self.replace_checked(res, facts);
        }
    }

    /// Whether the old state of a registration may be replaced. A preview says that it may not and
    /// goes on.
    pub(crate) fn may_replace(&mut self, res: ResId, old: Slot) -> bool {
        let kept = self.get(res).goal.protect == Some(true) && self.entry(old).state.protect;
        if !kept || self.settings.ignore_protect {
            return true;
        }
        let urn = self.urn(res);
        let message = format!(
            "unable to replace resource \"{urn}\"\nas it is currently marked for protection. To unprotect \
             the resource, remove the `protect` flag from the resource in your program and run `up`"
        );
        let problem = Diagnostic::error("protected-replace", message).with_urn(urn.as_str());
        self.say(problem);
        self.fire(Rule::ProtectedReplace);
        self.failed |= self.settings.preview;
        self.settings.preview
    }

    /// Whether a replacement deletes before it creates. Only an update deletes for it.
    fn deletes_first(&self, res: ResId, facts: &DiffFacts) -> bool {
        let resource = self.get(res);
        let external = resource.old.is_some_and(|old| self.entry(old).state.external);
        let wanted = resource.goal.delete_before_replace.unwrap_or(facts.delete_before_replace);
        wanted && resource.goal.custom && !external && self.settings.mode == Mode::Update
    }

    /// Whether a registration will start a cascade as soon as its inputs are validated anew.
    pub(crate) fn will_delete_first(&self, res: ResId) -> bool {
        match &self.get(res).phase {
            Phase::Rechecking(facts) => self.deletes_first(res, facts),
            _ => false,
        }
    }

    fn replace_checked(&mut self, res: ResId, facts: DiffFacts) {
        let Some(old) = self.get(res).old else { return self.plan_create(res) };
        if self.is_recreated(old) {
            return self.create_after_delete(res, old, facts);
        }
        if self.deletes_first(res, &facts) {
            self.get_mut(res).phase = Phase::AwaitingCascade(Box::new(facts));
            self.cascades.enqueue(res);
            return;
        }
        if !self.allows_of(res, &[StepOp::CreateReplacement, StepOp::Replace]) {
            return;
        }
        let resource = self.get(res);
        let draft =
            Arc::new(envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), None));
        let slot = self.push_slot(Arc::clone(&draft), true);
        self.get_mut(res).phase = Phase::Stepping;
        let seed = StepSeed {
            op: StepOp::CreateReplacement,
            res: Some(res),
            old: Some(old),
            draft: Some(draft),
            reasons: facts.into(),
            after: After::PlaceAndMark { slot, old },
            inputs_equal: false,
            wait_for: None,
        };
        self.show_replace(&seed);
        self.run_step(seed);
    }

    /// A resource whose old state is being, or was, deleted first: create it anew.
    pub(crate) fn recreate(&mut self, res: ResId, old: Slot) {
        if !self.get(res).checked_fresh && self.get(res).goal.custom {
            self.get_mut(res).checked_fresh = true;
            self.get_mut(res).phase = Phase::Checking;
            self.effects.push(Effect::Check { res, olds: None, for_replacement: true });
            return;
        }
        let (keys, cause) = self.cascades.reasons_of(old);
        let facts = DiffFacts { replace: Some(keys), cause: Some(cause), ..DiffFacts::default() };
        self.create_after_delete(res, old, facts);
    }

    /// Creates a replacement in the place of a state that is being, or was, deleted. The old state
    /// of a provider stays until the end, for states that refer to it and are not replaced.
    pub(crate) fn create_after_delete(&mut self, res: ResId, old: Slot, facts: DiffFacts) {
        if !self.allows_of(res, &[StepOp::Replace, StepOp::CreateReplacement]) {
            return;
        }
        let urn = self.urn(res).clone();
        self.replaced.insert(urn);
        let resource = self.get(res);
        let draft =
            Arc::new(envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), None));
        let wait_for = self.delete_under_way(old);
        let after = match self.entry(old).state.is_provider() {
            true => After::PlaceAndMark { slot: self.push_slot(Arc::clone(&draft), true), old },
            false => self.place_over(&draft, old),
        };
        self.get_mut(res).phase = Phase::Stepping;
        let seed = StepSeed {
            op: StepOp::CreateReplacement,
            res: Some(res),
            old: Some(old),
            draft: Some(draft),
            reasons: facts.into(),
            after,
            inputs_equal: false,
            wait_for,
        };
        self.show_replace(&seed);
        self.run_step(seed);
    }

    pub(crate) fn show_replace(&mut self, seed: &StepSeed) {
        let step = self.make_step(StepSeed {
            op: StepOp::Replace,
            res: seed.res,
            old: seed.old,
            draft: seed.draft.clone(),
            reasons: seed.reasons.clone(),
            after: seed.after.clone(),
            inputs_equal: false,
            wait_for: None,
        });
        self.effects.push(Effect::Show(Box::new(step)));
    }

    pub(crate) fn make_step(&mut self, seed: StepSeed) -> Step {
        // A refresh is of the old state, whatever that is to become.
        let state = match (&seed.draft, seed.old) {
            (Some(draft), _) if seed.op != StepOp::Refresh => Arc::clone(draft),
            (_, Some(old)) => Arc::clone(&self.entry(old).state),
            (Some(draft), None) => Arc::clone(draft),
            (None, None) => Arc::new(ResourceState::new(self.fallback_urn(), false)),
        };
        Step {
            id: self.steps.next_id(),
            op: seed.op,
            res: seed.res,
            urn: state.urn.clone(),
            old: seed.old,
            provider: state.provider.clone(),
            extension_ref: state.extension_ref.clone(),
            calls_provider: state.custom
                && !state.is_provider()
                && !matches!(seed.op, StepOp::Same | StepOp::Replace),
            draft: seed.draft,
            inputs_equal: seed.inputs_equal,
            reasons: seed.reasons,
            after: seed.after,
            settles: None,
        }
    }

    fn fallback_urn(&self) -> purlin_model::Urn {
        purlin_model::Urn::root_stack(&self.settings.stack, &self.settings.project)
    }

    /// Adds a step, to run when what it waits for has ended well.
    pub(crate) fn run_step(&mut self, seed: StepSeed) {
        let wait: BTreeSet<StepId> = seed.wait_for.into_iter().collect();
        let step = self.make_step(seed);
        self.fire_step(&step);
        self.note_references(&step);
        self.steps.add(step, &wait);
    }

    /// Adds a step with several to wait for; gives its number.
    pub(crate) fn run_step_after(
        &mut self,
        seed: StepSeed,
        calls_provider: bool,
        wait: &BTreeSet<StepId>,
    ) -> StepId {
        let mut step = self.make_step(seed);
        step.calls_provider &= calls_provider;
        let id = step.id;
        self.fire_step(&step);
        self.note_references(&step);
        self.steps.add(step, wait);
        id
    }
}
