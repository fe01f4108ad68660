//! `cargo xtask mutants`: a seeded sample of mutants of the crates that decide, run against their
//! tests; what no test catches is run against the lifecycle cases, too. `docs/mutants.md` gets the
//! list with what became of each.
//!
//! The work is done on a copy of the repository below `target`, so that sources can be changed while
//! it runs. What has been found out is kept there: a run that was cut off goes on where it was, unless
//! the sources have changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo::Repo;
use crate::run::{captured, fresh_folder};
use crate::tools::on_path;

/// The crates that are mutated.
const CRATES: [&str; 2] = ["purlin-plan", "purlin-journal"];

/// How long the tests of a mutant may take, in seconds. They take a few seconds.
const TIMEOUT: &str = "120";

/// What part of the viable mutants must be caught, in percent.
const GOAL: usize = 85;

/// What is asked for.
struct Options {
    sample: usize,
    seed: u64,
    lifecycle: bool,
    fresh: bool,
    report: String,
}

/// Runs the sample that the arguments describe.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if on_path("cargo-mutants").is_none() {
        bail!("there is no cargo-mutants on PATH: cargo install --locked cargo-mutants");
    }
    let folder = repo.target().join("mutants");
    let work = Work { tree: folder.join("tree"), build: folder.join("build"), out: folder.join("out") };
    let known_file = folder.join("outcomes.json");
    if work.copy_sources(repo)? || options.fresh {
        for stale in [work.out_of(Tests::Own), work.out_of(Tests::Lifecycle)] {
            fresh_folder(&stale)?;
        }
        std::fs::write(&known_file, "{}")?;
    }
    let text = std::fs::read_to_string(&known_file).unwrap_or_else(|_| "{}".to_owned());
    let mut known: BTreeMap<String, String> = serde_json::from_str(&text)?;
    let all = work.list()?;
    let sample = sampled(all.clone(), options.sample, options.seed);
    let mut stages = vec![Tests::Own];
    stages.extend(options.lifecycle.then_some(Tests::Lifecycle));
    for tests in stages {
        // What a run that was cut off has found out.
        learn(&mut known, work.outcomes(tests)?);
        let waits = |name: &&String| known.get(*name).map(String::as_str) == tests.waiting();
        let waiting: Vec<String> = sample.iter().filter(waits).cloned().collect();
        if !waiting.is_empty() {
            eprintln!("mutants: {} to be run against {}", waiting.len(), tests.name());
            work.test(&waiting, tests)?;
            learn(&mut known, work.outcomes(tests)?);
        }
        std::fs::write(&known_file, json!(known).to_string())?;
        std::fs::write(repo.path(&options.report), report(&options, all.len(), &sample, &known))?;
    }
    let counts = Counts::of(&sample, &known);
    println!("mutants: {}", counts.line());
    if counts.percent() < GOAL {
        bail!("fewer than {GOAL} % of the viable mutants are caught");
    }
    Ok(())
}

/// Adds what was found out. What no test of the crates catches may have been caught by others before.
fn learn(known: &mut BTreeMap<String, String>, found: BTreeMap<String, String>) {
    for (name, outcome) in found {
        if outcome != UNCAUGHT || !known.contains_key(&name) {
            known.insert(name, outcome);
        }
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options {
            sample: 400,
            seed: 1,
            lifecycle: true,
            fresh: false,
            report: "docs/mutants.md".to_owned(),
        };
        let mut words = arguments.iter();
        while let Some(flag) = words.next() {
            let mut value = || words.next().with_context(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--sample" => options.sample = value()?.parse().context("--sample")?,
                "--seed" => options.seed = value()?.parse().context("--seed")?,
                "--report" => options.report = value()?.clone(),
                "--no-lifecycle" => options.lifecycle = false,
                "--fresh" => options.fresh = true,
                other => bail!("there is no flag {other}"),
            }
        }
        Ok(options)
    }
}

/// No test has caught it.
const MISSED: &str = "missed";

/// The tests of the mutated crates have not caught it; others have not been tried yet.
const UNCAUGHT: &str = "uncaught";

/// Which tests are run.
#[derive(Clone, Copy, PartialEq)]
enum Tests {
    /// Those of the mutated crates.
    Own,
    /// The lifecycle cases.
    Lifecycle,
}

