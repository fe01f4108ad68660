//! The architecture page names only what exists, and every crate.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::repo::Repo;

/// Pages whose paths are checked.
const PAGES: [&str; 3] = ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"];

/// Checks the pages.
pub(crate) fn check(repo: &Repo) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for page in PAGES {
        let text = std::fs::read_to_string(repo.path(page)).context(page)?;
        for name in code_spans(&text).filter(|span| is_path(span)) {
            if !repo.path(name.trim_end_matches('/')).exists() {
                problems.push(format!("{page}: names `{name}`, which doesn't exist"));
            }
        }
        for target in links(&text).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or(target);
            if !repo.path(file).exists() {
                problems.push(format!("{page}: links to {target}, which doesn't exist"));
            }
        }
    }
    let architecture = std::fs::read_to_string(repo.path("ARCHITECTURE.md"))?;
    let spans: BTreeSet<&str> = code_spans(&architecture).collect();
    for (name, _) in repo.crates()? {
        if !spans.contains(format!("crates/{name}").as_str()) {
            problems.push(format!("ARCHITECTURE.md: the code map lacks `crates/{name}`"));
        }
    }
    problems.extend(missing_tests(repo, &architecture)?);
    Ok(problems)
}

/// The text between single backquotes.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// Where links lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Whether a span of code is a path in this repository.
fn is_path(span: &str) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let top = span.split('/').next().unwrap_or(span);
    let ours =
        ["crates", "docs", "examples", "benches", "proto", "tests", "xtask", ".ci", ".cargo"].contains(&top);
    let file =
        !span.contains('/') && span.len() > 3 && [".md", ".toml"].iter().any(|end| span.ends_with(end));
    plain && ((ours && span.contains('/')) || file)
}

/// Tests that the page names as `crate::test_name` and that aren't there.
fn missing_tests(repo: &Repo, text: &str) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for span in code_spans(text) {
        let Some((name, test)) = span.split_once("::") else { continue };
        let folder = repo.path("crates").join(name);
        if !folder.is_dir() || test.contains("::") || !test.contains('_') {
            continue;
        }
        if !holds(&folder, &format!("fn {test}("))? {
            problems.push(format!("ARCHITECTURE.md: names the test `{span}`, which doesn't exist"));
        }
    }
    Ok(problems)
}

/// Whether a source below a folder holds a text.
fn holds(folder: &Path, wanted: &str) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if holds(&path, wanted)? {
                return Ok(true);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path)?.contains(wanted)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_code() {
        for path in ["crates/plan", "tests/programs/go", "README.md", "layers.toml", ".ci/run"] {
            assert!(is_path(path), "{path}");
        }
        for other in
            ["Pulumi.<stack>.yaml", "target/release/purlin", "cargo xtask test", "handle(input)", "tests"]
        {
            assert!(!is_path(other), "{other}");
        }
    }

    #[test]
    fn spans_and_links_are_found() {
        let text = "See `a` and [b](docs/b.md).\n```\n`no`\n```\nand `c`.";
        assert_eq!(code_spans(text).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(links(text).collect::<Vec<_>>(), ["docs/b.md"]);
    }
}
