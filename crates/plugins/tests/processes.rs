//! Real processes: started, listened to, ended, and gone when we are gone.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use purlin_model::{CustomTimeouts, PackageDescriptor};
use purlin_plugins::process::{LaunchSpec, Launcher, OutputLevel, PluginProcess, ProcessEvent};
use purlin_plugins::{BuiltinProviders, PluginHost, PluginSettings};
use purlin_ports::{CallContext, CreateArgs, Provider, ProviderError, ProviderHost};
use support::{Events, Fake, Seen, bag, urn};

/// Set for the test executable when it is to be the plugin.
const BE_PLUGIN: &str = "PURLIN_TEST_BE_PLUGIN";
/// Set for the test executable when it is to be an engine that gets killed; says where to report.
const BE_ENGINE: &str = "PURLIN_TEST_BE_ENGINE";

/// No test: the plugin that the tests below start. The script that starts it gives the pipe for
/// the port as descriptor 3, since the test harness itself prints to standard output.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn be_the_plugin() {
    if std::env::var_os(BE_PLUGIN).is_none() {
        return;
    }
    let address = support::serve(Arc::new(Fake { may_exit: true, ..Fake::modern() })).await;
    writeln!(fs::OpenOptions::new().write(true).open("/dev/fd/3").unwrap(), "{}", address.port()).unwrap();
    std::future::pending::<()>().await;
}

/// No test: an engine that starts a plugin and waits to be killed.
#[tokio::test]
async fn be_the_engine() {
    let Some(report) = std::env::var_os(BE_ENGINE) else { return };
    let dir = PathBuf::from(report);
    let launcher = Launcher::new(Arc::new(Events::default()), None).unwrap();
    let process = launcher.launch(sh(&dir, "echo 1; exec sleep 600")).await.unwrap();
    fs::write(dir.join("pid.new"), process.pid().to_string()).unwrap();
    fs::rename(dir.join("pid.new"), dir.join("pid")).unwrap();
    std::future::pending::<()>().await;
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn sh(dir: &Path, text: &str) -> LaunchSpec {
    LaunchSpec {
        label: "the plugin".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), text.into(), "name".into(), "127.0.0.1:9".into()],
        folder: dir.to_owned(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        output: OutputLevel::Info,
    }
}

