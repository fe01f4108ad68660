//! Random programs over random states with random answers in random order. The rules of
//! `support::watch` and `support::play` hold in every one of them: the planner always finishes, each
//! ticket is answered once, no state has two steps at once, nothing is deleted before what needs
//! it, and every prefix of the journal folds to a valid list.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::support;
use crate::support::play::{Played, play};
use crate::support::{Act, Ending, Item, PROJECT, STACK, Scenario, World, keys, urn};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use purlin_journal::Fold;
use purlin_model::event::StepOp;
use purlin_model::{Alias, AliasParent, Goal, PackageDescriptor, ProviderRef, Snapshot, Urn};
use purlin_plan::{After, DiffFacts, Mode, ProviderQuery, Registration, Settings, Step, Targets, UrnSet};

/// Random choices, then zeros.
struct Choices(std::vec::IntoIter<u16>);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.next().unwrap_or_default()) % bound.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// What the world answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// Anything goes wrong.
    Wild,
    /// Everything may change and nothing goes wrong.
    Lively { delete_first: bool },
    /// Nothing changes and nothing goes wrong.
    Quiet,
}

struct Random<'a> {
    choices: &'a mut Choices,
    mood: Mood,
    /// What is asked about a resource is answered alike in any order.
    salt: u64,
}

impl Random<'_> {
    fn about(&self, what: &str, urn: &Urn, bound: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.salt, what, urn.name()).hash(&mut hasher);
        hasher.finish() % bound
    }
}

