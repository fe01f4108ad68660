//! What each entry does to the list.

use std::sync::Arc;

use purlin_journal::{
    Change, Continuation, Entry, Fold, FoldError, OpId, Rule, Slot, check_integrity, refuse_if_invalid,
};
use purlin_model::{Extension, OperationKind, PendingOperation, ProviderRef, ResourceState, Snapshot, Urn};

fn urn(name: &str) -> Urn {
    Urn::new("dev", "shop", None, "a:b:C", name)
}

fn state(name: &str, dependencies: &[&str]) -> ResourceState {
    let mut state = ResourceState::new(urn(name), true);
    state.id = format!("id-{name}");
    state.dependencies = dependencies.iter().map(|d| urn(d)).collect();
    state
}

fn snapshot(states: impl IntoIterator<Item = ResourceState>) -> Arc<Snapshot> {
    Arc::new(Snapshot { resources: states.into_iter().map(Arc::new).collect(), ..Snapshot::default() })
}

fn place(slot: u32, state: ResourceState, replaces: Option<u32>) -> Change {
    Change::Place { slot: Slot(slot), state: Arc::new(state), replaces: replaces.map(Slot) }
}

fn keep(slot: u32) -> Change {
    Change::Keep { slot: Slot(slot) }
}

fn remove(slot: u32) -> Change {
    Change::Remove { slot: Slot(slot) }
}

fn mark_delete(slot: u32) -> Change {
    Change::MarkDelete { slot: Slot(slot) }
}

/// Applies an entry, and goes on from a checkpoint: nothing may come of that.
fn apply(fold: &mut Fold, entry: &Entry) {
    fold.apply(entry).unwrap();
    *fold = Fold::resume(Arc::new(fold.snapshot()), &fold.continuation()).unwrap();
}

fn settle(fold: &mut Fold, changes: Vec<Change>) {
    apply(fold, &Entry::End { op: None, changes });
}

fn names(fold: &Fold) -> Vec<String> {
    fold.states()
        .map(|(_, s)| format!("{}{}", s.urn.name(), if s.delete { " (delete)" } else { "" }))
        .collect()
}

fn dependencies(fold: &Fold, slot: u32) -> Vec<&str> {
    fold.state(Slot(slot)).unwrap().dependencies.iter().map(Urn::name).collect()
}

#[test]
fn the_run_order_comes_before_the_rest_of_the_base() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), state("c", &[]), state("d", &[])]));
    settle(&mut fold, vec![keep(2)]);
    settle(&mut fold, vec![place(4, state("a", &[]), Some(0))]);
    settle(&mut fold, vec![place(5, state("new", &["a"]), None)]);
    settle(&mut fold, vec![Change::Amend { slot: Slot(2), state: Arc::new(state("c", &[])) }]);
    assert_eq!(names(&fold), ["c", "a", "new", "b", "d"]);
    assert_eq!(fold.slot_count(), 5);
    assert_eq!(fold.next_slot(), Slot(6));
    assert!(fold.is_placed(Slot(2)) && !fold.is_placed(Slot(1)));
    let resources = fold.finish().resources;
    assert_eq!(resources.iter().map(|s| s.urn.name()).collect::<Vec<_>>(), ["c", "a", "new", "b", "d"]);
}

#[test]
fn a_second_keep_changes_nothing() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[])]));
    settle(&mut fold, vec![keep(1)]);
    settle(&mut fold, vec![keep(0)]);
    settle(&mut fold, vec![keep(1)]);
    assert_eq!(names(&fold), ["b", "a"]);
}

