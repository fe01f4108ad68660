//! Runs the seeded world: `world --runs N [--seed S] [--threads T] [--enough N] [--tries N]
//! [--show SEED] [--play FILE]`. The last line counts runs and violations; it fails if there are any.
//! `--play` prints the cases of a file with what comes of them.

use std::process::ExitCode;

use purlin_plan::Rule;
use purlin_testkit::lab::{case, suite};
use purlin_testkit::world::{draw, tally};

/// A number after a flag.
fn number(arguments: &[String], flag: &str) -> Option<u64> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1)?.parse().ok()
}

/// How often each rule is to decide something in a run of 200,000 seeds.
const ENOUGH: u64 = 500;

/// How many seeds may pass before a planted bug is found.
#[cfg(feature = "planted")]
const SEEDS: u64 = 2000;

/// Plants bugs one by one; each has to be found.
#[cfg(feature = "planted")]
fn mutations(seed: u64, threads: Option<u64>) -> ExitCode {
    use purlin_plan::planted::{Bug, plant};
    let threads = threads.map_or_else(cores, |threads| threads as usize);
    let mut missed = 0;
    for (bug, name) in Bug::ALL {
        plant(Some(bug));
        let tally = tally::run(seed, SEEDS, threads, 1);
        plant(None);
        match tally.broken.first() {
            Some((_, violation)) => println!("{name}: found after {} seeds: {violation}", tally.runs),
            None => {
                missed += 1;
                println!("{name}: NOT FOUND within {} seeds", tally.runs);
            }
        }
    }
    println!("{} planted bugs: {missed} not found", Bug::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(feature = "planted"))]
fn mutations(_: u64, _: Option<u64>) -> ExitCode {
    println!("nothing can be planted: build with `--features planted`");
    ExitCode::FAILURE
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Prints the cases of a file as they would be blessed, and what must not happen and did.
fn play(path: &std::path::Path) -> ExitCode {
    let all = || {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        for case in case::read_file(&text)?.1 {
            let played = suite::play(&case)?;
            println!("{}", case::write_case(&case, &played.found));
            played.violations.iter().for_each(|violation| println!("VIOLATION {violation}"));
        }
        Ok(())
    };
    match all() {
        Ok(()) => ExitCode::SUCCESS,
        Err::<(), String>(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--play") {
        let path = arguments.get(at + 1).map(String::as_str).unwrap_or_default();
        return play(std::path::Path::new(path));
    }
    if let Some(seed) = number(&arguments, "--show") {
        print!("{}", draw::case(seed));
        println!("{:?}", tally::run_seed(seed));
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|_| {}));
    if arguments.iter().any(|argument| argument == "--mutations") {
        return mutations(number(&arguments, "--seed").unwrap_or(1), number(&arguments, "--threads"));
    }
    let runs = number(&arguments, "--runs").unwrap_or(2000);
    let seed = number(&arguments, "--seed").unwrap_or(1);
    let threads = number(&arguments, "--threads").map_or_else(cores, |threads| threads as usize);
    let enough = number(&arguments, "--enough").unwrap_or(200) as usize;
    let tries = number(&arguments, "--tries").unwrap_or(2000);
    let start = std::time::Instant::now();
    let tally = tally::run(seed, runs, threads, enough);
    let seconds = start.elapsed().as_secs_f64();
    for (rule, count) in Rule::ALL.iter().zip(&tally.rules) {
        println!("{count:>10}  {}", rule.name());
    }
    let rare = tally.rare(ENOUGH);
    if runs >= 200_000 && !rare.is_empty() {
        println!("rules that decided fewer than {ENOUGH} times: {}", rare.join(", "));
    }
    println!("operations by how they ended: {:?}", tally.results);
    let (resources, changes, calls) = tally.medians();
    println!(
        "medians: {resources} resources, {changes} steps that change something, {calls} calls in flight"
    );
    print!("{}", tally::explain(&tally, tries as usize));
    println!("{} runs from seed {seed} in {seconds:.1} s: {} violations", tally.runs, tally.broken.len());
    if tally.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
