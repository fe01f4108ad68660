//! Holding a stack: its lock and its epoch, from taking to release.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_formats::Checkpoint;
use purlin_journal::refuse_if_invalid;
use purlin_model::Snapshot;
use purlin_ports::{LoadedStack, StackId, StateError};

use super::at_once::{Task, all, both};
use super::checkpoint::{self, NewCheckpoint, Stored};
use super::folder::{Epoch, Folder, Lease, Recovered};
use super::layout::StackFile;
use super::locks::{self, OwnLock};
use super::medium::{Dropping, Guard, Journal, PlaceError, Segment};
use super::recent::Parsed;
use super::store::Inner;
use super::takeover::{self, Folded, Look};
use super::unsent::{self, Unsent};

/// What to do with what a dead writer left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// Fold it into the checkpoint.
    Recover,
    /// Fold it into the checkpoint, and bring in what else is known.
    Submit,
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
    /// What is said of our epoch.
    mark: Epoch,
    /// Our own journal.
    pub(crate) journal: Arc<dyn Journal>,
    /// The checkpoint that is in place.
    stored: Mutex<Arc<Stored>>,
    pub(crate) base: LoadedStack,
    /// Our own lock, if one was taken.
    lock: Option<String>,
    /// Locks of writers that are dead.
    dead: Vec<String>,
    /// Whether the base is in journals that the checkpoint does not have yet, because as a
    /// checkpoint it would be invalid.
    unwritten: bool,
    /// What to do with journals that were left behind.
    pub(super) leftovers: Leftovers,
    /// Whether there was a checkpoint on the way, so that what was there before the operation has
    /// become the backup.
    pub(super) on_the_way: AtomicBool,
    /// Entries of those journals that only this machine has, as long as the checkpoint lacks them.
    unsent: Vec<Unsent>,
    /// Whether earlier writers may have left something.
    earlier: bool,
}

impl Hold {
    /// Takes a stack that nobody else is changing.
    pub(crate) fn acquire(
        inner: &Arc<Inner>,
        id: &StackId,
        leftovers: Leftovers,
    ) -> Result<Hold, StateError> {
        let folder = Folder::of(inner, id);
        let ready = || inner.medium.ready();
        let look = || both(&*inner.medium, || Look::now(inner, id, &folder), ready);
        let (file, (look, ready)) = both(&*inner.medium, || inner.layout.find(id), look);
        let file = file?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        ready?;
        let (look, (lock, claimed)) = claim_free(inner, id, &folder, look?)?;
        takeover::end_processes(inner, &look.leases);
        let Claimed { number, epoch, before } = claimed;
        let dead = look.lock_keys();
        let held = Held { inner, id, folder, number, epoch, before, lock: Some(lock), dead };
        held.open(file, leftovers)
    }

    /// Takes a stack from whoever is changing it. Makes no lock, and leaves those that are there to
    /// [`Hold::release`].
    pub(crate) fn seize(inner: &Arc<Inner>, id: &StackId, locks: Vec<String>) -> Result<Hold, StateError> {
        let file = inner.layout.find(id)?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        // What can't be read can't be recovered: nobody is to lose the stack for it.
        inner.recent.read(inner, file.clone(), None)?.ok_or_else(|| StateError::NotFound(id.clone()))?;
        let folder = Folder::of(inner, id);
        let leases = folder.leases()?;
        let fence = folder.fence()?;
        let mut raised = None;
        // Others may be about to begin; whoever comes last has the stack.
        for _ in 0..ATTEMPTS {
            raised = folder.raise(inner, &*fence)?;
            if raised.is_some() {
                break;
            }
        }
        drop(fence);
        let Some((number, epoch)) = raised else { return Err(outrun()) };
        takeover::end_processes(inner, &leases);
        let before = Before::Unknown;
        let held = Held { inner, id, folder, number, epoch, before, lock: None, dead: locks };
        held.open(file, Leftovers::Recover)
    }

    /// Folds in what was left behind.
    fn recover(&mut self) -> Result<(), StateError> {
        for _ in 0..ATTEMPTS {
            match self.recover_once() {
                // A checkpoint may have been on its way for a long time.
                Err(error)
                    if error.diagnostic().code == CHANGED || self.stored().is_replaced(&self.inner)? =>
                {
                    self.read_again()?;
                }
                ended => return ended,
            }
        }
        Err(self.changed())
    }

