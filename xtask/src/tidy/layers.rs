//! Edges between crates, as `layers.toml` allows them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result};
use serde_json::Value;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::repo::Repo;
use crate::run::{captured, cargo};

/// What `layers.toml` says.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// What each crate may depend on.
    pub(super) edges: BTreeMap<String, BTreeSet<String>>,
    /// What each crate's tests may depend on besides.
    pub(super) test_edges: BTreeMap<String, BTreeSet<String>>,
    /// The crates that must stay pure.
    pub(super) pure: BTreeSet<String>,
    /// What pure crates must not depend on, not even by way of others.
    pub(super) banned: BTreeSet<String>,
    /// The crates that may read arguments, environment, clock and entropy, and print.
    pub(super) ambient: BTreeSet<String>,
    /// Files that may do so, too, with the words that they use.
    pub(super) ambient_files: BTreeMap<String, BTreeSet<String>>,
    /// The longest a file may be, without its tests.
    pub(super) file_lines: usize,
    /// The longest a function may be.
    pub(super) function_lines: usize,
    /// Files that may be longer.
    pub(super) long_files: BTreeSet<String>,
}

impl Rules {
    /// Reads the file.
    pub(crate) fn read(repo: &Repo) -> Result<Rules> {
        let path = repo.path("layers.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Rules::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Rules> {
        let document: DocumentMut = text.parse()?;
        let table = |name: &str| document.get(name).and_then(Item::as_table_like);
        let set = |parent: &str, name: &str| {
            table(parent).and_then(|t| t.get(name)).map(strings).unwrap_or_default()
        };
        let number = |name: &str| -> Result<usize> {
            let value = table("sizes").and_then(|t| t.get(name)).and_then(Item::as_integer);
            Ok(usize::try_from(value.with_context(|| format!("sizes.{name} is missing"))?)?)
        };
        Ok(Rules {
            edges: table("edges").map(sets).context("[edges] is missing")?,
            test_edges: table("test-edges").map(sets).unwrap_or_default(),
            pure: set("pure", "crates"),
            banned: set("pure", "banned"),
            ambient: set("ambient", "crates"),
            ambient_files: document
                .get("ambient")
                .and_then(|ambient| ambient.get("files"))
                .and_then(Item::as_table_like)
                .map(sets)
                .unwrap_or_default(),
            file_lines: number("file")?,
            function_lines: number("function")?,
            long_files: set("sizes", "long-files"),
        })
    }
}

fn strings(item: &Item) -> BTreeSet<String> {
    let array = item.as_array().map(|array| array.iter().filter_map(|v| v.as_str()));
    array.into_iter().flatten().map(str::to_owned).collect()
}

fn sets(table: &dyn TableLike) -> BTreeMap<String, BTreeSet<String>> {
    table.iter().map(|(name, item)| (name.to_owned(), strings(item))).collect()
}

/// Compares the edges that there are with those that may be.
pub(crate) fn check(repo: &Repo, rules: &Rules) -> Result<Vec<String>> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(repo.root());
    let metadata: Value = serde_json::from_str(&captured(&mut command)?)?;
    Ok(compare(&metadata, rules))
}

/// One of our crates: the name of its folder.
fn own_name(package: &Value) -> Option<&str> {
    package["name"].as_str().filter(|_| package["source"].is_null()).map(short)
}

/// The name of a crate's folder.
fn short(name: &str) -> &str {
    if name == "purlin" { "cli" } else { name.strip_prefix("purlin-").unwrap_or(name) }
}

