//! One attempt of a round: who races, when they are paused, and what came of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::racer::{Ground, MARK, Task};

/// After so many naps a process counts as stuck. Not a measure of speed. Naps are counted since time
/// goes on while the test is paused as a whole, and naps do not.
const STUCK: u32 = 1_800;

/// When somebody is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    Never,
    /// Who holds the stack first, at once.
    Holder,
    /// The first, so long after it was told to begin.
    Beginning(Duration),
    /// Who holds the stack, so long after it was told to go on. A third one comes along meanwhile.
    Ending(Duration),
}

/// What an attempt is like.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    round: u64,
    attempt: u64,
    /// Whether all are on one host.
    one_host: bool,
    pause: Pause,
    /// Whether who was paused goes on only when the other is done.
    wakes_late: bool,
    early: [u32; 3],
    late: [u32; 3],
    /// How much later the second begins.
    lag: Duration,
}

/// Numbers that follow from a seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn few(&mut self) -> u32 {
        u32::try_from(self.below(3)).unwrap()
    }

    /// From some microseconds to 200 milliseconds: stores differ in their pace.
    fn moment(&mut self) -> Duration {
        let longest = 50 << self.below(13);
        Duration::from_micros(self.below(longest))
    }
}

impl Plan {
    pub(crate) fn draw(round: u64, attempt: u64) -> Plan {
        let mut random = Seeded(round.wrapping_mul(0x1000_0001).wrapping_add(attempt));
        let one_host = random.below(3) == 0;
        let pause = match random.below(8) {
            // Who backed off is left alone for a while.
            _ if attempt > 3 => Pause::Never,
            0 => Pause::Never,
            1..=3 => Pause::Holder,
            4 | 5 => Pause::Beginning(random.moment()),
            _ => Pause::Ending(random.moment()),
        };
        let mut few = || [random.few(), random.few(), random.few()];
        let (early, late) = (few(), few());
        let lag = if attempt > 1 { random.moment() * 2 } else { random.moment() / 10 };
        Plan { round, attempt, one_host, pause, wakes_late: random.below(2) == 0, early, late, lag }
    }
}

/// How it went for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Refused,
    Fenced,
    Committed,
}

/// What came of it for one of them.
#[derive(Debug)]
struct Racer {
    name: String,
    /// Whether it was told that the stack is its own.
    held: bool,
    /// Whether it was told to go on after somebody else had got the stack.
    overtaken: bool,
    stored: Vec<String>,
    lost: Vec<String>,
    end: Option<End>,
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Race {
    racers: Vec<Racer>,
}

/// What attempts come upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Attempts,
    Committed,
    Refused,
    Fenced,
    /// Two held the stack, one after the other.
    TookOver,
}

impl Race {
    pub(crate) fn has_committed(&self) -> bool {
        self.racers.iter().any(|racer| racer.end == Some(End::Committed))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let ends = self.racers.iter().filter_map(|racer| racer.end);
        let mut seen: Vec<Seen> = ends
            .map(|end| match end {
                End::Refused => Seen::Refused,
                End::Fenced => Seen::Fenced,
                End::Committed => Seen::Committed,
            })
            .collect();
        if self.racers.iter().filter(|racer| racer.held).count() > 1 {
            seen.push(Seen::TookOver);
        }
        seen
    }

    /// Holds what processes were told against the state. `names` are those of its resources.
    pub(crate) fn judge(&self, plan: &Plan, names: &[&str]) {
        let has = |name: &str| names.contains(&name);
        let say = |what: &str| format!("{what}\n{plan:?}\n{self:#?}\n{names:?}");
        for racer in &self.racers {
            for name in &racer.stored {
                assert!(has(name), "{}", say(&format!("{name} was promised and is lost")));
            }
            for name in racer.lost.iter().filter(|_| racer.overtaken) {
                assert!(!has(name), "{}", say(&format!("{name} of a fenced writer is in the state")));
            }
            let committed = racer.end == Some(End::Committed);
            let end = format!("{}-end", racer.name);
            assert_eq!(has(&end), committed, "{}", say(&format!("the end of {}", racer.name)));
            assert!(!(committed && racer.overtaken), "{}", say("a fenced writer has committed"));
        }
        let racing = &self.racers[..2];
        let committed = racing.iter().filter(|racer| racer.end == Some(End::Committed)).count();
        assert!(committed <= 1, "{}", say("both have committed"));
        let held = self.racers.iter().filter(|racer| racer.held && racer.end.is_some()).count();
        let one_after_the_other = matches!(plan.pause, Pause::Ending(_));
        assert!(
            !plan.one_host || held <= 1 || one_after_the_other,
            "{}",
            say("somebody got in while another process of the host had the stack")
        );
    }
}

/// A process in a race.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    racer: Racer,
}