#[test]
fn looks_states_up_by_urn() {
    let mut old = state("a", &[]);
    old.delete = true;
    let mut fold = Fold::new(snapshot([state("a", &[]), old]));
    assert_eq!(fold.live(&urn("a")), Some(Slot(0)));
    assert_eq!(fold.deleted(&urn("a")).collect::<Vec<_>>(), [Slot(1)]);
    settle(&mut fold, vec![place(2, state("a", &[]), None), mark_delete(0)]);
    assert_eq!(fold.live(&urn("a")), Some(Slot(2)));
    assert_eq!(fold.deleted(&urn("a")).collect::<Vec<_>>(), [Slot(0), Slot(1)]);
    settle(&mut fold, vec![remove(0)]);
    settle(&mut fold, vec![remove(1)]);
    settle(&mut fold, vec![remove(2)]);
    assert_eq!(fold.live(&urn("a")), None);
    assert_eq!(fold.slot_count(), 0);
}

#[test]
fn delete_before_replace_keeps_the_entry_until_the_replacement_is_there() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &["a"])]));
    settle(&mut fold, vec![Change::MarkPendingReplacement { slot: Slot(0) }]);
    assert!(fold.state(Slot(0)).unwrap().pending_replacement);
    assert_eq!(names(&fold), ["a", "b"]);
    assert_eq!(fold.problems(), []);
    settle(&mut fold, vec![place(2, state("a", &[]), Some(0))]);
    assert_eq!(names(&fold), ["a", "b"]);
    assert!(!fold.state(Slot(2)).unwrap().pending_replacement);
    assert_eq!(fold.state(Slot(0)), None);
    assert_eq!(dependencies(&fold, 1), ["a"]);
}

#[test]
fn a_rename_rewrites_all_references() {
    let mut user = state("user", &["old", "other"]);
    user.property_dependencies.insert("p".to_owned(), vec![urn("old")]);
    user.parent = Some(urn("old"));
    user.deleted_with = Some(urn("old"));
    user.replace_with = vec![urn("old")];
    user.view_of = Some(urn("old"));
    let mut fold = Fold::new(snapshot([state("old", &[]), state("other", &[]), user]));
    settle(&mut fold, vec![place(3, state("new", &[]), Some(0))]);
    let user = fold.state(Slot(2)).unwrap();
    assert!(user.references().all(|u| u.name() != "old"), "{user:?}");
    assert_eq!(user.view_of, Some(urn("new")));
    assert_eq!(dependencies(&fold, 2), ["new", "other"]);
    assert_eq!(fold.problems(), []);
    settle(&mut fold, vec![place(4, state("late", &["old"]), None)]);
    assert_eq!(dependencies(&fold, 4), ["new"], "what comes later with the old name gets the new one");
}

#[test]
fn a_rename_of_a_provider_rewrites_the_references_of_its_users() {
    let provider = |name: &str| {
        let mut p = ResourceState::new(Urn::new("dev", "shop", None, "pulumi:providers:a", name), true);
        p.id = "7".to_owned();
        p
    };
    let mut user = state("user", &[]);
    user.provider = provider("p").as_provider();
    let mut fold = Fold::new(snapshot([provider("p"), user]));
    settle(&mut fold, vec![place(2, provider("q"), Some(0))]);
    assert_eq!(fold.state(Slot(1)).unwrap().provider, provider("q").as_provider());
    assert_eq!(fold.problems(), []);
}

#[test]
fn children_are_renamed_with_their_parent() {
    let named = |parent: Option<&Urn>, ty: &str, name: &str| {
        let mut s = ResourceState::new(Urn::new("dev", "shop", parent, ty, name), false);
        s.parent = parent.cloned();
        s
    };
    let parent = named(None, "x:y:Old", "p");
    let child = named(Some(&parent.urn), "x:y:Child", "c");
    let mut grandchild = named(Some(&child.urn), "x:y:Grand", "g");
    grandchild.dependencies = vec![child.urn.clone()];
    let mut fold = Fold::new(snapshot([parent, child, grandchild]));
    let new = named(None, "x:y:New", "p");
    settle(&mut fold, vec![place(3, new.clone(), Some(0))]);
    let child = Urn::new("dev", "shop", Some(&new.urn), "x:y:Child", "c");
    let grandchild = Urn::new("dev", "shop", Some(&child), "x:y:Grand", "g");
    assert_eq!(fold.live(&child), Some(Slot(1)));
    assert_eq!(fold.live(&grandchild), Some(Slot(2)));
    let state = fold.state(Slot(2)).unwrap();
    assert_eq!((state.parent.as_ref(), &state.dependencies[..]), (Some(&child), &[child.clone()][..]));
    assert_eq!(fold.problems(), []);
}