impl Tests {
    fn name(self) -> &'static str {
        match self {
            Tests::Own => "the tests of their crates",
            Tests::Lifecycle => "the lifecycle cases",
        }
    }

    /// What is known of a mutant that these tests have to be run for.
    fn waiting(self) -> Option<&'static str> {
        match self {
            Tests::Own => None,
            Tests::Lifecycle => Some(UNCAUGHT),
        }
    }

    /// What it means that these tests miss a mutant.
    fn missed(self) -> &'static str {
        match self {
            Tests::Own => UNCAUGHT,
            Tests::Lifecycle => MISSED,
        }
    }
}

/// Where the work is done.
struct Work {
    tree: PathBuf,
    build: PathBuf,
    out: PathBuf,
}

impl Work {
    /// Brings the copy of the sources up to date, and says whether anything that is mutated or tests it
    /// has changed.
    fn copy_sources(&self, repo: &Repo) -> Result<bool> {
        let mut list = Command::new("git");
        list.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(repo.root());
        let mut changed = false;
        for file in captured(&mut list)?.split('\0').filter(|file| !file.is_empty()) {
            let (from, to) = (repo.path(file), self.tree.join(file));
            let Ok(new) = std::fs::read(&from) else { continue };
            // What is the same keeps its time, so that nothing is built anew.
            if std::fs::read(&to).is_ok_and(|old| old == new) {
                continue;
            }
            let decides = ["crates/plan/", "crates/journal/"].iter().any(|part| file.starts_with(part));
            changed |= decides || file.starts_with("crates/testkit/tests/");
            std::fs::create_dir_all(to.parent().unwrap_or(&self.tree))?;
            std::fs::write(&to, new).with_context(|| to.display().to_string())?;
        }
        Ok(changed)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("cargo-mutants");
        command
            .args(["mutants", "--no-config", "--in-place"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .stdin(Stdio::null());
        for name in CRATES {
            command.args(["--package", name]);
        }
        command
    }

    /// The names of all mutants.
    fn list(&self) -> Result<Vec<String>> {
        let listed: Value = serde_json::from_str(&captured(self.command().args(["--list", "--json"]))?)?;
        let names = listed.as_array().into_iter().flatten().filter_map(|mutant| mutant["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn out_of(&self, tests: Tests) -> PathBuf {
        self.out.join(if tests == Tests::Own { "own" } else { "lifecycle" })
    }

    /// Runs tests against mutants.
    fn test(&self, names: &[String], tests: Tests) -> Result<()> {
        let out = self.out_of(tests);
        fresh_folder(&out)?;
        let mut command = self.command();
        command.args(["--no-shuffle", "--timeout", TIMEOUT, "--build-timeout", "600"]);
        command.args(["--colors", "never", "--output"]).arg(&out);
        // Mutants of fields of structures are run whatever is asked for; they aren't counted.
        for name in names {
            command.arg("--re").arg(format!("^{}$", escaped(name)));
        }
        match tests {
            Tests::Own => command.args([
                "--test-package",
                "purlin-plan",
                "--test-package",
                "purlin-journal",
                "--cargo-test-arg=--tests",
            ]),
            Tests::Lifecycle => command.args([
                "--test-package",
                "purlin-testkit",
                "--cargo-test-arg=--test",
                "--cargo-test-arg=lifecycle",
            ]),
        };
        let status = command.status().context("cargo-mutants can't be started")?;
        // 2: some were missed; 3: some took too long.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            bail!("cargo-mutants failed: {status}; its logs are in {}", out.display());
        }
        Ok(())
    }

    /// What became of mutants in the last run of these tests, whole or cut off.
    fn outcomes(&self, tests: Tests) -> Result<BTreeMap<String, String>> {
        match std::fs::read_to_string(self.out_of(tests).join("mutants.out/outcomes.json")) {
            Ok(text) => Ok(outcomes(&serde_json::from_str(&text)?, tests)),
            Err(_) => Ok(BTreeMap::new()),
        }
    }
}

/// What became of each mutant, in one word.
fn outcomes(document: &Value, tests: Tests) -> BTreeMap<String, String> {
    let each = document["outcomes"].as_array().into_iter().flatten().filter_map(|outcome| {
        let name = outcome["scenario"]["Mutant"]["name"].as_str()?;
        let word = match outcome["summary"].as_str()? {
            "CaughtMutant" => "caught",
            "MissedMutant" => tests.missed(),
            "Timeout" => "timeout",
            _ => "unviable",
        };
        Some((name.to_owned(), word.to_owned()))
    });
    each.collect()
}

/// A text as a regular expression that matches only it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !(c.is_alphanumeric()
            || matches!(c, ' ' | '_' | '/' | ':' | ',' | '"' | '\'' | '<' | '>' | '=' | '!' | '@' | '%'))
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Some of the names, drawn by a seed, in their order.
fn sampled(mut names: Vec<String>, count: usize, seed: u64) -> Vec<String> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    names.sort();
    names.dedup();
    let count = count.min(names.len());
    for index in 0..count {
        let rest = (names.len() - index) as u64;
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the length of a list")]
        let picked = index + (next() % rest) as usize;
        names.swap(index, picked);
    }
    names.truncate(count);
    names.sort();
    names
}

/// What became of a sample.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    caught: usize,
    missed: usize,
    unviable: usize,
    left: usize,
}

