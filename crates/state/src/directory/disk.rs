//! A directory as what a store stands on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use purlin_diag::Diagnostic;
use purlin_ports::StateError;

use super::files::{self, Doing as _};
use super::journal::{self, FileJournal};
use crate::diy::folder::{Epoch, FinishRecord, Folder, Sealed, WriterMark, number_in};
use crate::diy::medium::{
    Copying, Draft, Dropping, Guard, Journal, Medium, Onto, PlaceError, Stamp, Survey, Unfinished,
};
use crate::diy::{DiyOptions, Surroundings, segment};

/// A directory.
#[derive(Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    around: Surroundings,
    /// How long to wait for the fence.
    patience: Duration,
}

/// The right to take over or to replace the checkpoint, for a moment.
struct FileFence {
    _file: File,
}

impl Guard for FileFence {}

impl Disk {
    pub(crate) fn new(root: PathBuf, options: &DiyOptions, around: &Surroundings) -> Disk {
        Disk { root, around: around.clone(), patience: options.times.fence }
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// A name that no other file has.
    fn token(&self) -> String {
        self.around.entropy.uuid()
    }

    pub(crate) fn segment_file(&self, folder: &Folder, epoch: u64) -> String {
        format!("{}/journal.{epoch}.jsonl", folder.key())
    }

    pub(crate) fn finish_file(&self, folder: &Folder, epoch: u64) -> String {
        format!("{}/finish.{epoch}.json", folder.key())
    }

    /// Where a file is written before it is seen. In the folder of locks every file is a lock to other
    /// programs.
    fn scratch(&self, path: &Path) -> PathBuf {
        if path.starts_with(self.path(".pulumi/locks")) {
            return self.path(".pulumi/purlin");
        }
        path.parent().unwrap_or(&self.root).to_owned()
    }

    fn parent(&self, path: &Path) -> Result<(), StateError> {
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).doing("create", folder)
    }

    /// What writers were about to put in place, newest first.
    fn finish_records(&self, folder: &Folder) -> Result<Vec<(u64, FinishRecord)>, StateError> {
        let mut records = Vec::new();
        for number in folder.numbered("finish", ".json")?.into_iter().rev() {
            let record = folder.read_json(&self.finish_file(folder, number))?;
            records.extend(record.map(|record| (number, record)));
        }
        Ok(records)
    }
}

/// A file being written beside the place that it is meant for.
struct FileDraft {
    disk: Disk,
    draft: files::Draft,
    file: File,
}

impl Write for FileDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Draft for FileDraft {
    fn seal(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn name(&self) -> String {
        self.draft.path().display().to_string()
    }

    fn place(self: Box<Self>, key: &str, _onto: &Onto) -> Result<(), PlaceError> {
        let FileDraft { disk, draft, file } = *self;
        drop(file);
        let path = disk.path(key);
        let folder = path.parent().unwrap_or(&disk.root);
        let placed = draft.place(&path).doing("replace", &path);
        let synced = placed.and_then(|()| files::sync_folder(folder).doing("write", &path));
        let noted = synced.and_then(|()| files::remove_note(&path).doing("remove the note of", &path));
        noted.map_err(PlaceError::Failed)
    }
}

impl Medium for Disk {
    fn is_far(&self) -> bool {
        false
    }

    fn place(&self, key: &str) -> String {
        let path = if key.is_empty() { self.root.clone() } else { self.path(key) };
        path.display().to_string()
    }

    fn ready(&self) -> Result<(), StateError> {
        Ok(())
    }

    fn check_root(&self) -> Result<(), StateError> {
        if self.root.is_dir() {
            return Ok(());
        }
        let message = format!("there is no directory {}", self.root.display());
        let hint = "make it, or log in to another backend";
        Err(StateError::Store(Diagnostic::error("backend-missing", message).with_hint(hint)))
    }

    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Stamp)>, StateError> {
        let path = self.path(key);
        files::found(files::read(&path)).doing("read", &path)
    }

    fn read_all(&self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        keys.iter().map(|key| Ok(self.read(key)?.map(|(bytes, _)| bytes))).collect()
    }

