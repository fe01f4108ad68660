//! What a program wants, held against a planned goal.

use purlin_model::update_plan::ResourcePlan;
use purlin_model::{
    Alias, AliasParent, Archive, ArchiveSource, Asset, AssetSource, CustomTimeouts, Goal, OutputValue,
    PropertyDependencies, PropertyMap, PropertyValue, ProviderRef, ReferenceId, ResourceReference,
    ResourceState, UNKNOWN_ID, Urn,
};
use purlin_plan::{Wanted, diff_violation, planned_diff};

fn map(pairs: &[(&str, PropertyValue)]) -> PropertyMap {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

type Pairs<'p> = &'p [(&'p str, PropertyValue)];

/// What is said of a change from one bag to another where another change was planned.
fn violation(planned: (Pairs<'_>, Pairs<'_>), actual: (Pairs<'_>, Pairs<'_>)) -> Option<String> {
    let plan = planned_diff(&map(planned.0), &map(planned.1));
    diff_violation(&map(actual.0), &map(actual.1), &plan)
}

fn list(items: &[PropertyValue]) -> PropertyValue {
    PropertyValue::Array(items.to_vec())
}

fn urn(name: &str) -> Urn {
    Urn::parse(&format!("urn:pulumi:dev::shop::t:m:R::{name}")).unwrap()
}

const UNKNOWN: PropertyValue = PropertyValue::Unknown;

#[test]
fn the_same_change_is_no_violation() {
    let (old, new) =
        ([("a", 1.0.into()), ("b", "x".into())], [("b", "y".into()), ("c", list(&["z".into()]))]);
    assert_eq!(violation((&old, &new), (&old, &new)), None);
    assert_eq!(violation((&old, &old), (&old, &old)), None);
}

#[test]
fn unknowns_agree_with_anything() {
    let object = |value: PropertyValue| PropertyValue::Object(map(&[("k", value), ("l", 1.0.into())]));
    let planned = [("a", UNKNOWN), ("l", list(&[UNKNOWN, 24.0.into()])), ("o", object(UNKNOWN))];
    let actual = [("a", "x".into()), ("l", list(&["y".into(), 24.0.into()])), ("o", object("z".into()))];
    assert_eq!(violation((&[], &planned), (&[], &actual)), None);
    let other = [("a", "x".into()), ("l", list(&["y".into(), 25.0.into()])), ("o", object("z".into()))];
    let found = violation((&[], &planned), (&[], &other)).unwrap();
    assert_eq!(found, "properties changed: ++l[{[output<string>{} {24}]}!={[{y} {25}]}]");
}

#[test]
fn an_unknown_may_come_to_nothing() {
    let old = [("a", "x".into())];
    assert_eq!(violation((&old, &[("a", UNKNOWN)]), (&old, &[])), None);
    assert_eq!(violation((&[], &[("a", UNKNOWN)]), (&[], &[])), None);
    let nested = |map: PropertyMap| [("o", PropertyValue::Object(map))];
    let planned = nested(map(&[("k", UNKNOWN), ("l", 1.0.into())]));
    assert_eq!(violation((&[], &planned), (&[], &nested(map(&[("l", 1.0.into())])))), None);
}

#[test]
fn what_was_to_be_added_and_is_left_out() {
    let planned = [
        ("baz", PropertyValue::Object(map(&[("a", 42.0.into()), ("b", UNKNOWN)]))),
        ("foo", "bar".into()),
        ("zed", UNKNOWN),
    ];
    let found = violation((&[], &planned), (&[], &[])).unwrap();
    assert_eq!(found, "properties changed: +-baz[{map[a:{42} b:output<string>{}]}], +-foo[{bar}]");
}

#[test]
fn what_was_to_be_added_may_be_there_already() {
    let new = [("a", "y".into())];
    assert_eq!(violation((&[], &new), (&[("a", "x".into())], &new)), None);
    assert_eq!(violation((&[], &new), (&new, &new)), None);
    let found = violation((&[], &new), (&[("a", "x".into())], &[("a", "z".into())])).unwrap();
    assert_eq!(found, "properties changed: +~a[{y}!={z}]");
}

#[test]
fn each_other_kind_of_violation() {
    let (x, y) = ([("a", "x".into())], [("a", "y".into())]);
    let z: [(&str, PropertyValue); 1] = [("a", "z".into())];
    let cases: [(_, _, _, _, &str); 9] = [
        (&x[..], &y[..], &x[..], &z[..], "~~a[{y}!={z}]"),
        (&x, &y, &x, &[], "~-a[{y}]"),
        (&x, &y, &x, &x, "~=a[{y}!={x}]"),
        (&x, &y, &[], &y, "~+a[{y}!={y}]"),
        (&x, &x, &x, &y, "=~a[{y}]"),
        (&x, &x, &x, &[], "=-a"),
        (&[], &[], &[], &x, "=+a[{x}]"),
        (&x, &[], &x, &x, "-=a[{x}]"),
        (&x, &[], &x, &y, "-~a[{y}]"),
    ];
    for (old, new, actual_old, actual_new, expected) in cases {
        let found = violation((old, new), (actual_old, actual_new));
        assert_eq!(found.as_deref(), Some(format!("properties changed: {expected}").as_str()));
    }
}

#[test]
fn secretness_counts_and_secrets_are_not_shown() {
    let secret = |text: &str| PropertyValue::from(text).into_secret();
    let found = violation((&[], &[("a", secret("top"))]), (&[], &[("a", secret("other"))])).unwrap();
    assert_eq!(found, "properties changed: ++a[{[secret]}!={[secret]}]");
    assert!(violation((&[], &[("a", "x".into())]), (&[], &[("a", secret("x"))])).is_some());
    assert_eq!(violation((&[], &[("a", secret("x"))]), (&[], &[("a", secret("x"))])), None);
}

fn wanted(goal: &Goal, provider: Option<&ProviderRef>, planned: &ResourcePlan) -> Option<String> {
    let none = PropertyMap::new();
    Wanted { goal, provider, old_inputs: &none, inputs: &none }.violation(planned)
}

fn plan_of(goal: &Goal, provider: Option<&ProviderRef>) -> ResourcePlan {
    let none = PropertyMap::new();
    let wanted = Wanted { goal, provider, old_inputs: &none, inputs: &none };
    ResourcePlan { goal: Some(wanted.planned()), ..ResourcePlan::default() }
}

#[test]
fn options_must_agree_exactly() {
    let mut base = Goal::new("t:m:R", "a", true, PropertyMap::new());
    base.dependencies = vec![urn("x"), urn("y")];
    base.property_dependencies = PropertyDependencies::from([("p".to_owned(), vec![urn("x")])]);
    let plan = plan_of(&base, None);
    assert_eq!(wanted(&base, None, &plan), None);
    type Change = fn(&mut Goal);
    let changes: [(Change, &str); 13] = [
        (|g| g.custom = false, "resource kind changed (expected custom)"),
        (|g| g.ty = "t:m:S".into(), "type or name changed (expected t:m:R a)"),
        (|g| g.parent = Some(urn("x")), "parent changed (expected )"),
        (|g| g.protect = Some(true), "protect changed (expected false)"),
        (|g| g.delete_before_replace = Some(true), "deleteBeforeReplace changed (expected no value)"),
        (|g| g.import_id = "i".into(), "importID changed (expected )"),
        (
            |g| g.custom_timeouts = CustomTimeouts { delete: 60.0, ..CustomTimeouts::default() },
            "delete timeout changed (expected 0)",
        ),
        (|g| g.ignore_changes = vec!["k".into()], "ignoreChanges changed: added k"),
        (|g| g.additional_secret_outputs = vec!["k".into()], "additionalSecretOutputs changed: added k"),
        (
            |g| g.dependencies = vec![urn("y"), urn("z")],
            "dependencies changed: added urn:pulumi:dev::shop::t:m:R::z; deleted urn:pulumi:dev::shop::t:m:R::x",
        ),
        (|g| g.aliases = vec![Alias::Urn(urn("o"))], "aliases changed: added urn:pulumi:dev::shop::t:m:R::o"),
        (
            |g| drop(g.property_dependencies.insert("p".into(), vec![])),
            "dependencies for p changed: deleted urn:pulumi:dev::shop::t:m:R::x",
        ),
        (|g| g.dependencies = vec![urn("y"), urn("x")], ""),
    ];
    for (change, expected) in changes {
        let mut goal = base.clone();
        change(&mut goal);
        let found = wanted(&goal, None, &plan).unwrap_or_default();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_property_left_out_may_leave_out_its_dependencies() {
    let mut goal = Goal::new("t:m:R", "a", true, PropertyMap::new());
    goal.property_dependencies = PropertyDependencies::from([("p".to_owned(), vec![urn("x")])]);
    let plan = plan_of(&goal, None);
    goal.property_dependencies.clear();
    assert_eq!(wanted(&goal, None, &plan), None);
}

#[test]
fn a_provider_may_get_its_id_later() {
    let goal = Goal::new("t:m:R", "a", true, PropertyMap::new());
    let provider = |name: &str, id: &str| {
        ProviderRef::new(
            Urn::parse(&format!("urn:pulumi:dev::shop::pulumi:providers:t::{name}")).unwrap(),
            id,
        )
    };
    let plan = plan_of(&goal, Some(&provider("p", UNKNOWN_ID)));
    assert_eq!(wanted(&goal, Some(&provider("p", "1")), &plan), None);
    assert!(wanted(&goal, Some(&provider("q", "1")), &plan).unwrap().starts_with("provider changed"));
    let known = plan_of(&goal, Some(&provider("p", "1")));
    assert!(wanted(&goal, Some(&provider("p", "2")), &known).unwrap().starts_with("provider changed"));
}

#[test]
fn what_was_to_be_deleted_may_not_be_registered() {
    let goal = Goal::new("t:m:R", "a", true, PropertyMap::new());
    let found = wanted(&goal, None, &ResourcePlan::default());
    assert_eq!(found.as_deref(), Some("resource unexpectedly not deleted"));
}

#[test]
fn a_resource_without_a_plan_may_not_change() {
    let mut old = ResourceState::new(urn("a"), true);
    old.ignore_changes = vec!["k".into()];
    let mut goal = Goal::new("t:m:R", "a", true, PropertyMap::new());
    goal.ignore_changes = vec!["k".into()];
    let (x, y) = (map(&[("a", "x".into())]), map(&[("a", "y".into())]));
    let wanted = |goal: &Goal, inputs: &PropertyMap| {
        Wanted { goal, provider: None, old_inputs: &x, inputs }.unplanned_violation(&old)
    };
    assert_eq!(wanted(&goal, &x), None);
    assert_eq!(wanted(&goal, &y).as_deref(), Some("properties changed: =~a[{y}]"));
    goal.protect = Some(true);
    assert_eq!(wanted(&goal, &x).as_deref(), Some("protect changed (expected false)"));
}

#[test]
fn what_a_state_keeps_may_not_change_without_a_plan() {
    let provider =
        |id: &str| ProviderRef::new(Urn::parse("urn:pulumi:dev::shop::pulumi:providers:t::p").unwrap(), id);
    let mut old = ResourceState::new(urn("a"), true);
    old.parent = Some(urn("parent"));
    old.protect = true;
    old.dependencies = vec![urn("x")];
    old.property_dependencies = PropertyDependencies::from([("p".to_owned(), vec![urn("x")])]);
    old.provider = Some(provider("1"));
    old.ignore_changes = vec!["k".into()];
    old.additional_secret_outputs = vec!["s".into()];
    old.custom_timeouts = CustomTimeouts { create: 1.0, update: 2.0, delete: 3.0, read: 4.0 };
    let mut same = Goal::new("t:m:R", "a", true, PropertyMap::new());
    same.parent = old.parent.clone();
    same.protect = Some(true);
    same.dependencies = old.dependencies.clone();
    same.property_dependencies = old.property_dependencies.clone();
    same.ignore_changes = old.ignore_changes.clone();
    same.additional_secret_outputs = old.additional_secret_outputs.clone();
    same.custom_timeouts = old.custom_timeouts;
    // What states don't keep is not held against them.
    same.delete_before_replace = Some(true);
    same.aliases = vec![Alias::Urn(urn("o"))];

    let none = PropertyMap::new();
    let found = |goal: &Goal, provider: Option<&ProviderRef>| {
        Wanted { goal, provider, old_inputs: &none, inputs: &none }.unplanned_violation(&old)
    };
    assert_eq!(found(&same, Some(&provider("1"))), None);
    let expected = "provider changed (expected urn:pulumi:dev::shop::pulumi:providers:t::p::1)";
    assert_eq!(found(&same, Some(&provider("2"))).as_deref(), Some(expected));
    assert_eq!(found(&same, None).as_deref(), Some(expected));
    type Change = fn(&mut Goal);
    let changes: [(Change, &str); 11] = [
        (|g| g.custom = false, "resource kind changed (expected custom)"),
        (|g| g.parent = None, "parent changed (expected urn:pulumi:dev::shop::t:m:R::parent)"),
        (|g| g.protect = None, "protect changed (expected true)"),
        (|g| g.dependencies.clear(), "dependencies changed: deleted urn:pulumi:dev::shop::t:m:R::x"),
        (
            |g| drop(g.property_dependencies.insert("p".into(), Vec::new())),
            "dependencies for p changed: deleted urn:pulumi:dev::shop::t:m:R::x",
        ),
        (|g| g.ignore_changes.clear(), "ignoreChanges changed: deleted k"),
        (|g| g.additional_secret_outputs.clear(), "additionalSecretOutputs changed: deleted s"),
        (|g| g.custom_timeouts.create = 9.0, "create timeout changed (expected 1)"),
        (|g| g.custom_timeouts.update = 9.0, "update timeout changed (expected 2)"),
        (|g| g.custom_timeouts.delete = 9.0, "delete timeout changed (expected 3)"),
        (|g| g.custom_timeouts.read = 9.0, "read timeout changed (expected 4)"),
    ];
    for (change, expected) in changes {
        let mut goal = same.clone();
        change(&mut goal);
        assert_eq!(found(&goal, Some(&provider("1"))).as_deref(), Some(expected));
    }
}

#[test]
fn aliases_must_agree_in_each_part() {
    let alias = |name: &str, ty: &str, stack: &str, project: &str, parent: AliasParent| {
        let part = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Alias::Spec { name: part(name), ty: part(ty), stack: part(stack), project: part(project), parent }
    };
    let mut goal = Goal::new("t:m:R", "a", true, PropertyMap::new());
    goal.aliases = vec![alias("n", "t", "s", "p", AliasParent::Same)];
    let plan = plan_of(&goal, None);
    assert_eq!(wanted(&goal, None, &plan), None);
    let others = [
        (alias("", "t", "s", "p", AliasParent::Same), "{ t s p the same parent}"),
        (alias("n", "u", "s", "p", AliasParent::Same), "{n u s p the same parent}"),
        (alias("n", "t", "", "p", AliasParent::Same), "{n t  p the same parent}"),
        (alias("n", "t", "s", "q", AliasParent::Same), "{n t s q the same parent}"),
        (alias("n", "t", "s", "p", AliasParent::None), "{n t s p no parent}"),
        (alias("n", "t", "s", "p", AliasParent::Urn(urn("x"))), "{n t s p urn:pulumi:dev::shop::t:m:R::x}"),
    ];
    for (other, shown) in others {
        goal.aliases = vec![other];
        let expected = format!("aliases changed: added {shown}; deleted {{n t s p the same parent}}");
        assert_eq!(wanted(&goal, None, &plan), Some(expected));
    }
}

fn reference(name: &str, id: Option<ReferenceId>) -> PropertyValue {
    PropertyValue::Reference(ResourceReference { urn: urn(name), id, package_version: String::new() })
}

fn output(value: Option<PropertyValue>, secret: bool) -> PropertyValue {
    PropertyValue::Output(Box::new(OutputValue { value, secret, dependencies: Vec::new() }))
}

#[test]
fn values_are_shown_by_their_kind() {
    let asset = Asset { hash: "abc".into(), source: AssetSource::Elided };
    let archive = Archive { hash: "def".into(), source: ArchiveSource::Elided };
    let values: [(PropertyValue, &str); 12] = [
        (true.into(), "{true}"),
        (1.5.into(), "{1.5}"),
        (PropertyValue::Bytes(vec![1, 2, 3]), "{3 bytes}"),
        (list(&[PropertyValue::Null, "x".into()]), "{[{<nil>} {x}]}"),
        (PropertyValue::Object(map(&[("k", 1.0.into()), ("l", "y".into())])), "{map[k:{1} l:{y}]}"),
        (PropertyValue::Asset(asset), "{asset abc}"),
        (PropertyValue::Archive(archive), "{archive def}"),
        (output(Some("x".into()), true), "{[secret]}"),
        (output(Some("x".into()), false), "{x}"),
        (output(None, false), "{output<string>{}}"),
        (UNKNOWN, "output<string>{}"),
        (reference("r", None), "{urn:pulumi:dev::shop::t:m:R::r}"),
    ];
    for (value, expected) in values {
        let found = violation((&[], &[]), (&[], &[("a", value)])).unwrap();
        assert_eq!(found, format!("properties changed: =+a[{expected}]"));
    }
}

#[test]
fn references_agree_by_name_and_by_id_where_it_is_known() {
    let known = |id: &str| Some(ReferenceId::Known(id.to_owned()));
    let agree = |planned: PropertyValue, actual: PropertyValue| {
        violation((&[], &[("a", planned)]), (&[], &[("a", actual)])).is_none()
    };
    assert!(agree(reference("r", known("1")), reference("r", known("1"))));
    assert!(agree(reference("r", Some(ReferenceId::Unknown)), reference("r", known("1"))));
    assert!(agree(reference("r", known("1")), reference("r", Some(ReferenceId::Unknown))));
    assert!(agree(reference("r", None), reference("r", None)));
    assert!(!agree(reference("r", known("1")), reference("r", known("2"))));
    assert!(!agree(reference("r", None), reference("r", known("1"))));
    assert!(!agree(reference("r", known("1")), reference("s", known("1"))));
    // Before a plan is made an id that isn't known is another one.
    let (old, new) =
        ([("a", reference("r", known("1")))], [("a", reference("r", Some(ReferenceId::Unknown)))]);
    assert_eq!(planned_diff(&map(&old), &map(&new)).updates.len(), 1);
}

#[test]
fn blobs_agree_by_content_and_lists_and_objects_as_a_whole() {
    let asset = |hash: &str, source| PropertyValue::Asset(Asset { hash: hash.into(), source });
    let archive = |hash: &str, source| PropertyValue::Archive(Archive { hash: hash.into(), source });
    let object = |pairs: Pairs<'_>| PropertyValue::Object(map(pairs));
    let changed = |a: &PropertyValue, b: &PropertyValue| {
        let plan = planned_diff(&map(&[("a", a.clone())]), &map(&[("a", b.clone())]));
        !(plan.adds.is_empty() && plan.updates.is_empty() && plan.deletes.is_empty())
    };
    let (x, text) = (asset("1", AssetSource::Elided), AssetSource::Text("t".into()));
    assert!(!changed(&x, &asset("1", text)) && changed(&x, &asset("2", AssetSource::Elided)));
    let x = archive("1", ArchiveSource::Elided);
    assert!(!changed(&x, &archive("1", ArchiveSource::Path("p".into()))));
    assert!(changed(&x, &archive("2", ArchiveSource::Elided)));
    let one = list(&["x".into()]);
    assert!(
        changed(&one, &list(&["x".into(), "y".into()])) && changed(&list(&["x".into(), "y".into()]), &one)
    );
    let small = object(&[("k", 1.0.into())]);
    for other in [
        object(&[]),
        object(&[("k", 2.0.into())]),
        object(&[("k", 1.0.into()), ("l", 1.0.into())]),
        object(&[("k", PropertyValue::Null)]),
    ] {
        assert!(changed(&small, &other) && changed(&other, &small), "{other:?}");
    }
    // A null is no value.
    assert!(!changed(&small, &object(&[("k", 1.0.into()), ("l", PropertyValue::Null)])));
    assert!(!changed(&object(&[("k", 1.0.into()), ("l", PropertyValue::Null)]), &small));
}
