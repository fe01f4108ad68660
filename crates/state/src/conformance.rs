//! What every store promises, as checks that run against any of them.
//!
//! A check gets a store without stacks and says which promise was broken. What depends on how a
//! store notices dead writers is for the tests of that store.

use std::sync::Arc;

use purlin_journal::{Change, Entry, OpId, Slot};
use purlin_model::{Bag, OperationKind, RawText, ResourceState, Snapshot, Urn};
use purlin_ports::{
    HistoryEntry, RecordedConfig, StackId, StateError, StateStore, UpdateInfo, UpdateOutcome, UpdateSession,
};

/// The promise that was broken.
type Check = Result<(), String>;

/// When a store puts the journal of an operation into the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// When the operation ends.
    AtTheEnd,
    /// Also while it goes on, as it is in those that take long. Then nothing may be left to recover of
    /// one that crashed.
    OnTheWay,
}

/// Runs all checks, each on a store of its own. The error names the check and the broken promise.
pub async fn check_store(
    checkpoints: Checkpoints,
    make: &(dyn Fn() -> Arc<dyn StateStore> + Send + Sync),
) -> Result<(), String> {
    let at_the_end = checkpoints == Checkpoints::AtTheEnd;
    let named = |name: &str, result: Check| result.map_err(|broken| format!("{name}: {broken}"));
    named("a life", a_life(&*make()).await)?;
    named("names", names(&*make()).await)?;
    named("one writer", one_writer(&*make()).await)?;
    named("a crash", a_crash(&*make(), at_the_end).await)?;
    named("fencing", fencing(&*make()).await)?;
    named("abandoning", abandoning(&*make()).await)?;
    named("invalid states", invalid_states(&*make(), at_the_end).await)?;
    named("exports", exports(&*make()).await)?;
    named("renaming", renaming(&*make()).await)?;
    named("versions", versions(&*make()).await)?;
    named("histories of other stores", histories_of_others(&*make()).await)?;
    named("tags", tags(&*make()).await)?;
    named("examinations", examinations(&*make()).await)
}

fn ensure(holds: bool, promise: &str) -> Check {
    if holds { Ok(()) } else { Err(promise.to_owned()) }
}

fn fine<T>(result: Result<T, StateError>, what: &str) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}

fn id(name: &str) -> StackId {
    StackId { organization: "organization".into(), project: "shop".into(), name: name.into() }
}

/// A resource of the stack `dev`.
fn resource(name: &str) -> ResourceState {
    let mut state = ResourceState::new(Urn::new("dev", "shop", None, "a:b:C", name), true);
    state.id = format!("id-{name}");
    state.inputs = Bag::Raw(RawText::from(format!("{{\"name\":\"{name}\"}}")));
    state.outputs = Bag::Raw(RawText::from("{\"out\":1}".to_owned()));
    state
}

fn snapshot(names: &[&str]) -> Snapshot {
    Snapshot { resources: names.iter().map(|name| Arc::new(resource(name))).collect(), ..Snapshot::default() }
}

fn resources(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.resources.iter().map(|state| state.urn.name()).collect()
}

fn begin(op: u32, name: &str) -> Entry {
    Entry::Begin { op: OpId(op), kind: OperationKind::Creating, resource: Arc::new(resource(name)) }
}

fn created(op: u32, slot: u32, name: &str) -> Entry {
    let state = Arc::new(resource(name));
    Entry::End {
        op: Some(OpId(op)),
        changes: vec![Change::Place { slot: Slot(slot), state, replaces: None }],
    }
}

fn keep(slot: u32) -> Entry {
    Entry::End { op: None, changes: vec![Change::Keep { slot: Slot(slot) }] }
}

fn info() -> UpdateInfo {
    UpdateInfo { kind: "update".into(), message: "why not".into(), ..UpdateInfo::default() }
}

fn well() -> UpdateOutcome {
    UpdateOutcome { succeeded: true, changes: [("create".to_owned(), 2)].into() }
}

async fn session(store: &dyn StateStore, name: &str) -> Result<Arc<dyn UpdateSession>, String> {
    fine(store.begin(&id(name), info()).await, "an operation begins")
}

/// A stack `dev` with some resources.
async fn deployed(store: &dyn StateStore, names: &[&str]) -> Check {
    fine(store.create(&id("dev")).await, "a stack is made")?;
    let session = session(store, "dev").await?;
    fine(session.finish(&snapshot(names), well()).await, "an operation ends")
}