#[test]
fn what_was_read_before_its_parent_was_renamed_keeps_the_new_name() {
    let parent = state("p", &[]);
    let mut child = ResourceState::new(Urn::new("dev", "shop", Some(&parent.urn), "x:y:Child", "c"), true);
    child.parent = Some(parent.urn.clone());
    let mut drifted = child.clone();
    drifted.init_errors = vec!["it went down".into()];
    let mut fold = Fold::new(snapshot([parent, child]));
    let mut new = state("p", &[]);
    new.urn = Urn::new("dev", "shop", None, "x:y:New", "p");
    settle(&mut fold, vec![place(2, new.clone(), Some(0))]);
    settle(&mut fold, vec![Change::Amend { slot: Slot(1), state: Arc::new(drifted) }, keep(1)]);
    let state = fold.state(Slot(1)).unwrap();
    assert_eq!(state.urn, Urn::new("dev", "shop", Some(&new.urn), "x:y:Child", "c"));
    assert_eq!((state.parent.as_ref(), state.init_errors.len()), (Some(&new.urn), 1));
    assert_eq!(fold.problems(), []);
}

#[test]
fn a_state_that_replaces_one_with_a_place_takes_that_place() {
    let mut fold = Fold::new(snapshot([state("a", &[])]));
    settle(&mut fold, vec![keep(0)]);
    settle(&mut fold, vec![place(1, state("user", &["a"]), None)]);
    let again = vec![place(2, state("a", &[]), Some(0))];
    assert_eq!(fold.admit(&again), []);
    settle(&mut fold, again);
    assert_eq!(names(&fold), ["a", "user"]);
    let backward = vec![place(3, state("a", &["user"]), Some(2))];
    assert!(fold.admit(&backward).iter().any(|problem| problem.comes_after));
}

#[test]
fn a_replacement_under_another_name_rewrites_and_does_not_prune() {
    let mut fold = Fold::new(snapshot([state("old", &[]), state("user", &["old"])]));
    settle(&mut fold, vec![place(2, state("new", &[]), None), mark_delete(0)]);
    assert_eq!(dependencies(&fold, 1), ["new"]);
    settle(&mut fold, vec![remove(0)]);
    assert_eq!(dependencies(&fold, 1), ["new"]);
    assert_eq!(fold.problems(), []);
}

#[test]
fn what_is_removed_is_pruned() {
    let mut child = state("child", &["a", "b"]);
    child.parent = Some(urn("a"));
    child.property_dependencies.insert("p".to_owned(), vec![urn("a")]);
    let mut parent = state("a", &[]);
    parent.parent = Some(urn("root"));
    let mut fold = Fold::new(snapshot([state("root", &[]), parent, state("b", &[]), child]));
    settle(&mut fold, vec![remove(1)]);
    let left = fold.state(Slot(3)).unwrap();
    assert_eq!(left.parent, Some(urn("root")), "the nearest ancestor takes over");
    assert!(left.property_dependencies.is_empty());
    assert_eq!(dependencies(&fold, 3), ["b"]);
    settle(&mut fold, vec![Change::Amend { slot: Slot(3), state: Arc::new(state("child", &["a"])) }]);
    assert!(dependencies(&fold, 3).is_empty(), "what was read before the removal is pruned as well");
    assert_eq!(fold.problems(), []);
}

#[test]
fn references_that_came_in_the_run_are_pruned_as_well() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), state("c", &[])]));
    settle(&mut fold, vec![remove(2)]);
    settle(&mut fold, vec![keep(0), keep(1)]);
    settle(&mut fold, vec![place(3, state("new", &["a", "b"]), None)]);
    settle(&mut fold, vec![place(4, state("other", &[]), None)]);
    let amended = Arc::new(state("other", &["b"]));
    settle(&mut fold, vec![Change::Amend { slot: Slot(4), state: amended }]);
    settle(&mut fold, vec![remove(1)]);
    assert_eq!(dependencies(&fold, 3), ["a"]);
    assert!(dependencies(&fold, 4).is_empty());
}

