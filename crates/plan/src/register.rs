//! Registrations: what is settled in the order of arrival, before any call.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::urn::is_provider_type;
use purlin_model::{Goal, Slot, Urn};

use crate::carry::Carried;
use crate::effect::{After, Effect, Reply, StepReasons};
use crate::envelope;
use crate::input::{Registration, Ticket};
use crate::provider::Choice;
use crate::rule::Rule;
use crate::settings::Mode;
use crate::step::StepId;
use crate::table::{Fate, Held, Phase, Planner, ResId, Resource, Stage, TOO_LATE};

impl Planner {
    /// A registration arrives: parent known, URN made, duplicates refused, old state claimed,
    /// inherited options filled in.
    pub(crate) fn register(&mut self, ticket: Ticket, mut request: Registration) {
        if self.stopping {
            return self.reply(Some(ticket), Reply::Stopping);
        }
        if self.stage != Stage::Program {
            return self.reply(Some(ticket), Reply::Invalid(TOO_LATE.to_owned()));
        }
        if let Some(parent) = &mut request.goal.parent {
            let Some((known, _)) = self.by_urn.get_key_value(parent) else {
                let message = format!("could not find parent resource {parent}");
                return self.reply(Some(ticket), Reply::Invalid(message));
            };
            // One copy of each name is quicker to compare, and less to keep.
            parent.clone_from(known);
        }
        self.describe_explicit_provider(&mut request);
        if !request.goal.custom || is_provider_type(&request.goal.ty) {
            // No provider is asked about these.
            request.goal.extension = None;
        }
        let goal = &request.goal;
        let urn = Urn::new(
            &self.settings.stack,
            &self.settings.project,
            goal.parent.as_ref(),
            &goal.ty,
            &goal.name,
        );
        let urn = self.live.get_key_value(&urn).map_or(urn, |(known, _)| known.clone());
        if let Some(problem) = self.name_problem(&urn) {
            self.fire(Rule::DuplicateRefused);
            self.say(problem);
            self.fail_run();
            let reply = if self.stopping { Reply::Stopping } else { Reply::Failed { urn } };
            return self.reply(Some(ticket), reply);
        }
        if goal.additional_secret_outputs.iter().any(|key| key == "id") {
            let message = "The 'id' property cannot be made secret.";
            let hint = "take `id` out of `additionalSecretOutputs`; the other outputs there are made secret";
            self.say(Diagnostic::warning("id-not-secret", message).with_urn(urn.as_str()).with_hint(hint));
        }
        let res = self.admit(Some(ticket), request, urn);
        self.begin(res);
    }

    fn name_problem(&self, urn: &Urn) -> Option<Diagnostic> {
        if self.by_urn.contains_key(urn) {
            let message = format!("Duplicate resource URN '{urn}'; try giving it a unique name");
            return Some(Diagnostic::error("duplicate-urn", message).with_urn(urn.as_str()));
        }
        let claimer = self.claimed_urns.get(urn)?;
        let message = format!(
            "Duplicate resource URN '{urn}' conflicting with alias on resource with URN '{}'",
            self.urn(*claimer)
        );
        let hint = "leave the alias out there, or give one of the two another name";
        Some(Diagnostic::error("duplicate-alias", message).with_urn(urn.as_str()).with_hint(hint))
    }

    /// Enters a registration into the tables and claims its old state.
    pub(crate) fn admit(&mut self, ticket: Option<Ticket>, mut request: Registration, urn: Urn) -> ResId {
        self.inherit(&mut request.goal);
        self.name_first(&mut request.goal);
        let providers = self.inherited_providers(&request.goal, take(&mut request.providers));
        #[expect(clippy::cast_possible_truncation, reason = "registrations fit in memory")]
        let res = ResId(self.resources.len() as u32);
        self.resources.push(Box::new(Resource {
            urn: urn.clone(),
            ticket,
            goal: request.goal,
            providers,
            package: request.package,
            read_id: request.read_id,
            provider: None,
            claimed_as: None,
            old: None,
            slot: None,
            phase: Phase::Checking,
            held: None,
            checked_fresh: false,
            refreshed: false,
            imported: false,
        }));
        self.by_urn.insert(urn, res);
        self.unsettled.insert(res);
        if let Err(problem) = self.claim(res) {
            self.fire(Rule::ClaimRefused);
            self.say(problem);
            self.fail(res);
        }
        res
    }

    /// A resource that gets the name of the one that it replaces is made after that is deleted.
    fn name_first(&mut self, goal: &mut Goal) {
        let Some(autonaming) = &self.settings.autonaming else { return };
        if goal.custom && !is_provider_type(&goal.ty) && autonaming.deletes_first(&goal.ty) {
            goal.delete_before_replace = Some(true);
            self.rules.fire(Rule::NameFreed);
        }
    }

