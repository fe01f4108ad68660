//! A stack's life from its making to its removal, with exit codes, JSON forms and secrets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Ran, Sealed};

const TOKEN: &str = "tok-4711-clear";
const INNER: &str = "inner-0815-clear";

/// A program of three objects, the second made from the first, with open and secret outputs.
fn program(size: &str) -> String {
    format!(
        r#"name: shop
runtime: yaml
config:
  token: {{ type: string, secret: true }}
  size: {{ type: string, default: "{size}" }}
variables:
  inner:
    fn::secret: {INNER}
resources:
  first:
    type: faultcloud:Object
    properties: {{ value: "${{size}}", secretValue: "${{token}}" }}
  second:
    type: faultcloud:Object
    properties: {{ value: {{ from: "${{first.arn}}", hidden: "${{inner}}" }} }}
  third:
    type: faultcloud:Object
    properties: {{ replaceOn: "${{size}}" }}
    options: {{ dependsOn: ["${{second}}"] }}
outputs:
  arn: ${{first.arn}}
  size: ${{size}}
  token: ${{token}}
  deep: {{ open: 1, hidden: "${{inner}}" }}
"#
    )
}

/// A stack `dev` of the program, not deployed yet.
fn shop() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program("small"));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run_with_input(["config", "set", "--secret", "token"], TOKEN).exits(0);
    sealed
}

/// The same, deployed.
fn deployed() -> Sealed {
    let sealed = shop();
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    sealed
}

