//! Runs that settings shape: lists of imports, names, recorded steps, hooks of deletes.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_model::autonaming::{Autonaming, Naming};
use purlin_model::event::StepOp;
use purlin_model::{Cause, PropertyCause, ResourceState, Urn};
use purlin_plan::{ImportRequest, Input, Mode, Rule, Settings};

use crate::questions::{Driver, goal};
use crate::support::{PROJECT, STACK, replace_facts, urn};

fn root() -> Urn {
    Urn::root_stack(STACK, PROJECT)
}

fn known(ty: &str, name: &str, parent: Option<&Urn>) -> ResourceState {
    let mut state = ResourceState::new(urn(parent, ty, name), !ty.ends_with(":C"));
    state.parent = parent.cloned();
    if state.custom {
        state.id = format!("{name}-0");
    }
    state
}

fn request(ty: &str, name: &str) -> ImportRequest {
    let id = if ty == "t:m:R" { format!("{name}-id") } else { String::new() };
    let component = ty.ends_with(":C");
    ImportRequest { ty: ty.into(), name: name.into(), id, component, ..ImportRequest::default() }
}

fn import(base: Vec<ResourceState>, imports: Vec<ImportRequest>, hold: &[&'static str]) -> Driver {
    let settings = Settings { imports, ..Settings::new(STACK, PROJECT, Mode::Import, false) };
    Driver::with(settings, base, hold)
}

#[test]
fn a_list_makes_the_root_stack_and_default_providers_that_are_missing() {
    let driver = import(Vec::new(), vec![request("t:m:R", "a"), request("t:m:R", "b")], &[]);
    let expected =
        ["create shop-dev", "check default", "create default", "import a by default", "import b by default"];
    let mut found = driver.log.clone();
    found.sort_unstable();
    let mut expected = expected.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(driver.finished, Some(true));
    let (_, a) = driver.planner.current(&urn(Some(&root()), "t:m:R", "a")).unwrap();
    assert_eq!(a.parent, Some(root()));
    assert_eq!(driver.planner.rules().of(Rule::ListImported), 2);
    let res = driver.planner.res(&a.urn).unwrap();
    assert_eq!(driver.planner.import_request(res).map(|request| request.id.as_str()), Some("a-id"));
}

#[test]
fn a_list_leaves_what_the_state_has_in_its_place_and_uses_it() {
    let mut stack = known("pulumi:pulumi:Stack", "shop-dev", None);
    (stack.custom, stack.id) = (false, String::new());
    let mut leftover = known("t:m:R", "leftover", Some(&stack.urn));
    leftover.delete = true;
    let provider = known("pulumi:providers:t", "default", None);
    let a = known("t:m:R", "a", Some(&stack.urn));
    let base = vec![stack, provider, leftover, a];
    let mut again = request("t:m:R", "a");
    again.id = "a-0".into();
    let driver = import(base.clone(), vec![again, request("t:m:R", "b")], &[]);
    assert_eq!(driver.log, ["carry shop-dev default a", "import b by default"]);
    assert_eq!(driver.finished, Some(true));
    assert_eq!(driver.planner.rules().of(Rule::ListKnown), 1);
    // Another id is another resource.
    let driver = import(base, vec![request("t:m:R", "a")], &[]);
    assert_eq!(driver.log, ["carry shop-dev default a", "say import-exists"]);
    assert_eq!(driver.finished, Some(false));
}

#[test]
fn what_a_list_names_waits_for_its_parent_and_its_provider() {
    let component = urn(Some(&root()), "t:m:C", "component");
    let provider = urn(None, "pulumi:providers:t", "p");
    let mut inner = request("t:m:R", "inner");
    inner.parent = Some(component.clone());
    let mut served = request("t:m:R", "served");
    served.provider = Some(provider.clone());
    let list = vec![inner.clone(), served, request("t:m:C", "component"), request("pulumi:providers:t", "p")];
    let mut driver = import(Vec::new(), list, &["component", "p"]);
    assert!(!driver.log.iter().any(|line| line.starts_with("import inner") || line.contains("served")));
    assert!(driver.planner.rules().of(Rule::ListWaited) >= 2);
    driver.end("p", true);
    assert!(driver.log.iter().any(|line| line == "import served by p"), "{:?}", driver.log);
    driver.end("component", true);
    assert_eq!(driver.log.last().unwrap(), "import inner by default");
    assert_eq!(driver.finished, Some(true));
    assert!(driver.log.iter().any(|line| line.ends_with(" component")), "without a provider");
    // What its parent's failure leaves without one is not taken over.
    let mut driver = import(Vec::new(), vec![inner.clone(), request("t:m:C", "component")], &["component"]);
    driver.end("component", false);
    assert!(!driver.log.iter().any(|line| line.contains("inner")));
    assert_eq!(driver.finished, Some(false));
    // A parent that nobody has is refused.
    let driver = import(Vec::new(), vec![inner], &[]);
    assert!(driver.log.iter().any(|line| line == "say import-parent"));
    assert_eq!(driver.finished, Some(false));
    let twice = vec![request("t:m:R", "a"), request("t:m:R", "a")];
    assert!(import(Vec::new(), twice, &[]).log.iter().any(|line| line == "say import-duplicate"));
}

#[test]
fn what_keeps_its_name_is_deleted_before_its_replacement_is_made() {
    let ops = |naming: Option<Naming>, ty: &str| -> Vec<String> {
        let autonaming = naming.map(|default| Arc::new(Autonaming { default, packages: BTreeMap::new() }));
        let settings = Settings { autonaming, ..Settings::new(STACK, PROJECT, Mode::Update, false) };
        let mut driver = Driver::with(settings, vec![known(ty, "a", None)], &[]);
        driver.facts.insert("a", replace_facts(&["k".to_owned()], false));
        driver.register(0, goal(ty, "a", None), None);
        driver.feed(Input::ProgramEnded { ok: true });
        let words = driver.log.iter().filter(|line| line.contains("replace"));
        words.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let (first, last) =
        (["delete-replaced", "create-replacement"], ["create-replacement", "delete-replaced"]);
    assert_eq!(ops(Some(Naming::Verbatim), "t:m:R"), first);
    assert_eq!(ops(Some(Naming::Default), "t:m:R"), last);
    assert_eq!(ops(None, "t:m:R"), last);
    assert_eq!(ops(Some(Naming::Verbatim), "pulumi:providers:t"), last, "providers have no names out there");
}

#[test]
fn steps_are_recorded_for_a_plan_where_somebody_wants_one() {
    let run = |records_plan: bool| {
        let settings = Settings { records_plan, ..Settings::new(STACK, PROJECT, Mode::Update, false) };
        let mut driver = Driver::with(settings, vec![known("t:m:R", "old", None)], &[]);
        driver.register(0, goal("t:m:C", "component", None), None);
        driver.register(1, goal("t:m:R", "new", None), None);
        driver.feed(Input::ProgramEnded { ok: true });
        driver
    };
    let steps = run(true).planner.take_recorded_steps().unwrap();
    let of = |ty: &str, name: &str| steps.get(&urn(None, ty, name)).cloned().unwrap_or_default();
    assert_eq!(of("t:m:R", "new"), [StepOp::Create]);
    assert_eq!(of("t:m:R", "old"), [StepOp::Delete]);
    let mut driver = run(false);
    assert_eq!(driver.planner.take_recorded_steps(), None);
    assert!(!driver.log.contains(&"check component".to_owned()));
}

#[test]
fn components_are_checked_when_somebody_wants_to_see_all_inputs() {
    let mut driver = Driver::new(Mode::Update, Vec::new(), &[]);
    driver.planner.check_all();
    driver.register(0, goal("t:m:C", "component", None), None);
    assert_eq!(driver.log, ["check component", "create component"]);
}

#[test]
fn a_destroy_without_the_program_is_refused_where_the_state_names_hooks_of_deletes() {
    let run = |mode: Mode, run_program: bool, hook: Option<&str>| {
        let mut state = known("t:m:R", "a", None);
        let hooks = hook.map(|kind| (kind.to_owned(), vec!["h".to_owned()]));
        state.resource_hooks.by_kind.extend(hooks);
        let settings = Settings { run_program, ..Settings::new(STACK, PROJECT, mode, false) };
        let mut driver = Driver::with(settings, vec![state], &[]);
        driver.feed(Input::ProgramEnded { ok: true });
        let refused = driver.log.contains(&"say delete-hooks".to_owned());
        assert_eq!(driver.finished, Some(!refused), "{:?}", driver.log);
        assert_eq!(driver.planner.rules().of(Rule::DeleteHooksMissing), u32::from(refused));
        let deleted = driver.log.iter().any(|line| line.starts_with("delete a"));
        assert_eq!(deleted, !refused, "{:?}", driver.log);
        refused
    };
    assert!(
        run(Mode::Destroy, false, Some("BeforeDelete")) && run(Mode::Destroy, false, Some("AfterDelete"))
    );
    assert!(!run(Mode::Destroy, false, Some("BeforeUpdate")) && !run(Mode::Destroy, false, None));
    assert!(!run(Mode::Destroy, true, Some("BeforeDelete")));
    assert!(!run(Mode::Update, false, Some("BeforeDelete")));
}

#[test]
fn a_replacement_of_what_was_half_made_says_so() {
    let cause = |key: &str| {
        let mut driver = Driver::new(Mode::Update, vec![known("t:m:R", "a", None)], &["a"]);
        driver.facts.insert("a", replace_facts(&[key.to_owned()], false));
        driver.register(0, goal("t:m:R", "a", None), None);
        driver.take("a").reasons.cause.as_deref().cloned()
    };
    assert_eq!(cause("#initerror"), Some(Cause::Incomplete));
    let property = PropertyCause { property: "size".into(), from: Vec::new() };
    assert_eq!(cause("size"), Some(Cause::Properties(vec![property])));
}

#[test]
fn a_refresh_is_of_the_old_state_also_where_the_program_says_what_that_becomes() {
    let mut old = known("t:m:R", "a", None);
    old.extension_ref = "old".into();
    let settings = Settings { run_program: true, ..Settings::new(STACK, PROJECT, Mode::Refresh, false) };
    let mut driver = Driver::with(settings, vec![old], &["a"]);
    driver.register(0, goal("t:m:R", "a", None), None);
    let step = driver.take("a");
    assert_eq!((step.op, step.extension_ref.as_str()), (StepOp::Refresh, "old"));
    assert_eq!(step.draft.map(|draft| draft.extension_ref.clone()), Some(String::new()));
}
