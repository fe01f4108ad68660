//! What the hosts may not find out by themselves: environment, folders, tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What hosts are told about the machine and about the user's wishes.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The environment of the programs and tools that hosts start, `PATH` included. Nothing is
    /// taken from the process's own.
    pub environment: BTreeMap<String, String>,
    /// A folder for what is worth keeping between runs: compiled Go programs, the script that
    /// starts Python programs. It is made when it is needed.
    pub cache_directory: PathBuf,
    /// Whether debug messages of the SDKs are wanted.
    pub debug_messages: bool,
    /// How long a program may take to end after it has been interrupted.
    pub grace: Duration,
    /// How the command line is called, for hints.
    pub command_name: String,
}

impl HostSettings {
    /// Settings with an environment and a cache folder, and defaults for the rest.
    pub fn new(environment: BTreeMap<String, String>, cache_directory: impl Into<PathBuf>) -> Self {
        HostSettings {
            environment,
            cache_directory: cache_directory.into(),
            debug_messages: false,
            grace: Duration::from_secs(5),
            command_name: "purlin".to_owned(),
        }
    }

    /// The value of an environment variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Finds a tool on the search path.
    pub(crate) fn find_tool(&self, name: &str) -> Option<PathBuf> {
        if Path::new(name).is_absolute() {
            return is_executable(Path::new(name)).then(|| PathBuf::from(name));
        }
        std::env::split_paths(self.variable("PATH")?)
            .filter(|folder| !folder.as_os_str().is_empty())
            .flat_map(|folder| SUFFIXES.map(|suffix| folder.join(format!("{name}{suffix}"))))
            .find(|candidate| is_executable(candidate))
    }
}

#[cfg(windows)]
const SUFFIXES: [&str; 3] = [".exe", ".cmd", ".bat"];
#[cfg(not(windows))]
const SUFFIXES: [&str; 1] = [""];

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_looked_for_in_the_given_path_only() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |path: &str| {
            HostSettings::new(BTreeMap::from([("PATH".to_owned(), path.to_owned())]), "/nowhere")
        };
        assert_eq!(settings(folder.path().to_str().unwrap()).find_tool("sh"), None);
        assert_eq!(settings("/nowhere:/bin").find_tool("sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(HostSettings::new(BTreeMap::new(), "/nowhere").find_tool("sh"), None);
    }
}
