//! Real programs in real languages, with their official SDKs, from preview to destroy.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Ran, Sealed, copy_folder, repository};

const TOKEN: &str = "tok-4711-clear";
const LENT: &str = "lent-0815-clear";
const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

/// A stack of the program in a folder of `tests/programs`, beside a stack `base` that lends a secret.
fn stack_of(program: &str, config: &[(&str, &str)]) -> Sealed {
    let mut sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    let base = sealed.root().join("base");
    std::fs::create_dir(&base).unwrap();
    let own = sealed.directory().to_path_buf();
    sealed.enter(&base);
    let text =
        format!("name: base\nruntime: yaml\noutputs:\n  lent: {{ fn::secret: {{ value: {LENT} }} }}\n");
    sealed.write("Pulumi.yaml", &text);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(UP).exits(0);

    sealed.enter(&own);
    copy_folder(&repository(&format!("tests/programs/{program}")), &own);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["config", "set", "greeting", "hello"]).exits(0);
    sealed.run_with_input(["config", "set", "--secret", "token"], TOKEN).exits(0);
    for (key, value) in config {
        sealed.run(["config", "set", key, value]).exits(0);
    }
    sealed
}

/// The objects in the cloud by their names there.
fn objects(sealed: &Sealed) -> BTreeMap<String, Value> {
    let objects = sealed.objects().into_values();
    objects.map(|o| (o["outputs"]["name"].as_str().unwrap().to_owned(), o)).collect()
}

fn operations(preview: &Ran) -> BTreeMap<String, String> {
    let document = preview.json();
    let none = Vec::new();
    let steps = document["steps"].as_array().unwrap_or(&none).clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = steps.iter().filter(|step| step["op"] != "same" && step["op"] != "read");
    changes
        .map(|step| (text(&step["urn"]).rsplit("::").next().unwrap().to_owned(), text(&step["op"])))
        .collect()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The state's resources by name; of several with one name, the last.
fn resources(sealed: &Sealed) -> BTreeMap<String, Value> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let all = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|r| (r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned(), r)).collect()
}

/// Takes a tour from preview to destroy. `extra` are the names that its options add to the cloud.
fn tour(sealed: &Sealed, extra: &[&str]) {
    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert!(sealed.objects().is_empty(), "a preview has made something\n{preview}");
    assert!(operations(&preview).values().all(|op| op == "create"), "{preview}");

    let up = sealed.run(UP).exits(0);
    assert!(up.output().contains("greeting is hello"), "{up}");
    assert!(up.output().contains("this is a warning"), "{up}");
    let mut names =
        vec!["first", "nested", "second", "shelf-blue", "shelf-green", "shelf-red", "shelf-red-guarded"];
    names.extend(extra);
    names.sort_unstable();
    assert_eq!(objects(sealed).into_keys().collect::<Vec<_>>(), names, "{up}");
    let made = objects(sealed);
    assert_eq!(made["second"]["inputs"]["value"], "hello again", "an output of an output");
    assert_eq!(made["nested"]["inputs"]["value"]["list"][1]["deep"], "hello again");

    let state = resources(sealed);
    let urn = |name: &str| state[name]["urn"].as_str().unwrap().to_owned();
    assert_eq!(state["guarded"]["parent"], urn("shelf"));
    assert_eq!(state["guarded"]["customTimeouts"], json!({ "create": 300, "delete": 5400 }));
    assert!(state["guarded"]["additionalSecretOutputs"].as_array().unwrap().contains(&json!("arn")));
    assert_eq!(state["guarded"]["ignoreChanges"], json!(["value"]), "{}", state["guarded"]);
    assert_eq!(state["shelf"]["custom"], false);
    assert_eq!(state["shelf"]["outputs"]["names"], "shelf-red, shelf-green, shelf-blue");
    let depends = state["nested"]["dependencies"].as_array().unwrap();
    assert!(depends.contains(&urn("second").into()) && depends.contains(&urn("first").into()), "{depends:?}");

    let output = |name: &str| sealed.run(["stack", "output", name]).exits(0).stdout.trim().to_owned();
    assert_eq!((output("first").as_str(), output("token").as_str()), ("hello", "[secret]"));
    let shown = sealed.run(["stack", "output", "--show-secrets", "--json"]).exits(0).json();
    assert_eq!(shown["token"], TOKEN);
    assert_eq!(shown["borrowed"], json!({ "value": LENT }));
    assert_eq!(output("borrowed"), "[secret]", "a secret stays one across a stack reference");

    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    sealed.run(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);

    sealed.run(["config", "set", "greeting", "goodbye"]).exits(0);
    let mut changes = map([("first", "update"), ("second", "update"), ("nested", "update")]);
    if extra.contains(&"labelled") {
        changes.insert("labelled".to_owned(), "update".to_owned());
    }
    let preview = sealed.run(["preview", "--json"]).exits(0);
    assert_eq!(operations(&preview), changes, "{preview}");
    let up = sealed.run(UP).exits(0);
    assert_eq!(objects(sealed)["second"]["inputs"]["value"], "goodbye again", "{up}");

    assert_eq!(sealed.files_with(TOKEN), Vec::<std::path::PathBuf>::new());
    let base = sealed.root().join("base/Pulumi.yaml");
    assert_eq!(sealed.files_with(LENT), [base]);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert!(sealed.objects().is_empty());
    assert!(resources(sealed).is_empty());
}

