//! What is killed, and the stacks to start from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use purlin_testkit::servers::Server;
use serde_json::Value;

use crate::support::{Place, Sealed, copy_folder};

/// How many objects a stack has.
pub(super) const COUNT: usize = 50;

/// How many bytes of journal are put into the checkpoint on the way. A whole run writes many times as
/// many.
const LONG_JOURNAL: &str = "8000";

/// Half of the objects stand alone, half are in chains of five. `round` changes some of them in
/// place and has others replaced, one way or the other.
pub(super) fn program(round: u32) -> String {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// `up` of a new stack.
    Create,
    /// `up` that changes and replaces.
    Change,
    /// The same when all calls were made: the journal becomes a checkpoint.
    Fold,
    /// The same as `Change`, and the journal is put into the checkpoint again and again.
    Long,
    Refresh,
    Destroy,
    /// Resources move from one stack to another.
    Move,
}

impl Work {
    /// All, some of them twice.
    pub(super) const MIX: [Work; 8] = [
        Work::Create,
        Work::Change,
        Work::Fold,
        Work::Destroy,
        Work::Move,
        Work::Create,
        Work::Refresh,
        Work::Long,
    ];

    const ALL: [Work; 7] =
        [Work::Create, Work::Change, Work::Fold, Work::Long, Work::Refresh, Work::Destroy, Work::Move];

    pub(super) fn command(self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let command = match self {
            Work::Create | Work::Change | Work::Fold | Work::Long => "up",
            Work::Refresh => "refresh",
            Work::Destroy => "destroy",
            Work::Move => {
                let mut command = words(&["state", "move", "--source", "dev", "--dest", "other", "--yes"]);
                command.extend(moved().map(|name| urn("dev", &name)));
                return command;
            }
        };
        words(&[command, "--yes", "--skip-preview", "--stack", "dev"])
    }

    /// What the program says when it is killed.
    pub(super) fn program(self) -> String {
        program(if matches!(self, Work::Change | Work::Fold | Work::Long) { 2 } else { 1 })
    }
}

/// The objects that are moved: some that stand alone, and two chains.
pub(super) fn moved() -> impl Iterator<Item = String> {
    (0..5).chain(COUNT / 2..COUNT / 2 + 10).map(|i| format!("n{i}"))
}

pub(super) fn urn(stack: &str, name: &str) -> String {
    format!("urn:pulumi:{stack}::many::faultcloud:index:Object::{name}")
}

/// What a whole run of some work is like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    /// How much it writes into the provider's log.
    pub(super) log: u64,
    /// How many calls it makes that change something.
    pub(super) calls: usize,
    pub(super) time: Duration,
    /// The time from the end of the last of these calls on.
    pub(super) tail: Duration,
}

/// A surrounding, and where it keeps its state.
pub(super) struct Stage {
    pub(super) sealed: Sealed,
    pub(super) place: Place,
}

impl Stage {
    pub(super) fn new(server: Option<Server>, name: &str) -> Stage {
        let mut sealed = Sealed::new();
        sealed.install("faultcloud", "1.0.0");
        let place = Place::new(server, name);
        place.settle(&mut sealed);
        Stage { sealed, place }
    }

    pub(super) fn copy(&self, server: Option<Server>, name: &str) -> Stage {
        let stage = Stage::new(server, name);
        copy_folder(self.sealed.directory(), stage.sealed.directory());
        copy_folder(self.sealed.cloud(), stage.sealed.cloud());
        stage.place.copy_from(&stage.sealed, &self.place, &self.sealed);
        stage
    }

    pub(super) fn run(&self, command: &[String]) -> crate::support::Ran {
        self.sealed.run(command.iter().map(String::as_str))
    }

    pub(super) fn log_size(&self) -> u64 {
        std::fs::metadata(self.sealed.cloud().join("calls.log")).map_or(0, |m| m.len())
    }

    /// Calls that change something and have ended.
    pub(super) fn changes(&self) -> usize {
        let log = std::fs::read_to_string(self.sealed.cloud().join("calls.log")).unwrap_or_default();
        // The last line may be on its way.
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_change = |line: &Value| {
            ["Create", "Update", "Delete"].iter().any(|m| line["method"] == *m)
                && line["phase"] == "end"
                && line["preview"] != true
        };
        lines.filter(is_change).count()
    }
}

/// Stacks to start from, and what whole runs are like.
pub(super) struct Templates {
    server: Option<Server>,
    empty: Stage,
    deployed: Stage,
    measures: BTreeMap<Work, Measure>,
}

impl Templates {
    pub(super) fn make(server: Option<Server>) -> Templates {
        let empty = Stage::new(server, "kill-empty");
        empty.sealed.write("Pulumi.yaml", &program(1));
        empty.sealed.run(["stack", "init", "other"]).exits(0);
        empty.sealed.run(["stack", "init", "dev"]).exits(0);
        let deployed = empty.copy(server, "kill-deployed");
        deployed.run(&Work::Create.command()).exits(0);
        deployed.sealed.forget_calls();
        let mut templates = Templates { server, empty, deployed, measures: BTreeMap::new() };
        for work in Work::ALL {
            let stage = templates.stage(work, &format!("kill-{work:?}").to_lowercase());
            templates.measures.insert(work, measure(&stage, work));
            stage.place.clear();
        }
        templates
    }

    pub(super) fn stage(&self, work: Work, name: &str) -> Stage {
        let template = if work == Work::Create { &self.empty } else { &self.deployed };
        let mut stage = template.copy(self.server, name);
        stage.sealed.write("Pulumi.yaml", &work.program());
        if work == Work::Long {
            stage.sealed.set("PURLIN_JOURNAL_BYTES", LONG_JOURNAL);
        }
        stage
    }

    pub(super) fn measure(&self, work: Work) -> Measure {
        self.measures[&work]
    }
}

fn measure(stage: &Stage, work: Work) -> Measure {
    let command = work.command();
    let started = Instant::now();
    let mut running = stage.sealed.start(command.iter().map(String::as_str), None);
    let (mut calls, mut last) = (0, started);
    while !running.has_ended() {
        std::thread::sleep(Duration::from_millis(2));
        let now = stage.changes();
        if now > calls {
            (calls, last) = (now, Instant::now());
        }
    }
    let measure = Measure { log: stage.log_size(), calls, time: started.elapsed(), tail: last.elapsed() };
    running.wait().exits(0);
    measure
}
