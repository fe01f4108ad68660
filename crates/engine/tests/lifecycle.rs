//! Whole operations, one after the other, on one stack.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use purlin_model::PropertyValue;
use purlin_model::event::{OperationResult, StepOp};
use support::program::{Script, script};
use support::{Stand, map};

/// `b` is made from `a`.
fn two(a: &'static [(&'static str, &'static str)]) -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let mut making = prog.custom("a");
        for (key, value) in a {
            making = making.input(key, *value);
        }
        let a = making.go().await?;
        prog.custom("b").from("source", &a).go().await?;
        Ok(())
    })
}

#[tokio::test]
async fn created_kept_updated_replaced_destroyed() {
    let mut stand = Stand::new();

    let report = stand.up(two(&[("size", "1")])).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.names(), ["shop-dev", "default", "a", "b"]);
    assert_eq!(stand.cloud.ids(), ["a-0", "b-1"]);
    assert_eq!(stand.outputs("b").await, map(&[("source", "a-0"), ("made", "b-1")]));
    assert_eq!(stand.get("a").unwrap().created.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(stand.get("a").unwrap().created, stand.get("a").unwrap().modified);
    assert_eq!(report.changes[&StepOp::Create], 3, "the default provider doesn't count");

    let before = stand.state.clone();
    let report = stand.up(two(&[("size", "1")])).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.state.resources, before.resources);
    assert_eq!(report.changes[&StepOp::Same], 3);
    assert_eq!(stand.log.only(&["stored"]), ["stored end"], "only the last promise is waited for");

    let report = stand.up(two(&[("size", "2")])).await;
    assert_eq!(stand.steps(), ["update a"]);
    assert_eq!(report.changes[&StepOp::Update], 1);
    assert_eq!(stand.outputs("a").await, map(&[("size", "2"), ("made", "a-0")]));

    stand.up(two(&[("size", "2"), ("fixed", "x")])).await;
    assert_eq!(stand.steps(), ["replace a", "create-replacement a", "update b", "delete-replaced a"]);
    assert_eq!(stand.cloud.ids(), ["a-2", "b-1"]);
    assert_eq!(stand.get("a").unwrap().id, "a-2");

    stand.up(two(&[("size", "2"), ("fixed", "x"), ("first", "y")])).await;
    assert_eq!(
        stand.steps(),
        ["replace a", "delete-replaced a", "create-replacement a", "update b"],
        "deleted first"
    );
    assert_eq!(stand.log.only(&["create", "delete", "update"]), ["delete a", "create a", "update b"]);

    let report = stand.destroy().await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert!(stand.state.resources.is_empty() && stand.cloud.ids().is_empty());
    assert_eq!(stand.log.only(&["delete"]), ["delete b", "delete a"]);
}

#[tokio::test]
async fn a_preview_changes_nothing_and_foresees_unknowns() {
    let mut stand = Stand::new();
    let report = stand.preview(two(&[("size", "1")])).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.log.only(&["create", "foresee"]), ["foresee a", "foresee b"]);
    assert_eq!(report.snapshot.resources.len(), 4, "the report has the state as it would be");
    assert!(stand.state.resources.is_empty() && stand.cloud.ids().is_empty());

    stand.up(two(&[("size", "1")])).await;
    stand.preview(two(&[("fixed", "2")])).await;
    assert_eq!(stand.steps(), ["replace a", "create-replacement a", "update b", "delete-replaced a"]);
    assert_eq!(stand.cloud.ids(), ["a-0", "b-1"]);

    stand.mode(purlin_plan::Mode::Destroy, true);
    stand.run(None).await;
    assert_eq!(stand.steps().len(), 4);
    assert_eq!(stand.cloud.ids(), ["a-0", "b-1"]);
}

#[tokio::test]
async fn inputs_that_changed_without_a_difference_are_written() {
    let mut stand = Stand::new();
    let secret = |value: &'static str| {
        script(move |prog| async move {
            prog.stack().await?;
            let value = PropertyValue::Secret(Box::new(value.into()));
            prog.custom("a")
                .input("size", value)
                .with(|g| g.ignore_changes = vec!["size".into()])
                .go()
                .await?;
            Ok(())
        })
    };
    stand.up(secret("1")).await;
    stand.up(secret("2")).await;
    assert_eq!(stand.steps(), [""; 0], "an ignored change is none");
    assert_eq!(stand.inputs("a").await["size"], PropertyValue::Secret(Box::new("1".into())));
}