async fn a_life(store: &dyn StateStore) -> Check {
    let dev = id("dev");
    ensure(store.load(&dev).await.err() == Some(StateError::NotFound(dev.clone())), "no stack, no state")?;
    fine(store.create(&dev).await, "a stack is made")?;
    ensure(store.create(&dev).await == Err(StateError::Exists(dev.clone())), "a stack is made once")?;
    let fresh = fine(store.load(&dev).await, "a fresh stack is read")?;
    ensure(!fresh.deployed && !fresh.recovered && fresh.snapshot.resources.is_empty(), "it is fresh")?;

    let operation = session(store, "dev").await?;
    ensure(!operation.base().deployed, "the first operation starts from nothing")?;
    let first = operation.append(begin(1, "a"));
    fine(first.wait().await, "an entry is stored")?;
    drop(operation.append(created(1, 0, "a")));
    fine(operation.finish(&snapshot(&["a", "b"]), well()).await, "an operation ends")?;
    ensure(operation.finish(&snapshot(&[]), well()).await.is_err(), "an operation ends once")?;
    ensure(operation.append(begin(2, "c")).wait().await.is_err(), "an ended operation stores nothing")?;

    let now = fine(store.load(&dev).await, "the stack is read")?;
    ensure(now.deployed && !now.recovered, "what was finished needs no recovery")?;
    ensure(resources(&now.snapshot) == ["a", "b"], "what was finished is what is read")?;
    ensure(*now.snapshot.resources[0] == resource("a"), "states come back as they were")?;
    let list = fine(store.list(Some("shop")).await, "stacks are listed")?;
    ensure(list.len() == 1 && list[0].id == dev && list[0].resource_count == Some(2), "the list counts")?;
    ensure(fine(store.list(Some("other")).await, "stacks are listed")?.is_empty(), "the list is filtered")?;
    let history = fine(store.history(&dev).await, "history is read")?;
    let [entry] = &*history else { return Err("one operation, one entry of history".into()) };
    ensure(entry.info.message == "why not" && entry.info.kind == "update", "history says what it was")?;
    ensure(entry.outcome.succeeded && entry.outcome.changes == well().changes, "history says how it went")?;

    let refused = store.remove(&dev, false).await;
    ensure(refused == Err(StateError::NotEmpty(dev.clone())), "a stack with resources is not removed")?;
    fine(store.remove(&dev, true).await, "a stack is removed by force")?;
    ensure(store.load(&dev).await.err() == Some(StateError::NotFound(dev)), "a removed stack is gone")?;
    ensure(fine(store.list(None).await, "stacks are listed")?.is_empty(), "a removed stack isn't listed")
}

async fn names(store: &dyn StateStore) -> Check {
    for name in ["", ".", "..", "a/b", "a b", "a\0", &"x".repeat(101)] {
        ensure(store.create(&id(name)).await.is_err(), "names that are none are refused")?;
    }
    let other = StackId { organization: "acme".into(), ..id("dev") };
    ensure(
        store.create(&other).await.is_err() || !store.url().starts_with("file:"),
        "organizations are none",
    )?;
    for name in ["dev", "a-b_c.d"] {
        fine(store.create(&id(name)).await, "a stack is made")?;
    }
    let list = fine(store.list(None).await, "stacks are listed")?;
    let names: Vec<&str> = list.iter().map(|stack| stack.id.name.as_str()).collect();
    ensure(names == ["a-b_c.d", "dev"], "the list is sorted")?;
    ensure(
        list.iter().all(|s| s.last_update.is_none() && s.resource_count.is_none()),
        "fresh stacks are bare",
    )
}

async fn one_writer(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let first = session(store, "dev").await?;
    let dev = id("dev");
    let is_locked = |result: Option<StateError>| matches!(result, Some(StateError::Locked(_)));
    ensure(is_locked(store.begin(&dev, info()).await.err()), "a second operation is refused")?;
    ensure(is_locked(store.remove(&dev, true).await.err()), "a stack in use is not removed")?;
    ensure(is_locked(store.rename(&dev, &id("new")).await.err()), "a stack in use is not renamed")?;
    let text = fine(store.export(&dev).await, "a stack in use is exported")?;
    ensure(
        is_locked(store.import(&dev, &text, false, info()).await.err()),
        "a stack in use is not imported into",
    )?;
    fine(store.load(&dev).await, "a stack in use is read")?;
    fine(first.abandon().await, "an operation is abandoned")?;
    let second = session(store, "dev").await?;
    fine(second.finish(&snapshot(&["a"]), well()).await, "the next operation ends")
}