    /// The checkpoint that is in place.
    pub(crate) fn stored(&self) -> Arc<Stored> {
        Arc::clone(&self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_stored(&self, stored: Stored) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(stored);
    }

    fn read_again(&mut self) -> Result<(), StateError> {
        let gone = || StateError::NotFound(self.id.clone());
        let file = self.inner.layout.find(&self.id)?.ok_or_else(gone)?;
        let stored = Stored::read(&self.inner, file)?.ok_or_else(gone)?;
        let Checkpoint { snapshot, deployed, .. } = stored.parse()?;
        self.base = LoadedStack { snapshot: Arc::new(snapshot), deployed, recovered: false };
        self.set_stored(stored);
        Ok(())
    }

    fn recover_once(&mut self) -> Result<(), StateError> {
        let Folded { snapshot, announced } =
            takeover::fold(&self.inner, &self.id, &self.folder, &self.stored(), &self.base.snapshot)?;
        let Some(mut folded) = snapshot else {
            if announced {
                // What a fenced writer is about to put goes on this checkpoint; it does not go on another.
                let mut same = self.base.snapshot.as_ref().clone();
                same.time = self.inner.around.clock.now();
                self.rebase(&same, &[])?;
            }
            self.drop_earlier()?;
            return self.bring_in_unsent();
        };
        if !self.inner.options.disable_integrity_checks && refuse_if_invalid(&folded).is_err() {
            // The journals stay until somebody repairs the state.
            self.unwritten = true;
            self.base = LoadedStack { snapshot: Arc::new(folded), deployed: true, recovered: true };
            return Ok(());
        }
        folded.time = self.inner.around.clock.now();
        let sha256 = || self.stored().sha256().to_owned();
        let mut journals = self.inner.medium.unfinished(&self.folder, &sha256)?.segments;
        let mut unsent = unsent::of(&self.inner, &self.id)?;
        unsent.retain(|unsent| {
            unsent.is_of_life(&self.incarnation) && unsent.complete(&mut journals, self.stored().sha256())
        });
        self.unsent = unsent;
        let entries = |journal: &Segment| (journal.header.epoch, journal.last());
        self.rebase(&folded, &journals.iter().map(entries).collect::<Vec<_>>())?;
        self.unsent.clear();
        self.bring_in_unsent()
    }

    /// Forgets the journals of earlier writers.
    fn drop_earlier(&self) -> Result<(), StateError> {
        let how = Dropping { ended: false, earlier: self.earlier };
        let left = self.inner.medium.drop_journals(&self.folder, self.epoch, how)?;
        self.inner.medium.remove_all(left)
    }

    /// Puts a state in place that has entries of others' journals, and goes on from there.
    fn rebase(&mut self, snapshot: &Snapshot, journals: &[(u64, u64)]) -> Result<(), StateError> {
        let file = self.replace_checkpoint(Some(snapshot), Some(journals))?;
        let stored = Stored::read(&self.inner, file)?.ok_or_else(|| StateError::NotFound(self.id.clone()))?;
        self.set_stored(stored);
        let stored = self.stored();
        self.mark.recovered = in_checkpoint(journals, stored.sha256());
        let snapshot = Arc::new(stored.parse()?.snapshot);
        self.base = LoadedStack { snapshot, deployed: true, recovered: true };
        Ok(())
    }

    /// Looks for entries that no store has taken. By now their journal is in the checkpoint. So they are
    /// either in it as well, or belong to a stack that has gone on without them; as long as nobody but
    /// the recovery of their journal has changed it, they still go on it.
    fn bring_in_unsent(&mut self) -> Result<(), StateError> {
        for unsent in unsent::of(&self.inner, &self.id)? {
            if unsent.is_done() {
                unsent.remove();
            } else if unsent.is_of_life(&self.incarnation)
                && self.lock.is_some()
                && self.leftovers == Leftovers::Recover
            {
                self.submit(&unsent)?;
            }
        }
        Ok(())
    }

    fn submit(&mut self, unsent: &Unsent) -> Result<(), StateError> {
        let Some(known) = unsent.goes_on(&self.inner, &self.mark.recovered, self.stored().sha256()) else {
            return Err(unsent.waiting());
        };
        let mut snapshot = self.base.snapshot.as_ref().clone();
        unsent.submit(known, &mut snapshot);
        if refuse_if_invalid(&snapshot).is_err() {
            return Err(unsent.waiting());
        }
        snapshot.time = self.inner.around.clock.now();
        // Others that go on the same checkpoint still do. So do these, should we die before the file is
        // gone; bringing them in twice changes nothing.
        let before = self.stored().sha256().to_owned();
        let same = self.mark.recovered.iter().filter(|journal| journal.result == before);
        let journals: Vec<_> = same.map(|journal| (journal.epoch, journal.entries)).collect();
        self.rebase(&snapshot, &journals)?;
        unsent.remove();
        Ok(())
    }

    /// Whether the base can't be written as it is.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.unwritten
    }