/// What the tours in Python and JavaScript show when all their options are on.
const ALL: [(&str, &str); 5] = [
    ("assets", "true"),
    ("reference", "organization/base/dev"),
    ("invoke", "true"),
    ("dynamic", "true"),
    ("transforms", "true"),
];

fn has_all_options(sealed: &Sealed) {
    let made = objects(sealed);
    assert_eq!(made["labelled"]["inputs"]["tags"], json!({ "labelled": "labelled" }), "a transform");
    let signature = "4dabf18193072939515e22adb298388d";
    let files = &made["files"]["inputs"]["value"];
    assert_eq!(files["text"][signature], "c44067f5952c0a294b673a41bacd8c17", "{files}");
    assert_eq!(files["file"][signature], "c44067f5952c0a294b673a41bacd8c17", "{files}");
    assert_eq!(files["tree"][signature], "0def7320c3a5731c473e5ecbe6d01bc7", "{files}");
    let outputs = sealed.run(["stack", "output", "--json"]).exits(0).json();
    assert_eq!((&outputs["echoed"], &outputs["twice"]), (&json!("hello"), &json!(42)));
}

#[test]
fn a_python_program_does_what_programs_do() {
    let mut sealed = stack_of("python/tour", &ALL);
    sealed.use_python();
    sealed.run(UP).exits(0);
    has_all_options(&sealed);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    sealed.forget_calls();
    tour(&sealed, &["files", "labelled"]);
}

#[test]
fn a_javascript_program_does_what_programs_do() {
    let sealed = stack_of("node/tour", &ALL);
    sealed.use_node();
    sealed.run(UP).exits(0);
    has_all_options(&sealed);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    sealed.forget_calls();
    tour(&sealed, &["files", "labelled"]);
}

#[test]
fn a_go_program_does_what_programs_do() {
    let mut sealed = stack_of("go/tour", &[("reference", "organization/base/dev")]);
    sealed.use_go();
    tour(&sealed, &[]);
    sealed.run(["config", "set", "fail", "true"]).exits(0);
    let failed = sealed.run(["preview"]).exits(1);
    assert!(failed.output().contains("the fuse was lit"), "{failed}");
}

#[test]
fn a_typescript_program_runs_without_being_compiled_first() {
    let sealed = stack_of("node/typescript", &[]);
    sealed.use_node();
    sealed.run(UP).exits(0);
    assert_eq!(sealed.run(["stack", "output", "label"]).exits(0).stdout, "HELLO\n");
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    let text = std::fs::read_to_string(sealed.directory().join("index.ts")).unwrap();
    sealed.write("index.ts", &text.replace("greeting\")", "greeting\", 1, 2, 3)"));
    let wrong = sealed.run(["preview"]).exits(1);
    assert!(wrong.output().contains("index.ts"), "{wrong}");
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
}

#[test]
fn a_program_that_fails_after_it_has_begun_keeps_what_it_has_registered() {
    for (folder, python) in [("python/failing", true), ("node/failing", false)] {
        let mut sealed = stack_of(folder, &[]);
        if python {
            sealed.use_python();
        } else {
            sealed.use_node();
        }
        let failed = sealed.run(UP).exits(1);
        assert!(failed.output().contains("the fuse was lit"), "{failed}");
        assert!(failed.output().contains("explode"), "the trace is missing\n{failed}");
        assert!(resources(&sealed).contains_key("before"), "{failed}");
        sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    }
}

