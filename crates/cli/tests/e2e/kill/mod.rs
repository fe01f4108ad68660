//! I3: killing the process at any instant loses no resource that exists.
//!
//! Each point is a number that settles where the state is kept, what is killed, when, and what it was
//! doing, down to the provider's delays. The provider's own directory is the truth: whatever exists
//! there is in the state, or the state lists its creation as pending. Afterwards the next run recovers
//! by itself.
//!
//! `PURLIN_KILL_POINTS` sets the number of points on all stores together, `PURLIN_KILL_FIRST` the first
//! one, and `PURLIN_KILL_WORK` (such as `move`) leaves out those of other work. A part of a thousand runs
//! with the other tests; CONTRIBUTING.md says how to run them all.

mod moves;
mod point;
mod work;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use purlin_testkit::servers::Server;

use self::point::{Met, Point};
use self::work::{Templates, Work};

/// How many points run with the other tests.
const USUAL: u64 = 72;

/// The stores, in the order of points.
const STORES: [Option<Server>; 3] = [None, Some(Server::S3), Some(Server::Postgres)];

/// The points of a store among all.
fn points(server: Option<Server>) -> Vec<(u64, Work)> {
    let setting = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse::<u64>().unwrap());
    let (first, count) = (setting("PURLIN_KILL_FIRST", 0), setting("PURLIN_KILL_POINTS", USUAL));
    let stores = STORES.len() as u64;
    let own = |seed: &u64| STORES[usize::try_from(seed % stores).unwrap()] == server;
    let work = |seed: u64| Work::MIX[usize::try_from(seed / stores).unwrap() % Work::MIX.len()];
    let only = std::env::var("PURLIN_KILL_WORK").ok();
    let wanted = |work: Work| only.as_ref().is_none_or(|name| *name == format!("{work:?}").to_lowercase());
    let points = (first..first + count).filter(own).map(|seed| (seed, work(seed)));
    points.filter(|(_, work)| wanted(*work)).collect()
}

/// What a point that failed said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Plays points in as many threads as the machine is good for. They wait for most of their time.
fn play(server: Option<Server>) {
    let points = points(server);
    let met = Met::default();
    let templates = Templates::make(server);
    let next = AtomicUsize::new(0);
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((seed, work)) = points.get(at) else { break };
                    if at > 0 && at.is_multiple_of(50) {
                        println!("{at} of {} points on {server:?}", points.len());
                    }
                    let played = AssertUnwindSafe(|| Point::new(*seed, *work, &templates, &met).play());
                    if let Err(panic) = catch_unwind(played) {
                        failed.lock().unwrap().push(format!("{work:?} {seed}: {}", said(&*panic)));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} points failed:\n{}", failed.len(), points.len(), failed.join("\n"));
    println!("{} points: {met:?}", points.len());
    if points.len() >= 50 && std::env::var_os("PURLIN_KILL_WORK").is_none() {
        met.is_worth_it(points.len());
    }
}

#[test]
fn killed_operations_lose_nothing_in_a_directory() {
    play(None);
}

#[test]
fn killed_operations_lose_nothing_on_s3() {
    play(Some(Server::S3));
}

#[test]
fn killed_operations_lose_nothing_in_postgres() {
    play(Some(Server::Postgres));
}
