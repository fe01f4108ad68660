//! What a command and its descendants use while it runs.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::run::shown;

/// How often memory is looked at.
const PERIOD: Duration = Duration::from_millis(25);
/// Ticks of a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// What a command used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of CPU of the command itself.
    pub(crate) own_cpu: f64,
    /// Seconds of CPU of the command and all its descendants.
    pub(crate) tree_cpu: f64,
    /// The most memory that the command itself had, in bytes.
    pub(crate) own_peak: u64,
    /// The most memory that the command and its descendants had at one time, in bytes.
    pub(crate) tree_peak: u64,
    /// How many bytes the command itself has had written to disks.
    pub(crate) written: u64,
}

/// What was seen of the processes while they ran.
#[derive(Default)]
struct Samples {
    own_peak: u64,
    tree_peak: u64,
    /// The CPU time of each descendant when it was last seen.
    cpu: BTreeMap<i32, f64>,
}

/// Runs a command to its end and measures it. Its output goes to a file, which an error quotes.
pub(crate) fn measured(command: &mut Command, output: &std::path::Path) -> Result<Measured> {
    let file = std::fs::File::create(output).with_context(|| output.display().to_string())?;
    command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
    let start = Instant::now();
    let mut child = command.process_group(0).spawn().with_context(|| shown(command))?;
    let pid = Pid::from_child(&child);
    let number = pid.as_raw_nonzero().get();
    let ended = AtomicBool::new(false);
    let (wall, last, written, samples) = thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(number, &ended));
        // The process stays a zombie, whose times can still be read.
        let waited = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let wall = start.elapsed().as_secs_f64();
        let last = times(number);
        let io = std::fs::read_to_string(format!("/proc/{number}/io")).unwrap_or_default();
        ended.store(true, Ordering::Relaxed);
        let samples = sampler.join().unwrap_or_default();
        waited.map(|_| (wall, last, number_of(&io, "write_bytes:"), samples))
    })?;
    let status = child.wait()?;
    if !status.success() {
        let text = std::fs::read_to_string(output).unwrap_or_default();
        let tail: Vec<&str> = text.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("`{}` failed: {status}\n{}", shown(command), tail.join("\n"));
    }
    let (own_cpu, reaped) = last.unwrap_or_default();
    let seen: f64 = samples.cpu.iter().filter(|(pid, _)| **pid != number).map(|(_, cpu)| cpu).sum();
    Ok(Measured {
        wall,
        own_cpu,
        tree_cpu: own_cpu + reaped.max(seen),
        own_peak: samples.own_peak,
        tree_peak: samples.tree_peak.max(samples.own_peak),
        written,
    })
}

fn sample(root: i32, ended: &AtomicBool) -> Samples {
    let mut samples = Samples::default();
    while !ended.load(Ordering::Relaxed) {
        let mut together = 0;
        for pid in tree(root) {
            let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            together += number_of(&status, "VmRSS:") * 1024;
            if pid == root {
                samples.own_peak = samples.own_peak.max(number_of(&status, "VmHWM:") * 1024);
            }
            if let Some((own, reaped)) = times(pid) {
                samples.cpu.insert(pid, own + if pid == root { 0.0 } else { reaped });
            }
        }
        samples.tree_peak = samples.tree_peak.max(together);
        thread::sleep(PERIOD);
    }
    samples
}

/// A process and its descendants.
fn tree(root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    found
}

/// The number that a line of a file in `/proc` begins with.
fn number_of(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Seconds of CPU of a process, and of those of its children that it has waited for.
fn times(pid: i32) -> Option<(f64, f64)> {
    parse_times(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_times(stat: &str) -> Option<(f64, f64)> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|n| n.parse::<f64>().ok());
    Some(((ticks(11)? + ticks(12)?) / TICKS, (ticks(13)? + ticks(14)?) / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 20 5 20 0 1 0 9";
        assert_eq!(parse_times(stat), Some((2.0, 0.25)));
    }

    #[test]
    fn memory_is_found_in_the_status() {
        assert_eq!(number_of("Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n", "VmRSS:"), 1024);
        assert_eq!(number_of("Name:\tx\n", "VmRSS:"), 0);
    }

    #[test]
    fn a_command_is_measured_and_its_failure_quoted() {
        let output = std::env::temp_dir().join(format!("xtask-measure-{}", std::process::id()));
        let measured_well = measured(Command::new("sh").args(["-c", "sleep 0.1; exit 0"]), &output).unwrap();
        assert!(measured_well.wall >= 0.1 && measured_well.tree_peak > 0, "{measured_well:?}");
        let error = measured(Command::new("sh").args(["-c", "echo no luck; exit 3"]), &output).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
        let _ = std::fs::remove_file(output);
    }
}
