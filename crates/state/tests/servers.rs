//! Stacks on real servers behind a proxy that hits every request of an operation in turn, and a writer
//! that dies at every request: whatever happens, what was acknowledged is there, and nothing else is.
//!
//! By itself every request is hit once, by another fault than the one before it; every third one on
//! PostgreSQL, and every third one of an operation with checkpoints on the way, which makes most. With
//! `PURLIN_FAULTS=all` every request is hit by every fault.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use purlin_blobs::{Surroundings, open};
use purlin_diag::Severity;
use purlin_journal::{Change, Entry, OpId, Slot};
use purlin_model::OperationKind;
use purlin_ports::{Blobs, StackId, StateError, StateStore};
use purlin_state::{DiyOptions, DiyStore};
use purlin_testkit::proxy::{Fault, Protocol, Proxy};
use purlin_testkit::servers::{Found, Server};
use world::*;

/// What happens to a writer.
#[derive(Clone, Copy, Debug)]
enum Hit {
    /// One of its requests goes wrong.
    Once(Fault),
    /// It dies: this is the last that happens, and nothing of what it sends later arrives.
    Dies(Fault),
}

const HITS: [Hit; 9] = [
    Hit::Once(Fault::Reset),
    Hit::Once(Fault::Status(503)),
    Hit::Once(Fault::LostReply),
    Hit::Once(Fault::StatusAfter(503)),
    Hit::Once(Fault::TornRequest),
    Hit::Once(Fault::TornReply),
    Hit::Once(Fault::Delay(Duration::from_millis(20))),
    Hit::Dies(Fault::Reset),
    Hit::Dies(Fault::LostReply),
];

impl Hit {
    /// Has it happen at the request with a number.
    fn set(self, server: Server, proxy: &Proxy, at: u64) {
        // The client of PostgreSQL would connect again and again for a while.
        let rest = if server == Server::Postgres { Fault::Status(503) } else { Fault::Reset };
        match self {
            Hit::Once(fault) => proxy.fail_request(at, fault),
            Hit::Dies(last) => proxy.set_rule(move |seen| match seen.number {
                number if number < at => None,
                number if number == at => Some(last),
                _ => Some(rest),
            }),
        }
    }
}

/// What is done with a stack that has the resources `a` and `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// `b` and `c` are made, `a` is deleted.
    Update,
    /// The same, and the journal is put into the checkpoint after every batch.
    LongUpdate,
    /// `a` is taken out of the state.
    Edit,
    /// `i` takes the place of `a`.
    Import,
    Rename,
    Remove,
    /// Another stack is made.
    Create,
}

const OPERATIONS: [Operation; 7] = [
    Operation::Update,
    Operation::LongUpdate,
    Operation::Edit,
    Operation::Import,
    Operation::Rename,
    Operation::Remove,
    Operation::Create,
];

/// What a writer was told.
#[derive(Debug, Default)]
struct Told {
    /// Whether it got the stack.
    holds: bool,
    /// The resources whose begin is durable.
    begun: Vec<&'static str>,
    /// Those whose end is.
    ended: Vec<&'static str>,
    /// Whether all was done.
    well: bool,
}

fn other() -> StackId {
    StackId { name: "prod".into(), ..id() }
}

impl Operation {
    async fn run(self, store: &DiyStore, told: &mut Told) -> Result<(), StateError> {
        match self {
            Operation::Update | Operation::LongUpdate => update(store, told).await?,
            Operation::Edit => {
                let session = store.begin(&id(), info()).await?;
                session.finish(&snapshot(&["z"]), well()).await?;
            }
            Operation::Import => {
                let text = store.export(&id()).await?.replace("::a\"", "::i\"").replace("id-a", "id-i");
                store.import(&id(), &text, false, info()).await?;
            }
            Operation::Rename => store.rename(&id(), &other()).await?,
            Operation::Remove => store.remove(&id(), true).await?,
            Operation::Create => store.create(&other()).await?,
        }
        told.well = true;
        Ok(())
    }
}

