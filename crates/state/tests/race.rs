//! I4 with real processes: two race for a stack on a real store, and are paused so that leases expire
//! under who holds them.
//!
//! A round has attempts. In each both begin at the same time; who gets the stack waits until the other
//! has had its answer, and then goes on. A round ends when one has committed. In every second round
//! their journals are put into the checkpoint after each batch. What has to be true:
//!
//! - Of two that race at most one commits, and after at most ten attempts one has.
//! - What a writer was promised is in the state, what it was told to have committed as well.
//! - What a writer does after somebody took the stack over is refused, and is not in the state.
//! - While a writer is paused nobody on the same host gets in.
//!
//! `PURLIN_RACE_ROUNDS` sets the number of rounds on each store (15), `PURLIN_RACE_FIRST` the first one.
//! The processes are this program again.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "racing/racer.rs"]
mod racer;
#[path = "racing/round.rs"]
mod round;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_ports::StateStore;
use purlin_testkit::servers::Server;
use racer::{Ground, Task};
use round::{Plan, Seen};

/// How many rounds run with the other tests.
const USUAL: u64 = 15;

/// How many rounds go on one stack: states of many resources would only take time.
const ROUNDS_OF_A_STACK: u64 = 25;

/// How many attempts a round may take.
const ATTEMPTS: u64 = 10;

/// Not a test by itself: what other processes run.
#[test]
fn racer() {
    if let Some(task) = Task::given() {
        racer::race(&task);
    }
}

async fn races(ground: Ground) {
    let setting = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse::<u64>().unwrap());
    let (first, count) = (setting("PURLIN_RACE_FIRST", 0), setting("PURLIN_RACE_ROUNDS", USUAL));
    let judge: Arc<dyn StateStore> = Arc::new(ground.store("judge", None));
    let mut met: BTreeMap<Seen, u64> = BTreeMap::new();
    for number in first..first + count {
        let stack = format!("s{}", number / ROUNDS_OF_A_STACK);
        if number == first || number % ROUNDS_OF_A_STACK == 0 {
            judge.create(&racer::id(&stack)).await.unwrap();
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            assert!(attempts <= ATTEMPTS, "{ground:?}, round {number}: nobody has committed");
            let plan = Plan::draw(number, attempts);
            let race = round::run(&ground, &stack, &plan);
            let state = judge.load(&racer::id(&stack)).await;
            let state = state.unwrap_or_else(|error| panic!("{ground:?}, {plan:?}: {error}\n{race:?}"));
            race.judge(&plan, &world::resources(&state.snapshot));
            for seen in race.seen() {
                *met.entry(seen).or_default() += 1;
            }
            if race.has_committed() {
                break;
            }
        }
        *met.entry(Seen::Attempts).or_default() += attempts;
    }
    println!("{ground:?}: {count} rounds, {met:?}");
    if count >= 100 {
        for seen in [Seen::Refused, Seen::Fenced, Seen::TookOver] {
            assert!(met.get(&seen).is_some_and(|times| *times >= count / 20), "hardly any {seen:?}: {met:?}");
        }
    }
}

#[tokio::test]
async fn of_racing_processes_one_commits_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    races(Ground::Directory(folder.path().to_owned())).await;
}

async fn races_on(server: Server) {
    races(Ground::On(server, format!("race-{}", std::process::id()))).await;
}

#[tokio::test]
async fn of_racing_processes_one_commits_on_s3() {
    races_on(Server::S3).await;
}

#[tokio::test]
async fn of_racing_processes_one_commits_on_google_cloud_storage() {
    races_on(Server::Gcs).await;
}

#[tokio::test]
async fn of_racing_processes_one_commits_on_azure() {
    races_on(Server::Azure).await;
}

#[tokio::test]
async fn of_racing_processes_one_commits_in_postgres() {
    races_on(Server::Postgres).await;
}
