//! What exists already is taken over: by the `import` option, and after creates whose outcome nobody
//! knew; refreshes and destroys run the program where they are asked to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Sealed;

const UP: [&str; 3] = ["up", "--yes", "--skip-preview"];

/// A program with one object of this value, and more options for it.
fn program(value: &str, options: &str) -> String {
    format!(
        "name: shop\nruntime: yaml\nresources:\n  first:\n    type: faultcloud:Object\n    properties:\n      value: \
         {value}\n{options}"
    )
}

fn stack() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program("a", ""));
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

/// The objects of the state: name, id and value.
fn objects(sealed: &Sealed) -> BTreeMap<String, (String, Value)> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let all = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    let objects = all.into_iter().filter(|r| r["type"] == "faultcloud:index:Object");
    let of = |r: Value| {
        let name = r["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
        (name, (r["id"].as_str().unwrap().to_owned(), r["inputs"]["value"].clone()))
    };
    objects.map(of).collect()
}

fn pending(sealed: &Sealed) -> usize {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    export["deployment"]["pending_operations"].as_array().map_or(0, Vec::len)
}

const URN: &str = "urn:pulumi:dev::shop::faultcloud:index:Object::first";

#[test]
fn the_import_option_takes_over_and_updates_in_one_run() {
    let sealed = stack();
    sealed.run(UP).exits(0);
    let id = objects(&sealed)["first"].0.clone();
    sealed.run(["state", "delete", URN, "--yes"]).exits(0);
    sealed.forget_calls();

    sealed.write("Pulumi.yaml", &program("b", &format!("    options:\n      import: {id}\n")));
    let preview = sealed.run(["preview"]).exits(0);
    assert!(preview.output().contains("import"), "{preview}");
    let ran = sealed.run(UP).exits(0);
    assert!(ran.output().contains("import"), "{ran}");
    assert_eq!(objects(&sealed)["first"], (id.clone(), json!("b")));
    assert_eq!(sealed.objects().len(), 1, "nothing was made");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);

    sealed.write("Pulumi.yaml", &program("b", "    options:\n      import: nowhere\n"));
    let ran = sealed.run(UP).exits(1);
    assert!(ran.output().contains("resource 'nowhere' does not exist"), "{ran}");
    assert_eq!(objects(&sealed)["first"].0, id);
}

#[test]
fn a_refresh_takes_what_a_pending_create_made_into_the_state() {
    let sealed = stack();
    sealed.faults(&json!({ "first": { "crashAfter": ["create"] } }));
    sealed.run(UP).exits(1);
    sealed.faults(&Value::Null);
    assert_eq!((objects(&sealed).len(), pending(&sealed)), (0, 1));
    let id = sealed.objects().into_keys().next().unwrap();

    let odd = sealed.run(["refresh", "--yes", "--import-pending-creates", URN]).exits(1);
    assert!(odd.stderr.contains("each URN must be followed by an ID"), "{odd}");
    let refresh = ["refresh", "--yes", "--skip-preview", "--import-pending-creates"];
    sealed.run([&refresh[..], &[URN, "--import-pending-creates", id.as_str()]].concat()).exits(0);
    assert_eq!(objects(&sealed)["first"], (id, json!("a")));
    assert_eq!(pending(&sealed), 0);
    sealed.run([&UP[..], &["--expect-no-changes"]].concat()).exits(0);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(sealed.objects().len(), 0, "nothing leaks");
}

#[test]
fn refreshes_and_destroys_run_the_program_when_they_are_asked_to() {
    let mut sealed = stack();
    let with_provider = |token: &str| {
        format!(
            "name: shop\nruntime: yaml\nresources:\n  cloud:\n    type: pulumi:providers:faultcloud\n    \
             properties:\n      token: {token}\n  first:\n    type: faultcloud:Object\n    properties:\n      \
             value: a\n    options:\n      provider: ${{cloud}}\n"
        )
    };
    sealed.write("Pulumi.yaml", &with_provider("one"));
    sealed.run(UP).exits(0);
    sealed.write("Pulumi.yaml", &with_provider("two"));
    let plain = sealed.run(["refresh", "--yes", "--skip-preview"]).exits(0);
    assert!(!plain.output().contains("1 to update") && !plain.output().contains("1 updated"), "{plain}");
    sealed.run(["refresh", "--preview-only", "--run-program"]).exits(0);
    let ran = sealed.run(["refresh", "--yes", "--skip-preview", "--run-program"]).exits(0);
    assert!(ran.output().contains("1 updated"), "the provider has its new token\n{ran}");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);

    sealed.set("PULUMI_RUN_PROGRAM", "true");
    let broken = with_provider("two").replace("value: a", "value: ${nothing}");
    sealed.write("Pulumi.yaml", &broken);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(1);
    assert_eq!(sealed.objects().len(), 1, "a program that fails deletes nothing");
    sealed.write("Pulumi.yaml", &with_provider("three"));
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
    assert_eq!((sealed.objects().len(), objects(&sealed).len()), (0, 0));
}
