//! What SDKs of one language or one age send in their own ways: options in Go, transforms in Python,
//! and an SDK from before features were asked for all at once.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{Sealed, copy_folder, repository, test_env};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

fn stack_of(program: &str) -> Sealed {
    let mut sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    copy_folder(&repository(&format!("tests/programs/{program}")), sealed.directory());
    if program.starts_with("python") {
        sealed.use_python();
    } else {
        sealed.use_go();
    }
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// The state's resources by name.
fn resources(sealed: &Sealed) -> BTreeMap<String, Value> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let all = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|r| (r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned(), r)).collect()
}

/// What reached the cloud, in order, of the objects named.
fn done(sealed: &Sealed, names: &[&str]) -> Vec<String> {
    let calls =
        sealed.calls().into_iter().filter(|call| call.changes_the_cloud() && names.contains(&call.name()));
    calls.map(|call| format!("{} {}", call.method, call.name())).collect()
}

#[test]
fn options_of_a_go_program_mean_what_they_say() {
    let sealed = stack_of("go/options");
    sealed.run(["config", "set", "word", "one"]).exits(0);
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    let provider = |name: &str| state[name]["provider"].as_str().unwrap().to_owned();
    assert!(provider("root").contains("::default"), "{state:?}");
    for name in ["child", "grandchild"] {
        assert!(provider(name).contains("::explicit::"), "{name}: {state:?}");
    }
    assert_eq!(state["grandchild"]["parent"], state["child"]["urn"]);
    assert_eq!(sealed.run(["stack", "output", "echo"]).exits(0).stdout.trim(), "asked");

    sealed.forget_calls();
    let id = state["child"]["id"].as_str().unwrap();
    sealed.run(["config", "set", "read", id]).exits(0);
    sealed.run(["config", "set", "word", "two"]).exits(0);
    sealed.run(UP).exits(0);
    assert_eq!(
        done(&sealed, &["root", "leaf"]),
        ["Delete leaf", "Delete root", "Create root", "Create leaf"]
    );
    assert_eq!(done(&sealed, &["picky"]), ["Create picky", "Delete picky"]);
    assert_eq!(done(&sealed, &["child", "grandchild"]), [""; 0]);
    let state = resources(&sealed);
    assert_eq!(state["read"]["external"], true);
    assert!(state["read"]["provider"].as_str().unwrap().contains("::explicit::"));
    assert_eq!(sealed.run(["stack", "output", "read"]).exits(0).stdout.trim(), "faultcloud:child");
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(sealed.objects().is_empty());
}

#[test]
fn transforms_of_a_python_program_run_from_the_resource_to_the_stack() {
    let sealed = stack_of("python/transforms");
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    assert_eq!(state["inner"]["inputs"]["tags"], json!({ "order": "own box stack" }));
    assert_eq!(state["outer"]["inputs"]["tags"], json!({ "order": " stack" }));
    assert!(state["inner"].get("protect").is_none(), "a transform took the protection away: {state:?}");
    assert_eq!(state["inner"]["ignoreChanges"].as_array().unwrap().len(), 3, "each transform adds a path");
    assert!(state["inner"]["inputs"]["secretValue"]["ciphertext"].is_string(), "{state:?}");
    // The program itself says it.
    let found = sealed.files_with("hidden-4711").into_iter().filter(|p| !p.starts_with(sealed.directory()));
    assert_eq!(found.count(), 0);
    assert_eq!(sealed.run(["stack", "output", "echo"]).exits(0).stdout.trim(), "hey!");
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
}

#[test]
fn a_program_with_an_old_sdk_does_what_it_did() {
    let sealed = stack_of("python/old");
    symlink(test_env("python-old/venv"), sealed.directory().join("venv")).unwrap();
    sealed.run(["config", "set", "--secret", "word", "old-word-0815"]).exits(0);
    sealed.run(["preview"]).exits(0);
    sealed.run(UP).exits(0);
    let state = resources(&sealed);
    assert_eq!(state["second"]["inputs"]["value"], "faultcloud:first");
    assert_eq!(state["second"]["dependencies"], json!([state["first"]["urn"]]));
    assert_eq!(
        sealed.files_with("old-word-0815"),
        Vec::<std::path::PathBuf>::new(),
        "secrets are negotiated"
    );
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);

    // An alias, and deletes at the end of a program that doesn't wait for them.
    sealed.forget_calls();
    sealed.run(["config", "set", "names", "renamed"]).exits(0);
    let ran = sealed.run(UP).exits(0);
    let renamed = resources(&sealed)["renamed"].clone();
    assert_eq!(renamed["id"].as_str().unwrap().split('-').next(), Some("renamed"), "{ran}");
    assert_eq!(sealed.objects().len(), 2);
    sealed.run(["config", "set", "names", "third"]).exits(0);
    sealed.run(UP).exits(0);
    let names: Vec<String> =
        resources(&sealed).into_keys().filter(|n| !n.contains("old") && n != "default").collect();
    assert_eq!(names, ["first", "third"]);
    assert_eq!(sealed.objects().len(), 2);

    // A failure reaches a program that can't be told of failures as an error, and the rest is done.
    sealed.faults(&json!({ "fourth": { "fail": ["create"] } }));
    sealed.run(["config", "set", "names", "fourth,third"]).exits(0);
    let ran = sealed.run([&UP[..], &["--continue-on-error"]].concat()).exits(1);
    assert!(ran.output().contains("fails on demand"), "{ran}");
    assert!(resources(&sealed).contains_key("third"));
    sealed.faults(&Value::Null);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(sealed.objects().is_empty());
}
