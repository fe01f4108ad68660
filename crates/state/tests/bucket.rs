//! Stacks in a bucket: writers that die, lose the stack, lose the bucket; requests that go wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use purlin_blobs::{Answer, MemoryBlobs, Request, RequestKind};
use purlin_model::Snapshot;
use purlin_ports::{BlobError, LoadedStack, StateError, StateStore};
use purlin_state::{Compression, DiyOptions, DiyStore};
use serde_json::Value;
use world::*;

const CHECKPOINT: &str = ".pulumi/stacks/shop/dev.json";

/// Checkpoints at the end only, and one after each batch of entries.
const JOURNAL_BYTES: [Option<u64>; 2] = [None, Some(1)];

async fn deployed(names: &[&str]) -> (World, MemoryBlobs, DiyStore) {
    deployed_with(names, None).await
}

async fn deployed_with(names: &[&str], journal_bytes: Option<u64>) -> (World, MemoryBlobs, DiyStore) {
    let options = DiyOptions { journal_bytes, ..DiyOptions::default() };
    let (world, blobs) = (World::with(options), MemoryBlobs::new());
    let store = world.bucket_on(&blobs, "here", 1);
    store.create(&id()).await.unwrap();
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(names), well()).await.unwrap();
    (world, blobs, store)
}

/// A writer that stores some entries and dies.
async fn dies(world: &World, blobs: &MemoryBlobs, host: &str, pid: u32) {
    let session = world.bucket_on(blobs, host, pid).begin(&id(), info()).await.unwrap();
    drop(session.append(keep(0)));
    session.append(begin(1, "b")).wait().await.unwrap();
    drop(session.append(created(1, 1, "b")));
    session.append(begin(2, "c")).wait().await.unwrap();
    drop(session);
    world.kill(host, pid);
}

fn is_recovered(loaded: &LoadedStack) {
    assert!(loaded.recovered);
    assert_eq!(resources(&loaded.snapshot), ["a", "b"]);
    let pending: Vec<_> = loaded.snapshot.pending_operations.iter().map(|p| p.resource.urn.name()).collect();
    assert_eq!(pending, ["c"]);
}

fn code(error: &StateError) -> &'static str {
    error.diagnostic().code
}

#[tokio::test]
async fn a_finished_operation_leaves_what_the_ecosystem_knows() {
    let (_world, blobs, _store) = deployed(&["a"]).await;
    let keys = blobs.keys();
    let with = |start: &str| keys.iter().filter(|key| key.starts_with(start)).count();
    assert_eq!(with(".pulumi/meta.yaml"), 1);
    assert_eq!(with(CHECKPOINT), 2, "the checkpoint and the one before: {keys:?}");
    assert_eq!(with(".pulumi/history/shop/dev/"), 2);
    assert_eq!(with(".pulumi/backups/shop/dev/"), 1);
    assert_eq!(with(".pulumi/locks/"), 0);
    assert_eq!(with(".pulumi/purlin/shop/dev/"), 1, "only the epoch is left: {keys:?}");
}

