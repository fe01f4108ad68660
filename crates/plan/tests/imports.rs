//! The `import` option: refused while it does nothing, ignored where it has been carried out.

use purlin_model::{Goal, PackageDescriptor, PropertyMap, ResourceState, Snapshot, Urn};
use purlin_plan::{Effect, Input, Mode, Planner, Registration, Reply, Settings, Ticket};

fn register(base: &Snapshot) -> Vec<Effect> {
    let mut planner = Planner::new(Settings::new("dev", "shop", Mode::Update, false), base);
    planner.handle(Input::Start);
    let mut goal = Goal::new("a:b:C", "it", true, PropertyMap::new());
    goal.import_id = "existing".into();
    let request =
        Registration { goal, providers: [].into(), package: PackageDescriptor::new("a", ""), read_id: None };
    planner.handle(Input::Register { ticket: Ticket(1), request: Box::new(request) })
}

#[test]
fn an_existing_resource_is_not_silently_created_again() {
    let effects = register(&Snapshot::default());
    let said = effects.iter().any(|e| matches!(e, Effect::Say(d) if d.code == "import-unsupported"));
    let stopped = effects.iter().any(|e| matches!(e, Effect::Reply { reply: Reply::Stopping, .. }));
    assert!(said && stopped, "{effects:?}");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Run(_) | Effect::Check { .. })), "{effects:?}");
}

#[test]
fn a_resource_that_was_taken_over_before_goes_on() {
    let mut state = ResourceState::new(Urn::new("dev", "shop", None, "a:b:C", "it"), true);
    state.id = "existing".into();
    state.import_id = "existing".into();
    let base = Snapshot { resources: vec![state.into()], ..Snapshot::default() };
    let effects = register(&base);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Say(_))), "{effects:?}");
}
