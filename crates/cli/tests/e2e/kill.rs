//! I3: killing the process at any instant loses no resource that exists.
//!
//! Each point is a number that settles when the process is killed and what it was doing, down to the
//! provider's delays. The provider's own directory is the truth: whatever exists there is in the
//! state, or the state lists its creation as pending. Afterwards the next run recovers by itself.
//!
//! `PURLIN_KILL_POINTS` sets the number of points for updates (200), `PURLIN_KILL_FIRST` the first one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::support::{Ran, Running, Sealed, copy_folder, files_below, plugin};

const COUNT: usize = 50;

/// Numbers that follow from a seed.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Half of the objects stand alone, half are in chains of five. `round` changes some of them in
/// place and has others replaced, one way or the other.
fn program(round: u32) -> String {
    let mut text = "name: many\nruntime: yaml\nresources:\n".to_owned();
    for i in 0..COUNT {
        let changing = match i % 5 {
            1 => format!(", tags: {{ round: r{round} }}"),
            3 if i % 2 == 0 => format!(", replaceOn: r{round}"),
            3 => format!(", replaceFirst: r{round}"),
            _ => String::new(),
        };
        let value =
            if i >= COUNT / 2 && i % 5 > 0 { format!("\"${{n{}.arn}}\"", i - 1) } else { format!("v{i}") };
        let _ = write!(
            text,
            "  n{i}:\n    type: faultcloud:Object\n    properties: {{ value: {value}{changing} }}\n"
        );
    }
    text
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Create,
    Change,
    Refresh,
    Destroy,
}

impl Work {
    fn command(self) -> [&'static str; 5] {
        let command = match self {
            Work::Create | Work::Change => "up",
            Work::Refresh => "refresh",
            Work::Destroy => "destroy",
        };
        [command, "--yes", "--skip-preview", "--stack", "dev"]
    }
}

/// Stacks to start from, and how much a whole run of each work writes into the provider's log.
struct Templates {
    empty: Sealed,
    deployed: Sealed,
    log_sizes: BTreeMap<&'static str, u64>,
}

impl Templates {
    fn make() -> Templates {
        let empty = fresh();
        empty.run(["stack", "init", "dev"]).exits(0);
        let deployed = copy_of(&empty);
        deployed.run(Work::Create.command()).exits(0);
        let mut log_sizes = BTreeMap::from([("Create", log_size(&deployed))]);
        deployed.forget_calls();
        for work in [Work::Change, Work::Refresh, Work::Destroy] {
            let sealed = copy_of(&deployed);
            if work == Work::Change {
                sealed.write("Pulumi.yaml", &program(2));
            }
            sealed.run(work.command()).exits(0);
            let name = match work {
                Work::Change => "Change",
                Work::Refresh => "Refresh",
                _ => "Destroy",
            };
            log_sizes.insert(name, log_size(&sealed));
        }
        Templates { empty, deployed, log_sizes }
    }

    fn log_size(&self, work: Work) -> u64 {
        self.log_sizes[format!("{work:?}").as_str()]
    }
}

fn fresh() -> Sealed {
    let sealed = Sealed::new();
    sealed.install("faultcloud", "1.0.0");
    sealed.write("Pulumi.yaml", &program(1));
    sealed
}

fn copy_of(template: &Sealed) -> Sealed {
    let sealed = fresh();
    copy_folder(template.directory(), sealed.directory());
    copy_folder(template.bucket(), sealed.bucket());
    copy_folder(template.cloud(), sealed.cloud());
    sealed
}

fn log_size(sealed: &Sealed) -> u64 {
    std::fs::metadata(sealed.cloud().join("calls.log")).map_or(0, |m| m.len())
}

/// What the points together came upon.
#[derive(Debug, Default)]
struct Met {
    /// Kills in the middle of a run.
    kills: AtomicUsize,
    /// Kills that left operations pending.
    pending: AtomicUsize,
    /// Objects of which only a pending creation is known.
    leaked: AtomicUsize,
    /// Kills that a provider in the middle of a call outlived.
    outlived: AtomicUsize,
}

fn add(counter: &AtomicUsize, count: usize) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// One instant at which the process is killed.
struct Point<'m> {
    met: &'m Met,
    seed: u64,
    work: Work,
    sealed: Sealed,
    random: Seeded,
    log_size: u64,
}