/// The names of the objects in the cloud.
fn names(sealed: &Sealed) -> Vec<String> {
    let mut names: Vec<String> =
        sealed.objects().keys().map(|id| id.split('-').next().unwrap_or_default().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The operations of a preview's steps by the resource's name; unchanged resources left out.
fn operations(preview: &Ran) -> BTreeMap<String, String> {
    let document = preview.json();
    let none = Vec::new();
    let steps = document["steps"].as_array().unwrap_or(&none);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps
        .iter()
        .filter(|step| step["op"] != "same")
        .map(|step| (text(&step["urn"]).rsplit("::").next().unwrap().to_owned(), text(&step["op"])))
        .collect()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// The resources of a stack's file by name.
fn resources(sealed: &Sealed) -> BTreeMap<String, Value> {
    let checkpoint = sealed.checkpoint("shop", "dev");
    let none = Vec::new();
    let resources = checkpoint["checkpoint"]["latest"]["resources"].as_array().unwrap_or(&none).clone();
    let name = |r: &Value| r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    resources.into_iter().map(|r| (name(&r), r)).collect()
}

#[test]
fn a_preview_tells_what_would_be_made_and_makes_nothing() {
    let sealed = shop();
    let before = sealed.checkpoint("shop", "dev");
    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert_eq!(preview.json()["changeSummary"], json!({ "create": 4 }), "{preview}");
    let expected = [("first", "create"), ("second", "create"), ("shop-dev", "create"), ("third", "create")];
    assert_eq!(operations(&preview), map(expected), "{preview}");
    sealed.run(["preview", "--expect-no-changes"]).exits(7);
    assert!(sealed.objects().is_empty());
    assert_eq!(sealed.checkpoint("shop", "dev"), before);
    assert!(!sealed.calls().iter().any(|call| call.changes_the_cloud()));
}

#[test]
fn an_update_makes_what_the_program_says_and_a_second_one_nothing() {
    let sealed = shop();
    let up = sealed.run(["up", "--yes"]).exits(0);
    assert_eq!(names(&sealed), ["first", "second", "third"], "{up}");
    let made: Vec<String> = sealed
        .calls()
        .iter()
        .filter(|call| call.changes_the_cloud())
        .map(|call| format!("{} {}", call.method.to_lowercase(), call.name()))
        .collect();
    assert_eq!(made, ["create first", "create second", "create third"]);

    sealed.forget_calls();
    sealed.run(["up", "--yes", "--expect-no-changes"]).exits(0);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert_eq!(preview.json()["changeSummary"], json!({ "same": 4 }), "{preview}");
    assert!(!sealed.calls().iter().any(|call| call.changes_the_cloud()));
}

#[test]
fn what_is_done_is_told_line_by_line() {
    let sealed = shop();
    let up = sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    let expected = r#"Updating (dev):
 +  pulumi:pulumi:Stack shop-dev creating ([time])
 +  faultcloud:index:Object first creating ([time])
 +  faultcloud:index:Object first created ([time])
 +  faultcloud:index:Object second creating ([time])
 +  faultcloud:index:Object second created ([time])
 +  faultcloud:index:Object third creating ([time])
 +  faultcloud:index:Object third created ([time])
 +  pulumi:pulumi:Stack shop-dev created ([time])

Outputs:
    arn  : "faultcloud:first-[id]"
    deep : [secret]
    size : "small"
    token: [secret]

Resources:
    + 4 created

Duration: [time]"#;
    assert_eq!(up.normalised(&sealed.root()), expected, "{up}");
}

#[test]
fn a_change_updates_and_replaces_what_it_touches() {
    let sealed = deployed();
    let old = sealed.objects();
    sealed.run(["config", "set", "size", "large"]).exits(0);
    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert_eq!(operations(&preview), map([("first", "update"), ("third", "replace")]), "{preview}");
    let summary = json!({ "replace": 1, "same": 2, "update": 1 });
    assert_eq!(preview.json()["changeSummary"], summary, "{preview}");

    sealed.run(["up", "--yes", "--skip-preview", "--expect-no-changes"]).exits(7);
    let new = sealed.objects();
    let kept = |name: &str| new.keys().any(|id| id.starts_with(name) && old.contains_key(id));
    assert!(kept("first") && kept("second") && !kept("third"), "{old:?}\n{new:?}");
    assert_eq!(names(&sealed), ["first", "second", "third"]);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn a_refresh_takes_what_it_finds_into_the_state() {
    let sealed = deployed();
    sealed.run(["refresh", "--yes", "--expect-no-changes"]).exits(0);
    sealed.faults(&json!({ "first": { "drift": { "value": "by hand" } }, "third": { "gone": true } }));
    let before = sealed.checkpoint("shop", "dev");
    sealed.run(["refresh", "--preview-only", "--expect-no-changes"]).exits(7);
    assert_eq!(sealed.checkpoint("shop", "dev"), before);

    sealed.run(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(7);
    let history = sealed.run(["stack", "history", "--json"]).exits(0).json();
    assert_eq!(history[0]["resourceChanges"], json!({ "delete": 1, "same": 2, "update": 1 }));
    let found = resources(&sealed);
    assert_eq!(found["first"]["outputs"]["value"], "by hand");
    assert!(!found.contains_key("third"), "{found:?}");

    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert_eq!(operations(&preview), map([("first", "update"), ("third", "create")]), "{preview}");
    sealed.faults(&Value::Null);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    sealed.run(["up", "--refresh", "--yes", "--expect-no-changes"]).exits(0);
    assert_eq!(resources(&sealed)["first"]["outputs"]["value"], "small");
}

#[test]
fn a_destroy_deletes_dependents_first_and_leaves_an_empty_stack() {
    let sealed = deployed();
    sealed.forget_calls();
    sealed.run(["destroy", "--preview-only"]).exits(0);
    assert_eq!(names(&sealed), ["first", "second", "third"]);
    sealed.run(["destroy", "--yes"]).exits(0);
    let deleted: Vec<String> = sealed
        .calls()
        .iter()
        .filter(|call| call.changes_the_cloud())
        .map(|call| format!("{} {}", call.method.to_lowercase(), call.name()))
        .collect();
    assert_eq!(deleted, ["delete third", "delete second", "delete first"]);
    assert!(sealed.objects().is_empty());
    assert!(resources(&sealed).is_empty());
    sealed.run(["destroy", "--yes"]).exits(0);

    sealed.run(["stack", "rm", "dev", "--yes"]).exits(0);
    assert_eq!(sealed.run(["stack", "ls", "--json"]).exits(0).json(), json!([]));
    assert!(!sealed.directory().join("Pulumi.dev.yaml").exists());
}

#[test]
fn a_failed_update_exits_with_1_and_keeps_what_was_done() {
    let sealed = shop();
    sealed.faults(&json!({ "second": { "fail": ["create"] } }));
    let up = sealed.run(["up", "--yes", "--skip-preview"]).exits(1);
    assert!(up.output().contains("second"), "{up}");
    assert_eq!(names(&sealed), ["first"]);
    let kept = resources(&sealed);
    assert!(
        kept.contains_key("first") && !kept.contains_key("second") && !kept.contains_key("third"),
        "{kept:?}"
    );
    sealed.faults(&Value::Null);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(names(&sealed), ["first", "second", "third"]);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
}

#[test]
fn commands_that_need_an_answer_say_so_without_a_terminal() {
    let sealed = deployed();
    for (command, code) in [("up", 2), ("destroy", 2), ("refresh", 1)] {
        let refused = sealed.run([command]).exits(code);
        assert!(refused.stderr.contains("--yes"), "{refused}");
    }
    assert_eq!(names(&sealed), ["first", "second", "third"]);
}

#[test]
fn what_is_not_there_has_its_exit_code() {
    let sealed = shop();
    sealed.run(["stack", "export", "--stack", "missing"]).exits(6);
    sealed.run(["preview", "--stack", "missing"]).exits(6);
    sealed.run(["stack", "unselect"]).exits(0);
    sealed.run(["preview"]).exits(1);
    sealed.run(["up", "--no-such-flag"]).exits(1);
    sealed.write("Pulumi.yaml", "name: shop\nruntime: yaml\nresources: [");
    let broken = sealed.run(["preview", "--stack", "dev"]).exits(1);
    assert!(broken.stderr.contains("Pulumi.yaml"), "{broken}");
}

#[test]
fn a_wrong_passphrase_is_refused_and_changes_nothing() {
    let mut sealed = deployed();
    let before = sealed.checkpoint("shop", "dev");
    sealed.set("PULUMI_CONFIG_PASSPHRASE", "wrong");
    let refused = sealed.run(["up", "--yes", "--skip-preview"]);
    assert!(refused.code.is_some_and(|code| code != 0), "{refused}");
    assert!(refused.stderr.contains("passphrase"), "{refused}");
    assert_eq!(sealed.checkpoint("shop", "dev"), before);
    sealed.unset("PULUMI_CONFIG_PASSPHRASE");
    let refused = sealed.run(["up", "--yes", "--skip-preview"]);
    assert!(refused.stderr.contains("PULUMI_CONFIG_PASSPHRASE"), "{refused}");
    assert_eq!(sealed.checkpoint("shop", "dev"), before);
}

#[test]
fn outputs_are_read_back_in_every_form() {
    let sealed = deployed();
    assert_eq!(sealed.run(["stack", "output", "size"]).exits(0).stdout, "small\n");
    assert_eq!(sealed.run(["stack", "output", "token"]).exits(0).stdout, "[secret]\n");
    assert_eq!(
        sealed.run(["stack", "output", "token", "--show-secrets"]).exits(0).stdout,
        format!("{TOKEN}\n")
    );
    let arn = sealed.run(["stack", "output", "arn"]).exits(0).stdout;
    let hidden = sealed.run(["stack", "output", "--json"]).exits(0).json();
    let expected = json!({
        "arn": arn.trim(), "size": "small", "token": "[secret]", "deep": "[secret]",
    });
    assert_eq!(hidden, expected);
    let shown = sealed.run(["stack", "output", "--json", "--show-secrets"]).exits(0).json();
    assert_eq!(shown["deep"], json!({ "open": 1, "hidden": INNER }));
    sealed.run(["stack", "output", "nothing"]).exits(1);
}

#[test]
fn an_update_in_json_is_a_line_for_each_event() {
    let sealed = shop();
    let up = sealed.run(["up", "--yes", "--skip-preview", "--json"]).exits(0);
    let events = up.json_lines();
    let numbers: Vec<u64> = events.iter().map(|e| e["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{up}");
    assert!(events.iter().all(|e| e["timestamp"].as_i64().is_some_and(|t| t > 0)), "{up}");
    assert!(events[0].get("preludeEvent").is_some(), "{up}");
    assert_eq!(events[0]["preludeEvent"]["config"]["shop:token"], "[secret]", "{up}");
    let summary = events.iter().find_map(|e| e.get("summaryEvent")).unwrap_or_else(|| panic!("{up}"));
    assert_eq!(summary["resourceChanges"], json!({ "create": 4 }));
    assert!(events.last().unwrap().get("cancelEvent").is_some(), "{up}");
    let stack = events.iter().filter(|e| e["resOutputsEvent"]["metadata"]["type"] == "pulumi:pulumi:Stack");
    assert_eq!(stack.count(), 1, "a component's outputs come once\n{up}");
    assert!(
        !up.stdout.contains("pulumi:providers:faultcloud\""),
        "default providers are nobody's affair\n{up}"
    );
    let created = events.iter().filter(|e| e["resOutputsEvent"]["metadata"]["op"] == "create");
    assert_eq!(
        created.filter(|e| e["resOutputsEvent"]["metadata"]["type"] == "faultcloud:index:Object").count(),
        3
    );
}

#[test]
fn what_a_command_writes_is_its_status_and_kept_byte_by_byte() {
    let sealed = Sealed::new();
    let program = |end: &str| {
        format!(
            "name: shop\nruntime: yaml\nresources:\n  run:\n    type: command:local:Command\n    properties:\n      \
             create: \"printf '\\\\377ok\\\\n'; {end}\"\noutputs: {{ said: '${{run.stdout}}' }}\n"
        )
    };
    sealed.write("Pulumi.yaml", &program("exit 0"));
    sealed.run(["stack", "init", "dev"]).exits(0);
    let ran = sealed.run(["up", "--yes", "--skip-preview", "--json"]).exits(0);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let said: Vec<Value> =
        lines.map(|event| event["diagnosticEvent"].clone()).filter(Value::is_object).collect();
    let [line] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((&line["ephemeral"], &line["severity"]), (&json!(true), &json!("info")));
    let bytes =
        json!({"4dabf18193072939515e22adb298388d": "803fd3297a5875dc03ca845dda5d2a98", "value": "/29r"});
    assert_eq!(resources(&sealed)["run"]["outputs"]["stdout"], bytes);

    sealed.run(["destroy", "--yes"]).exits(0);
    let ran = sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    assert!(ran.stdout.contains("\u{fffd}ok\n") && !ran.stdout.contains("Diagnostics:"), "{ran}");
    sealed.write("Pulumi.yaml", &program("exit 3"));
    let failed = sealed.run(["up", "--yes", "--skip-preview"]).exits(1);
    let (_, diagnostics) = failed.stdout.split_once("Diagnostics:").unwrap();
    assert!(diagnostics.contains("exit status: 3:\n") && diagnostics.contains("\u{fffd}ok"), "{failed}");
}

#[test]
fn history_tells_what_was_done() {
    let sealed = deployed();
    sealed.run(["config", "set", "size", "large"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview", "--message", "a bigger one"]).exits(0);
    sealed.faults(&json!({ "third": { "fail": ["delete"] } }));
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(1);
    let history = sealed.run(["stack", "history", "--json"]).exits(0).json();
    let told: Vec<Value> =
        history.as_array().unwrap().iter().map(|h| json!([h["kind"], h["result"], h["message"]])).collect();
    let expected = json!([
        ["destroy", "failed", ""],
        ["update", "succeeded", "a bigger one"],
        ["update", "succeeded", ""],
    ]);
    assert_eq!(Value::from(told), expected);
    assert_eq!(history[1]["resourceChanges"], json!({ "replace": 1, "same": 2, "update": 1 }));
}

/// I6: a secret never appears in clear, neither in files nor in what is printed.
#[test]
fn secrets_never_appear_in_clear() {
    let sealed = shop();
    let mut printed = Vec::new();
    let mut run = |arguments: &[&str], code: i32| {
        printed.push(sealed.run(arguments.iter().copied()).exits(code));
    };
    run(&["preview"], 0);
    run(&["preview", "--diff"], 0);
    run(&["preview", "--json"], 0);
    run(&["up", "--yes", "--skip-preview", "--json"], 0);
    run(&["up", "--yes", "--diff", "--show-config", "--show-sames"], 0);
    run(&["config"], 0);
    run(&["config", "--json"], 0);
    run(&["stack"], 0);
    run(&["stack", "export"], 0);
    run(&["stack", "output"], 0);
    run(&["stack", "output", "--shell"], 0);
    run(&["config", "set", "size", "large"], 0);
    run(&["up", "--yes", "--debug", "--diff"], 0);
    run(&["refresh", "--yes", "--diff"], 0);
    run(&["stack", "history", "--json"], 0);
    run(&["destroy", "--yes", "--diff", "--show-replacement-steps"], 0);
    for ran in &printed {
        let output = ran.output();
        assert!(!output.contains(TOKEN) && !output.contains(INNER), "a secret was printed\n{ran}");
    }
    let program = sealed.directory().join("Pulumi.yaml");
    assert_eq!(sealed.files_with(TOKEN), Vec::<std::path::PathBuf>::new());
    assert_eq!(sealed.files_with(INNER), [program]);
}

/// I6 and I3: nor in what a killed run leaves, and what the cloud has been asked for is not forgotten.
#[test]
fn a_killed_run_leaves_no_secret_in_clear_and_forgets_nothing() {
    let sealed = shop();
    sealed.faults(&json!({ "second": { "stallAfter": ["create"] } }));
    let mut running = sealed.start(["up", "--yes", "--skip-preview"], None);
    running.until("the second object is made", || names(&sealed).contains(&"second".to_owned()));
    running.kill();
    sealed.faults(&Value::Null);
    assert_eq!(sealed.files_with(TOKEN), Vec::<std::path::PathBuf>::new());
    assert_eq!(sealed.files_with(INNER), [sealed.directory().join("Pulumi.yaml")]);

    let exported = sealed.run(["stack", "export"]).exits(0).json();
    let listed = |key: &str| exported["deployment"][key].to_string();
    assert!(listed("resources").contains("Object::first"), "{exported}");
    assert!(listed("pending_operations").contains("Object::second"), "{exported}");
    assert!(listed("pending_operations").contains("creating"), "{exported}");

    sealed.run(["cancel", "--yes"]).exits(0);
    let exported = sealed.run(["stack", "export"]).exits(0).json();
    assert!(
        exported["deployment"]["pending_operations"].to_string().contains("Object::second"),
        "{exported}"
    );
    assert!(resources(&sealed).contains_key("first"));
}
