//! A world for stores in a directory: hosts with processes that die on request, time that passes
//! when somebody sleeps, and a clock of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use purlin_blobs::MemoryBlobs;
use purlin_journal::{Change, Entry, OpId, Slot};
use purlin_model::{Bag, OperationKind, RawText, ResourceState, Snapshot, Urn};
use purlin_ports::{Blobs, Clock, Entropy, StackId, StateError, UpdateInfo, UpdateOutcome};
use purlin_state::{DiyOptions, DiyStore, LeaseTimes, Processes, Retries, Surroundings, Timer};

/// What happens when somebody sleeps.
type OnSleep = Box<dyn FnMut(Duration) + Send>;

#[derive(Default)]
pub(crate) struct Shared {
    ticks: AtomicU64,
    slept: Mutex<Duration>,
    on_sleep: Mutex<Option<OnSleep>>,
    /// The running processes by host and number, with their marks.
    running: Mutex<BTreeMap<(String, u32), String>>,
    /// What was done to processes.
    pub(crate) signals: Mutex<Vec<(u32, &'static str)>>,
    /// Processes that don't end when asked to.
    pub(crate) stubborn: Mutex<Vec<u32>>,
    /// Leaders that ended before others of their group did.
    pub(crate) orphaned: Mutex<BTreeSet<u32>>,
}

impl Clock for Shared {
    fn now(&self) -> String {
        format!("2025-01-02T03:04:{:02}Z", self.ticks.fetch_add(1, Ordering::Relaxed) % 60)
    }

    fn unix_seconds(&self) -> i64 {
        1_735_787_045
    }
}

impl Entropy for Shared {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.ticks.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = number[at % 8];
        }
    }
}

impl Timer for Shared {
    fn elapsed(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        *self.slept.lock().unwrap() += duration;
        if let Some(act) = &mut *self.on_sleep.lock().unwrap() {
            act(duration);
        }
        std::thread::yield_now();
    }
}

/// A host of the world.
struct Host {
    name: String,
    shared: Arc<Shared>,
}

impl Processes for Host {
    fn host_id(&self) -> String {
        self.name.clone()
    }

    fn mark(&self, pid: u32) -> Option<String> {
        self.shared.running.lock().unwrap().get(&(self.name.clone(), pid)).cloned()
    }

    fn leaves_followers(&self, leader: u32) -> bool {
        self.shared.orphaned.lock().unwrap().contains(&leader)
    }

    fn terminate(&self, pid: u32) {
        self.shared.signals.lock().unwrap().push((pid, "terminate"));
        if !self.shared.stubborn.lock().unwrap().contains(&pid) {
            self.shared.running.lock().unwrap().remove(&(self.name.clone(), pid));
        }
    }

    fn kill(&self, pid: u32) {
        self.shared.signals.lock().unwrap().push((pid, "kill"));
        self.shared.orphaned.lock().unwrap().remove(&pid);
        self.shared.running.lock().unwrap().remove(&(self.name.clone(), pid));
    }
}

pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) options: DiyOptions,
    pub(crate) shared: Arc<Shared>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(DiyOptions::default())
    }

    pub(crate) fn with(mut options: DiyOptions) -> World {
        // Real time never matters: hearts beat when a test says so.
        options.times = LeaseTimes {
            beat: Duration::from_secs(3600),
            expiry: Duration::from_secs(20_000),
            fence: Duration::from_secs(20_000),
            ..options.times
        };
        options.retries = Retries {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            patience: Duration::from_millis(6),
        };
        World { directory: tempfile::tempdir().unwrap(), options, shared: Arc::default() }
    }

    /// The store as a process of this number on the host `here` has it. The process runs.
    pub(crate) fn store(&self, pid: u32) -> DiyStore {
        self.store_on("here", pid)
    }

    pub(crate) fn store_on(&self, host: &str, pid: u32) -> DiyStore {
        let around = self.around(host, pid);
        let url = format!("file://{}", self.root().display());
        DiyStore::open(url, self.root().to_owned(), self.options, around).unwrap()
    }

    /// The store in a bucket as a process of this number on a host has it. The process runs.
    pub(crate) fn bucket_on(&self, blobs: &MemoryBlobs, host: &str, pid: u32) -> DiyStore {
        self.store_in(Arc::new(blobs.clone()), host, pid)
    }

    pub(crate) fn store_in(&self, blobs: Arc<dyn Blobs>, host: &str, pid: u32) -> DiyStore {
        self.try_store_in(blobs, host, pid).unwrap()
    }

    pub(crate) fn try_store_in(
        &self,
        blobs: Arc<dyn Blobs>,
        host: &str,
        pid: u32,
    ) -> Result<DiyStore, StateError> {
        DiyStore::open_bucket("s3://bucket/below", blobs, self.options, self.around(host, pid))
    }

    fn around(&self, host: &str, pid: u32) -> Surroundings {
        self.start(host, pid, "first");
        let shared = Arc::clone(&self.shared);
        Surroundings {
            clock: shared.clone(),
            entropy: shared.clone(),
            timer: shared.clone(),
            processes: Arc::new(Host { name: host.to_owned(), shared }),
            pid,
            hostname: host.to_owned(),
            username: "ann".to_owned(),
            unsent: Some(self.root().join("unsent").join(host)),
        }
    }

    pub(crate) fn start(&self, host: &str, pid: u32, mark: &str) {
        self.shared.running.lock().unwrap().insert((host.to_owned(), pid), mark.to_owned());
    }

    pub(crate) fn kill(&self, host: &str, pid: u32) {
        self.shared.running.lock().unwrap().remove(&(host.to_owned(), pid));
    }

    pub(crate) fn runs(&self, host: &str, pid: u32) -> bool {
        self.shared.running.lock().unwrap().contains_key(&(host.to_owned(), pid))
    }

    pub(crate) fn on_sleep(&self, act: impl FnMut(Duration) + Send + 'static) {
        *self.shared.on_sleep.lock().unwrap() = Some(Box::new(act));
    }

    pub(crate) fn slept(&self) -> Duration {
        self.shared.elapsed()
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root().join(".pulumi").join(below)
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(below)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn write(&self, below: &str, text: impl AsRef<[u8]>) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap()
    }

    /// The lines of a journal, without the room that is behind them.
    pub(crate) fn lines(&self, journal: &str) -> String {
        self.read(journal).trim_end_matches('\0').to_owned()
    }
}

pub(crate) const FILE: &str = "stacks/shop/dev.json";
pub(crate) const LOCKS: &str = "locks/organization/shop/dev";
pub(crate) const OWN: &str = "purlin/shop/dev";

pub(crate) fn id() -> StackId {
    StackId { organization: "organization".into(), project: "shop".into(), name: "dev".into() }
}

pub(crate) fn resource(name: &str) -> ResourceState {
    let mut state = ResourceState::new(Urn::new("dev", "shop", None, "a:b:C", name), true);
    state.id = format!("id-{name}");
    state.inputs = Bag::Raw(RawText::from("{}".to_owned()));
    state.outputs = Bag::Raw(RawText::from("{\"out\":1}".to_owned()));
    state
}

pub(crate) fn snapshot(names: &[&str]) -> Snapshot {
    Snapshot {
        version: "v1".into(),
        resources: names.iter().map(|name| Arc::new(resource(name))).collect(),
        ..Snapshot::default()
    }
}

pub(crate) fn resources(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.resources.iter().map(|state| state.urn.name()).collect()
}

pub(crate) fn begin(op: u32, name: &str) -> Entry {
    Entry::Begin { op: OpId(op), kind: OperationKind::Creating, resource: Arc::new(resource(name)) }
}

pub(crate) fn created(op: u32, slot: u32, name: &str) -> Entry {
    let state = Arc::new(resource(name));
    Entry::End {
        op: Some(OpId(op)),
        changes: vec![Change::Place { slot: Slot(slot), state, replaces: None }],
    }
}

pub(crate) fn keep(slot: u32) -> Entry {
    Entry::End { op: None, changes: vec![Change::Keep { slot: Slot(slot) }] }
}

pub(crate) fn info() -> UpdateInfo {
    UpdateInfo { kind: "update".into(), ..UpdateInfo::default() }
}

pub(crate) fn well() -> UpdateOutcome {
    UpdateOutcome { succeeded: true, ..UpdateOutcome::default() }
}