    /// Replaces the checkpoint that was found, unless somebody else did so or took the stack over,
    /// and drops the journals. `None` is a stack that was never deployed.
    pub(crate) fn replace(&self, snapshot: Option<&Snapshot>) -> Result<StackFile, StateError> {
        self.replace_checkpoint(snapshot, None)
    }

    /// The same. Of `journals` of others, by epoch and number of entries, it is noted that they are in
    /// the new checkpoint.
    fn replace_checkpoint(
        &self,
        snapshot: Option<&Snapshot>,
        journals: Option<&[(u64, u64)]>,
    ) -> Result<StackFile, StateError> {
        let with_result = self.journal.wants_result() || journals.is_some();
        let new = checkpoint::draft(&self.inner, &self.id, snapshot, with_result)?;
        let file = self.put(new, journals, When::End)?;
        if self.leftovers == Leftovers::SetAside && self.earlier {
            self.inner.medium.set_journals_aside(&self.folder)?;
        }
        self.drop_earlier()?;
        Ok(file)
    }

    /// Puts a checkpoint in place of the one that was found. An error may mean that it is there.
    pub(super) fn put(
        &self,
        new: NewCheckpoint,
        journals: Option<&[(u64, u64)]>,
        when: When,
    ) -> Result<StackFile, StateError> {
        let inner = &self.inner;
        // Should we die between putting the checkpoint in place and dropping the journals, this tells
        // that they are in it.
        for unsent in &self.unsent {
            unsent.announce(&new.sha256)?;
        }
        self.journal.announce(&new.sha256)?;
        let fence = self.folder.fence()?;
        if !inner.medium.judges() {
            if !self.folder.is_current(self.epoch) {
                return Err(self.folder.fenced());
            }
            self.refuse_changed()?;
        }
        let result = new.sha256.clone();
        let backup = !self.on_the_way.load(Ordering::Relaxed);
        let put = checkpoint::put(inner, Some(&self.stored()), new, backup);
        if put.is_ok()
            && let Some(journals) = journals
        {
            let mark = Epoch { recovered: in_checkpoint(journals, &result), ..self.mark.clone() };
            // Without it entries that come late are brought in by hand.
            let _ = inner.medium.restate(&self.folder, self.epoch, &mark);
        }
        if put.is_ok() && when == When::OnTheWay {
            // Whoever takes over counts what is written from here on only if it was before that.
            self.drop_earlier()?;
            self.journal.go_on();
        }
        drop(fence);
        match put {
            Ok(file) => Ok(file),
            Err(PlaceError::Failed(error)) => Err(error),
            Err(PlaceError::Changed) if !self.folder.is_current(self.epoch) => Err(self.folder.fenced()),
            Err(PlaceError::Changed) => Err(self.changed()),
        }
    }

    /// Refuses if the checkpoint is not the one that was read.
    fn refuse_changed(&self) -> Result<(), StateError> {
        let found = self.inner.layout.find(&self.id)?;
        let stored = self.stored();
        let unchanged = match found {
            Some(file) if file == stored.file => {
                self.inner.medium.stamp(&file.key)?.as_ref() == Some(&stored.stamp)
                    || Stored::read(&self.inner, file)?.is_some_and(|now| now.sha256() == stored.sha256())
            }
            _ => false,
        };
        if unchanged { Ok(()) } else { Err(self.changed()) }
    }