async fn a_crash(store: &dyn StateStore, at_the_end: bool) -> Check {
    deployed(store, &["a"]).await?;
    let dev = id("dev");
    let operation = session(store, "dev").await?;
    drop(operation.append(keep(0)));
    drop(operation.append(begin(1, "b")));
    drop(operation.append(created(1, 1, "b")));
    fine(operation.append(begin(2, "c")).wait().await, "an entry is stored")?;
    drop(operation);
    for _ in 0..2 {
        let loaded = fine(store.load(&dev).await, "a crashed stack is read")?;
        ensure(loaded.recovered || !at_the_end, "it says that it was recovered")?;
        ensure(resources(&loaded.snapshot) == ["a", "b"], "what ended is there")?;
        let pending = &loaded.snapshot.pending_operations;
        ensure(pending.len() == 1 && pending[0].resource.urn.name() == "c", "what only began is pending")?;
    }
    let report = fine(store.cancel(&dev).await, "a crashed stack is taken over")?;
    ensure(report.recovered || !at_the_end, "the take-over says that it recovered something")?;
    ensure(report.pending_operations == 1, "the take-over says what it found")?;
    ensure(report.locks_removed.len() == 1, "the take-over says whose lock it removed")?;
    let loaded = fine(store.load(&dev).await, "a recovered stack is read")?;
    ensure(!loaded.recovered, "it was recovered for good")?;
    ensure(resources(&loaded.snapshot) == ["a", "b"], "with what ended")?;
    let again = fine(store.cancel(&dev).await, "a stack at rest is taken over")?;
    ensure(!again.recovered && again.locks_removed.is_empty(), "there is nothing to take over")?;
    let next = session(store, "dev").await?;
    ensure(next.base().snapshot.pending_operations.len() == 1, "the next operation knows what is pending")?;
    fine(next.abandon().await, "an operation is abandoned")
}

async fn fencing(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let dev = id("dev");
    let old = session(store, "dev").await?;
    fine(old.append(begin(1, "b")).wait().await, "an entry is stored")?;
    fine(store.cancel(&dev).await, "a stack in use is taken over")?;
    let new = session(store, "dev").await?;
    let is_fenced = |result: &Result<(), StateError>| matches!(result, Err(StateError::Fenced(_)));
    ensure(old.append(created(1, 1, "b")).wait().await.is_err(), "who lost the stack stores nothing")?;
    ensure(is_fenced(&old.finish(&snapshot(&[]), well()).await), "who lost the stack finishes nothing")?;
    fine(new.append(begin(1, "x")).wait().await, "the new writer stores entries")?;
    fine(new.finish(&snapshot(&["a", "x"]), well()).await, "the new writer finishes")?;
    ensure(is_fenced(&old.finish(&snapshot(&[]), well()).await), "nor later")?;
    let loaded = fine(store.load(&dev).await, "the stack is read")?;
    ensure(resources(&loaded.snapshot) == ["a", "x"], "the new writer's state stands")
}

async fn abandoning(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let operation = session(store, "dev").await?;
    fine(operation.append(begin(1, "b")).wait().await, "an entry is stored")?;
    ensure(operation.abandon().await.is_err(), "what has begun something is not abandoned")?;
    fine(operation.finish(&snapshot(&["a"]), well()).await, "it can still end")?;
    drop(session(store, "dev").await?);
    let next = session(store, "dev").await?;
    ensure(!next.base().recovered, "an operation that did nothing and is dropped leaves nothing")
}

async fn invalid_states(store: &dyn StateStore, at_the_end: bool) -> Check {
    deployed(store, &["a"]).await?;
    let operation = session(store, "dev").await?;
    drop(operation.append(keep(0)));
    drop(operation.append(begin(1, "b")));
    fine(operation.append(created(1, 1, "b")).wait().await, "an entry is stored")?;
    let mut broken = resource("b");
    broken.dependencies = vec![resource("nowhere").urn];
    let mut invalid = snapshot(&["a"]);
    invalid.resources.push(Arc::new(broken));
    let refused = operation.finish(&invalid, well()).await;
    ensure(matches!(refused, Err(StateError::Unusable(_))), "an invalid state is refused")?;
    drop(operation);
    let loaded = fine(store.load(&id("dev")).await, "the stack is read")?;
    ensure(loaded.recovered || !at_the_end, "the journal stays")?;
    ensure(resources(&loaded.snapshot) == ["a", "b"], "with what was done")
}

