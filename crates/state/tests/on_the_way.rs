//! Operations that take long: their journals are put into the checkpoint while they go on.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::path::Path;
use std::sync::Arc;

use purlin_blobs::{Answer, MemoryBlobs, RequestKind};
use purlin_journal::{Change, Entry, OpId, Slot};
use purlin_model::OperationKind;
use purlin_ports::{BlobError, LoadedStack, StateError, StateStore, UpdateSession};
use purlin_state::{DiyOptions, DiyStore};
use world::*;

/// A checkpoint after each batch of entries.
fn long() -> World {
    World::with(DiyOptions { journal_bytes: Some(1), ..DiyOptions::default() })
}

async fn with_stack(store: &DiyStore, names: &[&str]) {
    store.create(&id()).await.unwrap();
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(names), well()).await.unwrap();
}

async fn append(session: &dyn UpdateSession, entry: Entry) {
    session.append(entry).wait().await.unwrap();
}

/// The resources and what is pending.
fn seen(loaded: &LoadedStack) -> (String, String) {
    let pending = loaded.snapshot.pending_operations.iter().map(|pending| pending.resource.urn.name());
    (resources(&loaded.snapshot).join(" "), pending.collect::<Vec<_>>().join(" "))
}

fn deletes(op: u32, name: &str) -> Entry {
    Entry::Begin { op: OpId(op), kind: OperationKind::Deleting, resource: Arc::new(resource(name)) }
}

fn removed(op: u32, slot: u32) -> Entry {
    Entry::End { op: Some(OpId(op)), changes: vec![Change::Remove { slot: Slot(slot) }] }
}

/// An operation, and what is known after each of its entries.
fn steps() -> Vec<(Entry, &'static str, &'static str)> {
    vec![
        (begin(1, "c"), "a b", "c"),
        (begin(2, "d"), "a b", "c d"),
        (keep(1), "b a", "c d"),
        (created(2, 2, "d"), "b d a", "c"),
        (deletes(3, "a"), "b d a", "c a"),
        (created(1, 3, "c"), "b d c a", "a"),
        (removed(3, 0), "b d c", ""),
    ]
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), &to).unwrap()),
        }
    }
}

/// A directory as it was when a process died.
fn as_it_was(world: &World) -> World {
    let copy = World::with(world.options);
    copy_tree(&world.path(""), &copy.path(""));
    copy
}

async fn is_recovered_as(world: &World, names: &str, pending: &str, when: &str) {
    let store = world.store(9);
    let expected = (names.to_owned(), pending.to_owned());
    assert_eq!(seen(&store.load(&id()).await.unwrap()), expected, "{when}, read");
    store.cancel(&id()).await.unwrap();
    let loaded = store.load(&id()).await.unwrap();
    assert_eq!(seen(&loaded), expected, "{when}, recovered");
    assert!(!loaded.recovered, "{when}");
    assert_eq!(store.examine(&id()).await.unwrap(), [], "{when}");
}

#[tokio::test]
async fn whenever_a_writer_dies_all_that_was_promised_is_there() {
    for journal_bytes in [Some(1), Some(800), Some(1200), Some(1600), None] {
        let world = World::with(DiyOptions { journal_bytes, ..DiyOptions::default() });
        let store = world.store(1);
        with_stack(&store, &["a", "b"]).await;
        let session = store.begin(&id(), info()).await.unwrap();
        for (number, (entry, names, pending)) in (1..).zip(steps()) {
            append(&*session, entry).await;
            wait_for_checkpoint(&world);
            let when = format!("after entry {number}, {journal_bytes:?}");
            is_recovered_as(&as_it_was(&world), names, pending, &when).await;
        }
        session.finish(&snapshot(&["b", "d", "c"]), well()).await.unwrap();
        assert_eq!(seen(&store.load(&id()).await.unwrap()).0, "b d c");
    }
}