    pub(super) fn changed(&self) -> StateError {
        let place = &self.stored().place;
        let message =
            format!("{place} was changed by somebody else while this operation ran; it was left as it is");
        StateError::Unusable(Diagnostic::error(CHANGED, message).with_hint(
            "what this operation did is in its journal: the next command lists what the checkpoint lacks",
        ))
    }

    /// Gives the stack free.
    pub(crate) fn release(&self) -> Result<(), StateError> {
        self.leave(self.retire()?)
    }

    /// Writes no more. While there are journals that the checkpoint lacks, the locks of their writers
    /// stay: they keep others from writing.
    pub(crate) fn retire(&self) -> Result<Retired, StateError> {
        if self.unwritten && self.inner.medium.has_journals(&self.folder)? {
            return Ok(Retired { journals_left: true, left: Vec::new() });
        }
        let how = Dropping { ended: true, earlier: self.earlier };
        let left = self.inner.medium.drop_journals(&self.folder, self.epoch, how)?;
        Ok(Retired { journals_left: false, left })
    }

    /// Gives the stack free, as a writer that writes no more.
    pub(crate) fn leave(&self, retired: Retired) -> Result<(), StateError> {
        let Retired { journals_left, left } = retired;
        let (inner, medium) = (&self.inner, &self.inner.medium);
        let mut tasks: Vec<Task<'_>> = vec![Box::new(|| medium.remove_all(left))];
        if !journals_left {
            for lock in &self.dead {
                tasks.push(Box::new(|| locks::release(inner, lock)));
            }
        }
        if self.earlier {
            tasks.push(Box::new(|| self.folder.drop_leases(if journals_left { 0 } else { self.epoch })));
        }
        tasks.push(Box::new(|| self.let_go()));
        all(&**medium, tasks)
    }

    /// Gives a stack free that is no longer there.
    pub(crate) fn release_removed(&self) -> Result<(), StateError> {
        let locks = self.dead.iter().chain(&self.lock);
        locks.map(String::as_str).try_for_each(|lock| locks::release(&self.inner, lock))
    }

    /// Removes the locks and leases of dead writers.
    fn forget_the_dead(&mut self) -> Result<(), StateError> {
        for lock in self.dead.drain(..) {
            locks::release(&self.inner, &lock)?;
        }
        self.folder.drop_leases(self.epoch - 1)?;
        self.earlier = false;
        Ok(())
    }

    /// Removes our own lock and lease, and nothing else.
    pub(crate) fn let_go(&self) -> Result<(), StateError> {
        let medium = &self.inner.medium;
        let lease = || medium.remove(&self.folder.lease_file(self.epoch));
        let lock = || self.lock.as_ref().map_or(Ok(()), |lock| locks::release(&self.inner, lock));
        all(&**medium, vec![Box::new(lease), Box::new(lock)])
    }
}

/// When a checkpoint is put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At the end of an operation, or before its beginning.
    End,
    /// While it goes on.
    OnTheWay,
}

/// What is noted of journals, by epoch and number of entries, that are in a checkpoint.
fn in_checkpoint(journals: &[(u64, u64)], result: &str) -> Vec<Recovered> {
    let of = |(epoch, entries): &(u64, u64)| {
        let (epoch, entries, result) = (*epoch, *entries, result.to_owned());
        Recovered { epoch, entries, result }
    };
    journals.iter().map(of).collect()
}

/// What is still to be cleared away by a writer that writes no more.
pub(crate) struct Retired {
    /// Whether there are journals that the checkpoint lacks.
    journals_left: bool,
    /// Keys of what counts for nothing any more.
    left: Vec<String>,
}

/// What is known of the writers before.
enum Before {
    /// Nothing: what they left is to be looked for.
    Unknown,
    /// They have ended, and left nothing but these epochs.
    Ended(Vec<u64>),
}

/// An epoch that was begun.
struct Claimed {
    number: u64,
    epoch: Epoch,
    before: Before,
}

/// The parts of a [`Hold`] before the checkpoint is read.
struct Held<'a> {
    inner: &'a Arc<Inner>,
    id: &'a StackId,
    folder: Folder,
    number: u64,
    epoch: Epoch,
    before: Before,
    lock: Option<String>,
    dead: Vec<String>,
}

