//! I9: bad input gives a diagnostic that names the place and the way out, ends with a code that isn't
//! zero, and changes nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, Running, Sealed, files_below};

const PROGRAM: &str = "\
name: shop
runtime: yaml
resources:
  first:
    type: faultcloud:Object
    properties:
      value: a
  second:
    type: faultcloud:Object
    properties:
      value: ${first.arn}
";

/// A stack `dev` of the program, not deployed yet.
fn fresh() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", PROGRAM);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

fn deployed() -> Sealed {
    let sealed = fresh();
    sealed.run(UP).exits(0);
    sealed.forget_calls();
    sealed
}

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

/// Every file of the backend: its length and a hash of its bytes.
fn backend(sealed: &Sealed) -> BTreeMap<PathBuf, (usize, u64)> {
    let digest = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        (bytes.len(), hasher.finish())
    };
    files_below(sealed.bucket()).into_iter().map(|path| (path.clone(), digest(&path))).collect()
}

/// Runs what is to be refused before anything is begun.
#[track_caller]
fn refused<'a>(
    sealed: &Sealed,
    arguments: impl IntoIterator<Item = &'a str>,
    code: i32,
    says: &[&str],
) -> Ran {
    let (files, objects) = (backend(sealed), sealed.objects());
    let ran = sealed.run(arguments).exits(code);
    for text in says {
        assert!(ran.stderr.contains(text), "{text:?} isn't said\n{ran}");
    }
    assert_eq!(backend(sealed), files, "the backend was changed\n{ran}");
    assert_eq!(sealed.objects(), objects, "the cloud was changed\n{ran}");
    assert!(!sealed.calls().iter().any(|call| call.changes_the_cloud()), "{ran}");
    ran
}

/// Runs a program that is to fail without having done anything, as a preview and as an update.
#[track_caller]
fn fails(sealed: &Sealed, says: &[&str]) {
    let (state, objects) = (resources(sealed), sealed.objects());
    for arguments in [&["preview"][..], &UP] {
        let ran = sealed.run(arguments.iter().copied()).exits(1);
        for text in says {
            assert!(ran.output().contains(text), "{text:?} isn't said\n{ran}");
        }
        assert_eq!(resources(sealed), state, "the state was changed\n{ran}");
        assert_eq!(sealed.objects(), objects, "the cloud was changed\n{ran}");
        assert!(!sealed.calls().iter().any(|call| call.changes_the_cloud()), "{ran}");
        assert_eq!(locks(sealed), Vec::<PathBuf>::new());
    }
}

fn locks(sealed: &Sealed) -> Vec<PathBuf> {
    files_below(&sealed.bucket().join(".pulumi/locks"))
}

/// The resources of the state.
fn resources(sealed: &Sealed) -> Value {
    sealed.run(["stack", "export"]).exits(0).json()["deployment"]["resources"].clone()
}

/// The state's objects by name.
fn objects_in_state(sealed: &Sealed) -> BTreeMap<String, Value> {
    let all = resources(sealed);
    let objects = all.as_array().unwrap().iter().filter(|r| r["type"] == "faultcloud:index:Object");
    objects.map(|r| (name_of(&r["urn"]), r.clone())).collect()
}

fn name_of(urn: &Value) -> String {
    urn.as_str().unwrap().rsplit("::").next().unwrap().to_owned()
}

/// The pending operations of the state: what was going on, and with which resource.
fn pending(sealed: &Sealed) -> Vec<(String, String)> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let none = Vec::new();
    let pending = export["deployment"]["pending_operations"].as_array().unwrap_or(&none);
    pending.iter().map(|p| (p["type"].as_str().unwrap().to_owned(), name_of(&p["resource"]["urn"]))).collect()
}

