//! Policies: what they put right, what they keep from happening, what they only say.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::sync::Arc;

use purlin_model::event::{EngineEvent, OperationResult};
use purlin_model::policy::{PolicyPhase, PolicyTally};
use purlin_model::{PropertyMap, PropertyValue, Urn};
use purlin_ports::{Enforcement, PolicyResource};
use purlin_testkit::PolicyDouble;
use support::Stand;
use support::program::{Script, script};
use tokio::sync::Barrier;

fn one() -> Script {
    script(|prog| async move {
        prog.stack().await?;
        prog.custom("a").input("size", "1").go().await?;
        Ok(())
    })
}

fn about_a(text: &'static str) -> impl Fn(&PolicyResource) -> Option<String> {
    move |resource| (resource.urn.name() == "a").then(|| text.to_owned())
}

fn stand(packs: Vec<PolicyDouble>) -> (Stand, Vec<Arc<PolicyDouble>>) {
    let packs: Vec<Arc<PolicyDouble>> = packs.into_iter().map(Arc::new).collect();
    let mut stand = Stand::new();
    stand.packs = packs.iter().map(|pack| Arc::clone(pack) as _).collect();
    (stand, packs)
}

/// What policies said: violations with their level, repairs with what they made of `size`.
fn said(stand: &Stand) -> Vec<String> {
    let all = stand.events.all().into_iter();
    all.filter_map(|event| match event {
        EngineEvent::PolicyViolation(verdict) => {
            let level = if verdict.mandatory { "mandatory" } else { "advisory" };
            Some(format!("{level} {} {}: {}", verdict.policy.pack, verdict.urn.name(), verdict.message))
        }
        EngineEvent::PolicyRemediation(repair) => {
            let size =
                |bag: &PropertyMap| bag.get("size").and_then(PropertyValue::as_str).unwrap_or("?").to_owned();
            let (before, after) = (size(&repair.before), size(&repair.after));
            Some(format!("repaired {} {}: {before} to {after}", repair.policy.pack, repair.urn.name()))
        }
        _ => None,
    })
    .collect()
}

