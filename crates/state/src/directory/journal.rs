//! A journal in a file, made when the first entries come.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_formats::{JournalHeader, encode_entry, encode_header};
use purlin_journal::Entry;
use purlin_ports::StateError;

use super::disk::Disk;
use super::files::{self, Doing as _};
use crate::diy::folder::{FinishRecord, Folder, to_json};
use crate::diy::medium::{Done, Journal, Medium as _};

pub(crate) struct FileJournal {
    pub(crate) disk: Arc<Disk>,
    pub(crate) folder: Folder,
    pub(crate) epoch: u64,
    pub(crate) file: Mutex<Option<File>>,
}

impl Journal for FileJournal {
    fn commit(
        &self,
        header: &dyn Fn() -> JournalHeader,
        entries: &[Entry],
        done: Done,
    ) -> Result<(), StateError> {
        let path = self.disk.path(&self.disk.segment_file(&self.folder, self.epoch));
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let is_new = slot.is_none();
        if is_new {
            text.push_str(&encode_header(&header()));
            text.push('\n');
        }
        for entry in entries {
            text.push_str(&encode_entry(entry).map_err(StateError::Unusable)?);
            text.push('\n');
        }
        // What fails is not gone on with.
        let mut file = match slot.take() {
            Some(file) => file,
            None => files::create_private(&path).doing("create", &path)?,
        };
        file.write_all(text.as_bytes()).doing("write", &path)?;
        file.sync_data().doing("write", &path)?;
        if is_new {
            let folder = self.disk.path(self.folder.key());
            files::sync_folder(&folder).doing("write", &path)?;
        }
        *slot = Some(file);
        drop(slot);
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
}
