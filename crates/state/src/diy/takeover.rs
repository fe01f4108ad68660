//! What a writer that didn't finish left behind: whether it is dead, what it still has running, and
//! its journal folded on the checkpoint.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use purlin_diag::Diagnostic;
use purlin_journal::{Change, Entry, Fold, FoldError, Slot};
use purlin_model::{OperationKind, ResourceState, Snapshot};
use purlin_ports::{StackId, StateError};

use super::at_once::both;
use super::checkpoint::Stored;
use super::folder::{Folder, Lease, WriterMark, numbers_in};
use super::locks::{self, Lock};
use super::medium::{Segment, Unfinished};
use super::store::Inner;
use super::unsent;

/// Whether a writer can still write, as far as can be seen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Dead,
    /// It is on another host.
    Unknown,
}

fn life(inner: &Inner, writer: &WriterMark) -> Life {
    if writer.host != inner.writer.host {
        return Life::Unknown;
    }
    match inner.around.processes.mark(writer.pid) {
        Some(mark) if mark == writer.mark => Life::Running,
        _ => Life::Dead,
    }
}

/// Whether a writer is known to be dead.
pub(crate) fn is_dead(inner: &Inner, writer: &WriterMark) -> bool {
    life(inner, writer) == Life::Dead
}

/// Whether somebody of ours may be changing a stack right now.
pub(crate) fn is_running(inner: &Inner, folder: &Folder) -> Result<bool, StateError> {
    Ok(folder.leases()?.iter().any(|(_, lease)| life(inner, &lease.writer) != Life::Dead))
}

/// Who shows that they are at work on a stack, and what others left, as it was seen at one time.
pub(crate) struct Look {
    pub(crate) locks: Vec<Lock>,
    pub(crate) leases: Vec<(u64, Lease)>,
    /// The numbers of the epochs, sorted.
    pub(crate) epochs: Vec<u64>,
    /// Whether there are journals that may hold something.
    pub(crate) has_journals: bool,
}

impl Look {
    pub(crate) fn now(inner: &Inner, id: &StackId, folder: &Folder) -> Result<Look, StateError> {
        let in_folder = || {
            let survey = folder.survey()?;
            let leases = folder.leases_of(&survey.names)?;
            Ok::<_, StateError>((survey, leases))
        };
        let (locks, in_folder) = both(&*inner.medium, || locks::list(inner, id), in_folder);
        let (locks, (survey, leases)) = (locks?, in_folder?);
        let epochs = numbers_in(&survey.names, "epoch", ".json");
        Ok(Look { locks, leases, epochs, has_journals: survey.has_journals })
    }

    /// Whether nobody is there, and nobody left anything but the epoch that ended last.
    pub(crate) fn is_clear(&self) -> bool {
        self.locks.is_empty() && self.leases.is_empty() && !self.has_journals && self.epochs.len() <= 1
    }

    /// Whether there is something that wasn't there before, all of it from dead writers.
    pub(crate) fn has_more_of_the_dead(
        &self,
        inner: &Inner,
        folder: &Folder,
        before: &Look,
    ) -> Result<bool, StateError> {
        let known = before.lock_keys();
        let mut more: Vec<bool> = self
            .locks
            .iter()
            .filter(|lock| !known.contains(&lock.key))
            .map(|l| l.is_left_over(inner))
            .collect();
        let leases = self.leases.iter().filter(|lease| !before.leases.contains(lease));
        more.extend(leases.map(|(_, lease)| is_dead(inner, &lease.writer)));
        for number in self.epochs.iter().filter(|number| !before.epochs.contains(number)) {
            more.extend(folder.epoch(*number)?.map(|epoch| is_dead(inner, &epoch.writer)));
        }
        Ok(!more.is_empty() && more.iter().all(|is_dead| *is_dead))
    }

    /// The keys of the locks.
    pub(crate) fn lock_keys(&self) -> Vec<String> {
        self.locks.iter().map(|lock| lock.key.clone()).collect()
    }
}

/// Makes sure that nobody is changing a stack. Gives what was seen last: the locks are those that dead
/// writers left. For a writer on another host this means to watch its heartbeat for as long as a lease
/// lasts. `look` is what was seen first.
pub(crate) fn wait_until_free(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    mut look: Look,
) -> Result<Look, StateError> {
    let timer = &inner.around.timer;
    let mut watched: Option<(Duration, Vec<(u64, Lease)>)> = None;
    loop {
        if !judge(inner, &look.locks, &look.leases)? {
            return Ok(look);
        }
        match &watched {
            Some((_, seen)) if look.leases.iter().any(|lease| !seen.contains(lease)) => {
                let all: Vec<&Lock> = look.locks.iter().collect();
                return Err(busy(inner, &all, &look.leases));
            }
            Some((since, _)) if timer.elapsed().saturating_sub(*since) >= inner.options.times.expiry => {
                return Ok(look);
            }
            Some(_) => {}
            None => watched = Some((timer.elapsed(), look.leases)),
        }
        timer.sleep(inner.options.times.beat / 4);
        look = Look::now(inner, id, folder)?;
    }
}

