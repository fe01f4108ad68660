//! The store itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_formats::{ParseOptions, export_deployment, parse_deployment};
use purlin_journal::refuse_if_invalid;
use purlin_model::Snapshot;
use purlin_ports::{
    CancelReport, HistoryEntry, LoadedStack, StackId, StackSummary, StateError, StateStore, UpdateInfo,
    UpdateOutcome, UpdateSession,
};

use super::checkpoint::{self, Stored};
use super::examine;
use super::files::{self, Doing as _};
use super::folder::{Folder, WriterMark};
use super::history;
use super::hold::{Hold, Leftovers};
use super::layout::Layout;
use super::locks;
use super::options::{DirectoryOptions, Surroundings};
use super::session::DirectorySession;
use super::tags;
use super::takeover;
use crate::rename::renamed;
use crate::rules::{check_import, check_name, only_the_root_is_left};

/// What all parts of a store share.
pub(crate) struct Inner {
    pub(crate) url: String,
    pub(crate) layout: Layout,
    pub(crate) options: DirectoryOptions,
    pub(crate) around: Surroundings,
    pub(crate) writer: WriterMark,
}

impl Inner {
    /// A name that no other file has.
    pub(crate) fn token(&self) -> String {
        self.around.entropy.uuid()
    }
}

/// Stacks in a directory.
#[derive(Clone)]
pub struct DirectoryStore {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for DirectoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectoryStore").field("root", &self.inner.layout.root()).finish_non_exhaustive()
    }
}

/// Does work that blocks, off the threads of the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(StateError::Store(Diagnostic::error("store-thread", format!("the store failed: {error}"))))
    })
}

impl DirectoryStore {
    /// The store in a directory. `url` is how the user names it; see
    /// [`directory_of_url`](super::directory_of_url). Refuses directories with another layout.
    pub fn open(
        url: impl Into<String>,
        directory: PathBuf,
        options: DirectoryOptions,
        around: Surroundings,
    ) -> Result<DirectoryStore, StateError> {
        let layout = Layout::new(directory);
        layout.check()?;
        let writer = WriterMark {
            host: around.processes.host_id(),
            pid: around.pid,
            mark: around.processes.mark(around.pid).unwrap_or_default(),
            name: format!("{}@{} (pid {})", around.username, around.hostname, around.pid),
        };
        Ok(DirectoryStore { inner: Arc::new(Inner { url: url.into(), layout, options, around, writer }) })
    }

    fn with<T: Send + 'static>(
        &self,
        id: &StackId,
        work: impl FnOnce(&Arc<Inner>, &StackId) -> Result<T, StateError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StateError>> + Send {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        blocking(move || {
            check_name(&id)?;
            work(&inner, &id)
        })
    }
}

fn remove_folder(path: PathBuf) -> Result<(), StateError> {
    files::found(fs::remove_dir_all(&path)).doing("remove", &path).map(drop)
}

fn load(inner: &Inner, id: &StackId) -> Result<LoadedStack, StateError> {
    const ATTEMPTS: usize = 5;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let file = inner.layout.find(id)?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        let path = file.path.clone();
        let result = Stored::read(file).and_then(|stored| {
            let checkpoint = stored.parse()?;
            let base = Arc::new(checkpoint.snapshot);
            let folded = takeover::fold(&Folder::of(inner, id), &stored, &base);
            Ok((stored.stamp, checkpoint.deployed, base, folded))
        });
        match result {
            Ok((_, deployed, base, Ok(None))) => {
                return Ok(LoadedStack { snapshot: base, deployed, recovered: false });
            }
            Ok((_, _, _, Ok(Some(folded)))) => {
                return Ok(LoadedStack { snapshot: Arc::new(folded), deployed: true, recovered: true });
            }
            Ok((stamp, _, _, Err(error))) => {
                // A writer may have put a new checkpoint in place while we were reading.
                let now = files::found(fs::metadata(&path)).doing("look at", &path)?;
                if now.is_some_and(|now| files::Stamp::of(&now) == stamp) {
                    return Err(error);
                }
                last = Some(error);
            }
            Err(StateError::Store(_)) if !path.exists() => {}
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| StateError::NotFound(id.clone())))
}

