//! Runs the seeded world: `world --runs N [--seed S] [--threads T] [--enough N] [--show SEED]`. The
//! last line counts runs and violations; it fails if there are any.

use std::process::ExitCode;

use purlin_plan::Rule;
use purlin_testkit::world::{draw, tally};

/// A number after a flag.
fn number(arguments: &[String], flag: &str) -> Option<u64> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1)?.parse().ok()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(seed) = number(&arguments, "--show") {
        print!("{}", draw::case(seed));
        println!("{:?}", tally::run_seed(seed));
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let runs = number(&arguments, "--runs").unwrap_or(2000);
    let seed = number(&arguments, "--seed").unwrap_or(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = number(&arguments, "--threads").map_or(cores, |threads| threads as usize);
    let enough = number(&arguments, "--enough").unwrap_or(200) as usize;
    let start = std::time::Instant::now();
    let tally = tally::run(seed, runs, threads, enough);
    let seconds = start.elapsed().as_secs_f64();
    for (rule, count) in Rule::ALL.iter().zip(&tally.rules) {
        println!("{count:>10}  {}", rule.name());
    }
    println!("operations by how they ended: {:?}", tally.results);
    let (resources, changes, calls) = tally.medians();
    println!(
        "medians: {resources} resources, {changes} steps that change something, {calls} calls in flight"
    );
    print!("{}", tally::explain(&tally, 400));
    println!("{} runs from seed {seed} in {seconds:.1} s: {} violations", tally.runs, tally.broken.len());
    if tally.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
