//! Writers that die, and those who come after them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use purlin_formats::{JournalHeader, LineMark, decode_header, encode_header, mark_line};
use purlin_model::Snapshot;
use purlin_ports::{LoadedStack, StateError, StateStore, UpdateSession};
use purlin_state::DiyStore;
use sha2::{Digest as _, Sha256};
use world::*;

/// A world with a stack that has some resources.
async fn deployed(names: &[&str]) -> (World, DiyStore) {
    let world = World::new();
    let store = world.store(1);
    store.create(&id()).await.unwrap();
    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(names), well()).await.unwrap();
    (world, store)
}

/// A writer that stores some entries and dies.
async fn dies(world: &World, host: &str, pid: u32) {
    let session = world.store_on(host, pid).begin(&id(), info()).await.unwrap();
    drop(session.append(keep(0)));
    drop(session.append(begin(1, "b")));
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

fn code(error: StateError) -> &'static str {
    error.diagnostic().code
}

async fn begin_error(store: &DiyStore) -> StateError {
    store.begin(&id(), info()).await.err().unwrap()
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_writer_that_died_on_this_host_is_recovered_at_once() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    let files = (world.names(OWN), world.names(LOCKS), world.read(FILE));
    is_recovered(&store.load(&id()).await.unwrap());
    assert_eq!(files, (world.names(OWN), world.names(LOCKS), world.read(FILE)), "reading changes nothing");

    let session = store.begin(&id(), info()).await.unwrap();
    is_recovered(session.base());
    assert_eq!(world.slept(), Duration::ZERO);
    assert_eq!(world.names(LOCKS).len(), 1, "the dead writer's lock is gone");
    session.abandon().await.unwrap();
    let loaded = store.load(&id()).await.unwrap();
    assert!(!loaded.recovered);
    assert_eq!(resources(&loaded.snapshot), ["a", "b"]);
    assert_eq!(loaded.snapshot.pending_operations.len(), 1);
    assert_eq!(world.names(LOCKS), Vec::<String>::new());
    assert_eq!(world.names(OWN), ["epoch.3.json", "fence"]);
}

#[tokio::test]
async fn a_process_number_that_was_given_again_is_not_the_writer() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    world.start("here", 7, "second");
    is_recovered(store.begin(&id(), info()).await.unwrap().base());
    assert!(world.runs("here", 7));
}

#[tokio::test]
async fn plugins_of_a_dead_writer_are_ended_before_anything_goes_on() {
    let (world, store) = deployed(&["a"]).await;
    let writer = world.store(7);
    for pid in [70, 71, 72] {
        world.start("here", pid, "plugin");
    }
    let session = writer.begin(&id(), info()).await.unwrap();
    for pid in [70, 71, 72, 73] {
        session.note_process(pid);
    }
    session.append(begin(1, "b")).wait().await.unwrap();
    drop(session);
    world.kill("here", 7);
    world.start("here", 72, "somebody else");
    world.shared.stubborn.lock().unwrap().push(71);
    // One was started by way of a shell that is gone.
    world.kill("here", 70);
    world.shared.orphaned.lock().unwrap().insert(70);
    store.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
    let signals = world.shared.signals.lock().unwrap().clone();
    assert_eq!(signals, [(70, "terminate"), (71, "terminate"), (70, "kill"), (71, "kill")]);
    assert!(world.runs("here", 72));
    assert!(world.slept() >= world.options.times.grace);
}

#[tokio::test]
async fn a_writer_on_another_host_is_dead_when_its_heart_stands_still() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "there", 7).await;
    is_recovered(store.begin(&id(), info()).await.unwrap().base());
    assert!(world.slept() >= world.options.times.expiry);
}

