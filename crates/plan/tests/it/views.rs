//! What becomes of views, by what their provider says of them and by what becomes of their owner.

use std::sync::Arc;

use purlin_model::event::StepOp;
use purlin_model::{ResourceState, Urn};
use purlin_plan::{After, Input, Mode, PublishedView, Rule, Step, StepOutcome, ViewStep};

use crate::questions::{Driver, goal};
use crate::support::{keys, replace_facts, same_facts, update_facts, urn};

fn owner_urn() -> Urn {
    urn(None, "t:m:R", "a")
}

fn view_urn(name: &str) -> Urn {
    urn(Some(&owner_urn()), "t:m:V", name)
}

fn view(name: &str) -> ResourceState {
    let mut state = ResourceState::new(view_urn(name), true);
    state.parent = Some(owner_urn());
    state.view_of = Some(owner_urn());
    state
}

/// A resource with two views, and one without.
fn base() -> Vec<ResourceState> {
    let named = |name: &str| {
        let mut state = ResourceState::new(urn(None, "t:m:R", name), true);
        state.id = format!("{name}-0");
        state
    };
    vec![named("a"), view("v"), view("w"), named("b")]
}

fn published(op: StepOp, name: &str) -> PublishedView {
    let gone = matches!(op, StepOp::Delete | StepOp::DeleteReplaced);
    let mut state = view(name);
    state.outputs = keys(&["told"]).into();
    let state = (!gone).then(|| Arc::new(state));
    PublishedView { op, urn: view_urn(name), state, failed: false }
}

/// The steps of views in one line each.
fn lines(steps: &[ViewStep]) -> Vec<String> {
    let line = |step: &ViewStep| {
        let mut line = format!("{} {}", step.op.as_str(), step.urn.name());
        line.push_str(match &step.after {
            None => "",
            Some(After::Keep(_)) => " keep",
            Some(After::Place { replaces: None, .. }) => " place",
            Some(After::Place { .. }) => " over",
            Some(After::Amend(_)) => " amend",
            Some(After::Remove(_)) => " remove",
            Some(other) => panic!("{other:?}"),
        });
        let words = [
            (" old", step.old.is_some()),
            (" new", step.new.is_some()),
            (" marked", step.mark.is_some()),
            (" hidden", !step.shown),
        ];
        words.iter().filter(|(_, holds)| *holds).for_each(|(word, _)| line.push_str(word));
        if let Some(number) = step.published {
            line.push_str(&format!(" #{number}"));
        }
        line
    };
    steps.iter().map(line).collect()
}

/// How the owner's step ends.
#[derive(Clone, Copy)]
enum Ends {
    Well,
    Half,
    Badly,
    Unknown,
}

/// Ends the owner's step that is held, and returns what becomes of its views.
fn end(driver: &mut Driver, ends: Ends, said: &[PublishedView]) -> Vec<String> {
    let step = driver.take("a");
    let result = driver.result(&step);
    let outcome = match ends {
        Ends::Well => StepOutcome::Done(result),
        Ends::Half => StepOutcome::Partial(result.unwrap()),
        Ends::Badly => StepOutcome::Failed,
        Ends::Unknown => StepOutcome::Unknown,
    };
    assert!(driver.planner.bears_on_views(&step, said.len()));
    let found = lines(&driver.planner.settle_views(&step, &outcome, said));
    driver.feed(Input::Stepped { step: step.id, outcome });
    found
}

/// A run whose step of the owner is held.
fn run(op: StepOp) -> Driver {
    let mut driver = Driver::new(Mode::Update, base(), &["a"]);
    let facts = match op {
        StepOp::Update => update_facts(&["k".to_owned()]),
        StepOp::CreateReplacement => replace_facts(&["k".to_owned()], false),
        StepOp::DeleteReplaced => replace_facts(&["k".to_owned()], true),
        _ => same_facts(),
    };
    driver.facts.insert("a", facts);
    if op != StepOp::Delete {
        driver.register(0, goal("t:m:R", "a", None), None);
    }
    driver.register(1, goal("t:m:R", "b", None), None);
    if op == StepOp::Delete {
        driver.feed(Input::ProgramEnded { ok: true });
    }
    assert_eq!(driver.held.iter().map(|step| step.op).collect::<Vec<_>>(), [op]);
    driver
}

