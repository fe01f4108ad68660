//! Getting a missing plugin: download, check, unpack, put in its place.
//!
//! The archive goes to a temporary file beside the cache's folders while its hash is computed; only
//! when the hash is right it is unpacked, into a temporary folder that is renamed at the end. One
//! process installs a plugin at a time (`<folder>.lock`); what is not finished is marked
//! (`<folder>.partial`), and every engine of the ecosystem understands both marks.

mod fetch;
mod sources;
mod unpack;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::EventSink;
use rustix::fs::{FlockOperation, flock};

use crate::discovery::{PluginQuery, cache_folder, program_in, sidecar};
use crate::settings::PluginSettings;
use fetch::Fetcher;

pub use unpack::unpack_tar_gz;

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct InstallRequest {
    /// The plugin. Without a version the latest one is taken.
    pub query: PluginQuery,
    /// Where to download it from; empty for the usual places.
    pub download_url: String,
    /// SHA-256 of the archive by `os-arch`; empty if nobody knows them.
    pub checksums: BTreeMap<String, Vec<u8>>,
}

/// The operating system and the processor, as names of archives have them.
pub fn platform() -> (&'static str, &'static str) {
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    (os, arch)
}

/// Downloads a plugin into the cache, unless it is there already. Gives its folder.
pub async fn install(
    request: InstallRequest,
    settings: &PluginSettings,
    events: Arc<dyn EventSink>,
) -> Result<PathBuf, Diagnostic> {
    let fetcher = Fetcher::new(settings, events)?;
    let mut request = request;
    if request.query.version.is_none() {
        let latest = fetcher.latest_version(&request.query, &request.download_url).await;
        let version = latest.map_err(|tried| cant_download(&request, settings, &tried))?;
        request.query.version = Some(version);
    }
    let name = request.query.cache_name().unwrap_or_default();
    let folder = cache_folder(settings).join(name);
    let lock = lock(&folder).await?;
    let partial = sidecar(&folder, ".partial");
    if folder.is_dir() && !partial.exists() {
        return Ok(folder);
    }
    let archive = sidecar(&folder, ".download");
    let fetched = fetcher.download(&request, &archive).await;
    let placed = match fetched {
        Ok(()) => place(archive.clone(), folder.clone(), request.query.clone()).await,
        Err(fetch::Failure::Fatal(diagnostic)) => Err(*diagnostic),
        Err(fetch::Failure::Tried(tried)) => Err(cant_download(&request, settings, &tried)),
    };
    let _ = fs::remove_file(&archive);
    drop(lock);
    placed.map(|()| folder)
}

fn io_error(path: &Path, what: &str, error: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error("plugin-install-io", format!("{} can't be {what}: {error}", path.display()))
        .with_hint("check that the disk has room and that the folder of plugins is yours")
}

/// Waits for the lock of a plugin's folder. It is released when the file is closed.
async fn lock(folder: &Path) -> Result<File, Diagnostic> {
    let path = sidecar(folder, ".lock");
    let work = move || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| io_error(parent, "made", e))?;
        }
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|e| io_error(&path, "opened", e))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| io_error(&path, "locked", e))?;
        Ok(file)
    };
    blocking(work).await
}

/// Unpacks an archive and puts it in its place.
async fn place(archive: PathBuf, folder: PathBuf, query: PluginQuery) -> Result<(), Diagnostic> {
    let work = move || {
        let partial = sidecar(&folder, ".partial");
        fs::write(&partial, "").map_err(|e| io_error(&partial, "written", e))?;
        // Only the holder of the lock makes this folder, so one name is enough; no engine takes
        // folders with this ending for plugins.
        let temporary = sidecar(&folder, ".tmp0");
        for old in [&temporary, &folder] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(|e| io_error(old, "removed", e))?;
            }
        }
        fs::create_dir(&temporary).map_err(|e| io_error(&temporary, "made", e))?;
        let done = File::open(&archive)
            .map_err(|e| io_error(&archive, "opened", e))
            .and_then(|file| unpack_tar_gz(file, &temporary))
            .and_then(|()| match program_in(&temporary, &query) {
                Some(_) => Ok(()),
                None => Err(Diagnostic::error(
                    "plugin-archive-wrong",
                    format!("the archive of the {} holds no {}", query.describe(), query.file_name()),
                )
                .with_hint("check the download URL of the plugin")),
            })
            .and_then(|()| fs::rename(&temporary, &folder).map_err(|e| io_error(&folder, "put in place", e)));
        if done.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        let _ = fs::remove_file(&partial);
        done
    };
    blocking(work).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Diagnostic> + Send + 'static,
) -> Result<T, Diagnostic> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Diagnostic::error("plugin-install-io", format!("the installation was stopped: {e}")))
    })
}

fn cant_download(request: &InstallRequest, settings: &PluginSettings, tried: &[String]) -> Diagnostic {
    let (os, arch) = platform();
    let query = &request.query;
    let mut message = format!("the {} can't be downloaded for {os}-{arch}", query.describe());
    for attempt in tried {
        message.push_str("\n  ");
        message.push_str(attempt);
    }
    Diagnostic::error("plugin-download", message).with_hint(by_hand(query, settings))
}

/// How to install a plugin without a download.
pub(crate) fn by_hand(query: &PluginQuery, settings: &PluginSettings) -> String {
    let version = query.version.as_ref().map_or_else(|| "<version>".to_owned(), ToString::to_string);
    format!(
        "put the executable {} on the search path, or unpack its archive into {}",
        query.file_name(),
        cache_folder(settings).join(format!("{}-{}-v{version}", query.kind.as_str(), query.name)).display()
    )
}