#[tokio::test]
async fn a_writer_on_another_host_that_shows_life_is_left_alone() {
    let (world, store) = deployed(&["a"]).await;
    let session: Arc<dyn UpdateSession> = world.store_on("there", 7).begin(&id(), info()).await.unwrap();
    world.start("there", 70, "plugin");
    let beats = AtomicU64::new(0);
    let beating = Arc::clone(&session);
    world.on_sleep(move |_| {
        if beats.fetch_add(1, Ordering::Relaxed) == 1 {
            // Noting a process shows a sign of life.
            beating.note_process(70);
        }
    });
    let error = begin_error(&store).await;
    assert!(matches!(error, StateError::Locked(_)), "{error}");
    assert!(world.slept() < world.options.times.expiry);
    session.append(begin(1, "b")).wait().await.unwrap();
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
}

#[tokio::test]
async fn a_writer_whose_lock_was_removed_is_still_noticed() {
    let (world, store) = deployed(&["a"]).await;
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    std::fs::remove_dir_all(world.path(LOCKS)).unwrap();
    let error = begin_error(&store).await;
    assert!(error.to_string().contains("ann@here (pid 7)"), "{error}");
    session.finish(&snapshot(&["a"]), well()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_folded_on_a_checkpoint_that_was_changed() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    // Somebody removes the lock by force, and another program writes.
    std::fs::remove_dir_all(world.path(LOCKS)).unwrap();
    let changed = world.read(FILE).replace("id-a", "id-z");
    world.write(FILE, &changed);
    for error in [
        begin_error(&store).await,
        store.load(&id()).await.err().unwrap(),
        store.cancel(&id()).await.err().unwrap(),
    ] {
        let diagnostic = error.diagnostic();
        assert_eq!(diagnostic.code, "journal-base");
        assert!(diagnostic.message.contains("purlin import 'a:b:C' 'b' 'id-b'"), "{diagnostic}");
        assert!(diagnostic.message.contains("purlin import 'a:b:C' 'c' '<id>'"), "{diagnostic}");
        assert!(!diagnostic.message.contains("::a\n"), "what the checkpoint has is not listed: {diagnostic}");
        let hint = diagnostic.hint.unwrap();
        assert!(hint.contains("purlin state repair") && hint.contains("journal.2.jsonl"), "{hint}");
    }
    assert_eq!(world.read(FILE), changed);
    assert_eq!(world.names(LOCKS), Vec::<String>::new(), "no lock is left by those who were refused");
    let aside = store.set_journals_aside(&id()).await.unwrap();
    assert!(aside.len() == 1 && std::path::Path::new(&aside[0]).exists());
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a"]);
    store.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
}

#[tokio::test]
async fn a_journal_of_an_earlier_life_of_the_stack_is_not_folded() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    let journal = world.lines(&format!("{OWN}/journal.2.jsonl"));
    store.cancel(&id()).await.unwrap();
    let checkpoint = world.read(FILE);
    store.remove(&id(), true).await.unwrap();
    store.create(&id()).await.unwrap();
    store.begin(&id(), info()).await.unwrap().finish(&Snapshot::default(), well()).await.unwrap();
    world.write(FILE, &checkpoint);
    let base = format!("{:x}", Sha256::digest(checkpoint.as_bytes()));
    let (line, entries) = journal.split_once('\n').unwrap();
    let header = JournalHeader { base, ..decode_header(line).unwrap() };
    let line = mark_line(encode_header(&header), LineMark { seq: 0, durable: 0 });
    world.write(&format!("{OWN}/journal.1.jsonl"), format!("{line}\n{entries}"));
    assert_eq!(code(begin_error(&store).await), "journal-base");
}

