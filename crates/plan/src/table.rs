//! The planner's tables: physical states by slot, and registrations by number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::{
    Goal, PackageDescriptor, ProviderRef, QuickMap, QuickSet, ResourceState, Slot, Snapshot, Urn,
    hash::map_for,
};

use crate::cascade::Cascades;
use crate::constraint::Constraint;
use crate::dependents::Dependents;
use crate::effect::{Effect, Reply};
use crate::existence::Children;
use crate::import_list::ImportList;
use crate::input::{DiffFacts, Input, StepOutcome, Ticket};
use crate::provider::Defaults;
use crate::refresh::Refreshed;
use crate::rule::{Rule, RuleCounts};
use crate::scope::Scope;
use crate::settings::{Mode, Settings};
use crate::step::{StepId, Steps};
use crate::views::Views;

/// The number of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResId(pub u32);

/// What is to become of a physical state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stands, and nobody has decided anything.
    Stands,
    /// A step is to delete it.
    Condemned(StepId),
    /// It is deleted, in this run or an earlier one, and waits for its replacement.
    AwaitsReplacement,
    /// It is gone, or another state has taken its place.
    Gone,
}

/// A physical state.
#[derive(Debug)]
pub(crate) struct SlotEntry {
    pub(crate) state: Arc<ResourceState>,
    pub(crate) fate: Fate,
    /// The registration that took it as its old state.
    pub(crate) claimed: Option<ResId>,
    /// Whether it came from this run rather than from the base.
    pub(crate) new: bool,
    /// Whether it was marked as replaced in this run.
    pub(crate) marked: bool,
    /// Whether it goes on as it is, although nothing registers it.
    pub(crate) carried: bool,
    /// Its place in the run's order; the greatest number while it has none.
    pub(crate) place: u32,
}

/// Where a registration stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Its default provider is being registered.
    AwaitingProvider,
    /// Its old state is being refreshed.
    Refreshing,
    /// An existing resource is being taken over.
    Importing,
    /// Its inputs are being validated.
    Checking,
    /// It is being compared.
    Diffing,
    /// It will be replaced; its inputs are being validated anew.
    Rechecking(Box<DiffFacts>),
    /// It will be replaced, deleting first; its turn has not come.
    AwaitingCascade(Box<DiffFacts>),
    /// A step is under way.
    Stepping,
    /// It ended well.
    Done,
    /// It failed.
    Failed,
    /// It was skipped because something that it needs failed.
    Skipped,
}

impl Phase {
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self, Phase::Done | Phase::Failed | Phase::Skipped)
    }
}

/// An answer that came while its resource was held by a cascade.
#[derive(Debug)]
pub(crate) enum Held {
    /// It has just been registered.
    Registered,
    /// It was checked.
    Checked(bool),
    /// It was compared.
    Diffed(Option<DiffFacts>),
}

/// A registration.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) urn: Urn,
    /// Who is waiting; `None` for default providers.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) goal: Goal,
    pub(crate) providers: BTreeMap<String, ProviderRef>,
    pub(crate) package: PackageDescriptor,
    pub(crate) read_id: Option<String>,
    pub(crate) provider: Option<ProviderRef>,
    pub(crate) claimed_as: Option<Urn>,
    pub(crate) old: Option<Slot>,
    pub(crate) slot: Option<Slot>,
    pub(crate) phase: Phase,
    pub(crate) held: Option<Held>,
    /// Whether its inputs were validated without old ones, as a replacement wants it.
    pub(crate) checked_fresh: bool,
    /// Whether its old state was refreshed for this registration.
    pub(crate) refreshed: bool,
    /// Whether its old state was imported for this registration.
    pub(crate) imported: bool,
}

/// Why a request is refused when the program has said that it registered everything.
pub(crate) const TOO_LATE: &str = "the program has already said that it registered everything";

/// How far the operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    Refreshing,
    Program,
    Deleting,
    Finished,
}

