//! Policy packs in Node and Python, by their own SDKs: what they keep from happening, what they put
//! right, what they only say.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Ran, Sealed, copy_folder, repository, test_env};

const NODE: &str = "packs/node";
const PYTHON: &str = "packs/python";

/// A stack whose program has these objects: a name, and the properties in YAML.
fn with_objects(objects: &[(&str, &str)]) -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    write_objects(&sealed, objects);
    let packs = sealed.directory().join("packs");
    copy_folder(&repository("tests/programs/policies"), &packs);
    symlink(test_env("node-policy/node_modules"), packs.join("node/node_modules")).unwrap();
    symlink(test_env("python-policy/venv"), packs.join("python/venv")).unwrap();
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed
}

fn write_objects(sealed: &Sealed, objects: &[(&str, &str)]) {
    let mut text = String::from("name: shop\nruntime: yaml\nresources:\n");
    for (name, properties) in objects {
        text.push_str(&format!(
            "  {name}:\n    type: faultcloud:Object\n    properties: {{ {properties} }}\n"
        ));
    }
    sealed.write("Pulumi.yaml", &text);
}

fn up(sealed: &Sealed, pack: &str) -> Ran {
    sealed.run(["up", "--yes", "--skip-preview", "--policy-pack", pack])
}

/// The lines of the section on policies.
fn section(ran: &Ran) -> Vec<&str> {
    let from = ran.stdout.lines().skip_while(|line| *line != "Policies:");
    from.take_while(|line| !line.is_empty()).collect()
}

/// The inputs of an object in the state.
fn inputs(sealed: &Sealed, name: &str) -> Value {
    let checkpoint = sealed.checkpoint("shop", "dev");
    let resources = checkpoint["checkpoint"]["latest"]["resources"].as_array().unwrap().clone();
    let found = resources.into_iter().find(|r| r["urn"].as_str().unwrap().ends_with(&format!("::{name}")));
    found.unwrap()["inputs"].clone()
}

#[test]
fn a_mandatory_violation_keeps_an_object_from_being_made() {
    let sealed = with_objects(&[("bad", "value: forbidden")]);
    let ran = sealed.run(["preview", "--policy-pack", NODE]).exits(1);
    assert_eq!(
        section(&ran),
        [
            "Policies:",
            "    ❌ rules-in-node@v0.2.0 (local: packs/node)",
            "        - [remediate]  objects-have-an-owner  (1 resource)",
            "        - [mandatory] [severity: high]  no-forbidden-value  (faultcloud:index:Object: bad)",
            "          Objects don't hold what is forbidden.",
            "          bad holds 'forbidden'",
        ]
    );
    assert!(!ran.stdout.contains("\nResources:\n"), "{ran}");
    let ran = up(&sealed, NODE).exits(1);
    assert!(section(&ran)[1].contains('❌'), "{ran}");
    assert!(sealed.objects().is_empty());
    // Without the pack it goes.
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    assert_eq!(sealed.objects().len(), 1);
}

#[test]
fn advice_is_shown_and_what_can_be_put_right_is_made_right() {
    let sealed = with_objects(&[
        ("a", "value: a rather long value, tags: { kind: x }"),
        ("b", "value: ok, tags: { owner: me }"),
    ]);
    let ran = up(&sealed, NODE).exits(0);
    assert_eq!(
        section(&ran),
        [
            "Policies:",
            "    ⚠️ rules-in-node@v0.2.0 (local: packs/node)",
            "        - [remediate]  objects-have-an-owner  (1 resource)",
            "        - [advisory]  values-are-short  (faultcloud:index:Object: a)",
            "          Values are short.",
            "          a has a long value",
        ]
    );
    assert!(ran.stdout.contains("\nResources:\n"), "{ran}");
    assert_eq!(inputs(&sealed, "a")["tags"], serde_json::json!({ "kind": "x", "owner": "nobody" }));
    // Put right again, and unchanged.
    let ran =
        sealed.run(["preview", "--policy-pack", NODE, "--expect-no-changes", "--show-policy-remediations"]);
    let ran = ran.exits(0);
    assert_eq!(
        section(&ran)[2],
        "        - [remediate]  objects-have-an-owner  (faultcloud:index:Object: a) [diff: ~tags]"
    );
}

