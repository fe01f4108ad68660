//! A journal in a file, made when the first entries come.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_formats::JournalHeader;
use purlin_journal::Entry;
use purlin_ports::StateError;

use super::disk::Disk;
use super::files::{self, Doing as _};
use crate::diy::folder::{FinishRecord, Folder, to_json};
use crate::diy::lines::{Before, Lines};
use crate::diy::medium::{Done, Journal, Medium as _};

pub(crate) struct FileJournal {
    pub(crate) disk: Arc<Disk>,
    pub(crate) folder: Folder,
    pub(crate) epoch: u64,
    pub(crate) open: Mutex<Open>,
}

/// The file, once it is there, and its lines.
#[derive(Default)]
pub(crate) struct Open {
    file: Option<File>,
    lines: Lines,
    written: u64,
}

impl Journal for FileJournal {
    fn commit(
        &self,
        header: &dyn Fn() -> JournalHeader,
        entries: &[Entry],
        done: Done,
    ) -> Result<(), StateError> {
        let path = self.disk.path(&self.disk.segment_file(&self.folder, self.epoch));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let text = open.lines.batch(header, entries, Before::Batches)?;
        // What fails is not gone on with.
        let (mut file, is_new) = match open.file.take() {
            Some(file) => (file, false),
            None => (files::create_private(&path).doing("create", &path)?, true),
        };
        file.write_all(text.as_bytes()).doing("write", &path)?;
        file.sync_data().doing("write", &path)?;
        if is_new {
            let folder = self.disk.path(self.folder.key());
            files::sync_folder(&folder).doing("write", &path)?;
        }
        open.file = Some(file);
        open.written += text.len() as u64;
        drop(open);
        // Whoever ended this epoch reads the journal only after that: what was written before is
        // found, and what comes after must not be promised.
        done(if self.folder.is_current(self.epoch) { Ok(()) } else { Err(self.folder.fenced()) });
        Ok(())
    }

    fn width(&self) -> usize {
        1
    }

    fn announce(&self, result: &str) -> Result<(), StateError> {
        if !self.wants_result() {
            return Ok(());
        }
        let key = self.disk.finish_file(&self.folder, self.epoch);
        let record = FinishRecord { result: result.to_owned() };
        self.disk.write(&key, &to_json(&key, &record)?, true)
    }

    fn wants_result(&self) -> bool {
        // What can't be told now is told when the record is written.
        self.disk.has_journals(&self.folder).unwrap_or(true)
    }

    fn written(&self) -> u64 {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).written
    }

    fn go_on(&self) {
        // Whoever put the checkpoint in place has removed the file.
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Open::default();
    }
}