#[test]
fn references_stay_while_another_state_of_the_urn_stands_before() {
    let mut waiting = state("a", &[]);
    waiting.delete = true;
    let base = snapshot([waiting.clone(), state("a", &[]), state("b", &["a"])]);
    let mut fold = Fold::new(base);
    settle(&mut fold, vec![remove(1)]);
    assert_eq!(dependencies(&fold, 2), ["a"]);
    assert_eq!(fold.problems(), []);
    settle(&mut fold, vec![remove(0)]);
    assert!(dependencies(&fold, 2).is_empty());

    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &["a"]), waiting]));
    settle(&mut fold, vec![remove(0)]);
    assert!(dependencies(&fold, 1).is_empty(), "a state that comes after doesn't count");
    assert_eq!(fold.problems(), []);
}

#[test]
fn operations_are_pending_from_begin_to_end() {
    let create =
        |name: &str| PendingOperation { kind: OperationKind::Creating, resource: Arc::new(state(name, &[])) };
    let base = Snapshot {
        pending_operations: vec![
            create("left"),
            PendingOperation { kind: OperationKind::Updating, ..create("updated") },
            create("cleared"),
        ],
        ..Snapshot::default()
    };
    let mut fold = Fold::new(Arc::new(base));
    let begin = |op, name| Entry::Begin {
        op: OpId(op),
        kind: OperationKind::Creating,
        resource: Arc::new(state(name, &[])),
    };
    apply(&mut fold, &begin(1, "x"));
    apply(&mut fold, &begin(2, "y"));
    apply(&mut fold, &Entry::End { op: Some(OpId(1)), changes: vec![place(0, state("x", &[]), None)] });
    settle(&mut fold, vec![Change::ClearPending { index: 2 }]);
    let pending = |s: Snapshot| {
        s.pending_operations.iter().map(|p| p.resource.urn.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(pending(fold.finish()), ["y", "left"]);
    assert_eq!(pending(fold.snapshot()), ["y", "left", "updated"]);
    assert_eq!(fold.apply(&begin(2, "z")), Err(FoldError::AlreadyBegun(OpId(2))));
    apply(&mut fold, &Entry::End { op: Some(OpId(2)), changes: Vec::new() });
    assert_eq!(pending(fold.finish()), ["left"]);
}

#[test]
fn extensions_stay_as_long_as_a_state_or_a_pending_operation_refers_to_them() {
    let extension = |name: &str| Arc::new(Extension { reference: name.to_owned(), ..Extension::default() });
    let extended = |name: &str, reference: &str| ResourceState {
        extension_ref: reference.to_owned(),
        ..state(name, &[])
    };
    let known = |s: Snapshot| s.extensions.into_keys().collect::<Vec<_>>();
    let base = Snapshot {
        resources: vec![Arc::new(extended("a", "old"))],
        extensions: ["old", "unused"].map(|name| (name.to_owned(), extension(name))).into(),
        ..Snapshot::default()
    };
    let mut fold = Fold::new(Arc::new(base));
    assert_eq!(known(fold.snapshot()), ["old"]);
    settle(&mut fold, vec![Change::Extend { extension: extension("new") }]);
    assert!(fold.has_extension("new") && !fold.has_extension("other"));
    assert_eq!(known(fold.snapshot()), ["old"]);
    let resource = Arc::new(extended("b", "new"));
    apply(&mut fold, &Entry::Begin { op: OpId(1), kind: OperationKind::Creating, resource });
    assert_eq!(known(fold.snapshot()), ["new", "old"]);
    apply(&mut fold, &Entry::End { op: Some(OpId(1)), changes: vec![place(1, extended("b", "new"), None)] });
    settle(&mut fold, vec![remove(0)]);
    assert_eq!(known(fold.finish()), ["new"]);
}

#[test]
fn an_entry_that_makes_no_sense_changes_nothing() {
    let mut fold = Fold::new(snapshot([state("a", &[])]));
    let end = |changes| Entry::End { op: None, changes };
    let cases = [
        (Entry::End { op: Some(OpId(9)), changes: vec![remove(0)] }, FoldError::NotBegun(OpId(9))),
        (end(vec![remove(0), keep(0)]), FoldError::NoSuchSlot(Slot(0))),
        (end(vec![keep(0), keep(1)]), FoldError::NoSuchSlot(Slot(1))),
        (end(vec![place(0, state("x", &[]), None)]), FoldError::SlotTaken(Slot(0))),
        (
            end(vec![place(1, state("x", &[]), None), place(1, state("y", &[]), None)]),
            FoldError::SlotTaken(Slot(1)),
        ),
        (
            end(vec![place(1, state("a", &[]), Some(0)), place(2, state("a", &[]), Some(0))]),
            FoldError::NoSuchSlot(Slot(0)),
        ),
        (end(vec![mark_delete(0), Change::ClearPending { index: 0 }]), FoldError::NoSuchPending(0)),
        (
            end(vec![mark_delete(0), Change::MarkPendingReplacement { slot: Slot(u32::MAX) }]),
            FoldError::NoSuchSlot(Slot(u32::MAX)),
        ),
    ];
    for (entry, error) in cases {
        assert_eq!(fold.apply(&entry), Err(error));
        assert_eq!(names(&fold), ["a"]);
        assert!(!fold.is_placed(Slot(0)));
    }
    settle(&mut fold, vec![remove(0)]);
    assert_eq!(
        fold.apply(&end(vec![place(0, state("x", &[]), None)])),
        Err(FoldError::SlotTaken(Slot(0))),
        "the number of a removed state is not used again"
    );
}

#[test]
fn unchanged_states_are_shared_with_the_base() {
    let base = snapshot((0..50).map(|n| state(&format!("r{n}"), &[])));
    let mut fold = Fold::new(Arc::clone(&base));
    for n in 0..50 {
        settle(&mut fold, vec![keep(n)]);
    }
    let result = fold.finish();
    assert!(result.resources.iter().zip(&base.resources).all(|(a, b)| Arc::ptr_eq(a, b)));
}

#[test]
fn each_broken_rule_is_named() {
    let provider_urn = Urn::new("dev", "shop", None, "pulumi:providers:a", "p");
    let mut provider = ResourceState::new(provider_urn.clone(), true);
    provider.id = "7".to_owned();
    let with = |change: fn(&mut ResourceState)| {
        let mut s = state("s", &[]);
        change(&mut s);
        s
    };
    let mut typeless = state("s", &[]);
    typeless.ty = "".into();
    let mut provided = state("s", &[]);
    provided.provider = Some(ProviderRef::new(provider_urn, "7"));
    let mut other_instance = provided.clone();
    other_instance.provider = provided.provider.as_ref().map(|p| ProviderRef::new(p.urn().clone(), "8"));
    let mut masquerade = state("s", &[]);
    masquerade.ty = "pulumi:providers:a".into();
    let cases: Vec<(Vec<ResourceState>, Rule, bool)> = vec![
        (vec![typeless], Rule::HasType, false),
        (vec![with(|s| s.custom = false)], Rule::ComponentWithoutId, false),
        (vec![masquerade], Rule::ProviderReferenceable, false),
        (vec![provided.clone(), provider.clone()], Rule::ProviderBefore, true),
        (vec![provided.clone()], Rule::ProviderBefore, false),
        (vec![provider.clone(), other_instance], Rule::ProviderBefore, false),
        (vec![with(|s| s.parent = Some(urn("x")))], Rule::ParentBefore, false),
        (vec![state("s", &["x"]), state("x", &[])], Rule::DependencyBefore, true),
        (vec![state("s", &["s"])], Rule::DependencyBefore, true),
        (
            vec![with(|s| drop(s.property_dependencies.insert("p".into(), vec![urn("x")])))],
            Rule::PropertyDependencyBefore,
            false,
        ),
        (vec![with(|s| s.deleted_with = Some(urn("x")))], Rule::DeletedWithBefore, false),
        (vec![with(|s| s.replace_with = vec![urn("x")])], Rule::ReplaceWithBefore, false),
        (vec![state("s", &[]), state("s", &[])], Rule::OneLiveState, false),
    ];
    for (states, rule, comes_after) in cases {
        let problems = check_integrity(&snapshot(states));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].rule, problems[0].comes_after), (rule, comes_after));
        assert!(problems[0].to_string().contains("s"));
    }
    let mut waits = provided.clone();
    waits.pending_replacement = true;
    assert_eq!(check_integrity(&snapshot([waits])), []);
    let mut gone = state("s", &[]);
    gone.delete = true;
    assert_eq!(check_integrity(&snapshot([gone.clone(), state("s", &[]), gone])), []);
    assert_eq!(check_integrity(&snapshot([provider, provided])), []);
}

