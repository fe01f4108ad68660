//! The processes of this host, and time that passes.

use std::time::{Duration, Instant};

/// The processes of a host, as far as a store needs to know them.
pub trait Processes: Send + Sync {
    /// What tells this host, its start and its space of process numbers from all others.
    fn host_id(&self) -> String;

    /// What tells a running process from all others that had its number; `None` if none is running.
    fn mark(&self, pid: u32) -> Option<String>;

    /// Whether others of the group that a process led run on although it has ended.
    fn leaves_followers(&self, leader: u32) -> bool;

    /// Asks a process and the group that it leads to end.
    fn terminate(&self, pid: u32);

    /// Ends a process and the group that it leads.
    fn kill(&self, pid: u32);
}

/// Time that passes. Never compared with that of another process.
pub trait Timer: Send + Sync {
    /// Time since some moment.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// The timer of the system.
#[derive(Debug)]
pub struct SystemTimer(Instant);

impl SystemTimer {
    /// A timer that starts at zero.
    pub fn start() -> Self {
        SystemTimer(Instant::now())
    }
}

impl Timer for SystemTimer {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The processes of the system.
#[derive(Clone, Debug)]
pub struct SystemProcesses {
    hostname: String,
}

impl SystemProcesses {
    /// The processes of the host of this name.
    pub fn new(hostname: impl Into<String>) -> Self {
        SystemProcesses { hostname: hostname.into() }
    }
}

impl Processes for SystemProcesses {
    fn host_id(&self) -> String {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        format!("{}/{}/{}", self.hostname, boot.trim(), space.display())
    }

    fn mark(&self, pid: u32) -> Option<String> {
        if cfg!(target_os = "linux") {
            return mark_of_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
        }
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        match rustix::process::test_kill_process(pid) {
            Ok(()) | Err(rustix::io::Errno::PERM) => Some(String::new()),
            Err(_) => None,
        }
    }

    fn leaves_followers(&self, leader: u32) -> bool {
        if cfg!(target_os = "linux") {
            return running_on_linux().iter().any(|stat| group_of_stat(stat) == Some(leader));
        }
        let group = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw);
        group.is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
    }

    fn terminate(&self, pid: u32) {
        signal(pid, rustix::process::Signal::TERM);
    }

    fn kill(&self, pid: u32) {
        signal(pid, rustix::process::Signal::KILL);
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    // Process numbers from 2 on: 0 and below would mean groups, and 1 is never ours.
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // If it is gone by now, all is well.
        if rustix::process::kill_process_group(pid, signal).is_err() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// The line of `/proc/<pid>/stat` of every process.
fn running_on_linux() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbered = |name: &std::ffi::OsStr| name.to_string_lossy().bytes().all(|b| b.is_ascii_digit());
    let folders = entries.flatten().filter(|entry| numbered(&entry.file_name()));
    folders.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok()).collect()
}

/// The start time in a line of `/proc/<pid>/stat`, unless the process is dead and only not yet
/// waited for.
fn mark_of_stat(line: &str) -> Option<String> {
    fields_of_stat(line)?.nth(18).map(str::to_owned)
}

/// The same of the process's group.
fn group_of_stat(line: &str) -> Option<u32> {
    fields_of_stat(line)?.nth(1)?.parse().ok()
}

/// The fields after the state, the first of which is the number of the parent.
fn fields_of_stat(line: &str) -> Option<impl Iterator<Item = &str>> {
    // The name of the program is in parentheses and may hold anything, parentheses included.
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_start_time_whatever_the_name() {
        let line = |name: &str, state: &str| {
            let rest: Vec<String> = (4..=30).map(|n| n.to_string()).collect();
            format!("7 ({name}) {state} {}", rest.join(" "))
        };
        assert_eq!(mark_of_stat(&line("a", "S")).as_deref(), Some("22"));
        assert_eq!(mark_of_stat(&line("a) R 1 (b", "S")).as_deref(), Some("22"));
        assert_eq!(mark_of_stat(&line("a", "Z")), None);
        assert_eq!(mark_of_stat(""), None);
        assert_eq!(group_of_stat(&line("a) R 1 (b", "S")), Some(5));
    }

    #[test]
    fn a_group_without_its_leader_is_found_and_ended() {
        use std::os::unix::process::CommandExt as _;
        let processes = SystemProcesses::new("here");
        // The leader starts another one and ends.
        let mut command = std::process::Command::new("sh");
        let mut leader = command.args(["-c", "sleep 600 &"]).process_group(0).spawn().unwrap();
        let pid = leader.id();
        leader.wait().unwrap();
        assert_eq!(processes.mark(pid), None);
        assert!(processes.leaves_followers(pid));
        processes.kill(pid);
        while processes.leaves_followers(pid) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn this_process_is_running_and_stays_the_same() {
        let processes = SystemProcesses::new("here");
        let pid = std::process::id();
        let mark = processes.mark(pid);
        assert!(mark.is_some());
        assert_eq!(processes.mark(pid), mark);
        assert!(processes.host_id().starts_with("here/"));
    }
}
