//! What a store stands on: a disk, or a service that keeps bytes under keys.
//!
//! Places are keys below the root, such as `.pulumi/stacks/shop/dev.json`. What only one kind can do,
//! or must do in its own way, is behind this trait: how a writer is fenced, where its journal goes,
//! and how a checkpoint is replaced.

use std::io::{self, Write};
use std::sync::Arc;

use purlin_formats::JournalHeader;
use purlin_journal::Entry;
use purlin_ports::StateError;

use super::folder::{Epoch, Folder, Sealed, WriterMark};

/// What shows that what is kept at a place was replaced or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) String);

/// How a copy may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copying {
    /// Both places may share the content, since nobody writes to it in place.
    Share,
    /// The copy has a content of its own.
    Apart,
}

/// What a draft is put on.
#[derive(Clone, Debug)]
pub(crate) enum Onto {
    /// Nothing is there.
    Nothing,
    /// This version is there.
    Version(Stamp),
}

/// What is known when journals are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropping {
    /// Whether the writer of the last epoch writes no more.
    pub(crate) ended: bool,
    /// Whether there may be journals of earlier epochs.
    pub(crate) earlier: bool,
}

/// Why a draft was not put in its place.
#[derive(Debug)]
pub(crate) enum PlaceError {
    /// What is there is another than expected. Nothing was put.
    Changed,
    /// The store can't.
    Failed(StateError),
}

/// Something being written that nobody sees until it is put in its place. Goes away if it isn't.
pub(crate) trait Draft: Write + Send {
    /// Nothing more is written; what was written is kept for good.
    fn seal(&mut self) -> io::Result<()>;

    /// What people may call it.
    fn name(&self) -> String;

    /// Puts it in its place, for good.
    fn place(self: Box<Self>, key: &str, onto: &Onto) -> Result<(), PlaceError>;
}

/// A journal that was read, or the part of one that goes on one checkpoint.
#[derive(Debug)]
pub(crate) struct Segment {
    /// What people call it.
    pub(crate) place: String,
    pub(crate) header: JournalHeader,
    pub(crate) entries: Vec<Entry>,
}

impl Segment {
    /// The number of its last entry among those of its operation, from 1.
    pub(crate) fn last(&self) -> u64 {
        let before = self.header.continues.as_ref().map_or(0, |continued| continued.entries);
        before + self.entries.len() as u64
    }
}

/// What journals hold that a checkpoint does not have.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// The journals, or parts of them, oldest first.
    pub(crate) segments: Vec<Segment>,
    /// Whether a writer that was fenced may still put a checkpoint on this one.
    pub(crate) announced: bool,
}

/// Told whether a batch is kept for good. Called once, from any thread.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StateError>) + Send>;

/// The journal of a writer.
pub(crate) trait Journal: Send + Sync {
    /// Makes entries durable after all earlier ones, and says so by `done`, at once or later. `header`
    /// is asked for once for each checkpoint that entries go on. A batch counts only if all before it
    /// do. May return an error instead of calling `done`.
    fn commit(
        &self,
        header: &dyn Fn() -> JournalHeader,
        entries: &[Entry],
        done: Done,
    ) -> Result<(), StateError>;

    /// How many batches may be on their way at once.
    fn width(&self) -> usize;

    /// Notes the hex SHA-256 of the checkpoint that is about to be put in place with everything so
    /// far, and makes sure that nobody has taken over. From then on entries go on that checkpoint.
    fn announce(&self, result: &str) -> Result<(), StateError>;

    /// Whether a checkpoint's hash is needed for [`Journal::announce`].
    fn wants_result(&self) -> bool;

    /// How many bytes of lines were written that go on the checkpoint in place.
    fn written(&self) -> u64;

    /// What was announced is in place while the operation goes on. What was written before counts for
    /// nothing any more and may be forgotten.
    fn go_on(&self);
}

/// What is in the folder of our own that a stack has, seen at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// The names of what is directly in it, sorted.
    pub(crate) names: Vec<String>,
    /// Whether journals are kept that may hold something.
    pub(crate) has_journals: bool,
}

/// Held while a writer takes over or replaces a checkpoint, where that needs it.
pub(crate) trait Guard: Send {}

/// See the head of this file.
pub(crate) trait Medium: Send + Sync {
    /// Whether whatever is asked for takes long, so that things are better asked for at once.
    fn is_far(&self) -> bool;

    /// What people call a place.
    fn place(&self, key: &str) -> String;