impl Held<'_> {
    fn open(self, file: StackFile, leftovers: Leftovers) -> Result<Hold, StateError> {
        let (lock, lease) = (self.lock.clone(), self.folder.lease_file(self.number));
        let opened_in = self.inner;
        let opened = self.read_beside(file, leftovers).and_then(|mut hold| {
            if leftovers != Leftovers::SetAside && hold.earlier {
                hold.recover()?;
                // What the dead wrote is in the checkpoint now.
                if hold.lock.is_some() && !hold.unwritten {
                    hold.forget_the_dead()?;
                }
            } else if leftovers != Leftovers::SetAside {
                hold.bring_in_unsent()?;
            }
            Ok(hold)
        });
        if opened.is_err() {
            // The error matters more than what can't be cleaned up.
            let _ = opened_in.medium.remove(&lease);
            let _ = lock.map(|lock| locks::release(opened_in, &lock));
        }
        opened
    }

    /// Reads the checkpoint. Where writers before have ended, what is left to be done of taking the
    /// stack is done beside that.
    fn read_beside(self, file: StackFile, leftovers: Leftovers) -> Result<Hold, StateError> {
        let Before::Ended(old) = &self.before else { return self.read(file, leftovers) };
        let (inner, folder, number) = (self.inner, self.folder.clone(), self.number);
        let old = old.iter().map(|old| folder.epoch_file(*old)).collect();
        let tasks: Vec<Task<'_>> =
            vec![Box::new(|| show_life(inner, &folder, number)), Box::new(|| inner.medium.remove_all(old))];
        let (hold, done) = both(&*inner.medium, || self.read(file, leftovers), || all(&*inner.medium, tasks));
        done.and(hold)
    }

    fn read(self, file: StackFile, leftovers: Leftovers) -> Result<Hold, StateError> {
        // A writer may have put another file in place before we had the lock.
        let (file, stamp) = self.inner.layout.find_stamped(self.id)?.unwrap_or((file, None));
        let gone = || StateError::NotFound(self.id.clone());
        let parsed = match self.inner.recent.read(self.inner, file.clone(), stamp) {
            Ok(parsed) => parsed.ok_or_else(gone)?,
            // It is to be replaced or removed by force.
            Err(StateError::Unusable(_)) if leftovers == Leftovers::SetAside => {
                let stored = Arc::new(Stored::read(self.inner, file)?.ok_or_else(gone)?);
                Parsed { stored, snapshot: Arc::default(), deployed: true }
            }
            Err(error) => return Err(error),
        };
        // From here on it belongs to who holds the stack.
        self.inner.recent.forget();
        let Parsed { stored, snapshot, deployed } = parsed;
        Ok(Hold {
            inner: Arc::clone(self.inner),
            id: self.id.clone(),
            journal: self.inner.medium.journal(&self.folder, self.number, &self.epoch),
            folder: self.folder,
            epoch: self.number,
            incarnation: self.epoch.incarnation.clone(),
            mark: self.epoch,
            stored: Mutex::new(stored),
            on_the_way: AtomicBool::new(false),
            base: LoadedStack { snapshot, deployed, recovered: false },
            lock: self.lock,
            dead: self.dead,
            unwritten: false,
            leftovers,
            unsent: Vec::new(),
            earlier: matches!(self.before, Before::Unknown),
        })
    }
}

/// Takes the lock and begins an epoch as soon as nobody is changing the stack. `look` is what was seen
/// first. Gives what was seen last.
fn claim_free(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    mut look: Look,
) -> Result<(Look, (String, Claimed)), StateError> {
    for _ in 0..ATTEMPTS {
        look = takeover::wait_until_free(inner, id, folder, look)?;
        let refused = match claim(inner, id, folder, &look) {
            Err(StateError::Locked(refused)) => refused,
            ended => return ended.map(|claimed| (look, claimed)),
        };
        // The last that a dead writer had sent may have arrived since we looked.
        let now = Look::now(inner, id, folder)?;
        if !now.has_more_of_the_dead(inner, folder, &look)? {
            return Err(StateError::Locked(refused));
        }
        look = now;
    }
    Err(outrun())
}

