//! The seeded world: seeds that are the same each time, and fresh ones. A seed that breaks something
//! is printed with the smallest case that does; `cargo xtask world` runs as many as you like.

use purlin_testkit::world::tally;

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
