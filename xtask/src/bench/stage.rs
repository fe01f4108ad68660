//! A stack's surroundings, and its life in them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::measure::{Measured, measured};
use super::options::{Language, Provider};
use super::{Life, PHASES};
use crate::repo::Repo;
use crate::run::{captured, copy_folder, fresh_folder};
use crate::test_env::TestEnv;

/// A folder that is no disk.
pub(crate) const IN_MEMORY: &str = "/dev/shm";

/// Who runs the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// This project's binary.
    Purlin(PathBuf),
    /// The official CLI.
    Peer(PathBuf),
}

impl Engine {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Engine::Purlin(_) => "purlin",
            Engine::Peer(_) => "pulumi",
        }
    }

    /// Its binary.
    pub(crate) fn binary(&self) -> &Path {
        match self {
            Engine::Purlin(path) | Engine::Peer(path) => path,
        }
    }
}

/// A program, a place for the state, an environment.
pub(crate) struct Stage {
    engine: Engine,
    folder: PathBuf,
    state: PathBuf,
    pub(crate) language: Language,
    pub(crate) resources: usize,
    pub(crate) provider: Provider,
    venv: Option<PathBuf>,
    /// Where the state is, unless it is in a folder.
    backend: Option<Backend>,
    /// Whether each resource needs the one before it.
    chained: bool,
}

/// A place for the state that is not a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) url: String,
    /// Variables with credentials.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// What all stages have in common.
pub(crate) struct Surroundings<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) provider: &'a Provider,
    pub(crate) env: Option<&'a TestEnv>,
    /// Where the state is, unless it is in a folder.
    pub(crate) backend: Option<Backend>,
    /// Whether each resource needs the one before it. (YAML only.)
    pub(crate) chained: bool,
}

impl Stage {
    /// Sets up a stage in `target/bench`, with the state on disk or in memory.
    pub(crate) fn set(
        around: &Surroundings<'_>,
        engine: &Engine,
        language: Language,
        resources: usize,
        memory: bool,
    ) -> Result<Stage> {
        let folder = around.repo.target().join("bench").join(engine.name());
        let folder = folder.join(format!("{}-{resources}", language.name()));
        fresh_folder(&folder)?;
        let state = match memory {
            true => Path::new(IN_MEMORY).join(format!("purlin-bench-{}", std::process::id())),
            false => folder.join("state"),
        };
        for made in [&state, &folder.join("cloud"), &folder.join("program")] {
            std::fs::create_dir_all(made).with_context(|| made.display().to_string())?;
        }
        let venv = around.env.filter(|_| language == Language::Python).map(TestEnv::venv);
        let (engine, provider) = (engine.clone(), around.provider.clone());
        let (backend, chained) = (around.backend.clone(), around.chained);
        let stage = Stage { engine, folder, state, language, resources, provider, venv, backend, chained };
        stage.write_program(around.repo, around.env)?;
        Ok(stage)
    }

