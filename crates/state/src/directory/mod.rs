//! Stacks in a directory: what only a disk can do.
//!
//! | Place under `.pulumi/purlin/<project>/<stack>` | What it is |
//! |---|---|
//! | `journal.<n>.jsonl` | what a writer did since the checkpoint |
//! | `finish.<n>.json` | the checkpoint that a writer was about to put in place |
//! | `fence` | locked for moments: while a writer takes over, and while a checkpoint is replaced |

mod disk;
mod files;
mod journal;
mod url;

use std::path::PathBuf;
use std::sync::Arc;

use purlin_ports::StateError;

use crate::diy::{DiyOptions, DiyStore, Surroundings};

pub use url::directory_of_url;

impl DiyStore {
    /// The store in a directory. `url` is how the user names it; see [`directory_of_url`]. Refuses
    /// directories with another layout.
    pub fn open(
        url: impl Into<String>,
        directory: PathBuf,
        options: DiyOptions,
        around: Surroundings,
    ) -> Result<DiyStore, StateError> {
        let disk = disk::Disk::new(directory, &options, &around);
        DiyStore::on(url.into(), Arc::new(disk), options, around)
    }

    /// Like [`DiyStore::open`], for [`DiyStore::upgrade`]: whatever the layout is.
    pub fn open_any_layout(
        url: impl Into<String>,
        directory: PathBuf,
        options: DiyOptions,
        around: Surroundings,
    ) -> DiyStore {
        let disk = disk::Disk::new(directory, &options, &around);
        DiyStore::unchecked(url.into(), Arc::new(disk), options, around)
    }
}
