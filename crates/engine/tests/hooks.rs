//! Hooks around operations, and those that ask for another attempt.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use purlin_model::event::EngineEvent;
use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::{
    ErrorHook, ErrorHookCall, Hook, HookCall, HookKind, HookSide, MonitorError, ResourceHook,
};

use support::cloud::Fault;
use support::program::{Making, Prog, Script, script};
use support::{Log, Stand};

/// Writes down what it is told, and fails if it is to.
struct Note {
    name: &'static str,
    log: Log,
    fails: bool,
}

fn show(map: &PropertyMap) -> String {
    let pairs = map.iter().map(|(key, value)| match value {
        PropertyValue::Secret(_) => format!("{key}:secret"),
        PropertyValue::String(text) => format!("{key}:{text}"),
        PropertyValue::Unknown => format!("{key}:unknown"),
        other => format!("{key}:{other:?}"),
    });
    pairs.collect::<Vec<_>>().join(",")
}

fn side(name: &str, side: Option<&HookSide>) -> String {
    let Some(side) = side else { return String::new() };
    let outputs = side.outputs.as_ref().map(|map| format!("/{}", show(map))).unwrap_or_default();
    format!(" {name}={}{outputs}", show(&side.inputs))
}

fn told(call: &HookCall) -> String {
    let id = if call.id.is_empty() { "-" } else { &call.id };
    format!("{} {id}{}{}", call.urn.name(), side("old", call.old.as_ref()), side("new", call.new.as_ref()))
}

#[async_trait]
impl ResourceHook for Note {
    async fn run(&self, call: HookCall) -> Result<(), String> {
        self.log.add(format!("hook {} {}", self.name, told(&call)));
        if self.fails { Err("oh no".into()) } else { Ok(()) }
    }
}

/// Wants another attempt as often as it says.
struct Again {
    name: &'static str,
    log: Log,
    times: AtomicUsize,
}

#[async_trait]
impl ErrorHook for Again {
    async fn run(&self, call: ErrorHookCall) -> Result<bool, String> {
        let line = format!("{} {} errors={}", call.operation, told(&call.resource), call.errors.len());
        self.log.add(format!("hook {} {line}", self.name));
        let left = self.times.load(Ordering::Relaxed);
        self.times.store(left.saturating_sub(1), Ordering::Relaxed);
        Ok(left > 0)
    }
}

#[derive(Clone, Copy)]
struct Options {
    on_dry_run: bool,
    ignore_errors: bool,
    fails: bool,
}

const PLAIN: Options = Options { on_dry_run: false, ignore_errors: false, fails: false };

async fn hook(prog: &Prog, log: &Log, name: &'static str, options: Options) -> Result<(), MonitorError> {
    let function = Arc::new(Note { name, log: log.clone(), fails: options.fails });
    let Options { on_dry_run, ignore_errors, .. } = options;
    let kind = HookKind::Resource { function, on_dry_run, ignore_errors };
    prog.monitor.register_hook(Hook { name: name.into(), kind }).await
}

async fn again(prog: &Prog, log: &Log, name: &'static str, times: usize) -> Result<(), MonitorError> {
    let function = Arc::new(Again { name, log: log.clone(), times: AtomicUsize::new(times) });
    prog.monitor.register_hook(Hook { name: name.into(), kind: HookKind::Error(function) }).await
}

fn named(making: Making, hooks: &[(&'static str, &'static str)]) -> Making {
    let hooks = hooks.to_vec();
    making.with(|goal| {
        for (kind, name) in hooks {
            goal.resource_hooks.by_kind.entry(kind.into()).or_default().push(name.into());
        }
    })
}

/// All kinds on one resource, under names of their own.
fn all_kinds(making: Making) -> Making {
    named(
        making,
        &[
            ("BeforeCreate", "bc"),
            ("AfterCreate", "ac"),
            ("BeforeUpdate", "bu"),
            ("AfterUpdate", "au"),
            ("BeforeDelete", "bd"),
            ("AfterDelete", "ad"),
        ],
    )
}