/// The summaries of packs about one resource, or about the stack.
fn tallies(stand: &Stand, name: Option<&str>) -> Vec<PolicyTally> {
    let all = stand.events.all().into_iter();
    all.filter_map(|event| match event {
        EngineEvent::PolicySummary(tally) if tally.urn.as_ref().map(Urn::name) == name => Some(*tally),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn every_resource_is_looked_at_before_it_is_made_and_all_at_the_end() {
    let (mut stand, packs) = stand(vec![PolicyDouble::new("p")]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Succeeded);
    let mut asked = packs[0].asked();
    assert_eq!(asked.pop().unwrap(), "stack shop-dev a default");
    let each = |name: &str| [format!("remediate {name}"), format!("analyze {name}")];
    assert_eq!(asked, [each("shop-dev"), each("default"), each("a")].concat());
    assert!(said(&stand).is_empty());
}

#[tokio::test]
async fn a_mandatory_violation_keeps_the_resource_from_being_made() {
    let (mut stand, _) = stand(vec![PolicyDouble::new("p").policy(Enforcement::Mandatory, about_a("no"))]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Failed);
    assert!(stand.get("a").is_none() && stand.cloud.ids().is_empty());
    assert_eq!(said(&stand), ["mandatory p a: no"]);
}

#[tokio::test]
async fn in_a_preview_everything_is_looked_at_and_the_preview_fails_at_the_end() {
    let (mut stand, packs) =
        stand(vec![PolicyDouble::new("p").policy(Enforcement::Mandatory, about_a("no"))]);
    let program = script(|prog| async move {
        prog.stack().await?;
        prog.custom("a").go().await?;
        prog.custom("b").go().await?;
        Ok(())
    });
    assert_eq!(stand.preview(program).await.result, OperationResult::Failed);
    assert!(packs[0].asked().contains(&"analyze b".to_owned()));
}

#[tokio::test]
async fn an_advisory_violation_is_only_shown() {
    let (mut stand, _) = stand(vec![PolicyDouble::new("p").policy(Enforcement::Advisory, about_a("hm"))]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Succeeded);
    assert_eq!(said(&stand), ["advisory p a: hm"]);
}

#[tokio::test]
async fn a_disabled_policy_says_nothing() {
    let (mut stand, _) = stand(vec![PolicyDouble::new("p").policy(Enforcement::Disabled, about_a("no"))]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Succeeded);
    assert!(said(&stand).is_empty());
}

#[tokio::test]
async fn all_violations_are_told() {
    let first = PolicyDouble::new("p")
        .policy(Enforcement::Advisory, about_a("one"))
        .policy(Enforcement::Mandatory, about_a("two"));
    let second = PolicyDouble::new("q").policy(Enforcement::Mandatory, about_a("three"));
    let (mut stand, _) = stand(vec![first, second]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Failed);
    assert_eq!(said(&stand), ["advisory p a: one", "mandatory p a: two", "mandatory q a: three"]);
}

#[tokio::test]
async fn what_was_to_be_put_right_and_is_not_is_mandatory() {
    let (mut stand, _) = stand(vec![PolicyDouble::new("p").policy(Enforcement::Remediate, about_a("no"))]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Failed);
    assert!(said(&stand)[0].starts_with("mandatory"));
    assert!(stand.get("a").is_none());
}

#[tokio::test]
async fn a_violation_by_the_whole_stack_fails_the_run_after_everything_is_done() {
    for enforcement in [Enforcement::Mandatory, Enforcement::Remediate] {
        let pack = PolicyDouble::new("p")
            .stack_policy(enforcement, |all| (all.len() == 3).then(|| "too many".to_owned()));
        let (mut stand, _) = stand(vec![pack]);
        assert_eq!(stand.up(one()).await.result, OperationResult::Failed);
        assert!(stand.get("a").is_some());
        assert!(said(&stand)[0].starts_with("mandatory"));
    }
}

#[tokio::test]
async fn the_stack_is_judged_by_its_outputs() {
    let pack = PolicyDouble::new("p").stack_policy(Enforcement::Advisory, |all| {
        let a = all.iter().find(|resource| resource.urn.name() == "a").unwrap();
        Some(format!("{:?} {}", a.properties.get("size"), a.provider.is_some()))
    });
    let (mut stand, _) = stand(vec![pack]);
    stand.up(one()).await;
    let outputs = stand.outputs("a").await;
    assert!(said(&stand).last().unwrap().ends_with(&format!("{:?} true", outputs.get("size"))));
}

fn append(text: &'static str) -> PolicyDouble {
    PolicyDouble::new(text).mend(move |resource| {
        if resource.urn.name() != "a" {
            return Ok(None);
        }
        let before = resource.properties["size"].as_str().unwrap().to_owned();
        let mended = PropertyMap::from([("size".to_owned(), PropertyValue::from(format!("{before}{text}")))]);
        Ok(Some(Ok(mended)))
    })
}

#[tokio::test]
async fn resources_are_put_right_pack_by_pack_before_they_are_looked_at() {
    let sees = PolicyDouble::new("s").policy(Enforcement::Advisory, |resource| {
        (resource.urn.name() == "a").then(|| resource.properties["size"].as_str().unwrap().to_owned())
    });
    let (mut stand, _) = stand(vec![append("x"), append("y"), sees]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Succeeded);
    assert_eq!(stand.inputs("a").await["size"], "1xy".into());
    assert_eq!(
        said(&stand),
        ["repaired x a: 1 to 1x", "repaired y a: 1x to 1xy", "advisory s a: 1xy"],
        "each goes on from what the last one left"
    );
    stand.up(one()).await;
    assert_eq!(stand.steps(), [""; 0], "put right again, and unchanged");
}

#[tokio::test]
async fn what_cannot_be_put_right_is_said() {
    let pack = PolicyDouble::new("p")
        .mend(|resource| Ok((resource.urn.name() == "a").then(|| Err("it has unknowns".to_owned()))));
    let (mut stand, _) = stand(vec![pack]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Succeeded);
    assert_eq!(said(&stand), ["advisory p a: it has unknowns"]);
}

#[tokio::test]
async fn a_pack_that_fails_fails_the_run() {
    let (mut stand, _) = stand(vec![PolicyDouble::new("p").mend(|_| Err("it broke".to_owned()))]);
    assert_eq!(stand.up(one()).await.result, OperationResult::Failed);
    assert_eq!(stand.events.diagnostics(), ["it broke"]);
    assert!(stand.state.resources.is_empty());
}

#[tokio::test]
async fn packs_look_at_once() {
    let meeting = Arc::new(Barrier::new(3));
    let packs = ["p", "q", "r"].map(|name| PolicyDouble::new(name).meeting(&meeting));
    let (mut stand, _) = stand(packs.into());
    let program = script(|prog| async move {
        prog.stack().await?;
        Ok(())
    });
    let ran = tokio::time::timeout(std::time::Duration::from_secs(20), stand.up(program)).await;
    assert_eq!(ran.unwrap().result, OperationResult::Succeeded);
}

#[tokio::test]
async fn packs_are_told_when_the_user_stops() {
    let (mut stand, packs) = stand(vec![PolicyDouble::new("p")]);
    let stop = stand.stop.clone();
    let program = script(move |prog| {
        let stop = stop.clone();
        async move {
            prog.stack().await?;
            stop.cancel();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            prog.custom("a").go().await?;
            Ok(())
        }
    });
    assert_eq!(stand.up(program).await.result, OperationResult::Canceled);
    assert_eq!(packs[0].cancelled(), 1);
}

#[tokio::test]
async fn internal_properties_are_not_looked_at() {
    let pack = PolicyDouble::new("p").policy(Enforcement::Advisory, |resource| {
        resource.properties.keys().any(|key| key.starts_with("__")).then(|| "seen".to_owned())
    });
    let (mut stand, _) = stand(vec![pack]);
    stand
        .settings
        .plan
        .default_packages
        .insert("t".into(), purlin_model::PackageDescriptor::new("t", "1.0.0"));
    stand.up(one()).await;
    assert!(stand.events.diagnostics().is_empty());
}

#[tokio::test]
async fn what_was_secret_stays_secret_when_it_is_put_right() {
    let pack = PolicyDouble::new("p").mend(|resource| {
        let plain = |text: &str| PropertyValue::from(text);
        let mended = PropertyMap::from([("size".to_owned(), plain("9")), ("note".to_owned(), plain("new"))]);
        Ok((resource.urn.name() == "a").then_some(Ok(mended)))
    });
    let (mut stand, _) = stand(vec![pack]);
    let program = script(|prog| async move {
        prog.stack().await?;
        prog.custom("a").input("size", PropertyValue::from("1").into_secret()).go().await?;
        Ok(())
    });
    assert_eq!(stand.up(program).await.result, OperationResult::Succeeded);
    let inputs = stand.inputs("a").await;
    assert_eq!(inputs["size"], PropertyValue::from("9").into_secret());
    assert_eq!(inputs["note"], "new".into());
}

#[tokio::test]
async fn what_policies_say_gives_no_secret_away() {
    let says = |resource: &PolicyResource| {
        let size = resource.properties.get("size")?.plain().as_str()?.to_owned();
        Some(format!("{} is {size}", resource.urn.name()))
    };
    let pack = PolicyDouble::new("p")
        .policy(Enforcement::Advisory, says)
        .stack_policy(Enforcement::Advisory, move |all| all.iter().find_map(says));
    let (mut stand, _) = stand(vec![pack]);
    let program = script(|prog| async move {
        prog.stack().await?;
        prog.custom("a").input("size", PropertyValue::from("hunter2").into_secret()).go().await?;
        Ok(())
    });
    stand.up(program).await;
    assert_eq!(said(&stand), ["advisory p a: a is [secret]", "advisory p shop-dev: a is [secret]"]);
}

#[tokio::test]
async fn summaries_tell_which_policies_passed_failed_and_did_not_apply() {
    let pack = PolicyDouble::new("p")
        .policy(Enforcement::Advisory, about_a("hm"))
        .policy(Enforcement::Mandatory, |_| None)
        .policy(Enforcement::Disabled, |_| None)
        .mend(|_| Ok(None))
        .stack_policy(Enforcement::Advisory, |_| Some("all".to_owned()))
        .stack_policy(Enforcement::Advisory, |_| None);
    let (mut stand, _) = stand(vec![pack]);
    stand.up(one()).await;
    let words = |names: &[String]| names.join(" ");
    let about_a: Vec<_> = tallies(&stand, Some("a"))
        .into_iter()
        .map(|tally| (tally.phase, words(&tally.passed), words(&tally.failed)))
        .collect();
    let passed = "mends policy-1 policy-2".to_owned();
    assert_eq!(
        about_a,
        [
            (PolicyPhase::Remediate, passed, String::new()),
            // What only puts right has nothing to look at.
            (PolicyPhase::Analyze, "policy-2".to_owned(), "policy-1".to_owned()),
        ]
    );
    let stack = tallies(&stand, None).pop().unwrap();
    assert_eq!((stack.phase, stack.pack.as_str()), (PolicyPhase::AnalyzeStack, "p"));
    assert_eq!(
        (words(&stack.passed), words(&stack.failed)),
        ("stack-policy-2".into(), "stack-policy-1".into())
    );
}
