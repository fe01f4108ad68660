//! Which interpreter runs a program, and which tool installs what it depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{EventSink, ProgramInfo};
use tokio_util::sync::CancellationToken;

use crate::process::{self, Invocation};
use crate::program::{self, missing_tool, run_tool, upwards};
use crate::settings::HostSettings;
use crate::{options, python::packages};

/// How often a step of pip is tried.
const PIP_ATTEMPTS: usize = 3;

/// Where a virtual environment has its executables, and the name of the interpreter there.
const LAYOUT: (&str, &str) = if cfg!(windows) { ("Scripts", "python.exe") } else { ("bin", "python") };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pip,
    Poetry,
    Uv,
}

/// The tool that looks after a program's dependencies, and the virtual environment it uses.
#[derive(Debug)]
pub(super) struct Toolchain {
    kind: Kind,
    venv: Option<PathBuf>,
}

impl Toolchain {
    /// Finds out from the runtime options and from lock files.
    pub(super) fn of(program: &ProgramInfo, settings: &HostSettings) -> Result<Toolchain, Diagnostic> {
        let directory = &program.program_directory;
        let has = |name: &str| upwards(directory, |folder| folder.join(name).is_file()).is_some();
        let kind = match options::choice(&program.options, "toolchain", &["pip", "poetry", "uv"])? {
            Some("pip") => Kind::Pip,
            Some("poetry") => Kind::Poetry,
            Some(_) => Kind::Uv,
            None if has("uv.lock") => Kind::Uv,
            None if has("poetry.lock") => Kind::Poetry,
            None => Kind::Pip,
        };
        let option =
            options::text(&program.options, "virtualenv")?.map(|venv| program.root_directory.join(venv));
        let venv = match kind {
            Kind::Pip => option,
            Kind::Poetry => None,
            Kind::Uv => Some(option.unwrap_or_else(|| uv_environment(directory, settings))),
        };
        Ok(Toolchain { kind, venv })
    }

    /// The virtual environment, where there is one and it is known.
    pub(super) fn virtual_environment(&self) -> Option<&Path> {
        self.venv.as_deref()
    }

    /// Makes sure that the virtual environment is known and there.
    pub(super) async fn resolve(
        &mut self,
        program: &ProgramInfo,
        settings: &HostSettings,
    ) -> Result<(), Diagnostic> {
        if self.kind == Kind::Poetry && self.venv.is_none() {
            let poetry = find_poetry(settings)?;
            let invocation =
                Invocation::new(poetry, &program.program_directory, settings.environment.clone()).args([
                    "env",
                    "info",
                    "--path",
                    "--no-ansi",
                ]);
            let said = process::capture(&invocation)
                .await
                .map_err(|error| program::not_started(&invocation, &error))?;
            let path = said.stdout.trim();
            if said.success && !path.is_empty() {
                self.venv = Some(PathBuf::from(path));
            }
        }
        let missing = match &self.venv {
            Some(venv) => !interpreter(venv).exists(),
            None => self.kind == Kind::Poetry,
        };
        if !missing {
            return Ok(());
        }
        let place =
            self.venv.as_ref().map_or_else(|| "of poetry".to_owned(), |v| format!("'{}'", v.display()));
        Err(Diagnostic::error("venv-missing", format!("the virtual environment {place} does not exist"))
            .with_hint(format!("run `{} install` to make it", settings.command_name)))
    }

    /// The interpreter.
    pub(super) fn python(&self, settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
        match &self.venv {
            Some(venv) => Ok(interpreter(venv)),
            None => find_python(settings),
        }
    }

