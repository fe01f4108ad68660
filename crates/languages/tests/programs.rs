//! Real programs in each language against the gRPC services and a monitor that answers at once.
//!
//! They need the environments that `cargo xtask test` prepares: the folder that the variable
//! `PURLIN_TEST_ENV` names holds `python/venv`, `node/node_modules` and `go`. Without the variable
//! the tests are skipped and say so.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use purlin_diag::Severity;
use purlin_languages::{HostSettings, host_for};
use purlin_model::event::EngineEvent;
use purlin_model::{Alias, AliasParent, AssetSource, PackageDescriptor, PropertyMap, PropertyValue};
use purlin_monitor::{MonitorServer, MonitorSettings};
use purlin_ports::{
    DeploymentInfo, EventSink, ProgramInfo, RegisterRequest, ResourceMonitor, RunOutcome, RunRequest,
};
use purlin_testkit::{CollectedEvents, CountingEntropy, NullMonitor, Seen};
use tokio_util::sync::CancellationToken;

const EXACT: [(&str, &str); 2] = [("tour:greeting", "hello"), ("tour:token", "s3cret")];

/// A program in a folder of its own, ready to run.
struct Stage {
    folder: tempfile::TempDir,
    program: PathBuf,
    settings: HostSettings,
    options: PropertyMap,
    runtime: &'static str,
}

/// What came out of a run.
struct Finished {
    outcome: RunOutcome,
    seen: Seen,
    events: Arc<CollectedEvents>,
}

impl Stage {
    /// Copies a program, or says that it can't be run here.
    fn new(runtime: &'static str, name: &str) -> Option<Stage> {
        let Some(env) = std::env::var_os("PURLIN_TEST_ENV").map(PathBuf::from) else {
            println!("skipped: PURLIN_TEST_ENV is not set");
            return None;
        };
        let language = if runtime == "nodejs" { "node" } else { runtime };
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs").join(language).join(name);
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(name);
        std::fs::create_dir(&program).unwrap();
        for entry in std::fs::read_dir(source).unwrap().flatten().filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), program.join(entry.file_name())).unwrap();
        }
        let mut options = PropertyMap::new();
        match runtime {
            "python" => {
                let venv = env.join("python/venv").to_string_lossy().into_owned();
                options.insert("virtualenv".to_owned(), PropertyValue::String(venv));
            }
            "nodejs" => {
                std::os::unix::fs::symlink(env.join("node/node_modules"), program.join("node_modules"))
                    .unwrap();
            }
            _ => {}
        }
        let keep = ["PATH", "HOME", "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOFLAGS", "TMPDIR"];
        let environment = keep
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect::<BTreeMap<_, _>>();
        // The compiled program is kept from one run of the tests to the next.
        let settings = HostSettings::new(environment, env.join("cache"));
        Some(Stage { folder, program, settings, options, runtime })
    }

    fn info(&self) -> ProgramInfo {
        ProgramInfo {
            root_directory: self.program.clone(),
            program_directory: self.program.clone(),
            entry_point: ".".to_owned(),
            options: self.options.clone(),
        }
    }

    /// A run that never gets as far as talking to a monitor.
    fn request(&self) -> RunRequest {
        let info = DeploymentInfo::default();
        RunRequest {
            program: self.info(),
            project: "tour".to_owned(),
            stack: "dev".to_owned(),
            organization: "organization".to_owned(),
            config: BTreeMap::new(),
            config_secret_keys: Vec::new(),
            dry_run: false,
            parallel: 8,
            monitor_address: "127.0.0.1:9".to_owned(),
            engine_address: "127.0.0.1:9".to_owned(),
            monitor: Arc::new(NullMonitor::new(info)),
            events: Arc::new(CollectedEvents::default()),
        }
    }

    async fn run(&self, config: &[(&str, &str)]) -> Finished {
        self.run_with(config, |monitor| monitor, CancellationToken::new()).await
    }

    async fn run_with(
        &self,
        config: &[(&str, &str)],
        prepare: impl FnOnce(NullMonitor) -> NullMonitor,
        cancel: CancellationToken,
    ) -> Finished {
        let config: BTreeMap<String, String> =
            config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let info = DeploymentInfo {
            organization: "organization".to_owned(),
            project: "tour".to_owned(),
            stack: "dev".to_owned(),
            config: config.clone(),
            config_secret_keys: vec!["tour:token".to_owned()],
            dry_run: false,
            parallel: 8,
        };
        let monitor = Arc::new(prepare(NullMonitor::recording(info)));
        let server = MonitorServer::start(
            Arc::clone(&monitor) as Arc<dyn ResourceMonitor>,
            MonitorSettings {
                root_directory: self.program.clone(),
                program_directory: self.program.clone(),
                compatible_version: semver::Version::new(3, 260, 0),
                entropy: Arc::new(CountingEntropy::default()),
                schemas: None,
                fetch: None,
            },
        )
        .await
        .unwrap();
        let events = Arc::new(CollectedEvents::default());
        let request = RunRequest {
            config,
            config_secret_keys: vec!["tour:token".to_owned()],
            monitor_address: server.address(),
            engine_address: server.address(),
            monitor: Arc::clone(&monitor) as Arc<dyn ResourceMonitor>,
            events: Arc::clone(&events) as Arc<dyn EventSink>,
            ..self.request()
        };
        let host = host_for(self.runtime, Arc::new(self.settings.clone())).unwrap();
        let outcome = host.run(request, cancel).await.unwrap();
        server.shutdown().await;
        Finished { outcome, seen: monitor.seen(), events }
    }
}

