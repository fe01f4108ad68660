//! What edits of states do, and what they refuse.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use purlin_edit::{
    BrokenKind, DeleteOptions, Flag, MoveRequest, Moved, delete, diff, move_resources, rename_resource,
    repair, set_flag,
};
use purlin_journal::check_integrity;
use purlin_model::{Bag, ProviderRef, RawText, ResourceState, Snapshot, Urn};

fn urn(stack: &str, name: &str) -> Urn {
    Urn::new(stack, "shop", None, "a:b:C", name)
}

fn root(stack: &str) -> ResourceState {
    ResourceState::new(Urn::root_stack(stack, "shop"), false)
}

fn provider(stack: &str) -> ResourceState {
    let mut state = ResourceState::new(Urn::new(stack, "shop", None, "pulumi:providers:a", "default"), true);
    state.id = format!("{stack}-1");
    state.inputs = Bag::Raw(RawText::from("{}".to_owned()));
    state
}

fn resource(stack: &str, name: &str, dependencies: &[&str]) -> ResourceState {
    let mut state = ResourceState::new(urn(stack, name), true);
    state.id = format!("id-{name}");
    state.parent = Some(Urn::root_stack(stack, "shop"));
    state.provider = provider(stack).as_provider();
    state.dependencies = dependencies.iter().map(|name| urn(stack, name)).collect();
    state
}

fn child(of: &ResourceState, name: &str) -> ResourceState {
    let stack = of.urn.stack().to_owned();
    let mut state = ResourceState::new(Urn::new(&stack, "shop", Some(&of.urn), "a:b:D", name), true);
    state.id = format!("id-{name}");
    state.parent = Some(of.urn.clone());
    state.provider = provider(&stack).as_provider();
    state
}

fn snapshot(states: Vec<ResourceState>) -> Snapshot {
    Snapshot { resources: states.into_iter().map(Arc::new).collect(), ..Snapshot::default() }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.resources.iter().map(|state| state.urn.name()).collect()
}

/// A stack `dev`: `a`, `b` that needs it, and a child of `b`.
fn dev() -> Snapshot {
    let b = resource("dev", "b", &["a"]);
    let c = child(&b, "c");
    snapshot(vec![root("dev"), provider("dev"), resource("dev", "a", &[]), b, c])
}

fn moved(source: &Snapshot, dest: &Snapshot, urns: &[&Urn], parents: bool) -> Result<Moved, String> {
    let urns: Vec<String> = urns.iter().map(ToString::to_string).collect();
    let moved = move_resources(&MoveRequest {
        source,
        dest,
        to: ("shop", "prod"),
        urns: &urns,
        include_parents: parents,
        same_provider: &|a, b| a.inputs == b.inputs,
    })
    .map_err(|problem| problem.code.to_owned())?;
    assert_eq!(check_integrity(&moved.source), [], "the source stays valid");
    assert_eq!(check_integrity(&moved.dest), [], "the destination stays valid");
    Ok(moved)
}

#[test]
fn children_and_providers_come_along_and_references_across_are_dropped() {
    let source = dev();
    let moved = moved(&source, &Snapshot::default(), &[&urn("dev", "b")], false).unwrap();
    assert_eq!(names(&moved.source), ["shop-dev", "default", "a"]);
    assert_eq!(names(&moved.dest), ["shop-prod", "default", "b", "c"]);
    let [broken] = &*moved.broken_dest else { panic!("{:?}", moved.broken_dest) };
    assert_eq!((&broken.to, &broken.kind), (&urn("dev", "a"), &BrokenKind::Dependency));
    let c = &moved.dest.resources[3];
    assert_eq!(c.urn.as_str(), "urn:pulumi:prod::shop::a:b:C$a:b:D::c");
    assert_eq!(c.parent.as_ref(), Some(&urn("prod", "b")));
    assert_eq!(c.provider.as_ref().unwrap().urn().stack(), "prod");
    assert_eq!(moved.arrived, [1, 2, 3]);
}