impl World for Random<'_> {
    fn check(&mut self, _: &Urn, _: bool) -> bool {
        self.mood != Mood::Wild || !self.choices.one_in(20)
    }

    fn diff(&mut self, urn: &Urn) -> Option<DiffFacts> {
        let delete_first = match self.mood {
            Mood::Quiet => return Some(support::same_facts()),
            Mood::Wild if self.choices.one_in(20) => return None,
            Mood::Wild => true,
            Mood::Lively { delete_first } => delete_first,
        };
        let keys = ["k".to_owned()];
        Some(match self.about("diff", urn, 6) {
            0 | 1 => support::same_facts(),
            2 => DiffFacts::default(),
            3 => support::update_facts(&keys),
            4 => support::replace_facts(&keys, false),
            _ => support::replace_facts(&keys, delete_first),
        })
    }

    fn dependent(&mut self, urn: &Urn, properties: &[String]) -> Vec<String> {
        if self.about("dependent", urn, 2) == 0 { properties.to_vec() } else { Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Ending {
        if self.mood != Mood::Wild || step.op == StepOp::Same {
            return Ending::Done;
        }
        let endings =
            [Ending::Failed, Ending::Partial, Ending::Unknown, Ending::Gone, Ending::Changed, Ending::Done];
        if self.choices.one_in(8) { *self.choices.pick(&endings).unwrap() } else { Ending::Done }
    }

    fn pick(&mut self, labels: &[String], _: usize) -> usize {
        self.choices.below(labels.len())
    }

    fn stops_at(&mut self, _: &Step) -> bool {
        self.mood == Mood::Wild && self.choices.one_in(60)
    }
}

fn any_settings(choices: &mut Choices, mood: Mood) -> Settings {
    let mode = match choices.below(12) {
        10 if mood == Mood::Wild => Mode::Refresh,
        11 if mood == Mood::Wild => Mode::Destroy,
        _ => Mode::Update,
    };
    let mut settings = Settings::new(STACK, PROJECT, mode, false);
    settings.continue_on_error = choices.one_in(2);
    settings.refresh_first = choices.one_in(5);
    if mood == Mood::Wild {
        any_targets(choices, &mut settings.targets);
    }
    settings.ignore_protect = mood != Mood::Wild || choices.one_in(4);
    settings
}

/// Now and then an operation is about a part only.
fn any_targets(choices: &mut Choices, targets: &mut Targets) {
    let some = |choices: &mut Choices| {
        let count = 1 + choices.below(4);
        UrnSet::new((0..count).map(|_| format!("**::?{}", choices.below(12)).replace('?', "*")))
    };
    match choices.below(4) {
        0 => targets.only = some(choices),
        1 => targets.except = some(choices),
        _ => {}
    }
    targets.with_dependents = choices.one_in(2);
    targets.except_dependents = choices.one_in(2);
    if choices.one_in(6) {
        targets.replace = some(choices);
    }
}

/// A program over a small world of names, so that programs have much in common.
fn any_program(choices: &mut Choices, aliases: bool) -> Vec<Item> {
    let root = Urn::root_stack(STACK, PROJECT);
    let goal = Goal::new(purlin_model::urn::STACK_TYPE, root.name(), false, keys(&[]));
    let mut items = vec![item(goal, None)];
    let mut made: Vec<(Urn, bool)> = vec![(root.clone(), false)];
    for number in 0..choices.below(12) {
        if choices.one_in(10) {
            items.push(any_query(choices, &made));
            continue;
        }
        let goal = any_goal(choices, number, &made, &root, aliases);
        let own = urn(goal.parent.as_ref(), &goal.ty, &goal.name);
        let read = goal.custom && !goal.ty.starts_with("pulumi:") && choices.one_in(10);
        made.push((own, goal.custom));
        items.push(item(goal, read.then(|| "read".to_owned())));
    }
    items
}

fn any_goal(choices: &mut Choices, number: usize, made: &[(Urn, bool)], root: &Urn, aliases: bool) -> Goal {
    let ty = *choices.pick(&["t:m:R", "t:m:R", "t:m:R", "t:m:C", "pulumi:providers:t"]).unwrap();
    let custom = ty != "t:m:C";
    let (mut name, other) = (format!("r{number}"), format!("s{number}"));
    let mut goal = Goal::new(ty, "", custom, keys(&["k", "l"]));
    if aliases && choices.one_in(4) {
        let alias = |name: &String| Alias::Spec {
            name: Some(name.clone()),
            ty: None,
            stack: None,
            project: None,
            parent: AliasParent::Same,
        };
        goal.aliases.push(alias(&name));
        name = other;
    }
    goal.name = name;
    goal.parent = Some(root.clone());
    if choices.one_in(4) {
        goal.parent = choices.pick(made).map(|(urn, _)| urn.clone());
    }
    for _ in 0..choices.below(3) {
        let urn = choices.pick(made).unwrap().0.clone();
        match choices.below(8) {
            0..3 => goal.dependencies.push(urn),
            3 => goal.deleted_with = Some(urn),
            4 => goal.replace_with.push(urn),
            _ => {
                goal.dependencies.push(urn.clone());
                goal.property_dependencies.entry("k".into()).or_default().push(urn);
            }
        }
    }
    goal.dependencies.sort();
    goal.dependencies.dedup();
    let providers: Vec<&Urn> =
        made.iter().map(|(urn, _)| urn).filter(|urn| urn.ty().starts_with("pulumi:providers")).collect();
    if ty == "t:m:R" && choices.one_in(2) {
        goal.provider = choices.pick(&providers).map(|urn| ProviderRef::new((*urn).clone(), "?"));
    }
    goal.protect = choices.one_in(8).then_some(true);
    goal.retain_on_delete = choices.one_in(8).then_some(true);
    goal.delete_before_replace = choices.one_in(5).then_some(false);
    goal
}

fn any_query(choices: &mut Choices, made: &[(Urn, bool)]) -> Item {
    let parent = choices.pick(made).map(|(urn, _)| urn.clone());
    let query = ProviderQuery {
        explicit: None,
        parent: parent.clone(),
        providers: BTreeMap::new(),
        package: PackageDescriptor::new("t", ""),
        function: false,
    };
    Item { name: "f".into(), after: parent.into_iter().collect(), act: Act::Ask(Box::new(query)) }
}

fn item(goal: Goal, read_id: Option<String>) -> Item {
    let registration =
        Registration { providers: BTreeMap::new(), package: PackageDescriptor::new("t", ""), read_id, goal };
    let after = support::text::references(&registration.goal);
    Item { name: registration.goal.name.clone(), after, act: Act::Register(Box::new(registration)) }
}

fn run(scenario: &Scenario, choices: &mut Choices, mood: Mood, salt: u64) -> Played {
    play(scenario, &mut Random { choices, mood, salt })
}

/// The state after a few runs in which anything may go wrong, killed somewhere.
fn any_base(choices: &mut Choices) -> Snapshot {
    let mut base = Snapshot::default();
    for _ in 0..choices.below(4) {
        let scenario = Scenario {
            settings: any_settings(choices, Mood::Wild),
            base: base.clone(),
            program: any_program(choices, true),
            explained: false,
            counted: false,
            program_ok: !choices.one_in(8),
        };
        let salt = choices.below(1000) as u64;
        let played = run(&scenario, choices, Mood::Wild, salt);
        let mut fold = Fold::new(Arc::new(base));
        let cut = if choices.one_in(3) { choices.below(played.entries.len()) } else { played.entries.len() };
        for entry in &played.entries[..cut] {
            fold.apply(entry).unwrap();
        }
        base = Snapshot { pending_operations: Vec::new(), ..fold.snapshot() };
    }
    base
}

fn is_unchanged(step: &Step) -> bool {
    match step.op {
        StepOp::Same => matches!(step.after, After::Keep(_)),
        StepOp::Read => true,
        _ => false,
    }
}

/// A step without what depends on the order of answers.
fn kind(step: &Step) -> (StepOp, Urn, Vec<String>, bool) {
    (step.op, step.urn.clone(), step.reasons.replace_keys.clone(), step.calls_provider)
}

fn any_choices(length: usize) -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..length)
}

