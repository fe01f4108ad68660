//! `cargo xtask mutants`: a seeded sample of mutants of the crates that decide, run against their
//! tests; what those don't catch is run against the lifecycle cases, and then against the seeded
//! world. A second sample, of what the first has left, is the check that tests weren't written
//! for the first one only. `docs/mutants.md` gets the lists with what became of each.
//!
//! The work is done on a copy of the repository below `target`, so that sources can be changed while
//! it runs. What has been found out is kept there: a run that was cut off goes on where it was, and
//! when something has changed only what was missed is run again. `--fresh` runs all.

mod report;
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo::Repo;
use crate::run::{captured, cargo, fresh_folder};
use crate::tools::on_path;
use report::{Counts, report};
use sample::{Mutant, numbered, sampled};

/// The crates that are mutated.
const CRATES: [&str; 2] = ["purlin-plan", "purlin-journal"];

/// How long the tests of a mutant may take, in seconds. Those of the crates take about a second, the
/// others some seconds; a busy machine needs more.
const TIMEOUT: &str = "120";

/// How many random runs the tests of the crates make. Far fewer than else, since they are run once for
/// each mutant.
const RANDOM_RUNS: &str = "60";

/// What part of the viable mutants must be caught, in percent.
const GOAL: usize = 85;

/// What is asked for.
struct Options {
    sample: usize,
    seed: u64,
    check: usize,
    check_seed: u64,
    only_own: bool,
    only_report: bool,
    fresh: bool,
    report: String,
}

/// Mutants drawn by a seed.
struct Sample {
    seed: u64,
    mutants: Vec<Mutant>,
}

/// Runs the samples that the arguments describe.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if on_path("cargo-mutants").is_none() {
        bail!("there is no cargo-mutants on PATH: cargo install --locked cargo-mutants");
    }
    let version = captured(Command::new("cargo-mutants").args(["mutants", "--version"]))?;
    let folder = repo.target().join("mutants");
    let work = Work { tree: folder.join("tree"), build: folder.join("build"), out: folder.join("out") };
    let known_file = folder.join("outcomes.json");
    let text = std::fs::read_to_string(&known_file).unwrap_or_else(|_| "{}".to_owned());
    let mut known: BTreeMap<String, String> = serde_json::from_str(&text)?;
    if work.tree.exists() {
        // What a run that was cut off has found out.
        let then = numbered(work.list()?);
        for stage in STAGES {
            work.take_outcomes(stage, &then, &mut known)?;
        }
    }
    if !options.only_report && work.copy_sources(repo)? {
        known.retain(|_, outcome| !matches!(outcome.as_str(), MISSED | UNCAUGHT | NEARLY_MISSED));
    }
    if options.fresh {
        known.clear();
    }
    std::fs::write(&known_file, json!(known).to_string())?;

    let all = numbered(work.list()?);
    let mut rest = all.clone();
    let mut samples = Vec::new();
    for (size, seed) in [(options.sample, options.seed), (options.check, options.check_seed)] {
        let mutants = sampled(&rest, size, seed);
        rest.retain(|mutant| !mutants.contains(mutant));
        samples.push(Sample { seed, mutants });
    }
    samples.retain(|sample| !sample.mutants.is_empty());
    for stage in STAGES.into_iter().filter(|stage| *stage == Stage::Own || !options.only_own) {
        let mutants = samples.iter().flat_map(|sample| &sample.mutants);
        let waits = |mutant: &&Mutant| known.get(&mutant.key).map(String::as_str) == stage.waiting();
        let waiting: Vec<&str> = mutants.filter(waits).map(|mutant| mutant.name.as_str()).collect();
        if !waiting.is_empty() && !options.only_report {
            eprintln!("mutants: {} to be run against {}", waiting.len(), stage.name());
            work.test(&waiting, &all, stage)?;
            work.take_outcomes(stage, &all, &mut known)?;
        }
        std::fs::write(&known_file, json!(known).to_string())?;
        let page = report(version.trim(), all.len(), &samples, &known);
        std::fs::write(repo.path(&options.report), page)?;
    }
    for sample in &samples {
        println!("mutants: seed {}: {}", sample.seed, Counts::of(&sample.mutants, &known).line());
    }
    if samples.first().is_some_and(|sample| Counts::of(&sample.mutants, &known).percent() < GOAL) {
        bail!("fewer than {GOAL} % of the viable mutants are caught");
    }
    Ok(())
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options {
            sample: 400,
            seed: 1,
            check: 100,
            check_seed: 2,
            only_own: false,
            only_report: false,
            fresh: false,
            report: "docs/mutants.md".to_owned(),
        };
        let mut words = arguments.iter();
        while let Some(flag) = words.next() {
            let mut value = || words.next().with_context(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--sample" => options.sample = value()?.parse().context("--sample")?,
                "--seed" => options.seed = value()?.parse().context("--seed")?,
                "--check" => options.check = value()?.parse().context("--check")?,
                "--check-seed" => options.check_seed = value()?.parse().context("--check-seed")?,
                "--report" => options.report = value()?.clone(),
                "--only-own" => options.only_own = true,
                "--only-report" => options.only_report = true,
                "--fresh" => options.fresh = true,
                other => bail!("there is no flag {other}"),
            }
        }
        Ok(options)
    }
}

