//! Provider instances: default and explicit, configured, updated, replaced.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use purlin_model::event::OperationResult;
use purlin_model::{PackageDescriptor, PropertyValue};
use support::program::{Script, script};
use support::{Stand, map};

fn some(count: usize) -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let all = (0..count).map(|n| prog.custom(&format!("r{n}")).go());
        futures::future::try_join_all(all).await?;
        Ok(())
    })
}

#[tokio::test]
async fn a_default_provider_is_configured_once_with_the_configuration() {
    let mut stand = Stand::new();
    stand.settings.plan.package_config.insert("t".into(), map(&[("region", "south")]));
    stand.settings.plan.default_packages.insert("t".into(), PackageDescriptor::new("t", "1.2.3"));
    stand.up(some(5)).await;
    assert_eq!(stand.log.only(&["start", "configure"]), ["start t@1.2.3", "configure default_1_2_3 south"]);
    let inputs = stand.inputs("default_1_2_3").await;
    assert_eq!((&inputs["region"], &inputs["version"]), (&"south".into(), &"1.2.3".into()));
    assert_eq!(inputs["__internal"], PropertyValue::Object(map(&[])));
    assert!(!stand.outputs("default_1_2_3").await.contains_key("__internal"));

    stand.up(some(5)).await;
    assert_eq!(stand.cloud.started(), 1);
    assert_eq!(stand.steps(), [""; 0]);

    stand.destroy().await;
    assert_eq!(stand.log.only(&["configure"]), ["configure default_1_2_3 south"], "from what is stored");
}

#[tokio::test]
async fn default_providers_that_the_state_names_are_got_ready_for_a_program() {
    let mut stand = Stand::new();
    stand.settings.plan.default_packages.insert("t".into(), PackageDescriptor::new("t", "1.2.3"));
    stand.up(some(1)).await;
    assert!(stand.cloud.prepared.lock().unwrap().is_empty(), "there was none before");
    stand.up(some(1)).await;
    assert_eq!(*stand.cloud.prepared.lock().unwrap(), ["t@1.2.3"]);
    stand.destroy().await;
    assert_eq!(stand.cloud.prepared.lock().unwrap().len(), 1, "a destroy starts what it needs at once");
}

#[tokio::test]
async fn another_version_is_another_provider_and_resources_stay() {
    let mut stand = Stand::new();
    stand.up(some(2)).await;
    let ids = stand.cloud.ids();
    stand.settings.plan.default_packages.insert("t".into(), PackageDescriptor::new("t", "2.0.0"));
    stand.up(some(2)).await;
    assert_eq!(stand.steps(), ["create default_2_0_0", "delete default"]);
    assert_eq!(stand.names(), ["shop-dev", "default_2_0_0", "r0", "r1"]);
    assert_eq!(stand.cloud.ids(), ids);
}

fn explicit(region: &'static str, extra: &'static str, size: &'static str) -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let provider = prog.provider("p").input("region", region).input("extra", extra).go().await?;
        prog.custom("a").provided_by(&provider).input("size", size).go().await?;
        Ok(())
    })
}

#[tokio::test]
async fn an_explicit_provider_is_updated_in_place() {
    let mut stand = Stand::new();
    stand.up(explicit("north", "1", "1")).await;
    let id = stand.get("p").unwrap().id.clone();
    stand.up(explicit("north", "2", "1")).await;
    assert_eq!(stand.steps(), ["update p"]);
    assert_eq!(stand.get("p").unwrap().id, id);
    assert_eq!(stand.inputs("p").await["extra"], "2".into());
    assert_eq!(stand.outputs("p").await["extra"], "2".into());
}

#[tokio::test]
async fn a_replaced_provider_replaces_what_it_manages() {
    let mut stand = Stand::new();
    stand.up(explicit("north", "1", "1")).await;
    let id = stand.get("p").unwrap().id.clone();
    let report = stand.up(explicit("east", "1", "1")).await;
    assert_eq!(report.result, OperationResult::Succeeded, "{:?}", stand.events.diagnostics());
    assert_eq!(
        stand.steps(),
        [
            "replace p",
            "create-replacement p",
            "replace a",
            "create-replacement a",
            "delete-replaced a",
            "delete-replaced p"
        ]
    );
    assert_ne!(stand.get("p").unwrap().id, id);
    assert_eq!(
        stand.log.only(&["configure"]),
        ["configure p east", "configure p north"],
        "the old one deletes what it made"
    );
    assert_eq!(stand.cloud.ids(), ["a-1"]);
}

#[tokio::test]
async fn an_unchanged_provider_is_configured_with_its_old_inputs() {
    let mut stand = Stand::new();
    let ignoring = |region: &'static str| {
        script(move |prog| async move {
            prog.stack().await?;
            let p = prog.provider("p").input("region", region);
            let p = p.with(|goal| goal.ignore_changes = vec!["region".into()]).go().await?;
            prog.custom("a").provided_by(&p).go().await?;
            Ok(())
        })
    };
    stand.up(ignoring("north")).await;
    stand.up(ignoring("south")).await;
    assert_eq!(stand.log.only(&["configure"]), ["configure p north"]);
    assert_eq!(stand.steps(), [""; 0]);
}

#[tokio::test]
async fn a_preview_uses_providers_that_do_not_exist_yet() {
    let mut stand = Stand::new();
    let report = stand.preview(explicit("north", "1", "1")).await;
    assert_eq!(report.result, OperationResult::Succeeded, "{:?}", stand.events.diagnostics());
    assert_eq!(stand.log.only(&["foresee", "configure"]), ["configure p north", "foresee a"]);
    stand.up(explicit("north", "1", "1")).await;
    let report = stand.preview(explicit("east", "1", "1")).await;
    assert_eq!(report.result, OperationResult::Succeeded, "{:?}", stand.events.diagnostics());
    assert_eq!(stand.steps().len(), 6);
}
