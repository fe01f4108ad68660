//! What the planner answers to whoever performs its effects, while a run goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use purlin_model::{Goal, PackageDescriptor, PropertyMap, ResourceState, Slot, Snapshot, Urn};
use purlin_plan::{
    After, DiffFacts, Effect, Existence, Input, Mode, Planner, Registration, Rule, Settings, Step,
    StepOutcome, Ticket,
};

use crate::support::{PROJECT, STACK, same_facts, urn};

/// Answers what the planner asks, and leaves the steps of some resources for later.
pub(crate) struct Driver {
    pub(crate) planner: Planner,
    pub(crate) held: Vec<Step>,
    hold: Vec<&'static str>,
    /// What comparing a resource finds, where it differs.
    pub(crate) facts: HashMap<&'static str, DiffFacts>,
    /// What is checked, done and said, in order.
    pub(crate) log: Vec<String>,
    pub(crate) finished: Option<bool>,
}

impl Driver {
    pub(crate) fn new(mode: Mode, base: Vec<ResourceState>, hold: &[&'static str]) -> Driver {
        Driver::with(Settings::new(STACK, PROJECT, mode, false), base, hold)
    }

    pub(crate) fn with(settings: Settings, base: Vec<ResourceState>, hold: &[&'static str]) -> Driver {
        let base = Snapshot { resources: base.into_iter().map(Arc::new).collect(), ..Snapshot::default() };
        let planner = Planner::new(settings, &Arc::new(base));
        let (held, hold, log) = (Vec::new(), hold.to_vec(), Vec::new());
        let mut driver = Driver { planner, held, hold, facts: HashMap::new(), log, finished: None };
        driver.feed(Input::Start);
        driver
    }

    pub(crate) fn feed(&mut self, input: Input) {
        for effect in self.planner.handle(input) {
            match effect {
                Effect::Check { res, .. } => {
                    self.log.push(format!("check {}", self.planner.urn(res).name()));
                    self.feed(Input::Checked { res, accepted: true });
                }
                Effect::Diff { res, .. } => {
                    let found = self.facts.get(self.planner.urn(res).name()).cloned();
                    self.feed(Input::Diffed { res, facts: Some(found.unwrap_or_else(same_facts)) });
                }
                Effect::Run(step) => {
                    let by = step.provider.as_ref().map(|provider| format!(" by {}", provider.urn().name()));
                    let by = by.unwrap_or_default();
                    self.log.push(format!("{} {}{by}", step.op.as_str(), step.urn.name()));
                    match self.hold.contains(&step.urn.name()) {
                        true => self.held.push(*step),
                        false => self.end_step(&step, true),
                    }
                }
                Effect::Carry { slots } => {
                    let names: Vec<&str> =
                        slots.iter().map(|slot| self.planner.state(*slot).urn.name()).collect();
                    self.log.push(format!("carry {}", names.join(" ")));
                }
                Effect::Say(said) => self.log.push(format!("say {}", said.code)),
                Effect::Finish { ok } => self.finished = Some(ok),
                _ => {}
            }
        }
    }

    /// What comes of a step that ends well.
    pub(crate) fn result(&self, step: &Step) -> Option<Arc<ResourceState>> {
        if matches!(step.after, After::Remove(_)) {
            return None;
        }
        let old = || step.old.map(|slot| Arc::clone(self.planner.state(slot)));
        let draft: Arc<ResourceState> = step.draft.clone().or_else(old)?;
        let mut state = ResourceState::clone(&draft);
        if state.custom && state.id.is_empty() && state.urn.name() != "nameless" {
            state.id = format!("{}-id", state.urn.name());
        }
        Some(Arc::new(state))
    }

    fn end_step(&mut self, step: &Step, well: bool) {
        let outcome = if well { StepOutcome::Done(self.result(step)) } else { StepOutcome::Failed };
        self.feed(Input::Stepped { step: step.id, outcome });
    }

    /// The step of a resource that was held.
    pub(crate) fn take(&mut self, name: &str) -> Step {
        let at = self.held.iter().position(|step| step.urn.name() == name).unwrap();
        self.held.remove(at)
    }

    /// Ends the step of a resource that was held.
    pub(crate) fn end(&mut self, name: &str, well: bool) {
        let step = self.take(name);
        self.end_step(&step, well);
    }

    pub(crate) fn register(&mut self, ticket: u32, goal: Goal, read_id: Option<&str>) -> Urn {
        let own = urn(goal.parent.as_ref(), &goal.ty, &goal.name);
        let request = Registration {
            goal,
            providers: BTreeMap::new(),
            package: PackageDescriptor::new("t", "1.2.3"),
            read_id: read_id.map(str::to_owned),
        };
        self.feed(Input::Register { ticket: Ticket(ticket), request: Box::new(request) });
        own
    }
}

pub(crate) fn goal(ty: &str, name: &str, parent: Option<&Urn>) -> Goal {
    let mut goal = Goal::new(ty, name, ty != "t:m:C", PropertyMap::new());
    goal.parent = parent.cloned();
    goal
}

#[test]
fn a_call_learns_whether_what_it_depends_on_exists() {
    let mut driver = Driver::new(Mode::Update, Vec::new(), &["below", "fails", "slow"]);
    let component = driver.register(0, goal("t:m:C", "component", None), None);
    let inner = driver.register(1, goal("t:m:C", "inner", Some(&component)), None);
    let there = driver.register(2, goal("t:m:R", "there", None), None);
    let below = driver.register(3, goal("t:m:R", "below", Some(&inner)), None);
    let fails = driver.register(4, goal("t:m:R", "fails", None), None);
    let nameless = driver.register(5, goal("t:m:R", "nameless", None), None);
    let child = driver.register(6, goal("t:m:R", "slow", Some(&there)), None);

    let planner = &mut driver.planner;
    assert_eq!(planner.existence(&[]), Existence::All);
    assert_eq!(planner.existence(std::slice::from_ref(&there)), Existence::All, "without its children");
    assert_eq!(planner.existence(&[urn(None, "t:m:R", "nobody")]), Existence::All);
    assert_eq!(planner.existence(std::slice::from_ref(&below)), Existence::OnTheWay);
    assert_eq!(planner.existence(&[there.clone(), component.clone()]), Existence::OnTheWay);
    assert_eq!(planner.existence(std::slice::from_ref(&child)), Existence::OnTheWay);
    assert_eq!(planner.rules().of(Rule::CallOmitted), 0);
    assert_eq!(planner.existence(&[there.clone(), nameless]), Existence::NotAll);
    assert_eq!(planner.rules().of(Rule::CallOmitted), 1);
    driver.end("below", true);
    assert_eq!(driver.planner.existence(&[there.clone(), component.clone(), below]), Existence::All);
    assert!(!driver.planner.has_failed());
    driver.end("fails", false);
    assert_eq!(driver.planner.existence(&[fails]), Existence::NotAll);
    assert!(driver.planner.has_failed());
    assert_eq!(driver.planner.rules().of(Rule::CallOmitted), 2);
}

#[test]
fn a_component_is_on_its_way_until_it_is_registered_itself() {
    let mut driver = Driver::new(Mode::Update, Vec::new(), &["component"]);
    let component = driver.register(0, goal("t:m:C", "component", None), None);
    assert_eq!(driver.planner.existence(std::slice::from_ref(&component)), Existence::OnTheWay);
    driver.end("component", true);
    assert_eq!(driver.planner.existence(&[component]), Existence::All);
}

#[test]
fn the_planner_says_what_it_knows_of_registrations_and_states() {
    let old = |name: &str, delete: bool| {
        let mut state = ResourceState::new(urn(None, "t:m:R", name), true);
        state.id = format!("{name}-0");
        state.delete = delete;
        state
    };
    let base = vec![old("known", false), old("unregistered", false), old("leftover", true)];
    let mut driver = Driver::new(Mode::Update, base, &["new"]);
    let known = driver.register(0, goal("t:m:R", "known", None), None);
    let new = driver.register(1, goal("t:m:R", "new", None), None);
    let read = driver.register(2, goal("t:m:R", "read", None), Some("the-id"));
    let planner = &driver.planner;
    assert!(planner.runs_update() && !planner.has_failed() && !planner.is_stopping());
    let [known_res, new_res, read_res] = [&known, &new, &read].map(|urn| planner.res(urn).unwrap());
    assert_eq!(planner.res(&urn(None, "t:m:R", "unregistered")), None);
    assert_eq!(planner.urn(known_res), &known);
    assert_eq!(planner.goal(new_res).name, "new");
    assert_eq!(planner.old(known_res), Some(Slot(0)));
    assert_eq!(planner.old(new_res), None);
    assert_eq!((planner.read_id(read_res), planner.read_id(new_res)), (Some("the-id"), None));
    assert_eq!(planner.package(new_res), &PackageDescriptor::new("t", "1.2.3"));
    assert_eq!(planner.provider(known_res).unwrap().urn().name(), "default_1_2_3");
    // What has not ended well is not registered; what the base has is current until then.
    assert!(planner.registered(&new).is_none() && planner.current(&new).is_none());
    let id = |found: Option<(Slot, &Arc<ResourceState>)>| found.map(|(_, state)| state.id.clone());
    assert_eq!(id(planner.registered(&known)).as_deref(), Some("known-0"));
    assert_eq!(id(planner.current(&known)).as_deref(), Some("known-0"));
    let unregistered = urn(None, "t:m:R", "unregistered");
    assert_eq!(id(planner.registered(&unregistered)), None);
    assert_eq!(id(planner.current(&unregistered)).as_deref(), Some("unregistered-0"));
    assert_eq!(id(planner.current(&urn(None, "t:m:R", "leftover"))), None);
    let all = |planner: &Planner| -> Vec<String> {
        planner.all_registered().map(|(goal, _)| goal.name.clone()).collect()
    };
    assert_eq!(all(planner), ["known", "default_1_2_3", "read"]);
    driver.end("new", true);
    assert_eq!(all(&driver.planner), ["known", "default_1_2_3", "new", "read"]);
    assert_eq!(id(driver.planner.current(&new)).as_deref(), Some("new-id"));
    driver.feed(Input::ProgramEnded { ok: true });
    assert_eq!(driver.finished, Some(true));
    assert_eq!(id(driver.planner.current(&unregistered)), None, "it has been deleted");
}

#[test]
fn only_updates_are_updates_and_a_failure_of_the_run_counts() {
    for mode in [Mode::Refresh, Mode::Destroy] {
        let mut driver = Driver::new(mode, Vec::new(), &[]);
        assert!(!driver.planner.runs_update() && !driver.planner.has_failed());
        driver.feed(Input::RunFailed);
        assert!(driver.planner.has_failed());
    }
}
