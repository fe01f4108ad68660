//! The folder of our own that a stack has: epochs, leases and journals.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::files::{self, Doing as _};
use super::store::Inner;

/// Who writes, and what tells whether that process still runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriterMark {
    /// The host, its start and its space of process numbers.
    pub(crate) host: String,
    pub(crate) pid: u32,
    /// What tells the process from others of its number.
    pub(crate) mark: String,
    /// How people know it.
    pub(crate) name: String,
}

/// A process that acts for a writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessMark {
    pub(crate) pid: u32,
    pub(crate) mark: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The random name of this life of the stack.
    pub(crate) incarnation: String,
    pub(crate) writer: WriterMark,
}

/// The signs of life of a writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) beat: u64,
    pub(crate) writer: WriterMark,
    #[serde(default)]
    pub(crate) processes: Vec<ProcessMark>,
}

/// The checkpoint that a writer was about to put in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FinishRecord {
    /// The hex SHA-256 of its file.
    pub(crate) result: String,
}

/// The folder of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// The right to take over or to replace the checkpoint, for a moment.
#[derive(Debug)]
pub(crate) struct Fence {
    _file: File,
}

impl Folder {
    pub(crate) fn of(inner: &Inner, id: &StackId) -> Folder {
        Folder { path: inner.layout.own(id) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    pub(crate) fn epoch_file(&self, epoch: u64) -> PathBuf {
        self.path.join(format!("epoch.{epoch}.json"))
    }

    pub(crate) fn lease_file(&self, epoch: u64) -> PathBuf {
        self.path.join(format!("lease.{epoch}.json"))
    }

    pub(crate) fn segment_file(&self, epoch: u64) -> PathBuf {
        self.path.join(format!("journal.{epoch}.jsonl"))
    }

    pub(crate) fn finish_file(&self, epoch: u64) -> PathBuf {
        self.path.join(format!("finish.{epoch}.json"))
    }

    /// Waits for the moment in which nobody else takes over or replaces the checkpoint.
    pub(crate) fn fence(&self, inner: &Inner) -> Result<Fence, StateError> {
        fs::create_dir_all(&self.path).doing("create", &self.path)?;
        let path = self.path.join("fence");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .doing("open", &path)?;
        let timer = &inner.around.timer;
        let start = timer.elapsed();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Fence { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(files::failed("lock", &path, &error)),
            }
            if timer.elapsed().saturating_sub(start) >= inner.options.times.fence {
                let message = format!("somebody else holds {} for too long", path.display());
                let hint = "look for a stopped process that has the file open";
                return Err(StateError::Store(Diagnostic::error("store-fence", message).with_hint(hint)));
            }
            timer.sleep(Duration::from_millis(5));
        }
    }

    fn numbered(&self, kind: &str, ending: &str) -> Result<Vec<u64>, StateError> {
        let names = files::names(&self.path).doing("list", &self.path)?;
        let number =
            |name: &String| name.strip_prefix(kind)?.strip_prefix('.')?.strip_suffix(ending)?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The newest epoch.
    pub(crate) fn newest(&self) -> Result<Option<(u64, Epoch)>, StateError> {
        let Some(number) = self.numbered("epoch", ".json")?.pop() else { return Ok(None) };
        Ok(read_json(&self.epoch_file(number))?.map(|epoch| (number, epoch)))
    }

    /// Whether a writer's epoch is still its own.
    pub(crate) fn is_current(&self, epoch: u64) -> bool {
        self.epoch_file(epoch).exists()
    }

    /// Begins a new epoch and ends all earlier ones. Only within the fence.
    pub(crate) fn raise(&self, inner: &Inner, _fence: &Fence) -> Result<(u64, String), StateError> {
        let known = self.numbered("epoch", ".json")?;
        let newest = self.newest()?;
        let incarnation = newest.map_or_else(|| inner.around.entropy.uuid(), |(_, epoch)| epoch.incarnation);
        let number = known.last().copied().unwrap_or_default() + 1;
        let path = self.epoch_file(number);
        let epoch = Epoch { incarnation, writer: inner.writer.clone() };
        write_json(&path, &epoch, &inner.token())?;
        for old in known {
            files::remove(&self.epoch_file(old)).doing("remove", &self.epoch_file(old))?;
        }
        Ok((number, epoch.incarnation))
    }

    /// The writers that show signs of life, or showed them to their end.
    pub(crate) fn leases(&self) -> Result<Vec<(u64, Lease)>, StateError> {
        let mut leases = Vec::new();
        for number in self.numbered("lease", ".json")? {
            leases.extend(read_json(&self.lease_file(number))?.map(|lease| (number, lease)));
        }
        Ok(leases)
    }

    /// The numbers of the journals that are there, oldest first.
    pub(crate) fn segments(&self) -> Result<Vec<u64>, StateError> {
        self.numbered("journal", ".jsonl")
    }

    /// What writers were about to put in place, newest first.
    pub(crate) fn finish_records(&self) -> Result<Vec<(u64, FinishRecord)>, StateError> {
        let mut records = Vec::new();
        for number in self.numbered("finish", ".json")?.into_iter().rev() {
            records.extend(read_json(&self.finish_file(number))?.map(|record| (number, record)));
        }
        Ok(records)
    }

    /// Removes the journals of all epochs up to one: they are in the checkpoint by now.
    pub(crate) fn drop_journals(&self, up_to: u64) -> Result<(), StateError> {
        let segments = self.segments()?.into_iter().map(|n| (n, self.segment_file(n)));
        let records = self.numbered("finish", ".json")?.into_iter().map(|n| (n, self.finish_file(n)));
        for (number, path) in segments.chain(records) {
            if number <= up_to {
                files::remove(&path).doing("remove", &path)?;
            }
        }
        Ok(())
    }

    /// Gives all journals names under which nothing looks at them. Returns those.
    pub(crate) fn set_journals_aside(&self) -> Result<Vec<PathBuf>, StateError> {
        let mut aside = Vec::new();
        for number in self.segments()? {
            let path = self.segment_file(number);
            let new = path.with_extension("jsonl.aside");
            fs::rename(&path, &new).doing("rename", &path)?;
            aside.push(new);
        }
        Ok(aside)
    }

    /// Makes room for a new stack of the same name: another program may have removed the old one and
    /// left our folder behind. Journals in it are kept.
    pub(crate) fn clear(&self, inner: &Inner) -> Result<(), StateError> {
        if self.segments()?.is_empty() {
            return files::found(fs::remove_dir_all(&self.path)).doing("remove", &self.path).map(drop);
        }
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".{}.aside", inner.around.clock.unix_nanos()));
        fs::rename(&self.path, aside).doing("rename", &self.path)
    }