fn summary(inner: &Inner, id: StackId) -> Option<StackSummary> {
    #[derive(serde::Deserialize)]
    struct Head {
        checkpoint: Option<Part>,
    }
    #[derive(serde::Deserialize)]
    struct Part {
        latest: Option<Latest>,
    }
    #[derive(serde::Deserialize)]
    struct Latest {
        manifest: Option<Manifest>,
        #[serde(default)]
        resources: Option<Vec<serde::de::IgnoredAny>>,
    }
    #[derive(serde::Deserialize)]
    struct Manifest {
        time: Option<String>,
    }
    // A stack that went away meanwhile is not in the list; one that can't be read is, bare.
    let file = inner.layout.find(&id).ok()??;
    let head = Stored::read(file).ok().and_then(|stored| serde_json::from_str::<Head>(stored.text()).ok());
    let latest = head.and_then(|head| head.checkpoint?.latest);
    let time = latest.as_ref().and_then(|latest| latest.manifest.as_ref()?.time.clone());
    Some(StackSummary {
        id,
        last_update: time.filter(|time| !time.starts_with("0001-")),
        resource_count: latest.map(|latest| latest.resources.map_or(0, |resources| resources.len())),
    })
}

fn create(inner: &Inner, id: &StackId) -> Result<(), StateError> {
    inner.layout.check()?;
    let others = locks::list(inner, id)?;
    if !others.is_empty() {
        return Err(locks::refusal(inner, &others.iter().collect::<Vec<_>>()));
    }
    let lock = locks::take(inner, id, None)?;
    let created = (|| {
        let others: Vec<_> = locks::list(inner, id)?.into_iter().filter(|other| other.path != lock).collect();
        if !others.is_empty() {
            return Err(locks::refusal(inner, &others.iter().collect::<Vec<_>>()));
        }
        if inner.layout.find(id)?.is_some() {
            return Err(StateError::Exists(id.clone()));
        }
        inner.layout.mark(&inner.token())?;
        Folder::of(inner, id).clear(inner)?;
        let new = checkpoint::draft(inner, id, None, false)?;
        checkpoint::put(inner, id, None, new).map(drop)
    })();
    locks::release(&lock)?;
    created
}

fn remove(inner: &Arc<Inner>, id: &StackId, force: bool) -> Result<(), StateError> {
    let hold = Hold::acquire(inner, id, if force { Leftovers::SetAside } else { Leftovers::Recover })?;
    let removed = (|| {
        if !force && !only_the_root_is_left(&hold.base.snapshot) {
            return Err(StateError::NotEmpty(id.clone()));
        }
        remove_files(inner, id, &hold)
    })();
    if removed.is_err() { hold.let_go().and(removed) } else { hold.release() }
}

/// Removes the files of a stack, but for its backups, and its folder last.
fn remove_files(inner: &Inner, id: &StackId, hold: &Hold) -> Result<(), StateError> {
    let file = &hold.stored.file.path;
    checkpoint::keep_as_backup(inner, &hold.stored.file)?;
    files::remove(file).doing("remove", file)?;
    let tags = inner.layout.tags(id);
    files::remove(&tags).doing("remove", &tags)?;
    remove_folder(inner.layout.history(id))?;
    remove_folder(inner.layout.own(id))
}

