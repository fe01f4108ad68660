//! Holding a stack: its lock and its epoch, from taking to release.

use std::path::PathBuf;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_journal::refuse_if_invalid;
use purlin_model::Snapshot;
use purlin_ports::{LoadedStack, StackId, StateError};

use super::checkpoint::{self, Stored};
use super::files::{self, Doing as _, Stamp};
use super::folder::{FinishRecord, Folder, Lease, write_json};
use super::layout::StackFile;
use super::locks::{self, OwnLock};
use super::store::Inner;
use super::takeover;

/// What to do with what a dead writer left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// Fold it into the checkpoint.
    Recover,
    /// Leave it where it is, and set it aside when the checkpoint is replaced.
    SetAside,
}

/// A stack that nobody else may change.
pub(crate) struct Hold {
    pub(crate) inner: Arc<Inner>,
    pub(crate) id: StackId,
    pub(crate) folder: Folder,
    pub(crate) epoch: u64,
    pub(crate) incarnation: String,
    pub(crate) stored: Arc<Stored>,
    pub(crate) base: LoadedStack,
    /// Our own lock, if one was taken.
    lock: Option<PathBuf>,
    /// Locks of writers that are dead.
    dead: Vec<PathBuf>,
    /// Whether the base is in journals that the checkpoint does not have yet, because as a
    /// checkpoint it would be invalid.
    unwritten: bool,
    /// What to do with journals that were left behind.
    leftovers: Leftovers,
}

impl Hold {
    /// Takes a stack that nobody else is changing.
    pub(crate) fn acquire(
        inner: &Arc<Inner>,
        id: &StackId,
        leftovers: Leftovers,
    ) -> Result<Hold, StateError> {
        let file = inner.layout.find(id)?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        let folder = Folder::of(inner, id);
        let dead = takeover::wait_until_free(inner, id, &folder)?;
        let leases = folder.leases()?;
        let (lock, epoch, incarnation) = claim(inner, id, &folder, &dead, &leases)?;
        takeover::end_processes(inner, &leases);
        let held = Held { inner, id, folder, epoch, incarnation, lock: Some(lock), dead };
        held.open(file, leftovers)
    }

    /// Takes a stack from whoever is changing it. Makes no lock, and leaves those that are there to
    /// [`Hold::release`].
    pub(crate) fn seize(inner: &Arc<Inner>, id: &StackId, locks: Vec<PathBuf>) -> Result<Hold, StateError> {
        let file = inner.layout.find(id)?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        // What can't be read can't be recovered: nobody is to lose the stack for it.
        Stored::read(file.clone())?.parse()?;
        let folder = Folder::of(inner, id);
        let leases = folder.leases()?;
        let fence = folder.fence(inner)?;
        let (epoch, incarnation) = folder.raise(inner, &fence)?;
        drop(fence);
        takeover::end_processes(inner, &leases);
        let held = Held { inner, id, folder, epoch, incarnation, lock: None, dead: locks };
        held.open(file, Leftovers::Recover)
    }

    /// Folds in what was left behind.
    fn recover(&mut self) -> Result<(), StateError> {
        let Some(mut folded) = takeover::fold(&self.folder, &self.stored, &self.base.snapshot)? else {
            return self.folder.drop_journals(self.epoch);
        };
        if !self.inner.options.disable_integrity_checks && refuse_if_invalid(&folded).is_err() {
            // The journals stay until somebody repairs the state.
            self.unwritten = true;
            self.base = LoadedStack { snapshot: Arc::new(folded), deployed: true, recovered: true };
            return Ok(());
        }
        folded.time = self.inner.around.clock.now();
        let file = self.replace(Some(&folded))?;
        self.stored = Arc::new(Stored::read(file)?);
        let snapshot = Arc::new(self.stored.parse()?.snapshot);
        self.base = LoadedStack { snapshot, deployed: true, recovered: true };
        Ok(())
    }

