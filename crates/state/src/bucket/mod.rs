//! Stacks in a bucket, or in anything else that keeps bytes under keys: what only that can do.
//!
//! Nobody can hold a file lock here, so two conditional writes carry everything. What is put *if
//! absent* has one author: an epoch, and each numbered object of a journal. What is put *if it
//! matches* replaces exactly what was read: the checkpoint.
//!
//! | Key under `.pulumi/purlin/<project>/<stack>` | What it is |
//! |---|---|
//! | `epoch.<n>.json` | who the n-th writer is; put if absent |
//! | `journal.<n>.<life>/<number>` | the objects of its journal, numbered from 1; put if absent |
//!
//! A journal's object is one of three: *entries*; a *finish*, which says which checkpoint is about to
//! be put in place with everything before it; or a *seal*, which somebody else put where the writer's
//! next object would have gone. Objects are on their way several at a time, and count only if all
//! before them do; so what comes after a seal never counts, and its writer knows that it was fenced
//! when it finds the seal in its way. Seals stay, for writers that wake up late.

mod batch;
mod draft;
mod errors;
mod journal;
mod keys;
mod medium;
mod probe;
mod requests;
mod sealing;

use std::sync::Arc;

use purlin_ports::{Blobs, StateError};

use crate::diy::{DiyOptions, DiyStore, Surroundings};

fn bucket(
    url: &str,
    blobs: Arc<dyn Blobs>,
    options: &DiyOptions,
    around: &Surroundings,
) -> Result<Arc<medium::Bucket>, StateError> {
    let conditional = !options.without_conditional_writes;
    let requests = requests::Requests::start(url, blobs, options.retries, conditional)?;
    Ok(Arc::new(medium::Bucket::new(requests, Arc::clone(&around.entropy))))
}

impl DiyStore {
    /// The store in a bucket. `url` is how the user names it. Refuses a bucket with another layout, and
    /// before the first write one whose service knows no conditional writes, unless the options say
    /// otherwise.
    ///
    /// Requests are made by a thread of the store's own, so calls may come from any thread.
    pub fn open_bucket(
        url: impl Into<String>,
        blobs: Arc<dyn Blobs>,
        options: DiyOptions,
        around: Surroundings,
    ) -> Result<DiyStore, StateError> {
        let url = url.into();
        let bucket = bucket(&url, blobs, &options, &around)?;
        DiyStore::on(url, bucket, options, around)
    }

    /// Like [`DiyStore::open_bucket`], for [`DiyStore::upgrade`]: whatever the layout is.
    pub fn open_bucket_of_any_layout(
        url: impl Into<String>,
        blobs: Arc<dyn Blobs>,
        options: DiyOptions,
        around: Surroundings,
    ) -> Result<DiyStore, StateError> {
        let url = url.into();
        let bucket = bucket(&url, blobs, &options, &around)?;
        Ok(DiyStore::unchecked(url, bucket, options, around))
    }
}