async fn register_all(prog: &Prog, log: &Log, options: Options) -> Result<(), MonitorError> {
    for name in ["bc", "ac", "bu", "au", "bd", "ad"] {
        hook(prog, log, name, options).await?;
    }
    Ok(())
}

/// One resource with all hooks, `value` as its input; nothing if that is empty.
fn one(log: &Log, value: &'static str, key: &'static str) -> Script {
    let log = log.clone();
    script(move |prog| {
        let log = log.clone();
        async move {
            prog.stack().await?;
            register_all(&prog, &log, PLAIN).await?;
            if !value.is_empty() {
                let making = all_kinds(prog.custom("a")).input(key, value);
                making.input("pass", PropertyValue::from("x").into_secret()).go().await?;
            }
            prog.monitor.program_finished().await
        }
    })
}

fn lines(stand: &Stand) -> Vec<String> {
    stand.log.only(&["hook", "create", "update", "delete"])
}

fn said(stand: &Stand) -> Vec<String> {
    let said = stand.events.all().into_iter().filter_map(|event| match event {
        EngineEvent::Diagnostic { prefix, message, .. } => {
            Some(format!("{prefix}{}", message.lines().next().unwrap_or_default()))
        }
        _ => None,
    });
    said.collect()
}

#[tokio::test]
async fn hooks_are_called_around_creates_updates_and_deletes() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    assert!(stand.up(one(&log, "1", "x")).await.result.as_str() == "succeeded");
    assert_eq!(
        lines(&stand),
        [
            "hook bc a - new=pass:secret,x:1",
            "create a",
            "hook ac a a-0 new=pass:secret,x:1/made:a-0,pass:secret,x:1",
        ]
    );
    assert_eq!(stand.get("a").unwrap().resource_hooks.of("BeforeDelete"), ["bd"]);
    assert!(stand.up(one(&log, "2", "x")).await.result.as_str() == "succeeded");
    assert_eq!(
        lines(&stand),
        [
            "hook bu a a-0 old=pass:secret,x:1/made:a-0,pass:secret,x:1 new=pass:secret,x:2",
            "update a",
            "hook au a a-0 old=pass:secret,x:1/made:a-0,pass:secret,x:1 new=pass:secret,x:2/made:a-0,pass:secret,x:2",
        ]
    );
    assert!(stand.up(one(&log, "2", "x")).await.result.as_str() == "succeeded");
    assert_eq!(lines(&stand), [""; 0], "nothing changes, nobody is called");
    assert!(stand.up(one(&log, "", "x")).await.result.as_str() == "succeeded");
    let old = "old=pass:secret,x:2/made:a-0,pass:secret,x:2";
    assert_eq!(
        lines(&stand),
        [format!("hook bd a a-0 {old}"), "delete a".into(), format!("hook ad a a-0 {old}")]
    );
    assert!(stand.get("a").is_none());
}