#[test]
fn a_yaml_program_that_is_wrong_is_told_the_line_and_the_way_out() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "value: a\n",
            "vlaue: a\n",
            &["Pulumi.yaml:7:7", "has no property \"vlaue\"", "did you mean \"value\"?"],
        ),
        (
            "${first.arn}",
            "${frist.arn}",
            &["Pulumi.yaml:11:14", "is named \"frist\"", "did you mean \"first\"?"],
        ),
        (
            "${first.arn}",
            "${first.arm}",
            &["Pulumi.yaml:11:14", "first has no property \"arm\"", "did you mean \"arn\"?"],
        ),
        ("value: a\n", "value: ${second.arn}\n", &["Pulumi.yaml:4:3", "first → second → first", "take one"]),
        ("value: a\n", "value: ${first\n", &["Pulumi.yaml:7:14"]),
        ("value: a\n", "value: { fn::nosuch: 1 }\n", &["Pulumi.yaml:7:16", "nosuch"]),
        (
            "type: faultcloud:Object\n    properties:\n      value: a",
            "type: faultcloud:Objekt",
            &[
                "Pulumi.yaml:5:11",
                "no resource type \"faultcloud:Objekt\"",
                "did you mean \"faultcloud:index:Object\"?",
            ],
        ),
        (
            "type: faultcloud:Object\n    properties:\n      value: a",
            "type: nosuch:Thing",
            &[
                "Pulumi.yaml:5:11",
                "the resource plugin nosuch was not found",
                "put the executable pulumi-resource-nosuch on the search path",
            ],
        ),
    ];
    let sealed = deployed();
    for (old, new, says) in cases {
        sealed.write("Pulumi.yaml", &PROGRAM.replacen(old, new, 1));
        fails(&sealed, says);
    }
    let says: &[&str] = &["unknown key \"optoins\"", "Pulumi.yaml:6:5", "did you mean \"options\"?"];
    sealed.write(
        "Pulumi.yaml",
        &PROGRAM.replacen("    properties:\n", "    optoins: {}\n    properties:\n", 1),
    );
    refused(&sealed, ["preview"], 1, says);
    refused(&sealed, UP, 1, says);
}

/// The ecosystem takes unknown sections without a word, and deletes all resources with this one.
#[test]
fn a_mistyped_section_of_a_yaml_program_is_warned_of() {
    let sealed = deployed();
    sealed.write("Pulumi.yaml", &PROGRAM.replacen("resources:", "resorces:", 1));
    let ran = sealed.run(["preview"]).exits(0);
    assert!(ran.output().contains("Pulumi.yaml:3:1: unknown key \"resorces\""), "{ran}");
    assert!(ran.output().contains("did you mean \"resources\"?"), "{ran}");
}

#[test]
fn a_python_program_that_throws_shows_where() {
    let mut sealed = deployed();
    sealed.use_python();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: python\n");
    sealed.write(
        "__main__.py",
        "import pulumi\n\ndef broken():\n    raise ValueError('the shelf is empty')\n\nbroken()\n",
    );
    fails(&sealed, &["__main__.py\", line 4, in broken", "ValueError: the shelf is empty"]);
    sealed.write("__main__.py", "import pulumi\nthis is no python\n");
    fails(&sealed, &["__main__.py\", line 2", "SyntaxError"]);
    sealed.write("__main__.py", "import sys\nsys.exit(3)\n");
    fails(&sealed, &["exit"]);
}

#[test]
fn a_passphrase_that_is_wrong_or_missing_is_known_before_anything_is_done() {
    let mut sealed = fresh();
    for deployed in [false, true] {
        if deployed {
            sealed.run(UP).exits(0);
            sealed.forget_calls();
            sealed.run(["config", "set", "--secret", "other", "1"]).exits(0);
            sealed.run(["config", "rm", "other"]).exits(0);
        }
        sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
        for arguments in [&UP[..], &["up", "--yes"], &["refresh", "--yes"], &["destroy", "--yes"]] {
            refused(
                &sealed,
                arguments.iter().copied(),
                1,
                &["incorrect passphrase", "PULUMI_CONFIG_PASSPHRASE"],
            );
        }
        refused(&sealed, ["config", "set", "--secret", "a", "b"], 1, &["incorrect passphrase"]);
        sealed.unset("PULUMI_CONFIG_PASSPHRASE");
        for arguments in [&UP[..], &["destroy", "--yes", "--skip-preview"]] {
            let says = ["none was given", "set PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"];
            refused(&sealed, arguments.iter().copied(), 1, &says);
        }
        sealed.set("PULUMI_CONFIG_PASSPHRASE_FILE", "nowhere");
        refused(&sealed, UP, 1, &["nowhere can't be read", "PULUMI_CONFIG_PASSPHRASE_FILE must name a file"]);
        sealed.unset("PULUMI_CONFIG_PASSPHRASE_FILE");
        sealed.set("PULUMI_CONFIG_PASSPHRASE", "correct horse");
    }
}

