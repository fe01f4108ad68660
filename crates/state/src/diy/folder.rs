//! The folder of our own that a stack has: epochs, leases and journals.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_ports::{StackId, StateError};
use serde::{Deserialize, Serialize};

use super::medium::{Guard, Medium, Survey};
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

/// How many bytes of journals count, by epoch.
pub(crate) type Sealed = BTreeMap<u64, u64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The random name of this life of the stack.
    pub(crate) incarnation: String,
    pub(crate) writer: WriterMark,
    /// A random name: no two epochs are the same.
    #[serde(default)]
    pub(crate) nonce: String,
    /// Whether its writer said that it writes no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ended: bool,
    /// How many bytes of the journals of ended epochs count, by epoch: what their writers had written when
    /// they were ended. Of others nothing counts. `None` while that wasn't looked at, and where the
    /// journals themselves say where they end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<Sealed>,
    /// What the last recovery folded in. Later epochs hand it on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recovered: Vec<Recovered>,
}

/// A journal that was folded into a checkpoint by somebody else than its writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recovered {
    /// The number of its writer.
    pub(crate) epoch: u64,
    /// How many entries it had.
    pub(crate) entries: u64,
    /// The hex SHA-256 of the checkpoint.
    pub(crate) result: String,
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
#[derive(Clone)]
pub(crate) struct Folder {
    medium: Arc<dyn Medium>,
    key: String,
}