#[tokio::test]
async fn replacements_call_the_hooks_of_creates_and_of_deletes() {
    for (key, order) in [
        ("fixed", ["bc", "create", "ac", "bd", "delete", "ad"]),
        ("first", ["bd", "delete", "ad", "bc", "create", "ac"]),
    ] {
        let mut stand = Stand::new();
        let log = stand.log.clone();
        stand.up(one(&log, "1", key)).await;
        assert!(stand.up(one(&log, "2", key)).await.result.as_str() == "succeeded");
        let words: Vec<String> = lines(&stand)
            .iter()
            .map(|line| line.trim_start_matches("hook ").split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(words, order, "{key}");
    }
}

/// Two resources, the first with a hook that fails.
fn failing(log: &Log, kind: &'static str, options: Options) -> Script {
    let log = log.clone();
    script(move |prog| {
        let log = log.clone();
        async move {
            prog.stack().await?;
            hook(&prog, &log, "h", options).await?;
            named(prog.custom("a"), &[(kind, "h")]).go().await?;
            prog.custom("b").go().await?;
            prog.monitor.program_finished().await
        }
    })
}

#[tokio::test]
async fn a_failing_before_hook_fails_the_step() {
    let mut stand = Stand::new();
    let script = failing(&stand.log, "BeforeCreate", Options { fails: true, ..PLAIN });
    assert!(stand.up(script).await.result.as_str() == "failed");
    assert_eq!(lines(&stand), ["hook h a - new="]);
    assert!(
        said(&stand).contains(&"error: before hook \"h\" failed: oh no".to_owned()),
        "{:?}",
        said(&stand)
    );
    assert!(stand.get("a").is_none() && stand.get("b").is_none());
}

#[tokio::test]
async fn a_failing_after_hook_leaves_the_state_and_fails_the_run() {
    let mut stand = Stand::new();
    let script = failing(&stand.log, "AfterCreate", Options { fails: true, ..PLAIN });
    assert!(stand.up(script).await.result.as_str() == "failed");
    assert_eq!(lines(&stand), ["create a", "hook h a a-0 new=/made:a-0"]);
    assert!(stand.get("a").is_some() && stand.get("b").is_none());
    assert!(said(&stand).contains(&"error: after hook \"h\" failed: oh no".to_owned()), "{:?}", said(&stand));
}

#[tokio::test]
async fn the_state_is_stored_before_an_after_hook_is_called() {
    let mut stand = Stand::new();
    let script = failing(&stand.log, "AfterCreate", PLAIN);
    stand.up(script).await;
    let lines = stand.log.only(&["create", "appended", "hook"]);
    let create = lines.iter().position(|line| line == "create a").unwrap();
    assert_eq!(lines[create + 1..create + 3], ["appended end", "hook h a a-0 new=/made:a-0"]);
}

#[tokio::test]
async fn with_continue_on_error_a_failing_after_hook_stops_nothing() {
    let mut stand = Stand::new();
    stand.settings.plan.continue_on_error = true;
    let script = failing(&stand.log, "AfterCreate", Options { fails: true, ..PLAIN });
    assert!(stand.up(script).await.result.as_str() == "failed");
    assert!(stand.get("a").is_some() && stand.get("b").is_some());
}

#[tokio::test]
async fn ignored_failures_are_warnings() {
    for kind in ["BeforeCreate", "AfterCreate"] {
        let mut stand = Stand::new();
        let script = failing(&stand.log, kind, Options { fails: true, ignore_errors: true, ..PLAIN });
        assert!(stand.up(script).await.result.as_str() == "succeeded");
        assert!(stand.get("a").is_some() && stand.get("b").is_some());
        assert!(
            said(&stand)
                .iter()
                .any(|line| line.starts_with("warning: ") && line.contains("hook \"h\" failed: oh no"))
        );
    }
}

#[tokio::test]
async fn only_hooks_that_want_it_are_called_in_previews() {
    for (on_dry_run, called) in [(false, 0), (true, 2)] {
        let mut stand = Stand::new();
        let log = stand.log.clone();
        let program = script(move |prog| {
            let log = log.clone();
            async move {
                prog.stack().await?;
                register_all(&prog, &log, Options { on_dry_run, ..PLAIN }).await?;
                all_kinds(prog.custom("a")).go().await?;
                Ok(())
            }
        });
        assert!(stand.preview(program).await.result.as_str() == "succeeded");
        assert_eq!(stand.log.only(&["hook"]).len(), called);
    }
}

#[tokio::test]
async fn an_unknown_hook_is_an_error_even_in_a_preview() {
    for preview in [false, true] {
        let mut stand = Stand::new();
        let program = script(|prog| async move {
            prog.stack().await?;
            named(prog.custom("a"), &[("BeforeCreate", "nobody")]).go().await.map(|_| ())
        });
        let report = if preview { stand.preview(program).await } else { stand.up(program).await };
        assert!(report.result.as_str() == "failed");
        assert!(said(&stand).contains(&"error: hook \"nobody\" was not registered".to_owned()));
        assert!(stand.get("a").is_none());
    }
}

#[tokio::test]
async fn names_of_hooks_are_unique_and_not_empty() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    let program = script(move |prog| {
        let log = log.clone();
        async move {
            prog.stack().await?;
            hook(&prog, &log, "h", PLAIN).await?;
            assert!(matches!(again(&prog, &log, "h", 0).await, Err(MonitorError::Invalid(_))));
            assert!(matches!(hook(&prog, &log, "", PLAIN).await, Err(MonitorError::Invalid(_))));
            Ok(())
        }
    });
    assert!(stand.up(program).await.result.as_str() == "succeeded");
}

