//! The store itself.

use std::collections::BTreeMap;
use std::path::Path;
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

use super::at_once::both;
use super::checkpoint::{self, Stored};
use super::examine;
use super::folder::{Folder, WriterMark};
use super::history;
use super::hold::{Hold, Leftovers};
use super::layout::Layout;
use super::locks::{self, OwnLock};
use super::medium::{Medium, PlaceError};
use super::options::{Compression, DiyOptions, Surroundings};
use super::recent::{Parsed, Recent};
use super::session::DiySession;
use super::tags;
use super::takeover::{self, Folded, Look};
use super::unsent;
use super::upgrade::{self, LegacyStack, UpgradeReport};
use crate::rename::renamed;
use crate::rules::{check_import, check_name, only_the_root_is_left};

/// What all parts of a store share.
pub(crate) struct Inner {
    pub(crate) url: String,
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) layout: Layout,
    pub(crate) options: DiyOptions,
    pub(crate) around: Surroundings,
    pub(crate) writer: WriterMark,
    pub(crate) recent: Recent,
}

/// Stacks in the layout that the ecosystem's self-managed backends have.
#[derive(Clone)]
pub struct DiyStore {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for DiyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiyStore").field("root", &self.inner.medium.place("")).finish_non_exhaustive()
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

impl DiyStore {
    /// The store on a medium. `url` is how the user names it. Refuses another layout.
    pub(crate) fn on(
        url: String,
        medium: Arc<dyn Medium>,
        options: DiyOptions,
        around: Surroundings,
    ) -> Result<DiyStore, StateError> {
        let store = DiyStore::unchecked(url, medium, options, around);
        store.inner.layout.check()?;
        Ok(store)
    }

    /// The store on a medium, whatever its layout is: only to be upgraded.
    pub(crate) fn unchecked(
        url: String,
        medium: Arc<dyn Medium>,
        options: DiyOptions,
        around: Surroundings,
    ) -> DiyStore {
        let layout = Layout::new(Arc::clone(&medium));
        let writer = WriterMark {
            host: around.processes.host_id(),
            pid: around.pid,
            mark: around.processes.mark(around.pid).unwrap_or_default(),
            name: format!("{}@{} (pid {})", around.username, around.hostname, around.pid),
        };
        DiyStore {
            inner: Arc::new(Inner {
                url,
                medium,
                layout,
                options,
                around,
                writer,
                recent: Recent::default(),
            }),
        }
    }

    /// The stacks of the old layout, without projects.
    pub async fn legacy_stacks(&self) -> Result<Vec<LegacyStack>, StateError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || upgrade::list(&inner)).await
    }

    /// Moves stacks of the old layout into the folders of their projects. Those that can't be moved
    /// stay as they are.
    pub async fn upgrade(&self, stacks: Vec<LegacyStack>) -> Result<UpgradeReport, StateError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || upgrade::upgrade(&inner, stacks)).await
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

/// The checkpoint as it is, and whether there are journals that may go on it. `None` if it went away
/// meanwhile.
fn look_at(inner: &Inner, id: &StackId, folder: &Folder) -> Result<Option<(Parsed, bool)>, StateError> {
    let medium = &*inner.medium;
    let not_found = || StateError::NotFound(id.clone());
    if !medium.is_far() {
        let (file, stamp) = inner.layout.find_stamped(id)?.ok_or_else(not_found)?;
        let parsed = inner.recent.read(inner, file, stamp)?;
        return Ok(parsed.map(|parsed| (parsed, true)));
    }
    // Most stacks have the file that they are given now.
    let guess = || match inner.recent.is_empty() {
        true => Stored::read(inner, inner.layout.stack_file(id, inner.options.compression)),
        false => Ok(None),
    };
    let find = || inner.layout.find_stamped(id);
    let (found, (guessed, survey)) = both(medium, find, || both(medium, guess, || folder.survey()));
    let (file, stamp) = found?.ok_or_else(not_found)?;
    let is_it = |stored: &Stored| stored.file == file && stamp.as_ref().is_none_or(|s| *s == stored.stamp);
    let parsed = match guessed {
        Ok(Some(stored)) if is_it(&stored) => Some(inner.recent.take(stored)?),
        _ => inner.recent.read(inner, file, stamp)?,
    };
    let has_journals = survey?.has_journals;
    Ok(parsed.map(|parsed| (parsed, has_journals)))
}

fn load(inner: &Inner, id: &StackId) -> Result<LoadedStack, StateError> {
    const ATTEMPTS: usize = 5;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let folder = Folder::of(inner, id);
        let Some((parsed, has_journals)) = look_at(inner, id, &folder)? else { continue };
        let Parsed { stored, snapshot: base, deployed } = parsed;
        let folded = match has_journals {
            true => takeover::fold(inner, id, &folder, &stored, &base),
            false => Ok(Folded::default()),
        };
        // A writer may have put a new checkpoint in place while we were reading, and forgotten what is in
        // it.
        if has_journals && stored.is_replaced(inner)? {
            last = folded.err();
            continue;
        }
        let snapshot = folded?.snapshot;
        let recovered = snapshot.is_some();
        let snapshot = snapshot.map_or(base, Arc::new);
        return Ok(LoadedStack { snapshot, deployed: deployed || recovered, recovered });
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
    let stored = Stored::read(inner, file).ok().flatten();
    let head = stored.and_then(|stored| serde_json::from_str::<Head>(stored.text()).ok());
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
    inner.medium.ready()?;
    // What was cut off while it made the stack has left its lock, and no epoch.
    let (left_over, others): (Vec<_>, Vec<_>) =
        locks::list(inner, id)?.into_iter().partition(|lock| lock.is_left_over(inner));
    if !others.is_empty() {
        return Err(locks::refusal(inner, &others.iter().collect::<Vec<_>>()));
    }
    let own = OwnLock { epoch: 0, writer: inner.writer.clone() };
    let lock = locks::take(inner, id, Some(own))?;
    let created = (|| {
        let mut others = locks::list(inner, id)?;
        others.retain(|other| other.key != lock && !other.is_left_over(inner));
        if !others.is_empty() {
            return Err(locks::refusal(inner, &others.iter().collect::<Vec<_>>()));
        }
        if inner.layout.find(id)?.is_some() {
            return Err(StateError::Exists(id.clone()));
        }
        inner.layout.mark()?;
        Folder::of(inner, id).clear(inner)?;
        let new = checkpoint::draft(inner, id, None, false)?;
        place_new(inner, id, new)?;
        left_over.iter().try_for_each(|lock| locks::release(inner, &lock.key))
    })();
    locks::release(inner, &lock)?;
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
    if removed.is_err() { hold.let_go().and(removed) } else { hold.release_removed() }
}

