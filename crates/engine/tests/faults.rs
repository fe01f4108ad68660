//! Providers that say no, half do or vanish; stores that fail; programs that fail.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use purlin_model::event::OperationResult;
use purlin_model::{OperationKind, PendingOperation};
use purlin_ports::{MonitorError, RegisterResult};
use support::cloud::Fault;
use support::program::{Script, script};
use support::{Stand, map};
use tokio_util::sync::CancellationToken;

/// `a` and what is made from it, and `c` beside them; all outcomes are taken as they come.
fn three(size: &'static str) -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let c = prog.custom("c").input("size", size);
        let (a, c) = tokio::join!(prog.custom("a").input("size", size).go(), c.go());
        c?;
        let a = a?;
        let b = prog.custom("b").from("source", &a).go().await?;
        assert_eq!(a.result == RegisterResult::Success, b.result == RegisterResult::Success);
        Ok(())
    })
}

#[tokio::test]
async fn a_provider_says_no() {
    let mut stand = Stand::new();
    stand.cloud.fault("create a", Fault::Rejected);
    let report = stand.up(three("1")).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert!(stand.get("a").is_none() && stand.get("b").is_none());
    assert!(stand.state.pending_operations.is_empty());
    let said = stand.events.diagnostics();
    assert!(said.iter().any(|text| text.contains("the cloud says no")), "{said:?}");
    assert!(stand.shown().contains(&"failed a".to_owned()));

    stand.settings.plan.continue_on_error = true;
    stand.up(three("1")).await;
    assert!(stand.get("a").is_none() && stand.get("b").is_none());
    assert!(stand.get("c").is_some());

    stand.cloud.heal();
    let report = stand.up(three("1")).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.state.resources.len(), 5);
}

#[tokio::test]
async fn half_made_is_recorded_and_completed() {
    let mut stand = Stand::new();
    stand.cloud.fault("create a", Fault::Half);
    let report = stand.up(three("1")).await;
    assert_eq!(report.result, OperationResult::Failed);
    let a = stand.get("a").unwrap();
    assert_eq!(a.init_errors, ["it never came up"]);
    assert!(stand.cloud.ids().contains(&a.id), "what exists is in the state");
    assert_eq!(stand.inputs("a").await, map(&[("size", "1")]));

    stand.cloud.heal();
    stand.up(three("1")).await;
    assert!(stand.steps().contains(&"update a".to_owned()));
    assert!(stand.get("a").unwrap().init_errors.is_empty());

    stand.cloud.fault("update a", Fault::Half);
    stand.up(three("2")).await;
    assert_eq!(stand.inputs("a").await, map(&[("size", "1")]), "half updated keeps the old inputs");
    assert_eq!(stand.outputs("a").await["size"], "2".into());
    assert_eq!(stand.get("a").unwrap().init_errors, ["it never came up"]);
}

#[tokio::test]
async fn a_lost_connection_leaves_the_operation_pending() {
    let mut stand = Stand::new();
    stand.settings.plan.continue_on_error = true;
    stand.cloud.fault("create a", Fault::Lost);
    let report = stand.up(three("1")).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert!(stand.get("a").is_none() && stand.get("c").is_some());
    let pending: Vec<(OperationKind, &str)> =
        stand.state.pending_operations.iter().map(|p| (p.kind, p.resource.urn.name())).collect();
    assert_eq!(pending, [(OperationKind::Creating, "a")]);

    stand.cloud.heal();
    let report = stand.up(three("1")).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert!(stand.events.diagnostics().iter().any(|text| text.contains("interrupted while creating")));
    assert_eq!(stand.state.pending_operations.len(), 1, "a create stays pending until it is resolved");

    stand.settings.clear_pending_creates = true;
    stand.refresh().await;
    assert!(stand.state.pending_operations.is_empty());
}

#[tokio::test]
async fn lost_updates_and_deletes_stay_pending_until_a_run_goes_well() {
    let mut stand = Stand::new();
    stand.up(three("1")).await;
    stand.cloud.fault("update a", Fault::Lost);
    stand.up(three("2")).await;
    let kinds = |pending: &[PendingOperation]| pending.iter().map(|p| p.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&stand.state.pending_operations), [OperationKind::Updating]);
    assert_eq!(stand.inputs("a").await, map(&[("size", "1")]));

    stand.cloud.heal();
    stand.cloud.fault("delete b", Fault::Lost);
    stand.destroy().await;
    assert_eq!(kinds(&stand.state.pending_operations), [OperationKind::Deleting, OperationKind::Updating]);
    assert!(stand.get("b").is_some() && stand.get("a").is_some());
    stand.cloud.heal();
    stand.destroy().await;
    assert!(stand.state.resources.is_empty() && stand.state.pending_operations.is_empty());
}

#[tokio::test]
async fn refused_inputs() {
    let mut stand = Stand::new();
    let bad = script(|prog| async move {
        prog.stack().await?;
        prog.custom("a").input("bad", "x").go().await?;
        Ok(())
    });
    let report = stand.up(bad).await;
    assert_eq!(report.result, OperationResult::Failed);
    let said = stand.events.diagnostics();
    assert!(said.iter().any(|t| t.contains("it is bad") && t.contains("'a.bad'")), "{said:?}");
    assert_eq!(said.len(), 1, "it is said once: {said:?}");
    assert!(stand.cloud.ids().is_empty());
}

