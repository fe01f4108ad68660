//! Tools that have to be on the machine.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::run::captured;

/// A tool that the tests need.
pub(crate) struct Tool {
    name: &'static str,
    version_flag: &'static str,
    purpose: &'static str,
    source: &'static str,
}

pub(crate) const PYTHON: Tool = Tool {
    name: "python3",
    version_flag: "--version",
    purpose: "runs Python programs with the official SDK",
    source: "Python 3.9 or newer with its venv module, from https://www.python.org or the system's packages (python3, python3-venv)",
};
pub(crate) const NODE: Tool = Tool {
    name: "node",
    version_flag: "--version",
    purpose: "runs TypeScript and JavaScript programs with the official SDK",
    source: "Node.js 20 or newer, from https://nodejs.org or the system's packages (nodejs)",
};
pub(crate) const NPM: Tool = Tool {
    name: "npm",
    version_flag: "--version",
    purpose: "installs the official SDK for Node.js",
    source: "npm, which comes with Node.js (or in the system's package npm)",
};
pub(crate) const GO: Tool = Tool {
    name: "go",
    version_flag: "version",
    purpose: "builds the provider plugins that the tests use, and runs Go programs",
    source: "Go 1.26 or newer, from https://go.dev/dl",
};

impl Tool {
    /// The version that the tool reports; `None` if it isn't there or doesn't run.
    pub(crate) fn version(&self) -> Option<String> {
        let output = captured(Command::new(self.name).arg(self.version_flag)).ok()?;
        Some(output.trim().to_owned())
    }

    /// A command that runs the tool.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.name)
    }
}

/// The versions of some tools; an error that names all that are missing, with purpose and source.
pub(crate) fn require(tools: &[&Tool]) -> Result<Vec<String>> {
    let versions: Vec<Option<String>> = tools.iter().map(|tool| tool.version()).collect();
    let missing: Vec<String> = tools
        .iter()
        .zip(&versions)
        .filter(|(_, version)| version.is_none())
        .map(|(tool, _)| format!("  {} {}; get {}", tool.name, tool.purpose, tool.source))
        .collect();
    if !missing.is_empty() {
        bail!("these tools are missing (not on PATH, or they don't run):\n{}", missing.join("\n"));
    }
    Ok(versions.into_iter().flatten().collect())
}

/// An executable on the search path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(&file)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_tools_are_named_with_their_purpose() {
        const NO_SUCH: Tool =
            Tool { name: "no-such-tool", version_flag: "--version", purpose: "does things", source: "it" };
        let error = require(&[&NO_SUCH]).unwrap_err().to_string();
        assert!(error.contains("no-such-tool does things; get it"), "{error}");
    }
}