#[tokio::test]
async fn dying_between_the_new_checkpoint_and_the_end_loses_nothing_and_doubles_nothing() {
    let (world, store) = deployed(&["a"]).await;
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    drop(session.append(keep(0)));
    drop(session.append(begin(1, "b")));
    session.append(created(1, 1, "b")).wait().await.unwrap();
    let before = tempfile::tempdir().unwrap();
    copy_tree(&world.path(""), before.path());
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    let after = world.read(FILE);
    let record = format!("{{\"result\":\"{:x}\"}}", Sha256::digest(after.as_bytes()));
    world.kill("here", 7);
    // Before the checkpoint is replaced, with and without the record of what is about to come;
    // and after.
    for (checkpoint, record, recovered) in
        [(None, None, true), (None, Some(&record), true), (Some(&after), Some(&record), false)]
    {
        std::fs::remove_dir_all(world.path("")).unwrap();
        copy_tree(before.path(), &world.path(""));
        if let Some(checkpoint) = checkpoint {
            world.write(FILE, checkpoint);
        }
        if let Some(record) = record {
            world.write(&format!("{OWN}/finish.2.json"), record);
        }
        let loaded = store.load(&id()).await.unwrap();
        assert_eq!((loaded.recovered, resources(&loaded.snapshot)), (recovered, vec!["a", "b"]));
        let session = store.begin(&id(), info()).await.unwrap();
        assert_eq!(resources(&session.base().snapshot), ["a", "b"]);
        session.abandon().await.unwrap();
        assert_eq!(world.names(OWN), ["epoch.3.json", "fence"]);
    }
}

#[tokio::test]
async fn a_torn_line_is_as_if_it_had_not_been_written() {
    let (world, store) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    let path = format!("{OWN}/journal.2.jsonl");
    let text = world.lines(&path);
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    let rooms = ["", "\0\0\0\0"];
    for (cut, room) in (last..text.len()).flat_map(|cut| rooms.map(|room| (cut, room))) {
        world.write(&path, text[..cut].to_owned() + room);
        let loaded = store.load(&id()).await.unwrap();
        assert_eq!(resources(&loaded.snapshot), ["a", "b"], "cut at {cut}");
        assert!(loaded.snapshot.pending_operations.is_empty(), "cut at {cut}");
    }
    world.write(&path, &text);
    is_recovered(&store.load(&id()).await.unwrap());
}

/// A journal of four entries, each of which was awaited.
async fn leaves_a_journal(world: &World) -> (String, Vec<String>) {
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    session.append(keep(0)).wait().await.unwrap();
    session.append(begin(1, "b")).wait().await.unwrap();
    session.append(created(1, 1, "b")).wait().await.unwrap();
    session.append(begin(2, "c")).wait().await.unwrap();
    drop(session);
    world.kill("here", 7);
    let path = format!("{OWN}/journal.2.jsonl");
    let lines = world.lines(&path).lines().map(str::to_owned).collect();
    (path, lines)
}

#[tokio::test]
async fn a_damaged_journal_is_refused_by_all_who_would_fold_it_and_left_as_it_is() {
    let (world, store) = deployed(&["a"]).await;
    let (path, lines) = leaves_a_journal(&world).await;
    let place = world.path(&path).display().to_string();
    let other = |at: usize, line: String| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines
    };
    let newer = JournalHeader { base: "x".into(), ..JournalHeader::default() };
    let newer = encode_header(&newer).replacen("\"format\":2", "\"format\":99", 1);
    let cases = [
        ("journal-damaged", "its entry 3 (line 4)", other(3, lines[3].replace("id-b", "id-x"))),
        ("journal-damaged", "its header (line 1)", other(0, lines[0].replace("ann@", "bob@"))),
        ("journal-gap", "its entry 2 (line 3)", [&lines[..2], &lines[3..]].concat()),
        ("journal-format", "format 99", other(0, newer)),
    ];
    for (expected, named, lines) in cases {
        world.write(&path, lines.join("\n") + "\n");
        let before = (world.names(OWN), world.names(LOCKS), world.read(&path), world.read(FILE));
        for error in [
            begin_error(&store).await,
            store.load(&id()).await.err().unwrap(),
            store.cancel(&id()).await.err().unwrap(),
        ] {
            let diagnostic = error.diagnostic();
            assert_eq!(diagnostic.code, expected);
            assert!(diagnostic.message.contains(named), "{diagnostic}");
            assert!(diagnostic.message.contains(&place), "{diagnostic}");
            assert!(diagnostic.hint.is_some(), "{diagnostic}");
        }
        let found = store.examine(&id()).await.unwrap();
        assert!(found.iter().any(|diagnostic| diagnostic.code == expected), "{found:?}");
        let after = (world.names(OWN), world.names(LOCKS), world.read(&path), world.read(FILE));
        // The number of the writer is another after each attempt.
        let but_for_epochs = |names: &[String]| -> Vec<String> {
            names.iter().filter(|name| !name.starts_with("epoch.")).cloned().collect()
        };
        assert_eq!(but_for_epochs(&before.0), but_for_epochs(&after.0));
        assert_eq!((before.1, before.2, before.3), (after.1, after.2, after.3));
    }
}

