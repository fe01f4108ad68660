//! Plays a scenario: delivers answers to the planner and records what it does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use purlin_journal::{Change, Entry, Fold, OpId};
use purlin_model::event::StepOp;
use purlin_model::{OperationKind, ProviderRef, ResourceState, Slot, Urn};
use purlin_plan::{
    After, Effect, Input, Planner, Registration, Reply, RuleCounts, Step, StepId, StepOutcome, Ticket,
};

use super::watch::Watch;
use super::{Act, Ending, Scenario, World};

/// What came of a scenario.
pub struct Played {
    pub trace: Vec<String>,
    pub fold: Fold,
    pub ok: bool,
    pub steps: Vec<Step>,
    pub rules: RuleCounts,
    /// The names of what the operation was not about and nothing registered.
    pub left: Vec<String>,
    /// Every entry, as a journal would have it.
    pub entries: Vec<Entry>,
}

struct Player<'a> {
    scenario: &'a Scenario,
    world: &'a mut dyn World,
    planner: Planner,
    pending: Vec<(String, Input)>,
    started: bool,
    aborted: bool,
    ended: bool,
    finished: Option<bool>,
    next_item: Vec<usize>,
    answered: HashSet<Urn>,
    /// The names that replies gave to registrations that kept an older one.
    called: HashMap<Urn, Urn>,
    tickets: HashMap<Ticket, (String, Option<Urn>)>,
    running: HashMap<StepId, Step>,
    begun: HashMap<StepId, OpId>,
    watch: Watch,
    made: u32,
    stop: bool,
    stopping: bool,
    out: Played,
}

/// Plays a scenario to its end. Panics where the planner breaks a rule.
pub fn play(scenario: &Scenario, world: &mut dyn World) -> Played {
    let base = Arc::new(scenario.base.clone());
    let mut player = Player {
        scenario,
        world,
        planner: Planner::new(scenario.settings.clone(), &base),
        pending: Vec::new(),
        started: false,
        aborted: false,
        ended: false,
        finished: None,
        next_item: (0..scenario.program.len()).collect(),
        answered: HashSet::new(),
        called: HashMap::new(),
        tickets: HashMap::new(),
        running: HashMap::new(),
        begun: HashMap::new(),
        watch: Watch::default(),
        made: 0,
        stop: false,
        stopping: false,
        out: Played {
            trace: Vec::new(),
            fold: Fold::new(Arc::clone(&base)),
            ok: false,
            steps: Vec::new(),
            rules: RuleCounts::default(),
            left: Vec::new(),
            entries: Vec::new(),
        },
    };
    player.feed("start", Input::Start);
    while player.go_on() {}
    player.finish()
}