#[test]
fn the_refusal_names_the_first_problem_and_the_way_out() {
    let refusal = refuse_if_invalid(&snapshot([state("s", &["x", "y"])])).unwrap_err();
    assert_eq!(
        refusal.message,
        "snapshot integrity failure; refusing to use it: resource urn:pulumi:dev::shop::a:b:C::s: its \
         dependency urn:pulumi:dev::shop::a:b:C::x is missing (and 1 more)"
    );
    assert_eq!(refusal.urn.as_deref(), Some(urn("s").as_str()));
    assert!(refusal.hint.unwrap().contains("stack import"));
}

#[test]
fn a_change_that_would_break_a_rule_is_not_admitted() {
    let provider = |id: &str| {
        let mut p = ResourceState::new(Urn::new("dev", "shop", None, "pulumi:providers:a", "p"), true);
        p.id = id.to_owned();
        p
    };
    let mut user = state("user", &[]);
    user.provider = provider("7").as_provider();
    let mut fold = Fold::new(snapshot([provider("7"), state("a", &[]), user, state("b", &["a"])]));
    let rules = |fold: &mut Fold, changes: Vec<Change>| {
        fold.admit(&changes).into_iter().map(|p| (p.rule, p.comes_after)).collect::<Vec<_>>()
    };
    assert_eq!(rules(&mut fold, vec![keep(3)]), [(Rule::DependencyBefore, true)]);
    assert_eq!(rules(&mut fold, vec![keep(1), keep(3)]), []);
    assert_eq!(rules(&mut fold, vec![place(4, state("n", &["x"]), None)]), [(Rule::DependencyBefore, false)]);
    assert_eq!(rules(&mut fold, vec![place(4, state("b", &[]), None)]), [(Rule::OneLiveState, false)]);
    assert_eq!(rules(&mut fold, vec![place(4, state("b", &[]), Some(3))]), []);
    assert_eq!(rules(&mut fold, vec![place(4, state("b", &[]), None), mark_delete(3)]), []);
    assert_eq!(rules(&mut fold, vec![keep(2)]), [(Rule::ProviderBefore, true)]);
    assert_eq!(rules(&mut fold, vec![keep(0), keep(2)]), []);
    assert_eq!(rules(&mut fold, vec![remove(0)]), [(Rule::ProviderBefore, false)]);
    assert_eq!(rules(&mut fold, vec![remove(2), remove(0)]), []);
    assert_eq!(rules(&mut fold, vec![place(4, provider("8"), Some(0))]), [(Rule::ProviderBefore, false)]);
    assert_eq!(rules(&mut fold, vec![place(4, provider("7"), Some(0))]), []);
    let amend = Change::Amend { slot: Slot(1), state: Arc::new(state("a", &["b"])) };
    assert_eq!(rules(&mut fold, vec![amend]), [(Rule::DependencyBefore, true)]);
    // Nothing stands before itself.
    let amend = Change::Amend { slot: Slot(1), state: Arc::new(state("a", &["a"])) };
    assert_eq!(rules(&mut fold, vec![amend]), [(Rule::DependencyBefore, true)]);
    let mut own = provider("7");
    own.provider = own.as_provider();
    let amend = Change::Amend { slot: Slot(0), state: Arc::new(own) };
    assert_eq!(rules(&mut fold, vec![amend]), [(Rule::ProviderBefore, true)]);
    settle(&mut fold, vec![keep(1)]);
    assert_eq!(rules(&mut fold, vec![keep(3)]), []);
}