fn rename(inner: &Arc<Inner>, id: &StackId, new: &StackId) -> Result<(), StateError> {
    check_name(new)?;
    if inner.layout.find(new)?.is_some() {
        return Err(StateError::Exists(new.clone()));
    }
    let hold = Hold::acquire(inner, id, Leftovers::Recover)?;
    if hold.is_unwritten() {
        let refusal = refuse_if_invalid(&hold.base.snapshot).map_err(StateError::Unusable);
        return hold.let_go().and(refusal);
    }
    let done = (|| {
        let snapshot = hold.base.deployed.then(|| renamed(&hold.base.snapshot, id, new));
        Folder::of(inner, new).clear(inner)?;
        let draft = checkpoint::draft(inner, new, snapshot.as_ref(), false)?;
        checkpoint::put(inner, new, None, draft)?;
        history::rename(inner, id, new)?;
        let (tags, new_tags) = (inner.layout.tags(id), inner.layout.tags(new));
        files::found(fs::rename(&tags, new_tags)).doing("rename", &tags)?;
        remove_files(inner, id, &hold)
    })();
    if done.is_err() { hold.let_go().and(done) } else { hold.release() }
}

fn cancel(inner: &Arc<Inner>, id: &StackId) -> Result<CancelReport, StateError> {
    let locks = locks::list(inner, id)?;
    let mut report = CancelReport {
        locks_removed: locks.iter().map(|lock| lock.describe(inner)).collect(),
        ..CancelReport::default()
    };
    let paths: Vec<PathBuf> = locks.iter().map(|lock| lock.path.clone()).collect();
    let ours = locks.iter().any(|lock| lock.content.purlin.is_some());
    if !ours && !Folder::of(inner, id).exists() {
        // Nobody of ours ever wrote here.
        if inner.layout.find(id)?.is_none() && paths.is_empty() {
            return Err(StateError::NotFound(id.clone()));
        }
        paths.iter().try_for_each(|path| locks::release(path))?;
        return Ok(report);
    }
    if inner.layout.find(id)?.is_none() && !paths.is_empty() {
        // Locks of a stack that is gone: its journals, if any, wait for a stack to go on.
        paths.iter().try_for_each(|path| locks::release(path))?;
        return Ok(report);
    }
    let hold = Hold::seize(inner, id, paths)?;
    if hold.is_unwritten() {
        refuse_if_invalid(&hold.base.snapshot).map_err(StateError::Unusable)?;
    }
    report.recovered = hold.base.recovered;
    report.pending_operations = hold.base.snapshot.pending_operations.len();
    hold.release()?;
    Ok(report)
}

fn import(
    inner: &Arc<Inner>,
    id: &StackId,
    text: &str,
    force: bool,
    info: UpdateInfo,
) -> Result<(), StateError> {
    let start_time = inner.around.clock.unix_seconds();
    let source: Arc<str> = text.into();
    let options = ParseOptions { check_magic: !force };
    let parsed = parse_deployment(&source, options).map_err(StateError::Unusable)?;
    let snapshot = check_import(id, parsed, force)?;
    let hold = Hold::acquire(inner, id, if force { Leftovers::SetAside } else { Leftovers::Recover })?;
    let file = match hold.replace(snapshot.as_ref()) {
        Ok(file) => file,
        Err(error) => return hold.let_go().and(Err(error)),
    };
    let entry = HistoryEntry {
        version: 0,
        has_state: true,
        info,
        outcome: UpdateOutcome { succeeded: true, ..UpdateOutcome::default() },
        start_time,
        end_time: inner.around.clock.unix_seconds(),
    };
    let recorded = history::record(inner, id, &file, &entry);
    hold.release()?;
    recorded.map_err(history::not_recorded)
}

/// Acts on a stack that is there.
fn existing<T>(
    inner: &Inner,
    id: &StackId,
    act: impl FnOnce() -> Result<T, StateError>,
) -> Result<T, StateError> {
    if inner.layout.find(id)?.is_none() {
        return Err(StateError::NotFound(id.clone()));
    }
    act()
}

#[async_trait]
impl StateStore for DirectoryStore {
    fn url(&self) -> &str {
        &self.inner.url
    }

    async fn list(&self, project: Option<&str>) -> Result<Vec<StackSummary>, StateError> {
        let (inner, project) = (Arc::clone(&self.inner), project.map(str::to_owned));
        blocking(move || {
            let ids = inner.layout.list(project.as_deref())?;
            Ok(ids.into_iter().filter_map(|id| summary(&inner, id)).collect())
        })
        .await
    }

