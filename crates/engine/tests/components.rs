//! Components, outputs, reads, functions and methods.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use purlin_model::event::OperationResult;
use purlin_model::{PackageDescriptor, PropertyDependencies, PropertyMap, PropertyValue};
use purlin_ports::{CallRequest, MonitorError};
use support::program::{Script, reference, script};
use support::{Stand, map};

fn with_outputs(outputs: &'static [(&'static str, &'static str)], fails: bool) -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let component = prog.component("c").input("size", "1").go().await?;
        assert!(component.outputs.is_empty());
        prog.custom("child").parent(&component).go().await?;
        prog.monitor.register_outputs(component.urn.clone(), map(outputs)).await?;
        prog.stack_outputs(outputs).await?;
        if fails { Err(MonitorError::Failed("a bug".into())) } else { Ok(()) }
    })
}

#[tokio::test]
async fn components_and_the_stack_have_outputs() {
    let mut stand = Stand::new();
    stand.up(with_outputs(&[("x", "1"), ("y", "1")], false)).await;
    let both = map(&[("x", "1"), ("y", "1")]);
    assert_eq!((stand.outputs("c").await, stand.outputs("shop-dev").await), (both.clone(), both));
    assert_eq!(stand.get("child").unwrap().parent.as_ref().unwrap().name(), "c");
    assert!(stand.get("c").unwrap().created.is_some());

    let before = stand.state.clone();
    stand.up(with_outputs(&[("x", "1"), ("y", "1")], false)).await;
    assert_eq!(stand.state.resources, before.resources);

    let report = stand.up(with_outputs(&[("x", "2")], true)).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert_eq!(stand.outputs("shop-dev").await, map(&[("x", "2"), ("y", "1")]), "merged when it failed");

    stand.up(with_outputs(&[("x", "3")], false)).await;
    assert_eq!(stand.outputs("shop-dev").await, map(&[("x", "3")]));
    assert_eq!(stand.outputs("c").await, map(&[("x", "3")]));
}

#[tokio::test]
async fn outputs_of_nobody() {
    let mut stand = Stand::new();
    let report = stand
        .up(script(|prog| async move {
            let refused = prog.stack_outputs(&[]).await;
            assert!(matches!(refused, Err(MonitorError::Invalid(_))), "{refused:?}");
            Ok(())
        }))
        .await;
    assert_eq!(report.result, OperationResult::Succeeded);
}

#[tokio::test]
async fn the_program_is_held_until_the_deletes_are_done() {
    let mut stand = Stand::new();
    stand.up(with_outputs(&[], false)).await;
    let log = stand.log.clone();
    let ends = script(move |prog| {
        let log = log.clone();
        async move {
            prog.stack().await?;
            prog.stack_outputs(&[("x", "1")]).await?;
            prog.monitor.program_finished().await?;
            assert_eq!(log.only(&["answer"]), ["answer delete child"]);
            let late = prog.custom("late").go().await;
            assert!(matches!(late, Err(MonitorError::Invalid(_))), "{late:?}");
            Ok(())
        }
    });
    let report = stand.up(ends).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.names(), ["shop-dev"]);
    assert_eq!(stand.outputs("shop-dev").await, map(&[("x", "1")]));
}

#[tokio::test]
async fn a_failure_after_the_program_said_that_it_had_finished_still_counts() {
    let mut stand = Stand::new();
    let ends = script(|prog| async move {
        prog.stack().await?;
        prog.monitor.program_finished().await?;
        Err(MonitorError::Failed("on the way out".into()))
    });
    assert_eq!(stand.up(ends).await.result, OperationResult::Failed);
}

#[tokio::test]
async fn reads() {
    let mut stand = Stand::new();
    stand.cloud.things.lock().unwrap().insert("x".into(), map(&[("colour", "red")]));
    let read = |id: &'static str| {
        script(move |prog| async move {
            prog.stack().await?;
            let found = prog.custom("seen").read(id).await?;
            assert_eq!(found.outputs.get("colour"), Some(&"red".into()));
            Ok(())
        })
    };
    let report = stand.up(read("x")).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert!(stand.get("seen").unwrap().external);
    assert_eq!(stand.outputs("seen").await, map(&[("colour", "red")]));
    assert!(!report.changes.contains_key(&purlin_model::event::StepOp::Read), "reads don't count");

    let report = stand.up(read("nothing")).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert!(stand.events.diagnostics().iter().any(|text| text.contains("'nothing' does not exist")));

    stand.destroy().await;
    assert_eq!(stand.cloud.ids(), ["x"], "what was only read is not deleted");
}

#[tokio::test]
async fn functions_and_methods() {
    let mut stand = Stand::new();
    let calls = script(|prog| async move {
        prog.stack().await?;
        let provider = prog.provider("p").input("region", "north").go().await?;
        let answer = prog.invoke("t:m:echo", map(&[("say", "hi")]), Some(reference(&provider))).await?;
        assert_eq!(answer.result, map(&[("say", "hi"), ("region", "north")]));
        let answer = prog.invoke("t:m:echo", map(&[("say", "hi")]), None).await?;
        assert_eq!(answer.result, map(&[("say", "hi")]), "by the default provider");
        let failed = prog.invoke("t:m:fails", PropertyMap::new(), None).await;
        assert!(matches!(failed, Err(MonitorError::Failed(_))), "{failed:?}");

        let a = prog.custom("a").provided_by(&provider).go().await?;
        let request = CallRequest {
            token: "t:m:R/method".into(),
            args: PropertyMap::from([("__self__".to_owned(), prog.reference(&a.urn))]),
            arg_dependencies: PropertyDependencies::new(),
            provider: None,
            package: PackageDescriptor::new("t", ""),
            extension: None,
            stack_trace_handle: String::new(),
        };
        let answer = prog.monitor.call(request).await?;
        assert_eq!(answer.result["region"], "north".into(), "a method is served by the resource's provider");
        Ok(())
    });
    assert_eq!(stand.up(calls).await.result, OperationResult::Succeeded);
    assert_eq!(stand.names(), ["shop-dev", "p", "default", "a"]);
}

#[tokio::test]
async fn functions_are_not_called_with_unknowns() {
    let mut stand = Stand::new();
    let calls = script(|prog| async move {
        prog.stack().await?;
        let a = prog.custom("a").go().await?;
        let args = PropertyMap::from([("made".to_owned(), a.outputs["made"].clone())]);
        assert_eq!(args["made"], PropertyValue::Unknown);
        assert!(prog.invoke("t:m:echo", args, None).await?.unknown);
        Ok(())
    });
    assert_eq!(stand.preview(calls).await.result, OperationResult::Succeeded);
}

#[tokio::test]
async fn a_resource_of_this_deployment_can_be_asked_for() {
    let mut stand = Stand::new();
    let asks = script(|prog| async move {
        prog.stack().await?;
        let a = prog.custom("a").input("size", "1").go().await?;
        let args = PropertyMap::from([("urn".to_owned(), PropertyValue::from(a.urn.as_str()))]);
        let found = prog.invoke("pulumi:pulumi:getResource", args, None).await?.result;
        assert_eq!(found["id"], a.id.as_str().into());
        assert_eq!(found["state"].as_object().unwrap()["size"], "1".into());
        let args = map(&[("urn", "urn:pulumi:dev::shop::t:m:R::ghost")]);
        let missing = prog.invoke("pulumi:pulumi:getResource", args, None).await;
        assert!(matches!(missing, Err(MonitorError::Failed(_))), "{missing:?}");
        Ok(())
    });
    assert_eq!(stand.up(asks).await.result, OperationResult::Succeeded);
}
