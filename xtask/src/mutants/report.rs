//! What became of samples, counted and as a page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::sample::{Mutant, place};
use super::{
    CAUGHT, CAUGHT_LATER, GOAL, MISSED, NEARLY_MISSED, RANDOM_RUNS, Sample, TIMED_OUT, TIMEOUT, UNCAUGHT,
    UNVIABLE,
};

/// What became of a sample.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Counts {
    own: usize,
    later: usize,
    timeouts: usize,
    missed: usize,
    /// Not caught so far, and not run against everything yet.
    waiting: usize,
    unviable: usize,
    left: usize,
}

impl Counts {
    pub(super) fn of(sample: &[Mutant], known: &BTreeMap<String, String>) -> Counts {
        let mut counts = Counts::default();
        for mutant in sample {
            let count = match known.get(&mutant.key).map(String::as_str) {
                Some(CAUGHT) => &mut counts.own,
                Some(CAUGHT_LATER) => &mut counts.later,
                Some(TIMED_OUT) => &mut counts.timeouts,
                Some(MISSED) => &mut counts.missed,
                Some(NEARLY_MISSED | UNCAUGHT) => &mut counts.waiting,
                Some(UNVIABLE) => &mut counts.unviable,
                _ => &mut counts.left,
            };
            *count += 1;
        }
        counts
    }

    fn caught(&self) -> usize {
        self.own + self.later + self.timeouts
    }

    /// Those that compile, as far as is known: what has not been run yet counts as viable and not caught.
    fn viable(&self) -> usize {
        self.caught() + self.missed + self.waiting + self.left
    }

    /// The part of the viable ones that is caught, rounded down.
    pub(super) fn percent(&self) -> usize {
        (100 * self.caught()).checked_div(self.viable()).unwrap_or(100)
    }

    pub(super) fn line(&self) -> String {
        let mut line = format!(
            "{} of {} viable ones caught, {} % ({} by the tests of their crate, {} by the whole engine, {} by running \
             for too long); {} missed, {} not viable",
            self.caught(),
            self.viable(),
            self.percent(),
            self.own,
            self.later,
            self.timeouts,
            self.missed,
            self.unviable
        );
        if self.waiting > 0 {
            let _ =
                write!(line, ", {} not caught so far and not run against the whole engine yet", self.waiting);
        }
        if self.left > 0 {
            let _ = write!(line, ", {} not run yet", self.left);
        }
        line
    }
}

/// The page, for what `cargo mutants` of a version makes of both crates and what became of samples.
pub(super) fn report(
    version: &str,
    all: usize,
    samples: &[Sample],
    known: &BTreeMap<String, String>,
) -> String {
    let mut out = String::from("# Mutants\n\n");
    let _ = writeln!(
        out,
        "Written by `cargo xtask mutants` with `{version}`, which makes {all} mutants of `crates/plan` and \
         `crates/journal`. Samples are drawn from them by a seed. Each mutant is run against the tests of its crate \
         (with {RANDOM_RUNS} random runs); when those don't catch it, against the lifecycle cases; when \
         those don't either, against the fixed part of the seeded world. One that doesn't compile is not viable; one that makes tests run for \
         more than {TIMEOUT} s is caught, and one that has not been run yet counts as not caught. The goal is {GOAL} %. The second sample is drawn from what the first has left: \
         it shows what tests catch that were not written with its mutants in view. What was caught once is not run again \
         when tests or other files change, unless by `--fresh`.\n"
    );
    for sample in samples {
        let counts = Counts::of(&sample.mutants, known);
        let _ =
            writeln!(out, "- **Seed {}**, {} mutants: {}.", sample.seed, sample.mutants.len(), counts.line());
    }
    for sample in samples {
        let _ = writeln!(out, "\n## Seed {}", sample.seed);
        for (title, wanted) in [("Not caught", true), ("All others", false)] {
            let chosen = |mutant: &&Mutant| {
                let outcome = known.get(&mutant.key).map(String::as_str);
                matches!(outcome, Some(MISSED | NEARLY_MISSED | UNCAUGHT)) == wanted
            };
            table(&mut out, title, sample.mutants.iter().filter(chosen), known);
        }
    }
    out
}

fn table<'a>(
    out: &mut String,
    title: &str,
    mutants: impl Iterator<Item = &'a Mutant>,
    known: &BTreeMap<String, String>,
) {
    let _ = writeln!(out, "\n### {title}\n");
    let mut last = "";
    for mutant in mutants {
        let (file, line, column, what) = place(&mutant.name);
        if file != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}`{file}`\n\n| Place | Mutant | Outcome |\n|---|---|---|");
            last = file;
        }
        let outcome = known.get(&mutant.key).map_or("not run yet", String::as_str);
        let _ = writeln!(out, "| {line}:{column} | `{}` | {outcome} |", what.replace('|', "\\|"));
    }
    if last.is_empty() {
        out.push_str("None.\n");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutants::sample::numbered;
    use crate::mutants::{Stage, outcomes};

    #[test]
    fn outcomes_are_counted_and_listed() {
        let mutants =
            numbered((0..5).map(|line| format!("crates/plan/src/a.rs:{line}:1: replace a || b")).collect());
        let mutant = |mutant: &Mutant, summary: &str| json!({ "scenario": { "Mutant": { "name": mutant.name } }, "summary": summary });
        let document = json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" },
            mutant(&mutants[0], "CaughtMutant"),
            mutant(&mutants[1], "MissedMutant"),
            mutant(&mutants[2], "Unviable"),
            mutant(&mutants[3], "Timeout"),
        ]});
        let known = outcomes(&document, Stage::World, &mutants);
        let counts = Counts::of(&mutants, &known);
        assert_eq!(
            counts,
            Counts { own: 0, later: 1, timeouts: 1, missed: 1, waiting: 0, unviable: 1, left: 1 }
        );
        assert_eq!(counts.percent(), 50);
        let report = report("cargo-mutants 1", 9, &[Sample { seed: 3, mutants }], &known);
        let (missed, others) = report.split_once("### All others").unwrap();
        assert!(missed.contains("| 1:1 | `replace a \\|\\| b` | missed |"), "{report}");
        assert!(others.contains("| 0:1 | `replace a \\|\\| b` | caught by the whole engine |"), "{report}");
        assert!(others.contains("| 4:1 | `replace a \\|\\| b` | not run yet |"), "{report}");
    }
}