/// A view of a state, as a provider shows it.
fn view(name: &str, owner: &str, dependencies: &[&str]) -> ResourceState {
    let mut state = state(name, dependencies);
    state.parent = Some(urn(owner));
    state.view_of = Some(urn(owner));
    state
}

#[test]
fn views_that_a_refresh_finds_stand_behind_their_owner_where_the_base_has_it() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), state("c", &[])]));
    settle(&mut fold, vec![place(3, view("v1", "a", &[]), None)]);
    settle(&mut fold, vec![place(4, view("v2", "a", &["v1"]), None)]);
    settle(&mut fold, vec![place(5, view("w", "b", &[]), None)]);
    assert_eq!(names(&fold), ["a", "v1", "v2", "b", "w", "c"]);
    assert_eq!(fold.problems(), []);
    let amended = |fold: &mut Fold, slot: u32, state: ResourceState| -> Vec<Rule> {
        let amend = Change::Amend { slot: Slot(slot), state: Arc::new(state) };
        fold.admit(&[amend]).into_iter().map(|problem| problem.rule).collect()
    };
    // What comes after them may refer to them, what comes before may not.
    assert_eq!(amended(&mut fold, 1, state("b", &["v1", "v2"])), []);
    assert_eq!(amended(&mut fold, 4, view("v2", "a", &["v1"])), []);
    assert_eq!(amended(&mut fold, 3, view("v1", "a", &["v2"])), [Rule::DependencyBefore]);
    assert_eq!(amended(&mut fold, 3, view("v1", "a", &["b"])), [Rule::DependencyBefore]);
    assert_eq!(amended(&mut fold, 0, state("a", &["v1"])), [Rule::DependencyBefore]);
    assert_eq!(amended(&mut fold, 1, state("b", &["w"])), [Rule::DependencyBefore]);
    assert_eq!(amended(&mut fold, 2, state("c", &["w", "b"])), []);
}

