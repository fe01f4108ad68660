//! A journal in a file, made when the first entries come.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
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
    /// How far the file goes: behind the lines there are zeros.
    allotted: u64,
}

/// The least and the most room that is made at once for what is still to be written.
const ROOM: (u64, u64) = (64 << 10, 1 << 20);

impl Open {
    /// Writes lines behind those that are there. Where lines stand already there are only bytes to be
    /// changed: to make them durable takes a third of what it takes if the file grows with each batch,
    /// since then the file system has to note that as well.
    fn write(&mut self, file: &File, text: &[u8]) -> io::Result<()> {
        file.write_all_at(text, self.written)?;
        self.written += text.len() as u64;
        if self.written > self.allotted {
            let room = self.written.clamp(ROOM.0, ROOM.1);
            // Without room it goes on as before.
            let made = file.write_all_at(&vec![0; usize::try_from(room).unwrap_or(0)], self.written);
            self.allotted = self.written + if made.is_ok() { room } else { 0 };
        }
        Ok(())
    }
}

/// How many bytes of a journal's file are lines, or the beginning of one: what is behind them is room.
pub(crate) fn length(path: &Path) -> io::Result<u64> {
    const PIECE: u64 = 64 << 10;
    let file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        piece.resize(usize::try_from(end - start).unwrap_or(0), 0);
        file.read_exact_at(&mut piece, start)?;
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
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
        let (file, is_new) = match open.file.take() {
            Some(file) => (file, false),
            None => (files::create_private(&path).doing("create", &path)?, true),
        };
        open.write(&file, text.as_bytes()).doing("write", &path)?;
        file.sync_data().doing("write", &path)?;
        if is_new {
            let folder = self.disk.path(self.folder.key());
            files::sync_folder(&folder).doing("write", &path)?;
        }
        open.file = Some(file);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_into_room_that_is_there_and_their_length_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let file = files::create_private(&path).unwrap();
        assert_eq!(length(&path).unwrap(), 0);
        let mut open = Open::default();
        let mut sizes = std::collections::BTreeSet::new();
        let mut text = Vec::new();
        for number in 0..4000 {
            let line = format!("{number:0>99}\n");
            open.write(&file, line.as_bytes()).unwrap();
            text.extend(line.bytes());
            sizes.insert(file.metadata().unwrap().len());
            if number % 500 == 0 {
                assert_eq!(length(&path).unwrap(), text.len() as u64);
            }
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(&text) && bytes[text.len()..].iter().all(|byte| *byte == 0));
        assert!(sizes.len() < 10, "{sizes:?}");
        file.set_len(1000).unwrap();
        assert_eq!(length(&path).unwrap(), 1000);
    }

    #[test]
    fn a_length_is_found_behind_much_room_and_before_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for (text, room) in [("", 300_000), ("a", 300_000), ("a", 65_535), ("a", 0), ("a\n", 65_534)] {
            std::fs::write(&path, [text.as_bytes(), &vec![0; room]].concat()).unwrap();
            assert_eq!(length(&path).unwrap(), text.len() as u64, "{text:?} {room}");
        }
    }
}