#[test]
fn a_child_alone_gets_the_root_as_parent_unless_its_parents_come_along() {
    let source = dev();
    let c = source.resources[4].urn.clone();
    let alone = moved(&source, &Snapshot::default(), &[&c], false).unwrap();
    assert_eq!(alone.dest.resources[2].urn.as_str(), "urn:pulumi:prod::shop::a:b:D::c");
    let family = moved(&source, &Snapshot::default(), &[&c], true).unwrap();
    assert_eq!(names(&family.dest), ["shop-prod", "default", "b", "c"]);
}

#[test]
fn what_stays_forgets_what_went() {
    let source = dev();
    let moved = moved(&source, &Snapshot::default(), &[&urn("dev", "a")], false).unwrap();
    assert_eq!(moved.broken_source[0].urn, urn("dev", "b"));
    assert_eq!(moved.source.resources[2].dependencies, []);
}

#[test]
fn the_destination_uses_its_own_provider_if_it_is_the_same() {
    let dest = snapshot(vec![root("prod"), provider("prod")]);
    let moved = moved(&dev(), &dest, &[&urn("dev", "a")], false).unwrap();
    assert_eq!(names(&moved.dest), ["shop-prod", "default", "a"]);
    assert_eq!(moved.dest.resources[2].provider.as_ref().map(ProviderRef::id), Some("prod-1"));
    let mut other = provider("prod");
    other.inputs = Bag::Raw(RawText::from("{\"region\":\"x\"}".to_owned()));
    let dest = snapshot(vec![root("prod"), other]);
    assert_eq!(self::moved(&dev(), &dest, &[&urn("dev", "a")], false).unwrap_err(), "move-provider-taken");
}

#[test]
fn a_name_that_is_taken_is_refused_unless_it_is_the_same_resource() {
    let source = dev();
    let first = moved(&source, &Snapshot::default(), &[&urn("dev", "a")], false).unwrap();
    let again = moved(&source, &first.dest, &[&urn("dev", "a")], false).unwrap();
    assert!(again.resumed && again.dest == first.dest && again.source == first.source);
    let both = [&urn("dev", "a"), &urn("dev", "b")];
    assert_eq!(moved(&source, &first.dest, &both, false).unwrap_err(), "move-taken", "only some of them");
    let mut taken = first.dest.clone();
    let mut other = resource("prod", "a", &[]);
    other.provider = None;
    other.id = "another".to_owned();
    taken.resources[2] = Arc::new(other);
    assert_eq!(moved(&source, &taken, &[&urn("dev", "a")], false).unwrap_err(), "move-taken");
}

#[test]
fn what_can_not_be_moved_is_refused() {
    let mut source = dev();
    let operation = purlin_model::PendingOperation {
        kind: purlin_model::OperationKind::Updating,
        resource: Arc::clone(&source.resources[2]),
    };
    assert_eq!(
        moved(&source, &Snapshot::default(), &[&urn("dev", "x")], false).unwrap_err(),
        "state-urn-unknown"
    );
    let provider = source.resources[1].urn.clone();
    assert_eq!(moved(&source, &Snapshot::default(), &[&provider], false).unwrap_err(), "move-provider");
    source.pending_operations.push(operation);
    assert_eq!(moved(&source, &Snapshot::default(), &[&urn("dev", "a")], false).unwrap_err(), "move-pending");
    let partly = moved(&source, &Snapshot::default(), &[&urn("dev", "b"), &urn("dev", "x")], false).unwrap();
    assert_eq!(partly.missing, [urn("dev", "x").to_string()]);
}

#[test]
fn references_in_bags_follow_a_rename() {
    let mut state = dev();
    let text = format!(
        "{{\"r\":{{\"{}\":\"{}\",\"urn\":\"{}\"}},\"t\":\"{}\"}}",
        purlin_formats::signature::KEY,
        purlin_formats::signature::REFERENCE,
        urn("dev", "a"),
        urn("dev", "a")
    );
    let mut b = ResourceState::clone(&state.resources[3]);
    b.inputs = Bag::Raw(RawText::from(text));
    state.resources[3] = Arc::new(b);
    let renamed = rename_resource(&state, urn("dev", "a").as_str(), "prime").unwrap();
    let Bag::Raw(raw) = &renamed.resources[3].inputs else { panic!("decoded") };
    assert_eq!(raw.as_str().matches(urn("dev", "prime").as_str()).count(), 1);
    assert_eq!(
        raw.as_str().matches(urn("dev", "a").as_str()).count(),
        1,
        "a text that is no reference stays"
    );
    assert_eq!(check_integrity(&renamed), []);
}

