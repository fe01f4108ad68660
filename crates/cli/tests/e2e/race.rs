//! I4 with the whole command line: runs of `up` race for a stack, and are paused while they hold it.
//! `crates/state/tests/race.rs` plays many more rounds with less around them.
//!
//! `PURLIN_RACE_ROUNDS` sets the number of rounds on each store (3).

use std::collections::BTreeSet;
use std::time::Duration;

use purlin_testkit::servers::Server;
use serde_json::{Value, json};

use crate::support::{Place, Ran, Running, Sealed};

const UP: [&str; 5] = ["up", "--yes", "--skip-preview", "--stack", "dev"];

/// Three objects that every round changes, and a new one.
fn program(round: u64) -> String {
    let object = |name: String| {
        format!("  {name}:\n    type: faultcloud:Object\n    properties: {{ value: v{round} }}\n")
    };
    let mut text = "name: race\nruntime: yaml\nresources:\n".to_owned();
    text.extend((0..3).map(|i| object(format!("n{i}"))));
    text + &object(format!("new{round}"))
}

struct Stack {
    sealed: Sealed,
    place: Place,
}

impl Stack {
    fn new(server: Option<Server>) -> Stack {
        let mut sealed = Sealed::new();
        sealed.install("faultcloud", "1.0.0");
        let place = Place::new(server, "race-up");
        place.settle(&mut sealed);
        sealed.write("Pulumi.yaml", &program(0));
        sealed.run(["stack", "init", "dev"]).exits(0);
        sealed.run(UP).exits(0);
        sealed.faults(&json!({ "*": { "createDelayMs": 300, "updateDelayMs": 300, "deleteDelayMs": 100 } }));
        Stack { sealed, place }
    }

    /// A run that holds the stack and has called the provider.
    fn holder(&self) -> Running {
        self.sealed.forget_calls();
        let mut holder = self.sealed.start(UP, None);
        holder.until("it changes something", || {
            self.sealed.calls().iter().any(|call| call.changes_the_cloud())
        });
        holder
    }

    /// The stack is free, the state is what the cloud has, and what the program says.
    fn is_settled(&self) {
        self.sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]).exits(0);
        let export = self.sealed.run(["stack", "export", "--stack", "dev"]).exits(0).json();
        let resources = export["deployment"]["resources"].as_array().unwrap();
        let objects = resources.iter().filter(|state| state["type"] == "faultcloud:index:Object");
        let ids: Vec<&str> = objects.map(|state| state["id"].as_str().unwrap()).collect();
        let known: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(known.len(), ids.len(), "something is in the state twice: {ids:?}");
        assert_eq!(known, self.sealed.objects().into_keys().collect(), "state and cloud differ");
        assert_eq!(export["deployment"]["pending_operations"], Value::Null);
        assert_eq!(self.place.left_behind(&self.sealed), Vec::<String>::new());
    }
}

fn is_refused(ran: Ran) {
    let ran = ran.exits(1);
    assert!(ran.stderr.contains("the stack is currently locked by"), "{ran}");
}

/// Both begin at the same time.
fn both_at_once(stack: &Stack) {
    let racers = [stack.sealed.start(UP, None), stack.sealed.start(UP, None)];
    let ends = racers.map(Running::wait);
    for ran in &ends {
        assert!(ran.code == Some(0) || ran.stderr.contains("the stack is currently locked"), "{ran}");
    }
    if ends.iter().all(|ran| ran.code != Some(0)) {
        // On a service both may have stood back.
        stack.sealed.run(UP).exits(0);
    }
}

/// Who holds the stack is paused: nobody else of this host gets in.
fn the_holder_is_paused(stack: &Stack) {
    let holder = stack.holder();
    holder.signal("STOP");
    is_refused(stack.sealed.run(UP));
    std::thread::sleep(Duration::from_millis(300));
    is_refused(stack.sealed.run(["refresh", "--yes", "--skip-preview", "--stack", "dev"]));
    holder.signal("CONT");
    holder.wait().exits(0);
}

/// Who holds the stack is paused, and somebody takes it over.
fn the_stack_is_taken_over(stack: &Stack) {
    let holder = stack.holder();
    holder.signal("STOP");
    stack.sealed.run(["cancel", "dev", "--yes"]).exits(0);
    let taken = stack.sealed.run(["stack", "export", "--stack", "dev"]).exits(0).stdout;
    holder.signal("CONT");
    let fenced = holder.wait().exits(1);
    assert!(fenced.output().contains("the stack was taken over by"), "{fenced}");
    let after = stack.sealed.run(["stack", "export", "--stack", "dev"]).exits(0).stdout;
    assert_eq!(taken, after, "a fenced writer has written\n{fenced}");
    // What its calls did meanwhile is kept, and brought in.
    let file = fenced.output().split_whitespace().find(|word| word.ends_with(".jsonl")).map(str::to_owned);
    let file = file.unwrap_or_else(|| panic!("nothing is kept\n{fenced}"));
    stack.sealed.run(["state", "submit", &file, "--stack", "dev"]).exits(0);
    stack.sealed.run(UP).exits(0);
}

fn races(server: Option<Server>) {
    let rounds = std::env::var("PURLIN_RACE_ROUNDS").map_or(3, |text| text.parse::<u64>().unwrap());
    let stack = Stack::new(server);
    for round in 1..=rounds {
        stack.sealed.write("Pulumi.yaml", &program(round));
        match round % 3 {
            1 => both_at_once(&stack),
            2 => the_holder_is_paused(&stack),
            _ => the_stack_is_taken_over(&stack),
        }
        stack.is_settled();
    }
}

#[test]
fn of_racing_updates_one_commits_in_a_directory() {
    races(None);
}

#[test]
fn of_racing_updates_one_commits_on_s3() {
    races(Some(Server::S3));
}

#[test]
fn of_racing_updates_one_commits_in_postgres() {
    races(Some(Server::Postgres));
}