async fn update(store: &DiyStore, told: &mut Told) -> Result<(), StateError> {
    let session = store.begin(&id(), info()).await?;
    told.holds = true;
    drop(session.append(keep(1)));
    session.append(begin(1, "b")).wait().await?;
    told.begun.push("b");
    let end = session.append(created(1, 2, "b"));
    session.append(begin(2, "c")).wait().await?;
    // What is durable is so with all before it.
    told.begun.push("c");
    told.ended.push("b");
    end.wait().await?;
    session.append(created(2, 3, "c")).wait().await?;
    told.ended.push("c");
    let deletes =
        Entry::Begin { op: OpId(3), kind: OperationKind::Deleting, resource: Arc::new(resource("a")) };
    session.append(deletes).wait().await?;
    told.begun.push("a");
    let deleted = Entry::End { op: Some(OpId(3)), changes: vec![Change::Remove { slot: Slot(0) }] };
    session.append(deleted).wait().await?;
    told.ended.push("a");
    session.finish(&snapshot(&["z", "b", "c"]), well()).await
}

/// The resources of a stack and the pending ones, sorted; nothing where there is no such stack.
type Seen = Option<(Vec<String>, Vec<String>)>;

fn seen(snapshot: &purlin_model::Snapshot) -> Seen {
    let mut names: Vec<String> = resources(snapshot).into_iter().map(str::to_owned).collect();
    let pending = snapshot.pending_operations.iter();
    let mut pending: Vec<String> = pending.map(|p| p.resource.urn.name().to_owned()).collect();
    names.sort();
    pending.sort();
    Some((names, pending))
}

