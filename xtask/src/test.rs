//! `cargo xtask test`: prepares what the tests need and runs them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::run::{cargo, shown};
use crate::servers::{self, Servers};
use crate::test_env::{TestEnv, VARIABLE};
use crate::tools::GO;

/// What variables start with that programs under test must not see.
const SEALED: [&str; 12] = [
    "PULUMI_",
    "PURLIN_",
    "FAULTCLOUD_",
    "FILECLOUD_",
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "CLOUDSDK_",
    "STORAGE_EMULATOR_",
    "VAULT_",
    "BAO_",
    "PG",
];

/// What came of the tests so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// The runners' own summaries.
    summaries: Vec<String>,
    /// The names of what failed.
    failures: Vec<String>,
}

impl Tally {
    /// Takes in a line of output of cargo's test runner.
    fn rust_line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            let count = |word: &str| {
                let before = rest.split_once(word).map_or("", |(before, _)| before.trim_end());
                before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
            };
            self.passed += count(" passed");
            self.failed += count(" failed");
            self.ignored += count(" ignored");
            self.summaries.push(line.to_owned());
        } else if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
    }

    /// Takes in a line of output of Go's test runner.
    fn go_line(&mut self, line: &str) {
        if line.starts_with("--- PASS: ") {
            self.passed += 1;
        } else if let Some(rest) = line.strip_prefix("--- FAIL: ") {
            self.failed += 1;
            self.failures.push(rest.to_owned());
        } else if line.starts_with("--- SKIP: ") {
            self.ignored += 1;
        } else if line.starts_with("ok  \t") || line.starts_with("FAIL\t") {
            self.summaries.push(line.to_owned());
        }
    }
}

/// Runs all tests, or those that the arguments (cargo's) name.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let env = TestEnv::prepare(repo)?;
    let servers = Servers::start(repo, &env, &servers::needed_by(arguments))?;
    let mut tally = Tally::default();
    let mut ended_well = true;
    if arguments.is_empty() {
        for name in ["faultcloud", "filecloud"] {
            let folder = repo.path("tests/plugins").join(name);
            let mut command = GO.command();
            command.args(["test", "-buildvcs=false", "-v", "./..."]).current_dir(folder);
            ended_well &= follow(&mut command, &mut tally, Tally::go_line)?;
        }
    }
    let mut command = cargo();
    command.arg("test").current_dir(repo.root());
    if arguments.is_empty() {
        command.args(["--workspace", "--no-fail-fast"]);
    }
    command.args(arguments);
    seal(&mut command).env(VARIABLE, env.root());
    servers.tell(&mut command);
    ended_well &= follow(&mut command, &mut tally, Tally::rust_line)?;
    report(&tally, ended_well)
}

/// Takes away what the caller's environment says to the programs under test.
fn seal(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if SEALED.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command, passes its output on and counts; whether it succeeded.
fn follow(command: &mut Command, tally: &mut Tally, count: fn(&mut Tally, &str)) -> Result<bool> {
    eprintln!("running {}", shown(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` can't be started", shown(command)))?;
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            // A reader of ours that went away doesn't stop the tests.
            let _ = std::io::stdout().write_all(&line);
            count(tally, String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    Ok(child.wait()?.success())
}

fn report(tally: &Tally, ended_well: bool) -> Result<()> {
    println!();
    for summary in &tally.summaries {
        println!("{summary}");
    }
    for name in &tally.failures {
        println!("FAILED: {name}");
    }
    if tally.ignored > 0 {
        println!("{} ignored", tally.ignored);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        bail!("{} tests failed", tally.failed);
    }
    if !ended_well {
        bail!("a test runner failed; its own output says why");
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_runners_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 21 passed; 1 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.31s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            tally.rust_line(line);
        }
        for line in
            ["=== RUN TestX", "--- PASS: TestX (0.00s)", "    --- PASS: TestX/part (0.00s)", "ok  \tp\t1.2s"]
        {
            tally.go_line(line);
        }
        assert_eq!((tally.passed, tally.failed, tally.ignored), (26, 1, 2));
        assert_eq!(tally.failures, ["a::c"]);
        assert_eq!(tally.summaries.len(), 3);
    }

    #[test]
    fn a_failure_and_an_early_end_are_errors() {
        let good = Tally { passed: 3, ..Tally::default() };
        assert!(report(&good, true).is_ok());
        assert!(report(&good, false).is_err());
        assert!(report(&Tally { failed: 1, ..good }, true).is_err());
        assert!(report(&Tally::default(), true).is_err());
    }
}
