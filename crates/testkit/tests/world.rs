//! The seeded world: seeds that are the same each time, and fresh ones. A seed that breaks something
//! is printed with the smallest case that does; `cargo xtask world` runs as many as you like.

use purlin_testkit::world::{play, tally};

fn holds(first: u64, runs: u64) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tally = tally::run(first, runs, threads, 5);
    assert!(tally.broken.is_empty(), "{}", tally::explain(&tally, 200));
    let (resources, changes, calls) = tally.medians();
    assert!(resources >= 12 && changes >= 5 && calls >= 3, "{resources} {changes} {calls}");
}

#[test]
fn seeds_that_are_the_same_each_time() {
    holds(1, 600);
}

#[test]
fn fresh_seeds() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = now.map_or(0, |now| now.as_secs());
    println!("from seed {seed} on");
    holds(seed * 1000, 600);
}

/// The order of this update is so rare that no preview in a drawn order has it.
const RARE: &str = "of the world

=== reads that come when all that they replace is deleted
cloud
  dbr d h
  exists real-b
  exists real-c
  exists real-e
state
  provider default
  custom a in={d: 1} @provider=default
  custom b in={h: a-1/out} @from=h:a @provider=default
  custom c in={h: a-1/out} @from=h:a @provider=default
  custom e in={h: a-1/out} @from=h:a @provider=default
program parallel
  read b @id=real-b
  read c @id=real-c
  read e @id=real-e
  custom a d=2
preview
up order=last
";

#[test]
fn a_preview_is_tried_in_the_order_of_the_update() {
    let outcome = play(RARE).expect("the case is understood");
    assert_eq!(outcome.violations, Vec::<String>::new());
}