#[tokio::test]
async fn components_call_hooks_when_they_begin_and_when_their_outputs_have_come() {
    let mut stand = Stand::new();
    let program = |log: &Log, there: bool| {
        let log = log.clone();
        script(move |prog| {
            let log = log.clone();
            async move {
                prog.stack().await?;
                register_all(&prog, &log, PLAIN).await?;
                if there {
                    let group = all_kinds(prog.component("group")).input("x", "1").go().await?;
                    prog.custom("a").parent(&group).go().await?;
                    prog.monitor.register_outputs(group.urn.clone(), support::map(&[("o", "2")])).await?;
                    log.add("hook - outputs are registered");
                }
                prog.monitor.program_finished().await
            }
        })
    };
    let log = stand.log.clone();
    assert!(stand.up(program(&log, true)).await.result.as_str() == "succeeded");
    assert_eq!(
        lines(&stand),
        [
            "hook bc group - new=x:1",
            "create a",
            "hook ac group - new=x:1/o:2",
            "hook - outputs are registered"
        ]
    );
    assert!(stand.up(program(&log, false)).await.result.as_str() == "succeeded");
    assert_eq!(lines(&stand), ["delete a", "hook bd group - old=x:1/o:2", "hook ad group - old=x:1/o:2"]);
}

#[tokio::test]
async fn a_destroy_without_the_program_is_refused_where_deletes_have_hooks() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    stand.up(one(&log, "1", "x")).await;
    let report = stand.destroy().await;
    assert!(report.result.as_str() == "failed");
    assert_eq!(lines(&stand), [""; 0]);
    assert!(stand.get("a").is_some());
    assert!(said(&stand).iter().any(|line| line.contains("has delete hooks") && line.contains("bd, ad")));
}

/// One resource with error hooks that want so many attempts; an operation of it fails.
fn retried(log: &Log, hooks: &'static [(&'static str, usize)], value: &'static str) -> Script {
    let log = log.clone();
    script(move |prog| {
        let log = log.clone();
        async move {
            prog.stack().await?;
            let mut making = prog.custom("a").input("x", value);
            for (name, times) in hooks {
                again(&prog, &log, name, *times).await?;
                making = named(making, &[("OnError", name)]);
            }
            if !value.is_empty() {
                making.go().await?;
            }
            prog.monitor.program_finished().await
        }
    })
}

#[tokio::test]
async fn error_hooks_hear_of_failures_and_may_have_them_tried_again() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    for (call, value, old) in [("create a", "1", false), ("update a", "2", true), ("delete a", "", true)] {
        stand.cloud.fault(call, Fault::Times(2));
        let report = stand.up(retried(&log, &[("h", 5), ("k", 0)], value)).await;
        assert!(report.result.as_str() == "succeeded", "{call} {:?}", said(&stand));
        let calls = stand.log.only(&["create", "update", "delete"]);
        assert_eq!(calls, [call, call, call]);
        let hooks = stand.log.only(&["hook"]);
        assert_eq!(hooks.len(), 4, "{hooks:?}");
        let word = call.split(' ').next().unwrap();
        assert!(hooks[0].starts_with(&format!("hook h {word} a ")) && hooks[0].ends_with("errors=1"));
        assert!(hooks[1].starts_with("hook k") && hooks[3].ends_with("errors=2"));
        assert_eq!(hooks[0].contains("old="), old);
        assert!(
            said(&stand).contains(&format!("warning: retrying {word} due to on-error hook request (1/100)"))
        );
    }
}