    fn inherit(&mut self, goal: &mut Goal) {
        let Some(parent) = goal.parent.as_ref().and_then(|urn| self.resource_by_urn(urn)) else { return };
        let before = (goal.protect, goal.retain_on_delete, goal.deleted_with.is_some());
        if goal.protect.is_none() {
            goal.protect = parent.goal.protect;
        }
        if goal.retain_on_delete.is_none() {
            goal.retain_on_delete = parent.goal.retain_on_delete;
        }
        if goal.deleted_with.is_none() {
            goal.deleted_with.clone_from(&parent.goal.deleted_with);
        }
        if before != (goal.protect, goal.retain_on_delete, goal.deleted_with.is_some()) {
            self.rules.fire(Rule::OptionInherited);
        }
    }

    fn inherited_providers(
        &self,
        goal: &Goal,
        mut own: BTreeMap<String, purlin_model::ProviderRef>,
    ) -> BTreeMap<String, purlin_model::ProviderRef> {
        if goal.custom {
            return own;
        }
        if let Some(provider) = &goal.provider {
            own.entry(provider.package().to_owned()).or_insert_with(|| provider.clone());
        }
        if let Some(parent) = goal.parent.as_ref().and_then(|urn| self.resource_by_urn(urn)) {
            let handed_on = match parent.goal.custom {
                true => parent.provider.iter().collect::<Vec<_>>(),
                false => parent.providers.values().collect(),
            };
            for provider in handed_on {
                own.entry(provider.package().to_owned()).or_insert_with(|| provider.clone());
            }
        }
        own
    }

    /// Takes the old state under the resource's own name, else under the first alias that has one.
    fn claim(&mut self, res: ResId) -> Result<(), Diagnostic> {
        let resource = self.get(res);
        let own = resource.urn.clone();
        let found = match self.live.get(&own) {
            Some(slot) => Some((own.clone(), *slot)),
            None => self
                .alias_urns(&resource.goal, &own)
                .into_iter()
                .skip(forgotten_aliases())
                .find_map(|name| self.live.get(&name).copied().map(|slot| (name, slot))),
        };
        let Some((name, slot)) = found else { return Ok(()) };
        if let Some(other) = self.entry(slot).claimed {
            let message = format!(
                "resource '{own}' would take over the state of '{name}', which '{}' has taken over already",
                self.urn(other)
            );
            let hint = "only one of the two can have it: leave the alias out of the other";
            return Err(Diagnostic::error("alias-claimed", message).with_urn(own.as_str()).with_hint(hint));
        }
        self.entry_mut(slot).claimed = Some(res);
        self.fire(if name == own { Rule::ClaimedByName } else { Rule::ClaimedByAlias });
        if name != own {
            self.claimed_urns.insert(name.clone(), res);
        }
        let resource = self.get_mut(res);
        resource.old = Some(slot);
        resource.claimed_as = Some(name);
        Ok(())
    }

    /// Starts on a registration, unless it is settled already or a cascade holds it.
    pub(crate) fn begin(&mut self, res: ResId) {
        if !self.get(res).phase_is_open() {
            return;
        }
        if self.holds(res) {
            self.fire(Rule::CascadeHeld);
            self.get_mut(res).held = Some(Held::Registered);
            return;
        }
        if self.needs_something_failed(res) {
            return self.skip(res);
        }
        if self.is_left_alone(res) {
            return self.leave_alone(res);
        }
        if self.settings.mode == Mode::Update
            && let Some(need) = self.omitted_need(res)
        {
            return self.refuse_omitted_need(res, need);
        }
        let resource = self.get_mut(res);
        if !resource.goal.custom || is_provider_type(&resource.goal.ty) {
            return self.provider_settled(res);
        }
        let (explicit, parent) = (resource.goal.provider.clone(), resource.goal.parent.clone());
        // Lent, not copied: a choice may register another resource, but doesn't look at this one.
        let (providers, package) = (take(&mut resource.providers), take(&mut resource.package));
        let choice = self.choose_provider(explicit.as_ref(), &providers, parent.as_ref(), &package);
        let resource = self.get_mut(res);
        (resource.providers, resource.package) = (providers, package);
        match choice {
            Choice::Settled(provider) => {
                let carried = self.carry_provider(res, &provider);
                self.get_mut(res).provider = Some(provider);
                match carried {
                    Carried::UnderWay(slot) => self.await_carried(slot, res),
                    Carried::After(urn) => self.begin_after(urn, res),
                    Carried::Stands => self.provider_settled(res),
                }
            }
            Choice::Default(urn) => self.await_default(urn, res),
            Choice::Failed(_) => self.skip(res),
            Choice::Invalid(message) => {
                let urn = self.urn(res).clone();
                self.say(Diagnostic::error("default-provider-disabled", message).with_urn(urn.as_str()));
                self.fail(res);
            }
        }
    }