impl Player<'_> {
    fn go_on(&mut self) -> bool {
        let ready: Vec<usize> = self.next_item.iter().copied().filter(|index| self.can_act(*index)).collect();
        let mut labels: Vec<String> =
            ready.iter().map(|i| format!("register {}", self.scenario.program[*i].name)).collect();
        labels.extend(self.pending.iter().map(|(label, _)| label.clone()));
        if labels.is_empty() {
            let can_end = self.started && !self.ended && self.tickets.is_empty();
            if can_end {
                self.ended = true;
                let ok = self.scenario.program_ok && !self.aborted;
                assert!(ok || self.aborted || self.next_item.is_empty(), "the program hangs");
                self.feed("program ended", Input::ProgramEnded { ok });
            }
            return can_end;
        }
        let picked = self.world.pick(&labels, ready.len());
        if picked < ready.len() {
            self.act(ready[picked]);
        } else {
            let (label, input) = self.pending.remove(picked - ready.len());
            self.feed(&label, input);
        }
        true
    }

    fn can_act(&self, index: usize) -> bool {
        let item = &self.scenario.program[index];
        let programs: &dyn Fn(&Urn) -> bool =
            &|urn| self.scenario.program.iter().any(|i| i.urn().as_ref() == Some(urn));
        self.started
            && !self.aborted
            && item.after.iter().all(|urn| self.answered.contains(urn) || !programs(urn))
    }

    fn act(&mut self, index: usize) {
        self.next_item.retain(|i| *i != index);
        let item = &self.scenario.program[index];
        let ticket = Ticket(u32::try_from(index).unwrap());
        self.tickets.insert(ticket, (item.name.clone(), item.urn()));
        match &item.act {
            Act::Register(registration) => {
                let mut request = registration.clone();
                self.resolve(&mut request);
                self.feed(&format!("register {}", item.name), Input::Register { ticket, request });
            }
            Act::Ask(query) => {
                let query = query.clone();
                self.feed(&format!("invoke {}", item.name), Input::NeedProvider { ticket, query });
            }
        }
    }

    /// A program learns the id of a provider when that is registered, and calls what it has registered
    /// by the names that it was told.
    fn resolve(&self, registration: &mut Registration) {
        let goal = &mut registration.goal;
        let urns = goal.parent.iter_mut().chain(&mut goal.dependencies).chain(&mut goal.deleted_with);
        let urns = urns.chain(goal.property_dependencies.values_mut().flatten());
        for urn in urns.chain(&mut goal.replace_with) {
            if let Some(called) = self.called.get(urn) {
                urn.clone_from(called);
            }
        }
        let known = |provider: &ProviderRef| {
            let (_, state) = self.planner.registered(provider.urn())?;
            state.as_provider()
        };
        goal.provider = goal.provider.as_ref().map(|p| known(p).unwrap_or_else(|| p.clone()));
        for provider in registration.providers.values_mut() {
            *provider = known(provider).unwrap_or_else(|| provider.clone());
        }
    }

    fn feed(&mut self, label: &str, input: Input) {
        self.out.trace.push(format!("> {label}"));
        if let Input::Stepped { step, outcome } = &input {
            let step = self.running.remove(step).unwrap();
            self.watch.ended(&step);
            self.record(&step, outcome);
        }
        let effects = self.planner.handle(input);
        for effect in effects {
            self.effect(effect);
        }
        if std::mem::take(&mut self.stop) {
            self.feed("stop", Input::Stop);
        }
    }

    fn line(&mut self, text: String) {
        self.out.trace.push(format!("  {text}"));
    }

    fn effect(&mut self, effect: Effect) {
        assert!(
            self.finished.is_none() || matches!(effect, Effect::Reply { .. }),
            "{effect:?} after the end"
        );
        match effect {
            Effect::Check { res, olds, for_replacement } => {
                let urn = self.planner.urn(res).clone();
                let olds = if olds.is_some() { " with olds" } else { "" };
                let replacing = if for_replacement { " for replacement" } else { "" };
                self.line(format!("check {}{olds}{replacing}", urn.name()));
                let accepted = self.world.check(&urn, for_replacement);
                let verdict = if accepted { "" } else { " refused" };
                self.pending
                    .push((format!("checked {}{verdict}", urn.name()), Input::Checked { res, accepted }));
            }
            Effect::Diff { res, old_provider, .. } => {
                let urn = self.planner.urn(res).clone();
                let from = old_provider.map(|p| format!(" from {}", short(&p))).unwrap_or_default();
                self.line(format!("diff {}{from}", urn.name()));
                let facts = self.world.diff(&urn);
                let found = facts.as_ref().map_or("failed", |f| match (&f.replace, f.changed) {
                    (Some(_), _) => "replace",
                    (None, true) => "update",
                    (None, false) => "same",
                });
                self.pending.push((format!("diffed {} {found}", urn.name()), Input::Diffed { res, facts }));
            }
            Effect::DiffDependent { slot, properties } => {
                let urn = self.planner.state(slot).urn.clone();
                self.line(format!("ask {} {}", urn.name(), properties.join(",")));
                let replace_keys = self.world.dependent(&urn, &properties);
                let found = if replace_keys.is_empty() { "stays" } else { "goes" };
                let label = format!("asked {} {found}", urn.name());
                self.pending.push((label, Input::DependentDiffed { slot, replace_keys }));
            }
            Effect::Show(step) => self.line(format!("show {} {}", step.op.as_str(), step.urn.name())),
            Effect::Run(step) => self.run(*step),
            Effect::Reply { ticket, reply } => self.reply(ticket, reply),
            Effect::Carry { slots } => {
                let names: Vec<&str> = slots.iter().map(|s| self.planner.state(*s).urn.name()).collect();
                self.line(format!("carry {}", names.join(" ")));
                let changes = slots.into_iter().map(|slot| Change::Keep { slot }).collect();
                self.append(Entry::End { op: None, changes });
            }
            Effect::Adopt { res } => {
                let name = self.planner.urn(res).name().to_owned();
                self.line(format!("adopt {name}"));
            }
            Effect::StartProgram => {
                assert!(!self.started, "the program starts once");
                self.started = true;
                self.line("start program".into());
            }
            Effect::Say(diagnostic) => self.line(format!("say {}", diagnostic.code)),
            Effect::Stopping => {
                self.aborted = true;
                self.stopping = true;
                self.line("stopping".into());
            }
            Effect::Finish { ok } => {
                assert!(self.running.is_empty(), "nothing runs at the end");
                self.finished = Some(ok);
                self.line(format!("finish {}", if ok { "ok" } else { "failed" }));
            }
        }
    }

    fn run(&mut self, step: Step) {
        assert!(!self.stopping, "{step:?} begins after the stop");
        let watched = self.watch.began(&step, &self.planner, &self.out.fold, self.ended || !self.started);
        if let Err(broken) = watched {
            panic!("{broken}\n{}", self.out.trace.join("\n"));
        }
        let mut line = format!("run {} {}", step.op.as_str(), step.urn.name());
        if let Some(provider) = &step.provider {
            line.push_str(&format!(" @{}", short(provider)));
        }
        let custom = step.provider.is_some();
        if custom && !step.calls_provider && step.op != StepOp::Same {
            line.push_str(" without a call");
        }
        if !step.reasons.replace_keys.is_empty() {
            line.push_str(&format!(" for {}", step.reasons.replace_keys.join(",")));
        }
        line.push_str(match step.after {
            After::Keep(_) => " -> keep",
            After::Place { replaces: None, .. } => " -> place",
            After::Place { .. } => " -> place over",
            After::PlaceAndMark { .. } => " -> place, mark old",
            After::Amend(_) => " -> amend",
            After::Stay(_) => " -> stay",
            After::Remove(_) => " -> remove",
            After::MarkPendingReplacement(_) => " -> pending",
        });
        self.line(line);
        if step.calls_provider
            && !matches!(
                step.op,
                StepOp::Same
                    | StepOp::Refresh
                    | StepOp::Read
                    | StepOp::ReadReplacement
                    | StepOp::Import
                    | StepOp::ImportReplacement
            )
        {
            let op = OpId(step.id.0);
            let resource =
                step.draft.clone().unwrap_or_else(|| Arc::clone(self.planner.state(step.old.unwrap())));
            self.begun.insert(step.id, op);
            self.append(Entry::Begin { op, kind: OperationKind::Updating, resource });
        }
        self.stop |= self.world.stops_at(&step);
        let early = |slot: &Slot| self.out.fold.is_placed(*slot);
        let refused = matches!(&step.after, After::Place { replaces: Some(old), .. } if early(old))
            && !self.admits(&step);
        let ending = if refused { Ending::Failed } else { self.world.step(&step) };
        let ended = match ending {
            Ending::Done => String::new(),
            other => format!(" {}", format!("{other:?}").to_lowercase()),
        };
        let label = format!("stepped {} {}{ended}", step.op.as_str(), step.urn.name());
        let outcome = self.outcome(&step, ending);
        self.pending.push((label, Input::Stepped { step: step.id, outcome }));
        self.out.steps.push(step.clone());
        self.running.insert(step.id, step);
    }

    fn outcome(&mut self, step: &Step, ending: Ending) -> StepOutcome {
        let old = step.old.map(|slot| Arc::clone(self.planner.state(slot)));
        let removes = matches!(step.after, After::Remove(_) | After::MarkPendingReplacement(_));
        match ending {
            Ending::Failed => StepOutcome::Failed,
            Ending::Unknown if step.calls_provider => StepOutcome::Unknown,
            Ending::Unknown => StepOutcome::Failed,
            Ending::Gone if step.op == StepOp::Refresh => StepOutcome::Done(None),
            Ending::Changed if step.op == StepOp::Refresh => {
                let mut state = ResourceState::clone(&old.unwrap());
                state.outputs = super::keys(&["drifted"]).into();
                StepOutcome::Done(Some(Arc::new(state)))
            }
            Ending::Partial if !removes && step.draft.is_some() && step.op != StepOp::Same => {
                let mut state = self.made(step);
                state.init_errors = vec!["half".into()];
                StepOutcome::Partial(Arc::new(state))
            }
            _ if removes => StepOutcome::Done(None),
            _ if step.op == StepOp::Refresh && step.draft.is_some() => StepOutcome::Done(step.draft.clone()),
            _ if step.op == StepOp::Refresh || matches!(step.after, After::Keep(_)) => StepOutcome::Done(old),
            _ => StepOutcome::Done(Some(Arc::new(self.made(step)))),
        }
    }

    fn made(&mut self, step: &Step) -> ResourceState {
        let mut state = ResourceState::clone(step.draft.as_ref().unwrap());
        let creates = matches!(step.op, StepOp::Create | StepOp::CreateReplacement);
        if creates && state.custom {
            self.made += 1;
            state.id = format!("new{}", self.made);
        }
        if state.id.is_empty() && matches!(step.op, StepOp::Import | StepOp::ImportReplacement) {
            state.id.clone_from(&state.import_id);
        }
        state
    }

    fn record(&mut self, step: &Step, outcome: &StepOutcome) {
        let op = self.begun.get(&step.id).copied();
        let fold = &self.out.fold;
        let old = step.old.map(|slot| Arc::clone(self.planner.state(slot)));
        let after = |state: &Option<Arc<ResourceState>>| step.after(state.as_deref(), old.as_deref());
        let mut changes = match outcome {
            StepOutcome::Done(state) => changes(fold, &after(state), state.as_ref()),
            StepOutcome::Partial(state) => changes(fold, &step.after, Some(state)),
            StepOutcome::Failed => Vec::new(),
            StepOutcome::Unknown => return,
        };
        if let Some(index) = step.settles {
            let keep = fold.unplaced().map(|slot| Change::Keep { slot });
            let all: Vec<Change> = keep.chain([Change::ClearPending { index }]).chain(changes).collect();
            changes = all;
        }
        self.append(Entry::End { op, changes });
    }

    fn append(&mut self, entry: Entry) {
        if let Entry::End { changes, .. } = &entry
            && !changes.iter().any(|change| matches!(change, Change::Amend { .. }))
        {
            let problems = self.out.fold.admit(changes);
            let trace = self.out.trace.join("\n");
            assert!(problems.is_empty(), "{problems:?} by {changes:#?}\n{trace}");
        }
        self.out.fold.apply(&entry).unwrap();
        let problems = self.out.fold.problems();
        let trace = self.out.trace.join("\n");
        assert!(problems.is_empty(), "{problems:?} after {entry:#?}\n{trace}");
        self.out.entries.push(entry);
    }

    /// Whether the list would be a valid one after a step.
    fn admits(&mut self, step: &Step) -> bool {
        let changes = changes(&self.out.fold, &step.after, step.draft.as_ref());
        self.out.fold.admit(&changes).is_empty()
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply) {
        let (name, urn) = self.tickets.remove(&ticket).expect("each ticket is answered once");
        let text = match reply {
            Reply::Unmade { .. } => "unmade".to_owned(),
            Reply::Registered { urn: called, .. } => {
                let own = urn.clone().filter(|own| *own != called);
                let text = own.as_ref().map_or(String::new(), |_| format!(" as {}", called.name()));
                self.called.extend(own.map(|own| (own, called)));
                format!("registered{text}")
            }
            Reply::Failed { .. } => "failed".to_owned(),
            Reply::Skipped { .. } => "skipped".to_owned(),
            Reply::Provider { provider, providers } => {
                let all: Vec<String> = providers.values().map(short).collect();
                format!("provider {} [{}]", short(&provider), all.join(" "))
            }
            Reply::Stopping => {
                self.aborted = true;
                "stopping".to_owned()
            }
            Reply::Invalid(message) => {
                self.aborted |= urn.is_some() && !self.scenario.settings.continue_on_error;
                format!("invalid: {message}")
            }
        };
        self.answered.extend(urn);
        self.line(format!("reply {name} {text}"));
    }

    fn finish(mut self) -> Played {
        let trace = self.out.trace.join("\n");
        assert!(self.pending.is_empty(), "answers are left\n{trace}");
        assert!(self.tickets.is_empty(), "tickets are left: {:?}\n{trace}", self.tickets);
        let Some(ok) = self.finished else { panic!("it never finishes:\n{trace}\n{:?}", self.planner) };
        self.out.ok = ok;
        self.out.rules = self.planner.rules().clone();
        self.out.left = self.planner.left_alone().map(|state| state.urn.name().to_owned()).collect();
        self.out
    }
}