#[tokio::test]
async fn without_a_hook_that_wants_it_nothing_is_tried_again() {
    for hooks in [&[][..], &[("h", 0)][..]] {
        let mut stand = Stand::new();
        let log = stand.log.clone();
        stand.cloud.fault("create a", Fault::Rejected);
        assert!(stand.up(retried(&log, hooks, "1")).await.result.as_str() == "failed");
        assert_eq!(stand.log.only(&["create"]), ["create a"]);
        assert_eq!(stand.log.only(&["hook"]).len(), hooks.len());
        assert!(stand.get("a").is_none());
    }
}

#[tokio::test]
async fn nothing_is_tried_more_than_a_hundred_times() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    stand.cloud.fault("create a", Fault::Rejected);
    assert!(stand.up(retried(&log, &[("h", 1000)], "1")).await.result.as_str() == "failed");
    assert_eq!(stand.log.only(&["create"]).len(), 100);
    assert_eq!(stand.log.only(&["hook"]).len(), 99);
    assert!(said(&stand).contains(&"warning: maximum number of error hook retries (100) reached".to_owned()));
    assert!(said(&stand).iter().any(|line| line.contains("the cloud says no")), "why it failed is said, too");
}

#[tokio::test]
async fn what_was_half_made_is_completed_rather_than_made_twice() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    stand.cloud.fault("create a", Fault::Half);
    assert!(stand.up(retried(&log, &[("h", 1)], "1")).await.result.as_str() == "succeeded");
    assert_eq!(stand.log.only(&["create", "update"]), ["create a", "update a"]);
    assert_eq!(stand.cloud.ids(), ["a-0"]);
    assert_eq!(stand.get("a").unwrap().id, "a-0");
    assert!(stand.get("a").unwrap().init_errors.is_empty());
}

#[tokio::test]
async fn what_was_half_made_is_kept_if_completing_it_fails() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    stand.cloud.fault("create a", Fault::Half);
    stand.cloud.fault("update a", Fault::Rejected);
    assert!(stand.up(retried(&log, &[("h", 3)], "1")).await.result.as_str() == "failed");
    assert_eq!(stand.get("a").unwrap().id, "a-0");
    assert_eq!(stand.get("a").unwrap().init_errors, ["it never came up"]);
}

#[tokio::test]
async fn a_call_of_unknown_outcome_is_not_tried_again() {
    let mut stand = Stand::new();
    let log = stand.log.clone();
    stand.cloud.fault("create a", Fault::Lost);
    assert!(stand.up(retried(&log, &[("h", 9)], "1")).await.result.as_str() == "failed");
    assert_eq!(stand.log.only(&["create"]), ["create a"]);
    assert_eq!(stand.log.only(&["hook"]), [""; 0]);
    assert_eq!(stand.state.pending_operations.len(), 1);
}

#[tokio::test]
async fn an_unknown_error_hook_is_said_and_nothing_is_tried_again() {
    let mut stand = Stand::new();
    stand.cloud.fault("create a", Fault::Rejected);
    let program = script(|prog| async move {
        prog.stack().await?;
        named(prog.custom("a"), &[("OnError", "nobody")]).go().await.map(|_| ())
    });
    assert!(stand.up(program).await.result.as_str() == "failed");
    assert_eq!(stand.log.only(&["create"]), ["create a"]);
    assert!(said(&stand).contains(&"error: error hook \"nobody\" was not registered".to_owned()));
}