/// Puts the checkpoint of a stack in place that isn't there yet.
fn place_new(inner: &Inner, id: &StackId, new: checkpoint::NewCheckpoint) -> Result<(), StateError> {
    match checkpoint::put(inner, None, new, true) {
        Ok(_) => Ok(()),
        Err(PlaceError::Changed) => Err(StateError::Exists(id.clone())),
        Err(PlaceError::Failed(error)) => Err(error),
    }
}

/// Removes the files of a stack, but for its backups, and its folder last.
fn remove_files(inner: &Inner, id: &StackId, hold: &Hold) -> Result<(), StateError> {
    hold.journal.announce("")?;
    let stored = hold.stored();
    checkpoint::keep_as_backup(inner, &stored.file)?;
    inner.medium.remove(&stored.file.key)?;
    inner.medium.remove(&inner.layout.tags(id))?;
    inner.medium.remove_folder(&inner.layout.history(id))?;
    inner.medium.remove_folder(&inner.layout.own(id))
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
        place_new(inner, new, draft)?;
        history::rename(inner, id, new)?;
        inner.medium.rename(&inner.layout.tags(id), &inner.layout.tags(new))?;
        remove_files(inner, id, &hold)
    })();
    if done.is_err() { hold.let_go().and(done) } else { hold.release_removed() }
}

fn cancel(inner: &Arc<Inner>, id: &StackId) -> Result<CancelReport, StateError> {
    let locks = locks::list(inner, id)?;
    let mut report = CancelReport {
        locks_removed: locks.iter().map(|lock| lock.describe(inner)).collect(),
        ..CancelReport::default()
    };
    let keys: Vec<String> = locks.iter().map(|lock| lock.key.clone()).collect();
    let ours = locks.iter().any(|lock| lock.content.purlin.is_some());
    if !ours && !Folder::of(inner, id).exists()? {
        // Nobody of ours ever wrote here.
        if inner.layout.find(id)?.is_none() && keys.is_empty() {
            return Err(StateError::NotFound(id.clone()));
        }
        keys.iter().try_for_each(|key| locks::release(inner, key))?;
        return Ok(report);
    }
    if inner.layout.find(id)?.is_none() && !keys.is_empty() {
        // Locks of a stack that is gone: its journals, if any, wait for a stack to go on.
        keys.iter().try_for_each(|key| locks::release(inner, key))?;
        return Ok(report);
    }
    let hold = Hold::seize(inner, id, keys)?;
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
    let recorded =
        history::next_names(inner, id).and_then(|names| history::record(inner, id, &names, &file, &entry));
    hold.release()?;
    recorded.map_err(history::not_recorded)
}

/// Brings in entries that a store did not take.
fn submit(inner: &Arc<Inner>, id: &StackId, file: &Path) -> Result<Vec<String>, StateError> {
    let unsent = unsent::read(file)?;
    unsent.refuse_other(inner, id)?;
    let hold = Hold::acquire(inner, id, Leftovers::Submit)?;
    let done = (|| {
        // Taking the stack may have found their journal, and folded them in with it.
        if !file.exists() {
            return Ok(Vec::new());
        }
        let mut snapshot = hold.base.snapshot.as_ref().clone();
        let lines = unsent.submit(0, &mut snapshot);
        refuse_if_invalid(&snapshot).map_err(StateError::Unusable)?;
        snapshot.time = inner.around.clock.now();
        hold.replace(Some(&snapshot))?;
        unsent.remove();
        Ok(lines)
    })();
    match done {
        Ok(lines) => hold.release().map(|()| lines),
        Err(error) => hold.let_go().and(Err(error)),
    }
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
impl StateStore for DiyStore {
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
            Ok(Arc::new(DiySession::start(hold, info)) as Arc<dyn UpdateSession>)
        })
        .await
    }

    async fn cancel(&self, id: &StackId) -> Result<CancelReport, StateError> {
        self.with(id, cancel).await
    }

    async fn submit(&self, id: &StackId, file: &Path) -> Result<Vec<String>, StateError> {
        let file = file.to_owned();
        self.with(id, move |inner, id| submit(inner, id, &file)).await
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
                let look = Look::now(inner, id, &folder)?;
                takeover::wait_until_free(inner, id, &folder, look)?;
                inner.medium.set_journals_aside(&folder)
            })
        })
        .await
    }

    async fn remove_backups(&self, id: &StackId) -> Result<(), StateError> {
        self.with(id, |inner, id| {
            for compression in Compression::ALL {
                inner.medium.remove(&format!("{}.bak", inner.layout.stack_file(id, compression).key))?;
            }
            inner.medium.remove_folder(&inner.layout.backups(id))
        })
        .await
    }
}