    /// The program's folder.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.join("program")
    }

    fn write_program(&self, repo: &Repo, env: Option<&TestEnv>) -> Result<()> {
        let program = self.program();
        if self.language == Language::Yaml {
            return Ok(std::fs::write(program.join("Pulumi.yaml"), self.yaml())?);
        }
        copy_folder(&repo.path("benches/programs").join(self.language.name()), &program)?;
        if let Some(venv) = &self.venv {
            let project = format!(
                "name: many\nruntime:\n  name: python\n  options:\n    virtualenv: {}\n",
                serde_json::to_string(venv)?
            );
            std::fs::write(program.join("Pulumi.yaml"), project)?;
        }
        if let (Language::Node, Some(env)) = (self.language, env) {
            std::os::unix::fs::symlink(env.node_modules(), program.join("node_modules"))?;
        }
        Ok(())
    }

    /// The YAML program: it has no loops, so each resource is written out.
    fn yaml(&self) -> String {
        let mut text = "name: many\nruntime: yaml\n".to_owned();
        if self.resources > 0 {
            text.push_str("resources:\n");
        }
        for number in 0..self.resources {
            let payload = format!("{number:0>300}");
            let previous = match number.checked_sub(1).filter(|_| self.chained) {
                Some(before) => format!("        previous: ${{thing-{before}.result}}\n"),
                None => String::new(),
            };
            // Writing to a string can't fail.
            let _ = match self.provider.package() {
                "random" => write!(
                    text,
                    "  thing-{number}:\n    type: random:index/randomString:RandomString\n    \
                     properties:\n      length: 8\n      keepers:\n        payload: \"{payload}\"\n{previous}"
                ),
                _ => write!(
                    text,
                    "  thing-{number}:\n    type: faultcloud:index:Object\n    \
                     properties:\n      name: thing-{number}\n      value: \"{payload}\"\n"
                ),
            };
        }
        text
    }

    /// The settings of the program.
    pub(crate) fn config(&self) -> [(&'static str, String); 2] {
        [("count", self.resources.to_string()), ("provider", self.provider.package().to_owned())]
    }

    /// A command in the program's folder with the stage's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PULUMI_") {
                command.env_remove(name);
            }
        }
        let mut path = self.provider.folder().map(|f| f.clone().into_os_string()).unwrap_or_default();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let home = self.folder.parent().unwrap_or(&self.folder).join("home");
        let url = self.backend.as_ref().map(|backend| backend.url.clone());
        let url = url.unwrap_or_else(|| format!("file://{}", self.state.display()));
        command
            .current_dir(self.program())
            .env("PATH", path)
            .env("PULUMI_HOME", home)
            .env("PULUMI_BACKEND_URL", url)
            .envs(self.backend.iter().flat_map(|backend| backend.variables.clone()))
            .env("PULUMI_CONFIG_PASSPHRASE", "bench")
            .env("PULUMI_SKIP_UPDATE_CHECK", "true")
            .env("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
            .env("FAULTCLOUD_DIR", self.folder.join("cloud"));
        if self.provider == Provider::Builtin && matches!(self.engine, Engine::Purlin(_)) {
            // A plugin on PATH would come before what is built in.
            command.env("PULUMI_IGNORE_AMBIENT_PLUGINS", "true");
        }
        if let Some(venv) = &self.venv {
            command.env("FLOOR_VENV", venv);
        }
        command
    }

    pub(crate) fn engine(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.engine.binary());
        command.args(arguments);
        command
    }

    /// Makes the stack.
    pub(crate) fn init(&self) -> Result<()> {
        captured(&mut self.engine(&["stack", "init", "dev"]))?;
        for (key, value) in self.config() {
            captured(&mut self.engine(&["config", "set", key, &value]))?;
        }
        if self.language == Language::Go {
            // The program is compiled once; that is no cost of an operation.
            captured(&mut self.engine(&["preview"]))?;
        }
        Ok(())
    }

    /// Runs one command of its life.
    pub(crate) fn phase(&self, phase: &str) -> Result<Measured> {
        let arguments: &[&str] = match phase {
            "create" | "no-op" => &["up", "--yes", "--skip-preview"],
            "preview" => &["preview"],
            "refresh" => &["refresh", "--yes", "--skip-preview"],
            _ => &["destroy", "--yes", "--skip-preview"],
        };
        let output = self.folder.join(format!("{phase}.txt"));
        measured(&mut self.engine(arguments), &output).with_context(|| phase.to_owned())
    }

    /// Takes the stack through its life.
    pub(crate) fn live(&self) -> Result<Life> {
        self.init()?;
        let mut phases = [Measured::default(); 5];
        let mut checkpoint = 0;
        for (phase, slot) in PHASES.iter().zip(&mut phases) {
            *slot = self.phase(phase)?;
            if *phase == "create" {
                let text = self.checkpoint()?;
                checkpoint = text.len() as u64;
                self.check_checkpoint(&text)?;
            }
        }
        Ok(Life { phases, checkpoint })
    }

    /// The folder with the state, where it is in one.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// The stack's file, where the state is in a folder.
    fn checkpoint(&self) -> Result<Vec<u8>> {
        let file = self.state.join(".pulumi/stacks/many/dev.json");
        std::fs::read(&file).with_context(|| file.display().to_string())
    }

    /// The resources of the state, checked: everything that was to be made was made.
    pub(crate) fn resources(&self) -> Result<Vec<serde_json::Value>> {
        let text = captured(&mut self.engine(&["stack", "export"]))?;
        let mut state: serde_json::Value = serde_json::from_str(&text)?;
        self.check_resources(&state["deployment"]["resources"])?;
        match state["deployment"]["resources"].take() {
            serde_json::Value::Array(resources) => Ok(resources),
            _ => Ok(Vec::new()),
        }
    }

    fn check_checkpoint(&self, text: &[u8]) -> Result<()> {
        let state: serde_json::Value = serde_json::from_slice(text)?;
        self.check_resources(&state["checkpoint"]["latest"]["resources"])
    }

    /// Whether everything that was to be made was made: a benchmark of something else is worth nothing.
    fn check_resources(&self, resources: &serde_json::Value) -> Result<()> {
        let resources = resources.as_array();
        let things = resources.into_iter().flatten().filter(|r| r["custom"] == true);
        let things = things.filter(|r| r["type"].as_str().is_some_and(|t| !t.starts_with("pulumi:"))).count();
        anyhow::ensure!(things == self.resources, "{things} resources were made, not {}", self.resources);
        Ok(())
    }

    /// Removes what is no use any more.
    pub(crate) fn clear(&self) {
        if self.state.starts_with(IN_MEMORY) {
            // What stays behind is cleaned up by the next restart.
            let _ = std::fs::remove_dir_all(&self.state);
        }
    }
}