/// Programs are started while the passphrase is being checked.
#[test]
fn a_program_that_is_not_wanted_after_all_says_nothing_of_its_end() {
    let mut sealed = deployed();
    sealed.use_python();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: python\n");
    sealed.write("__main__.py", "import pulumi\npulumi.export('a', 1)\n");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
    let ran = refused(&sealed, UP, 1, &["incorrect passphrase"]);
    assert!(!ran.output().contains("Traceback"), "{ran}");
    assert!(!ran.output().contains("Interrupt"), "{ran}");
}

#[test]
fn a_broken_project_file_is_told_its_place() {
    let sealed = deployed();
    let cases: &[(&[u8], &[&str])] = &[
        (b"name: shop\nruntime: yaml\nresources: {\n", &["Pulumi.yaml:4:1", "invalid YAML file"]),
        (b"name: shop\nruntime: yaml\nresources:\n\tfirst: x\n", &["Pulumi.yaml:4:2", "tabs"]),
        (b"runtime: yaml\n", &["Pulumi.yaml:1:1", "missing a 'name' attribute"]),
        (b"name: [a]\nruntime: yaml\n", &["Pulumi.yaml:1:7", "'name'"]),
        (
            b"name: shop\nname: shop\nruntime: yaml\n",
            &["Pulumi.yaml:2:1", "\"name\" already defined at line 1"],
        ),
        (b"", &["Pulumi.yaml", "expected project to be an object"]),
        (b"- a\n- b\n", &["Pulumi.yaml:1:1", "expected project to be an object"]),
        (b"name: sh\xffop\nruntime: yaml\n", &["Pulumi.yaml", "line 1 is not valid UTF-8"]),
        (b"name: shop\n", &["Pulumi.yaml", "names no runtime", "set `runtime` in the project file"]),
        (b"name: shop\nruntime: cobol\n", &["Pulumi.yaml", "no runtime called 'cobol'", "python"]),
        (b"name: shop\nruntime: yaml\nmain: nowhere\n", &["nowhere", "main"]),
        (b"name: shop\nruntime: yaml\nrequiredPulumiVersion: '>=99.0.0'\n", &["3.260.0", ">=99.0.0"]),
        (b"name: shop\nruntime: yaml\nconfig: { size: { type: integer } }\n", &["'size'", "config set size"]),
    ];
    for (text, says) in cases {
        std::fs::write(sealed.directory().join("Pulumi.yaml"), text).unwrap();
        refused(&sealed, ["preview"], 1, says);
        refused(&sealed, UP, 1, says);
    }
}

#[test]
fn a_broken_settings_file_is_told_its_place() {
    let sealed = deployed();
    sealed.write("Pulumi.dev.yaml", "config:\n  shop:a: [\n");
    refused(&sealed, ["preview"], 1, &["Pulumi.dev.yaml:3:1"]);
    refused(&sealed, UP, 1, &["Pulumi.dev.yaml:3:1"]);
    refused(&sealed, ["config"], 1, &["Pulumi.dev.yaml:3:1"]);
}