async fn exports(store: &dyn StateStore) -> Check {
    deployed(store, &["a", "b"]).await?;
    let dev = id("dev");
    let text = fine(store.export(&dev).await, "a stack is exported")?;
    fine(store.create(&id("other")).await, "a stack is made")?;
    ensure(
        store.import(&id("other"), &text, false, info()).await.is_err(),
        "other stacks' resources are refused",
    )?;
    fine(store.import(&id("other"), &text, true, info()).await, "unless forced")?;
    let loaded = fine(store.load(&id("other")).await, "the stack is read")?;
    ensure(loaded.deployed && resources(&loaded.snapshot) == ["a", "b"], "an import replaces the state")?;

    let mut pending = snapshot(&["a"]);
    let resource = Arc::new(resource("p"));
    let operation = purlin_model::PendingOperation { kind: OperationKind::Creating, resource };
    pending.pending_operations.push(operation);
    let session = session(store, "dev").await?;
    fine(session.finish(&pending, well()).await, "an operation ends")?;
    let with_pending = fine(store.export(&dev).await, "a stack is exported")?;
    fine(store.import(&dev, &with_pending, false, info()).await, "and imported")?;
    let loaded = fine(store.load(&dev).await, "the stack is read")?;
    ensure(resources(&loaded.snapshot) == ["a"], "with its resources")?;
    ensure(loaded.snapshot.pending_operations.is_empty(), "and without its pending operations")?;
    ensure(store.import(&dev, "{", false, info()).await.is_err(), "what is no export is refused")?;
    ensure(store.import(&dev, "{}", true, info()).await.is_err(), "even if forced")
}

async fn renaming(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let (dev, prod) = (id("dev"), id("prod"));
    fine(store.create(&prod).await, "a stack is made")?;
    ensure(store.rename(&dev, &prod).await == Err(StateError::Exists(prod.clone())), "names are taken once")?;
    fine(store.remove(&prod, false).await, "an empty stack is removed")?;
    fine(store.rename(&dev, &prod).await, "a stack is renamed")?;
    ensure(store.load(&dev).await.err() == Some(StateError::NotFound(dev)), "the old name is gone")?;
    let loaded = fine(store.load(&prod).await, "the new name is there")?;
    ensure(loaded.snapshot.resources[0].urn.stack() == "prod", "URNs are rewritten")?;
    ensure(fine(store.history(&prod).await, "history is read")?.len() == 1, "history goes along")?;
    let session = session(store, "prod").await?;
    fine(session.abandon().await, "the renamed stack is free")
}

async fn versions(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let dev = id("dev");
    let second = session(store, "dev").await?;
    fine(second.finish(&snapshot(&["a", "b"]), well()).await, "an operation ends")?;
    let text = fine(store.export(&dev).await, "a stack is exported")?;
    fine(store.import(&dev, &text, false, info()).await, "and imported")?;
    let third = session(store, "dev").await?;
    fine(third.finish(&snapshot(&["b"]), well()).await, "an operation ends")?;

    let history = fine(store.history(&dev).await, "history is read")?;
    let numbers: Vec<u64> = history.iter().map(|entry| entry.version).collect();
    ensure(numbers == [4, 3, 2, 1], "entries are numbered from the oldest on, imports included")?;
    ensure(history.iter().all(|entry| entry.has_state), "each state is kept")?;
    for (version, expected) in [(1, vec!["a"]), (2, vec!["a", "b"]), (3, vec!["a", "b"]), (4, vec!["b"])] {
        let loaded = fine(store.load_version(&dev, version).await, "a version is read")?;
        ensure(loaded.deployed && resources(&loaded.snapshot) == expected, "versions are what they were")?;
    }
    for version in [0, 5] {
        let refused = store.load_version(&dev, version).await.err();
        ensure(matches!(refused, Some(StateError::Unusable(_))), "there are no other versions")?;
    }
    let gone = store.load_version(&id("gone"), 1).await.err();
    ensure(gone == Some(StateError::NotFound(id("gone"))), "no stack, no versions")?;
    fine(store.rename(&dev, &id("prod")).await, "a stack is renamed")?;
    let loaded = fine(store.load_version(&id("prod"), 2).await, "a version of a renamed stack is read")?;
    ensure(resources(&loaded.snapshot) == ["a", "b"], "versions go along with a rename")
}