    fn stamp(&self, key: &str) -> Result<Option<Stamp>, StateError> {
        let path = self.path(key);
        let metadata = files::found(fs::metadata(&path)).doing("look at", &path)?;
        Ok(metadata.map(|metadata| files::stamp(&metadata)))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let path = self.path(folder);
        files::names(&path, false).doing("list", &path)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let path = self.path(folder);
        files::names(&path, true).doing("list", &path)
    }

    fn newest(&self, folder: &str, names: &[String]) -> Result<Option<(usize, Option<Stamp>)>, StateError> {
        let mut best: Option<(SystemTime, usize, Stamp)> = None;
        for (at, name) in names.iter().enumerate() {
            let path = self.path(folder).join(name);
            let metadata = files::found(fs::metadata(&path)).doing("look at", &path)?;
            let Some(metadata) = metadata.filter(fs::Metadata::is_file) else { continue };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if best.as_ref().is_none_or(|(other, ..)| modified >= *other) {
                best = Some((modified, at, files::stamp(&metadata)));
            }
        }
        Ok(best.map(|(_, at, stamp)| (at, Some(stamp))))
    }

    fn write(&self, key: &str, bytes: &[u8], sync: bool) -> Result<(), StateError> {
        let path = self.path(key);
        self.parent(&path)?;
        files::remove_note(&path).doing("remove the note of", &path)?;
        files::write_whole(&path, bytes, &self.scratch(&path), &self.token(), sync).doing("write", &path)
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool, StateError> {
        // Epochs begin within the fence, and names of history are as good as unique.
        if self.path(key).exists() {
            return Ok(false);
        }
        self.write(key, bytes, false).map(|()| true)
    }

    fn copy(&self, from: &str, to: &str, how: Copying) -> Result<(), StateError> {
        let (from, to) = (self.path(from), self.path(to));
        self.parent(&to)?;
        match how {
            Copying::Share => files::link_or_copy(&from, &to, &self.token()),
            Copying::Apart => files::copy(&from, &to, &self.token()),
        }
        .doing("write", &to)?;
        files::remove_note(&to).doing("remove the note of", &to)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        let (from, to) = (self.path(from), self.path(to));
        self.parent(&to)?;
        files::found(fs::rename(&from, &to)).doing("rename", &from)?;
        // Only if nothing else is in it.
        let _ = from.parent().map(fs::remove_dir);
        Ok(())
    }

    fn remove(&self, key: &str) -> Result<(), StateError> {
        let path = self.path(key);
        files::remove(&path).doing("remove", &path)
    }

    fn remove_all(&self, keys: Vec<String>) -> Result<(), StateError> {
        keys.iter().try_for_each(|key| self.remove(key))
    }

    fn remove_folder(&self, folder: &str) -> Result<(), StateError> {
        let path = self.path(folder);
        files::found(fs::remove_dir_all(&path)).doing("remove", &path).map(drop)
    }

    fn rename_folder(&self, from: &str, to: &str) -> Result<(), StateError> {
        let (from, to) = (self.path(from), self.path(to));
        files::found(fs::rename(&from, to)).doing("rename", &from).map(drop)
    }

    fn draft(&self, folder: &str) -> Result<Box<dyn Draft>, StateError> {
        let folder = self.path(folder);
        let (draft, file) =
            files::Draft::create(&folder, &self.token()).doing("create a file in", &folder)?;
        Ok(Box::new(FileDraft { disk: self.clone(), draft, file }))
    }

    fn judges(&self) -> bool {
        false
    }

    fn fence(&self, folder: &Folder) -> Result<Box<dyn Guard>, StateError> {
        let folder = self.path(folder.key());
        fs::create_dir_all(&folder).doing("create", &folder)?;
        let path = folder.join("fence");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .doing("open", &path)?;
        let timer = &self.around.timer;
        let start = timer.elapsed();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(FileFence { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(files::failed("lock", &path, &error)),
            }
            if timer.elapsed().saturating_sub(start) >= self.patience {
                let message = format!("somebody else holds {} for too long", path.display());
                let hint = "look for a stopped process that has the file open";
                return Err(StateError::Store(Diagnostic::error("store-fence", message).with_hint(hint)));
            }
            timer.sleep(Duration::from_millis(5));
        }
    }

    fn is_current(&self, folder: &Folder, epoch: u64) -> bool {
        self.path(&folder.epoch_file(epoch)).exists()
    }

    fn end_epochs(
        &self,
        folder: &Folder,
        old: &[u64],
        sealed: Option<Sealed>,
        _by: &WriterMark,
    ) -> Result<Option<Sealed>, StateError> {
        old.iter().try_for_each(|epoch| self.remove(&folder.epoch_file(*epoch)))?;
        // What is written from now on is not promised to anybody, by writers who find out afterwards.
        let newest = old.last().copied().unwrap_or_default();
        let mut now = Sealed::new();
        for number in folder.numbered("journal", ".jsonl")? {
            let length = match &sealed {
                Some(sealed) if number < newest => sealed.get(&number).copied(),
                _ => {
                    let path = self.path(&self.segment_file(folder, number));
                    files::found(journal::length(&path)).doing("look at", &path)?
                }
            };
            now.extend(length.map(|length| (number, length)));
        }
        Ok(Some(now))
    }

    fn restate(&self, folder: &Folder, number: u64, epoch: &Epoch) -> Result<(), StateError> {
        folder.write_json(&folder.epoch_file(number), epoch)
    }

    fn journal(&self, folder: &Folder, number: u64, _epoch: &Epoch) -> Arc<dyn Journal> {
        Arc::new(FileJournal {
            disk: Arc::new(self.clone()),
            folder: folder.clone(),
            epoch: number,
            open: Mutex::default(),
        })
    }

    fn survey(&self, folder: &Folder) -> Result<Survey, StateError> {
        let names = self.names(folder.key())?;
        let has_journals = names.iter().any(|name| number_in(name, "journal", ".jsonl").is_some());
        Ok(Survey { names, has_journals })
    }

    fn has_journals(&self, folder: &Folder) -> Result<bool, StateError> {
        Ok(!folder.numbered("journal", ".jsonl")?.is_empty())
    }

    fn unfinished(&self, folder: &Folder, sha256: &dyn Fn() -> String) -> Result<Unfinished, StateError> {
        let numbers = folder.numbered("journal", ".jsonl")?;
        if numbers.is_empty() {
            return Ok(Unfinished::default());
        }
        // A writer that put its checkpoint in place and died before it could drop the journals.
        let sha256 = sha256();
        let mut records = self.finish_records(folder)?.into_iter();
        let done = records.find(|(_, record)| record.result == sha256).map(|(epoch, _)| epoch);
        let newest = folder.newest()?;
        let mut segments = Vec::new();
        for number in numbers.into_iter().filter(|number| done.is_none_or(|done| *number > done)) {
            let key = self.segment_file(folder, number);
            let counts = match &newest {
                Some((newest, Epoch { sealed: Some(sealed), .. })) if number < *newest => {
                    sealed.get(&number).map_or(0, |length| usize::try_from(*length).unwrap_or(usize::MAX))
                }
                _ => usize::MAX,
            };
            if counts > 0
                && let Some((mut bytes, _)) = self.read(&key)?
            {
                bytes.truncate(counts);
                segments.extend(segment::parse(&self.place(&key), bytes)?);
            }
        }
        // Who was fenced finds that out before it puts a checkpoint.
        Ok(Unfinished { segments, announced: false })
    }

    fn drop_journals(&self, folder: &Folder, up_to: u64, _how: Dropping) -> Result<Vec<String>, StateError> {
        let segments = folder.numbered("journal", ".jsonl")?.into_iter();
        let segments = segments.map(|number| (number, self.segment_file(folder, number)));
        let records = folder.numbered("finish", ".json")?.into_iter();
        let records = records.map(|number| (number, self.finish_file(folder, number)));
        let mut dropped = segments.chain(records).filter(|(number, _)| *number <= up_to);
        dropped.try_for_each(|(_, key)| self.remove(&key))?;
        Ok(Vec::new())
    }

    fn set_journals_aside(&self, folder: &Folder) -> Result<Vec<String>, StateError> {
        let mut aside = Vec::new();
        for number in folder.numbered("journal", ".jsonl")? {
            let key = self.segment_file(folder, number);
            let new = format!("{key}.aside");
            self.rename(&key, &new)?;
            aside.push(self.place(&new));
        }
        Ok(aside)
    }
}