#[tokio::test]
async fn a_journal_of_the_first_format_is_folded() {
    let (world, store) = deployed(&["a"]).await;
    let (path, lines) = leaves_a_journal(&world).await;
    let unmarked = |line: &String| line[..line.rfind(",\"seq\":").unwrap()].to_owned() + "}\n";
    let text: String = lines.iter().map(unmarked).collect();
    world.write(&path, text.replacen("\"format\":2", "\"format\":1", 1));
    is_recovered(&store.load(&id()).await.unwrap());
    is_recovered(store.begin(&id(), info()).await.unwrap().base());
}

#[tokio::test]
async fn what_a_fenced_writer_adds_is_neither_promised_nor_kept() {
    let (world, store) = deployed(&["a"]).await;
    let old = world.store(7).begin(&id(), info()).await.unwrap();
    old.append(begin(1, "b")).wait().await.unwrap();
    store.cancel(&id()).await.unwrap();
    let error = old.append(created(1, 1, "b")).wait().await.unwrap_err();
    assert!(matches!(&error, StateError::Fenced(_)), "{error}");
    assert!(error.to_string().contains("ann@here (pid 1)"), "{error}");
    assert_eq!(old.append(begin(2, "c")).wait().await, Err(error), "and so for all that follows");
    let loaded = store.load(&id()).await.unwrap();
    assert_eq!((loaded.recovered, resources(&loaded.snapshot)), (false, vec!["a"]));
    assert_eq!(loaded.snapshot.pending_operations.len(), 1);
    let before = world.read(FILE);
    assert!(matches!(old.finish(&snapshot(&[]), well()).await, Err(StateError::Fenced(_))));
    assert_eq!(world.read(FILE), before);
    assert!(world.names("stacks/shop").iter().all(|name| !name.ends_with(".tmp")));
}

/// A writer makes its journal when the first entries come, which may be after it was fenced.
#[tokio::test]
async fn a_journal_that_was_begun_by_a_fenced_writer_counts_for_nothing() {
    for goes_on in ["nobody", "one who commits", "one who dies"] {
        let (world, store) = deployed(&["a"]).await;
        let old = world.store(7).begin(&id(), info()).await.unwrap();
        store.cancel(&id()).await.unwrap();
        let other = match goes_on {
            "nobody" => None,
            _ => Some(world.store(8).begin(&id(), info()).await.unwrap()),
        };
        assert!(old.append(begin(1, "late")).wait().await.is_err());
        let expected = match other {
            None => vec!["a"],
            Some(other) => {
                drop(other.append(keep(0)));
                drop(other.append(begin(1, "b")));
                other.append(created(1, 1, "b")).wait().await.unwrap();
                if goes_on == "one who commits" {
                    other.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
                }
                vec!["a", "b"]
            }
        };
        drop(old);
        world.kill("here", 7);
        world.kill("here", 8);
        let loaded = store.load(&id()).await.unwrap_or_else(|error| panic!("{goes_on}: {error}"));
        assert_eq!(resources(&loaded.snapshot), expected, "{goes_on}");
        assert!(loaded.snapshot.pending_operations.is_empty(), "{goes_on}");
        let session = store.begin(&id(), info()).await.unwrap();
        assert_eq!(resources(&session.base().snapshot), expected, "{goes_on}");
        session.abandon().await.unwrap();
        assert_eq!(world.names(OWN).len(), 2, "{goes_on}: {:?}", world.names(OWN));
    }
}