#[test]
fn views_of_which_nothing_is_said_stay_with_their_owner() {
    let mut driver = run(StepOp::Same);
    assert_eq!(end(&mut driver, Ends::Well, &[]), ["same v keep old new", "same w keep old new"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewStays), 2);
    let mut driver = run(StepOp::Update);
    let kept = ["same v keep old new hidden", "same w keep old new hidden"];
    assert_eq!(end(&mut driver, Ends::Well, &[]), kept);
    assert_eq!(end(&mut run(StepOp::Update), Ends::Half, &[]), kept);
    // The owner keeps its place in the base.
    assert_eq!(end(&mut run(StepOp::Update), Ends::Badly, &[]), [""; 0]);
    assert_eq!(end(&mut run(StepOp::Update), Ends::Unknown, &[]), [""; 0]);
}

#[test]
fn views_change_as_their_provider_says() {
    let said =
        [published(StepOp::Update, "v"), published(StepOp::Delete, "w"), published(StepOp::Create, "x")];
    let mut driver = run(StepOp::Update);
    let found = end(&mut driver, Ends::Well, &said);
    assert_eq!(found, ["update v over old new #0", "delete w remove old #1", "create x place new #2"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewPublished), 3);
    let views = |driver: &Driver| -> Vec<String> {
        let (_, owner) = driver.planner.current(&owner_urn()).unwrap();
        driver.planner.views_of(owner).iter().map(|view| view.urn.name().to_owned()).collect()
    };
    assert_eq!(views(&driver), ["v", "x"]);
    // What a failed step has done stands where the base has it.
    let mut driver = run(StepOp::Update);
    let found = end(&mut driver, Ends::Badly, &said);
    assert_eq!(found, ["update v amend old new #0", "delete w remove old #1", "create x place new #2"]);
    // Nobody knows what an unknown step has done.
    let mut driver = run(StepOp::Update);
    assert_eq!(end(&mut driver, Ends::Unknown, &said), [""; 0]);
    assert_eq!(views(&driver), ["v", "w"]);
}

#[test]
fn a_view_that_went_wrong_or_is_only_shown_changes_nothing() {
    let mut failed = published(StepOp::Update, "v");
    failed.failed = true;
    let mut driver = run(StepOp::Update);
    let found = end(&mut driver, Ends::Well, &[failed, published(StepOp::Replace, "w")]);
    assert_eq!(found, ["update v old new #0", "replace w old new #1"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewFailed), 1);
    assert_eq!(driver.planner.rules().of(Rule::ViewPublished), 1);
    let mut kept = published(StepOp::Same, "v");
    kept.state = None;
    let found = end(&mut run(StepOp::Update), Ends::Well, &[kept.clone()]);
    assert_eq!(found, ["same v keep old #0", "same w keep old new hidden"]);
    assert_eq!(end(&mut run(StepOp::Update), Ends::Badly, &[kept]), ["same v old #0"]);
}

#[test]
fn views_wait_for_deletion_with_their_owner() {
    let mut driver = run(StepOp::CreateReplacement);
    let found = end(&mut driver, Ends::Well, &[published(StepOp::Create, "v")]);
    assert_eq!(found, ["create v place old new marked #0", "same w marked hidden"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewMarked), 2);
    driver.feed(Input::ProgramEnded { ok: true });
    assert_eq!(driver.held[0].op, StepOp::DeleteReplaced);
    let found = end(&mut driver, Ends::Well, &[published(StepOp::DeleteReplaced, "v")]);
    assert_eq!(found, ["delete-replaced v remove old #0", "delete-replaced w remove old"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewGoes), 1);
    let (_, owner) = driver.planner.current(&owner_urn()).unwrap();
    let left = driver.planner.views_of(owner);
    assert_eq!(left.iter().map(|view| view.urn.name()).collect::<Vec<_>>(), ["v"]);
    assert!(!left[0].delete);
    // A replacement that isn't made leaves everything as it was.
    let mut driver = run(StepOp::CreateReplacement);
    assert_eq!(end(&mut driver, Ends::Badly, &[published(StepOp::Create, "v")]), [""; 0]);
}

