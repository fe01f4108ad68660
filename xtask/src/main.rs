//! Tasks for working on Purlin, run as `cargo xtask <task>`.

mod bench;
mod demo;
mod mutants;
mod repo;
mod rules;
mod run;
mod servers;
mod test;
mod test_env;
mod tidy;
mod tools;
mod world;

use std::process::ExitCode;

use crate::repo::Repo;

const USAGE: &str = "\
usage: cargo xtask <task>

  test [cargo test's arguments]   prepare what the tests need, then run all of them (or those named)
  servers [names] [-- command]    start the servers that tests talk to, print the variables that name
                                  them and wait, or run a command with them
  tidy                            check the edges between crates, headers, sizes and the pages
  rules                           count the rows of docs/engine-rules.md and write the table at its top
  world --runs N [--seed S]       run the seeded world: random states, programs, clouds and operations
        [--mutations]             plant known bugs one by one; each has to be found
  demo                            build Purlin and take the example programs through their lives
  mutants [--sample N] [--seed S] [--check N] [--check-seed S] [--only-own] [--only-report] [--fresh]
          [--report FILE]         mutate planner and journal; docs/mutants.md gets the list with outcomes
  bench plan [--resources N] [--runs N] [--no-op]
                                  measure planning alone; the last line is registrations a second
  bench up --resources N[,N...]   measure create, no-op, preview, refresh and destroy
           [--language yaml|python|node|go[,...]] [--provider builtin|plugin]
           [--runs N] [--peer-up-to N] [--no-peer] [--no-build] [--output FILE]
  bench state [--resources 200,2000] [--chain 100] [--latency 0,20,50] [--language yaml|python]
              [--stores directory,s3,gcs,azure,postgres] [--runs N] [--trace]
              [--peer-up-to N] [--no-peer] [--no-build] [--output FILE]
                                  measure what keeping a state costs, by store and by how far away it is
  bench state --large [--resources 100000] [--runs N] [--no-build] [--output FILE]
                                  measure reading, exporting and editing a large state";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let repo = Repo::here();
    let result = match arguments.split_first() {
        Some((task, rest)) => match task.as_str() {
            "test" => test::run(&repo, rest),
            "servers" => servers::run(&repo, rest),
            servers::guard::TASK => servers::guard::run(rest),
            "tidy" => tidy::run(&repo),
            "world" => world::run(&repo, rest),
            "rules" => rules::run(&repo),
            "mutants" => mutants::run(&repo, rest),
            "demo" => demo::run(&repo),
            "bench" => bench::run(&repo, rest),
            "help" | "-h" | "--help" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => Err(anyhow::anyhow!("there is no task {other:?}\n\n{USAGE}")),
        },
        None => Err(anyhow::anyhow!("{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