#[test]
fn a_python_programs_dependencies_are_installed_when_they_are_missing() {
    let mut sealed = stack_of("python/failing", &[]);
    for name in
        ["PIP_INDEX_URL", "PIP_CERT", "PIP_FIND_LINKS", "SSL_CERT_FILE", "HTTPS_PROXY", "PIP_CONFIG_FILE"]
    {
        if let Some(value) = std::env::var_os(name) {
            sealed.set(name, value);
        }
    }
    sealed.write("Pulumi.yaml", "name: small\nruntime: { name: python, options: { virtualenv: venv } }\n");
    sealed.write("requirements.txt", "pulumi==3.272.0\n");
    let program =
        "import pulumi, sys\npulumi.export('prefix', sys.prefix)\npulumi.export('pulumi', pulumi.__file__)\n";
    sealed.write("__main__.py", program);
    sealed.run(["stack", "init", "dev"]).exits(0);
    let up = sealed.run(UP).exits(0);
    assert!(up.stdout.contains("python dependencies: starting\n"), "{up}");
    let outputs = sealed.run(["stack", "output", "--json"]).exits(0).json();
    let venv = sealed.directory().join("venv").to_string_lossy().into_owned();
    assert_eq!(outputs["prefix"], venv, "{up}");
    assert!(outputs["pulumi"].as_str().unwrap().starts_with(&venv), "{up}");
    let again = sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    assert!(!again.stdout.contains("dependencies"), "nothing was missing\n{again}");
    std::fs::remove_dir_all(sealed.directory().join("venv")).unwrap();
    sealed.run(["install"]).exits(0);
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    sealed.write("requirements.txt", "pulumi==99.99.99\n");
    std::fs::remove_dir_all(sealed.directory().join("venv")).unwrap();
    let failed = sealed.run(UP).exits(1);
    assert!(
        failed.stderr.contains("requirements.txt") && failed.stderr.contains("pulumi==99.99.99"),
        "{failed}"
    );
}

#[test]
fn a_yaml_program_uses_every_function() {
    let sealed = Sealed::new();
    copy_folder(&repository("tests/programs/yaml/functions"), sealed.directory());
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["preview"]).exits(0);
    sealed.run(UP).exits(0);
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    let hidden = sealed.run(["stack", "output", "--json"]).exits(0).json();
    assert_eq!((&hidden["hidden"], &hidden["password"]), (&json!("[secret]"), &json!("[secret]")));
    let shown = sealed.run(["stack", "output", "--json", "--show-secrets"]).exits(0).json();
    let note = std::fs::read_to_string(sealed.directory().join("data/note.txt")).unwrap();
    assert_eq!(shown["joined"], "one-two-hello");
    assert_eq!((&shown["hidden"], &shown["shown"]), (&shown["joined"], &shown["joined"]));
    assert_eq!(shown["decoded"], shown["joined"]);
    assert_eq!((&shown["second"], &shown["one"]), (&json!("b"), &json!("only")));
    assert_eq!((&shown["count"], &shown["letters"]), (&json!(3), &json!(13)));
    assert_eq!(shown["realName"], "named-pet");
    assert_eq!(shown["realType"], "random:index/randomPet:RandomPet");
    assert_eq!(shown["password"].as_str().unwrap().len(), 12);
    let pet = resources(&sealed)["named-pet"]["id"].as_str().unwrap().to_owned();
    assert_eq!(shown["existing"], pet);
    let json: Value = serde_json::from_str(shown["json"].as_str().unwrap()).unwrap();
    let expected = json!({ "name": "north", "size": 3, "list": [1, 2.5, true, null, "<&>"], "pet": pet });
    assert_eq!(json, expected);
    assert!(!note.is_empty() && shown["note64"].as_str().is_some_and(|text| !text.is_empty()));
    let text = shown["text"].as_str().unwrap();
    assert_eq!(text, "3 map[size:3 zone:map[name:north]] [red green blue] 1");
    assert_eq!(shown["assets"].as_array().unwrap().len(), 4);
    sealed.run(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
}