/// Waits until a journal that is long enough is in the checkpoint.
fn wait_for_checkpoint(world: &World) {
    let limit = world.options.journal_bytes.unwrap_or(u64::MAX);
    let is_due = |name: &String| {
        // Behind the lines there is room for more.
        let content = || std::fs::read(world.path(OWN).join(name)).unwrap_or_default();
        let length = || content().iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        name.starts_with("finish.") || (name.starts_with("journal.") && length() >= limit)
    };
    while world.names(OWN).iter().any(is_due) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_checkpoint_on_the_way_is_an_ordinary_one_and_the_backup_is_of_before_the_operation() {
    let world = long();
    let store = world.store(1);
    with_stack(&store, &["a", "b"]).await;
    let before = world.read(FILE);
    let session = store.begin(&id(), info()).await.unwrap();
    for (entry, ..) in steps().into_iter().take(5) {
        append(&*session, entry).await;
        wait_for_checkpoint(&world);
    }
    let now =
        purlin_formats::parse_checkpoint(&world.read(FILE).into(), purlin_formats::ParseOptions::default());
    let now = now.unwrap().snapshot;
    assert_eq!(resources(&now), ["b", "d", "a"]);
    assert_eq!(now.pending_operations.len(), 2, "who reads only the checkpoint knows what is under way");
    assert_eq!(world.read(&format!("{FILE}.bak")), before);
    assert_eq!(world.names(LOCKS).len(), 1, "others keep out");
    session.finish(&snapshot(&["b"]), well()).await.unwrap();
    assert_eq!(world.read(&format!("{FILE}.bak")), before);
    let backups: Vec<String> = world.names("history/shop/dev");
    assert_eq!(backups.len(), 4, "history has one more operation: {backups:?}");
}

#[tokio::test]
async fn dying_between_a_checkpoint_on_the_way_and_what_follows_doubles_nothing() {
    let world = World::new();
    let store = world.store(1);
    with_stack(&store, &["a", "b"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    for (entry, ..) in steps().into_iter().take(4) {
        append(&*session, entry).await;
    }
    // What the writer had before the checkpoint: the journal, and what announces the checkpoint.
    let journal = world.names(OWN).into_iter().find(|name| name.starts_with("journal.")).unwrap();
    let text = world.lines(&format!("{OWN}/{journal}"));
    let finish = journal.replace("journal", "finish").replace(".jsonl", ".json");

    let long = long();
    copy_tree(&world.path(""), &long.path(""));
    drop(session);
    world.kill("here", 1);
    let other = long.store(2);
    let copied = other.cancel(&id()).await.unwrap();
    assert!(copied.recovered);
    let checkpoint = long.read(FILE);
    let sha256 = sha256_hex(checkpoint.as_bytes());
    for (has_journal, has_record) in [(true, true), (false, true), (false, false)] {
        let died = as_it_was(&world);
        died.write(FILE, &checkpoint);
        if !has_journal {
            std::fs::remove_file(died.path(&format!("{OWN}/{journal}"))).unwrap();
        } else {
            assert_eq!(died.lines(&format!("{OWN}/{journal}")), text);
        }
        if has_record {
            died.write(&format!("{OWN}/{finish}"), format!("{{\"result\":\"{sha256}\"}}"));
        }
        is_recovered_as(&died, "b d a", "c", &format!("{has_journal} {has_record}")).await;
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_a_writer_adds_after_it_was_fenced_is_not_folded_on_a_checkpoint_of_its_own() {
    let world = long();
    let store = world.store(1);
    with_stack(&store, &["a", "b"]).await;
    for taken in 0..steps().len() {
        let old = store.begin(&id(), info()).await.unwrap();
        for (entry, ..) in steps().into_iter().take(taken) {
            append(&*old, entry).await;
        }
        let other = world.store(2);
        other.cancel(&id()).await.unwrap();
        let before = seen(&other.load(&id()).await.unwrap());
        let late = old.append(begin(9, "late")).wait().await;
        assert!(matches!(late, Err(StateError::Fenced(_))), "after {taken}: {late:?}");
        assert!(matches!(old.finish(&snapshot(&[]), well()).await, Err(StateError::Fenced(_))));
        assert_eq!(seen(&other.load(&id()).await.unwrap()), before, "after {taken}");
        let next = other.begin(&id(), info()).await.unwrap();
        next.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkpoint_that_somebody_replaced_is_not_gone_on_from() {
    let world = long();
    let store = world.store(1);
    with_stack(&store, &["a", "b"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    append(&*session, begin(1, "c")).await;
    wait_for_checkpoint(&world);
    let text = world.read(FILE).replace("id-a", "id-x");
    world.write(FILE, &text);
    let mut ends = Vec::new();
    for (entry, ..) in steps().into_iter().skip(1) {
        ends.push(session.append(entry).wait().await);
    }
    let last = ends.pop().unwrap().unwrap_err();
    assert_eq!(last.diagnostic().code, "state-changed");
    assert_eq!(world.read(FILE), text);
    drop(session);
    world.kill("here", 1);
    let refused = world.store(2).begin(&id(), info()).await.err().unwrap().diagnostic();
    // It may have been noticed before the second entry was written.
    assert!(["journal-base", "entries-unsent"].contains(&refused.code), "{refused}");
}

/// The numbers of the objects of journals.
fn objects(blobs: &MemoryBlobs) -> Vec<String> {
    let keys = blobs.keys().into_iter().filter(|key| key.contains("/journal."));
    keys.map(|key| key.rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn in_a_bucket_what_is_in_the_checkpoint_is_removed_and_is_not_missing() {
    let (world, blobs) = (long(), MemoryBlobs::new());
    let store = world.bucket_on(&blobs, "there", 1);
    with_stack(&store, &["a", "b"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    for (number, (entry, names, pending)) in (1..).zip(steps()) {
        append(&*session, entry).await;
        let loaded = world.bucket_on(&blobs, "here", 9).load(&id()).await.unwrap();
        assert_eq!(seen(&loaded), (names.to_owned(), pending.to_owned()), "after entry {number}");
    }
    while objects(&blobs).len() > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_ne!(objects(&blobs), ["00000001"], "what announced the checkpoint is left");
    drop(session);
    world.kill("there", 1);
    let next = world.bucket_on(&blobs, "here", 2);
    let session = next.begin(&id(), info()).await.unwrap();
    assert_eq!(seen(session.base()), ("b d c".to_owned(), String::new()));
    session.finish(&snapshot(&["b"]), well()).await.unwrap();
    assert_eq!(objects(&blobs).len(), 1, "the seal that keeps the dead writer out");
}

#[tokio::test]
async fn a_bucket_that_goes_away_at_a_checkpoint_on_the_way_loses_nothing() {
    for lost in [false, true] {
        let (world, blobs) = (long(), MemoryBlobs::new());
        let store = world.bucket_on(&blobs, "here", 1);
        with_stack(&store, &["a", "b"]).await;
        let session = store.begin(&id(), info()).await.unwrap();
        let mut gone = false;
        blobs.answer(move |request| {
            let checkpoint = request.key.ends_with("stacks/shop/dev.json");
            let puts = matches!(request.kind, RequestKind::Put { .. });
            let was_gone = gone;
            gone |= checkpoint && puts;
            match gone {
                true if lost && !was_gone => Answer::LoseReply,
                true => Answer::Fail(BlobError::Denied("expired".into())),
                false => Answer::Well,
            }
        });
        let mut ends = Vec::new();
        for (entry, ..) in steps() {
            ends.push(session.append(entry).wait().await.is_ok());
        }
        assert_eq!(ends[..2], [true, false], "the second entry meets the loss");
        assert!(session.finish(&snapshot(&["b"]), well()).await.is_err());
        drop(session);
        blobs.answer_well();
        world.kill("here", 1);
        let next = world.bucket_on(&blobs, "here", 2).begin(&id(), info()).await.unwrap();
        assert_eq!(seen(next.base()), ("b c a".to_owned(), String::new()), "{lost}");
    }
}
