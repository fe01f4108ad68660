//! A process that wants a stack, and the stores that it may want it on.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use purlin_model::Snapshot;
use purlin_ports::{Clock, Entropy, StackId, StateError, StateStore as _, UpdateSession};
use purlin_state::{DiyOptions, DiyStore, LeaseTimes, Surroundings, SystemProcesses, SystemTimer};
use purlin_testkit::servers::Server;
use serde::{Deserialize, Serialize};

use crate::world;

/// The variable that tells a process what to do.
const TASK: &str = "PURLIN_RACER";

/// Short enough for leases to expire in a test, long enough for a healthy writer to keep its own.
const TIMES: LeaseTimes = LeaseTimes {
    beat: Duration::from_millis(40),
    expiry: Duration::from_millis(300),
    grace: Duration::from_millis(100),
    fence: Duration::from_millis(400),
};

/// Where stacks are.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// In a folder.
    Directory(PathBuf),
    /// On a server, below a prefix.
    On(Server, String),
}

const SERVERS: [Server; 4] = [Server::S3, Server::Gcs, Server::Azure, Server::Postgres];

impl Ground {
    /// The store as a process of a host has it.
    pub(crate) fn store(&self, host: &str, journal_bytes: Option<u64>) -> DiyStore {
        let around = Surroundings {
            clock: Arc::new(System),
            entropy: Arc::new(System),
            timer: Arc::new(SystemTimer::start()),
            processes: Arc::new(SystemProcesses::new(host)),
            pid: std::process::id(),
            hostname: host.to_owned(),
            username: "ann".to_owned(),
            unsent: None,
        };
        let options = DiyOptions { times: TIMES, journal_bytes, ..DiyOptions::default() };
        match self {
            Ground::Directory(root) => {
                let url = format!("file://{}", root.display());
                DiyStore::open(url, root.clone(), options, around).unwrap()
            }
            Ground::On(server, prefix) => {
                let found = server.find(|name| std::env::var(name).ok());
                let backend = server.backend(&found, prefix);
                let variable = |name: &str| backend.variable(name);
                let surroundings = purlin_blobs::Surroundings { variable: &variable, home: None };
                let blobs = purlin_blobs::open(&backend.url, &surroundings).unwrap();
                DiyStore::open_bucket(backend.url, blobs, options, around).unwrap()
            }
        }
    }
}

/// Real time and real chance.
struct System;

impl Entropy for System {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let random = RandomState::new().build_hasher().finish().to_ne_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

impl Clock for System {
    fn now(&self) -> String {
        format!("2025-01-02T03:04:05.{:09}Z", self.unix_nanos() % 1_000_000_000)
    }

    fn unix_seconds(&self) -> i64 {
        i64::try_from(self.unix_nanos() / 1_000_000_000).unwrap()
    }

    fn unix_nanos(&self) -> i128 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i128::try_from(since.as_nanos()).unwrap()
    }
}

pub(crate) fn id(stack: &str) -> StackId {
    StackId { name: stack.to_owned(), ..world::id() }
}

/// What a process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The folder, or the prefix.
    place: String,
    /// The server's name; none is the folder.
    server: Option<String>,
    pub(crate) stack: String,
    pub(crate) host: String,
    /// What the names of its resources begin with.
    pub(crate) name: String,
    /// How many resources it makes before it says that it holds the stack, and after it was told to go on.
    pub(crate) early: u32,
    pub(crate) late: u32,
    /// When its journal is put into the checkpoint on the way.
    pub(crate) journal_bytes: Option<u64>,
}

impl Task {
    pub(crate) fn new(ground: &Ground, stack: &str, host: &str, name: &str) -> Task {
        let (place, server) = match ground {
            Ground::Directory(root) => (root.display().to_string(), None),
            Ground::On(server, prefix) => (prefix.clone(), Some(server.name().to_owned())),
        };
        let (stack, host, name) = (stack.to_owned(), host.to_owned(), name.to_owned());
        Task { place, server, stack, host, name, early: 0, late: 0, journal_bytes: None }
    }

    /// A process that does it.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["racer", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(TASK, serde_json::to_string(self).unwrap());
        command
    }

    /// What this process is to do, if it was told.
    pub(crate) fn given() -> Option<Task> {
        std::env::var(TASK).ok().map(|text| serde_json::from_str(&text).unwrap())
    }

    fn ground(&self) -> Ground {
        match &self.server {
            None => Ground::Directory(PathBuf::from(&self.place)),
            Some(name) => {
                let server = SERVERS.into_iter().find(|server| server.name() == name).unwrap();
                Ground::On(server, self.place.clone())
            }
        }
    }
}

/// What lines begin with that are for the one who started the race.
pub(crate) const MARK: &str = "race: ";

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{MARK}{line}").unwrap();
    out.flush().unwrap();
}

fn say_error(error: &StateError) {
    match error {
        StateError::Locked(_) => say("refused"),
        StateError::Fenced(_) => say("fenced"),
        // Somebody is paused in the middle of taking the stack.
        error if error.diagnostic().code == "store-fence" => say("refused"),
        error => say(&format!("failed {error}").replace('\n', " ")),
    }
}

/// Waits for a word.
fn told() {
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

/// Wants the stack, says how it goes, and waits for a word before it begins and when it holds it.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn race(task: &Task) {
    let store = task.ground().store(&task.host, task.journal_bytes);
    say("ready");
    told();
    let session = match store.begin(&id(&task.stack), world::info()).await {
        Ok(session) => session,
        Err(error) => return say_error(&error),
    };
    let mut end: Snapshot = session.base().snapshot.as_ref().clone();
    make(task, &*session, &mut end, 0..task.early).await;
    say("held");
    told();
    make(task, &*session, &mut end, task.early..task.early + task.late).await;
    end.resources.push(Arc::new(world::resource(&format!("{}-end", task.name))));
    match session.finish(&end, world::well()).await {
        Ok(()) => say("committed"),
        Err(error) => say_error(&error),
    }
}

async fn make(task: &Task, session: &dyn UpdateSession, end: &mut Snapshot, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let name = format!("{}-{number}", task.name);
        let slot = u32::try_from(session.base().snapshot.resources.len()).unwrap() + number;
        let begun = session.append(world::begin(number, &name)).wait().await;
        let made = session.append(world::created(number, slot, &name)).wait().await;
        if begun.is_ok() && made.is_ok() {
            end.resources.push(Arc::new(world::resource(&name)));
            say(&format!("stored {name}"));
        } else {
            say(&format!("lost {name}"));
        }
    }
}