#[tokio::test]
async fn what_a_fenced_writer_adds_to_a_journal_that_stays_is_not_folded() {
    let (world, store) = deployed(&["a"]).await;
    let old = world.store_on("there", 7).begin(&id(), info()).await.unwrap();
    let broken = purlin_journal::Change::Place {
        slot: purlin_journal::Slot(1),
        state: Arc::new(purlin_model::ResourceState {
            dependencies: vec![resource("nowhere").urn],
            ..resource("b")
        }),
        replaces: None,
    };
    drop(old.append(keep(0)));
    old.append(purlin_journal::Entry::End { op: None, changes: vec![broken] }).wait().await.unwrap();
    // The fold is invalid, so the journal stays until somebody repairs the state.
    store.begin(&id(), info()).await.unwrap().abandon().await.unwrap();
    assert!(old.append(begin(1, "late")).wait().await.is_err());
    let loaded = store.load(&id()).await.unwrap();
    assert_eq!((resources(&loaded.snapshot), loaded.snapshot.pending_operations.len()), (vec!["a", "b"], 0));
    let session = store.begin(&id(), info()).await.unwrap();
    assert_eq!(session.base().snapshot.pending_operations.len(), 0);
}

#[tokio::test]
async fn what_a_fenced_writer_kept_is_brought_in_if_the_stack_only_was_freed_since() {
    for has_gone_on in [false, true] {
        let (world, store) = deployed(&["a"]).await;
        let old = world.store(7).begin(&id(), info()).await.unwrap();
        drop(old.append(keep(0)));
        old.append(begin(1, "b")).wait().await.unwrap();
        store.cancel(&id()).await.unwrap();
        assert!(old.append(created(1, 1, "b")).wait().await.is_err());
        assert!(old.finish(&snapshot(&["a", "b"]), well()).await.is_err());
        drop(old);
        world.kill("here", 7);
        if has_gone_on {
            // On another machine nothing is known of it.
            let other = world.store_on("there", 9).begin(&id(), info()).await.unwrap();
            other.finish(&snapshot(&["a", "x"]), well()).await.unwrap();
            assert_eq!(code(begin_error(&store).await), "entries-unsent");
            continue;
        }
        let session = store.begin(&id(), info()).await.unwrap();
        let base = &session.base().snapshot;
        assert_eq!((resources(base), base.pending_operations.len()), (vec!["a", "b"], 0));
        session.abandon().await.unwrap();
        let loaded = store.load(&id()).await.unwrap();
        assert_eq!((loaded.recovered, resources(&loaded.snapshot)), (false, vec!["a", "b"]));
    }
}

