//! What planning costs by itself: the planner with the fold and the admission of steps around it, as
//! the engine has them, and answers that come at once. No task, no file, no provider.
//!
//! `cargo xtask bench plan` runs it. Arguments: `--resources N` (of the stack in which nothing
//! changes), `--runs N`, `--no-op` (measure only that), `--changed N` (measure only one changed resource
//! in a stack of this size; with `--kind update`, `replacement` or `cascade` only that), `--untimed`
//! (for counts of instructions: `Driver::register_changed` and `Driver::answer_deleting` hold what is measured).

#![allow(clippy::unwrap_used, reason = "a failed unwrap ends the benchmark")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use purlin_journal::{Change, Entry, Fold};
use purlin_model::{
    Goal, PackageDescriptor, PropertyDependencies, PropertyMap, ProviderRef, ResourceState, SealedValue,
    Snapshot, Urn,
};
use purlin_plan::{
    After, DiffFacts, Effect, Input, Mode, Planner, Registration, Settings, Step, StepOutcome, Ticket,
};

const STACK: &str = "dev";
const PROJECT: &str = "shop";
const TYPE: &str = "aws:s3/bucketObject:BucketObject";
const COMPONENT: &str = "shop:site:Page";

/// How many custom resources a component has.
const CHILDREN: usize = 9;

/// The stacks in which one resource changes.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// How many resources change where the cost of one is measured.
const CHANGED: usize = 200;

/// A stack and the program that made it.
struct World {
    base: Arc<Snapshot>,
    program: Vec<Registration>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |flag: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)).map_or(default, |text| text.parse().unwrap())
    };
    let (resources, runs) = (number("--resources", 100_000), number("--runs", 5));
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    UNTIMED.store(given("--untimed"), Ordering::Relaxed);
    let only = given("--changed").then(|| number("--changed", 1_000));
    let sizes = match only {
        Some(size) => vec![size],
        None if given("--no-op") => Vec::new(),
        None => SIZES.to_vec(),
    };
    let kinds = [("update", Kind::Update), ("replacement", Kind::Replacement), ("cascade", Kind::Cascade)];
    let kinds = kinds.into_iter().filter(|(word, _)| !given("--kind") || given(word));
    let kinds: Vec<Kind> = kinds.map(|(_, kind)| kind).collect();
    for size in sizes {
        let world = world(size);
        let cost = |kind: Kind| {
            let (one, once) = (0..runs).map(|_| changed(&world, kind)).min().unwrap_or_default();
            let (one, once) = (one.as_secs_f64() * 1e6, once.as_secs_f64() * 1e3);
            format!("{} {one:.1} µs (once {once:.1} ms)", kind.name())
        };
        let costs: Vec<String> = kinds.iter().copied().map(cost).collect();
        println!("one changed resource in {size}: {}", costs.join(", "));
    }
    if only.is_some() {
        return;
    }
    let world = world(resources);
    let best = |folds| (0..runs).map(|_| no_op(&world, folds)).min().unwrap_or_default();
    let each = |took: Duration| took.as_secs_f64() * 1e6 / resources as f64;
    let (planner, all) = (best(false), best(true));
    println!(
        "nothing changes in {resources}: {:.2} µs a registration, {:.2} µs of them in the planner",
        each(all),
        each(planner),
    );
    println!("{:.0} registrations a second", resources as f64 / all.as_secs_f64());
}

fn urn(parent: Option<&Urn>, ty: &str, name: &str) -> Urn {
    Urn::new(STACK, PROJECT, parent, ty, name)
}