impl<'m> Point<'m> {
    fn new(seed: u64, work: Work, templates: &Templates, met: &'m Met) -> Point<'m> {
        let mut random = Seeded(seed.wrapping_mul(0x1000_0001));
        let template = if work == Work::Create { &templates.empty } else { &templates.deployed };
        let mut sealed = copy_of(template);
        if work == Work::Change {
            sealed.write("Pulumi.yaml", &program(2));
        }
        sealed.faults(&delays(&mut random));
        if random.below(3) == 0 {
            outlive(&mut sealed);
        }
        Point { met, seed, work, sealed, random, log_size: templates.log_size(work) }
    }

    /// Kills the work, then lets the next run go on at once.
    fn play(mut self) {
        self.kill_once();
        if self.random.below(5) == 0 {
            // The run that recovers is killed too.
            self.kill_once();
        }
        self.sealed.faults(&json!({}));
        let next = self.sealed.run(self.work.command());
        assert_eq!(next.code, Some(0), "{}: the next run fails\n{next}", self.name());
        self.nothing_is_under_way();
        let state = self.export();
        let leaked = self.everything_is_known(&self.sealed.objects(), &state);
        add(&self.met.leaked, leaked.len());
        for name in &leaked {
            assert!(next.output().contains(name.as_str()), "{}: {name} isn't reported\n{next}", self.name());
        }
        self.state_is_exact(&state);
        if self.work == Work::Destroy {
            assert_eq!(state.ids.len(), 0, "{}: not all is destroyed\n{next}", self.name());
        } else {
            assert_eq!(state.urns.len(), COUNT, "{}: not all is there\n{next}", self.name());
            let after = self.sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]);
            assert_eq!(after.code, Some(0), "{}: not settled\n{next}\n{after}", self.name());
        }
    }

    fn kill_once(&mut self) {
        let written = log_size(&self.sealed);
        let running = self.sealed.start(self.work.command(), None);
        self.wait_and_kill(running, written);
        let objects = self.sealed.objects();
        let state = self.export();
        self.everything_is_known(&objects, &state);
        add(&self.met.pending, usize::from(state.pending > 0));
        let alive = state.pending > 0 && self.changing_processes().iter().any(|pid| self.is_alive(*pid));
        add(&self.met.outlived, usize::from(alive));
    }

    /// Early in the run, while calls are under way, or when all calls have been made.
    fn wait_and_kill(&mut self, mut running: Running, written: u64) {
        let (bytes, pause) = match self.random.below(10) {
            0 => (0, self.random.below(200_000)),
            1 => (self.log_size * 97 / 100, self.random.below(150_000)),
            _ => (self.random.below(self.log_size), self.random.below(20_000)),
        };
        let started = Instant::now();
        while log_size(&self.sealed) < written + bytes && !running.has_ended() {
            assert!(started.elapsed() < Duration::from_secs(120), "{} makes no progress", self.name());
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(pause));
        add(&self.met.kills, usize::from(!running.has_ended()));
        running.kill();
    }

    fn export(&self) -> State {
        let ran = self.sealed.run(["stack", "export", "--stack", "dev"]);
        assert_eq!(ran.code, Some(0), "{}: the state doesn't load\n{ran}", self.name());
        State::of(&ran)
    }

    /// Every object is in the state or listed as a pending creation. Gives the names of the latter.
    #[track_caller]
    fn everything_is_known(&self, objects: &BTreeMap<String, Value>, state: &State) -> BTreeSet<String> {
        let unknown = objects.iter().filter(|(id, _)| !state.ids.contains(*id));
        let urns: Vec<&str> = unknown.map(|(_, object)| object["urn"].as_str().unwrap()).collect();
        for urn in &urns {
            assert!(state.creating.contains(*urn), "{}: {urn} is lost\n{state:?}", self.name());
        }
        urns.iter().map(|urn| urn.rsplit("::").next().unwrap().to_owned()).collect()
    }

    /// The state has each object once, and nothing that isn't there.
    fn state_is_exact(&self, state: &State) {
        let objects = self.sealed.objects();
        for id in &state.ids {
            assert!(objects.contains_key(id), "{}: {id} is in the state only", self.name());
        }
        assert_eq!(state.ids.len(), state.urns.len(), "{}: some are there twice: {state:?}", self.name());
    }

    /// No lock, no lease, no journal, no process of earlier runs that could still change something.
    fn nothing_is_under_way(&self) {
        let left: Vec<_> = files_below(self.sealed.bucket())
            .into_iter()
            .filter(|path| {
                let text = path.to_string_lossy();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                text.contains("/locks/") || name.starts_with("lease.") || name.starts_with("journal.")
            })
            .collect();
        assert!(left.is_empty(), "{}: left behind: {left:?}", self.name());
        for pid in self.changing_processes() {
            let alive = self.is_alive(pid);
            assert!(!alive, "{}: the provider {pid} of an earlier run is still alive", self.name());
        }
    }

    /// Whether a provider process of this point runs. Others may have got its number.
    fn is_alive(&self, pid: u64) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*self.sealed.cloud().to_string_lossy())
    }

    /// Provider processes that were told to change something.
    fn changing_processes(&self) -> BTreeSet<u64> {
        let log = std::fs::read_to_string(self.sealed.cloud().join("calls.log")).unwrap_or_default();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let changing = lines.filter(|line| {
            ["Create", "Update", "Delete"].iter().any(|m| line["method"] == *m) && line["preview"] != true
        });
        changing.filter_map(|line| line["pid"].as_u64()).collect()
    }

    fn name(&self) -> String {
        format!("{:?} at point {}", self.work, self.seed)
    }
}

