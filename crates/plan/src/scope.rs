//! What an operation is about, and what it leaves alone.
//!
//! A registration that is left alone keeps its old state, to the last byte; where it has none, it is
//! left unmade: not created, and no error unless something that is created or updated needs it. Providers
//! and the root stack are never left alone, unless what they need is left unmade.
//!
//! Whatever an old state refers to has to stand before it in the list. Where the program has not
//! registered that (any more), it is carried along first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::urn::{STACK_TYPE, is_provider_type};
use purlin_model::{ResourceState, Slot, Urn};

use crate::decide::StepSeed;
use crate::effect::{After, Effect, StepReasons};
use crate::rule::Rule;
use crate::settings::Mode;
use crate::table::{Fate, Phase, Planner, ResId};
use crate::target::Targets;

/// What is known about the scope of an operation.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The registrations that were named, or left out by name, and with the options for dependents
    /// those that depend on them.
    reached: HashSet<Urn>,
    /// Registrations that are left alone, and wait for others that their old states refer to.
    parked: Vec<ResId>,
    /// Registrations of a preview that need something omitted, about which enough has been said.
    refused: HashSet<ResId>,
    /// What was carried along.
    pub(crate) carried: Vec<Slot>,
    /// What took a place only because something that was settled early needs it.
    pub(crate) ahead: HashSet<Slot>,
    /// What states of the base were called that have another name since their parents have.
    pub(crate) former: HashMap<Slot, Urn>,
    /// What goes on without a step at the end.
    pub(crate) left: Vec<Slot>,
    /// The states of the base that wait for deletion, once somebody has asked.
    waiting: Option<HashMap<Urn, Vec<Slot>>>,
}

/// Follows the list of states and says which of them a refresh is about.
pub struct RefreshScope<'a> {
    targets: &'a Targets,
    reached: HashSet<Urn>,
}

impl<'a> RefreshScope<'a> {
    /// The scope of a refresh that begins at the head of the list.
    pub fn new(targets: &'a Targets) -> Self {
        RefreshScope { targets, reached: HashSet::new() }
    }

    /// Whether the refresh is about the next state of the list.
    pub fn takes(&mut self, state: &ResourceState) -> bool {
        let Targets { only, with_dependents, except, except_dependents, .. } = self.targets;
        if !self.targets.limits() {
            return true;
        }
        let (named, dependents, takes) = match only.is_empty() {
            true => (except, *except_dependents, false),
            false => (only, *with_dependents, true),
        };
        let hit = named.contains(&state.urn)
            || (dependents && state.references().any(|urn| self.reached.contains(urn)));
        if hit && dependents {
            self.reached.insert(state.urn.clone());
        }
        hit == takes
    }
}

/// A resource that is named and that nobody knows.
fn unknown_target(text: &str) -> Diagnostic {
    let message = format!("target '{text}' could not be found in the stack");
    let hint = match text.contains('$') {
        true => "`stack --show-urns` lists the URNs of the stack",
        false => {
            "`stack --show-urns` lists the URNs of the stack; a shell takes a `$` in double quotes for its own, \
             so put the URN in single quotes"
        }
    };
    Diagnostic::error("target-unknown", message).with_hint(hint)
}

impl Planner {
    /// Says which of the named resources should be in the base and are not. Whether all are.
    pub(crate) fn finds_targets_in_base(&mut self) -> bool {
        let Targets { only, except, replace, .. } = &self.settings.targets;
        let all = match self.settings.mode {
            Mode::Update => replace.literals().map(str::to_owned).collect::<Vec<_>>(),
            Mode::Import => Vec::new(),
            Mode::Refresh | Mode::Destroy if self.settings.run_program => Vec::new(),
            Mode::Refresh | Mode::Destroy => {
                only.literals().chain(except.literals()).map(str::to_owned).collect()
            }
        };
        self.finds(all)
    }

    /// Says which of the resources that the operation was to be about nobody has heard of, once the
    /// program has registered all of its own. Whether there are none.
    pub(crate) fn finds_targets(&mut self) -> bool {
        let all = self.settings.targets.only.literals().map(str::to_owned).collect();
        let found = self.finds(all);
        self.failed |= !found;
        found
    }

    fn finds(&mut self, names: Vec<String>) -> bool {
        if names.is_empty() {
            return true;
        }
        let base: HashSet<&str> =
            self.slots.iter().filter(|entry| !entry.new).map(|entry| entry.state.urn.as_str()).collect();
        let known = |name: &String| {
            base.contains(name.as_str()) || Urn::parse(name).is_some_and(|urn| self.by_urn.contains_key(&urn))
        };
        let unknown: Vec<String> = names.into_iter().filter(|name| !known(name)).collect();
        for name in &unknown {
            self.fire(Rule::TargetUnknown);
            self.say(unknown_target(name));
        }
        unknown.is_empty()
    }