#[tokio::test]
async fn nothing_is_called_before_its_begin_is_stored() {
    let mut stand = Stand::new();
    let stored = CancellationToken::new();
    stand.trouble.held = Some(("a".into(), stored.clone()));
    let log = stand.log.clone();
    let program = script(move |prog| {
        let (stored, log) = (stored.clone(), log.clone());
        async move {
            prog.stack().await?;
            let a = tokio::spawn(prog.custom("a").go());
            prog.custom("c").go().await?;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(log.only(&["create"]), ["create c"], "a is not stored, c is");
            stored.cancel();
            a.await.unwrap()?;
            Ok(())
        }
    });
    let report = stand.up(program).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.log.only(&["create"]), ["create c", "create a"]);
}

#[tokio::test]
async fn no_call_is_made_after_the_store_has_failed() {
    for first_failure in 0..8 {
        for go_on in [false, true] {
            let mut stand = Stand::new();
            stand.settings.plan.continue_on_error = go_on;
            stand.trouble.fails_from = Some(first_failure);
            let report = stand.up(three("1")).await;
            let calls = stand.log.only(&["create"]);
            let stored = stand.log.only(&["stored"]);
            let begun = stored.iter().filter(|line| line.starts_with("stored creating")).count();
            assert_eq!(calls.len(), begun, "{calls:?} {stored:?}");
            assert_eq!(report.result, OperationResult::Failed, "{first_failure}");
            for id in stand.cloud.ids() {
                assert!(report.snapshot.resources.iter().any(|state| state.id == id), "{id} is known");
            }
        }
    }
}

#[tokio::test]
async fn a_program_that_fails_deletes_nothing() {
    let mut stand = Stand::new();
    stand.up(three("1")).await;
    let failing = script(|prog| async move {
        prog.stack().await?;
        prog.custom("c").input("size", "1").go().await?;
        prog.stack_outputs(&[("new", "1")]).await?;
        Err(MonitorError::Failed("the program has a bug".into()))
    });
    let report = stand.up(failing).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert_eq!(stand.state.resources.len(), 5);
    assert!(stand.log.only(&["delete"]).is_empty());
    assert!(stand.events.diagnostics().iter().any(|text| text.contains("the program has a bug")));
}

#[tokio::test]
async fn a_reference_to_nothing_is_refused_before_the_call() {
    let mut stand = Stand::new();
    let nonsense = script(|prog| async move {
        prog.stack().await?;
        let ghost = purlin_model::Urn::parse("urn:pulumi:dev::shop::t:m:R::ghost").unwrap();
        prog.custom("a").with(|goal| goal.dependencies = vec![ghost]).go().await?;
        Ok(())
    });
    let report = stand.up(nonsense).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert!(stand.log.only(&["create"]).is_empty());
    let said = stand.events.diagnostics();
    assert!(said.iter().any(|text| text.contains("::ghost is missing")), "{said:?}");
    assert!(stand.get("a").is_none() && stand.get("shop-dev").is_some());
}

#[tokio::test]
async fn a_plugin_that_is_not_there() {
    let mut stand = Stand::new();
    let missing = script(|prog| async move {
        prog.stack().await?;
        prog.of_type("missing:m:R", "a").go().await?;
        Ok(())
    });
    let report = stand.up(missing).await;
    assert_eq!(report.result, OperationResult::Failed);
    let said = stand.events.diagnostics();
    assert!(said.iter().any(|text| text.contains("no such plugin")), "{said:?}");
}

#[tokio::test]
async fn a_cascade_that_cannot_be_decided_deletes_nothing() {
    let mut stand = Stand::new();
    let chain = |first: &'static str| {
        script(move |prog| async move {
            prog.stack().await?;
            let a = prog.custom("a").input("first", first).go().await?;
            prog.custom("b").from("fixed", &a).go().await?;
            Ok(())
        })
    };
    stand.up(chain("1")).await;
    stand.settings.plan.continue_on_error = true;
    stand.cloud.fault("diff b", Fault::Rejected);
    let report = stand.up(chain("2")).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert!(stand.log.only(&["delete", "create"]).is_empty());

    stand.cloud.heal();
    let report = stand.up(chain("2")).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert_eq!(stand.log.only(&["delete", "create"]), ["delete b", "delete a", "create a", "create b"]);
}

#[tokio::test]
async fn a_run_that_stops_between_delete_and_create_is_taken_up_again() {
    let mut stand = Stand::new();
    let one = |first: &'static str| {
        script(move |prog| async move {
            prog.stack().await?;
            prog.custom("a").input("first", first).go().await?;
            Ok(())
        })
    };
    stand.up(one("1")).await;
    stand.cloud.fault("create a", Fault::Rejected);
    stand.up(one("2")).await;
    assert!(stand.get("a").unwrap().pending_replacement && stand.cloud.ids().is_empty());

    stand.cloud.heal();
    let report = stand.up(one("2")).await;
    assert_eq!(report.result, OperationResult::Succeeded);
    assert!(stand.log.only(&["delete"]).is_empty(), "it is not deleted twice");
    assert!(!stand.get("a").unwrap().pending_replacement);
}
