//! Processes that end when the one that started them is gone, however it went.
//!
//! Between the task and a server stands a guard: this program again, as the hidden task `guard`. It
//! waits at a pipe whose other end the task holds. When that closes, because the task dropped it or
//! was killed, the guard ends the server.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// The hidden task's name.
pub(crate) const TASK: &str = "guard";

/// How long a server may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How a server is to be run.
pub(crate) struct Launch {
    /// The program and what it is called with.
    pub(crate) command: Vec<OsString>,
    /// Variables besides those of the task.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The user and group to run it as, if not the task's own.
    pub(crate) user: Option<u32>,
}

/// A server behind a guard.
pub(crate) struct Guarded {
    guard: Child,
}

impl Guarded {
    /// Starts a server; what it prints goes to a file.
    pub(crate) fn start(launch: &Launch, folder: &Path, log: &Path) -> Result<Guarded> {
        let output = File::create(log).with_context(|| log.display().to_string())?;
        let own = std::env::current_exe().context("this program's own path")?;
        let mut command = Command::new(own);
        command.arg(TASK).arg(launch.user.map_or_else(|| "-".to_owned(), |user| user.to_string()));
        command.args(&launch.command).current_dir(folder);
        command.envs(launch.variables.iter().map(|(name, value)| (*name, value)));
        // A group of its own: an interrupt from the terminal is for the task.
        command.process_group(0);
        let guard = command
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("the guard of a server can't be started")?;
        Ok(Guarded { guard })
    }

    /// The exit status, if the server has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.guard.try_wait()?)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Nothing is left to do about a guard that can't be awaited.
        let _ = self.guard.wait();
    }
}

/// The hidden task: `guard <uid or -> <program> <arguments>`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [user, program, rest @ ..] = arguments else { bail!("the guard is told a user and a program") };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null());
    if let Ok(user) = user.parse() {
        command.uid(user).gid(user);
    }
    let mut server = command.spawn().with_context(|| format!("`{program}` can't be started"))?;
    let (gone, over) = channel();
    std::thread::spawn(move || {
        let mut end = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut end);
        let _ = gone.send(());
    });
    loop {
        match over.recv_timeout(Duration::from_millis(50)) {
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = server.try_wait()? {
                    bail!("`{program}` ended: {status}");
                }
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return end(&mut server),
        }
    }
}

/// Asks a server to end, and kills it if it takes too long.
fn end(server: &mut Child) -> Result<()> {
    let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
    // It may have ended by itself meanwhile. An interrupt ends all of them at once, PostgreSQL too.
    let _ = kill_process(pid, Signal::INT);
    let started = Instant::now();
    while started.elapsed() < GRACE {
        if server.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    server.kill()?;
    server.wait()?;
    Ok(())
}