impl Counts {
    fn of(sample: &[String], known: &BTreeMap<String, String>) -> Counts {
        let mut counts = Counts::default();
        for name in sample {
            match known.get(name).map(String::as_str) {
                None => counts.left += 1,
                Some(MISSED | UNCAUGHT) => counts.missed += 1,
                Some("unviable") => counts.unviable += 1,
                Some(_) => counts.caught += 1,
            }
        }
        counts
    }

    fn percent(&self) -> usize {
        (100 * self.caught).checked_div(self.caught + self.missed).unwrap_or(100)
    }

    fn line(&self) -> String {
        let Counts { caught, missed, unviable, left } = self;
        let left = if *left > 0 { format!(", {left} not run yet") } else { String::new() };
        format!("{caught} caught, {missed} missed, {unviable} not viable{left}: {} %", self.percent())
    }
}

fn report(options: &Options, all: usize, sample: &[String], known: &BTreeMap<String, String>) -> String {
    let counts = Counts::of(sample, known);
    let mut out = String::from("# Mutants\n\n");
    let lifecycle =
        if options.lifecycle { ", and where those catch nothing the lifecycle cases" } else { "" };
    let _ = writeln!(
        out,
        "Written by `cargo xtask mutants --sample {} --seed {}`: a sample drawn by its seed from the {all} mutants that \
         `cargo mutants` makes of `crates/plan` and `crates/journal`, run against the tests of both{lifecycle}. A mutant \
         that does not compile is not viable; one that makes the tests run for more than {TIMEOUT} s is caught.\n",
        options.sample, options.seed
    );
    let _ = writeln!(out, "**{}** of the viable ones caught (goal: at least {GOAL} %).\n", counts.line());
    for (title, wanted) in [("Missed", true), ("All others", false)] {
        let _ = writeln!(out, "## {title}\n\n| Mutant | Outcome |\n|---|---|");
        for name in sample {
            let outcome = known.get(name).map_or("not run yet", String::as_str);
            if matches!(outcome, MISSED | UNCAUGHT) == wanted {
                let _ = writeln!(out, "| `{}` | {outcome} |", name.replace('|', "\\|"));
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("crates/plan/src/a.rs:{index}:1: replace a || b")).collect()
    }

    #[test]
    fn a_seed_draws_the_same_sample_whatever_the_order() {
        let mut reversed = names(50);
        reversed.reverse();
        let sample = sampled(names(50), 10, 7);
        assert_eq!(sample.len(), 10);
        assert_eq!(sampled(reversed, 10, 7), sample);
        assert_ne!(sampled(names(50), 10, 8), sample);
        assert_eq!(sampled(names(3), 10, 7), names(3));
    }

    #[test]
    fn outcomes_are_counted_and_listed() {
        let document = json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" },
            { "scenario": { "Mutant": { "name": names(4)[0] } }, "summary": "CaughtMutant" },
            { "scenario": { "Mutant": { "name": names(4)[1] } }, "summary": "MissedMutant" },
            { "scenario": { "Mutant": { "name": names(4)[2] } }, "summary": "Unviable" },
        ]});
        let known = outcomes(&document, Tests::Lifecycle);
        let counts = Counts::of(&names(4), &known);
        assert_eq!(counts, Counts { caught: 1, missed: 1, unviable: 1, left: 1 });
        assert_eq!(counts.percent(), 50);
        let options = Options::parse(&[]).unwrap();
        let report = report(&options, 9, &names(4), &known);
        assert!(report.contains("a.rs:1:1: replace a \\|\\| b` | missed |"), "{report}");
        assert!(report.contains("a.rs:3:1: replace a \\|\\| b` | not run yet |"), "{report}");
    }

    #[test]
    fn names_are_matched_letter_by_letter() {
        assert_eq!(
            escaped("a.rs:1: x -> Vec<T> with vec![(a, b)]"),
            "a\\.rs:1: x \\-> Vec<T> with vec!\\[\\(a, b\\)\\]"
        );
    }
}