/// Waits until so much was said.
async fn said(events: &Events, lines: usize) {
    while events.said().len() < lines {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

type Observed = Arc<Mutex<Vec<ProcessEvent>>>;

fn launcher() -> (Launcher, Arc<Events>, Observed) {
    let (events, observed) = (Arc::new(Events::default()), Observed::default());
    let log = observed.clone();
    let launcher =
        Launcher::new(events.clone(), Some(Arc::new(move |e| log.lock().unwrap().push(e)))).unwrap();
    (launcher, events, observed)
}

async fn launch(text: &str) -> (PluginProcess, Arc<Events>, Observed) {
    let (launcher, events, observed) = launcher();
    let process = launcher.launch(sh(Path::new("/"), text)).await.unwrap();
    (process, events, observed)
}

#[tokio::test]
async fn what_a_plugin_prints_after_its_port_becomes_events() {
    let text = "echo 4242; echo \"to $1 in $PWD\"; echo oops >&2; read line; echo never";
    let (process, events, observed) = launch(text).await;
    assert_eq!(process.port(), 4242);
    said(&events, 2).await;
    process.stop(Duration::from_secs(5)).await;
    let mut said = events.said();
    said.sort();
    assert_eq!(
        said,
        ["info#err: oops", "info: to 127.0.0.1:9 in /"],
        "input stays open, so nothing was read"
    );
    let pid = process.pid();
    assert_eq!(
        *observed.lock().unwrap(),
        [ProcessEvent::Started { pid, label: "the plugin".into() }, ProcessEvent::Ended { pid }]
    );
}

#[tokio::test]
async fn a_plugin_that_does_not_start_is_quoted() {
    for (text, part) in [
        ("echo cannot find libfoo >&2; exit 3", "cannot find libfoo"),
        ("echo hello; sleep 100", "\"hello\""),
        ("printf 123", "within its first line"),
    ] {
        let (launcher, events, observed) = launcher();
        let error = launcher.launch(sh(Path::new("/"), text)).await.unwrap_err();
        assert_eq!(error.code, "plugin-start");
        assert!(error.message.contains(part) && error.hint.is_some(), "{error}");
        assert!(!events.said().iter().any(|line| line.starts_with("error")), "it is said once");
        assert!(matches!(
            observed.lock().unwrap()[..],
            [ProcessEvent::Started { .. }, ProcessEvent::Ended { .. }]
        ));
    }
    let (launcher, _, _) = launcher();
    let missing = LaunchSpec { program: "/nothing/here".into(), ..sh(Path::new("/"), "") };
    assert_eq!(launcher.launch(missing).await.unwrap_err().code, "plugin-start");
}

#[tokio::test]
async fn an_unexpected_end_is_an_error_with_what_was_printed() {
    let (launcher, events, _) = launcher();
    let spec = LaunchSpec {
        output: OutputLevel::Debug,
        ..sh(Path::new("/"), "echo 1; echo panic: at the disco >&2; exit 2")
    };
    let process = launcher.launch(spec).await.unwrap();
    process.exited().cancelled().await;
    let said = events.said();
    assert_eq!(said[0], "debug: panic: at the disco");
    assert!(said[1].starts_with("error: the plugin ended unexpectedly (exit status: 2)"), "{said:?}");
    assert!(said[1].contains("at the disco"));
}

#[tokio::test]
async fn a_stubborn_plugin_is_killed_with_its_children() {
    let text =
        "trap '' INT; sh -c 'trap \"\" INT; echo $$ >&2; while :; do sleep 1; done' & echo 1; wait; wait";
    let (process, events, _) = launch(text).await;
    said(&events, 1).await;
    let child = events.said()[0].trim_start_matches("info#err: ").to_owned();
    process.stop(Duration::from_millis(50)).await;
    wait_until_dead(&child).await;
    assert!(!events.said().iter().any(|line| line.starts_with("error")), "it was asked to end");
}

#[tokio::test]
async fn a_dropped_plugin_ends() {
    let (process, _, _) = launch("echo 1; exec sleep 600").await;
    let (pid, exited) = (process.pid(), process.exited().clone());
    drop(process);
    exited.cancelled().await;
    wait_until_dead(&pid.to_string()).await;
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_behind() {
    let (launcher, _, observed) = launcher();
    let mut start = Box::pin(launcher.launch(sh(Path::new("/"), "sleep 0.1; echo 1; exec sleep 600")));
    while observed.lock().unwrap().is_empty() {
        let _ = tokio::time::timeout(Duration::from_millis(5), &mut start).await;
    }
    drop(start);
    while observed.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ProcessEvent::Started { pid, .. } = observed.lock().unwrap()[0].clone() else { panic!() };
    wait_until_dead(&pid.to_string()).await;
}

async fn wait_until_dead(pid: &str) {
    for _ in 0..2000 {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("process {pid} is still alive");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn plugins_die_with_a_killed_engine() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "be_the_engine", "--nocapture"])
        .env(BE_ENGINE, dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let file = dir.path().join("pid");
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid = fs::read_to_string(file).unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    engine.kill().unwrap();
    engine.wait().unwrap();
    wait_until_dead(&pid).await;
}

/// A host whose search path holds the plugin `fake`.
fn host(dir: &Path, builtin: BuiltinProviders) -> (PluginHost, Arc<Events>, Observed) {
    let exe = std::env::current_exe().unwrap();
    let exec = format!("exec {} --exact be_the_plugin --nocapture", exe.display());
    script(
        &dir.join("bin/pulumi-resource-fake"),
        &format!("#!/bin/sh\nexec 3>&1 1>&2\n{BE_PLUGIN}=1 {exec}\n"),
    );
    let mut settings = PluginSettings::new(dir.join("home"), dir);
    settings.path = vec![dir.join("bin")];
    settings.env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
    settings.engine_address = "127.0.0.1:1".into();
    settings.disable_acquisition = true;
    let (events, observed) = (Arc::new(Events::default()), Observed::default());
    let log = observed.clone();
    let observer = Arc::new(move |event| log.lock().unwrap().push(event));
    (PluginHost::new(settings, events.clone(), builtin, Some(observer)).unwrap(), events, observed)
}

fn create(name: &str) -> CreateArgs {
    let context = CallContext::new(urn(name), false, CustomTimeouts::default());
    CreateArgs { context, inputs: Arc::new(bag(&[("p", "x".into())])) }
}

#[tokio::test]
async fn each_instance_has_a_process_and_all_are_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (host, events, observed) = host(dir.path(), Arc::new(|_| None));
    let package = PackageDescriptor::new("fake", "1.2.3");
    let (a, b) = (host.start(&package).await.unwrap(), host.start(&package).await.unwrap());
    for provider in [&a, &b] {
        assert_eq!(provider.version(), "1.2.3");
        assert_eq!(&*provider.create(create("r")).await.unwrap().id, "id-1");
    }
    host.stop_all().await;
    let observed = observed.lock().unwrap().clone();
    let started = observed.iter().filter(|e| matches!(e, ProcessEvent::Started { .. })).count();
    assert_eq!((started, observed.len()), (2, 4), "{observed:?}");
    let said = events.said();
    assert_eq!(said.iter().filter(|line| line.contains("from the search path")).count(), 1, "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("error")), "{said:?}");
    let error = a.create(create("r")).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unavailable(_)), "never made: {error:?}");
}

#[tokio::test]
async fn a_plugin_that_falls_over_leaves_the_outcome_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let (host, events, _) = host(dir.path(), Arc::new(|_| None));
    let provider = host.start_plugin(&PackageDescriptor::new("fake", "")).await.unwrap();
    let error = provider.create(create("exit")).await.unwrap_err();
    assert!(matches!(error, ProviderError::OutcomeUnknown(_)), "{error:?}");
    provider.process().unwrap().exited().cancelled().await;
    let said = events.said();
    let last = said.iter().find(|line| line.starts_with("error: ")).unwrap();
    assert!(last.contains("ended unexpectedly") && last.contains("about to fall over"), "{last}");
    host.stop_all().await;
}

