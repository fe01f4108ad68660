//! The flags that say what an operation is about, with the YAML runtime and the built-in `random`:
//! what they do, what they refuse, and how that ends.

use std::collections::BTreeMap;

use crate::support::Sealed;

const BASE: &str = "urn:pulumi:dev::shop::random:index/randomString:RandomString::base";
const MID: &str = "urn:pulumi:dev::shop::random:index/randomPet:RandomPet::mid";
const LONE: &str = "urn:pulumi:dev::shop::random:index/randomPet:RandomPet::lone";

/// `mid` is replaced when `base` is, `lone` depends on nothing; another length replaces both.
fn write(sealed: &Sealed, length: u32) {
    let text = format!(
        r#"name: shop
runtime: yaml
resources:
  base: {{ type: random:RandomString, properties: {{ length: {length} }} }}
  mid: {{ type: random:RandomPet, properties: {{ keepers: {{ base: "${{base.result}}" }} }} }}
  lone: {{ type: random:RandomPet, properties: {{ length: {length}, separator: "-" }} }}
"#
    );
    sealed.write("Pulumi.yaml", &text);
}

/// A stack that is up, and whose program has changed since.
fn stack() -> Sealed {
    let sealed = Sealed::new();
    write(&sealed, 4);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    write(&sealed, 5);
    sealed
}

fn ids(sealed: &Sealed) -> BTreeMap<String, String> {
    let export = sealed.run(["stack", "export"]).exits(0).json();
    let all = export["deployment"]["resources"].as_array().cloned().unwrap_or_default();
    let ours = all.iter().filter(|resource| resource["type"].as_str().unwrap().starts_with("random:"));
    let of = |resource: &serde_json::Value| {
        let name = resource["urn"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
        (name, resource["id"].as_str().unwrap().to_owned())
    };
    ours.map(of).collect()
}

/// Runs with an exit code, and says which resources came, went or were replaced.
fn changed(sealed: &Sealed, arguments: &[&str], code: i32) -> String {
    let before = ids(sealed);
    sealed.run(arguments.iter().copied()).exits(code);
    let after = ids(sealed);
    let names = ["base", "lone", "mid"];
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_update_is_about_what_is_named() {
    let sealed = stack();
    let up =
        |more: &[&str], code| changed(&sealed, &[&["up", "--yes", "--skip-preview"], more].concat(), code);
    assert_eq!(up(&["--target", MID], 0), "", "what it refers to is not meant");
    assert_eq!(up(&["--target", LONE], 0), "lone");
    assert_eq!(up(&["--exclude", BASE, "--exclude-dependents"], 0), "", "nothing else is left");
    assert_eq!(up(&["--target", BASE, "--target-dependents"], 0), "base mid");
    assert_eq!(up(&["--expect-no-changes"], 0), "");

    write(&sealed, 6);
    assert_eq!(up(&["--exclude", BASE], 0), "lone");
    assert_eq!(up(&["--target", "**::ba*"], 0), "base", "a pattern, and its dependents wait");
    assert_eq!(up(&[], 0), "mid");
}

#[test]
fn an_update_replaces_what_is_named() {
    let sealed = stack();
    write(&sealed, 4);
    let up =
        |more: &[&str], code| changed(&sealed, &[&["up", "--yes", "--skip-preview"], more].concat(), code);
    assert_eq!(up(&["--replace", LONE], 0), "lone");
    assert_eq!(up(&["--replace", BASE], 0), "base mid", "what is made from it follows");
    assert_eq!(up(&["--target-replace", BASE], 0), "base", "nothing else is meant");
    assert_eq!(up(&["--target-replace", LONE, "--exclude", BASE], 0), "lone", "targets win over excludes");
    assert_eq!(up(&["--target", MID, "--replace", LONE], 0), "mid", "what is no target is not replaced");
    assert_eq!(up(&["--replace", LONE, "--expect-no-changes"], 7), "lone");
    let preview = ["preview", "--target-replace", LONE, "--expect-no-changes"];
    assert_eq!(changed(&sealed, &preview, 7), "");
}

#[test]
fn a_destroy_is_about_what_is_named() {
    let sealed = stack();
    let destroy = |more: &[&str], code| {
        changed(&sealed, &[&["destroy", "--yes", "--skip-preview"], more].concat(), code)
    };
    assert_eq!(destroy(&["--target", BASE], 1), "", "something depends on it and is not meant");
    assert_eq!(destroy(&["--exclude", MID], 0), "lone", "what something else needs stays");
    assert_eq!(destroy(&["--exclude", BASE, "--exclude-dependents"], 0), "");
    assert_eq!(destroy(&["--target", BASE, "--target-dependents"], 0), "base mid");
}

#[test]
fn what_nobody_knows_is_refused() {
    let sealed = stack();
    let nobody = format!("{LONE}x");
    let up = ["up", "--yes", "--skip-preview"];
    for flag in ["--target", "--replace", "--target-replace"] {
        let ran = sealed.run([up.as_slice(), &[flag, &nobody]].concat()).exits(1);
        assert!(ran.output().contains(&format!("target '{nobody}' could not be found")), "{ran}");
    }
    for command in ["refresh", "destroy"] {
        sealed.run([command, "--yes", "--skip-preview", "--target", &nobody]).exits(1);
    }
    assert_eq!(
        changed(&sealed, &["up", "--yes", "--skip-preview", "--exclude", &nobody], 0),
        "base lone mid"
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let sealed = stack();
    let before = ids(&sealed);
    let both = ["--target", LONE, "--exclude", BASE];
    for command in ["preview", "up", "refresh", "destroy"] {
        let ran = sealed.run([[command].as_slice(), &both].concat()).exits(1);
        assert!(ran.output().contains("cannot be used with"), "{ran}");
    }
    for line in [
        "destroy --yes --exclude-protected --ignore-protect",
        "refresh --yes --clear-pending-creates --skip-pending-creates",
        "refresh --preview-only --skip-preview",
        "refresh --preview-only --yes",
        "destroy --preview-only --skip-preview",
        "destroy --preview-only --yes",
        "up --yes --strict --skip-preview",
        "preview --continue-on-error",
        "preview --plan plan.json",
        "up --save-plan plan.json",
        "refresh --ignore-protect",
        "destroy --expect-no-changes",
    ] {
        sealed.run(line.split(' ')).exits(1);
    }
    sealed.run(["destroy", "--yes", "--exclude-protected", "--target", LONE]).exits(1);
    for flag in ["--replace", "--target-replace"] {
        sealed.run(["refresh", "--yes", flag, LONE]).exits(1);
        sealed.run(["destroy", "--yes", flag, LONE]).exits(1);
    }
    assert_eq!(ids(&sealed), before);
}