fn compare(metadata: &Value, rules: &Rules) -> Vec<String> {
    let none = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&none);
    let own: BTreeSet<&str> = packages.iter().filter_map(own_name).collect();
    let mut problems = Vec::new();
    for name in rules.edges.keys().filter(|name| !own.contains(name.as_str())) {
        problems.push(format!("layers.toml: there is no crate {name}"));
    }
    for package in packages {
        let Some(name) = own_name(package) else { continue };
        let Some(allowed) = rules.edges.get(name) else {
            problems.push(format!("layers.toml: the crate {name} is missing from [edges]"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap_or(&none) {
            let to = short(dependency["name"].as_str().unwrap_or_default());
            if dependency["path"].is_null() || to == name || allowed.contains(to) {
                continue;
            }
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if for_tests && rules.test_edges.get(name).is_some_and(|more| more.contains(to)) {
                continue;
            }
            let kind = if for_tests { "the tests of " } else { "" };
            problems.push(format!("{kind}{name} must not depend on {to}: layers.toml doesn't allow it"));
        }
    }
    problems.extend(impure(metadata, rules));
    problems
}

/// What pure crates depend on and must not, with the way there.
fn impure(metadata: &Value, rules: &Rules) -> Vec<String> {
    let none = Vec::new();
    let mut names = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap_or(&none) {
        if let (Some(id), Some(name)) = (package["id"].as_str(), package["name"].as_str()) {
            names.insert(id, name);
        }
    }
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap_or(&none) {
        let dependencies = node["deps"].as_array().unwrap_or(&none).iter().filter(|dependency| {
            let kinds = dependency["dep_kinds"].as_array().unwrap_or(&none);
            kinds.iter().any(|kind| kind["kind"].as_str() != Some("dev"))
        });
        let targets = dependencies.filter_map(|dependency| dependency["pkg"].as_str()).collect();
        edges.insert(node["id"].as_str().unwrap_or_default(), targets);
    }
    let mut problems = Vec::new();
    for pure in &rules.pure {
        let Some((start, _)) = names.iter().find(|(_, name)| short(name) == pure) else {
            problems.push(format!("layers.toml: there is no pure crate {pure}"));
            continue;
        };
        let mut reached = BTreeMap::from([(*start, *start)]);
        let mut queue = VecDeque::from([*start]);
        while let Some(id) = queue.pop_front() {
            for next in edges.get(id).into_iter().flatten() {
                if reached.contains_key(next) {
                    continue;
                }
                reached.insert(next, id);
                queue.push_back(next);
                let name = names.get(next).copied().unwrap_or_default();
                if rules.banned.contains(name) {
                    let through = names.get(id).copied().unwrap_or_default();
                    problems
                        .push(format!("{pure} must stay pure, but depends on {name} by way of {through}"));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        Rules::parse(
            "[edges]\nmodel = []\nplan = ['model']\n[test-edges]\nmodel = ['plan']\n\
             [pure]\ncrates = ['plan']\nbanned = ['tokio']\n[sizes]\nfile = 700\nfunction = 100\n",
        )
        .unwrap()
    }

    fn package(name: &str, dependencies: &Value) -> Value {
        json!({ "id": name, "name": name, "source": null, "dependencies": dependencies })
    }

    fn edge(to: &str, kind: Option<&str>) -> Value {
        json!({ "name": to, "path": "/x", "kind": kind })
    }

    fn node(id: &str, to: &[&str]) -> Value {
        let deps: Vec<Value> =
            to.iter().map(|to| json!({ "pkg": to, "dep_kinds": [{ "kind": null }] })).collect();
        json!({ "id": id, "deps": deps })
    }

    #[test]
    fn edges_that_are_not_listed_are_found() {
        let up = json!([edge("purlin-plan", None)]);
        let metadata = json!({
            "packages": [package("purlin-model", &up), package("purlin-plan", &json!([edge("purlin-model", None)]))],
        });
        let problems = compare(&metadata, &rules());
        assert_eq!(problems[0], "model must not depend on plan: layers.toml doesn't allow it");
        let for_tests = json!([edge("purlin-plan", Some("dev"))]);
        let metadata =
            json!({ "packages": [package("purlin-model", &for_tests), package("purlin-plan", &json!([]))] });
        assert_eq!(compare(&metadata, &rules()), Vec::<String>::new());
        let metadata =
            json!({ "packages": [package("purlin-new", &json!([])), package("purlin-plan", &json!([]))] });
        let problems = compare(&metadata, &rules());
        assert!(
            problems.contains(&"layers.toml: the crate new is missing from [edges]".to_owned()),
            "{problems:?}"
        );
        assert!(problems.contains(&"layers.toml: there is no crate model".to_owned()), "{problems:?}");
    }

    #[test]
    fn what_pure_crates_reach_through_others_is_found() {
        let third =
            |name: &str| json!({ "id": name, "name": name, "source": "registry", "dependencies": [] });
        let metadata = json!({
            "packages": [
                package("purlin-model", &json!([])), package("purlin-plan", &json!([])),
                third("helper"), third("tokio"),
            ],
            "resolve": { "nodes": [node("purlin-plan", &["helper"]), node("helper", &["tokio"])] },
        });
        assert_eq!(
            compare(&metadata, &rules()),
            ["plan must stay pure, but depends on tokio by way of helper"]
        );
    }
}
