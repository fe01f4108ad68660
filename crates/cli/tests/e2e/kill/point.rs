//! One instant at which the process is killed, and what has to be true after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::work::{COUNT, Measure, Stage, Templates, Work, moved, urn};
use crate::support::{Ran, Running, Sealed, plugin};

/// Numbers that follow from a seed.
pub(super) struct Seeded(u64);

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

/// What the points together came upon.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// Kills in the middle of a run.
    pub(super) kills: AtomicUsize,
    /// Kills that left operations pending.
    pub(super) pending: AtomicUsize,
    /// Objects of which only a pending creation is known.
    pub(super) leaked: AtomicUsize,
    /// Kills that a provider in the middle of a call outlived.
    pub(super) outlived: AtomicUsize,
}

impl Met {
    /// Fails if the points don't come upon what they are for.
    pub(super) fn is_worth_it(&self, points: usize) {
        let few = |counter: &AtomicUsize, one_of: usize| counter.load(Ordering::Relaxed) * one_of < points;
        let weak = few(&self.kills, 2) || few(&self.pending, 4) || few(&self.leaked, 8);
        assert!(!weak, "the points don't come upon what they are for: {self:?}");
        // Only there do plugins outlive the process, and only there can they be told apart.
        let outlive = cfg!(not(target_os = "linux")) || !few(&self.outlived, 20);
        assert!(outlive, "hardly any plugin outlives the process: {self:?}");
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

fn add(counter: &AtomicUsize, count: usize) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// One instant at which the process is killed.
pub(super) struct Point<'m> {
    met: &'m Met,
    seed: u64,
    work: Work,
    stage: Stage,
    random: Seeded,
    whole: Measure,
}

impl<'m> Point<'m> {
    pub(super) fn new(seed: u64, work: Work, templates: &Templates, met: &'m Met) -> Point<'m> {
        let mut random = Seeded(seed.wrapping_mul(0x1000_0001));
        let mut stage = templates.stage(work, &format!("kill-{seed}"));
        stage.sealed.faults(&delays(&mut random));
        if random.below(3) == 0 {
            outlive(&mut stage.sealed);
        }
        Point { met, seed, work, stage, random, whole: templates.measure(work) }
    }

    /// Kills the work, then lets the next run go on at once.
    pub(super) fn play(mut self) {
        self.kill_once();
        if self.random.below(5) == 0 {
            // The run that recovers is killed too.
            self.kill_once();
        }
        self.stage.sealed.faults(&json!({}));
        match self.work {
            Work::Move => self.move_goes_on(),
            _ => self.operation_goes_on(),
        }
        self.nothing_is_under_way();
        self.stage.place.clear();
    }

    fn operation_goes_on(&self) {
        let next = self.stage.run(&self.work.command());
        assert_eq!(next.code, Some(0), "{}: the next run fails\n{next}", self.name());
        let state = self.export("dev");
        let leaked = self.everything_is_known(&self.stage.sealed.objects(), &state);
        add(&self.met.leaked, leaked.len());
        for name in &leaked {
            assert!(next.output().contains(name.as_str()), "{}: {name} isn't reported\n{next}", self.name());
        }
        self.state_is_exact(&state);
        if self.work == Work::Destroy {
            assert_eq!(state.ids.len(), 0, "{}: not all is destroyed\n{next}", self.name());
        } else {
            assert_eq!(state.urns.len(), COUNT, "{}: not all is there\n{next}", self.name());
            let after = self.stage.sealed.run(["preview", "--expect-no-changes", "--stack", "dev"]);
            assert_eq!(after.code, Some(0), "{}: not settled\n{next}\n{after}", self.name());
        }
    }

    fn move_goes_on(&self) {
        let here = |name: &String| self.export("dev").urns.contains(&urn("dev", name));
        if moved().next().is_some_and(|first| here(&first)) {
            let next = self.stage.run(&self.work.command());
            assert_eq!(next.code, Some(0), "{}: the next run fails\n{next}", self.name());
        } else {
            // There is nothing left to move; some other command recovers what was left behind.
            for stack in ["dev", "other"] {
                let next = self.stage.sealed.run(["refresh", "--yes", "--skip-preview", "--stack", stack]);
                assert_eq!(next.code, Some(0), "{}: the next run fails\n{next}", self.name());
            }
        }
        let (dev, other) = (self.export("dev"), self.export("other"));
        let expected: BTreeSet<String> = moved().map(|name| urn("other", &name)).collect();
        assert_eq!(other.urns, expected, "{}", self.name());
        assert_eq!(dev.urns.len(), COUNT - expected.len(), "{}", self.name());
        self.state_is_exact(&dev.with(other));
    }

    fn kill_once(&mut self) {
        let before = (self.stage.log_size(), self.stage.changes());
        let command = self.work.command();
        let running = self.stage.sealed.start(command.iter().map(String::as_str), None);
        self.wait_and_kill(running, before);
        let objects = self.stage.sealed.objects();
        let mut state = self.export("dev");
        if self.work == Work::Move {
            state = state.with(self.export("other"));
        }
        self.everything_is_known(&objects, &state);
        add(&self.met.pending, usize::from(state.pending > 0));
        let alive = state.pending > 0 && self.changing_processes().iter().any(|pid| self.is_alive(*pid));
        add(&self.met.outlived, usize::from(alive));
    }

    /// Early in the run, while calls are under way, or when all calls have been made.
    fn wait_and_kill(&mut self, mut running: Running, before: (u64, usize)) {
        let random = &mut self.random;
        let whole = self.whole;
        let mut below = |time: Duration| Duration::from_micros(random.below(micros(time).max(1)));
        let (bytes, calls, pause) = match self.work {
            Work::Move => (0, 0, below(whole.time * 11 / 10)),
            Work::Fold => (whole.log * 9 / 10, whole.calls, below(whole.tail * 3 / 2)),
            _ => match random.below(10) {
                0 => (0, 0, Duration::from_micros(random.below(200_000))),
                1 => (whole.log * 97 / 100, 0, Duration::from_micros(random.below(150_000))),
                _ => (random.below(whole.log), 0, Duration::from_micros(random.below(20_000))),
            },
        };
        let mut naps = 0;
        let is_there = |stage: &Stage| {
            stage.log_size() >= before.0 + bytes && (calls == 0 || stage.changes() >= before.1 + calls)
        };
        while !is_there(&self.stage) && !running.has_ended() {
            assert!(naps < 100_000, "{} makes no progress", self.name());
            naps += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(pause);
        add(&self.met.kills, usize::from(!running.has_ended()));
        running.kill();
    }

    fn export(&self, stack: &str) -> State {
        let ran = self.stage.sealed.run(["stack", "export", "--stack", stack]);
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
        let objects = self.stage.sealed.objects();
        for id in &state.ids {
            assert!(objects.contains_key(id), "{}: {id} is in the state only", self.name());
        }
        assert_eq!(state.ids.len(), state.urns.len(), "{}: some are there twice: {state:?}", self.name());
    }

    /// No lock, no lease, no journal, no process of earlier runs that is still changing something.
    fn nothing_is_under_way(&self) {
        let left = self.stage.place.left_behind(&self.stage.sealed);
        assert!(left.is_empty(), "{}: left behind: {left:?}", self.name());
        for pid in self.busy_processes() {
            let alive = self.is_alive(pid);
            assert!(!alive, "{}: the provider {pid} of an earlier run is still at work", self.name());
        }
    }

    /// Whether a provider process of this point runs. Others may have got its number.
    fn is_alive(&self, pid: u64) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*self.stage.sealed.cloud().to_string_lossy())
    }