#[tokio::test]
async fn the_objects_of_a_journal_go_in_one_request() {
    let (_world, blobs, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    for op in 1..=20 {
        session.append(begin(op, "b")).wait().await.unwrap();
        session.append(created(op, op, "b")).wait().await.unwrap();
    }
    let in_journal = |key: &String| key.contains("/journal.");
    assert!(blobs.keys().iter().filter(|key| in_journal(key)).count() > 20);
    blobs.clear_log();
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    let log = blobs.log();
    let deletes =
        log.iter().filter(|request| request.kind == RequestKind::Delete && in_journal(&request.key));
    assert_eq!(deletes.count(), 1, "{log:#?}");
    assert!(!blobs.keys().iter().any(in_journal));
}

#[tokio::test]
async fn a_writer_that_died_is_recovered() {
    let (world, blobs, store) = deployed(&["a"]).await;
    dies(&world, &blobs, "here", 7).await;
    let before = blobs.keys();
    is_recovered(&store.load(&id()).await.unwrap());
    assert_eq!(before, blobs.keys(), "reading changes nothing");
    let session = store.begin(&id(), info()).await.unwrap();
    is_recovered(session.base());
    session.append(begin(3, "d")).wait().await.unwrap();
    drop(session.append(created(3, 2, "d")));
    drop(session);
    world.kill("here", 1);
    let store = world.bucket_on(&blobs, "here", 2);
    let report = store.cancel(&id()).await.unwrap();
    assert!(report.recovered);
    let loaded = store.load(&id()).await.unwrap();
    assert!(!loaded.recovered);
    assert_eq!(resources(&loaded.snapshot), ["d", "a", "b"], "what the run registered comes first");
    assert!(blobs.keys().iter().all(|key| !key.starts_with(".pulumi/locks/")));
}

#[tokio::test]
async fn a_writer_on_another_host_is_watched_until_its_heart_stands_still() {
    let (world, blobs, store) = deployed(&["a"]).await;
    dies(&world, &blobs, "there", 7).await;
    is_recovered(store.begin(&id(), info()).await.unwrap().base());
    assert!(world.slept() >= world.options.times.expiry);
}

#[tokio::test]
async fn a_fenced_writer_stores_nothing_and_what_it_did_can_be_submitted() {
    let (world, blobs, store) = deployed(&["a"]).await;
    let old = world.bucket_on(&blobs, "there", 7).begin(&id(), info()).await.unwrap();
    old.append(begin(1, "b")).wait().await.unwrap();
    store.cancel(&id()).await.unwrap();
    let new = store.begin(&id(), info()).await.unwrap();
    let refused = old.append(created(1, 1, "b")).wait().await.unwrap_err();
    assert_eq!(code(&refused), "stack-fenced");
    let lost = old.finish(&snapshot(&["a", "b"]), well()).await.unwrap_err().diagnostic();
    assert_eq!(lost.code, "stack-fenced");
    let hint = lost.hint.unwrap();
    assert!(hint.contains("purlin state submit "), "{hint}");
    new.append(begin(1, "x")).wait().await.unwrap();
    drop(new.append(created(1, 1, "x")));
    let mut left = snapshot(&["a", "x"]);
    left.pending_operations = new.base().snapshot.pending_operations.clone();
    new.finish(&left, well()).await.unwrap();
    drop(old);

    let there = world.bucket_on(&blobs, "there", 7);
    let waiting = there.begin(&id(), info()).await.err().unwrap().diagnostic();
    assert_eq!(waiting.code, "entries-unsent");
    let file = hint.split_whitespace().find(|word| word.ends_with(".jsonl")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let lines = there.submit(&id(), std::path::Path::new(file)).await.unwrap();
    assert_eq!(lines.len(), 1);
    let loaded = there.load(&id()).await.unwrap();
    assert_eq!(resources(&loaded.snapshot), ["a", "x", "b"]);
    assert!(loaded.snapshot.pending_operations.is_empty());
    there.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
}

/// A writer on the host `there` that loses the stack to somebody who only frees it. What it did at the
/// end is only on its machine.
async fn is_freed_under_its_writer() -> (World, MemoryBlobs, DiyStore) {
    let (world, blobs, store) = deployed(&["a"]).await;
    let old = world.bucket_on(&blobs, "there", 7).begin(&id(), info()).await.unwrap();
    drop(old.append(keep(0)));
    old.append(begin(1, "b")).wait().await.unwrap();
    store.cancel(&id()).await.unwrap();
    assert_eq!(code(&old.append(created(1, 1, "b")).wait().await.unwrap_err()), "stack-fenced");
    assert!(old.finish(&snapshot(&["a", "b"]), well()).await.is_err());
    drop(old);
    (world, blobs, store)
}

#[tokio::test]
async fn what_a_fenced_writer_kept_is_brought_in_if_the_stack_only_was_freed_since() {
    let (world, blobs, store) = is_freed_under_its_writer().await;
    let there = world.bucket_on(&blobs, "there", 8);
    let waiting = there.begin(&id(), info()).await.err().unwrap();
    assert_eq!(code(&waiting), "entries-unsent", "its writer may still add to them");
    world.kill("there", 7);
    let base = store.load(&id()).await.unwrap().snapshot;
    assert_eq!((resources(&base), base.pending_operations.len()), (vec!["a"], 1));
    let session = there.begin(&id(), info()).await.unwrap();
    let base = &session.base().snapshot;
    assert_eq!((resources(base), base.pending_operations.len()), (vec!["a", "b"], 0));
    session.abandon().await.unwrap();
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a", "b"]);
    assert_eq!(std::fs::read_dir(world.root().join("unsent/there")).unwrap().count(), 0);
    there.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
}

#[tokio::test]
async fn what_a_fenced_writer_kept_waits_if_the_stack_has_gone_on() {
    let (world, blobs, store) = is_freed_under_its_writer().await;
    world.kill("there", 7);
    let other = store.begin(&id(), info()).await.unwrap();
    other.finish(&snapshot(&["a", "x"]), well()).await.unwrap();
    let there = world.bucket_on(&blobs, "there", 8);
    assert_eq!(code(&there.begin(&id(), info()).await.err().unwrap()), "entries-unsent");
    assert_eq!(resources(&there.load(&id()).await.unwrap().snapshot), ["a", "x"]);
}

#[tokio::test]
async fn a_checkpoint_that_a_fenced_writer_was_about_to_put_does_not_arrive_any_more() {
    for with_entries in [false, true] {
        let (world, blobs, store) = deployed(&["a"]).await;
        let old = world.bucket_on(&blobs, "there", 7).begin(&id(), info()).await.unwrap();
        if with_entries {
            drop(old.append(begin(1, "b")));
            old.append(created(1, 1, "b")).wait().await.unwrap();
        }
        // It is on its way for a long time; its writer hears nothing more.
        let mut is_sent = false;
        blobs.answer(move |request| {
            let is_it = request.key == CHECKPOINT && matches!(request.kind, RequestKind::Put { .. });
            match (is_sent, is_it) {
                (false, true) => {
                    is_sent = true;
                    Answer::DoLater(500)
                }
                (false, false) => Answer::Well,
                (true, _) => Answer::Fail(BlobError::Unknown("no route".into())),
            }
        });
        assert!(old.finish(&snapshot(&["a", "late"]), well()).await.is_err());
        blobs.answer_well();
        let new = store.begin(&id(), info()).await.unwrap();
        for _ in 0..500 {
            purlin_ports::Blobs::get(&blobs, CHECKPOINT).await.unwrap();
        }
        new.append(begin(2, "x")).wait().await.unwrap();
        new.append(created(2, 2, "x")).wait().await.unwrap();
        new.finish(&snapshot(&["a", "x"]), well()).await.unwrap();
        assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a", "x"]);
    }
}

#[tokio::test]
async fn a_checkpoint_that_arrives_while_the_stack_is_taken_over_is_gone_on_from() {
    // Whatever request of the other it comes before.
    for after in 0..60 {
        let (world, blobs, store) = deployed(&["a"]).await;
        let old = world.bucket_on(&blobs, "here", 7).begin(&id(), info()).await.unwrap();
        old.append(begin(1, "b")).wait().await.unwrap();
        let mut is_sent = false;
        blobs.answer(move |request| {
            let is_it = request.key == CHECKPOINT && matches!(request.kind, RequestKind::Put { .. });
            match (is_sent, is_it) {
                (false, true) => {
                    is_sent = true;
                    Answer::DoLater(after)
                }
                (false, false) => Answer::Well,
                (true, _) => Answer::Fail(BlobError::Denied("no route".into())),
            }
        });
        assert!(old.finish(&snapshot(&["a", "b"]), well()).await.is_err());
        blobs.answer_well();
        world.kill("here", 7);
        let new = store.begin(&id(), info()).await.unwrap_or_else(|error| panic!("{after}: {error}"));
        let mut end = new.base().snapshot.as_ref().clone();
        let found = (resources(&end).len(), end.pending_operations.len());
        assert!([(1, 1), (2, 0)].contains(&found), "{after}: {found:?}");
        end.resources.push(Arc::new(resource("x")));
        new.finish(&end, well()).await.unwrap_or_else(|error| panic!("{after}: {error}"));
        assert_eq!(store.load(&id()).await.unwrap().snapshot.resources.len(), end.resources.len());
    }
}

/// A bucket that answers nothing any more.
fn goes_away(blobs: &MemoryBlobs, how: BlobError) {
    blobs.answer(move |_| Answer::Fail(how.clone()));
}

#[tokio::test]
async fn what_a_bucket_that_went_away_did_not_take_is_brought_in_by_the_next_operation() {
    for how in [BlobError::Unknown("no route".into()), BlobError::Denied("the token has expired".into())] {
        let (world, blobs, store) = deployed(&["a"]).await;
        let session = store.begin(&id(), info()).await.unwrap();
        drop(session.append(keep(0)));
        session.append(begin(1, "b")).wait().await.unwrap();
        goes_away(&blobs, how.clone());
        assert!(session.append(begin(2, "c")).wait().await.is_err(), "nothing more begins");
        drop(session.append(created(1, 1, "b")));
        let lost = session.finish(&snapshot(&["a", "b"]), well()).await.unwrap_err();
        let hint = lost.diagnostic().hint.unwrap();
        assert!(hint.contains("purlin up --stack dev"), "{hint}");
        drop(session);
        world.kill("here", 1);
        blobs.answer_well();

        // Somebody else sees what the bucket has.
        let there = world.bucket_on(&blobs, "there", 5).load(&id()).await.unwrap();
        assert_eq!(resources(&there.snapshot), ["a"]);
        assert!(there.snapshot.pending_operations.iter().any(|p| p.resource.urn.name() == "b"));
        let store = world.bucket_on(&blobs, "here", 2);
        let loaded = store.load(&id()).await.unwrap();
        assert_eq!(resources(&loaded.snapshot), ["a", "b"]);
        let session = store.begin(&id(), info()).await.unwrap();
        assert_eq!(resources(&session.base().snapshot), ["a", "b"]);
        session.abandon().await.unwrap();
        let there = world.bucket_on(&blobs, "there", 5).load(&id()).await.unwrap();
        assert_eq!(resources(&there.snapshot), ["a", "b"]);
    }
}

/// The file with what `here` could not store.
fn kept_file(world: &World) -> std::path::PathBuf {
    let folder = std::fs::read_dir(world.root().join("unsent/here")).unwrap();
    folder.map(|entry| entry.unwrap().path()).next().unwrap()
}

/// A writer that could store only that `b` is being made, and keeps the rest in a file before it dies.
async fn dies_and_keeps() -> (World, MemoryBlobs) {
    let (world, blobs, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    drop(session.append(keep(0)));
    session.append(begin(1, "b")).wait().await.unwrap();
    goes_away(&blobs, BlobError::Unknown("no route".into()));
    assert!(session.append(created(1, 1, "b")).wait().await.is_err());
    assert!(session.finish(&snapshot(&["a", "b"]), well()).await.is_err());
    drop(session);
    world.kill("here", 1);
    blobs.answer_well();
    (world, blobs)
}

#[tokio::test]
async fn what_is_torn_of_kept_entries_is_in_nobodys_way() {
    let whole = std::fs::read_to_string(kept_file(&dies_and_keeps().await.0)).unwrap();
    let mut brought_in = 0;
    // The system ends a write where it likes.
    for bytes in 0..=whole.len() {
        let is_near_an_end = whole[bytes.saturating_sub(2)..(bytes + 2).min(whole.len())].contains('\n');
        if !is_near_an_end && bytes % 31 != 0 {
            continue;
        }
        let (world, blobs) = dies_and_keeps().await;
        let text = &whole[..bytes];
        std::fs::write(kept_file(&world), text).unwrap();
        let is_whole = text.lines().nth(1).is_some_and(|line| serde_json::from_str::<Value>(line).is_ok());
        brought_in += usize::from(is_whole);
        let expected = if is_whole { (vec!["a", "b"], 0) } else { (vec!["a"], 1) };
        // The next one dies between telling which checkpoint it puts in place and doing so.
        let next = world.bucket_on(&blobs, "here", 2);
        blobs.answer(|request| match request.key == CHECKPOINT && is_put(request) {
            true => Answer::Fail(BlobError::Unknown("no route".into())),
            false => Answer::Well,
        });
        drop(next.begin(&id(), info()).await);
        blobs.answer_well();
        world.kill("here", 2);
        let store = world.bucket_on(&blobs, "here", 3);
        let session = store.begin(&id(), info()).await.unwrap_or_else(|e| panic!("{bytes} bytes: {e}"));
        let base = &session.base().snapshot;
        assert_eq!((resources(base), base.pending_operations.len()), expected, "{bytes} bytes");
        session.abandon().await.unwrap();
    }
    assert!(brought_in > 0, "the last of them is whole");
}

#[tokio::test]
async fn damage_in_the_middle_of_kept_entries_is_noticed() {
    let (world, blobs) = dies_and_keeps().await;
    let file = kept_file(&world);
    let text = std::fs::read_to_string(&file).unwrap();
    let (owner, entry) = text.split_once('\n').unwrap();
    std::fs::write(&file, format!("{owner}\n{}\n{entry}", &entry[..entry.len() / 2])).unwrap();
    let store = world.bucket_on(&blobs, "here", 2);
    assert_eq!(code(&store.begin(&id(), info()).await.err().unwrap()), "unsent-damaged");
}

#[tokio::test]
async fn a_service_without_conditional_writes_is_refused_unless_asked_for() {
    let blobs = MemoryBlobs::without_conditions();
    let world = World::new();
    let store = world.bucket_on(&blobs, "here", 1);
    let refused = store.create(&id()).await.err().unwrap();
    assert_eq!(code(&refused), "store-conditions");
    assert!(blobs.keys().is_empty(), "{:?}", blobs.keys());
    let unconditional = World::with(DiyOptions { without_conditional_writes: true, ..DiyOptions::default() });
    let unconditional = unconditional.bucket_on(&blobs, "here", 1);
    unconditional.create(&id()).await.unwrap();
    let refused = store.begin(&id(), info()).await.err().unwrap();
    assert_eq!(code(&refused), "store-conditions");
    let session = unconditional.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(&["a"]), well()).await.unwrap();
}

#[tokio::test]
async fn a_missing_object_of_a_journal_is_noticed() {
    let (world, blobs, store) = deployed(&["a"]).await;
    dies(&world, &blobs, "here", 7).await;
    let journal: Vec<String> = blobs.keys().into_iter().filter(|key| key.contains("/journal.")).collect();
    assert!(journal.len() > 1, "{journal:?}");
    let first = blobs.read(&journal[0]).unwrap();
    blobs.erase(&journal[0]);
    assert_eq!(code(&store.load(&id()).await.unwrap_err()), "journal-gap");
    assert_eq!(code(&store.begin(&id(), info()).await.err().unwrap()), "journal-gap");
    let mut damaged = first.clone();
    *damaged.last_mut().unwrap() ^= 1;
    blobs.write(&journal[0], damaged);
    assert_eq!(code(&store.load(&id()).await.unwrap_err()), "journal-damaged");
}

/// What a small operation does: two creates, and an end.
async fn operate(store: &DiyStore) -> Result<(), StateError> {
    let session = store.begin(&id(), info()).await?;
    drop(session.append(keep(0)));
    session.append(begin(1, "b")).wait().await?;
    drop(session.append(created(1, 1, "b")));
    session.append(begin(2, "c")).wait().await?;
    session.append(created(2, 2, "c")).wait().await?;
    session.finish(&snapshot(&["a", "b", "c"]), well()).await
}

#[tokio::test]
async fn whatever_happens_to_whichever_request_no_operation_ends_in_a_wrong_state() {
    for journal_bytes in JOURNAL_BYTES {
        whatever_happens_to_whichever_request(journal_bytes).await;
    }
}

async fn whatever_happens_to_whichever_request(journal_bytes: Option<u64>) {
    let (_world, blobs, store) = deployed_with(&["a"], journal_bytes).await;
    blobs.clear_log();
    operate(&store).await.unwrap();
    let requests = blobs.log().len() as u64;
    assert!(requests <= 32 || journal_bytes.is_some(), "{requests} requests: {:#?}", blobs.log());
    let faults = [
        Answer::Fail(BlobError::Unknown("503".into())),
        Answer::LoseReply,
        Answer::LoseRequest,
        Answer::DoLater(1),
        Answer::DoLater(5),
        Answer::Fail(BlobError::Denied("expired".into())),
    ];
    for fault in faults {
        for at in 1..=requests {
            let (world, blobs, _) = deployed_with(&["a"], journal_bytes).await;
            let writer = world.bucket_on(&blobs, "here", 2);
            let count = Arc::new(AtomicU64::new(0));
            let (counted, wrong) = (Arc::clone(&count), fault.clone());
            blobs.answer(move |request| {
                let late =
                    matches!(wrong, Answer::DoLater(_)) && !matches!(request.kind, RequestKind::Put { .. });
                match counted.fetch_add(1, Ordering::Relaxed) + 1 == at && !late {
                    true => wrong.clone(),
                    false => Answer::Well,
                }
            });
            let ended = operate(&writer).await;
            blobs.answer_well();
            world.kill("here", 2);
            let is_denied = matches!(fault, Answer::Fail(BlobError::Denied(_)));
            assert!(ended.is_ok() || is_denied, "{fault:?} at {at}: {ended:?}");
            let store = world.bucket_on(&blobs, "here", 3);
            // What was promised is there, and nothing is twice.
            let session = store.begin(&id(), info()).await;
            let session = session.unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
            let names = resources(&session.base().snapshot).join(" ");
            assert!(["a", "a b", "a b c"].contains(&&*names), "{fault:?} at {at}: {names}");
            assert!(ended.is_err() || names == "a b c", "{fault:?} at {at}: {names}");
            session.abandon().await.unwrap();
        }
    }
}

#[tokio::test]
async fn dying_at_any_request_loses_nothing() {
    for journal_bytes in JOURNAL_BYTES {
        dying_at_any_request(journal_bytes).await;
    }
}

async fn dying_at_any_request(journal_bytes: Option<u64>) {
    let (_world, blobs, store) = deployed_with(&["a"], journal_bytes).await;
    blobs.clear_log();
    operate(&store).await.unwrap();
    let requests = blobs.log().len() as u64;
    for at in 1..=requests + 1 {
        let (world, blobs, _) = deployed_with(&["a"], journal_bytes).await;
        let writer = world.bucket_on(&blobs, "there", 2);
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        // From some request on nothing arrives: so it is when the process dies.
        blobs.answer(move |_| match counted.fetch_add(1, Ordering::Relaxed) + 1 >= at {
            true => Answer::Fail(BlobError::Denied("dead".into())),
            false => Answer::Well,
        });
        let ended = operate(&writer).await;
        blobs.answer_well();
        world.kill("there", 2);
        let store = world.bucket_on(&blobs, "here", 3);
        store.cancel(&id()).await.unwrap();
        let session = store.begin(&id(), info()).await.unwrap_or_else(|error| panic!("at {at}: {error}"));
        let base = &session.base().snapshot;
        let names = resources(base).join(" ");
        let pending: Vec<&str> = base.pending_operations.iter().map(|p| p.resource.urn.name()).collect();
        assert!(ended.is_err() || names == "a b c", "at {at}: {names} {pending:?}");
        assert!(["a", "a b", "a b c"].contains(&&*names), "at {at}: {names}");
        session.abandon().await.unwrap();
    }
}

fn is_put(request: &Request) -> bool {
    matches!(request.kind, RequestKind::Put { .. })
}

/// The last that a process sent may be done when nobody waits for it any more: while the next operation
/// takes the stack, works, or ends.
#[tokio::test]
async fn what_a_dead_writer_had_sent_may_arrive_at_any_time() {
    let (_world, blobs, store) = deployed(&["a"]).await;
    blobs.clear_log();
    operate(&store).await.unwrap();
    let puts: Vec<Request> = blobs.log().into_iter().filter(is_put).collect();
    let mut wrong = Vec::new();
    for (at, request) in puts.iter().enumerate() {
        for after in (at as u64 % 2..60).step_by(2) {
            if let Err(error) = goes_on_while_that_arrives(at, after).await {
                wrong.push(format!("{} ({at}) after {after}: {error}", request.key));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A writer dies with a put on its way, which arrives after a number of other requests; the next one
/// goes on.
async fn goes_on_while_that_arrives(at: usize, after: u64) -> Result<(), String> {
    let (world, blobs, _) = deployed(&["a"]).await;
    let writer = world.bucket_on(&blobs, "here", 2);
    let (mut puts, mut is_dead) = (0, false);
    blobs.answer(move |request| {
        if is_dead {
            return Answer::Fail(BlobError::Denied("dead".into()));
        }
        is_dead = is_put(request) && puts == at;
        puts += usize::from(is_put(request));
        if is_dead { Answer::DoLater(after) } else { Answer::Well }
    });
    let _ = operate(&writer).await;
    blobs.answer_well();
    world.kill("here", 2);
    let store = world.bucket_on(&blobs, "here", 3);
    let says = |what: &'static str| move |error: StateError| format!("{what}: {error}");
    let session = store.begin(&id(), info()).await.map_err(says("the next operation"))?;
    let mut end = session.base().snapshot.as_ref().clone();
    let names = resources(&end).join(" ");
    if !["a", "a b", "a b c"].contains(&&*names) {
        return Err(format!("the base has {names}"));
    }
    end.resources.push(Arc::new(resource("x")));
    end.pending_operations.clear();
    session.finish(&end, well()).await.map_err(says("its end"))?;
    let loaded = store.load(&id()).await.map_err(says("what is left"))?;
    let found = resources(&loaded.snapshot).join(" ");
    if found != format!("{names} x") {
        return Err(format!("{found} is left"));
    }
    let session = store.begin(&id(), info()).await.map_err(says("the operation after it"))?;
    session.abandon().await.map_err(says("the operation after it"))
}

/// Rounds of a race; more with a variable.
fn rounds(usual: u64) -> u64 {
    std::env::var("PURLIN_RACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

/// Waiting takes no time in this world, so that leases expire under those who hold them: writers are
/// refused, commit, or are fenced. What one of them has committed must never be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_of_racing_writers_has_committed_is_never_lost() {
    for journal_bytes in JOURNAL_BYTES {
        race(journal_bytes).await;
    }
}

async fn race(journal_bytes: Option<u64>) {
    let (world, blobs, _) = deployed_with(&["a"], journal_bytes).await;
    let (mut committed, mut fenced, mut refused) = (vec!["a".to_owned()], 0, 0);
    for round in 0..rounds(25) {
        let racers: Vec<_> = [11, 12, 13]
            .into_iter()
            .map(|pid| {
                let store = world.bucket_on(&blobs, &format!("host{pid}"), pid);
                tokio::spawn(async move {
                    let name = format!("r{round}-{pid}");
                    let raced = async {
                        let session = store.begin(&id(), info()).await?;
                        let mut end = session.base().snapshot.as_ref().clone();
                        session.append(begin(1, &name)).wait().await?;
                        end.resources.push(Arc::new(resource(&name)));
                        session.finish(&end, well()).await
                    };
                    (raced.await, name)
                })
            })
            .collect();
        for racer in racers {
            match racer.await.unwrap() {
                (Ok(()), name) => committed.push(name),
                (Err(StateError::Locked(_)), _) => refused += 1,
                (Err(StateError::Fenced(_)), _) => fenced += 1,
                (Err(error), name) => panic!("{name}: {error:?}"),
            }
        }
        let store = world.bucket_on(&blobs, "here", 1);
        let session = store.begin(&id(), info()).await.unwrap();
        let mut found = resources(&session.base().snapshot);
        found.sort_unstable();
        committed.sort_unstable();
        assert_eq!(found, committed, "round {round}");
        session.abandon().await.unwrap();
    }
    assert!(committed.len() > 1, "{refused} were refused, {fenced} fenced");
}

/// A holder that is paused while others count it as dead, and wakes up later.
#[tokio::test]
async fn a_holder_that_wakes_up_after_its_lease_expired_commits_nothing() {
    for (acts_after, journal_bytes) in (0..4).flat_map(|after| JOURNAL_BYTES.map(|bytes| (after, bytes))) {
        let (world, blobs, store) = deployed_with(&["a"], journal_bytes).await;
        let old = world.bucket_on(&blobs, "there", 7).begin(&id(), info()).await.unwrap();
        if acts_after >= 1 {
            old.append(begin(1, "b")).wait().await.unwrap();
        }
        if acts_after >= 2 {
            old.append(created(1, 1, "b")).wait().await.unwrap();
        }
        // It stands still; the other sees no heartbeat.
        let new = store.begin(&id(), info()).await.unwrap();
        let base: Snapshot = new.base().snapshot.as_ref().clone();
        if acts_after == 3 {
            new.append(begin(1, "x")).wait().await.unwrap();
        }
        assert!(old.append(begin(9, "late")).wait().await.is_err());
        assert!(matches!(old.finish(&snapshot(&["a", "late"]), well()).await, Err(StateError::Fenced(_))));
        let mut end = base.clone();
        end.time = "2025-01-01T00:00:00Z".into();
        new.finish(&end, well()).await.unwrap();
        assert!(old.append(begin(10, "later")).wait().await.is_err());
        assert!(matches!(old.finish(&snapshot(&["late"]), well()).await, Err(StateError::Fenced(_))));
        let loaded = store.load(&id()).await.unwrap();
        assert!(!loaded.recovered);
        assert_eq!(resources(&loaded.snapshot), resources(&base));
    }
}

#[tokio::test]
async fn a_checkpoint_that_somebody_changed_meanwhile_is_not_overwritten() {
    let (_world, blobs, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    session.append(begin(1, "b")).wait().await.unwrap();
    let theirs = String::from_utf8(blobs.read(CHECKPOINT).unwrap()).unwrap().replace("id-a", "id-z");
    blobs.write(CHECKPOINT, theirs.clone());
    let refused = session.finish(&snapshot(&["a", "b"]), well()).await.unwrap_err();
    assert_eq!(code(&refused), "state-changed");
    assert_eq!(blobs.read(CHECKPOINT).unwrap(), theirs.into_bytes());
}

#[tokio::test]
async fn compressed_checkpoints_have_the_names_that_the_ecosystem_gives_them() {
    let world = World::with(DiyOptions { compression: Compression::Gzip, ..DiyOptions::default() });
    let blobs = MemoryBlobs::new();
    let store = world.bucket_on(&blobs, "here", 1);
    store.create(&id()).await.unwrap();
    store.begin(&id(), info()).await.unwrap().finish(&snapshot(&["a"]), well()).await.unwrap();
    let bytes = blobs.read(".pulumi/stacks/shop/dev.json.gz").unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    assert!(blobs.read(CHECKPOINT).is_none());
}

#[tokio::test]
async fn a_stack_whose_making_was_cut_off_can_be_made_by_the_next() {
    for at in 1.. {
        let (world, blobs) = (World::new(), MemoryBlobs::new());
        let writer = world.bucket_on(&blobs, "here", 2);
        let count = AtomicU64::new(0);
        blobs.answer(move |_| match count.fetch_add(1, Ordering::Relaxed) + 1 >= at {
            true => Answer::Fail(BlobError::Denied("dead".into())),
            false => Answer::Well,
        });
        let made = writer.create(&id()).await;
        blobs.answer_well();
        world.kill("here", 2);
        let store = world.bucket_on(&blobs, "here", 3);
        if store.list(None).await.unwrap().is_empty() {
            assert!(made.is_err());
            store.create(&id()).await.unwrap_or_else(|error| panic!("at {at}: {error}"));
        }
        let session = store.begin(&id(), info()).await.unwrap_or_else(|error| panic!("at {at}: {error}"));
        session.abandon().await.unwrap();
        assert!(blobs.keys().iter().all(|key| !key.contains("/locks/")), "at {at}: {:?}", blobs.keys());
        if made.is_ok() {
            break;
        }
    }
}