#[test]
fn a_view_is_replaced_inside_of_an_update() {
    let mut driver = run(StepOp::Update);
    let said = [published(StepOp::CreateReplacement, "v"), published(StepOp::DeleteReplaced, "v")];
    let found = end(&mut driver, Ends::Well, &said);
    let replaced = ["create-replacement v place old new marked #0", "delete-replaced v remove old #1"];
    assert_eq!(found[..2], replaced);
    assert_eq!(found[2..], ["same w keep old new hidden"]);
    // Deleted first.
    let said = [published(StepOp::DeleteReplaced, "v"), published(StepOp::CreateReplacement, "v")];
    let found = end(&mut run(StepOp::Update), Ends::Well, &said);
    assert_eq!(found[..2], ["delete-replaced v remove old #0", "create-replacement v place new #1"]);
}

#[test]
fn views_go_with_their_owner() {
    let mut driver = run(StepOp::Delete);
    assert_eq!(end(&mut driver, Ends::Well, &[]), ["delete v remove old", "delete w remove old"]);
    assert_eq!(driver.planner.rules().of(Rule::ViewGoes), 2);
    assert_eq!(end(&mut run(StepOp::Delete), Ends::Badly, &[]), [""; 0]);
    let said = [published(StepOp::Delete, "w")];
    let found = end(&mut run(StepOp::Delete), Ends::Well, &said);
    assert_eq!(found, ["delete w remove old #0", "delete v remove old"]);
    // What is deleted first for its replacement is gone until that is made.
    let mut driver = run(StepOp::DeleteReplaced);
    let found = end(&mut driver, Ends::Well, &[]);
    assert_eq!(found, ["delete-replaced v remove old", "delete-replaced w remove old"]);
}

#[test]
fn only_steps_of_owners_bear_on_views_of_which_nothing_is_said() {
    let mut driver = Driver::new(Mode::Update, base(), &["a", "b"]);
    driver.register(0, goal("t:m:R", "a", None), None);
    driver.register(1, goal("t:m:R", "b", None), None);
    let (a, b) = (driver.take("a"), driver.take("b"));
    assert!(driver.planner.bears_on_views(&a, 0));
    assert!(!driver.planner.bears_on_views(&b, 0) && driver.planner.bears_on_views(&b, 1));
    let mut driver = Driver::new(Mode::Update, Vec::new(), &["a"]);
    driver.register(0, goal("t:m:R", "a", None), None);
    let a = driver.take("a");
    assert!(!driver.planner.bears_on_views(&a, 0) && driver.planner.bears_on_views(&a, 2));
}

#[test]
fn a_copy_that_waits_and_is_gone_takes_only_views_that_wait_with_it() {
    let mut waiting = base().remove(0);
    (waiting.delete, waiting.id) = (true, "a-old".into());
    let mut left = view("w");
    left.delete = true;
    let gone = |states: Vec<ResourceState>, waits: bool| {
        let mut driver = Driver::new(Mode::Refresh, states, &["a"]);
        let is = |step: &Step| driver.planner.state(step.old.unwrap()).delete == waits;
        let at = driver.held.iter().position(is).unwrap();
        let step = driver.held.remove(at);
        lines(&driver.planner.settle_views(&step, &StepOutcome::Done(None), &[]))
    };
    let live = base().remove(0);
    let both = vec![live.clone(), view("v"), waiting, left.clone()];
    assert_eq!(gone(both, true), ["delete w remove old"]);
    // Without such a copy what waits is that of the one that there is.
    assert_eq!(gone(vec![live, view("v"), left], false), ["delete v remove old", "delete w remove old"]);
}

#[test]
fn a_view_that_went_wrong_does_not_outlive_its_owner() {
    let mut failed = published(StepOp::Delete, "v");
    failed.failed = true;
    let found = end(&mut run(StepOp::Delete), Ends::Well, &[failed]);
    assert_eq!(found, ["delete v old #0", "delete v remove old hidden", "delete w remove old"]);
}