/// Judges locks and leases. Refuses if somebody is at work for sure; otherwise says whether there is a
/// writer of whom nothing is known but its lease.
fn judge(inner: &Inner, locks: &[Lock], leases: &[(u64, Lease)]) -> Result<bool, StateError> {
    let mut refused = Vec::new();
    let mut unknown = false;
    for lock in locks {
        let Some(own) = &lock.content.purlin else {
            refused.push(lock);
            continue;
        };
        let has_lease = leases.iter().any(|(epoch, _)| *epoch == own.epoch);
        match life(inner, &own.writer) {
            Life::Dead => {}
            Life::Unknown if has_lease => unknown = true,
            Life::Running | Life::Unknown => refused.push(lock),
        }
    }
    let mut running = leases.iter().filter(|(_, lease)| life(inner, &lease.writer) == Life::Running);
    if !refused.is_empty() || running.next().is_some() {
        return Err(busy(inner, &refused, leases));
    }
    // Somebody may have removed the lock of a writer that still runs.
    unknown |= leases.iter().any(|(_, lease)| life(inner, &lease.writer) == Life::Unknown);
    Ok(unknown)
}

fn busy(inner: &Inner, locks: &[&Lock], leases: &[(u64, Lease)]) -> StateError {
    if !locks.is_empty() {
        return locks::refusal(inner, locks);
    }
    let names: Vec<&str> = leases.iter().map(|(_, lease)| lease.writer.name.as_str()).collect();
    let message = format!(
        "the stack is currently locked by {} lock(s)\n  an operation of {} is under way, although its lock was removed",
        names.len(),
        names.join(", ")
    );
    StateError::Locked(
        Diagnostic::error("stack-locked", message)
            .with_hint("wait for the other operation to end, or take the stack over with `purlin cancel`"),
    )
}

/// Ends the processes that dead writers on this host left running: they might still be changing
/// something that the state knows nothing of.
pub(crate) fn end_processes(inner: &Inner, leases: &[(u64, Lease)]) {
    let processes = &inner.around.processes;
    let dead = leases.iter().filter(|(_, lease)| life(inner, &lease.writer) == Life::Dead);
    let mut left: Vec<_> = dead.flat_map(|(_, lease)| &lease.processes).collect();
    // A plugin may have been started by way of a shell that is gone. As long as there are others in a
    // group, its number isn't given again.
    let runs = |pid: u32, mark: &str| match processes.mark(pid) {
        Some(found) => found == mark,
        None => processes.leaves_followers(pid),
    };
    left.retain(|process| runs(process.pid, &process.mark));
    for process in &left {
        processes.terminate(process.pid);
    }
    let timer = &inner.around.timer;
    let start = timer.elapsed();
    let mut killed = false;
    loop {
        left.retain(|process| runs(process.pid, &process.mark));
        let waited = timer.elapsed().saturating_sub(start);
        if left.is_empty() || waited >= inner.options.times.grace * 2 {
            return;
        }
        if waited >= inner.options.times.grace && !killed {
            left.iter().for_each(|process| processes.kill(process.pid));
            killed = true;
        }
        timer.sleep(Duration::from_millis(50));
    }
}

/// What journals make of a checkpoint.
#[derive(Default)]
pub(crate) struct Folded {
    /// The state; `None` if they hold nothing that the checkpoint lacks.
    pub(crate) snapshot: Option<Snapshot>,
    /// Whether a writer that was fenced may still put a checkpoint on this one.
    pub(crate) announced: bool,
}