    /// Removes the leases of all epochs up to one.
    pub(crate) fn drop_leases(&self, up_to: u64) -> Result<(), StateError> {
        for number in self.numbered("lease", ".json")?.into_iter().filter(|number| *number <= up_to) {
            let path = self.lease_file(number);
            files::remove(&path).doing("remove", &path)?;
        }
        Ok(())
    }

    /// The error of a writer whose epoch ended.
    pub(crate) fn fenced(&self) -> StateError {
        let by = match self.newest() {
            Ok(Some((_, epoch))) => format!("taken over by {}", epoch.writer.name),
            _ => "taken over or removed".to_owned(),
        };
        StateError::Fenced(
            Diagnostic::error("stack-fenced", format!("the stack was {by} while this operation ran"))
                .with_hint(
                    "nothing that this operation did since is lost if it was recorded before; run it again",
                ),
        )
    }
}

/// Writes a small file of JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize, token: &str) -> Result<(), StateError> {
    let text = serde_json::to_vec(value).map_err(io::Error::from).doing("write", path)?;
    files::write_whole(path, &text, token, false).doing("write", path)
}

/// Reads a small file of JSON. `None` if it isn't there.
fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, StateError> {
    let Some(bytes) = files::found(fs::read(path)).doing("read", path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let message = format!("{} is damaged: {error}", path.display());
        let hint = "look into the folder; if no operation is running, `purlin cancel` cleans it up";
        StateError::Unusable(Diagnostic::error("store-damaged", message).with_hint(hint))
    })
}