impl Folder {
    pub(crate) fn of(inner: &Inner, id: &StackId) -> Folder {
        Folder { medium: Arc::clone(&inner.medium), key: inner.layout.own(id) }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether a writer of ours was ever here.
    pub(crate) fn exists(&self) -> Result<bool, StateError> {
        Ok(!self.medium.names(&self.key)?.is_empty())
    }

    pub(crate) fn epoch_file(&self, epoch: u64) -> String {
        format!("{}/epoch.{epoch}.json", self.key)
    }

    pub(crate) fn lease_file(&self, epoch: u64) -> String {
        format!("{}/lease.{epoch}.json", self.key)
    }

    /// Waits for the moment in which nobody else takes over or replaces the checkpoint.
    pub(crate) fn fence(&self) -> Result<Box<dyn Guard>, StateError> {
        self.medium.fence(self)
    }

    pub(crate) fn numbered(&self, kind: &str, ending: &str) -> Result<Vec<u64>, StateError> {
        Ok(numbers_in(&self.medium.names(&self.key)?, kind, ending))
    }

    /// What is in it.
    pub(crate) fn survey(&self) -> Result<Survey, StateError> {
        self.medium.survey(self)
    }

    pub(crate) fn epoch(&self, number: u64) -> Result<Option<Epoch>, StateError> {
        self.read_json(&self.epoch_file(number))
    }

    /// The newest epoch.
    pub(crate) fn newest(&self) -> Result<Option<(u64, Epoch)>, StateError> {
        let Some(number) = self.numbered("epoch", ".json")?.pop() else { return Ok(None) };
        Ok(self.epoch(number)?.map(|epoch| (number, epoch)))
    }

    /// Whether a writer's epoch is still its own.
    pub(crate) fn is_current(&self, epoch: u64) -> bool {
        self.medium.is_current(self, epoch)
    }

    /// Begins a new epoch and ends all earlier ones. Only within the fence. `None` if somebody else
    /// began one at the same time.
    pub(crate) fn raise(&self, inner: &Inner, fence: &dyn Guard) -> Result<Option<(u64, Epoch)>, StateError> {
        let known = self.numbered("epoch", ".json")?;
        let newest = match known.last() {
            Some(number) => self.epoch(*number)?,
            None => None,
        };
        let sealed = newest.as_ref().and_then(|epoch| epoch.sealed.clone());
        let Some((number, epoch)) = self.begin_epoch(inner, fence, &known, newest)? else { return Ok(None) };
        let sealed = self.medium.end_epochs(self, &known, sealed, &inner.writer)?;
        let epoch = Epoch { sealed, ..epoch };
        if epoch.sealed.is_some() {
            self.medium.restate(self, number, &epoch)?;
        }
        Ok(Some((number, epoch)))
    }

    /// Begins a new epoch after those that are known, of which the newest is given, and leaves them as
    /// they are. Only within the fence. `None` if somebody else began one at the same time.
    pub(crate) fn begin_epoch(
        &self,
        inner: &Inner,
        _fence: &dyn Guard,
        known: &[u64],
        newest: Option<Epoch>,
    ) -> Result<Option<(u64, Epoch)>, StateError> {
        let (incarnation, recovered) = match newest {
            Some(epoch) => (epoch.incarnation, epoch.recovered),
            None => (inner.around.entropy.uuid(), Vec::new()),
        };
        let number = known.last().copied().unwrap_or_default() + 1;
        let nonce = inner.around.entropy.uuid();
        let epoch =
            Epoch { incarnation, writer: inner.writer.clone(), nonce, ended: false, sealed: None, recovered };
        let bytes = to_json(&self.epoch_file(number), &epoch)?;
        Ok(self.medium.create(&self.epoch_file(number), &bytes)?.then_some((number, epoch)))
    }

    /// The writers that show signs of life, or showed them to their end.
    pub(crate) fn leases(&self) -> Result<Vec<(u64, Lease)>, StateError> {
        self.leases_of(&self.medium.names(&self.key)?)
    }

    /// The same, where it is known what there is.
    pub(crate) fn leases_of(&self, names: &[String]) -> Result<Vec<(u64, Lease)>, StateError> {
        let mut leases = Vec::new();
        for number in numbers_in(names, "lease", ".json") {
            leases.extend(self.read_json(&self.lease_file(number))?.map(|lease| (number, lease)));
        }
        Ok(leases)
    }

    /// Makes room for a new stack of the same name: another program may have removed the old one and
    /// left our folder behind. Journals in it are kept.
    pub(crate) fn clear(&self, inner: &Inner) -> Result<(), StateError> {
        if !self.exists()? {
            return Ok(());
        }
        if !self.medium.has_journals(self)? {
            return self.medium.remove_folder(&self.key);
        }
        let aside = format!("{}.{}.aside", self.key, inner.around.clock.unix_nanos());
        self.medium.rename_folder(&self.key, &aside)
    }

    /// Removes the leases of all epochs up to one.
    pub(crate) fn drop_leases(&self, up_to: u64) -> Result<(), StateError> {
        for number in self.numbered("lease", ".json")?.into_iter().filter(|number| *number <= up_to) {
            self.medium.remove(&self.lease_file(number))?;
        }
        Ok(())
    }

    /// The error of a writer whose epoch ended.
    pub(crate) fn fenced(&self) -> StateError {
        let by = match self.newest() {
            Ok(Some((_, epoch))) => format!("taken over by {}", epoch.writer.name),
            _ => "taken over or removed".to_owned(),
        };
        fenced(&by)
    }

    /// Writes a small file of JSON.
    pub(crate) fn write_json(&self, key: &str, value: &impl Serialize) -> Result<(), StateError> {
        self.medium.write(key, &to_json(key, value)?, false)
    }

    /// Reads a small file of JSON. `None` if it isn't there.
    pub(crate) fn read_json<T: for<'a> Deserialize<'a>>(&self, key: &str) -> Result<Option<T>, StateError> {
        let Some((bytes, _)) = self.medium.read(key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("{} is damaged: {error}", self.medium.place(key));
            let hint = "look into the folder; if no operation is running, `purlin cancel` cleans it up";
            StateError::Unusable(Diagnostic::error("store-damaged", message).with_hint(hint))
        })
    }
}

/// The number in a name such as `epoch.7.json`.
pub(crate) fn number_in(name: &str, kind: &str, ending: &str) -> Option<u64> {
    name.strip_prefix(kind)?.strip_prefix('.')?.strip_suffix(ending)?.parse().ok()
}

/// The numbers in names of a kind, sorted.
pub(crate) fn numbers_in(names: &[String], kind: &str, ending: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_in(name, kind, ending)).collect();
    numbers.sort_unstable();
    numbers
}

/// The error of a writer that lost its stack; `by` says to whom.
pub(crate) fn fenced(by: &str) -> StateError {
    StateError::Fenced(
        Diagnostic::error("stack-fenced", format!("the stack was {by} while this operation ran")).with_hint(
            "nothing that this operation did since is lost if it was recorded before; run it again",
        ),
    )
}

/// A value as JSON. `key` is where it is meant to go.
pub(crate) fn to_json(key: &str, value: &impl Serialize) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| {
        StateError::Unusable(Diagnostic::error("store-json", format!("failed to write {key}: {error}")))
    })
}