/// A fixed set of cases; with `SEED=<n>` in the environment another and larger one, with
/// `PROPTEST_CASES=<n>` as many as that says.
fn config(cases: u32) -> ProptestConfig {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u32>().ok());
    let (cases, seed) = number("SEED").map_or((cases, 2026), |seed| (cases * 30, seed.into()));
    let cases = number("PROPTEST_CASES").unwrap_or(cases);
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn whatever_happens_a_run_ends_and_the_next_one_puts_it_right(choices in any_choices(1200)) {
        let mut choices = Choices(choices.into_iter());
        let base = any_base(&mut choices);
        let mut settings = any_settings(&mut choices, Mood::Quiet);
        let mut scenario =
            Scenario { settings: settings.clone(), base, program: any_program(&mut choices, true), explained: false, counted: false, program_ok: true };
        let lively = Mood::Lively { delete_first: true };
        let salt = choices.below(1000) as u64;
        let first = run(&scenario, &mut choices, lively, salt);
        prop_assert!(first.ok, "{}", first.trace.join("\n"));

        scenario.base = first.fold.finish();
        scenario.settings.refresh_first = false;
        let second = run(&scenario, &mut choices, Mood::Quiet, salt);
        prop_assert!(second.ok);
        let changed: Vec<_> = second.steps.iter().filter(|step| !is_unchanged(step)).map(kind).collect();
        prop_assert!(
            changed.is_empty(),
            "{changed:?}\n{}\n--- then\n{}", first.trace.join("\n"), second.trace.join("\n")
        );

        settings.mode = Mode::Destroy;
        let scenario =
            Scenario { settings, base: second.fold.finish(), program: Vec::new(), explained: false, counted: false, program_ok: true };
        let third = run(&scenario, &mut choices, Mood::Quiet, salt);
        prop_assert!(third.ok);
        prop_assert_eq!(third.fold.slot_count(), 0, "{}", third.trace.join("\n"));
    }

    #[test]
    fn the_order_of_answers_does_not_change_the_steps(choices in any_choices(900)) {
        let mut choices = Choices(choices.into_iter());
        let base = any_base(&mut choices);
        let mut settings = any_settings(&mut choices, Mood::Quiet);
        settings.refresh_first = false;
        let scenario = Scenario { settings, base, program: any_program(&mut choices, true), explained: false, counted: false, program_ok: true };
        let (mood, salt) = (Mood::Lively { delete_first: false }, choices.below(1000) as u64);
        let steps = |choices: &mut Choices| {
            let mut steps: Vec<_> = run(&scenario, choices, mood, salt).steps.iter().map(kind).collect();
            steps.sort();
            steps
        };
        let once = steps(&mut choices);
        let again = steps(&mut Choices(Vec::new().into_iter()));
        prop_assert_eq!(once, again);
    }
}