#[tokio::test]
async fn what_is_built_in_serves_what_is_not_installed() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::modern());
    let port = support::serve(fake.clone()).await.port();
    let stand_in = |name: &str| PackageDescriptor::new(name, "");
    let options = support::options();
    let inner =
        purlin_plugins::PluginProvider::attached(port, stand_in("x"), options, Arc::new(Events::default()));
    let inner: Arc<dyn Provider> = Arc::new(inner.await.unwrap());
    let builtin: BuiltinProviders = Arc::new(move |package| {
        ["pulumi", "random", "fake"].contains(&&*package.name).then(|| inner.clone())
    });
    let (host, _, observed) = host(dir.path(), builtin);
    for name in ["pulumi", "random"] {
        host.start(&stand_in(name)).await.unwrap();
    }
    assert!(observed.lock().unwrap().is_empty(), "no process");
    host.start(&stand_in("fake")).await.unwrap();
    assert_eq!(observed.lock().unwrap().len(), 1, "an installed plugin comes first");
    let Err(error) = host.start(&PackageDescriptor::new("missing", "1.0.0")).await else { panic!() };
    let text = error.to_string();
    assert!(matches!(error, ProviderError::Unavailable(_)));
    assert!(text.contains("resource plugin missing version 1.0.0"), "{text}");
    assert!(text.contains("pulumi-resource-missing") && text.contains("resource-missing-v1.0.0"), "{text}");
    host.stop_all().await;
}

#[tokio::test]
async fn running_providers_are_attached_to() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::modern());
    let port = support::serve(fake.clone()).await.port();
    let mut settings = PluginSettings::new(dir.path(), dir.path());
    settings.engine_address = "127.0.0.1:1".into();
    settings.debug_providers.insert("fake".into(), port);
    let host = PluginHost::new(settings, Arc::new(Events::default()), Arc::new(|_| None), None).unwrap();
    host.start(&PackageDescriptor::new("fake", "")).await.unwrap();
    assert!(fake.seen.lock().unwrap().contains(&Seen::Attach("127.0.0.1:1".into())));
    host.stop_all().await;
}

#[tokio::test]
async fn plugins_from_source_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("plugins/resource-fake-v1.0.0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("PulumiPlugin.yaml"), "runtime: nodejs\n").unwrap();
    let settings = PluginSettings::new(dir.path(), dir.path());
    let host = PluginHost::new(settings, Arc::new(Events::default()), Arc::new(|_| None), None).unwrap();
    let error = host.start_plugin(&PackageDescriptor::new("fake", "1.0.0")).await.unwrap_err();
    assert_eq!(error.code, "plugin-source");
}