    /// Whether the base can't be written as it is.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.unwritten
    }

    /// Replaces the checkpoint that was found, unless somebody else did so or took the stack over,
    /// and drops the journals. `None` is a stack that was never deployed.
    pub(crate) fn replace(&self, snapshot: Option<&Snapshot>) -> Result<StackFile, StateError> {
        let inner = &self.inner;
        let has_journals = !self.folder.segments()?.is_empty();
        let new = checkpoint::draft(inner, &self.id, snapshot, has_journals)?;
        if has_journals {
            // Should we die between putting the checkpoint in place and dropping the journals, this
            // tells that they are in it.
            let record = FinishRecord { result: new.sha256.clone() };
            let path = self.folder.finish_file(self.epoch);
            let text = serde_json::to_vec(&record).map_err(std::io::Error::from).doing("write", &path)?;
            files::write_whole(&path, &text, &inner.token(), true).doing("write", &path)?;
        }
        let fence = self.folder.fence(inner)?;
        if !self.folder.is_current(self.epoch) {
            return Err(self.folder.fenced());
        }
        self.refuse_changed()?;
        let file = checkpoint::put(inner, &self.id, Some(&self.stored.file), new)?;
        drop(fence);
        if self.leftovers == Leftovers::SetAside {
            self.folder.set_journals_aside()?;
        }
        self.folder.drop_journals(self.epoch)?;
        Ok(file)
    }

    /// Refuses if the checkpoint is not the one that was read.
    fn refuse_changed(&self) -> Result<(), StateError> {
        let found = self.inner.layout.find(&self.id)?;
        let unchanged = match &found {
            Some(file) if *file == self.stored.file => {
                let metadata = std::fs::metadata(&file.path).doing("look at", &file.path)?;
                Stamp::of(&metadata) == self.stored.stamp
                    || Stored::read(file.clone())?.sha256() == self.stored.sha256()
            }
            _ => false,
        };
        if unchanged {
            return Ok(());
        }
        let path = self.stored.file.path.display();
        let message =
            format!("{path} was changed by somebody else while this operation ran; it was left as it is");
        Err(StateError::Unusable(Diagnostic::error("state-changed", message).with_hint(
            "what this operation did is in its journal: the next command lists what the checkpoint lacks",
        )))
    }

    /// Gives the stack free. While there are journals that the checkpoint lacks, the locks of their
    /// writers stay: they keep others from writing.
    pub(crate) fn release(&self) -> Result<(), StateError> {
        let journals_left = self.unwritten && !self.folder.segments()?.is_empty();
        if !journals_left {
            for lock in &self.dead {
                locks::release(lock)?;
            }
        }
        self.folder.drop_leases(if journals_left { 0 } else { self.epoch })?;
        self.let_go()
    }

    /// Removes the locks and leases of dead writers.
    fn forget_the_dead(&mut self) -> Result<(), StateError> {
        for lock in self.dead.drain(..) {
            locks::release(&lock)?;
        }
        self.folder.drop_leases(self.epoch - 1)
    }

    /// Removes our own lock and lease, and nothing else.
    pub(crate) fn let_go(&self) -> Result<(), StateError> {
        let lease = self.folder.lease_file(self.epoch);
        files::remove(&lease).doing("remove", &lease)?;
        self.lock.as_ref().map_or(Ok(()), |lock| locks::release(lock))
    }
}

/// The parts of a [`Hold`] before the checkpoint is read.
struct Held<'a> {
    inner: &'a Arc<Inner>,
    id: &'a StackId,
    folder: Folder,
    epoch: u64,
    incarnation: String,
    lock: Option<PathBuf>,
    dead: Vec<PathBuf>,
}

impl Held<'_> {
    fn open(self, file: StackFile, leftovers: Leftovers) -> Result<Hold, StateError> {
        let (lock, lease) = (self.lock.clone(), self.folder.lease_file(self.epoch));
        let opened = self.read(file, leftovers).and_then(|mut hold| {
            if leftovers == Leftovers::Recover {
                hold.recover()?;
                // What the dead wrote is in the checkpoint now.
                if hold.lock.is_some() && !hold.unwritten {
                    hold.forget_the_dead()?;
                }
            }
            Ok(hold)
        });
        if opened.is_err() {
            // The error matters more than what can't be cleaned up.
            let _ = files::remove(&lease);
            let _ = lock.map(|lock| locks::release(&lock));
        }
        opened
    }

    fn read(self, file: StackFile, leftovers: Leftovers) -> Result<Hold, StateError> {
        // A writer may have put another file in place before we had the lock.
        let file = self.inner.layout.find(self.id)?.unwrap_or(file);
        let stored = Arc::new(Stored::read(file)?);
        let (snapshot, deployed) = match stored.parse() {
            Ok(checkpoint) => (checkpoint.snapshot, checkpoint.deployed),
            // It is to be replaced or removed by force.
            Err(_) if leftovers == Leftovers::SetAside => (Snapshot::default(), true),
            Err(error) => return Err(error),
        };
        Ok(Hold {
            inner: Arc::clone(self.inner),
            id: self.id.clone(),
            folder: self.folder,
            epoch: self.epoch,
            incarnation: self.incarnation,
            stored,
            base: LoadedStack { snapshot: Arc::new(snapshot), deployed, recovered: false },
            lock: self.lock,
            dead: self.dead,
            unwritten: false,
            leftovers,
        })
    }
}

/// Takes the lock and begins an epoch, if nobody came in between since the stack was found free.
fn claim(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    dead: &[PathBuf],
    leases: &[(u64, Lease)],
) -> Result<(PathBuf, u64, String), StateError> {
    let fence = folder.fence(inner)?;
    let came = |own: Option<&PathBuf>| -> Result<(), StateError> {
        let locks = locks::list(inner, id)?;
        let others: Vec<_> =
            locks.iter().filter(|lock| !dead.contains(&lock.path) && own != Some(&lock.path)).collect();
        if others.is_empty() { Ok(()) } else { Err(locks::refusal(inner, &others)) }
    };
    came(None)?;
    if folder.leases()? != leases {
        // Somebody is showing signs of life after all.
        let all = locks::list(inner, id)?;
        return Err(locks::refusal(inner, &all.iter().collect::<Vec<_>>()));
    }
    let (epoch, incarnation) = folder.raise(inner, &fence)?;
    let lease = Lease { beat: 0, writer: inner.writer.clone(), processes: Vec::new() };
    let lease_file = folder.lease_file(epoch);
    write_json(&lease_file, &lease, &inner.token())?;
    let own = OwnLock { epoch, writer: inner.writer.clone() };
    let lock = locks::take(inner, id, Some(own))?;
    // Writers of other programs know nothing of the fence.
    if let Err(error) = came(Some(&lock)) {
        locks::release(&lock)?;
        files::remove(&lease_file).doing("remove", &lease_file)?;
        return Err(error);
    }
    Ok((lock, epoch, incarnation))
}
