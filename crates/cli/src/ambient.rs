//! The process's surroundings, read once: environment, directories, terminal, clock, chance.
//!
//! Nothing below the command line reads these by itself.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_ports::{Clock, Entropy};
use zeroize::Zeroize as _;

/// The process's surroundings.
#[derive(Clone, Debug)]
pub(crate) struct Ambient {
    env: BTreeMap<String, String>,
    /// The directory that the command works in.
    pub(crate) cwd: PathBuf,
    /// The user's home directory, if there is one.
    pub(crate) home: Option<PathBuf>,
    /// This program's file.
    pub(crate) exe: PathBuf,
    /// The name that this program was started under.
    pub(crate) invoked_as: String,
    /// Whether standard input is a terminal.
    pub(crate) stdin_terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) stdout_terminal: bool,
}

impl Ambient {
    /// Reads the process's surroundings.
    pub(crate) fn read() -> Ambient {
        let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
        let invoked_as = args
            .first()
            .and_then(|first| Path::new(first).file_stem())
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ambient {
            env: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            exe: std::env::current_exe().unwrap_or_default(),
            invoked_as,
            stdin_terminal: std::io::stdin().is_terminal(),
            stdout_terminal: std::io::stdout().is_terminal(),
        }
    }

    /// An environment variable; `None` if it is not set. Set and empty counts as set.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// An environment variable that is set to something.
    pub(crate) fn non_empty(&self, name: &str) -> Option<&str> {
        self.var(name).filter(|v| !v.is_empty())
    }

    /// Whether a switch of the ecosystem is on: `1` or `true`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.var(name).is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("true"))
    }

    /// The whole environment.
    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Works in another directory from now on.
    pub(crate) fn change_directory(&mut self, directory: &Path) -> Result<(), Diagnostic> {
        let directory = self.cwd.join(directory);
        if !directory.is_dir() {
            let message = format!("{} is not a directory", directory.display());
            return Err(Diagnostic::error("cwd", message).with_hint("give --cwd a directory that exists"));
        }
        std::env::set_current_dir(&directory)
            .map_err(|e| Diagnostic::error("cwd", format!("{}: {e}", directory.display())))?;
        self.cwd = directory.canonicalize().unwrap_or(directory);
        Ok(())
    }

    /// Whether the process runs under continuous integration, where nobody can be asked.
    pub(crate) fn in_ci(&self) -> bool {
        const SYSTEMS: [&str; 8] = [
            "CI",
            "CONTINUOUS_INTEGRATION",
            "BUILD_ID",
            "BUILD_NUMBER",
            "GITHUB_ACTIONS",
            "GITLAB_CI",
            "TEAMCITY_VERSION",
            "JENKINS_URL",
        ];
        !self.is_on("PULUMI_DISABLE_CI_DETECTION")
            && SYSTEMS.iter().any(|name| self.non_empty(name).is_some())
    }

    /// The ecosystem's own directory: `PULUMI_HOME`, else `.pulumi` in the home directory, else (where
    /// there is no home) one below the directory for temporary files.
    pub(crate) fn pulumi_home(&self) -> PathBuf {
        if let Some(home) = self.non_empty("PULUMI_HOME") {
            return PathBuf::from(home);
        }
        match &self.home {
            Some(home) => home.join(".pulumi"),
            None => std::env::temp_dir().join(".pulumi"),
        }
    }

    /// The name of the user, for locks and `whoami`.
    pub(crate) fn user_name(&self) -> String {
        for name in ["USER", "LOGNAME", "USERNAME"] {
            if let Some(user) = self.non_empty(name) {
                return user.to_owned();
            }
        }
        own_account().unwrap_or_else(|| "unknown".to_owned())
    }

    /// The name of this machine.
    pub(crate) fn host_name(&self) -> String {
        self.non_empty("HOSTNAME")
            .map(str::to_owned)
            .or_else(|| {
                std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|s| s.trim().to_owned())
            })
            .or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|s| s.trim().to_owned()))
            .unwrap_or_else(|| "localhost".to_owned())
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> String {
        jiff::Timestamp::now().to_string()
    }

    fn unix_seconds(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn unix_nanos(&self) -> i128 {
        jiff::Timestamp::now().as_nanosecond()
    }
}

/// The name of the account that the process runs under.
#[cfg(unix)]
fn own_account() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, account) = (fields.next()?, fields.nth(1)?);
        (account == id).then(|| name.to_owned())
    })
}

#[cfg(not(unix))]
fn own_account() -> Option<String> {
    None
}

/// The system's randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemEntropy;

/// How many bytes are drawn at once.
const DRAW: usize = 2048;

/// Random bytes that nobody has had yet: each resource takes some, and a call of the system for each
/// would cost as much as all else that is done with them.
struct Drawn {
    bytes: [u8; DRAW],
    /// How many there are, from the start.
    left: usize,
}

static DRAWN: Mutex<Drawn> = Mutex::new(Drawn { bytes: [0; DRAW], left: 0 });

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // Without randomness from the system no id would be unique: there is nothing to fall back on.
        let draw = |bytes: &mut [u8]| {
            getrandom::fill(bytes).expect("the operating system provides randomness");
        };
        if buffer.len() > DRAW / 8 {
            return draw(buffer);
        }
        let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        let Drawn { bytes, left } = &mut *drawn;
        if *left < buffer.len() {
            draw(bytes);
            *left = DRAW;
        }
        let taken = &mut bytes[*left - buffer.len()..*left];
        buffer.copy_from_slice(taken);
        // Keys and passwords are made of them: nobody finds them here afterwards.
        taken.zeroize();
        *left -= buffer.len();
    }
}

#[cfg(test)]
mod chance {
    use super::*;

    #[test]
    fn no_bytes_are_given_out_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for length in [16, 32, DRAW / 8, DRAW / 8 + 1].into_iter().cycle().take(400) {
            let mut bytes = vec![0; length];
            SystemEntropy.fill(&mut bytes);
            assert!(seen.insert(bytes[..16].to_vec()), "drawn before");
            assert!(bytes.iter().any(|byte| *byte != 0));
        }
    }
}