/// Folds what journals hold on the checkpoint that they go on.
pub(crate) fn fold(
    inner: &Inner,
    id: &StackId,
    folder: &Folder,
    stored: &Stored,
    base: &Arc<Snapshot>,
) -> Result<Folded, StateError> {
    let Unfinished { mut segments, announced } =
        inner.medium.unfinished(folder, &|| stored.sha256().to_owned())?;
    let unsent = unsent::of(inner, id)?;
    if !unsent.is_empty() {
        let incarnation = folder.newest()?.map(|(_, epoch)| epoch.incarnation).unwrap_or_default();
        for unsent in unsent.iter().filter(|unsent| unsent.is_of_life(&incarnation)) {
            unsent.complete(&mut segments, stored.sha256());
        }
    }
    if segments.iter().all(|segment| segment.entries.is_empty()) {
        return Ok(Folded { snapshot: None, announced });
    }
    let incarnation = folder.newest()?.map(|(_, epoch)| epoch.incarnation);
    let fits = |segment: &Segment| {
        segment.header.base == stored.sha256() && Some(&segment.header.incarnation) == incarnation.as_ref()
    };
    // What goes on from a checkpoint on the way goes on nothing else.
    let goes_on = |segment: &Segment| segment.header.continues.is_none();
    if !segments.iter().all(fits) || !segments.iter().skip(1).all(goes_on) {
        return Err(mismatch(&segments, stored, base));
    }
    // Several journals on one base: each goes on what those before it made of it.
    let mut snapshot = Arc::clone(base);
    for segment in &segments {
        snapshot = Arc::new(fold_segment(segment, snapshot)?.snapshot());
    }
    Ok(Folded { snapshot: Some(Arc::unwrap_or_clone(snapshot)), announced })
}

/// Folds a journal on what it goes on.
pub(crate) fn fold_segment(segment: &Segment, base: Arc<Snapshot>) -> Result<Fold, StateError> {
    let refused = |number, error: &FoldError| {
        let mut diagnostic = error.diagnostic(number);
        diagnostic.message = format!("{}: {}", segment.place, diagnostic.message);
        StateError::Unusable(diagnostic)
    };
    let mut fold = match &segment.header.continues {
        Some(from) => Fold::resume(base, &from.continuation).map_err(|error| refused(0, &error))?,
        None => Fold::new(base),
    };
    for (number, entry) in (1..).zip(&segment.entries) {
        fold.apply(entry).map_err(|error| refused(number, &error))?;
    }
    Ok(fold)
}

/// The refusal to fold journals on a checkpoint that is not theirs. Says what they know and the
/// checkpoint doesn't, and how to bring it in.
fn mismatch(segments: &[Segment], stored: &Stored, base: &Snapshot) -> StateError {
    let known: HashSet<_> = base.resources.iter().map(|state| (&state.urn, state.id.as_str())).collect();
    let mut lines = Vec::new();
    for segment in segments {
        let (states, creating) = replay(&segment.entries);
        let lacks = |state: &&Arc<ResourceState>| {
            state.custom
                && !state.external
                && !state.is_provider()
                && !known.contains(&(&state.urn, state.id.as_str()))
        };
        for state in states.iter().filter(lacks) {
            let (ty, name) = (&state.ty, state.urn.name());
            lines.push(format!("  {}\n    purlin import '{ty}' '{name}' '{}'", state.urn, state.id));
        }
        for state in creating.iter().filter(lacks) {
            let (ty, name) = (&state.ty, state.urn.name());
            lines.push(format!(
                "  {} (its creation had begun and may have succeeded)\n    purlin import '{ty}' '{name}' '<id>'",
                state.urn
            ));
        }
    }
    let places: Vec<&str> = segments.iter().map(|segment| segment.place.as_str()).collect();
    let mut message = format!(
        "an operation on this stack did not finish, and its journal does not go on the checkpoint {}, which was \
         changed or replaced since; nothing was folded in",
        stored.place
    );
    if !lines.is_empty() {
        message.push_str("\nthe journal knows resources that the checkpoint lacks:\n");
        message.push_str(&lines.join("\n"));
    }
    let hint = format!(
        "`purlin state repair` sets the journal ({}) aside; then run the commands above",
        places.join(", ")
    );
    StateError::Unusable(Diagnostic::error("journal-base", message).with_hint(hint))
}

/// The states that a journal leaves, and the creates that it leaves open.
fn replay(entries: &[Entry]) -> (Vec<Arc<ResourceState>>, Vec<Arc<ResourceState>>) {
    let mut states: HashMap<Slot, (usize, Arc<ResourceState>)> = HashMap::new();
    let mut begun = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Begin { op, kind, resource } => begun.push((*op, *kind, resource)),
            Entry::End { op, changes } => {
                begun.retain(|(other, ..)| Some(*other) != *op);
                for change in changes {
                    match change {
                        Change::Place { slot, state, .. } | Change::Amend { slot, state } => {
                            states.insert(*slot, (at, Arc::clone(state)));
                        }
                        Change::Remove { slot } => drop(states.remove(slot)),
                        _ => {}
                    }
                }
            }
        }
    }
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by_key(|(slot, (at, _))| (*at, *slot));
    let creating = begun.into_iter().filter(|(_, kind, _)| *kind == OperationKind::Creating);
    (
        states.into_iter().map(|(_, (_, state))| state).collect(),
        creating.map(|(.., state)| Arc::clone(state)).collect(),
    )
}
