//! The language host for YAML programs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::{Diagnostic, Severity};
use purlin_model::{PackageDescriptor, PropertyValue};
use purlin_ports::{EventSink, LanguageHost, ProgramInfo, RunOutcome, RunRequest};
use purlin_project::yaml::{self, Format, Node};
use purlin_schema::SchemaSource;
use semver::Version;
use tokio_util::sync::CancellationToken;

use crate::packages::PackageLocks;
use crate::program::YamlProgram;
use crate::run::{Deployment, report_all, run};

/// The files that a program may be in, in the order in which they are looked for.
const FILES: [&str; 5] = ["Main.json", "Main.yaml", "Pulumi.yaml", "Pulumi.yml", "Pulumi.json"];

/// Runs YAML programs in this process.
pub struct YamlHost {
    schemas: Arc<dyn SchemaSource>,
    engine_version: Version,
    fetch: Option<purlin_assets::SharedFetch>,
    /// A file that was read already, and its tree.
    file: Mutex<Option<(PathBuf, Node)>>,
    /// The program that was asked for its packages, kept for its run.
    read: Mutex<Option<Read>>,
}

/// A program that was read.
struct Read {
    /// The folder that it is in.
    folder: PathBuf,
    position_file: String,
    locks: PackageLocks,
    program: YamlProgram,
    warnings: Vec<Diagnostic>,
}

impl YamlHost {
    /// A host that takes schemas from a source. The version is the one that a program's
    /// `requiredVersion` is compared with.
    pub fn new(schemas: Arc<dyn SchemaSource>, engine_version: Version) -> Self {
        YamlHost { schemas, engine_version, fetch: None, file: Mutex::default(), read: Mutex::default() }
    }

    /// The host with a way to fetch assets at addresses of the network.
    #[must_use]
    pub fn with_fetch(self, fetch: purlin_assets::SharedFetch) -> Self {
        YamlHost { fetch: Some(fetch), ..self }
    }

    /// The host with what was read of a file: a program that is in it is not read again.
    #[must_use]
    pub fn with_tree(self, path: PathBuf, tree: Node) -> Self {
        YamlHost { file: Mutex::new(Some((path, tree))), ..self }
    }

    fn read_program(&self, info: &ProgramInfo) -> Result<Result<Read, Vec<Diagnostic>>, Diagnostic> {
        Read::new(info, self.file.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

/// How many calls to the engine may be under way, given how many operations may: enough that the
/// engine always finds the next ones waiting.
fn calls_at_once(parallel: i32) -> usize {
    const FEWEST: usize = 256;
    usize::try_from(parallel).map_or(FEWEST, |parallel| parallel.saturating_mul(2).max(FEWEST))
}

/// A program's file.
struct Source {
    path: PathBuf,
    root: Node,
}

impl Source {
    /// Reads the program's file, unless it is the one whose tree is known.
    fn read(info: &ProgramInfo, mut known: Option<(PathBuf, Node)>) -> Result<Source, Diagnostic> {
        if let Some(PropertyValue::String(_)) = info.options.get("compiler") {
            return Err(Diagnostic::error("yaml-compiler", "the runtime option compiler is not supported")
                .with_hint("write the compiler's output to Main.yaml and leave the option out"));
        }
        let folder = &info.program_directory;
        for name in FILES {
            let path = folder.join(name);
            let shown = relative(&path, &info.root_directory);
            if let Some((_, mut root)) = known.take_if(|(file, _)| *file == path) {
                root.name_file(&shown.into());
                return Ok(Source { path, root });
            }
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path, &error.to_string())),
            };
            let text = String::from_utf8(bytes).map_err(|_| unreadable(&path, "it is not text in UTF-8"))?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let root = yaml::parse_as(Format::of_path(&path)?, &shown, text)?;
            return Ok(Source { path, root });
        }
        let message = format!("there is no program in {}", folder.display());
        Err(Diagnostic::error("yaml-no-program", message)
            .with_hint("the program is in Pulumi.yaml, or in Main.yaml in the folder that main names"))
    }
}

impl Read {
    /// Reads a program. What is wrong in a file that can be read is a list.
    fn new(
        info: &ProgramInfo,
        known: Option<(PathBuf, Node)>,
    ) -> Result<Result<Read, Vec<Diagnostic>>, Diagnostic> {
        let source = Source::read(info, known)?;
        let locks = PackageLocks::read(&info.program_directory, &source.root)?;
        // Large programs have large trees, and from here on the parsed program is enough.
        Ok(YamlProgram::parse(&source.root).map(|(program, warnings)| Read {
            folder: info.program_directory.clone(),
            position_file: relative(&source.path, &info.root_directory),
            locks,
            program,
            warnings,
        }))
    }
}

fn unreadable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error("yaml-file", format!("the program {} can't be read: {reason}", path.display()))
}

/// A path relative to a folder that it is in, with slashes; else the path itself.
fn relative(path: &Path, folder: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn first_error(problems: Vec<Diagnostic>) -> Diagnostic {
    problems
        .into_iter()
        .find(|problem| problem.severity == Severity::Error)
        .unwrap_or_else(|| Diagnostic::error("yaml-program", "the program can't be read"))
}

#[async_trait]
impl LanguageHost for YamlHost {
    fn runtime(&self) -> &str {
        "yaml"
    }

    async fn install_dependencies(
        &self,
        _program: &ProgramInfo,
        _events: &Arc<dyn EventSink>,
        _reinstall: bool,
    ) -> Result<(), Diagnostic> {
        Ok(())
    }

    async fn required_packages(&self, program: &ProgramInfo) -> Result<Vec<PackageDescriptor>, Diagnostic> {
        let read = self.read_program(program)?.map_err(first_error)?;
        let packages = read.program.required_packages(&read.locks);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(packages)
    }

    async fn run(&self, request: RunRequest, cancel: CancellationToken) -> Result<RunOutcome, Diagnostic> {
        let info = &request.program;
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).take();
        let known = known.filter(|known| known.folder == info.program_directory);
        let read = match known.map_or_else(|| self.read_program(info), |known| Ok(Ok(known))) {
            Ok(Ok(read)) => read,
            Ok(Err(problems)) => {
                report_all(request.monitor.as_ref(), &problems);
                return Ok(RunOutcome::Bailed);
            }
            Err(problem) => return Ok(RunOutcome::Failed(problem)),
        };
        let Read { position_file, locks, program, warnings, .. } = read;
        report_all(request.monitor.as_ref(), &warnings);
        let deployment = Deployment {
            position_file,
            folder: info.program_directory.clone(),
            root_folder: info.root_directory.clone(),
            monitor: request.monitor,
            schemas: Arc::clone(&self.schemas),
            locks,
            project: request.project,
            stack: request.stack,
            organization: request.organization,
            config: request.config,
            config_secret_keys: request.config_secret_keys,
            dry_run: request.dry_run,
            calls_at_once: calls_at_once(request.parallel),
            fetch: self.fetch.clone(),
            engine_version: self.engine_version.clone(),
        };
        run(&program, &deployment, cancel).await
    }
}