#[tokio::test]
async fn the_heart_notices_that_the_stack_is_lost() {
    let (world, store) = deployed(&["a"]).await;
    let old = world.store(7).begin(&id(), info()).await.unwrap();
    store.cancel(&id()).await.unwrap();
    world.start("here", 70, "plugin");
    old.note_process(70);
    assert!(matches!(old.append(keep(0)).wait().await, Err(StateError::Fenced(_))));
    assert_eq!(world.names(OWN), ["epoch.3.json", "fence"], "it leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_writers_one_wins() {
    let (world, _) = deployed(&["a"]).await;
    dies(&world, "here", 7).await;
    for _ in 0..10 {
        let racers: Vec<_> = (10..16)
            .map(|pid| {
                let store = world.store(pid);
                tokio::spawn(async move { store.begin(&id(), info()).await })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            match racer.await.unwrap() {
                Ok(session) => winners.push(session),
                Err(error) => assert!(matches!(error, StateError::Locked(_)), "{error}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(resources(&winners[0].base().snapshot), ["a", "b"]);
        winners[0].abandon().await.unwrap();
    }
}

/// A writer that leaves a journal whose fold is invalid.
async fn leaves_an_invalid_fold(world: &World) {
    let session = world.store(7).begin(&id(), info()).await.unwrap();
    let mut broken = resource("b");
    broken.dependencies = vec![resource("nowhere").urn];
    let change = purlin_journal::Change::Place {
        slot: purlin_journal::Slot(1),
        state: Arc::new(broken),
        replaces: None,
    };
    drop(session.append(keep(0)));
    session.append(purlin_journal::Entry::End { op: None, changes: vec![change] }).wait().await.unwrap();
    drop(session);
    world.kill("here", 7);
}

#[tokio::test]
async fn an_invalid_fold_waits_for_its_repair_under_lock() {
    let (world, store) = deployed(&["a"]).await;
    leaves_an_invalid_fold(&world).await;
    let before = world.read(FILE);
    let locks = world.names(LOCKS);
    assert_eq!(code(store.cancel(&id()).await.err().unwrap()), "state-integrity");
    let session = store.begin(&id(), info()).await.unwrap();
    assert!(session.base().recovered);
    assert_eq!(resources(&session.base().snapshot), ["a", "b"]);
    session.abandon().await.unwrap();
    assert_eq!(world.read(FILE), before, "the checkpoint is not replaced");
    assert_eq!(world.names(LOCKS), locks, "other programs stay locked out");
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a", "b"], "the journal stays");

    let session = store.begin(&id(), info()).await.unwrap();
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    assert_eq!(world.names(LOCKS), Vec::<String>::new());
    let loaded = store.load(&id()).await.unwrap();
    assert_eq!((loaded.recovered, resources(&loaded.snapshot)), (false, vec!["a", "b"]));
}

#[tokio::test]
async fn a_journal_may_go_on_what_another_left() {
    let (world, store) = deployed(&["a"]).await;
    leaves_an_invalid_fold(&world).await;
    let session = world.store(8).begin(&id(), info()).await.unwrap();
    let amended =
        purlin_journal::Change::Amend { slot: purlin_journal::Slot(1), state: Arc::new(resource("b")) };
    session.append(purlin_journal::Entry::End { op: None, changes: vec![amended] }).wait().await.unwrap();
    drop(session);
    world.kill("here", 8);
    let session = store.begin(&id(), info()).await.unwrap();
    assert_eq!(resources(&session.base().snapshot), ["a", "b"]);
    assert!(session.base().snapshot.resources[1].dependencies.is_empty());
    session.abandon().await.unwrap();
    assert_eq!(world.names(LOCKS), Vec::<String>::new(), "both dead writers' locks are gone");
    assert!(!store.load(&id()).await.unwrap().recovered);
}

#[tokio::test]
async fn a_checkpoint_that_somebody_changed_meanwhile_is_not_overwritten() {
    let (world, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    session.append(begin(1, "b")).wait().await.unwrap();
    let changed = world.read(FILE).replace("id-a", "id-zz");
    world.write(FILE, &changed);
    let error = session.finish(&snapshot(&["a", "b"]), well()).await.unwrap_err();
    assert_eq!(code(error), "state-changed");
    assert_eq!(world.read(FILE), changed);
    assert!(world.names(OWN).contains(&"journal.2.jsonl".to_owned()), "the journal stays");
}

#[tokio::test]
async fn touching_the_file_is_not_changing_it() {
    let (world, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    world.write(FILE, world.read(FILE));
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_fails_breaks_the_promises_and_the_state_can_still_be_saved() {
    let (world, store) = deployed(&["a"]).await;
    let session = store.begin(&id(), info()).await.unwrap();
    let in_the_way = world.path(&format!("{OWN}/journal.2.jsonl"));
    std::fs::create_dir(&in_the_way).unwrap();
    let error = session.append(begin(1, "b")).wait().await.unwrap_err();
    assert!(matches!(&error, StateError::Store(_)), "{error}");
    assert_eq!(session.append(begin(2, "c")).wait().await, Err(error));
    std::fs::remove_dir(&in_the_way).unwrap();
    session.finish(&snapshot(&["a", "b"]), well()).await.unwrap();
    assert_eq!(resources(&store.load(&id()).await.unwrap().snapshot), ["a", "b"]);
}
