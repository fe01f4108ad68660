//! The adapters of object storage, and stacks on them, against real servers, which `cargo xtask test`
//! starts.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use purlin_blobs::conformance::check_blobs;
use purlin_blobs::{Surroundings, open};
use purlin_ports::{BlobError, Blobs, Clock, Entropy, Put, StateStore};
use purlin_state::conformance::{Checkpoints, check_store};
use purlin_state::{DiyOptions, DiyStore, SystemProcesses, SystemTimer};
use purlin_testkit::servers::{Backend, Server};

const KINDS: [Server; 3] = [Server::S3, Server::Gcs, Server::Azure];

/// A prefix that no other test uses.
fn on(server: Server, prefix: &str) -> Backend {
    let found = server.find(|name| std::env::var(name).ok());
    server.backend(&found, &format!("{prefix}-{}", std::process::id()))
}

fn opened(backend: &Backend) -> Arc<dyn Blobs> {
    open(&backend.url, &Surroundings { variable: &|name| backend.variable(name), home: None }).unwrap()
}

#[tokio::test]
async fn real_services_keep_the_promises_of_the_port() {
    for server in KINDS {
        let kept = check_blobs(&*opened(&on(server, "port")), "below").await;
        assert_eq!(kept, Ok(()), "{server:?}");
    }
}

#[tokio::test]
async fn lists_that_come_in_several_answers_are_whole() {
    for server in KINDS {
        let blobs = opened(&on(server, "many"));
        let key = |number: u32| format!("k/{number:05}");
        for numbers in (0..1050).collect::<Vec<u32>>().chunks(50) {
            let put = |number: &u32| {
                let (blobs, key) = (Arc::clone(&blobs), key(*number));
                async move { blobs.put(&key, b"x".to_vec(), &Put::Always).await.unwrap() }
            };
            join_all(numbers.iter().map(put)).await;
        }
        let found = blobs.list("k/").await.unwrap();
        assert_eq!(found.len(), 1050, "{server:?}");
        assert!(found.iter().zip(0..).all(|(info, number)| info.key == key(number)), "{server:?}");
    }
}

#[tokio::test]
async fn of_racing_writers_one_wins_in_every_round() {
    for server in KINDS {
        let backend = on(server, "race");
        for round in 0..20 {
            let race = (0..4).map(|racer: u32| {
                let (blobs, key) = (opened(&backend), format!("round/{round}"));
                async move { blobs.put(&key, racer.to_string().into_bytes(), &Put::IfAbsent).await }
            });
            let ends = join_all(race).await;
            let lost = |end: &Result<_, BlobError>| matches!(end, Err(BlobError::AlreadyExists));
            let (won, lost) =
                (ends.iter().filter(|end| end.is_ok()).count(), ends.iter().filter(|e| lost(e)).count());
            assert_eq!((won, lost), (1, 3), "{server:?}, round {round}: {ends:?}");
        }
    }
}

#[tokio::test]
async fn refusals_are_told_from_what_is_not_known() {
    for server in KINDS {
        let mut nowhere = on(server, "x");
        nowhere.url = nowhere.url.replacen("/x-", "-that-is-not/x-", 1);
        let error = opened(&nowhere).put("a", b"1".to_vec(), &Put::Always).await.unwrap_err();
        assert!(matches!(error, BlobError::NoBucket(_) | BlobError::NotFound), "{server:?}: {error:?}");
        let mut stranger = on(server, "x");
        // Google's lets everybody in.
        if let Some((_, key)) = stranger.variables.get_mut(1) {
            *key = "bm90IHRoZSBrZXk=".to_owned();
            let error = opened(&stranger).get("a").await.unwrap_err();
            assert!(matches!(error, BlobError::Denied(_)), "{server:?}: {error:?}");
        }
        // A port that nobody listens on.
        let gone = server.find(|name| std::env::var(name).ok()).at("127.0.0.1:9".parse().unwrap());
        let error = opened(&server.backend(&gone, "x")).get("a").await.unwrap_err();
        assert!(matches!(error, BlobError::Unknown(_)), "{server:?}: {error:?}");
    }
}

/// Chance and time as the stores are told of them: every name is another.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = number[at % 8];
        }
    }
}

impl Clock for Counting {
    fn now(&self) -> String {
        format!("2025-01-02T03:04:{:02}Z", self.0.fetch_add(1, Ordering::Relaxed) % 60)
    }

    fn unix_seconds(&self) -> i64 {
        1_735_787_045
    }
}

#[tokio::test]
async fn stacks_on_real_services_keep_the_promises_of_stores() {
    let chance = Arc::new(Counting::default());
    let stores = AtomicU64::new(0);
    for server in [Server::S3, Server::Gcs, Server::Azure, Server::Postgres] {
        for (checkpoints, journal_bytes) in [(Checkpoints::AtTheEnd, None), (Checkpoints::OnTheWay, Some(1))]
        {
            let make = || {
                let number = stores.fetch_add(1, Ordering::Relaxed);
                let backend = on(server, &format!("stacks{number}"));
                let around = purlin_state::Surroundings {
                    clock: chance.clone(),
                    entropy: chance.clone(),
                    timer: Arc::new(SystemTimer::start()),
                    processes: Arc::new(SystemProcesses::new("here")),
                    pid: std::process::id(),
                    hostname: "here".into(),
                    username: "ann".into(),
                    unsent: None,
                };
                let options = DiyOptions { journal_bytes, ..DiyOptions::default() };
                let store = DiyStore::open_bucket(&*backend.url, opened(&backend), options, around);
                Arc::new(store.unwrap()) as Arc<dyn StateStore>
            };
            assert_eq!(check_store(checkpoints, &make).await, Ok(()), "{server:?}, {checkpoints:?}");
        }
    }
}