/// A tree of components, each custom resource made from the one before it and depending on another.
fn world(resources: usize) -> World {
    let root = Urn::root_stack(STACK, PROJECT);
    let provider = urn(None, "pulumi:providers:aws", "default");
    let reference = ProviderRef::new(provider.clone(), "5f5b1b2a-0000-4000-8000-000000000000");
    let mut base = Snapshot::default();
    let mut program = Vec::with_capacity(resources);
    let mut add = |goal: Goal, own: Urn, provider: Option<&ProviderRef>| {
        let mut state = ResourceState::new(own.clone(), goal.custom);
        state.parent.clone_from(&goal.parent);
        state.dependencies.clone_from(&goal.dependencies);
        state.property_dependencies.clone_from(&goal.property_dependencies);
        state.provider = provider.cloned();
        if goal.custom {
            state.id = format!("{}-0a1b2c3", goal.name);
        }
        if own.ty().starts_with("pulumi:providers:") {
            state.id = reference.id().to_owned();
        }
        state.urn = Urn::parse(own.as_str()).unwrap();
        base.resources.push(Arc::new(state));
        if own != *reference.urn() {
            let package = PackageDescriptor::new("aws", "");
            let goal = as_told(goal);
            program.push(Registration { goal, providers: BTreeMap::new(), package, read_id: None });
        }
        own
    };
    let name = format!("{PROJECT}-{STACK}");
    add(Goal::new(purlin_model::urn::STACK_TYPE, name, false, PropertyMap::new()), root.clone(), None);
    add(Goal::new(provider.ty(), "default", true, PropertyMap::new()), provider.clone(), None);
    let (mut component, mut before) = (root.clone(), None::<Urn>);
    for index in 1..resources {
        let name = format!("resource-{index}");
        if index % (CHILDREN + 1) == 1 {
            let mut goal = Goal::new(COMPONENT, name.clone(), false, PropertyMap::new());
            goal.parent = Some(root.clone());
            component = add(goal, urn(Some(&root), COMPONENT, &name), None);
            before = None;
            continue;
        }
        let inputs = [("bucket", "site"), ("key", name.as_str()), ("contentType", "text/html")];
        let inputs = inputs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let mut goal = Goal::new(TYPE, name.clone(), true, inputs);
        goal.parent = Some(component.clone());
        if let Some(before) = &before {
            goal.dependencies = vec![before.clone()];
            goal.property_dependencies =
                PropertyDependencies::from([("bucket".to_owned(), vec![before.clone()])]);
        }
        let own = urn(Some(&component), TYPE, &name);
        before = Some(add(goal, own, Some(&reference)));
    }
    World { base: Arc::new(base), program }
}

/// A goal as it comes from a program: no name in it shares memory with the state.
fn as_told(mut goal: Goal) -> Goal {
    let told = |urn: &Urn| Urn::parse(urn.as_str()).unwrap();
    goal.parent = goal.parent.as_ref().map(told);
    goal.dependencies = goal.dependencies.iter().map(told).collect();
    for urns in goal.property_dependencies.values_mut() {
        *urns = urns.iter().map(told).collect();
    }
    goal
}

/// The time that this thread spends on a core: others may have the rest.
struct Timer(Duration);

impl Timer {
    fn start() -> Timer {
        Timer(spent())
    }

    fn elapsed(&self) -> Duration {
        spent().saturating_sub(self.0)
    }
}

/// Set where instructions are counted: valgrind can't serve the clock as it is read here.
static UNTIMED: AtomicBool = AtomicBool::new(false);

fn spent() -> Duration {
    if UNTIMED.load(Ordering::Relaxed) {
        return Duration::ZERO;
    }
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// What changes of a resource.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nothing,
    Update,
    Replacement,
    Cascade,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Nothing => "nothing",
            Kind::Update => "update",
            Kind::Replacement => "replacement",
            Kind::Cascade => "delete before replace",
        }
    }

    fn facts(self) -> DiffFacts {
        match self {
            Kind::Nothing => DiffFacts { inputs_equal: true, ..DiffFacts::default() },
            Kind::Update => {
                DiffFacts { changed: true, diff_keys: vec!["key".to_owned()], ..DiffFacts::default() }
            }
            Kind::Replacement | Kind::Cascade => DiffFacts {
                changed: true,
                replace: Some(vec!["key".to_owned()]),
                delete_before_replace: self == Kind::Cascade,
                ..DiffFacts::default()
            },
        }
    }
}

/// The planner and the fold, with answers that come at once.
struct Driver {
    planner: Planner,
    fold: Fold,
    kind: Kind,
    /// Whether steps are admitted and folded.
    folds: bool,
    /// What each delete after the program took, once they count.
    deletes: Option<Vec<Duration>>,
    replies: usize,
    made: usize,
}

impl Driver {
    fn new(world: &World) -> Driver {
        let mut settings = Settings::new(STACK, PROJECT, Mode::Update, false);
        settings.package_config.insert("aws".to_owned(), PropertyMap::new());
        Driver {
            planner: Planner::new(settings, &world.base),
            fold: Fold::new(Arc::clone(&world.base)),
            kind: Kind::Nothing,
            folds: true,
            deletes: None,
            replies: 0,
            made: 0,
        }
    }

    fn feed(&mut self, input: Input) {
        let mut work = self.planner.handle(input);
        while !work.is_empty() {
            let mut next = Vec::new();
            for effect in work {
                match self.deletes.is_some() {
                    true => self.answer_deleting(effect, &mut next),
                    false => {
                        let answer = self.answer(effect);
                        next.extend(answer.map(|answer| self.planner.handle(answer)).unwrap_or_default());
                    }
                }
            }
            work = next;
        }
    }

    /// An answer after the program, and what the planner makes of it.
    #[inline(never)]
    fn answer_deleting(&mut self, effect: Effect, next: &mut Vec<Effect>) {
        let timer = Timer::start();
        if let Some(answer) = self.answer(effect) {
            next.extend(self.planner.handle(answer));
            if let Some(deletes) = &mut self.deletes {
                deletes.push(timer.elapsed());
            }
        }
    }