#[test]
fn a_checkpoint_that_is_damaged_or_too_new_is_refused() {
    let sealed = deployed();
    let path = sealed.bucket().join(".pulumi/stacks/shop/dev.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    let version = "\"version\":3";
    assert!(whole.contains(version), "{whole}");
    let newer = whole.replacen(version, "\"version\":99", 1);
    let features =
        whole.replacen(version, "\"version\":4,\"features\":[\"refreshBeforeUpdate\",\"timeTravel\"]", 1);
    let other = whole.replacen("\"resources\":[", "\"resources\":{", 1);
    let cases: &[(&str, &[&str])] = &[
        (&whole[..whole.len() / 2], &["ends too early", "line 1", ".bak", ".pulumi/backups"]),
        ("", &["ends too early", ".bak"]),
        (&other, &["line 1", ".bak"]),
        (&newer, &["version 99", "use the newer program"]),
        (&features, &["timeTravel", "use the newer program"]),
    ];
    let commands: &[&[&str]] = &[
        &["preview"],
        &UP,
        &["refresh", "--yes"],
        &["destroy", "--yes"],
        &["stack", "export"],
        &["cancel", "--yes"],
    ];
    for (text, says) in cases {
        std::fs::write(&path, text).unwrap();
        for command in commands {
            let ran = refused(&sealed, command.iter().copied(), 1, says);
            assert!(ran.stderr.contains("stacks/shop/dev.json"), "{ran}");
        }
        sealed.run(["stack", "ls"]).exits(0);
    }
    std::fs::write(&path, &whole).unwrap();
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn a_locked_stack_is_left_alone_and_its_holder_is_named() {
    let sealed = deployed();
    let locks = sealed.bucket().join(".pulumi/locks/organization/shop/dev");
    std::fs::create_dir_all(&locks).unwrap();
    let name = "0a0a0a0a-0000-4000-8000-000000000001.json";
    let lock = json!({
        "pid": 4711, "username": "ann", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05Z",
    });
    std::fs::write(locks.join(name), lock.to_string()).unwrap();
    let says = [
        "the stack is currently locked by 1 lock(s)",
        name,
        "created by ann@elsewhere (pid 4711) at 2026-01-02T03:04:05Z",
        "purlin cancel",
    ];
    let commands: &[&[&str]] = &[
        &UP,
        &["refresh", "--yes", "--skip-preview"],
        &["destroy", "--yes", "--skip-preview"],
        &["stack", "rm", "--force", "--yes"],
        &["state", "unprotect", "--all", "--yes"],
    ];
    for command in commands {
        refused(&sealed, command.iter().copied(), 1, &says);
    }
    // What only reads is possible.
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    sealed.run(["stack", "export"]).exits(0);
    let cancel = sealed.run(["cancel", "--yes"]).exits(0);
    assert!(cancel.stdout.contains("ann@elsewhere"), "{cancel}");
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
}

#[test]
fn a_stack_that_is_not_there_has_an_exit_code_of_its_own() {
    let sealed = deployed();
    let commands: &[&[&str]] = &[
        &["preview", "--stack", "nope"],
        &["up", "--yes", "--stack", "nope"],
        &["refresh", "--yes", "--stack", "nope"],
        &["destroy", "--yes", "--stack", "nope"],
        &["cancel", "nope", "--yes"],
        &["config", "--stack", "nope"],
        &["config", "set", "a", "b", "--stack", "nope"],
        &["stack", "--stack", "nope"],
        &["stack", "select", "nope"],
        &["stack", "export", "--stack", "nope"],
        &["stack", "output", "--stack", "nope"],
        &["stack", "history", "--stack", "nope"],
        &["stack", "rm", "nope", "--yes"],
        &["state", "delete", "x", "--stack", "nope", "--yes"],
    ];
    for command in commands {
        refused(&sealed, command.iter().copied(), 6, &["no stack named 'nope' found"]);
    }
    assert!(!sealed.directory().join("Pulumi.nope.yaml").exists());
    std::fs::remove_file(sealed.directory().join("Pulumi.yaml")).unwrap();
    for command in [&["preview"][..], &UP, &["config"], &["stack", "init", "other"], &["stack"]] {
        refused(&sealed, command.iter().copied(), 1, &["no Pulumi.yaml project file found", "pulumi new"]);
    }
}

#[test]
fn a_provider_that_dies_in_a_call_leaves_the_operation_pending() {
    for (fault, made) in [("crashBefore", 1), ("crashAfter", 2)] {
        let sealed = fresh();
        sealed.faults(&json!({ "second": { fault: ["create"] } }));
        let ran = sealed.run(UP).exits(1);
        for text in [
            "the resource plugin faultcloud ended unexpectedly (exit status: 137)",
            "nobody knows whether the operation took effect",
            "run `refresh` to find out",
        ] {
            assert!(ran.output().contains(text), "{text:?} isn't said\n{ran}");
        }
        assert_eq!(sealed.objects().len(), made, "{ran}");
        assert_eq!(objects_in_state(&sealed).into_keys().collect::<Vec<_>>(), ["first"]);
        assert_eq!(pending(&sealed), [("creating".to_owned(), "second".to_owned())]);
        assert_eq!(locks(&sealed), Vec::<PathBuf>::new());

        sealed.faults(&Value::Null);
        let again = sealed.run(UP).exits(0);
        assert!(again.output().contains("1 pending operations"), "{again}");
        assert!(again.output().contains("Object::second, interrupted while creating"), "{again}");
        assert_eq!(objects_in_state(&sealed).len(), 2);
        assert_eq!(pending(&sealed).len(), 1, "what may have been leaked is not forgotten");
        sealed.run(["refresh", "--yes", "--skip-preview", "--clear-pending-creates"]).exits(0);
        assert_eq!(pending(&sealed), []);
    }
}

#[test]
fn a_provider_that_dies_in_an_update_or_delete_leaves_the_operation_pending() {
    let sealed = deployed();
    sealed.write("Pulumi.yaml", &PROGRAM.replacen("value: a\n", "value: b\n", 1));
    sealed.faults(&json!({ "first": { "crashAfter": ["update"] } }));
    sealed.run(UP).exits(1);
    assert_eq!(pending(&sealed), [("updating".to_owned(), "first".to_owned())]);
    sealed.faults(&Value::Null);
    sealed.run(["refresh", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(pending(&sealed), []);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);

    sealed.faults(&json!({ "second": { "crashAfter": ["delete"] } }));
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(1);
    assert_eq!(pending(&sealed), [("deleting".to_owned(), "second".to_owned())]);
    assert_eq!(objects_in_state(&sealed).len(), 2);
    sealed.faults(&Value::Null);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert_eq!((sealed.objects().len(), pending(&sealed).len()), (0, 0));
}

#[test]
fn a_partial_create_is_recorded_and_completed_by_the_next_update() {
    let sealed = fresh();
    sealed.faults(&json!({ "first": { "partial": ["create"] } }));
    let ran = sealed.run(UP).exits(1);
    for text in
        ["Object::first", "faultcloud: the object is not ready", "the next update tries to complete it"]
    {
        assert!(ran.output().contains(text), "{text:?} isn't said\n{ran}");
    }
    let state = objects_in_state(&sealed);
    assert_eq!(state.keys().collect::<Vec<_>>(), ["first"]);
    assert_eq!(state["first"]["initErrors"], json!(["faultcloud: the object is not ready"]));
    assert_eq!(sealed.objects().into_keys().collect::<Vec<_>>(), [state["first"]["id"].as_str().unwrap()]);
    assert_eq!(pending(&sealed), []);

    sealed.faults(&Value::Null);
    sealed.run(UP).exits(0);
    let state = objects_in_state(&sealed);
    assert!(state["first"].get("initErrors").is_none(), "{state:?}");
    assert_eq!((state.len(), sealed.objects().len()), (2, 2));
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

/// Waits until the provider has begun to create an object.
fn until_creating(sealed: &Sealed, running: &mut Running, name: &str) {
    let creating = || sealed.calls().iter().any(|c| c.changes_the_cloud() && c.name() == name);
    running.until("the provider is in the call", creating);
}

#[test]
fn an_interrupt_gives_the_provider_the_chance_to_stop_by_itself() {
    for signal in ["INT", "TERM"] {
        let sealed = fresh();
        sealed.faults(&json!({ "first": { "createDelayMs": 60_000 } }));
        let mut running = sealed.start(UP, None);
        until_creating(&sealed, &mut running, "first");
        running.signal(signal);
        let ran = running.wait().exits(1);
        assert!(ran.stderr.contains("Stopping: waiting for what is in flight"), "{ran}");
        assert!(ran.output().contains("faultcloud: the operation was canceled"), "{ran}");
        assert_eq!((sealed.objects().len(), pending(&sealed).len()), (0, 0));
        assert_eq!(locks(&sealed), Vec::<PathBuf>::new());
        sealed.faults(&Value::Null);
        sealed.run(UP).exits(0);
    }
}

#[test]
fn a_provider_that_hangs_on_cancel_is_ended_by_a_second_interrupt() {
    let sealed = fresh();
    sealed.faults(&json!({ "second": { "stallAfter": ["create"] } }));
    let mut running = sealed.start(UP, None);
    let made = || sealed.objects().len() == 2;
    running.until("the second object is made", made);
    running.signal("INT");
    let cancelled = || sealed.calls().iter().any(|call| call.method == "Cancel");
    running.until("the provider has heard of it", cancelled);
    let since = Instant::now();
    running.signal("INT");
    let ran = running.wait().exits(1);
    // It takes a tenth of that. What counts is that nothing that hangs is waited for.
    assert!(since.elapsed() < Duration::from_secs(4), "waited for what hangs: {:?}\n{ran}", since.elapsed());
    assert!(ran.stderr.contains("Stopping at once"), "{ran}");
    assert!(ran.output().contains("nobody knows whether the operation took effect"), "{ran}");
    assert_eq!(objects_in_state(&sealed).into_keys().collect::<Vec<_>>(), ["first"]);
    assert_eq!(pending(&sealed), [("creating".to_owned(), "second".to_owned())]);
    assert_eq!(locks(&sealed), Vec::<PathBuf>::new());
}

/// I4: two writers never both succeed.
#[test]
fn a_stack_that_is_being_changed_is_left_alone_and_can_be_taken_over() {
    let sealed = fresh();
    sealed.faults(&json!({ "first": { "createAfterDelayMs": 4000, "ignoreCancel": true } }));
    let mut first = sealed.start(UP, None);
    until_creating(&sealed, &mut first, "first");
    let says = [
        "the stack is currently locked by 1 lock(s)",
        "created by tester@",
        &format!("(pid {})", first.pid()),
    ];
    for command in [&UP[..], &["destroy", "--yes", "--skip-preview"], &["refresh", "--yes", "--skip-preview"]]
    {
        let ran = sealed.run(command.iter().copied()).exits(1);
        assert!(says.iter().all(|text| ran.stderr.contains(text)), "{ran}");
    }
    assert_eq!(pending(&sealed), [("creating".to_owned(), "first".to_owned())], "the export folds in memory");

    let cancel = sealed.run(["cancel", "--yes"]).exits(0);
    assert!(cancel.stdout.contains("recovered") && cancel.stdout.contains("pending"), "{cancel}");
    let state = backend(&sealed);
    let lost = first.wait().exits(1);
    assert!(lost.output().contains("taken over"), "{lost}");
    assert_eq!(backend(&sealed), state, "a writer that lost the stack has written\n{lost}");
    assert_eq!(pending(&sealed), [("creating".to_owned(), "first".to_owned())]);
    sealed.faults(&Value::Null);
    // What it did at the end is known on this machine only, and brought in before anything else.
    let next = sealed.run(UP).exits(0);
    assert!(next.stdout.contains("1 created") && !next.output().contains("first creat"), "{next}");
    assert_eq!(pending(&sealed), [], "the create is known to have ended");
    assert_eq!(objects_in_state(&sealed).len(), 2);
}

#[test]
fn a_plugin_that_does_not_start_is_named_with_the_way_out() {
    let sealed = fresh();
    let path = sealed.root().join("pulumi/plugins/resource-faultcloud-v1.0.0/pulumi-resource-faultcloud");
    for (script, executable, says) in [
        ("#!/bin/sh\n", false, "check that the file is there, is executable"),
        ("#!/bin/sh\necho hello\n", true, "its first line has to be a port, but is \"hello\""),
        ("#!/bin/sh\necho it broke >&2; exit 3\n", true, "it broke"),
    ] {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(if executable { 0o755 } else { 0o644 });
        std::fs::set_permissions(&path, mode).unwrap();
        fails(&sealed, &["the resource plugin faultcloud", "pulumi-resource-faultcloud", says]);
    }
}

#[test]
fn tools_that_are_missing_are_named_with_the_way_out() {
    let mut sealed = deployed();
    sealed.set("PATH", "/no/such/place");
    sealed.write("go.mod", "module shop\n\ngo 1.24\n");
    sealed.write("main.go", "package main\n\nfunc main() {}\n");
    for (runtime, says) in [
        ("python", ["`python3` is not on the search path", "install Python"]),
        ("nodejs", ["`node` is not on the search path", "install Node"]),
        ("go", ["`go` is not on the search path", "install Go"]),
    ] {
        sealed.write("Pulumi.yaml", &format!("name: shop\nruntime: {runtime}\n"));
        fails(&sealed, &says);
    }
}

#[test]
fn a_go_program_that_does_not_compile_shows_where() {
    let mut sealed = deployed();
    sealed.use_go();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: go\n");
    sealed.write("go.mod", "module shop\n\ngo 1.24\n");
    sealed.write("main.go", "package main\n\nfunc main() {\n\tundefinedThing()\n}\n");
    fails(&sealed, &["./main.go:4:2", "undefinedThing"]);
}

#[test]
fn a_program_that_does_not_end_is_ended_by_an_interrupt() {
    let mut sealed = fresh();
    sealed.use_python();
    sealed.write("Pulumi.yaml", "name: shop\nruntime: python\n");
    sealed.write("__main__.py", "import os, time\nopen('started', 'w').close()\ntime.sleep(600)\n");
    let mut running = sealed.start(UP, None);
    let started = sealed.directory().join("started");
    running.until("the program runs", || started.exists());
    running.signal("INT");
    running.wait().exits(1);
    assert_eq!(locks(&sealed), Vec::<PathBuf>::new());
}