#[test]
fn views_take_the_next_place_when_their_owner_has_one_and_the_place_of_what_they_replace() {
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), view("old", "b", &[])]));
    settle(&mut fold, vec![keep(0)]);
    settle(&mut fold, vec![place(3, view("v", "a", &[]), None)]);
    assert_eq!(names(&fold), ["a", "v", "b", "old"]);
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), view("old", "b", &[])]));
    settle(&mut fold, vec![keep(1)]);
    settle(&mut fold, vec![place(3, view("v", "b", &[]), None)]);
    assert_eq!(names(&fold), ["b", "v", "a", "old"]);
    // What has replaced another is part of the run, wherever its owner stands.
    let mut fold = Fold::new(snapshot([state("a", &[]), state("b", &[]), view("old", "b", &[])]));
    settle(&mut fold, vec![keep(1), keep(2)]);
    settle(&mut fold, vec![place(3, view("old", "b", &[]), Some(2))]);
    assert_eq!(names(&fold), ["b", "old", "a"]);
    // An owner that is new has a place.
    settle(&mut fold, vec![place(4, state("n", &[]), None)]);
    settle(&mut fold, vec![place(5, view("v", "n", &[]), None)]);
    assert_eq!(names(&fold), ["b", "old", "n", "v", "a"]);
}