    /// The states that the operation was not about and that nothing has registered, once it has been
    /// decided what is deleted.
    pub fn left_alone(&self) -> impl Iterator<Item = &Arc<ResourceState>> {
        self.scope.left.iter().map(|slot| self.state(*slot))
    }

    /// Whether a registration is left alone. What a cascade of this run has deleted is not: it has to
    /// be made again.
    pub(crate) fn is_left_alone(&mut self, res: ResId) -> bool {
        if !self.settings.targets.limits() {
            return false;
        }
        let resource = self.get(res);
        if resource.read_id.is_some() || resource.old.is_some_and(|old| self.cascades.took(old)) {
            return false;
        }
        if is_provider_type(&resource.goal.ty) || resource.urn.qualified_type() == STACK_TYPE {
            self.reach(res);
            return self.omitted_need(res).is_some();
        }
        self.reach(res) == self.settings.targets.only.is_empty()
    }

    /// Whether a registration is named, or depends on what is where that counts.
    fn reach(&mut self, res: ResId) -> bool {
        let Targets { only, with_dependents, except, except_dependents, .. } = &self.settings.targets;
        let (named, dependents) = match only.is_empty() {
            true => (except, *except_dependents),
            false => (only, *with_dependents),
        };
        let urn = &self.get(res).urn;
        let meant = |urn: &Urn| self.scope.reached.contains(urn) || named.contains(urn);
        let hit = named.contains(urn);
        let along = !hit
            && dependents
            && (self.needs(res).any(meant) || self.provider_to_be(res).is_some_and(|u| meant(&u)));
        if (hit || along) && dependents {
            let urn = urn.clone();
            self.scope.reached.insert(urn);
        }
        if along {
            self.fire(Rule::TargetReached);
        }
        hit || along
    }

    /// What a registration refers to.
    fn needs(&self, res: ResId) -> impl Iterator<Item = &Urn> {
        let goal = &self.get(res).goal;
        goal.parent
            .iter()
            .chain(&goal.dependencies)
            .chain(goal.property_dependencies.values().flatten())
            .chain(&goal.deleted_with)
            .chain(&goal.replace_with)
            .chain(goal.provider.iter().map(|provider| provider.urn()))
    }

    /// The first of the omitted resources that a registration refers to.
    pub(crate) fn omitted_need(&self, res: ResId) -> Option<ResId> {
        if self.unmade.is_empty() || !self.settings.targets.limits() {
            return None;
        }
        self.needs(res).find(|urn| self.unmade.contains(*urn)).and_then(|urn| self.res(urn))
    }

    /// A registration that the operation is about needs one that it is not about and that doesn't exist.
    /// A preview goes on, so that everything of this kind is heard at once.
    pub(crate) fn refuse_omitted_need(&mut self, res: ResId, need: ResId) {
        self.fire(Rule::NeedRefused);
        let (urn, omitted) = (self.urn(res).clone(), self.urn(need).clone());
        if !self.scope.refused.contains(&need) {
            let option = match self.settings.targets.only.is_empty() {
                true => "exclude it, too, or pass --exclude-dependents",
                false => "name both with --target",
            };
            let message = format!(
                "resource '{urn}' depends on '{omitted}', which does not exist and is not to be created"
            );
            let problem = Diagnostic::error("target-needs-more", message).with_urn(urn.as_str());
            self.say(problem.with_hint(option));
        }
        if !self.settings.preview {
            return self.fail(res);
        }
        self.failed = true;
        self.scope.refused.insert(res);
        self.leave_unmade(res);
    }

    /// Leaves a registration alone.
    pub(crate) fn leave_alone(&mut self, res: ResId) {
        let Some(old) = self.get(res).old else {
            self.fire(Rule::LeftUnmade);
            return self.leave_unmade(res);
        };
        let Some(slots) = self.what_comes_first(old) else {
            self.fire(Rule::Parked);
            self.scope.parked.push(res);
            return;
        };
        self.fire(Rule::LeftAlone);
        if !slots.is_empty() {
            self.fire(Rule::Carried);
            for slot in &slots {
                self.take_place(*slot);
                self.entry_mut(*slot).carried = true;
            }
            self.scope.carried.extend(&slots);
            self.effects.push(Effect::Carry { slots: slots.into_iter().collect() });
        }
        let state = self.renamed_along(old);
        let former = std::mem::replace(&mut self.get_mut(res).urn, state.urn.clone());
        if former != state.urn {
            self.by_urn.entry(state.urn.clone()).or_insert(res);
            self.defaults.rename(&former, &state.urn);
        }
        self.get_mut(res).phase = Phase::Stepping;
        self.run_step(StepSeed {
            op: StepOp::Same,
            res: Some(res),
            old: Some(old),
            draft: Some(state),
            reasons: StepReasons::default(),
            after: After::Keep(old),
            inputs_equal: true,
            wait_for: None,
        });
    }