#[test]
fn the_whole_stack_is_judged_when_everything_is_made() {
    let sealed = with_objects(&[("a", "value: 1"), ("b", "value: \"${a.arn}\"")]);
    sealed.write("levels.json", r#"{ "few-objects": { "most": 1 }, "objects-have-an-owner": "disabled" }"#);
    let ran = sealed.run([
        "up",
        "--yes",
        "--skip-preview",
        "--policy-pack",
        NODE,
        "--policy-pack-config",
        "levels.json",
    ]);
    let ran = ran.exits(1);
    assert_eq!(
        section(&ran),
        [
            "Policies:",
            "    ❌ rules-in-node@v0.2.0 (local: packs/node)",
            "        - [mandatory]  few-objects  (pulumi:pulumi:Stack: shop-dev)",
            "          A stack has few objects.",
            "          2 objects are too many",
            "        - [advisory]  objects-follow-each-other  (faultcloud:index:Object: b)",
            "          Objects that others were made from come first.",
            "          b was made after a (made)",
            "        - [advisory]  values-are-short  (faultcloud:index:Object: b)",
            "          Values are short.",
            "          b has a long value",
        ]
    );
    assert_eq!(sealed.objects().len(), 2);
    assert_eq!(inputs(&sealed, "a").get("tags"), None, "the repair was switched off");
}

#[test]
fn packs_in_python_know_the_stack_and_secrets_stay_secret() {
    let sealed = with_objects(&[("a", "secretValue: { \"fn::secret\": mend me }")]);
    sealed.run(["config", "set", "region", "north"]).exits(0);
    let ran = up(&sealed, PYTHON).exits(0);
    assert_eq!(
        section(&ran),
        [
            "Policies:",
            "    ⚠️ rules-in-python@v0.0.1 (local: packs/python)",
            "        - [remediate]  strong-secret  (1 resource)",
            "        - [advisory]  knows-the-stack  (faultcloud:index:Object: a)",
            "          Packs know the stack.",
            "          shop/dev in north, preview: False",
        ]
    );
    assert!(sealed.files_with("stronger than before").is_empty(), "the repaired secret is encrypted");
    let ran = sealed.run(["preview", "--policy-pack", PYTHON, "--json"]).exits(0);
    assert!(!ran.output().contains("stronger"), "{ran}");
    write_objects(&sealed, &[("a", "secretValue: { \"fn::secret\": weak }")]);
    let ran = sealed.run(["preview", "--policy-pack", PYTHON, "--diff"]).exits(1);
    assert!(ran.stdout.contains("[mandatory]  no-weak-secret  (faultcloud:index:Object: a)"), "{ran}");
    assert!(ran.stdout.contains("Policy Packs run:\n"), "{ran}");
}

#[test]
fn events_tell_what_each_pack_said_and_what_passed() {
    let sealed = with_objects(&[("a", "value: forbidden")]);
    let ran = sealed.run([
        "up",
        "--yes",
        "--skip-preview",
        "--json",
        "--policy-pack",
        NODE,
        "--policy-pack",
        PYTHON,
    ]);
    let events = ran.exits(1).json_lines();
    let of = |key: &str| events.iter().filter_map(|e| e.get(key)).cloned().collect::<Vec<Value>>();
    assert_eq!(of("policyLoadEvent").len(), 2);
    let violations = of("policyEvent");
    let bad = violations.iter().find(|v| v["policyName"] == "no-forbidden-value").unwrap();
    assert_eq!(bad["enforcementLevel"], "mandatory");
    assert_eq!(bad["severity"], "high");
    assert_eq!(bad["policyPackName"], "rules-in-node");
    assert_eq!(bad["message"], "Objects don't hold what is forbidden.\na holds 'forbidden'\n");
    let repaired = of("policyRemediationEvent");
    assert_eq!(repaired[0]["after"]["tags"]["owner"], "nobody");
    assert_eq!(repaired[0]["before"].get("tags"), None);
    let about_a = |all: Vec<Value>, pack: &str| {
        let mut all = all.into_iter();
        all.find(|t| t["policyPackName"] == pack && t["resourceUrn"].as_str().unwrap().ends_with("::a"))
            .unwrap()
    };
    let tally = about_a(of("policyAnalyzeSummaryEvent"), "rules-in-node");
    assert_eq!(tally["failed"], serde_json::json!(["no-forbidden-value"]));
    assert_eq!(tally["passed"], serde_json::json!(["values-are-short"]));
    let tally = about_a(of("policyRemediateSummaryEvent"), "rules-in-python");
    assert!(tally["passed"].as_array().unwrap().contains(&"strong-secret".into()), "{tally}");
    let summary = of("summaryEvent").pop().unwrap();
    assert_eq!(summary["PolicyPacks"]["rules-in-node|local|packs/node"], "0.2.0");
}

#[test]
fn packs_that_are_not_there_or_not_configured_well_are_refused() {
    let sealed = with_objects(&[("a", "value: 1")]);
    let ran = up(&sealed, "packs/none").exits(1);
    assert!(ran.stderr.contains("there is no policy pack at packs/none"), "{ran}");
    let ran = up(&sealed, "packs").exits(1);
    assert!(ran.stderr.contains("has no PulumiPolicy.yaml"), "{ran}");
    let config = |text: &str| {
        sealed.write("levels.json", text);
        sealed.run(["preview", "--policy-pack", NODE, "--policy-pack-config", "levels.json"]).exits(1)
    };
    let ran = config(r#"{ "few-objects": { "most": 0 } }"#);
    assert!(ran.stderr.contains("few-objects: most: "), "{ran}");
    let ran = config(r#"{ "few-objects": "loud" }"#);
    assert!(ran.stderr.contains("is no enforcement level of 'few-objects'"), "{ran}");
    let ran = sealed.run(["preview", "--policy-pack-config", "levels.json"]).exits(1);
    assert!(ran.stderr.contains("must be specified with"), "{ran}");
    let two =
        ["preview", "--policy-pack", NODE, "--policy-pack", PYTHON, "--policy-pack-config", "levels.json"];
    let ran = sealed.run(two).exits(1);
    assert!(ran.stderr.contains("must match the number"), "{ran}");
    std::fs::write(sealed.directory().join("packs/node/index.js"), "throw new Error('broken pack')").unwrap();
    let ran = up(&sealed, NODE).exits(1);
    assert!(ran.output().contains("broken pack"), "{ran}");
    assert!(sealed.objects().is_empty());
}

#[test]
fn a_pack_whose_dependencies_cannot_be_installed_fails_the_run() {
    let mut sealed = with_objects(&[("a", "value: 1")]);
    std::fs::remove_file(sealed.directory().join("packs/python/venv")).unwrap();
    sealed.set("PIP_NO_INDEX", "1");
    let ran = up(&sealed, PYTHON).exits(1);
    assert!(ran.output().contains("No matching distribution found"), "{ran}");
    assert!(sealed.objects().is_empty());
}
