//! Many seeds at once, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use purlin_plan::Rule;

use super::{Outcome, draw, play, shrink};

/// The counts of many runs.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many seeds were run.
    pub runs: u64,
    /// Seeds that broke something, with what.
    pub broken: Vec<(u64, String)>,
    /// How often each rule decided something.
    pub rules: Vec<u64>,
    /// How the operations ended.
    pub results: BTreeMap<&'static str, u64>,
    resources: Vec<usize>,
    changes: Vec<usize>,
    calls: Vec<usize>,
}

fn median(numbers: &[usize]) -> usize {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Result<Outcome, String>) {
        self.runs += 1;
        self.rules.resize(Rule::ALL.len(), 0);
        match outcome {
            Ok(outcome) => {
                self.rules.iter_mut().zip(&outcome.rules).for_each(|(sum, count)| *sum += u64::from(*count));
                self.resources.push(outcome.resources);
                self.changes.push(outcome.changes);
                self.calls.push(outcome.calls);
                outcome.results.iter().for_each(|result| *self.results.entry(result).or_default() += 1);
                self.broken.extend(outcome.violations.into_iter().next().map(|violation| (seed, violation)));
            }
            Err(problem) => self.broken.push((seed, format!("the case is none: {problem}"))),
        }
    }

    fn merge(&mut self, other: Tally) {
        self.runs += other.runs;
        self.broken.extend(other.broken);
        self.rules.resize(Rule::ALL.len(), 0);
        self.rules.iter_mut().zip(&other.rules).for_each(|(sum, count)| *sum += count);
        other
            .results
            .into_iter()
            .for_each(|(result, count)| *self.results.entry(result).or_default() += count);
        self.resources.extend(other.resources);
        self.changes.extend(other.changes);
        self.calls.extend(other.calls);
    }

    /// The names of rules that decided something less often than this.
    pub fn rare(&self, often: u64) -> Vec<&'static str> {
        let rare = Rule::ALL.iter().zip(&self.rules).filter(|(_, count)| **count < often);
        rare.map(|(rule, _)| rule.name()).collect()
    }

    /// The medians of resources, steps that change something, and calls under way at once.
    pub fn medians(&self) -> (usize, usize, usize) {
        (median(&self.resources), median(&self.changes), median(&self.calls))
    }
}

/// Runs one seed; a panic is a violation.
pub fn run_seed(seed: u64) -> Result<Outcome, String> {
    std::panic::catch_unwind(|| play(&draw::case(seed))).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let violations = vec![format!("a panic: {}", text.unwrap_or_default())];
        Ok(Outcome { violations, ..Outcome::default() })
    })
}

/// Runs seeds from one on, on so many threads. Ends early when that many are broken.
pub fn run(first: u64, runs: u64, threads: usize, enough: usize) -> Tally {
    let (next, broken) = (AtomicU64::new(0), AtomicU64::new(0));
    let whole = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut own = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs || broken.load(Ordering::Relaxed) >= enough as u64 {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    own.add(seed, run_seed(seed));
                    broken.fetch_add(
                        own.broken.last().is_some_and(|(last, _)| *last == seed).into(),
                        Ordering::Relaxed,
                    );
                }
                whole.lock().unwrap_or_else(PoisonError::into_inner).merge(own);
            });
        }
    });
    let mut whole = whole.into_inner().unwrap_or_else(PoisonError::into_inner);
    whole.broken.sort();
    whole
}

/// The broken seeds by what they broke, the first of each with the smallest case that was found.
pub fn explain(tally: &Tally, tries: usize) -> String {
    let mut kinds: BTreeMap<String, Vec<&(u64, String)>> = BTreeMap::new();
    for broken in &tally.broken {
        kinds.entry(shrink::kind(&broken.1)).or_default().push(broken);
    }
    let mut text = String::new();
    for (kind, all) in kinds {
        let (seed, violation) = all[0];
        text.push_str(&format!("\n{} × {kind}\n  seed {seed}: {violation}\n", all.len()));
        text.push_str(&shrink::shrink(&draw::case(*seed), violation, tries));
    }
    text
}