impl Process {
    fn start(ground: &Ground, stack: &str, plan: &Plan, number: usize) -> Process {
        let host = if plan.one_host { "host".to_owned() } else { format!("host{number}") };
        let name = format!("r{}a{}p{number}", plan.round, plan.attempt);
        let mut task = Task::new(ground, stack, &host, &name);
        (task.early, task.late) = (plan.early[number], plan.late[number]);
        task.journal_bytes = (plan.round % 2 == 1).then_some(1);
        let mut child = task
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    // Who has heard enough is gone.
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        let stdin = child.stdin.take();
        let racer = Racer { name, held: false, overtaken: false, stored: vec![], lost: vec![], end: None };
        let mut process = Process { child, stdin, lines, racer };
        assert_eq!(process.line(), "ready");
        process
    }

    fn line(&mut self) -> String {
        let mut naps = 0..STUCK;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return line,
                Err(RecvTimeoutError::Timeout) if naps.next().is_some() => {}
                Err(error) => panic!("{error}: {:?}", self.racer),
            }
        }
    }

    fn tell(&mut self) {
        // It may have ended.
        let _ = self.stdin.as_mut().unwrap().write_all(b"go\n");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        // It was not waited for, so the number is its own.
        kill_process(pid, signal).unwrap();
    }

    /// Hears whether it holds the stack.
    fn answer(&mut self) -> bool {
        if !self.racer.held && self.racer.end.is_none() {
            self.hear();
        }
        self.racer.held
    }

    /// Hears how it ended.
    fn end(&mut self) {
        while self.racer.end.is_none() {
            self.hear();
        }
        assert!(self.child.wait().unwrap().success());
    }

    /// Hears up to where it holds the stack, or ends.
    fn hear(&mut self) {
        loop {
            let line = self.line();
            let racer = &mut self.racer;
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("stored", name) => racer.stored.push(name.to_owned()),
                ("lost", name) => racer.lost.push(name.to_owned()),
                ("held", _) => return racer.held = true,
                ("refused", _) => return racer.end = Some(End::Refused),
                ("fenced", _) => return racer.end = Some(End::Fenced),
                ("committed", _) => return racer.end = Some(End::Committed),
                _ => panic!("{line}\n{racer:?}"),
            }
        }
    }

    /// Lets it go on to its end.
    fn finish(&mut self) {
        if self.answer() && self.racer.end.is_none() {
            self.tell();
        }
        self.end();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only where a test fails it still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an attempt.
pub(crate) fn run(ground: &Ground, stack: &str, plan: &Plan) -> Race {
    let mut first = Process::start(ground, stack, plan, 0);
    let mut second = Process::start(ground, stack, plan, 1);
    first.tell();
    let mut third = None;
    match plan.pause {
        Pause::Beginning(moment) => {
            std::thread::sleep(moment);
            first.signal(Signal::STOP);
            second.tell();
            paused(plan, &mut first, &mut second);
        }
        Pause::Holder => {
            std::thread::sleep(plan.lag);
            second.tell();
            if first.answer() {
                first.signal(Signal::STOP);
                paused(plan, &mut first, &mut second);
            } else if second.answer() {
                let mut late = Process::start(ground, stack, plan, 2);
                second.signal(Signal::STOP);
                late.tell();
                paused(plan, &mut second, &mut late);
                third = Some(late);
            }
        }
        Pause::Never | Pause::Ending(_) => {
            std::thread::sleep(plan.lag);
            second.tell();
        }
    }
    let (one, two) = (first.answer(), second.answer());
    match (plan.pause, one, two) {
        (Pause::Ending(moment), true, false) => third = Some(ending(ground, stack, plan, &mut first, moment)),
        (Pause::Ending(moment), false, true) => {
            third = Some(ending(ground, stack, plan, &mut second, moment))
        }
        _ => {}
    }
    let processes = [Some(first), Some(second), third].into_iter().flatten();
    let finished = processes.map(|mut process| {
        process.finish();
        let racer = &mut process.racer;
        Racer {
            name: std::mem::take(&mut racer.name),
            stored: std::mem::take(&mut racer.stored),
            lost: std::mem::take(&mut racer.lost),
            ..*racer
        }
    });
    Race { racers: finished.collect() }
}

/// One is paused, the other wants the stack. Both go on then.
fn paused(plan: &Plan, sleeper: &mut Process, other: &mut Process) {
    let got_in = other.answer();
    // Who holds the stack waits for a word, so all that it does from now on comes too late. Who was
    // only beginning may have the stack when the other is done.
    let held = sleeper.racer.held;
    sleeper.racer.overtaken = held && got_in;
    if plan.wakes_late && held && got_in {
        other.finish();
    }
    sleeper.signal(Signal::CONT);
    sleeper.answer();
}

/// Pauses who holds the stack while it ends; a third one comes along.
fn ending(ground: &Ground, stack: &str, plan: &Plan, holder: &mut Process, moment: Duration) -> Process {
    let mut late = Process::start(ground, stack, plan, 2);
    holder.tell();
    std::thread::sleep(moment);
    holder.signal(Signal::STOP);
    late.tell();
    let got_in = late.answer();
    if plan.wakes_late && got_in {
        late.finish();
    }
    holder.signal(Signal::CONT);
    holder.end();
    late
}