/// The planner. See the crate's documentation.
#[derive(Debug)]
pub struct Planner {
    pub(crate) settings: Settings,
    pub(crate) slots: Vec<SlotEntry>,
    pub(crate) live: QuickMap<Urn, Slot>,
    /// Each where it stays: a list of them would be copied as it grows.
    #[expect(clippy::vec_box, reason = "a list that grows copies what is in it")]
    pub(crate) resources: Vec<Box<Resource>>,
    pub(crate) by_urn: QuickMap<Urn, ResId>,
    pub(crate) claimed_urns: QuickMap<Urn, ResId>,
    pub(crate) defaults: Defaults,
    pub(crate) steps: Steps,
    pub(crate) cascades: Cascades,
    pub(crate) constraint: Constraint,
    pub(crate) children: Children,
    /// The steps under way of states that are carried on.
    pub(crate) carries: QuickMap<Slot, StepId>,
    pub(crate) dependents: Option<Dependents>,
    pub(crate) views: Views,
    pub(crate) replaced: QuickSet<Urn>,
    /// The names that a refresh found gone: whoever keeps the list prunes references to them.
    pub(crate) vanished: QuickSet<Urn>,
    /// Registrations of resources that don't exist and that this run does not make.
    pub(crate) unmade: QuickSet<Urn>,
    /// Whether a state of the base wants to be refreshed before the program runs.
    pub(crate) eager_refresh: bool,
    /// The next place in the run's order.
    pub(crate) next_place: u32,
    /// Creates of earlier runs whose outcome nobody knew, with their places in the base.
    pub(crate) pending_creates: Vec<(u32, Arc<ResourceState>)>,
    /// The names whose creates an earlier run left pending: what they were to make may exist.
    pub(crate) may_exist: BTreeSet<Urn>,
    /// The states that were taken over by the ids that they have, by these.
    pub(crate) imported: BTreeMap<String, Vec<Slot>>,
    /// The list of an import.
    pub(crate) import_list: ImportList,
    pub(crate) unsettled: BTreeSet<ResId>,
    pub(crate) scope: Scope,
    pub(crate) stage: Stage,
    pub(crate) program_ended: Option<bool>,
    pub(crate) failed: bool,
    pub(crate) stopping: bool,
    pub(crate) effects: Vec<Effect>,
    pub(crate) rules: RuleCounts,
}

impl Planner {
    /// A planner that starts from a snapshot. The slots of the base are its resources in order.
    pub fn new(settings: Settings, base: &Snapshot) -> Planner {
        let constraint = Constraint::new(&settings);
        let mut planner = Planner {
            settings,
            slots: Vec::with_capacity(base.resources.len()),
            live: map_for(base.resources.len()),
            resources: Vec::with_capacity(base.resources.len()),
            by_urn: map_for(base.resources.len()),
            claimed_urns: QuickMap::default(),
            defaults: Defaults::default(),
            steps: Steps::default(),
            cascades: Cascades::default(),
            constraint,
            children: Children::default(),
            carries: QuickMap::default(),
            dependents: None,
            views: Views::of_base(base),
            replaced: QuickSet::default(),
            vanished: QuickSet::default(),
            unmade: QuickSet::default(),
            eager_refresh: false,
            next_place: 0,
            pending_creates: Vec::new(),
            may_exist: BTreeSet::new(),
            imported: BTreeMap::new(),
            import_list: ImportList::default(),
            unsettled: BTreeSet::new(),
            scope: Scope::default(),
            stage: Stage::Idle,
            program_ended: None,
            failed: false,
            stopping: false,
            effects: Vec::new(),
            rules: RuleCounts::default(),
        };
        for state in &base.resources {
            let slot = planner.push_slot(Arc::clone(state), false);
            planner.note_imported(slot);
            if state.pending_replacement {
                planner.entry_mut(slot).fate = Fate::AwaitsReplacement;
            }
            if !state.delete {
                planner.live.insert(state.urn.clone(), slot);
            }
            planner.eager_refresh |= state.refresh_before_update;
        }
        planner.note_pending(base);
        planner
    }

