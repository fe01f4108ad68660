//! Hooks of real programs, with the official SDKs.

use serde_json::{Value, json};

use crate::support::{Sealed, copy_folder, repository};

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

fn stack_of(program: &str) -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    copy_folder(&repository(&format!("tests/programs/{program}")), sealed.directory());
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// What was noted since the last time. Secrets are shown by SDKs in ways of their own.
fn noted(sealed: &Sealed) -> Vec<String> {
    let path = sealed.directory().join("hooks.txt");
    let lines = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    lines.lines().map(str::to_owned).collect()
}

fn resources(sealed: &Sealed) -> Vec<Value> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    export["deployment"]["resources"].as_array().cloned().unwrap_or_default()
}

fn thing(sealed: &Sealed) -> Option<Value> {
    resources(sealed).into_iter().find(|state| state["type"] == "faultcloud:index:Object")
}

fn all_hooks(sealed: &Sealed) {
    sealed.run(["config", "set", "value", "one"]).exits(0);
    sealed.run(["preview"]).exits(0);
    assert_eq!(noted(sealed), [""; 0], "previews call only hooks that want it");
    sealed.run(UP).exits(0);
    assert_eq!(noted(sealed), ["before_create thing - one - -", "after_create thing - one - one"]);
    let state = thing(sealed).unwrap();
    assert_eq!(state["resourceHooks"]["BeforeDelete"], json!(["before_delete"]), "{state}");

    sealed.run(["config", "set", "value", "two"]).exits(0);
    sealed.run(UP).exits(0);
    assert_eq!(noted(sealed), ["before_update thing one two one -", "after_update thing one two one two"]);

    sealed.run(["config", "set", "value", "three"]).exits(0);
    sealed.run(["config", "set", "again", "true"]).exits(0);
    sealed.faults(&json!({ "thing": { "fail": ["update"], "failTimes": 2 } }));
    let up = sealed.run(UP).exits(0);
    assert!(up.output().contains("retrying update due to on-error hook request (2/100)"), "{up}");
    let noted_now = noted(sealed);
    assert_eq!(noted_now[1..3], ["error thing update 1", "error thing update 2"], "{noted_now:?}");
    sealed.faults(&Value::Null);

    sealed.run(["config", "set", "fails", "after_update"]).exits(0);
    sealed.run(["config", "set", "value", "four"]).exits(0);
    let failed = sealed.run(UP).exits(1);
    assert!(failed.output().contains("after_update is to fail"), "{failed}");
    assert_eq!(thing(sealed).unwrap()["inputs"]["value"], "four", "what was done is in the state");
    noted(sealed);

    let refused = sealed.run(["destroy", "--yes", "--skip-preview"]).exits(1);
    assert!(refused.output().contains("--run-program"), "{refused}");
    assert_eq!(noted(sealed), [""; 0]);

    sealed.run(["config", "set", "fails", "before_delete"]).exits(0);
    sealed.run(["config", "rm", "value"]).exits(0);
    sealed.run(UP).exits(1);
    assert!(thing(sealed).is_some() && noted(sealed) == ["before_delete thing four - four -"]);
    sealed.run(["config", "rm", "fails"]).exits(0);
    sealed.run(UP).exits(0);
    assert_eq!(noted(sealed), ["before_delete thing four - four -", "after_delete thing four - four -"]);
    assert!(thing(sealed).is_none());
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
}

#[test]
fn hooks_of_a_python_program_are_called() {
    let mut sealed = stack_of("python/hooks");
    sealed.use_python();
    all_hooks(&sealed);
}

#[test]
fn hooks_of_a_javascript_program_are_called() {
    let sealed = stack_of("node/hooks");
    sealed.use_node();
    all_hooks(&sealed);
}
