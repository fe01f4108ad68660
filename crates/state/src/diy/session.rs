//! One operation on a stack.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_formats::JournalHeader;
use purlin_journal::{Entry, refuse_if_invalid};
use purlin_model::Snapshot;
use purlin_ports::{
    Durable, HistoryEntry, LoadedStack, StateError, UpdateInfo, UpdateOutcome, UpdateSession,
};

use super::at_once::both;
use super::folder::ProcessMark;
use super::heart::Heart;
use super::history;
use super::hold::Hold;
use super::store::blocking;
use super::target::Target;
use super::unsent::Keeper;
use super::writer::JournalWriter;

/// An operation under way.
pub(crate) struct DiySession {
    work: Arc<Work>,
}

struct Work {
    hold: Arc<Hold>,
    info: UpdateInfo,
    started: i64,
    journal: JournalWriter,
    heart: Heart,
    /// Whether the operation has ended.
    ended: Mutex<bool>,
}

impl DiySession {
    pub(crate) fn start(hold: Hold, info: UpdateInfo) -> DiySession {
        let hold = Arc::new(hold);
        let inner = Arc::clone(&hold.inner);
        let header = JournalHeader {
            base: String::new(),
            incarnation: hold.incarnation.clone(),
            epoch: hold.epoch,
            writer: inner.writer.name.clone(),
            started: inner.around.clock.now(),
            info: history::operation_info(&info),
            continues: None,
        };
        let target = Target::new(&hold, header);
        let keeper = Keeper::new(&inner, &hold.id, hold.epoch, &hold.incarnation);
        let journal = JournalWriter::start(target, keeper);
        let heart = Heart::start(&hold, journal.stopper());
        let started = inner.around.clock.unix_seconds();
        let work = Arc::new(Work { hold, info, started, journal, heart, ended: Mutex::new(false) });
        DiySession { work }
    }
}

impl Work {
    fn finish(&self, snapshot: &Snapshot, outcome: UpdateOutcome) -> Result<(), StateError> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return Err(already_ended());
        }
        let hold = &self.hold;
        let inner = &hold.inner;
        self.journal.close();
        if !inner.options.disable_integrity_checks {
            refuse_if_invalid(snapshot).map_err(|diagnostic| not_replaced(diagnostic, hold))?;
        }
        let cleared = without_old_integrity_error(snapshot);
        let replace = || hold.replace(Some(cleared.as_ref().unwrap_or(snapshot)));
        let (file, names) = both(&*inner.medium, replace, || history::next_names(inner, &hold.id));
        let file = match file {
            Ok(file) => file,
            Err(error) => return Err(self.with_kept(error)),
        };
        *ended = true;
        self.journal.drop_kept();
        self.heart.stop();
        let entry = HistoryEntry {
            version: 0,
            has_state: true,
            info: self.info.clone(),
            outcome,
            start_time: self.started,
            end_time: inner.around.clock.unix_seconds(),
        };
        let record = || names.and_then(|names| history::record(inner, &hold.id, &names, &file, &entry));
        let (recorded, retired) = both(&*inner.medium, record, || hold.retire());
        hold.leave(retired?)?;
        recorded.map_err(history::not_recorded)
    }

    /// Says what became of entries that were not taken.
    fn with_kept(&self, error: StateError) -> StateError {
        let (path, failed) = self.journal.kept();
        let tell = |mut diagnostic: Diagnostic, hint: &dyn Fn(&str) -> String| {
            if let Some(path) = &path {
                let path = path.display().to_string();
                diagnostic.message.push_str(&format!("; what was done since is kept in {path}"));
                diagnostic.hint = Some(hint(&path));
            }
            if let Some(why) = &failed {
                diagnostic.message.push_str(&format!("; it could not be kept on this machine either: {why}"));
            }
            diagnostic
        };
        let name = &self.hold.id.name;
        match error {
            StateError::Store(diagnostic) => {
                let before = diagnostic.hint.clone().unwrap_or_default();
                StateError::Store(tell(diagnostic, &|_| {
                    format!("{before}: `purlin up --stack {name}` on this machine brings it in and goes on")
                }))
            }
            StateError::Fenced(diagnostic) => StateError::Fenced(tell(diagnostic, &|path| {
                format!("`purlin state submit {path} --stack {name}` brings it into the stack's state")
            })),
            other => other,
        }
    }

    fn abandon(&self) -> Result<(), StateError> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return Err(already_ended());
        }
        let hold = &self.hold;
        if self.journal.is_used() {
            return Err(crate::rules::not_abandoned());
        }
        self.journal.close();
        *ended = true;
        self.heart.stop();
        hold.release()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !ended && !self.journal.is_used() {
            // Nothing has begun, so there is nothing to recover. If this fails, whoever comes next
            // finds us dead.
            self.heart.stop();
            let _ = self.hold.release();
        }
    }
}

fn already_ended() -> StateError {
    StateError::Unusable(Diagnostic::error("operation-ended", "the operation has already ended"))
}

fn not_replaced(diagnostic: Diagnostic, hold: &Hold) -> StateError {
    let Diagnostic { message, urn, .. } = diagnostic;
    let path = &hold.stored().place;
    StateError::Unusable(Diagnostic {
        urn,
        ..Diagnostic::error(
            "state-integrity",
            format!(
                "the checkpoint {path} was not replaced, because the new one would be invalid: {message}"
            ),
        )
        .with_hint("nothing is lost: the journal stays; run `purlin cancel`, and report this as a defect")
    })
}

/// A valid state says nothing of what was wrong with an earlier one.
fn without_old_integrity_error(snapshot: &Snapshot) -> Option<Snapshot> {
    let old = |(key, json): &(String, String)| key == "metadata" && json.contains("\"integrity_error\"");
    snapshot.carried.iter().any(old).then(|| {
        let mut snapshot = snapshot.clone();
        snapshot.carried.retain(|carried| !old(carried));
        snapshot
    })
}

#[async_trait]
impl UpdateSession for DiySession {
    fn base(&self) -> &LoadedStack {
        &self.work.hold.base
    }

    fn append(&self, entry: Entry) -> Box<dyn Durable> {
        Box::new(self.work.journal.append(entry))
    }

    fn note_process(&self, pid: u32) {
        let hold = &self.work.hold;
        let Some(mark) = hold.inner.around.processes.mark(pid) else { return };
        self.work.heart.note(ProcessMark { pid, mark });
    }

    async fn finish(&self, snapshot: &Snapshot, outcome: UpdateOutcome) -> Result<(), StateError> {
        let (work, snapshot) = (Arc::clone(&self.work), snapshot.clone());
        blocking(move || work.finish(&snapshot, outcome)).await
    }

    async fn abandon(&self) -> Result<(), StateError> {
        let work = Arc::clone(&self.work);
        blocking(move || work.abandon()).await
    }
}