fn registered<'a>(seen: &'a Seen, name: &str) -> &'a RegisterRequest {
    seen.named(name).unwrap_or_else(|| panic!("{name} was not registered"))
}

/// What is true of the tour in every language.
fn check_tour(finished: &Finished) {
    let seen = &finished.seen;
    let logs: Vec<_> = seen.logs.iter().map(|log| (log.severity, log.message.as_str())).collect();
    assert_eq!(finished.outcome, RunOutcome::Succeeded, "{logs:?} {:?}", finished.events.diagnostics());
    assert!(seen.finished);
    let stack = registered(seen, "tour-dev");
    assert_eq!(stack.goal.ty, "pulumi:pulumi:Stack");

    let second = registered(seen, "second");
    assert_eq!(second.goal.inputs["value"], PropertyValue::from("hello again"));
    assert_eq!(second.goal.inputs["secretValue"], PropertyValue::from("s3cret").into_secret());
    let on_first = &second.goal.property_dependencies["value"];
    assert_eq!(on_first.iter().map(|urn| urn.name()).collect::<Vec<_>>(), ["first"]);
    assert!(second.goal.source_position.as_ref().is_none_or(|at| at.starts_with("project:///")));
    assert_eq!(second.package.name, "faultcloud");

    let nested = registered(seen, "nested");
    let value = nested.goal.inputs["value"].as_object().unwrap();
    let deep = PropertyMap::from([("deep".to_owned(), PropertyValue::from("hello again"))]);
    assert_eq!(value["list"], PropertyValue::Array(vec!["first".into(), deep.into()]));
    assert_eq!((&value["flag"], &value["number"]), (&true.into(), &1.5.into()));
    assert_eq!(
        nested.goal.dependencies.iter().map(|urn| urn.name()).collect::<Vec<_>>(),
        ["first", "second"]
    );

    let shelf = registered(seen, "shelf");
    assert!(!shelf.goal.custom && !shelf.remote);
    let green = registered(seen, "shelf-green");
    assert_eq!(green.goal.parent.as_ref().unwrap().name(), "shelf");
    let (_, outputs) = seen.outputs.iter().find(|(urn, _)| urn.name() == "shelf").unwrap();
    assert_eq!(outputs["names"], PropertyValue::from("shelf-red, shelf-green, shelf-blue"));

    let guarded = &registered(seen, "guarded").goal;
    assert_eq!(guarded.inputs["name"], PropertyValue::from("shelf-red-guarded"));
    assert_eq!(guarded.ignore_changes, ["value"]);
    assert_eq!(guarded.additional_secret_outputs, ["arn"]);
    assert_eq!(guarded.delete_before_replace, Some(true));
    assert_eq!((guarded.custom_timeouts.create, guarded.custom_timeouts.delete), (300.0, 5400.0));
    let Some(Alias::Spec { name, parent, .. }) = guarded.aliases.first() else {
        panic!("no alias spec: {:?}", guarded.aliases)
    };
    assert_eq!(name.as_deref(), Some("guarded-before"));
    let to_root = match parent {
        AliasParent::None => true,
        AliasParent::Urn(urn) => urn.ty() == "pulumi:pulumi:Stack",
        AliasParent::Same => false,
    };
    assert!(to_root, "{parent:?}");

    let outputs = seen.stack_outputs().unwrap();
    assert_eq!(outputs["first"], PropertyValue::from("hello"));
    assert_eq!(outputs["token"], PropertyValue::from("s3cret").into_secret());
    assert_eq!(outputs["names"], PropertyValue::from("shelf-red, shelf-green, shelf-blue"));

    let printed = finished.events.all();
    assert!(printed.iter().any(|event| matches!(event,
        EngineEvent::Diagnostic { message, severity: Severity::Info, urn: None, .. } if message == "greeting is hello\n")));
    let warning = seen.logs.iter().find(|log| log.severity == Severity::Warning).unwrap();
    assert_eq!(
        (warning.message.as_str(), warning.urn.as_ref().unwrap().name()),
        ("this is a warning", "first")
    );
    assert!(seen.logs.iter().all(|log| log.severity != Severity::Debug), "debug messages went over the wire");
}