    /// The environment in which the interpreter runs.
    pub(super) fn environment(&self, settings: &HostSettings) -> BTreeMap<String, String> {
        let mut environment = settings.environment.clone();
        if let Some(venv) = &self.venv {
            environment.remove("PYTHONHOME");
            environment.insert("VIRTUAL_ENV".to_owned(), venv.to_string_lossy().into_owned());
            let old = environment.get("PATH").cloned().unwrap_or_default();
            let folders = std::iter::once(venv.join(LAYOUT.0)).chain(std::env::split_paths(&old));
            let path = std::env::join_paths(folders).map(|p| p.to_string_lossy().into_owned()).unwrap_or(old);
            environment.insert("PATH".to_owned(), path);
        }
        environment
    }

    /// Installs the dependencies, unless they are there.
    pub(super) async fn install(
        &self,
        program: &ProgramInfo,
        settings: &HostSettings,
        events: &Arc<dyn EventSink>,
        reinstall: bool,
    ) -> Result<(), Diagnostic> {
        let there = match (&self.venv, self.kind) {
            (Some(venv), _) => interpreter(venv).exists(),
            // Without a virtual environment the user looks after the interpreter's packages.
            (None, Kind::Pip) => true,
            (None, _) => {
                let mut known = Toolchain { kind: self.kind, venv: None };
                known.resolve(program, settings).await.is_ok()
            }
        };
        if there && !reinstall {
            return Ok(());
        }
        let directory = &program.program_directory;
        let run = async |invocation: Invocation, attempts: usize| {
            let mut last = Ok(());
            for _ in 0..attempts {
                let cancel = CancellationToken::new();
                last = run_tool("python dependencies", &invocation, events, &cancel, settings).await;
                if last.is_ok() {
                    break;
                }
            }
            last
        };
        match self.kind {
            Kind::Poetry => {
                let tool = find_poetry(settings)?;
                let call = Invocation::new(tool, directory, settings.environment.clone());
                run(call.args(["install", "--no-ansi"]), 1).await
            }
            Kind::Uv => {
                let tool = settings.find_tool("uv").ok_or_else(|| {
                    missing_tool("uv", "install uv, or set `runtime.options.toolchain` to `pip`")
                })?;
                let mut environment = settings.environment.clone();
                if let Some(venv) = &self.venv {
                    let venv = venv.to_string_lossy().into_owned();
                    environment.insert("UV_PROJECT_ENVIRONMENT".to_owned(), venv);
                }
                run(Invocation::new(tool, directory, environment).arg("sync"), 1).await
            }
            Kind::Pip => {
                if let Some(venv) = self.venv.as_ref().filter(|venv| !interpreter(venv).exists()) {
                    let system = find_python(settings)?;
                    let call = Invocation::new(system, directory, settings.environment.clone());
                    run(call.args(["-m", "venv"]).arg(venv), 1).await?;
                }
                let python = self.python(settings)?;
                let pip = || {
                    Invocation::new(&python, directory, self.environment(settings)).args([
                        "-m",
                        "pip",
                        "install",
                        "--disable-pip-version-check",
                    ])
                };
                let upgrade = pip().args(["--upgrade", "pip", "setuptools", "wheel"]);
                if self.venv.is_some() {
                    run(upgrade, PIP_ATTEMPTS).await?;
                }
                match upwards_file(program, "requirements.txt") {
                    Some(file) => run(pip().arg("-r").arg(file), PIP_ATTEMPTS).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// The folders in which installed packages lie.
    pub(super) async fn package_folders(
        &self,
        settings: &HostSettings,
        directory: &Path,
    ) -> Result<Vec<PathBuf>, Diagnostic> {
        if let Some(venv) = &self.venv {
            return Ok(packages::folders_of(venv));
        }
        if self.kind != Kind::Pip {
            return Ok(Vec::new());
        }
        let python = find_python(settings)?;
        let invocation = Invocation::new(python, directory, settings.environment.clone()).args([
            "-I",
            "-c",
            "import sys; print('\\n'.join(sys.path))",
        ]);
        let said =
            process::capture(&invocation).await.map_err(|error| program::not_started(&invocation, &error))?;
        let path = said.stdout.lines().filter(|line| !line.is_empty()).map(PathBuf::from);
        Ok(path.filter(|folder| folder.is_dir()).collect())
    }
}

/// The interpreter of a virtual environment.
fn interpreter(venv: &Path) -> PathBuf {
    venv.join(LAYOUT.0).join(LAYOUT.1)
}

/// The folder that uv uses: what its variable says, else `.venv` beside the lock or project file.
fn uv_environment(directory: &Path, settings: &HostSettings) -> PathBuf {
    let base = upwards(directory, |folder| folder.join("uv.lock").is_file())
        .or_else(|| upwards(directory, |folder| folder.join("pyproject.toml").is_file()))
        .unwrap_or(directory);
    base.join(settings.variable("UV_PROJECT_ENVIRONMENT").unwrap_or(".venv"))
}

/// A file beside the program or else beside the project file.
fn upwards_file(program: &ProgramInfo, name: &str) -> Option<PathBuf> {
    [&program.program_directory, &program.root_directory]
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn find_python(settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
    let names = settings.variable("PULUMI_PYTHON_CMD").map_or(vec!["python3", "python"], |name| vec![name]);
    names.iter().find_map(|name| settings.find_tool(name)).ok_or_else(|| {
        missing_tool(names[0], "install Python 3.9 or later, or name it in the variable PULUMI_PYTHON_CMD")
    })
}

fn find_poetry(settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
    settings
        .find_tool("poetry")
        .ok_or_else(|| missing_tool("poetry", "install poetry, or set `runtime.options.toolchain` to `pip`"))
}

#[cfg(test)]
mod tests {
    use purlin_model::{PropertyMap, PropertyValue};

    use super::*;

    fn program(directory: &Path, options: PropertyMap) -> ProgramInfo {
        ProgramInfo {
            root_directory: directory.to_owned(),
            program_directory: directory.join("app"),
            entry_point: ".".to_owned(),
            options,
        }
    }

    fn settings() -> HostSettings {
        HostSettings::new(BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]), "/nowhere")
    }

    #[test]
    fn lock_files_choose_the_tool_and_options_overrule_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("app")).unwrap();
        let of = |options: PropertyMap| Toolchain::of(&program(root, options), &settings()).unwrap();
        assert_eq!((of(PropertyMap::new()).kind, of(PropertyMap::new()).venv), (Kind::Pip, None));
        std::fs::write(root.join("poetry.lock"), "").unwrap();
        assert_eq!(of(PropertyMap::new()).kind, Kind::Poetry);
        std::fs::write(root.join("uv.lock"), "").unwrap();
        assert_eq!(of(PropertyMap::new()).venv, Some(root.join(".venv")));
        let pip = PropertyMap::from([
            ("toolchain".to_owned(), PropertyValue::from("pip")),
            ("virtualenv".to_owned(), PropertyValue::from("venv")),
        ]);
        assert_eq!((of(pip.clone()).kind, of(pip).venv), (Kind::Pip, Some(root.join("venv"))));
    }

    #[tokio::test]
    async fn a_virtual_environment_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let options = PropertyMap::from([("virtualenv".to_owned(), PropertyValue::from("venv"))]);
        let program = program(folder.path(), options);
        let mut toolchain = Toolchain::of(&program, &settings()).unwrap();
        let error = toolchain.resolve(&program, &settings()).await.unwrap_err();
        assert!(error.message.contains("venv") && error.hint.unwrap().contains("purlin install"));
    }

    #[test]
    fn activation_puts_the_environment_first() {
        let toolchain = Toolchain { kind: Kind::Pip, venv: Some(PathBuf::from("/v")) };
        let mut settings = settings();
        settings.environment.insert("PYTHONHOME".to_owned(), "/p".to_owned());
        let environment = toolchain.environment(&settings);
        assert_eq!(environment["PATH"], "/v/bin:/bin");
        assert_eq!(environment["VIRTUAL_ENV"], "/v");
        assert!(!environment.contains_key("PYTHONHOME"));
    }
}
