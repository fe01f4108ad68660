//! Servers that tests talk to: built or installed from registries, started on free ports of the
//! loopback interface, ended with the task.
//!
//! Each is found by the tests through a variable of its own. Programs are in
//! `target/test-env/servers`, data is in `target/test-servers/<process>` and goes with the run.

pub(crate) mod guard;
mod install;
mod kinds;
mod launch;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::run::shown;
use crate::servers::guard::Guarded;
pub(crate) use crate::servers::kinds::Kind;
use crate::servers::kinds::Ready;
use crate::test_env::{TestEnv, VARIABLE};

/// How long a server may take until it answers. Generous: machines are shared, and nothing is
/// measured by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a server is started on another port before it is given up.
const ATTEMPTS: u32 = 3;

/// The bucket or container that is there when the tests start.
const BUCKET: &str = "purlin-tests";

/// Running servers. They end when this is dropped.
pub(crate) struct Servers {
    running: Vec<(Kind, String, Guarded)>,
    folder: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Servers {
    /// Prepares and starts servers.
    pub(crate) fn start(repo: &Repo, env: &TestEnv, kinds: &[Kind]) -> Result<Servers> {
        let preparing = env.lock()?;
        for kind in kinds {
            let begun = Instant::now();
            if kind.prepare(env)? {
                eprintln!("prepared {} in {} s", kind.name(), begun.elapsed().as_secs());
            }
        }
        drop(preparing);
        let (folder, lock) = run_folder(&repo.target().join("test-servers"))?;
        let mut servers = Servers { running: Vec::new(), folder, _lock: lock };
        for kind in kinds {
            let (address, guarded) = servers.start_one(*kind, env)?;
            servers.running.push((*kind, address, guarded));
        }
        Ok(servers)
    }

    fn start_one(&self, kind: Kind, env: &TestEnv) -> Result<(String, Guarded)> {
        let mut complaint = String::new();
        for attempt in 0..ATTEMPTS {
            let folder = self.folder.join(format!("{}-{attempt}", kind.name()));
            std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            let log = self.folder.join(format!("{}-{attempt}.log", kind.name()));
            let port = free_port()?;
            let launch = kind.launch(env, &folder, port, attempt)?;
            let mut guarded = Guarded::start(&launch, &folder, &log)?;
            match wait_until_ready(&mut guarded, kind, port, &log)? {
                Outcome::Ready => {
                    kind.furnish(port)?;
                    return Ok((kind.address(port), guarded));
                }
                // Another process may have taken the port.
                Outcome::Ended(text) => complaint = text,
            }
        }
        bail!("the server {} does not start:\n{complaint}", kind.name())
    }

    /// The variables that tests find the servers by.
    fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.running.iter().map(|(kind, address, _)| (kind.variable(), address.as_str()))
    }

    /// What the variable of a server holds, if it runs.
    pub(crate) fn address(&self, kind: Kind) -> Option<&str> {
        self.running.iter().find(|(running, ..)| *running == kind).map(|(_, address, _)| address.as_str())
    }

    /// Tells a command where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.envs(self.variables());
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.running.clear();
        discard(&self.folder);
    }
}

/// The servers that tests of some packages need: those of all, unless the arguments (cargo's) name some.
pub(crate) fn needed_by(arguments: &[String]) -> Vec<Kind> {
    let mut packages = Vec::new();
    let mut rest = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        if argument == "-p" || argument == "--package" {
            packages.extend(rest.next().map(String::as_str));
        } else if let Some(name) = argument.strip_prefix("--package=").or(argument.strip_prefix("-p")) {
            packages.push(name);
        }
    }
    let needs =
        |kind: &Kind| kind.packages().iter().any(|name| packages.is_empty() || packages.contains(name));
    Kind::ALL.into_iter().filter(needs).collect()
}