/// The parts of the tour that Python and Node have.
async fn check_extras(stage: &Stage) {
    let lent = PropertyMap::from([
        ("name".to_owned(), "organization/other/dev".into()),
        ("outputs".to_owned(), PropertyMap::from([("lent".to_owned(), "a ladder".into())]).into()),
        ("secretOutputNames".to_owned(), PropertyValue::Array(vec![])),
    ]);
    let config = [
        EXACT[0],
        EXACT[1],
        ("tour:reference", "organization/other/dev"),
        ("tour:assets", "true"),
        ("tour:invoke", "true"),
        ("tour:dynamic", "true"),
        ("tour:transforms", "true"),
    ];
    let prepare = |monitor: NullMonitor| monitor.with_read("organization/other/dev", lent);
    let finished = stage.run_with(&config, prepare, CancellationToken::new()).await;
    let seen = &finished.seen;
    check_tour(&finished);
    let outputs = seen.stack_outputs().unwrap();
    assert_eq!(outputs["borrowed"], PropertyValue::from("a ladder"));
    assert_eq!(outputs["echoed"], PropertyValue::from("hello"));
    assert_eq!(seen.reads[0].goal.ty, "pulumi:pulumi:StackReference");
    assert_eq!(seen.invokes[0].token, "faultcloud:index:echo");

    let files = registered(seen, "files").goal.inputs["value"].as_object().unwrap();
    let PropertyValue::Asset(text) = &files["text"] else { panic!("{:?}", files["text"]) };
    assert_eq!(text.hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    let PropertyValue::Asset(file) = &files["file"] else { panic!("{:?}", files["file"]) };
    assert!(matches!(file.source, AssetSource::Path(_)) && file.hash.len() == 64);
    assert!(matches!(&files["tree"], PropertyValue::Archive(tree) if tree.hash.len() == 64));

    let dynamic = registered(seen, "doubled");
    assert!(
        dynamic.goal.ty.ends_with(":dynamic:Resource") || dynamic.goal.ty.contains("dynamic"),
        "{}",
        dynamic.goal.ty
    );
    assert!(dynamic.goal.inputs.contains_key("__provider"));

    let labelled = &registered(seen, "labelled").goal;
    assert_eq!(labelled.inputs["tags"].as_object().unwrap()["labelled"], PropertyValue::from("labelled"));
    assert_eq!(labelled.inputs["value"], PropertyValue::from("hello again"));
    let on_second = &labelled.property_dependencies["value"];
    assert_eq!(on_second.iter().map(|urn| urn.name()).collect::<Vec<_>>(), ["second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_programs_make_the_tour() {
    let Some(stage) = Stage::new("python", "tour") else { return };
    check_extras(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_programs_make_the_tour() {
    let Some(stage) = Stage::new("nodejs", "tour") else { return };
    check_extras(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_programs_make_the_tour() {
    let Some(stage) = Stage::new("go", "tour") else { return };
    check_tour(&stage.run(&EXACT).await);
    let failed = stage.run(&[EXACT[0], EXACT[1], ("tour:fail", "true")]).await;
    assert_eq!(failed.outcome, RunOutcome::Bailed);
    assert!(failed.seen.logs.iter().any(|log| log.message.contains("the fuse was lit")));
    assert!(!failed.seen.finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_programs_run() {
    let Some(stage) = Stage::new("nodejs", "typescript") else { return };
    let finished = stage.run(&EXACT).await;
    assert_eq!(finished.outcome, RunOutcome::Succeeded, "{:?}", finished.events.diagnostics());
    assert_eq!(finished.seen.stack_outputs().unwrap()["label"], PropertyValue::from("HELLO"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_programs_that_raise_say_why_and_bail() {
    let Some(stage) = Stage::new("python", "failing") else { return };
    let finished = stage.run(&[]).await;
    assert_eq!(finished.outcome, RunOutcome::Bailed);
    let error = finished.seen.logs.iter().find(|log| log.severity == Severity::Error).unwrap();
    assert!(error.message.starts_with("Program failed with an unhandled exception:\n"), "{}", error.message);
    assert!(error.message.ends_with("ValueError: the fuse was lit\n"), "{}", error.message);
    assert!(error.message.contains("in explode") && !error.message.contains("runpy"), "{}", error.message);
    assert!(finished.events.diagnostics().contains(&"about to fail\n".to_owned()));
    assert!(!finished.seen.finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_programs_that_throw_say_why_and_bail() {
    let Some(stage) = Stage::new("nodejs", "failing") else { return };
    let finished = stage.run(&[]).await;
    assert_eq!(finished.outcome, RunOutcome::Bailed, "{:?}", finished.events.diagnostics());
    let error = finished.seen.logs.iter().find(|log| log.severity == Severity::Error).unwrap();
    assert!(error.message.contains("the fuse was lit"), "{}", error.message);
    assert!(!finished.seen.finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_programs_bail() {
    let Some(mut stage) = Stage::new("python", "tour") else { return };
    std::fs::write(stage.program.join("__main__.py"), "import time\nprint('waiting')\ntime.sleep(600)\n")
        .unwrap();
    stage.settings.grace = std::time::Duration::from_secs(20);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let finished = stage.run_with(&EXACT, |monitor| monitor, cancel).await;
    assert_eq!(finished.outcome, RunOutcome::Bailed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named() {
    let Some(mut stage) = Stage::new("python", "tour") else { return };
    let bare = stage.folder.path().join("bare");
    std::fs::create_dir_all(bare.join("bin")).unwrap();
    // An interpreter without any packages: the real one, started so that it can't see them.
    std::fs::write(bare.join("bin/python"), "#!/bin/sh\nexec python3 -I -S \"$@\"\n").unwrap();
    make_executable(&bare.join("bin/python"));
    stage.options.insert("virtualenv".to_owned(), PropertyValue::String(bare.to_string_lossy().into_owned()));
    let RunOutcome::Failed(diagnostic) = stage.run(&EXACT).await.outcome else { panic!("it ran") };
    assert_eq!(diagnostic.code, "sdk-missing");
    assert!(diagnostic.hint.unwrap().contains("purlin install"));

    let Some(stage) = Stage::new("nodejs", "tour") else { return };
    std::fs::remove_file(stage.program.join("node_modules")).unwrap();
    let host = host_for("nodejs", Arc::new(stage.settings.clone())).unwrap();
    let error = host.run(stage.request(), CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code, "sdk-missing");
    assert!(error.hint.unwrap().contains("@pulumi/pulumi"));
    std::fs::remove_dir_all(&stage.program).unwrap();
    let error = host.run(stage.request(), CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code, "program-missing");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named_and_not_the_interpreter() {
    let (_, sink) = events();
    for runtime in ["python", "nodejs", "go"] {
        let Some(stage) = Stage::new(runtime, "tour") else { return };
        std::fs::remove_dir_all(&stage.program).unwrap();
        let host = host_for(runtime, Arc::new(stage.settings.clone())).unwrap();
        let expected = format!("the program's folder '{}' does not exist", stage.program.display());
        let ran = host.run(stage.request(), CancellationToken::new()).await.unwrap_err();
        let installed = host.install_dependencies(&stage.info(), &sink, true).await.unwrap_err();
        for error in [ran, installed] {
            assert_eq!((error.code, error.message.as_str()), ("program-missing", expected.as_str()));
        }
        let mut info = stage.info();
        info.options = PropertyMap::new();
        if let Err(error) = host.required_packages(&info).await {
            assert_eq!((error.code, error.message), ("program-missing", expected));
        }
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn events() -> (Arc<CollectedEvents>, Arc<dyn EventSink>) {
    let events = Arc::new(CollectedEvents::default());
    (Arc::clone(&events), events)
}

#[tokio::test]
async fn dependencies_are_installed_where_they_are_missing() {
    let Some(stage) = Stage::new("go", "tour") else { return };
    let host = host_for("go", Arc::new(stage.settings.clone())).unwrap();
    let (collected, sink) = events();
    std::fs::remove_file(stage.program.join("go.sum")).unwrap();
    host.install_dependencies(&stage.info(), &sink, false).await.unwrap();
    assert!(stage.program.join("go.sum").is_file());
    let done = collected.all().iter().any(|event| matches!(event, EngineEvent::Progress { done: true, .. }));
    assert!(done, "the end of the installation was not announced");
    let (collected, sink) = events();
    host.install_dependencies(&stage.info(), &sink, false).await.unwrap();
    assert!(collected.all().is_empty(), "it was installed again");
    assert_eq!(host.required_packages(&stage.info()).await.unwrap(), []);

    let Some(stage) = Stage::new("nodejs", "tour") else { return };
    let host = host_for("nodejs", Arc::new(stage.settings.clone())).unwrap();
    std::fs::remove_file(stage.program.join("node_modules")).unwrap();
    std::fs::create_dir(stage.program.join("local")).unwrap();
    std::fs::write(
        stage.program.join("local/package.json"),
        r#"{"name":"local","version":"1.2.0","pulumi":{"resource":true,"name":"faultcloud"}}"#,
    )
    .unwrap();
    std::fs::write(
        stage.program.join("package.json"),
        r#"{"name":"t","dependencies":{"local":"file:local"}}"#,
    )
    .unwrap();
    let (_, sink) = events();
    host.install_dependencies(&stage.info(), &sink, false).await.unwrap();
    let packages = host.required_packages(&stage.info()).await.unwrap();
    assert_eq!(packages, [PackageDescriptor::new("faultcloud", "1.2.0")]);
}

#[tokio::test]
async fn programs_that_do_not_compile_are_shown_with_the_compilers_words() {
    let Some(stage) = Stage::new("go", "tour") else { return };
    std::fs::write(stage.program.join("wrong.go"), "package main\n\nvar x int = \"text\"\n").unwrap();
    let host = host_for("go", Arc::new(stage.settings.clone())).unwrap();
    let error = host.run(stage.request(), CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code, "program-does-not-compile");
    assert!(error.message.contains("wrong.go:3"), "{error}");
}
