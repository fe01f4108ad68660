//! From a Go program's source to something that can be run.

use std::path::{Path, PathBuf};

use purlin_diag::Diagnostic;
use purlin_ports::{ProgramInfo, RunRequest};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::process::Invocation;
use crate::program::{check_exists, run_tool};
use crate::settings::HostSettings;
use crate::{go::go_tool, options};

/// A compiled program, perhaps only borrowed for a run.
pub(super) enum Binary {
    /// A file that stays.
    Kept(PathBuf),
    /// A link of our own that goes with this value.
    Borrowed(tempfile::TempPath),
}

impl Binary {
    pub(super) fn path(&self) -> &Path {
        match self {
            Binary::Kept(path) => path,
            Binary::Borrowed(path) => path,
        }
    }
}

/// The compiled program of a run: the one that the options name, or one compiled now.
pub(super) async fn binary(
    request: &RunRequest,
    settings: &HostSettings,
    cancel: &CancellationToken,
) -> Result<Binary, Diagnostic> {
    let program = &request.program;
    if let Some(name) = options::text(&program.options, "binary")? {
        return find_binary(name, program, settings).map(Binary::Kept);
    }
    check_exists(program)?;
    if !has_sources(&program.program_directory) {
        return Err(Diagnostic::error(
            "program-missing",
            format!("there are no Go files in '{}'", program.program_directory.display()),
        )
        .with_hint(
            "check `main` in the project file, or name a compiled program as `runtime.options.binary`",
        ));
    }
    if let Some(target) = options::text(&program.options, "buildTarget")? {
        let target = program.root_directory.join(target);
        compile(request, settings, &target, cancel).await?;
        return Ok(Binary::Kept(target));
    }
    let folder = settings.cache_directory.join("go").join(folder_name(&program.program_directory));
    let target = folder.join(if cfg!(windows) { "program.exe" } else { "program" });
    let lock = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || lock(&folder)
    });
    let unusable = |error: std::io::Error| {
        Diagnostic::error("cache-write", format!("'{}' can't be used: {error}", folder.display()))
    };
    // The compiler leaves an up-to-date file alone, so keeping it saves the linking of each run.
    let held = lock.await.map_err(std::io::Error::other).and_then(|lock| lock).map_err(unusable)?;
    compile(request, settings, &target, cancel).await?;
    // Another run may replace the file at any time after this; a link of our own stays what it is.
    let borrowed = borrow(&folder, &target).map_err(unusable)?;
    drop(held);
    Ok(Binary::Borrowed(borrowed))
}

async fn compile(
    request: &RunRequest,
    settings: &HostSettings,
    target: &Path,
    cancel: &CancellationToken,
) -> Result<(), Diagnostic> {
    let invocation =
        Invocation::new(go_tool(settings)?, &request.program.program_directory, settings.environment.clone())
            .args(["build", "-buildvcs=false", "-trimpath", "-ldflags", "-w -s", "-o"])
            .arg(target);
    run_tool("go build", &invocation, &request.events, cancel, settings).await.map_err(
        |mut diagnostic| {
            diagnostic.code = "program-does-not-compile";
            if diagnostic.message.contains("missing go.sum entry")
                || diagnostic.message.contains("go mod tidy")
            {
                return diagnostic.with_hint(format!("run `{} install`", settings.command_name));
            }
            diagnostic
        },
    )?;
    if target.is_file() {
        return Ok(());
    }
    Err(Diagnostic::error("program-does-not-compile", "the compiler made no executable")
        .with_hint("the program must be of package `main`"))
}

fn find_binary(name: &str, program: &ProgramInfo, settings: &HostSettings) -> Result<PathBuf, Diagnostic> {
    let beside = program.root_directory.join(name);
    if beside.is_file() {
        return Ok(beside);
    }
    settings.find_tool(name).ok_or_else(|| {
        Diagnostic::error("program-missing", format!("there is no executable '{}'", beside.display()))
            .with_hint("correct `runtime.options.binary` in the project file, or leave it out to compile the program")
    })
}

fn has_sources(directory: &Path) -> bool {
    std::fs::read_dir(directory)
        .is_ok_and(|entries| entries.flatten().any(|e| e.path().extension().is_some_and(|x| x == "go")))
}

fn folder_name(directory: &Path) -> String {
    hex::encode(&Sha256::digest(directory.as_os_str().as_encoded_bytes())[..12])
}

fn lock(folder: &Path) -> std::io::Result<std::fs::File> {
    std::fs::create_dir_all(folder)?;
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

fn borrow(folder: &Path, target: &Path) -> std::io::Result<tempfile::TempPath> {
    tempfile::Builder::new()
        .prefix("run-")
        .suffix(std::env::consts::EXE_SUFFIX)
        .make_in(folder, |path| {
            std::fs::hard_link(target, path).or_else(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => Err(error),
                _ => std::fs::copy(target, path).map(drop),
            })
        })
        .map(tempfile::NamedTempFile::into_temp_path)
}
