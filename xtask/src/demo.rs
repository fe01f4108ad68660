//! `cargo xtask demo`: builds Purlin and takes the example programs through their lives.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::Repo;
use crate::run::{captured, cargo, copy_folder, fresh_folder, passed_on};
use crate::tools::PYTHON;

/// Builds the release binary and shows it at work.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    say("building the release binary");
    passed_on(cargo().args(["build", "--release", "-p", "purlin"]).current_dir(repo.root()))?;
    let top = repo.target().join("demo");
    fresh_folder(&top)?;
    let mut done = vec![Demo::new(repo, &top, "yaml")?.live()?];
    match PYTHON.version() {
        Some(_) => done.push(Demo::new(repo, &top, "python")?.live()?),
        None => say("python3 is not on PATH: the Python example is left out"),
    }
    println!();
    for line in done {
        println!("{line}");
    }
    Ok(())
}

fn say(text: &str) {
    println!("\n==> {text}");
}

/// An example in a folder of its own.
struct Demo {
    name: &'static str,
    binary: PathBuf,
    top: PathBuf,
    program: PathBuf,
}

impl Demo {
    fn new(repo: &Repo, top: &Path, name: &'static str) -> Result<Demo> {
        let program = top.join(name);
        copy_folder(&repo.path("examples").join(name), &program)?;
        std::fs::create_dir_all(top.join("state"))?;
        Ok(Demo { name, binary: repo.release_binary(), top: top.to_path_buf(), program })
    }

    fn purlin(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PULUMI_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(&self.program)
            .stdin(Stdio::null())
            .env("PULUMI_HOME", self.top.join("home"))
            .env("PULUMI_BACKEND_URL", format!("file://{}", self.top.join("state").display()))
            .env("PULUMI_CONFIG_PASSPHRASE", "demo")
            .env("PULUMI_SKIP_UPDATE_CHECK", "true");
        command
    }

    /// Runs a command and shows it.
    fn show(&self, arguments: &[&str]) -> Result<()> {
        println!("\n$ purlin {}", arguments.join(" "));
        passed_on(&mut self.purlin(arguments))
    }

    /// The resources in the state, without the stack and providers.
    fn resources(&self) -> Result<Vec<Value>> {
        let state: Value = serde_json::from_str(&captured(&mut self.purlin(&["stack", "export"]))?)?;
        let resources = state["deployment"]["resources"].as_array().cloned().unwrap_or_default();
        let is_own = |r: &Value| r["type"].as_str().is_some_and(|ty| !ty.starts_with("pulumi:"));
        Ok(resources.into_iter().filter(is_own).collect())
    }

    /// Preview, create, no change, a change, destroy; a line about what it did.
    fn live(&self) -> Result<String> {
        say(&format!("examples/{}: a new stack", self.name));
        self.show(&["stack", "init", "demo"])?;
        say("what would be created");
        self.show(&["preview"])?;
        self.expect(0, "a preview changes nothing")?;
        say("create it");
        self.show(&["up", "--yes", "--skip-preview"])?;
        let created = self.resources()?;
        self.show(&["stack", "output"])?;
        say("once more: nothing changes");
        self.show(&["up", "--yes", "--skip-preview", "--expect-no-changes"])?;
        say("change the configuration, and apply it");
        self.show(&["config", "set", "words", "3"])?;
        self.show(&["up", "--yes", "--skip-preview", "--diff"])?;
        let changed = self.resources()?;
        self.show(&["stack", "output"])?;
        if created.is_empty() || changed == created {
            bail!("the {} example did not change as it should have", self.name);
        }
        say("delete everything");
        self.show(&["destroy", "--yes", "--skip-preview"])?;
        self.expect(0, "a destroy leaves nothing behind")?;
        self.show(&["stack", "rm", "--yes", "demo"])?;
        Ok(format!(
            "{}: previewed, created {} resources, found no change, applied a change, destroyed: all well",
            self.name,
            created.len()
        ))
    }

    fn expect(&self, count: usize, rule: &str) -> Result<()> {
        let found = self.resources().context("reading the state")?.len();
        if found != count {
            bail!("{rule}, but the state holds {found} resources");
        }
        Ok(())
    }
}
