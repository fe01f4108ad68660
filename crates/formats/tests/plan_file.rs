//! Plan files, there and back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use purlin_formats::{decode_plan, encode_plan};
use purlin_model::event::StepOp;
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{Alias, AliasParent, RawText};

/// As the official CLI writes it.
const OFFICIAL: &str = include_str!("golden/plan.json");

fn texts(plan: &UpdatePlan<RawText>) -> Vec<String> {
    plan.bags().into_iter().map(|bag| bag.as_str().split_whitespace().collect()).collect()
}

#[test]
fn an_official_plan_is_understood() {
    let (header, plan) = decode_plan(OFFICIAL).unwrap();
    assert!(header.version.starts_with('v') && !header.time.is_empty());
    let steps: Vec<_> =
        plan.resources.iter().map(|(urn, resource)| (urn.name(), resource.steps.clone())).collect();
    assert!(steps.iter().any(|(_, steps)| *steps == [StepOp::Create]));
    assert!(plan.resources.values().all(|resource| resource.goal.is_none() || resource.seed.len() == 32));
    assert!(texts(&plan).iter().any(|bag| bag.contains("ciphertext")));
}

#[test]
fn a_plan_comes_back_as_it_was() {
    let (header, plan) = decode_plan(OFFICIAL).unwrap();
    let text = encode_plan(&header, &plan);
    let (again, back) = decode_plan(&text).unwrap();
    assert_eq!((&header.time, &header.version), (&again.time, &again.version));
    assert_eq!(texts(&plan), texts(&back));
    assert_eq!(plan.resources.len(), back.resources.len());
    for ((urn, a), (_, b)) in plan.resources.iter().zip(&back.resources) {
        assert_eq!((&a.steps, &a.seed), (&b.steps, &b.seed), "{urn}");
        let options = |p: &purlin_model::update_plan::ResourcePlan<RawText>| {
            p.goal.as_ref().map(|g| {
                let lists = (g.dependencies.clone(), g.property_dependencies.clone(), g.aliases.clone());
                let texts = (g.ty.clone(), g.name.clone(), g.import_id.clone(), g.parent.clone());
                let flags = (g.custom, g.protect, g.delete_before_replace, g.custom_timeouts);
                (lists, texts, flags, g.provider.clone(), g.ignore_changes.clone())
            })
        };
        assert_eq!(options(a), options(b), "{urn}");
    }
}

/// The lines of a plan with what changes from one to the next left out: configuration (which is not
/// read back).
fn without_config(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut value = value;
    value.as_object_mut().unwrap().remove("config");
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn an_official_plan_is_written_as_it_was_read() {
    let (header, plan) = decode_plan(OFFICIAL).unwrap();
    assert_eq!(without_config(&encode_plan(&header, &plan)), without_config(OFFICIAL));
}

#[test]
fn aliases_of_all_forms() {
    let goal = r#"{"type":"t:m:R","name":"a","custom":true,"inputDiff":{},"outputDiff":{},"protect":false,
        "aliases":["urn:pulumi:s::p::t:m:R::x"],"structuredAliases":[{"URN":"urn:pulumi:s::p::t:m:R::y"},
        {"URN":"","Name":"n","Type":"t:m:S","Project":"q","Stack":"r","Parent":"","NoParent":true},
        {"Parent":"urn:pulumi:s::p::t:m:R::z"}],"customTimeouts":{}}"#;
    let text = format!(
        r#"{{"manifest":{{}},"resourcePlans":{{"urn:pulumi:s::p::t:m:R::a":{{"goal":{goal},"state":null}}}}}}"#
    );
    let (header, plan) = decode_plan(&text).unwrap();
    let check = |plan: &UpdatePlan<RawText>| {
        let goal = plan.resources.values().next().unwrap().goal.clone().unwrap();
        assert_eq!(goal.aliases.len(), 4);
        assert!(matches!(&goal.aliases[0], Alias::Urn(urn) if urn.name() == "x"));
        assert!(matches!(&goal.aliases[1], Alias::Urn(urn) if urn.name() == "y"));
        let Alias::Spec { name, ty, stack, project, parent } = &goal.aliases[2] else { panic!() };
        let given = [name, ty, stack, project].map(|part| part.clone().unwrap());
        assert_eq!(given, ["n", "t:m:S", "r", "q"]);
        assert_eq!(*parent, AliasParent::None);
        assert!(matches!(&goal.aliases[3], Alias::Spec { name: None, parent: AliasParent::Urn(_), .. }));
    };
    check(&plan);
    check(&decode_plan(&encode_plan(&header, &plan)).unwrap().1);
}

#[test]
fn what_is_no_plan_is_refused() {
    let bad = [
        ("", "can't be read"),
        ("[]", "can't be read"),
        (r#"{"manifest":{"magic":"x","version":"v1"}}"#, "manifest"),
        (r#"{"manifest":{},"resourcePlans":{"nonsense":{}}}"#, "no URN"),
        (r#"{"manifest":{},"resourcePlans":{"urn:pulumi:s::p::t:m:R::a":{"steps":["dance"]}}}"#, "no step"),
        (r#"{"manifest":{},"resourcePlans":{"urn:pulumi:s::p::t:m:R::a":{"seed":"!"}}}"#, "base64"),
    ];
    for (text, expected) in bad {
        let problem = decode_plan(text).unwrap_err();
        assert!(problem.message.contains(expected), "{text}: {}", problem.message);
        assert!(problem.hint.is_some());
    }
}