#[test]
fn only_children_whose_names_derive_from_it_are_renamed_along() {
    let child = |name: &str, parent: &Urn| {
        let mut state = ResourceState::new(Urn::new("dev", "shop", Some(parent), "a:b:C", name), true);
        state.id = format!("id-{name}");
        state.parent = Some(parent.clone());
        state
    };
    let typed = |ty: &str, name: &str| ResourceState::new(Urn::new("dev", "shop", None, ty, name), false);
    let (from, to) = (typed("a:b:P", "x"), typed("a:b:Q", "x"));
    let derived = child("derived", &from.urn);
    // The name of this one is somebody's own choice.
    let mut own = child("own", &typed("a:b:R", "x").urn);
    own.parent = Some(from.urn.clone());
    let mut taken = child("derived", &to.urn);
    taken.parent = None;

    let mut fold = Fold::new(snapshot([from.clone(), derived.clone(), own.clone()]));
    settle(&mut fold, vec![place(3, to.clone(), Some(0))]);
    assert_eq!(fold.state(Slot(1)).unwrap().urn, child("derived", &to.urn).urn);
    assert_eq!(fold.state(Slot(2)).unwrap().urn, own.urn);
    assert_eq!(fold.state(Slot(2)).unwrap().parent.as_ref(), Some(&to.urn));
    assert_eq!(fold.live(&child("derived", &to.urn).urn), Some(Slot(1)));
    assert_eq!(fold.live(&derived.urn), None);

    // A name that is taken stays with whom it belongs to.
    let mut fold = Fold::new(snapshot([from.clone(), derived.clone(), taken.clone()]));
    settle(&mut fold, vec![place(3, to.clone(), Some(0))]);
    assert_eq!(fold.state(Slot(1)).unwrap().urn, derived.urn);
    assert_eq!(fold.problems(), []);
    // What waits for deletion may share it.
    let mut waiting = derived.clone();
    waiting.delete = true;
    let mut fold = Fold::new(snapshot([from, waiting, taken]));
    settle(&mut fold, vec![place(3, to.clone(), Some(0))]);
    assert_eq!(fold.state(Slot(1)).unwrap().urn, child("derived", &to.urn).urn);
}

#[test]
fn what_refers_to_a_copy_that_waits_with_it_is_not_touched_when_the_other_is_renamed() {
    let waiting = |mut state: ResourceState| {
        state.delete = true;
        state
    };
    let base = snapshot([waiting(state("a", &[])), state("a", &[]), waiting(state("b", &["a"]))]);
    let mut fold = Fold::new(Arc::clone(&base));
    settle(&mut fold, vec![place(3, state("new", &[]), Some(1))]);
    assert!(Arc::ptr_eq(fold.state(Slot(2)).unwrap(), &base.resources[2]));
    assert_eq!(fold.problems(), []);
}

#[test]
fn what_does_not_fit_a_snapshot_is_not_gone_on_from() {
    let pending = PendingOperation { kind: OperationKind::Creating, resource: Arc::new(state("p", &[])) };
    let base = Snapshot {
        resources: vec![Arc::new(state("a", &[])), Arc::new(state("b", &[]))],
        pending_operations: vec![pending],
        ..Snapshot::default()
    };
    let mut fold = Fold::new(Arc::new(base));
    settle(&mut fold, vec![keep(1)]);
    let (snapshot, from) = (Arc::new(fold.snapshot()), fold.continuation());
    let refused = |change: &dyn Fn(&mut Continuation)| {
        let mut wrong = from.clone();
        change(&mut wrong);
        matches!(Fold::resume(Arc::clone(&snapshot), &wrong), Err(FoldError::NotContinued(_)))
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|from| from.slots.truncate(1)));
    assert!(refused(&|from| from.slots = vec![Slot(1), Slot(1)]));
    assert!(refused(&|from| from.slots = vec![Slot(1), Slot(2)]), "no state has this number yet");
    assert!(refused(&|from| from.placed = 3));
    assert!(refused(&|from| from.base_slots = 3));
    assert!(refused(&|from| from.begun.push(OpId(1))));
    assert!(refused(&|from| from.pending.clear()));
    assert!(refused(&|from| from.pending = vec![1]));
}