    async fn create(&self, id: &StackId) -> Result<(), StateError> {
        self.with(id, |inner, id| create(inner, id)).await
    }

    async fn load(&self, id: &StackId) -> Result<LoadedStack, StateError> {
        self.with(id, |inner, id| load(inner, id)).await
    }

    async fn remove(&self, id: &StackId, force: bool) -> Result<(), StateError> {
        self.with(id, move |inner, id| remove(inner, id, force)).await
    }

    async fn rename(&self, id: &StackId, new: &StackId) -> Result<(), StateError> {
        let new = new.clone();
        self.with(id, move |inner, id| rename(inner, id, &new)).await
    }

    async fn begin(&self, id: &StackId, info: UpdateInfo) -> Result<Arc<dyn UpdateSession>, StateError> {
        self.with(id, move |inner, id| {
            let hold = Hold::acquire(inner, id, Leftovers::Recover)?;
            Ok(Arc::new(DirectorySession::start(hold, info)) as Arc<dyn UpdateSession>)
        })
        .await
    }

    async fn cancel(&self, id: &StackId) -> Result<CancelReport, StateError> {
        self.with(id, cancel).await
    }

    async fn history(&self, id: &StackId) -> Result<Vec<HistoryEntry>, StateError> {
        self.with(id, |inner, id| history::read(inner, id)).await
    }

    async fn export(&self, id: &StackId) -> Result<String, StateError> {
        self.with(id, |inner, id| {
            let loaded = load(inner, id)?;
            let snapshot = loaded.deployed.then_some(&*loaded.snapshot);
            export_deployment(snapshot).map_err(|error| StateError::Unusable(error.diagnostic()))
        })
        .await
    }

    async fn load_version(&self, id: &StackId, version: u64) -> Result<LoadedStack, StateError> {
        self.with(id, move |inner, id| existing(inner, id, || history::state(inner, id, version))).await
    }

    async fn add_history(
        &self,
        id: &StackId,
        entry: &HistoryEntry,
        state: Option<&Snapshot>,
    ) -> Result<(), StateError> {
        let (entry, state) = (entry.clone(), state.cloned());
        let add = move |inner: &Arc<Inner>, id: &StackId| {
            existing(inner, id, || history::add(inner, id, &entry, state.as_ref()))
        };
        self.with(id, add).await
    }

    async fn import(
        &self,
        id: &StackId,
        text: &str,
        force: bool,
        info: UpdateInfo,
    ) -> Result<(), StateError> {
        let text = text.to_owned();
        self.with(id, move |inner, id| import(inner, id, &text, force, info)).await
    }

    async fn tags(&self, id: &StackId) -> Result<BTreeMap<String, String>, StateError> {
        self.with(id, |inner, id| existing(inner, id, || tags::read(inner, id))).await
    }

    async fn set_tags(&self, id: &StackId, tags: &BTreeMap<String, String>) -> Result<(), StateError> {
        let tags = tags.clone();
        self.with(id, move |inner, id| existing(inner, id, || tags::write(inner, id, &tags))).await
    }

    async fn examine(&self, id: &StackId) -> Result<Vec<Diagnostic>, StateError> {
        self.with(id, examine::examine).await
    }

    async fn set_journals_aside(&self, id: &StackId) -> Result<Vec<String>, StateError> {
        self.with(id, |inner, id| {
            existing(inner, id, || {
                let folder = Folder::of(inner, id);
                takeover::wait_until_free(inner, id, &folder)?;
                let aside = folder.set_journals_aside()?;
                Ok(aside.iter().map(|path| path.display().to_string()).collect())
            })
        })
        .await
    }

    async fn remove_backups(&self, id: &StackId) -> Result<(), StateError> {
        self.with(id, |inner, id| {
            for compression in super::Compression::ALL {
                let mut backup = inner.layout.stack_file(id, compression).path.into_os_string();
                backup.push(".bak");
                files::remove(backup.as_ref()).doing("remove", backup.as_ref())?;
            }
            remove_folder(inner.layout.backups(id))
        })
        .await
    }
}