    fn answer(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Check { res, .. } => Some(Input::Checked { res, accepted: true }),
            Effect::Diff { res, .. } => {
                let changes = self.planner.urn(res).ty() == TYPE;
                let kind = if changes { self.kind } else { Kind::Nothing };
                Some(Input::Diffed { res, facts: Some(kind.facts()) })
            }
            Effect::DiffDependent { slot, .. } => {
                Some(Input::DependentDiffed { slot, replace_keys: Vec::new() })
            }
            Effect::Run(step) => Some(self.run(*step)),
            Effect::Reply { .. } => {
                self.replies += 1;
                None
            }
            _ => None,
        }
    }

    fn run(&mut self, step: Step) -> Input {
        let state = match step.after {
            After::Remove(_) | After::MarkPendingReplacement(_) => None,
            After::Keep(slot) | After::Amend(slot) => Some(Arc::clone(self.planner.state(slot))),
            _ => step.draft.clone().map(|draft| self.made(draft)),
        };
        if self.folds {
            let changes = changes(&step.after, state.as_ref());
            assert!(self.fold.admit(&changes).is_empty());
            self.fold.apply(&Entry::End { op: None, changes }).unwrap();
        }
        Input::Stepped { step: step.id, outcome: StepOutcome::Done(state) }
    }

    fn made(&mut self, mut draft: Arc<ResourceState>) -> Arc<ResourceState> {
        if draft.custom && draft.id.is_empty() {
            self.made += 1;
            Arc::make_mut(&mut draft).id = format!("new-{}", self.made);
        }
        assert!(!matches!(draft.replacement_trigger, Some(SealedValue::Raw(_))));
        draft
    }

    /// A registration of which something has changed.
    #[inline(never)]
    fn register_changed(&mut self, ticket: u32, request: Registration) -> Duration {
        let timer = Timer::start();
        self.register(ticket, request);
        timer.elapsed()
    }

    fn register(&mut self, ticket: u32, request: Registration) {
        self.feed(Input::Register { ticket: Ticket(ticket), request: Box::new(request) });
    }
}

/// What the engine makes of a step's end.
fn changes(after: &After, state: Option<&Arc<ResourceState>>) -> Vec<Change> {
    match (after, state) {
        (After::Keep(slot), _) => vec![Change::Keep { slot: *slot }],
        (After::Place { slot, replaces }, Some(state)) => {
            vec![Change::Place { slot: *slot, state: Arc::clone(state), replaces: *replaces }]
        }
        (After::PlaceAndMark { slot, old }, Some(state)) => vec![
            Change::MarkDelete { slot: *old },
            Change::Place { slot: *slot, state: Arc::clone(state), replaces: None },
        ],
        (After::Remove(slot), _) => vec![Change::Remove { slot: *slot }],
        (After::MarkPendingReplacement(slot), _) => vec![Change::MarkPendingReplacement { slot: *slot }],
        _ => Vec::new(),
    }
}

/// A run in which nothing changes, from the first registration to the end.
fn no_op(world: &World, folds: bool) -> Duration {
    let program = world.program.clone();
    let mut driver = Driver::new(world);
    driver.folds = folds;
    driver.feed(Input::Start);
    let timer = Timer::start();
    for (ticket, request) in (0..).zip(program) {
        driver.register(ticket, request);
    }
    driver.feed(Input::ProgramEnded { ok: true });
    let took = timer.elapsed();
    assert_eq!(driver.replies, world.program.len());
    assert!(driver.fold.problems().is_empty());
    took
}

/// What one changed resource costs, wherever its work is done, and what all of them cost together
/// once, whatever their number: the search for what is to be deleted, and an index of who refers to
/// whom.
fn changed(world: &World, kind: Kind) -> (Duration, Duration) {
    let program = world.program.clone();
    let mut driver = Driver::new(world);
    driver.feed(Input::Start);
    let customs = program.iter().filter(|request| request.goal.custom).count();
    let every = (customs / CHANGED).max(1);
    let (mut seen, mut changing) = (0, Vec::new());
    for (ticket, request) in (0..).zip(program) {
        let custom = request.goal.custom;
        seen += usize::from(custom);
        let changes = custom && changing.len() < CHANGED && seen % every == 0;
        driver.kind = if changes { kind } else { Kind::Nothing };
        match changes {
            true => changing.push(driver.register_changed(ticket, request)),
            false => driver.register(ticket, request),
        }
    }
    driver.deletes = Some(Vec::new());
    let timer = Timer::start();
    driver.feed(Input::ProgramEnded { ok: true });
    let end = timer.elapsed();
    let mut deletes = driver.deletes.take().unwrap_or_default();
    let whole = end + changing.iter().sum::<Duration>();
    let one = median(&mut changing) + median(&mut deletes);
    (one, whole.saturating_sub(one * u32::try_from(CHANGED).unwrap()))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