    /// Registrations that waited for others whose fate is settled now go on.
    pub(crate) fn resume_parked(&mut self) {
        if self.scope.parked.is_empty() {
            return;
        }
        for res in std::mem::take(&mut self.scope.parked) {
            self.begin(res);
        }
    }

    /// The old state of a registration that is left alone. Where its parent was renamed, the list has
    /// it under the name that follows from that.
    fn renamed_along(&mut self, slot: Slot) -> Arc<ResourceState> {
        let state = Arc::clone(&self.entry(slot).state);
        let parent = state.parent.as_ref().and_then(|old| {
            let res = self.live.get(old).and_then(|slot| self.entry(*slot).claimed)?;
            let new = &self.entry(self.get(res).slot?).state.urn;
            (new != old).then(|| new.clone())
        });
        let Some(parent) = parent else { return state };
        let old = &state.urn;
        let under = |parent| Urn::new(old.stack(), old.project(), Some(parent), old.ty(), old.name());
        let urn = under(&parent);
        let follows = state.parent.as_ref().map(under).as_ref() == Some(old) && !self.live.contains_key(&urn);
        let mut renamed = ResourceState::clone(&state);
        renamed.parent = Some(parent);
        if follows {
            self.scope.former.insert(slot, std::mem::replace(&mut renamed.urn, urn));
        }
        let renamed = Arc::new(renamed);
        self.entry_mut(slot).state = Arc::clone(&renamed);
        renamed
    }

    /// What has to be carried along before a state of the base; `None` while something of it is being
    /// decided. What a state refers to stands before it, so the order of slots is a right one.
    fn what_comes_first(&mut self, slot: Slot) -> Option<BTreeSet<Slot>> {
        let mut all = BTreeSet::new();
        let mut work = self.unplaced_needs(slot)?;
        while let Some(slot) = work.pop() {
            if all.insert(slot) {
                work.extend(self.unplaced_needs(slot)?);
            }
        }
        Some(all)
    }

    /// What a state of the base refers to and what has no place yet; `None` while something of it is
    /// being decided.
    fn unplaced_needs(&mut self, slot: Slot) -> Option<Vec<Slot>> {
        let state = Arc::clone(&self.entry(slot).state);
        let mut found = Vec::new();
        for urn in state.references() {
            let instance = state.provider.as_ref().filter(|provider| provider.urn() == urn);
            let is_meant = |state: &ResourceState| instance.is_none_or(|provider| state.id == provider.id());
            let live = self.live.get(urn).copied();
            let by_claim = || self.entry(live?).claimed;
            if let Some(res) = self.by_urn.get(urn).copied().or_else(by_claim) {
                if self.get(res).phase_is_open() {
                    return None;
                }
                if self.get(res).slot.is_some_and(|slot| is_meant(&self.entry(slot).state)) {
                    continue;
                }
            }
            for slot in self.meant_by(slot, urn, is_meant) {
                let entry = self.entry(slot);
                let placed = entry.place != u32::MAX && (entry.carried || !self.scope.ahead.contains(&slot));
                if placed || entry.fate == Fate::Gone || !is_meant(&entry.state) {
                    continue;
                }
                if self.carries.contains_key(&slot) {
                    return None;
                }
                found.push(slot);
            }
        }
        Some(found)
    }

    /// The states that one of the base means by a name: of all that have it, those that stand before it.
    pub(crate) fn meant_by(
        &mut self,
        slot: Slot,
        urn: &Urn,
        is_meant: impl Fn(&ResourceState) -> bool,
    ) -> Vec<Slot> {
        let live = self.live.get(urn).copied();
        if let Some(live) = live.filter(|live| *live < slot && is_meant(&self.entry(*live).state)) {
            return vec![live];
        }
        let mut slots = self.waiting_for_deletion(urn);
        slots.retain(|other| *other < slot);
        slots
    }

    /// The states of a name in the base that wait for their deletion.
    pub(crate) fn waiting_for_deletion(&mut self, urn: &Urn) -> Vec<Slot> {
        let all = self.scope.waiting.get_or_insert_with(|| {
            let mut all: HashMap<Urn, Vec<Slot>> = HashMap::new();
            let entries = (0u32..).map(Slot).zip(&self.slots);
            for (slot, entry) in entries.filter(|(_, e)| !e.new && e.state.delete) {
                all.entry(entry.state.urn.clone()).or_default().push(slot);
            }
            all
        });
        all.get(urn).cloned().unwrap_or_default()
    }
}