/// What a state says of the objects.
#[derive(Debug)]
struct State {
    ids: BTreeSet<String>,
    urns: BTreeSet<String>,
    creating: BTreeSet<String>,
    /// The number of all pending operations.
    pending: usize,
}

impl State {
    fn of(export: &Ran) -> State {
        let document = export.json();
        let list = |key: &str| document["deployment"][key].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let resources = list("resources");
        let objects = || resources.iter().filter(|r| r["type"] == "faultcloud:index:Object");
        State {
            ids: objects().map(|r| text(&r["id"])).collect(),
            urns: objects().map(|r| text(&r["urn"])).collect(),
            creating: list("pending_operations")
                .iter()
                .filter(|operation| operation["type"] == "creating")
                .map(|operation| text(&operation["resource"]["urn"]))
                .collect(),
            pending: list("pending_operations").len(),
        }
    }
}

/// Every call that changes something takes its time before and after its effect.
fn delays(random: &mut Seeded) -> Value {
    let mut names = Map::new();
    for i in 0..COUNT {
        let mut delays = Map::new();
        for method in ["create", "update", "delete", "read"] {
            delays.insert(format!("{method}DelayMs"), json!(10 + random.below(90)));
            delays.insert(format!("{method}AfterDelayMs"), json!(10 + random.below(90)));
        }
        names.insert(format!("n{i}"), delays.into());
    }
    names.into()
}

/// Puts a shell between the process and its plugin. The signal that comes with the death of the parent
/// ends the shell and not the plugin, which goes on with its calls.
fn outlive(sealed: &mut Sealed) {
    let path = sealed.root().join("pulumi/plugins/resource-faultcloud-v1.0.0/pulumi-resource-faultcloud");
    std::fs::remove_file(&path).unwrap();
    let script = format!("#!/bin/sh\n'{}' \"$@\"\nexit $?\n", plugin("faultcloud", "1.0.0").display());
    write_executable(&path, &script);
    sealed.set("FAULTCLOUD_ORPHAN_MS", "20000");
}

fn write_executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Plays points in as many threads as the machine is good for. They wait for most of their time.
fn play(points: impl Iterator<Item = (u64, Work)>) -> Met {
    let met = Met::default();
    let points: Vec<_> = points.collect();
    let templates = Templates::make();
    let next = AtomicUsize::new(0);
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((seed, work)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let point = Point::new(*seed, *work, &templates, &met);
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| point.play())).is_err() {
                        failed.lock().unwrap().push(format!("{work:?} {seed}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} points failed: {failed:?}", failed.len(), points.len());
    met
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn killed_updates_lose_nothing() {
    let (first, count) = (setting("PURLIN_KILL_FIRST", 0), setting("PURLIN_KILL_POINTS", 200));
    let work = |seed| if seed % 4 == 3 { Work::Change } else { Work::Create };
    let met = play((first..first + count).map(|seed| (seed, work(seed))));
    if count >= 50 {
        let few = |counter: &AtomicUsize, one_of: usize| {
            counter.load(Ordering::Relaxed) * one_of < usize::try_from(count).unwrap()
        };
        let weak = few(&met.kills, 2) || few(&met.pending, 4) || few(&met.leaked, 8);
        assert!(!weak, "the points don't come upon what they are for: {met:?}");
        // Only there do plugins outlive the process, and only there can they be told apart.
        let outlive = cfg!(not(target_os = "linux")) || !few(&met.outlived, 20);
        assert!(outlive, "hardly any plugin outlives the process: {met:?}");
    }
    println!("{met:?}");
}

#[test]
fn killed_refreshes_and_destroys_lose_nothing() {
    let (first, count) = (setting("PURLIN_KILL_FIRST", 0), setting("PURLIN_KILL_POINTS", 200) / 6);
    let work = |seed| if seed % 3 == 0 { Work::Refresh } else { Work::Destroy };
    play((first..first + count).map(|seed| (seed, work(seed))));
}
