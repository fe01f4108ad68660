//! The built-in `random` against the official SDKs of the package: the same types, the same
//! properties, the same secrets; and programs that use those SDKs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Sealed, copy_folder, repository, test_env};

/// What an SDK, or the built-in provider's schema, says of a resource.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    properties: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

type ByToken = BTreeMap<String, Facts>;

fn built_in() -> ByToken {
    let text = std::fs::read_to_string(repository("crates/providers/src/random/schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let resources = schema["resources"].as_object().unwrap();
    let facts = |resource: &Value| {
        let properties = resource["properties"].as_object().unwrap();
        Facts {
            properties: properties.keys().cloned().collect(),
            secrets: properties.iter().filter(|(_, p)| p["secret"] == true).map(|(k, _)| k.clone()).collect(),
        }
    };
    resources.iter().map(|(token, resource)| (token.clone(), facts(resource))).collect()
}

/// The texts between a mark and the next end, in order.
fn between<'t>(text: &'t str, mark: &str, end: char) -> Vec<&'t str> {
    text.split(mark).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

/// The quoted names of a list.
fn quoted(list: &str) -> BTreeSet<String> {
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn sources(folder: PathBuf, suffix: &str, prefix: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    assert_eq!(texts.len(), 10, "{} has ten resources", folder.display());
    texts
}

fn token(text: &str, quote: char) -> String {
    let found = between(text, &format!("{quote}random:index/"), quote);
    format!("random:index/{}", found.first().unwrap())
}

#[test]
fn the_node_sdk_knows_the_same_resources() {
    let facts = |text: String| {
        let secrets = between(&text, "additionalSecretOutputs: [", ']');
        let properties = between(&text, "resourceInputs[\"", '"');
        let facts = Facts {
            properties: properties.into_iter().map(str::to_owned).collect(),
            secrets: secrets.first().map(|list| quoted(list)).unwrap_or_default(),
        };
        (token(&text, '\''), facts)
    };
    let folder = test_env("node/node_modules/@pulumi/random");
    let sdk: ByToken = sources(folder, ".js", "random").into_iter().map(facts).collect();
    assert_eq!(sdk, built_in());
}

#[test]
fn the_python_sdk_knows_the_same_resources() {
    let camel = |snake: &str| {
        let mut words = snake.split('_');
        let first = words.next().unwrap().to_owned();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    };
    let facts = |text: String| {
        let secrets = between(&text, "additional_secret_outputs=[", ']');
        let properties = between(&text, "__props__.__dict__[\"", '"');
        let facts = Facts {
            properties: properties.into_iter().map(camel).collect(),
            secrets: secrets.first().map(|list| quoted(list)).unwrap_or_default(),
        };
        (token(&text, '\''), facts)
    };
    let library = test_env("python/venv/lib");
    let version = std::fs::read_dir(&library).unwrap().next().unwrap().unwrap().file_name();
    let folder = library.join(version).join("site-packages/pulumi_random");
    let sdk: ByToken = sources(folder, ".py", "random_").into_iter().map(facts).collect();
    // Python's names lose the capitals inside words; compare without them.
    let plain = |map: ByToken| -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
        let lower = |names: BTreeSet<String>| names.into_iter().map(|n| n.to_lowercase()).collect();
        map.into_iter().map(|(t, f)| (t, (lower(f.properties), lower(f.secrets)))).collect()
    };
    assert_eq!(plain(sdk), plain(built_in()));
}

#[test]
fn the_go_sdk_knows_the_same_resources() {
    let facts = |text: String| {
        let name = token(&text, '"');
        let structure = format!("type {} struct {{", name.rsplit(':').next().unwrap());
        let body = text.split(&structure).nth(1).unwrap().split("\n}").next().unwrap();
        let secrets = between(&text, "AdditionalSecretOutputs([]string{", '}');
        let facts = Facts {
            properties: between(body, "`pulumi:\"", '"').into_iter().map(str::to_owned).collect(),
            secrets: secrets.first().map(|list| quoted(list)).unwrap_or_default(),
        };
        (name, facts)
    };
    let listed = std::process::Command::new("go")
        .args(["list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-random/sdk/v4"])
        .current_dir(repository("tests/programs/go/random"))
        .output()
        .unwrap();
    let folder = PathBuf::from(String::from_utf8(listed.stdout).unwrap().trim()).join("go/random");
    let sdk: ByToken = sources(folder, ".go", "random").into_iter().map(facts).collect();
    assert_eq!(sdk, built_in());
}

/// Runs a program that exports a text, a secret and a number, twice, and destroys it.
fn values(program: &str, ready: impl FnOnce(&mut Sealed)) {
    let mut sealed = Sealed::new();
    copy_folder(&repository(&format!("tests/programs/{program}")), sealed.directory());
    ready(&mut sealed);
    sealed.run(["stack", "init", "dev"]).exits(0);
    sealed.run(["up", "--yes", "--skip-preview"]).exits(0);
    let outputs = sealed.run(["stack", "output", "--json", "--show-secrets"]).exits(0).json();
    assert_eq!(outputs["text"].as_str().unwrap().len(), 12);
    assert_eq!(outputs["password"].as_str().unwrap().len(), 20);
    assert!((5.0..=9.0).contains(&outputs["number"].as_f64().unwrap()));
    let masked = sealed.run(["stack", "output", "--json"]).exits(0).json();
    assert_eq!(masked["password"], "[secret]");
    sealed.run(["preview", "--expect-no-changes"]).exits(0);
    sealed.run(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).exits(0);
    sealed.run(["destroy", "--yes", "--skip-preview"]).exits(0);
}

#[test]
fn a_program_with_the_node_sdk_is_served() {
    values("node/random", |sealed| sealed.use_node());
}

#[test]
fn a_program_with_the_go_sdk_is_served() {
    values("go/random", Sealed::use_go);
}