async fn look(store: &DiyStore, id: &StackId) -> Result<Seen, StateError> {
    match store.load(id).await {
        Ok(loaded) => Ok(seen(&loaded.snapshot)),
        Err(StateError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn exactly(names: &str) -> Seen {
    Some((names.split_whitespace().map(str::to_owned).collect(), Vec::new()))
}

/// Whether the stack `dev` and the other one may be so after what the writer was told.
fn judge(operation: Operation, told: &Told, dev: &Seen, prod: &Seen) -> Result<(), String> {
    let (before, none) = (exactly("a z"), None);
    // What is before, or after; only after if all was done.
    let either = |before: [&Seen; 2], after: [&Seen; 2]| {
        let now = [dev, prod];
        now == after || (!told.well && now == before)
    };
    let fits = match operation {
        Operation::Update | Operation::LongUpdate => return judge_update(told, dev),
        Operation::Edit => either([&before, &none], [&exactly("z"), &none]),
        Operation::Import => either([&before, &none], [&exactly("i z"), &none]),
        Operation::Remove => either([&before, &none], [&none, &none]),
        Operation::Create => either([&before, &none], [&before, &exactly("")]),
        // Cut off in the middle, it is there under both names.
        Operation::Rename => {
            either([&before, &none], [&none, &before]) || (!told.well && (dev, prod) == (&before, &before))
        }
    };
    if fits { Ok(()) } else { Err("neither what was before nor what was to come".to_owned()) }
}

fn judge_update(told: &Told, dev: &Seen) -> Result<(), String> {
    let ensure = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    let Some((names, pending)) = dev else { return Err("it is gone".to_owned()) };
    if told.well {
        return ensure(*dev == exactly("b c z"), "not all is there".to_owned());
    }
    if !told.holds {
        return ensure(*dev == exactly("a z"), "it has changed".to_owned());
    }
    let (mut once, mut known) = (BTreeMap::new(), vec!["a", "b", "c", "z"]);
    for name in names {
        *once.entry(name).or_insert(0) += 1;
    }
    ensure(once.values().all(|count| *count == 1), "something is there twice".to_owned())?;
    known.retain(|known| names.iter().any(|name| name == known));
    ensure(known.len() == names.len() && known.contains(&"z"), "something of nobody, or without z".into())?;
    for made in ["b", "c"] {
        let (is, pends) = (names.iter().any(|name| name == made), pending.iter().any(|name| name == made));
        let (begun, ended) = (told.begun.contains(&made), told.ended.contains(&made));
        ensure(!ended || is, format!("{made} is lost"))?;
        ensure(!begun || is || pends, format!("nothing is known of {made}"))?;
        ensure(begun || !is, format!("{made} was never made"))?;
    }
    let (is, pends) = (names.iter().any(|name| name == "a"), pending.iter().any(|name| name == "a"));
    let (begun, ended) = (told.begun.contains(&"a"), told.ended.contains(&"a"));
    ensure(!ended || !is, "a is back".to_owned())?;
    ensure(begun || is, "a is gone".to_owned())?;
    ensure(!begun || !is || pends, "nobody knows that a was to be deleted".to_owned())
}

fn opened(server: Server, found: &Found, prefix: &str) -> Arc<dyn Blobs> {
    let backend = server.backend(found, prefix);
    open(&backend.url, &Surroundings { variable: &|name| backend.variable(name), home: None }).unwrap()
}

/// A stack of its own on a server, and a proxy in front of it.
struct Case {
    world: World,
    server: Server,
    found: Found,
    prefix: String,
    proxy: Proxy,
}

impl Case {
    async fn new(server: Server, operation: Operation) -> Case {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("faults-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let found = server.find(|name| std::env::var(name).ok());
        let protocol = if server == Server::Postgres { Protocol::Postgres } else { Protocol::Http };
        let proxy = Proxy::start(&found.authority, protocol).unwrap();
        let journal_bytes = (operation == Operation::LongUpdate).then_some(1);
        let world = World::with(DiyOptions { journal_bytes, ..DiyOptions::default() });
        let case = Case { world, server, found, prefix, proxy };
        let store = case.honest("here", 1);
        store.create(&id()).await.unwrap();
        let session = store.begin(&id(), info()).await.unwrap();
        session.finish(&snapshot(&["a", "z"]), well()).await.unwrap();
        case.world.kill("here", 1);
        case
    }

    fn honest(&self, host: &str, pid: u32) -> DiyStore {
        let blobs = opened(self.server, &self.found, &self.prefix);
        tokio::task::block_in_place(|| self.world.store_in(blobs, host, pid))
    }

    /// Does the operation behind the proxy, and dies.
    async fn run(&self, operation: Operation) -> (Told, Result<(), StateError>) {
        let mut told = Told::default();
        let through = opened(self.server, &self.found.at(self.proxy.address()), &self.prefix);
        let store = tokio::task::block_in_place(|| self.world.try_store_in(through, "here", 2));
        let ended = match store {
            Ok(store) => operation.run(&store, &mut told).await,
            Err(error) => Err(error),
        };
        self.world.kill("here", 2);
        (told, ended)
    }

    /// Looks at what is there: from elsewhere, then as the next operation on the same machine.
    async fn check(&self, operation: Operation, told: &Told) -> Result<(), String> {
        let says = |who: &'static str| move |error: StateError| format!("{who}: {error}");
        let there = self.honest("there", 9);
        let dev = look(&there, &id()).await.map_err(says("from elsewhere"))?;
        let prod = look(&there, &other()).await.map_err(says("from elsewhere"))?;
        judge(operation, told, &dev, &prod)
            .map_err(|wrong| format!("from elsewhere: {wrong}: {dev:?}, {prod:?}"))?;
        let here = self.honest("here", 3);
        let (mut dev, mut prod) = (None, None);
        for (id, now) in [(id(), &mut dev), (other(), &mut prod)] {
            match here.begin(&id, info()).await {
                Ok(session) => {
                    *now = seen(&session.base().snapshot);
                    session.abandon().await.map_err(says("letting go"))?;
                }
                Err(StateError::NotFound(_)) => continue,
                Err(error) => return Err(says("the next operation")(error)),
            }
            let found = here.examine(&id).await.map_err(says("an examination"))?;
            if let Some(wrong) = found.iter().find(|found| found.severity == Severity::Error) {
                return Err(format!("an examination: {}", wrong.message));
            }
        }
        judge(operation, told, &dev, &prod)
            .map_err(|wrong| format!("the next operation: {wrong}: {dev:?}, {prod:?}"))?;
        // What isn't there can be made, and is empty.
        for (id, _) in [(id(), dev), (other(), prod)].iter().filter(|(_, now)| now.is_none()) {
            here.create(id).await.map_err(says("making a stack"))?;
            let now = look(&here, id).await.map_err(says("making a stack"))?;
            if now != exactly("") {
                return Err(format!("what was made is {now:?}"));
            }
        }
        Ok(())
    }
}

async fn hit(server: Server, operation: Operation, hit: Hit, at: u64) -> Result<(), String> {
    let case = Case::new(server, operation).await;
    hit.set(server, &case.proxy, at);
    let (told, ended) = case.run(operation).await;
    case.proxy.behave();
    let tells = |wrong: String| format!("{operation:?}, {hit:?} at {at}: {wrong}\n  {told:?}, {ended:?}");
    // One fault spoils nothing: what is not known is looked at, and done again.
    if let (Hit::Once(_), Err(error)) = (hit, &ended) {
        return Err(tells(error.to_string()));
    }
    case.check(operation, &told).await.map_err(tells)?;
    // Some servers get slow when they keep much.
    let honest = &opened(server, &case.found, &case.prefix);
    let clearing = futures::stream::iter(honest.list("").await.unwrap());
    clearing.for_each_concurrent(8, |info| async move { honest.delete(&info.key).await.unwrap() }).await;
    Ok(())
}

async fn every_request(server: Server) {
    let all = std::env::var("PURLIN_FAULTS").is_ok_and(|value| value == "all");
    let mut cases = Vec::new();
    for operation in OPERATIONS {
        let case = Case::new(server, operation).await;
        let (told, ended) = case.run(operation).await;
        ended.unwrap();
        case.check(operation, &told).await.unwrap();
        let requests = case.proxy.seen().len() as u64;
        // On PostgreSQL connecting and preparing are requests as well.
        // Each checkpoint on the way takes some fifteen more.
        let most = if operation == Operation::LongUpdate { 400 } else { 200 };
        assert!((2..most).contains(&requests), "{operation:?}: {requests} requests");
        // There every store connects anew, which takes long: a third of them.
        let few = |is: bool| if is && !all { 3 } else { 1 };
        let step = few(server == Server::Postgres) * few(operation == Operation::LongUpdate);
        for at in (1..=requests).step_by(step) {
            let usual = HITS[cases.len() % HITS.len()];
            let hits = if all { HITS.to_vec() } else { vec![usual] };
            cases.extend(hits.into_iter().map(|hit| (operation, hit, at)));
        }
    }
    let number = cases.len();
    let running =
        cases.into_iter().map(|(operation, kind, at)| tokio::spawn(hit(server, operation, kind, at)));
    let ends: Vec<Result<(), String>> =
        futures::stream::iter(running).buffer_unordered(4).map(Result::unwrap).collect().await;
    let wrong: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {number} on {server:?}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_on_s3_no_operation_ends_in_a_wrong_state() {
    every_request(Server::S3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_on_google_cloud_storage_no_operation_ends_in_a_wrong_state() {
    every_request(Server::Gcs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_on_azure_no_operation_ends_in_a_wrong_state() {
    every_request(Server::Azure).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_on_postgres_no_operation_ends_in_a_wrong_state() {
    every_request(Server::Postgres).await;
}