    /// Takes an input and says what is to be done about it.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Start => self.start(),
            Input::Register { ticket, request } => self.register(ticket, *request),
            Input::NeedProvider { ticket, query } => self.need_provider(ticket, &query),
            Input::Checked { res, accepted } => self.checked(res, accepted),
            Input::Diffed { res, facts } => self.diffed(res, facts),
            Input::DependentDiffed { slot, replace_keys } => self.dependent_diffed(slot, replace_keys),
            Input::Stepped { step, outcome } => self.stepped(step, outcome),
            Input::Amended { urn, state } => self.amended(&urn, state),
            Input::ProgramEnded { ok } => {
                if self.program_ended.is_none() || !ok {
                    self.program_ended = Some(ok);
                }
                if !ok {
                    self.fail_run();
                }
            }
            Input::RunFailed => self.fail_run(),
            Input::Stop => self.stop(),
        }
        self.advance();
        std::mem::take(&mut self.effects)
    }

    /// Has the inputs of components validated, too.
    pub fn check_all(&mut self) {
        self.constraint.check_all();
    }

    /// Whether it is an update, or the preview of one.
    pub fn runs_update(&self) -> bool {
        self.settings.mode == Mode::Update
    }

    /// What was registered and ended well, in the order of registration.
    pub fn all_registered(&self) -> impl Iterator<Item = (&Goal, &Arc<ResourceState>)> {
        let ended = self.resources.iter().filter_map(|resource| Some((&resource.goal, resource.slot?)));
        ended.map(|(goal, slot)| (goal, self.state(slot)))
    }

    /// What a registration asks for, with what it inherits.
    pub fn goal(&self, res: ResId) -> &Goal {
        &self.resources[res.0 as usize].goal
    }

    /// The id that a registration wants read, if it is a read.
    pub fn read_id(&self, res: ResId) -> Option<&str> {
        self.resources[res.0 as usize].read_id.as_deref()
    }

    /// The name of a registration.
    pub fn urn(&self, res: ResId) -> &Urn {
        &self.resources[res.0 as usize].urn
    }

    /// The provider of a registration; `None` for components and while it isn't settled.
    pub fn provider(&self, res: ResId) -> Option<&ProviderRef> {
        self.resources[res.0 as usize].provider.as_ref()
    }

    /// The other name under which a registration's old state was found.
    pub fn claimed_as(&self, res: ResId) -> Option<&Urn> {
        self.resources[res.0 as usize].claimed_as.as_ref()
    }

    /// The package that a registration belongs to.
    pub fn package(&self, res: ResId) -> &PackageDescriptor {
        &self.resources[res.0 as usize].package
    }

    /// The old state that a registration has taken.
    pub fn old(&self, res: ResId) -> Option<Slot> {
        self.resources[res.0 as usize].old
    }

    /// A physical state.
    pub fn state(&self, slot: Slot) -> &Arc<ResourceState> {
        &self.slots[slot.0 as usize].state
    }

    /// The state of a registration that ended well, with its slot.
    pub fn registered(&self, urn: &Urn) -> Option<(Slot, &Arc<ResourceState>)> {
        let slot = self.resource_by_urn(urn)?.slot?;
        (self.entry(slot).fate != Fate::Gone).then(|| (slot, self.state(slot)))
    }

    /// The newest state of a URN that is not waiting for deletion: of this run, else of the base.
    pub fn current(&self, urn: &Urn) -> Option<(Slot, &Arc<ResourceState>)> {
        self.registered(urn).or_else(|| {
            let slot = *self.live.get(urn)?;
            (self.entry(slot).fate != Fate::Gone).then(|| (slot, self.state(slot)))
        })
    }

    /// The number of a registered resource.
    pub fn res(&self, urn: &Urn) -> Option<ResId> {
        self.by_urn.get(urn).copied()
    }

    /// Whether something failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether nothing further will be begun.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The name under which this run knows what had a name before: a registration may have taken it
    /// over under another.
    pub(crate) fn new_name<'a>(&'a self, urn: &'a Urn) -> &'a Urn {
        match self.claimed_urns.get(urn) {
            // What is left out of the run keeps its name.
            Some(res) if self.settings.mode == Mode::Destroy && self.get(*res).slot.is_some() => {
                &self.get(*res).urn
            }
            _ => urn,
        }
    }

    pub(crate) fn resource_by_urn(&self, urn: &Urn) -> Option<&Resource> {
        self.by_urn.get(urn).map(|res| self.get(*res))
    }

    pub(crate) fn get(&self, res: ResId) -> &Resource {
        &self.resources[res.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, res: ResId) -> &mut Resource {
        &mut self.resources[res.0 as usize]
    }

    pub(crate) fn entry(&self, slot: Slot) -> &SlotEntry {
        &self.slots[slot.0 as usize]
    }

    pub(crate) fn entry_mut(&mut self, slot: Slot) -> &mut SlotEntry {
        &mut self.slots[slot.0 as usize]
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a stack of four thousand million states doesn't fit in memory"
    )]
    pub(crate) fn push_slot(&mut self, state: Arc<ResourceState>, new: bool) -> Slot {
        self.slots.push(SlotEntry {
            state,
            fate: Fate::Stands,
            claimed: None,
            new,
            marked: false,
            carried: false,
            place: u32::MAX,
        });
        Slot(self.slots.len() as u32 - 1)
    }

    pub(crate) fn reply(&mut self, ticket: Option<Ticket>, reply: Reply) {
        if let Some(ticket) = ticket {
            self.effects.push(Effect::Reply { ticket, reply });
        }
    }

    pub(crate) fn say(&mut self, diagnostic: Diagnostic) {
        self.effects.push(Effect::Say(diagnostic));
    }

    fn start(&mut self) {
        if self.stopping {
            self.stage = Stage::Deleting;
            return;
        }
        if !self.finds_targets_in_base() {
            self.failed = true;
            self.stage = Stage::Deleting;
            return;
        }
        if self.refuse_delete_hooks() || self.refuse_known_pending() {
            self.stage = Stage::Deleting;
            return;
        }
        if self.settings.mode == Mode::Import {
            return self.start_import_list();
        }
        let which = self.early_refresh();
        if which.is_none() && self.settings.import_pending.is_empty() {
            return self.leave_refresh();
        }
        self.stage = Stage::Refreshing;
        self.plan_pending();
        if let Some(which) = which {
            self.plan_refresh(which);
        }
    }

    /// What comes after a refresh, or at once where there is none.
    fn leave_refresh(&mut self) {
        if self.settings.mode == Mode::Update || self.settings.run_program {
            self.stage = Stage::Program;
            self.effects.push(Effect::StartProgram);
        } else {
            self.stage = Stage::Deleting;
            if self.settings.mode == Mode::Destroy {
                self.plan_deletes();
            }
        }
    }

    /// What comes after a program that ended well.
    fn leave_program(&mut self) {
        self.stage = Stage::Deleting;
        if !self.finds_targets() {
            return;
        }
        match self.settings.mode {
            Mode::Refresh => self.plan_refresh(Refreshed::Unregistered),
            Mode::Update | Mode::Destroy => self.plan_deletes(),
            Mode::Import => {}
        }
    }

    /// Goes on to the next stage if nothing of this one is left.
    fn advance(&mut self) {
        loop {
            self.pump_cascades();
            self.resume_parked();
            self.emit_ready_steps();
            let idle = self.steps.is_idle() && self.unsettled.is_empty();
            match self.stage {
                Stage::Refreshing if idle && self.stopping => self.finish(),
                Stage::Refreshing if idle => self.leave_refresh(),
                Stage::Program if idle && self.program_ended.is_some() => {
                    if self.program_ended == Some(true) && !self.stopping {
                        self.leave_program();
                    } else {
                        self.finish();
                    }
                }
                Stage::Deleting if idle => self.finish(),
                _ => return,
            }
        }
    }

    fn finish(&mut self) {
        self.check_leftovers();
        self.stage = Stage::Finished;
        self.effects.push(Effect::Finish { ok: !self.failed });
    }

    /// Something failed: with `continue_on_error` only what depends on it is skipped, otherwise
    /// nothing further is begun.
    pub(crate) fn fail_run(&mut self) {
        self.failed = true;
        if !self.settings.continue_on_error {
            return self.stop();
        }
        self.fire(Rule::WentOn);
    }

    /// Begins nothing further. Steps in flight end; everything that waits is let go.
    pub(crate) fn stop(&mut self) {
        self.failed = true;
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.fire(Rule::Stopped);
        self.effects.push(Effect::Stopping);
        for step in self.steps.drop_waiting() {
            self.let_stand(&step);
        }
        let running = self.steps.running_resources();
        let unsettled: Vec<ResId> =
            self.unsettled.iter().copied().filter(|res| !running.contains(res)).collect();
        for res in unsettled {
            self.settle(res, Phase::Skipped);
            let ticket = self.get(res).ticket;
            self.reply(ticket, Reply::Stopping);
        }
        for ticket in self.defaults.drop_waiters() {
            self.reply(Some(ticket), Reply::Stopping);
        }
        self.cascades.clear();
    }

    pub(crate) fn settle(&mut self, res: ResId, phase: Phase) {
        debug_assert!(phase.is_settled());
        let resource = self.get_mut(res);
        resource.phase = phase;
        // Nobody asks for them any more, and those of all resources together are as large as the program.
        resource.goal.inputs = Arc::default();
        self.unsettled.remove(&res);
        if self.settings.mode == Mode::Import {
            let urn = self.get(res).urn.clone();
            self.resume_imports(&urn);
        }
    }

    /// A registration failed.
    pub(crate) fn fail(&mut self, res: ResId) {
        self.settle(res, Phase::Failed);
        self.fail_run();
        let (ticket, urn) = (self.get(res).ticket, self.get(res).urn.clone());
        let reply = if self.stopping { Reply::Stopping } else { Reply::Failed { urn: urn.clone() } };
        self.reply(ticket, reply);
        self.default_settled(&urn);
    }

    fn amended(&mut self, urn: &Urn, state: Arc<ResourceState>) {
        if let Some(slot) = self.resource_by_urn(urn).and_then(|r| r.slot) {
            self.entry_mut(slot).state = state;
        }
    }

    fn stepped(&mut self, id: StepId, outcome: StepOutcome) {
        let Some(step) = self.steps.end(id, &outcome) else { return };
        self.apply(&step, &outcome);
        match step.res {
            Some(res) => self.resource_stepped(res, &step, &outcome),
            None if !matches!(outcome, StepOutcome::Done(_)) => {
                self.drop_blocked_by(&step);
                self.fail_run();
                self.carry_ended(&step, false);
            }
            None => self.carry_ended(&step, true),
        }
    }
}