    /// Makes sure that what is about to be written to keeps its promises.
    fn ready(&self) -> Result<(), StateError>;

    /// Makes sure that the root is there.
    fn check_root(&self) -> Result<(), StateError>;

    /// What is at a place, if something is.
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Stamp)>, StateError>;

    /// What is at many places, in order.
    fn read_all(&self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, StateError>;

    /// The stamp of what is at a place, if something is.
    fn stamp(&self, key: &str) -> Result<Option<Stamp>, StateError>;

    /// The names of what is directly in a folder, sorted. Folders aren't among them.
    fn names(&self, folder: &str) -> Result<Vec<String>, StateError>;

    /// The names of the folders in a folder, sorted.
    fn folders(&self, folder: &str) -> Result<Vec<String>, StateError>;

    /// Of some names in a folder, the one that was written to last, if any is there, with the stamp of
    /// what is there if that is known by the way. Of equals the last.
    fn newest(&self, folder: &str, names: &[String]) -> Result<Option<(usize, Option<Stamp>)>, StateError>;

    /// Writes something small, whole. With `sync` it is there for good.
    fn write(&self, key: &str, bytes: &[u8], sync: bool) -> Result<(), StateError>;

    /// Writes something small where nothing is. `false` if something is.
    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool, StateError>;

    /// Copies what is at a place, over what is at the other.
    fn copy(&self, from: &str, to: &str, how: Copying) -> Result<(), StateError>;

    /// Moves what is at a place. Nothing need be there.
    fn rename(&self, from: &str, to: &str) -> Result<(), StateError>;

    /// Removes what is at a place. Nothing need be there.
    fn remove(&self, key: &str) -> Result<(), StateError>;

    /// Removes what is at many places. Nothing need be there.
    fn remove_all(&self, keys: Vec<String>) -> Result<(), StateError>;

    /// Removes everything below a place. Nothing need be there.
    fn remove_folder(&self, folder: &str) -> Result<(), StateError>;

    /// Moves everything below a place.
    fn rename_folder(&self, from: &str, to: &str) -> Result<(), StateError>;

    /// Begins to write something for a folder.
    fn draft(&self, folder: &str) -> Result<Box<dyn Draft>, StateError>;

    /// Whether [`Draft::place`] judges itself what it is put on; if not, whoever calls it has looked
    /// before, within the fence.
    fn judges(&self) -> bool;

    /// Waits for the moment in which nobody else takes over or replaces the checkpoint.
    fn fence(&self, folder: &Folder) -> Result<Box<dyn Guard>, StateError>;

    /// Whether a writer's epoch is still its own, as far as is known.
    fn is_current(&self, folder: &Folder, epoch: u64) -> bool;

    /// Ends earlier epochs, so that their writers can write no more, and forgets them. Called by the
    /// writer of a later one. `sealed` is what the newest of them said of those before it; the result is
    /// what is to be said now, see [`Epoch::sealed`].
    fn end_epochs(
        &self,
        folder: &Folder,
        old: &[u64],
        sealed: Option<Sealed>,
        by: &WriterMark,
    ) -> Result<Option<Sealed>, StateError>;

    /// Writes anew what its writer says of an epoch. Only while that is its own.
    fn restate(&self, folder: &Folder, number: u64, epoch: &Epoch) -> Result<(), StateError>;

    /// The journal that an epoch's writer writes.
    fn journal(&self, folder: &Folder, number: u64, epoch: &Epoch) -> Arc<dyn Journal>;

    /// What is in the folder of our own that a stack has.
    fn survey(&self, folder: &Folder) -> Result<Survey, StateError>;

    /// Whether journals are kept that may hold something.
    fn has_journals(&self, folder: &Folder) -> Result<bool, StateError>;

    /// What journals hold that a checkpoint does not have yet. `sha256` gives its hash.
    fn unfinished(&self, folder: &Folder, sha256: &dyn Fn() -> String) -> Result<Unfinished, StateError>;

    /// Forgets the journals of all epochs up to one: they are in the checkpoint by now. Gives the keys
    /// of what counts for nothing any more and is still to be removed.
    fn drop_journals(&self, folder: &Folder, up_to: u64, how: Dropping) -> Result<Vec<String>, StateError>;

    /// Gives all journals names under which nothing looks at them. Returns those.
    fn set_journals_aside(&self, folder: &Folder) -> Result<Vec<String>, StateError>;
}
