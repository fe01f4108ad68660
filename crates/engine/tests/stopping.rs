//! Stopping: once, what is under way ends; twice, it is not waited for.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use purlin_model::OperationKind;
use purlin_model::event::OperationResult;
use purlin_ports::MonitorError;
use support::Stand;
use support::cloud::Fault;
use support::program::{Script, script};
use tokio_util::sync::CancellationToken;

/// Registers `a`, `b` and `c` at once, and something after.
fn at_once() -> Script {
    script(move |prog| async move {
        prog.stack().await?;
        let (a, b, c) = tokio::join!(prog.custom("a").go(), prog.custom("b").go(), prog.custom("c").go());
        a.and(b).and(c)?;
        prog.custom("after").go().await?;
        Ok(())
    })
}

/// Waits until the log has a line; not for ever, so that what depends on it fails and doesn't hang.
async fn until(log: support::Log, line: &'static str) {
    for _ in 0..100_000 {
        if log.lines().iter().any(|l| l == line || l.split(' ').next() == Some(line)) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_under_way_ends() {
    let mut stand = Stand::new();
    let gate = CancellationToken::new();
    stand.cloud.fault("create a", Fault::Waits(gate.clone()));
    let (stop, log) = (stand.stop.clone(), stand.log.clone());
    tokio::spawn(async move {
        until(log.clone(), "create a").await;
        stop.cancel();
        until(log, "cancel").await;
        gate.cancel();
    });
    let report = stand.up(at_once()).await;
    assert_eq!(report.result, OperationResult::Canceled);
    assert!(stand.get("a").is_some(), "{:?}", stand.log.lines());
    assert!(stand.get("after").is_none());
    assert!(stand.state.pending_operations.is_empty());
    for state in &stand.state.resources {
        assert!(!state.custom || state.is_provider() || stand.cloud.ids().contains(&state.id));
    }
}

#[tokio::test]
async fn what_waits_for_a_place_is_not_called() {
    let mut stand = Stand::new();
    stand.settings.parallel = 1;
    let gate = CancellationToken::new();
    for name in ["a", "b", "c"] {
        stand.cloud.fault(&format!("create {name}"), Fault::Waits(gate.clone()));
    }
    let (stop, log) = (stand.stop.clone(), stand.log.clone());
    tokio::spawn(async move {
        for name in ["stored creating a", "stored creating b", "stored creating c"] {
            until(log.clone(), name).await;
        }
        until(log.clone(), "create").await;
        stop.cancel();
        until(log, "cancel").await;
        gate.cancel();
    });
    let report = stand.up(at_once()).await;
    assert_eq!(report.result, OperationResult::Canceled);
    assert_eq!(stand.log.only(&["create"]).len(), 1, "{:?}", stand.log.lines());
    assert_eq!(stand.cloud.ids().len(), 1);
    assert!(stand.state.pending_operations.is_empty(), "what was not called is not pending");
    let begun =
        stand.shown().iter().filter(|line| ["pre a", "pre b", "pre c"].contains(&line.as_str())).count();
    assert_eq!(begun, 1, "what was not called is not shown: {:?}", stand.shown());
}

#[tokio::test]
async fn a_failure_keeps_what_waits_for_a_place_from_being_called() {
    let mut stand = Stand::new();
    stand.settings.parallel = 1;
    for name in ["a", "b", "c"] {
        stand.cloud.fault(&format!("create {name}"), Fault::Rejected);
    }
    let report = stand.up(at_once()).await;
    assert_eq!(report.result, OperationResult::Failed);
    assert_eq!(stand.log.only(&["create"]).len(), 1, "{:?}", stand.log.lines());
}

#[tokio::test]
async fn what_is_under_way_is_not_waited_for() {
    let mut stand = Stand::new();
    stand.cloud.fault("create a", Fault::Waits(CancellationToken::new()));
    let (stop, abandon, log) = (stand.stop.clone(), stand.abandon.clone(), stand.log.clone());
    tokio::spawn(async move {
        until(log.clone(), "answer create c").await;
        until(log.clone(), "create a").await;
        stop.cancel();
        until(log, "cancel").await;
        abandon.cancel();
    });
    let report = stand.up(at_once()).await;
    assert_eq!(report.result, OperationResult::Canceled);
    assert!(stand.get("a").is_none() && stand.get("c").is_some());
    let pending: Vec<_> =
        stand.state.pending_operations.iter().map(|p| (p.kind, p.resource.urn.name())).collect();
    assert_eq!(pending, [(OperationKind::Creating, "a")]);
}

#[tokio::test]
async fn a_begin_that_is_never_stored_does_not_hold_an_abandoned_run() {
    let mut stand = Stand::new();
    stand.trouble.held = Some(("a".into(), CancellationToken::new()));
    let (stop, abandon, log) = (stand.stop.clone(), stand.abandon.clone(), stand.log.clone());
    tokio::spawn(async move {
        until(log.clone(), "answer create c").await;
        stop.cancel();
        until(log, "cancel").await;
        abandon.cancel();
    });
    let report = stand.up(at_once()).await;
    assert_eq!(report.result, OperationResult::Canceled);
    assert_eq!(stand.log.position("create a"), None);
    assert!(stand.state.pending_operations.is_empty());
}

#[tokio::test]
async fn a_destroy_is_stopped_between_deletes() {
    let mut stand = Stand::new();
    let chain = || {
        script(|prog| async move {
            prog.stack().await?;
            let a = prog.custom("a").go().await?;
            let b = prog.custom("b").from("x", &a).go().await?;
            prog.custom("c").from("x", &b).go().await?;
            Ok(())
        })
    };
    stand.up(chain()).await;
    let gate = CancellationToken::new();
    stand.cloud.fault("delete b", Fault::Waits(gate.clone()));
    let (stop, log) = (stand.stop.clone(), stand.log.clone());
    tokio::spawn(async move {
        until(log.clone(), "delete b").await;
        stop.cancel();
        until(log, "cancel").await;
        gate.cancel();
    });
    let report = stand.destroy().await;
    assert_eq!(report.result, OperationResult::Canceled);
    assert_eq!(stand.names(), ["shop-dev", "default", "a"]);
}

#[tokio::test]
async fn the_program_learns_that_the_run_is_being_stopped() {
    let mut stand = Stand::new();
    let stop = stand.stop.clone();
    let program = script(move |prog| {
        let stop = stop.clone();
        async move {
            prog.stack().await?;
            stop.cancel();
            loop {
                match prog.custom("a").go().await {
                    Err(MonitorError::Stopping) => return Err(MonitorError::Stopping),
                    _ => tokio::task::yield_now().await,
                }
            }
        }
    });
    assert_eq!(stand.up(program).await.result, OperationResult::Canceled);
}