#[test]
fn forgetting_needs_leave_and_order() {
    let mut state = dev();
    let one = |index: usize| BTreeSet::from([index]);
    let refused = |state: &Snapshot, index, options| delete(state, &one(index), options).unwrap_err().code;
    let plain = DeleteOptions::default();
    assert_eq!(refused(&state, 2, plain), "state-depended-on");
    let (protected, count) =
        set_flag(&state, Some(&[urn("dev", "b").to_string()]), Flag::Protect, true).unwrap();
    assert_eq!(count, 1);
    let dependents = DeleteOptions { dependents: true, force: false };
    assert_eq!(refused(&protected, 2, dependents), "state-protected", "dependents may be protected, too");
    let forced = delete(&protected, &one(2), DeleteOptions { dependents: true, force: true }).unwrap();
    assert_eq!(names(&forced.snapshot), ["shop-dev", "default"]);
    assert_eq!(forced.protected, [urn("dev", "b")]);
    // Of two states of a URN one may go: the other one is what is referred to.
    let mut old = ResourceState::clone(&state.resources[2]);
    old.delete = true;
    state.resources.push(Arc::new(old));
    assert_eq!(names(&delete(&state, &one(5), plain).unwrap().snapshot), names(&dev()));
}

#[test]
fn a_repair_sorts_and_prunes_and_leaves_alone_what_it_can_not_know() {
    let good = dev();
    assert!(repair(&good).problems.is_empty());
    let mut shuffled = good.clone();
    shuffled.resources.reverse();
    let fixed = repair(&shuffled);
    assert!(fixed.left.is_empty() && check_integrity(&fixed.snapshot).is_empty());

    let mut pruned = good.clone();
    pruned.resources.remove(2);
    let fixed = repair(&pruned);
    assert_eq!((fixed.fixes.len(), fixed.left.len()), (1, 0));

    let mut doubled = good.clone();
    doubled.resources.push(Arc::clone(&good.resources[2]));
    assert_eq!(names(&repair(&doubled).snapshot), names(&good));
    let mut different = ResourceState::clone(&good.resources[2]);
    different.id = "another".to_owned();
    doubled.resources[5] = Arc::new(different);
    assert_eq!(repair(&doubled).left.len(), 1, "two things that are real stay two");

    let mut circle = good.clone();
    let mut a = ResourceState::clone(&good.resources[2]);
    a.dependencies = vec![urn("dev", "b")];
    circle.resources[2] = Arc::new(a);
    assert!(!repair(&circle).left.is_empty());
}

#[test]
fn what_differs_is_named_by_its_place_and_secrets_are_masked() {
    let old = dev();
    let mut new = old.clone();
    let secret = |text: &str| {
        let (key, mark) = (purlin_formats::signature::KEY, purlin_formats::signature::SECRET);
        format!("{{\"s\":{{\"{key}\":\"{mark}\",\"ciphertext\":\"{text}\"}},\"l\":[1,{}]}}", text.len())
    };
    let with = |text: &str| {
        let mut a = ResourceState::clone(&old.resources[2]);
        a.inputs = Bag::Raw(RawText::from(secret(text)));
        Arc::new(a)
    };
    let mut old = old.clone();
    old.resources[2] = with("x");
    new.resources[2] = with("yy");
    new.resources.pop();
    let found = diff(&old, &new, false).unwrap();
    assert_eq!(found.removed, [old.resources[4].urn.clone()]);
    let fields: Vec<(String, String)> = found.changed[0]
        .fields
        .iter()
        .map(|f| (f.path.clone(), format!("{} {}", f.old.clone().unwrap(), f.new.clone().unwrap())))
        .collect();
    let expected = [("inputs.l[1]", "1 2"), ("inputs.s", "\"[secret]\" \"[secret]\"")];
    assert_eq!(fields, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert!(diff(&old, &old, false).unwrap().is_empty());
    let mut turned = old.clone();
    turned.resources.swap(0, 1);
    assert!(diff(&old, &turned, false).unwrap().reordered);
}