async fn histories_of_others(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let dev = id("dev");
    let entry = HistoryEntry {
        version: 17,
        has_state: false,
        info: UpdateInfo {
            environment: [("git.head".to_owned(), "abc".to_owned())].into(),
            config: [
                ("shop:plain".to_owned(), RecordedConfig::Plain("x".into())),
                ("shop:list".to_owned(), RecordedConfig::Structured("[1]".into())),
                ("shop:secret".to_owned(), RecordedConfig::Secret("v1:c".into())),
            ]
            .into(),
            ..info()
        },
        outcome: UpdateOutcome { succeeded: false, ..well() },
        start_time: 100,
        end_time: 200,
    };
    fine(store.add_history(&dev, &entry, Some(&snapshot(&["z"]))).await, "an entry is added")?;
    fine(store.add_history(&dev, &entry, None).await, "an entry without a state is added")?;
    let history = fine(store.history(&dev).await, "history is read")?;
    let [bare, full, own] = &*history else { return Err("three entries".into()) };
    ensure([own, full, bare].map(|entry| entry.version) == [1, 2, 3], "entries are numbered as they come")?;
    ensure(full.has_state && !bare.has_state, "entries say whether they have a state")?;
    ensure((full.start_time, full.end_time) == (100, 200), "times are those of the other store")?;
    ensure(!full.outcome.succeeded && full.outcome.changes == entry.outcome.changes, "so is the outcome")?;
    ensure(full.info.environment == entry.info.environment, "so is what is known of where it ran")?;
    ensure(full.info.config == entry.info.config, "so is the configuration")?;
    let loaded = fine(store.load_version(&dev, 2).await, "a version is read")?;
    ensure(resources(&loaded.snapshot) == ["z"], "with the state that it left")?;
    ensure(store.load_version(&dev, 3).await.is_err(), "what isn't there isn't read")?;
    let now = fine(store.load(&dev).await, "the stack is read")?;
    ensure(resources(&now.snapshot) == ["a"], "the state is as it was")
}

async fn tags(store: &dyn StateStore) -> Check {
    deployed(store, &["a"]).await?;
    let dev = id("dev");
    ensure(fine(store.tags(&dev).await, "tags are read")?.is_empty(), "a new stack has none")?;
    let gone = store.tags(&id("gone")).await.err();
    ensure(gone == Some(StateError::NotFound(id("gone"))), "no stack, no tags")?;
    let some: std::collections::BTreeMap<String, String> =
        [("owner".to_owned(), "us".to_owned()), ("gcp:project".to_owned(), String::new())].into();
    fine(store.set_tags(&dev, &some).await, "tags are set")?;
    ensure(fine(store.tags(&dev).await, "tags are read")? == some, "tags are what was set")?;
    for (name, value) in [("", String::new()), ("a b", String::new()), ("a", "x".repeat(257))] {
        let wrong = [(name.to_owned(), value)].into();
        ensure(store.set_tags(&dev, &wrong).await.is_err(), "what is no tag is refused")?;
    }
    ensure(fine(store.tags(&dev).await, "tags are read")? == some, "and changes nothing")?;
    fine(store.rename(&dev, &id("prod")).await, "a stack is renamed")?;
    ensure(fine(store.tags(&id("prod")).await, "tags are read")? == some, "tags go along with a rename")?;
    fine(store.set_tags(&id("prod"), &std::collections::BTreeMap::new()).await, "tags are removed")?;
    ensure(fine(store.tags(&id("prod")).await, "tags are read")?.is_empty(), "then there are none")
}

async fn examinations(store: &dyn StateStore) -> Check {
    deployed(store, &["a", "b"]).await?;
    let dev = id("dev");
    let found = fine(store.examine(&dev).await, "a stack is examined")?;
    ensure(found.is_empty(), "an intact stack has nothing to be found")?;
    let gone = store.examine(&id("gone")).await.err();
    ensure(gone == Some(StateError::NotFound(id("gone"))), "no stack, no findings")?;
    let mut broken = resource("c");
    broken.dependencies = vec![resource("nowhere").urn];
    let mut invalid = snapshot(&["a"]);
    invalid.resources.push(Arc::new(broken));
    let text = purlin_formats::export_deployment(Some(&invalid)).map_err(|e| e.diagnostic().to_string())?;
    fine(store.import(&dev, &text, true, info()).await, "an invalid state is imported by force")?;
    let found = fine(store.examine(&dev).await, "a stack is examined")?;
    let names_it = |d: &purlin_diag::Diagnostic| d.message.contains("nowhere");
    ensure(found.iter().any(names_it), "a broken rule is found, with its resource")?;
    let session = session(store, "dev").await?;
    fine(session.finish(&snapshot(&["a"]), well()).await, "an operation ends")?;
    ensure(fine(store.examine(&dev).await, "a stack is examined")?.is_empty(), "what was mended is intact")
}