    /// What the provider noted of calls that change something.
    fn changes(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.stage.sealed.cloud().join("calls.log")).unwrap_or_default();
        // A provider that is killed while it writes leaves part of a line: Linux ends the call at a page's
        // border. One that is alive may be writing its last line.
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_change = |line: &Value| {
            ["Create", "Update", "Delete"].iter().any(|m| line["method"] == *m) && line["preview"] != true
        };
        lines.filter(is_change).collect()
    }

    /// Provider processes that were told to change something.
    fn changing_processes(&self) -> BTreeSet<u64> {
        self.changes().iter().filter_map(|line| line["pid"].as_u64()).collect()
    }

    /// Provider processes that were told to change something and have not answered yet. Others may
    /// outlive an operation that is over.
    fn busy_processes(&self) -> BTreeSet<u64> {
        let mut calls = BTreeSet::new();
        for line in self.changes() {
            let number = |key: &str| Some((line["pid"].as_u64()?, line[key].as_u64()?));
            match line["phase"].as_str() {
                Some("start") => calls.extend(number("seq")),
                Some("end") => drop(number("call").map(|call| calls.remove(&call))),
                _ => {}
            }
        }
        calls.into_iter().map(|(pid, _)| pid).collect()
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

    /// What two stacks say together.
    fn with(mut self, other: State) -> State {
        self.ids.extend(other.ids);
        self.urns.extend(other.urns);
        self.creating.extend(other.creating);
        self.pending += other.pending;
        self
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