#[tokio::test]
async fn a_refresh_finds_what_is_gone_and_what_has_changed() {
    let mut stand = Stand::new();
    stand.up(two(&[("size", "1")])).await;
    stand.cloud.things.lock().unwrap().remove("a-0");
    stand.cloud.things.lock().unwrap().insert("b-1".into(), map(&[("colour", "red")]));
    let report = stand.refresh().await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.steps().iter().filter(|s| s.starts_with("delete a")).count(), 1);
    assert_eq!(stand.names(), ["shop-dev", "default", "b"]);
    assert_eq!(stand.outputs("b").await, map(&[("colour", "red")]));
    assert!(stand.get("b").unwrap().dependencies.is_empty(), "references to what is gone are pruned");

    stand.up(two(&[("size", "1")])).await;
    assert_eq!(stand.names(), ["shop-dev", "default", "a", "b"]);
    assert_eq!(stand.get("b").unwrap().dependencies.len(), 1, "and made anew");
}

#[tokio::test]
async fn a_refresh_before_an_update_brings_back_dependencies() {
    let mut stand = Stand::new();
    let depends = || {
        script(|prog| async move {
            prog.stack().await?;
            let a = prog.custom("a").go().await?;
            prog.custom("b").with(|g| g.dependencies = vec![a.urn.clone()]).go().await?;
            Ok(())
        })
    };
    stand.up(depends()).await;
    stand.cloud.things.lock().unwrap().remove("a-0");
    stand.settings.plan.refresh_first = true;
    stand.up(depends()).await;
    assert_eq!(stand.cloud.ids(), ["a-2", "b-1"]);
    assert_eq!(stand.get("b").unwrap().dependencies.len(), 1);
}

#[tokio::test]
async fn a_trigger_replaces_when_its_value_changes() {
    let mut stand = Stand::new();
    let triggered = |value: PropertyValue| {
        script(move |prog| {
            let value = value.clone();
            async move {
                prog.stack().await?;
                prog.custom("a").with(|g| g.replacement_trigger = value).go().await?;
                Ok(())
            }
        })
    };
    stand.up(triggered(PropertyValue::Null)).await;
    stand.up(triggered("1".into())).await;
    assert_eq!(stand.steps(), [""; 0], "there was nothing to compare with");
    stand.up(triggered(PropertyValue::Secret(Box::new("1".into())))).await;
    assert_eq!(stand.steps(), [""; 0], "secretness alone is no change");
    stand.up(triggered("2".into())).await;
    assert_eq!(stand.steps(), ["replace a", "create-replacement a", "delete-replaced a"]);
    let report = stand.preview(triggered(PropertyValue::Unknown)).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.steps(), ["replace a", "create-replacement a", "delete-replaced a"]);
    let report = stand.up(triggered(PropertyValue::Unknown)).await;
    assert_eq!(report.result, OperationResult::Failed);
}

#[tokio::test]
async fn two_hundred_at_once() {
    let mut stand = Stand::new();
    let many = || {
        script(|prog| async move {
            prog.stack().await?;
            let all = (0..200).map(|n| prog.custom(&format!("r{n}")).input("size", "1").go());
            let all: Result<Vec<_>, _> = futures::future::join_all(all).await.into_iter().collect();
            assert_eq!(all?.len(), 200);
            Ok(())
        })
    };
    let report = stand.up(many()).await;
    assert_eq!(report.changes[&StepOp::Create], 201);
    assert_eq!(stand.cloud.ids().len(), 200);
    assert!(stand.cloud.most.load(std::sync::atomic::Ordering::Relaxed) > 20);
    let report = stand.up(many()).await;
    assert_eq!(report.changes[&StepOp::Same], 201);

    stand.settings.parallel = 3;
    stand.cloud.most.store(0, std::sync::atomic::Ordering::Relaxed);
    stand.destroy().await;
    assert!(stand.cloud.ids().is_empty());
    assert_eq!(stand.cloud.most.load(std::sync::atomic::Ordering::Relaxed), 3);
}