/// Takes the lock and begins an epoch, if nobody came in between since the stack was found free.
fn claim(inner: &Inner, id: &StackId, folder: &Folder, look: &Look) -> Result<(String, Claimed), StateError> {
    let fence = folder.fence()?;
    let dead = look.lock_keys();
    let came = |own: Option<&String>| -> Result<(), StateError> {
        let is_known = |key: &str| dead.iter().chain(own).any(|known| known == key);
        let others = locks::list_but(inner, id, is_known)?;
        if others.is_empty() {
            Ok(())
        } else {
            Err(locks::refusal(inner, &others.iter().collect::<Vec<_>>()))
        }
    };
    // Without a fence, who comes after nobody was there is met beside our own lock.
    if !(inner.medium.judges() && look.is_clear()) {
        came(None)?;
        if folder.leases()? != look.leases {
            // Somebody is showing signs of life after all.
            let all = locks::list(inner, id)?;
            return Err(locks::refusal(inner, &all.iter().collect::<Vec<_>>()));
        }
    }
    if inner.medium.judges() {
        let (lock, claimed) = claim_unfenced(inner, id, folder, &*fence, look, &came)?;
        return Ok((lock, claimed));
    }
    let Some((number, epoch)) = folder.raise(inner, &*fence)? else { return Err(outrun()) };
    show_life(inner, folder, number)?;
    let own = OwnLock { epoch: number, writer: inner.writer.clone() };
    let lock = locks::take(inner, id, Some(own))?;
    // Writers of other programs know nothing of the fence.
    if let Err(error) = came(Some(&lock)) {
        locks::release(inner, &lock)?;
        inner.medium.remove(&folder.lease_file(number))?;
        return Err(error);
    }
    Ok((lock, Claimed { number, epoch, before: Before::Unknown }))
}

/// Without a fence the lock comes first: of two that come at the same time one sees the other's, or
/// both do and both stand back. An epoch begins only after that, since it ends all others.
fn claim_unfenced(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    fence: &dyn Guard,
    look: &Look,
    came: &(dyn Fn(Option<&String>) -> Result<(), StateError> + Sync),
) -> Result<(String, Claimed), StateError> {
    let known = match look.is_clear() {
        true => look.epochs.clone(),
        false => folder.numbered("epoch", ".json")?,
    };
    let next = known.last().copied().unwrap_or_default() + 1;
    let own = OwnLock { epoch: next, writer: inner.writer.clone() };
    let lock = locks::take(inner, id, Some(own))?;
    let newest = || known.last().map_or(Ok(None), |number| folder.epoch(*number));
    let (alone, newest) = both(&*inner.medium, || came(Some(&lock)), newest);
    let claimed = alone.and(newest).and_then(|newest| {
        let ended = known.is_empty() || newest.as_ref().is_some_and(|epoch| epoch.ended);
        // Who began an epoch since those were listed has taken its number.
        let begun = folder.begin_epoch(inner, fence, &known, newest)?;
        let (number, epoch) = begun.ok_or_else(outrun)?;
        if look.is_clear() && ended {
            return Ok(Claimed { number, epoch, before: Before::Ended(known.clone()) });
        }
        inner.medium.end_epochs(folder, &known, None, &inner.writer)?;
        show_life(inner, folder, next)?;
        Ok(Claimed { number, epoch, before: Before::Unknown })
    });
    match claimed {
        Ok(claimed) => Ok((lock, claimed)),
        Err(error) => locks::release(inner, &lock).and(Err(error)),
    }
}

fn show_life(inner: &Inner, folder: &Folder, epoch: u64) -> Result<(), StateError> {
    let lease = Lease { beat: 0, writer: inner.writer.clone(), processes: Vec::new() };
    folder.write_json(&folder.lease_file(epoch), &lease)
}

/// The code of what is said when the checkpoint isn't the one that was read.
const CHANGED: &str = "state-changed";

/// How often to try what somebody else does as well: to begin an epoch, to replace a checkpoint.
const ATTEMPTS: usize = 10;

fn outrun() -> StateError {
    StateError::Locked(
        Diagnostic::error(
            "stack-locked",
            "the stack is currently locked by another operation that just began",
        )
        .with_hint("wait for the other operation to end, or take the stack over with `purlin cancel`"),
    )
}