/// `cargo xtask servers [names] [-- command]`: starts servers, prints what tests find them by, and
/// waits to be interrupted, or runs a command and ends with it.
pub(crate) fn run(repo: &Repo, arguments: &[String]) -> Result<()> {
    let cut = arguments.iter().position(|argument| argument == "--");
    let (names, command) = match cut {
        Some(at) => (&arguments[..at], arguments.get(at + 1..).unwrap_or_default()),
        None => (arguments, [].as_slice()),
    };
    let mut kinds: Vec<Kind> = names.iter().map(|name| Kind::named(name)).collect::<Result<_>>()?;
    if kinds.is_empty() {
        kinds = Kind::ALL.to_vec();
    }
    let env = TestEnv::for_servers(repo)?;
    let servers = Servers::start(repo, &env, &kinds)?;
    if let Some((program, rest)) = command.split_first() {
        let mut command = Command::new(program);
        servers.tell(command.args(rest).env(VARIABLE, env.root()));
        let status = command.status().with_context(|| format!("`{}` can't be started", shown(&command)))?;
        if !status.success() {
            bail!("`{}` failed: {status}", shown(&command));
        }
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    for (name, value) in servers.variables() {
        writeln!(out, "export {name}='{value}'")?;
    }
    out.flush()?;
    drop(out);
    eprintln!("running until interrupted; logs and data are in {}", servers.folder.display());
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// What came of a start.
enum Outcome {
    Ready,
    /// The server ended; with the end of what it printed.
    Ended(String),
}

fn wait_until_ready(guarded: &mut Guarded, kind: Kind, port: u16, log: &Path) -> Result<Outcome> {
    let started = Instant::now();
    loop {
        if guarded.ended()?.is_some() {
            return Ok(Outcome::Ended(tail(log)));
        }
        let ready = match kind.ready() {
            Ready::AnswersHttp(path) => http(port, &format!("GET {path} HTTP/1.0\r\n\r\n")).is_ok(),
            Ready::Prints(text) => std::fs::read_to_string(log).is_ok_and(|printed| printed.contains(text)),
        };
        if ready {
            return Ok(Outcome::Ready);
        }
        if started.elapsed() > PATIENCE {
            bail!("the server {} does not answer:\n{}", kind.name(), tail(log));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a request to a server on this machine; its answer, which ends with the connection. An error
/// if what comes is not HTTP.
fn http(port: u16, request: &str) -> Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if !answer.starts_with("HTTP/1.") {
        bail!("no HTTP came back");
    }
    Ok(answer)
}

fn tail(log: &Path) -> String {
    let printed = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = printed.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A port that nobody listens at just now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// A new folder for a run, and the lock that says it is in use. Folders that nobody uses any more
/// are removed.
fn run_folder(parent: &Path) -> Result<(PathBuf, File)> {
    std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    for entry in std::fs::read_dir(parent)?.flatten() {
        let unused = File::open(entry.path().join(".lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if unused {
            discard(&entry.path());
        }
    }
    let folder = parent.join(std::process::id().to_string());
    crate::run::fresh_folder(&folder)?;
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?;
    Ok((folder, lock))
}

/// Removes the folder of a run. What can't be removed now goes at the start of the next run.
fn discard(folder: &Path) {
    for server in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Some(copy) = launch::elsewhere(&server.path()) {
            let _ = std::fs::remove_dir_all(copy);
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(line: &str) -> Vec<&'static str> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        needed_by(&arguments).into_iter().map(Kind::name).collect()
    }

    #[test]
    fn only_packages_that_talk_to_servers_get_them() {
        assert_eq!(needed("").len(), Kind::ALL.len());
        assert_eq!(needed("--test race").len(), Kind::ALL.len());
        assert!(needed("-p purlin-plan cascade").is_empty());
        assert!(needed("--package=purlin-plan -- -p purlin-blobs").is_empty());
        assert!(needed("-p purlin-plan -p purlin-blobs").contains(&"s3"));
    }
}