/// Caught by the tests of its crate.
const CAUGHT: &str = "caught";

/// Caught by the lifecycle cases or the seeded world.
const CAUGHT_LATER: &str = "caught by the whole engine";

/// No test has caught it.
const MISSED: &str = "missed";

/// The tests of its crate have not caught it; others have not been tried yet.
const UNCAUGHT: &str = "not caught by the tests of its crate";

/// Only the seeded world has not been tried yet.
const NEARLY_MISSED: &str = "not caught by the lifecycle cases either";

/// It made the tests run for too long, which is as good as caught.
const TIMED_OUT: &str = "timeout";

/// It doesn't compile.
const UNVIABLE: &str = "unviable";

/// Which tests are run.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Those of the mutated crate.
    Own,
    /// The lifecycle cases.
    Engine,
    /// The lifecycle cases in other orders of answers, and the seeds of the seeded world that are the
    /// same each time.
    World,
}

const STAGES: [Stage; 3] = [Stage::Own, Stage::Engine, Stage::World];

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Own => "the tests of their crates",
            Stage::Engine => "the lifecycle cases",
            Stage::World => "the seeded world",
        }
    }

    /// What is known of a mutant that these tests have to be run for.
    fn waiting(self) -> Option<&'static str> {
        match self {
            Stage::Own => None,
            Stage::Engine => Some(UNCAUGHT),
            Stage::World => Some(NEARLY_MISSED),
        }
    }

    /// What it means that these tests catch a mutant.
    fn caught(self) -> &'static str {
        match self {
            Stage::Own => CAUGHT,
            Stage::Engine | Stage::World => CAUGHT_LATER,
        }
    }

    /// What it means that these tests miss a mutant.
    fn missed(self) -> &'static str {
        match self {
            Stage::Own => UNCAUGHT,
            Stage::Engine => NEARLY_MISSED,
            Stage::World => MISSED,
        }
    }

    /// The package whose tests these are, if it is another than the mutated one.
    fn package(self) -> Option<&'static str> {
        (self != Stage::Own).then_some("purlin-testkit")
    }

    /// What cargo is told about the tests, and what they are told themselves.
    fn arguments(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Stage::Own => (&["--lib", "--test=it"], &[]),
            Stage::Engine => (&["--test=lifecycle"], &["--exact", "lifecycle"]),
            Stage::World => (&["--test=lifecycle", "--test=world"], &["--skip=fresh_seeds"]),
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
            let parts = ["crates/plan/", "crates/journal/", "crates/testkit/"];
            changed |= parts.iter().any(|part| file.starts_with(part));
            std::fs::create_dir_all(to.parent().unwrap_or(&self.tree))?;
            std::fs::write(&to, new).with_context(|| to.display().to_string())?;
        }
        Ok(changed)
    }

    /// Has a command work in the copy, with builds that are quick and tests that are short.
    fn settle(&self, command: &mut Command) {
        command
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            // One failure is enough, and need not be made small.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_CASES", RANDOM_RUNS)
            .env("PURLIN_SEEDS", "1")
            .stdin(Stdio::null());
    }

    fn command(&self) -> Command {
        let mut command = Command::new("cargo-mutants");
        command.args(["mutants", "--no-config", "--in-place"]);
        self.settle(&mut command);
        for name in CRATES {
            command.args(["--package", name]);
        }
        // Bugs for the seeded world to find: no ordinary build has them.
        command.arg("--exclude=crates/plan/src/planted.rs");
        command
    }

    /// The names of all mutants.
    fn list(&self) -> Result<Vec<String>> {
        let listed: Value = serde_json::from_str(&captured(self.command().args(["--list", "--json"]))?)?;
        let names = listed.as_array().into_iter().flatten().filter_map(|mutant| mutant["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn out_of(&self, stage: Stage) -> PathBuf {
        self.out.join(match stage {
            Stage::Own => "own",
            Stage::Engine => "engine",
            Stage::World => "world",
        })
    }

    /// Checks that tests pass without a mutant: else they would seem to catch all of them.
    /// cargo-mutants does so by itself only where the tests are those of the mutated packages.
    fn check(&self, stage: Stage) -> Result<()> {
        let (cargo_arguments, test_arguments) = stage.arguments();
        let mut command = cargo();
        command.args(["test", "--quiet"]).args(cargo_arguments);
        match stage.package() {
            Some(package) => command.args(["--package", package]),
            None => command.args(CRATES.map(|package| format!("--package={package}"))),
        };
        command.arg("--").args(test_arguments);
        self.settle(&mut command);
        captured(&mut command).context("the tests fail without any mutant").map(drop)
    }

    /// Runs tests against mutants.
    fn test(&self, names: &[&str], all: &[Mutant], stage: Stage) -> Result<()> {
        self.check(stage)?;
        let out = self.out_of(stage);
        // It is told to leave out all others as it would those that it has caught before: its filters
        // for names let all mutants of fields of structures through.
        fresh_folder(&out.join("mutants.out"))?;
        let others: Vec<&str> =
            all.iter().map(|mutant| mutant.name.as_str()).filter(|name| !names.contains(name)).collect();
        std::fs::write(out.join("mutants.out/caught.txt"), others.join("\n"))?;
        let mut command = self.command();
        command.args(["--iterate", "--no-shuffle", "--timeout", TIMEOUT, "--build-timeout", "600"]);
        command.args(["--colors", "never", "--baseline=skip", "--output"]).arg(&out);
        let (cargo_arguments, test_arguments) = stage.arguments();
        command.args(stage.package().map(|package| format!("--test-package={package}")));
        command.args(cargo_arguments.iter().map(|argument| format!("--cargo-arg={argument}")));
        command.args(["--", "--"]).args(test_arguments);
        let status = command.status().context("cargo-mutants can't be started")?;
        // 2: some were missed; 3: some took too long.
        if !matches!(status.code(), Some(0 | 2 | 3)) {
            bail!("cargo-mutants failed: {status}; its logs are in {}", out.display());
        }
        Ok(())
    }

    /// Adds what became of mutants in the last run of these tests, whole or cut off. What earlier tests
    /// don't catch may have been caught by later ones before.
    fn take_outcomes(
        &self,
        stage: Stage,
        all: &[Mutant],
        known: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let file = self.out_of(stage).join("mutants.out/outcomes.json");
        let Ok(text) = std::fs::read_to_string(&file) else { return Ok(()) };
        for (key, outcome) in outcomes(&serde_json::from_str(&text)?, stage, all) {
            if stage != Stage::Own || outcome != UNCAUGHT || !known.contains_key(&key) {
                known.insert(key, outcome);
            }
        }
        Ok(std::fs::remove_file(&file)?)
    }
}

/// What became of each mutant, in a few words, by its key.
fn outcomes(document: &Value, stage: Stage, all: &[Mutant]) -> BTreeMap<String, String> {
    let keys: HashMap<&str, &String> = all.iter().map(|mutant| (mutant.name.as_str(), &mutant.key)).collect();
    let each = document["outcomes"].as_array().into_iter().flatten().filter_map(|outcome| {
        let key = *keys.get(outcome["scenario"]["Mutant"]["name"].as_str()?)?;
        let word = match outcome["summary"].as_str()? {
            "CaughtMutant" => stage.caught(),
            "MissedMutant" => stage.missed(),
            "Timeout" => TIMED_OUT,
            _ => UNVIABLE,
        };
        Some((key.clone(), word.to_owned()))
    });
    each.collect()
}