    fn needs_something_failed(&self, res: ResId) -> bool {
        if !self.failed {
            return false;
        }
        let goal = &self.get(res).goal;
        let bad = |urn: &Urn| {
            self.resource_by_urn(urn).is_some_and(|r| matches!(r.phase, Phase::Failed | Phase::Skipped))
        };
        goal.parent
            .iter()
            .chain(&goal.dependencies)
            .chain(&goal.deleted_with)
            .chain(&goal.replace_with)
            .any(bad)
            || goal.property_dependencies.values().flatten().any(bad)
            || goal.provider.as_ref().is_some_and(|p| bad(p.urn()))
    }

    /// The provider is known: refresh, read, import, or validate the inputs.
    pub(crate) fn provider_settled(&mut self, res: ResId) {
        if self.holds(res) {
            self.fire(Rule::CascadeHeld);
            self.get_mut(res).held = Some(Held::Registered);
            return;
        }
        match self.get(res).old {
            Some(old) if self.wants_refresh(res) => self.plan_refresh_of(res, old),
            _ => self.go_on(res),
        }
    }

    /// The old state is what it is.
    pub(crate) fn go_on(&mut self, res: ResId) {
        if self.get(res).read_id.is_some() {
            self.plan_read(res);
        } else if !self.keep_registered(res) {
            if self.wants_import(res) {
                return self.plan_import(res);
            }
            if !self.get(res).goal.import_id.is_empty() {
                self.fire(Rule::ImportedAlready);
            }
            self.validate(res);
        }
    }

    /// Has the inputs validated, where somebody can.
    pub(crate) fn validate(&mut self, res: ResId) {
        let resource = self.get(res);
        let ignores = !resource.goal.ignore_changes.is_empty();
        let olds = resource.old.filter(|slot| !self.is_recreated(*slot) && !self.entry(*slot).state.external);
        let compares =
            resource.goal.custom || (ignores && olds.is_some()) || self.constraint.checks_components();
        if !compares {
            return self.checked(res, true);
        }
        let fresh = olds.is_none_or(|slot| self.entry(slot).state.taint)
            || self.settings.targets.replace.contains(&resource.urn);
        let resource = self.get_mut(res);
        resource.phase = Phase::Checking;
        resource.checked_fresh = fresh;
        let olds = if fresh { None } else { olds };
        let for_replacement = fresh && self.get(res).old.is_some();
        self.effects.push(Effect::Check { res, olds, for_replacement });
    }

    /// Whether an old state is or was deleted, in this run or an earlier one, for the sake of a
    /// replacement.
    pub(crate) fn is_recreated(&self, slot: Slot) -> bool {
        matches!(self.entry(slot).fate, Fate::Condemned(_) | Fate::AwaitsReplacement)
    }

    fn plan_read(&mut self, res: ResId) {
        let resource = self.get(res);
        let id = resource.read_id.clone().unwrap_or_default();
        let old = resource.old;
        let old_state = old.map(|slot| Arc::clone(&self.entry(slot).state));
        let mut state = envelope::draft(&resource.goal, &resource.urn, resource.provider.as_ref(), None);
        state.external = true;
        state.id.clone_from(&id);
        if let Some(old_state) = &old_state {
            state.created.clone_from(&old_state.created);
            state.modified.clone_from(&old_state.modified);
        }
        // Reading the very thing that a state manages lets it go: nothing is deleted.
        let managed = old_state.as_ref().is_some_and(|s| !s.external && s.id != id);
        let deleted = old.is_some_and(|old| self.is_recreated(old));
        let wait_for = old.and_then(|old| self.delete_under_way(old));
        let state = Arc::new(state);
        let slot = self.push_slot(Arc::clone(&state), true);
        let (op, after) = match (managed && !deleted, old) {
            (true, Some(old)) => (StepOp::ReadReplacement, After::PlaceAndMark { slot, old }),
            _ => (StepOp::Read, After::Place { slot, replaces: old }),
        };
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(crate::decide::StepSeed {
            op,
            res: Some(res),
            old,
            draft: Some(state),
            reasons: StepReasons::default(),
            after,
            inputs_equal: false,
            wait_for,
        });
    }

    /// The step that is to delete a state before its replacement.
    pub(crate) fn delete_under_way(&self, slot: Slot) -> Option<StepId> {
        match self.entry(slot).fate {
            Fate::Condemned(step) => Some(step),
            _ => None,
        }
    }
}

impl Resource {
    pub(crate) fn phase_is_open(&self) -> bool {
        !self.phase.is_settled()
    }
}

/// How many aliases are forgotten: none, unless that bug is planted.
fn forgotten_aliases() -> usize {
    #[cfg(feature = "planted")]
    if crate::planted::is(crate::planted::Bug::ForgetAlias) {
        return 1;
    }
    0
}