impl super::Item {
    /// The URN that a registration gets.
    pub fn urn(&self) -> Option<Urn> {
        let Act::Register(registration) = &self.act else { return None };
        let goal = &registration.goal;
        Some(super::urn(goal.parent.as_ref(), &goal.ty, &goal.name))
    }
}

fn short(provider: &ProviderRef) -> String {
    let id = if provider.is_unknown() { "?" } else { provider.id() };
    format!("{}/{id}", provider.urn().name())
}

/// What a step's end means for the list, as the driver records it.
fn changes(fold: &Fold, after: &After, state: Option<&Arc<ResourceState>>) -> Vec<Change> {
    let state = state.cloned();
    match (after, state) {
        (After::Keep(slot), _) => vec![Change::Keep { slot: *slot }],
        (After::Place { slot, replaces }, Some(state)) => {
            vec![Change::Place { slot: *slot, state, replaces: *replaces }]
        }
        (After::PlaceAndMark { slot, old }, Some(state)) => {
            vec![Change::MarkDelete { slot: *old }, Change::Place { slot: *slot, state, replaces: None }]
        }
        (After::Amend(slot), Some(state)) => vec![Change::Amend { slot: *slot, state }],
        (After::Stay(slot), Some(state)) => {
            let needs = fold.unplaced_needs(&state).into_iter();
            let mut all: Vec<Change> = needs.map(|slot| Change::Keep { slot }).collect();
            all.push(Change::Amend { slot: *slot, state });
            all.push(Change::Keep { slot: *slot });
            all
        }
        (After::Stay(slot), None) => vec![Change::Remove { slot: *slot }],
        (After::Amend(slot), None) | (After::Remove(slot), _) => vec![Change::Remove { slot: *slot }],
        (After::MarkPendingReplacement(slot), _) => vec![Change::MarkPendingReplacement { slot: *slot }],
        (After::Place { .. } | After::PlaceAndMark { .. }, None) => panic!("a state is missing"),
    }
}
