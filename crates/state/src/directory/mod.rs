//! Stacks in a directory.
//!
//! | Place under `.pulumi` | What it is | Whose layout |
//! |---|---|---|
//! | `stacks`, `history`, `backups`, `locks`, `meta.yaml` | see [`layout`] | the ecosystem's |
//! | `purlin/<project>/<stack>/epoch.<n>.json` | the newest writer; its file going away fences it | ours |
//! | `…/lease.<n>.json` | the heartbeat of a writer, and its processes | ours |
//! | `…/journal.<n>.jsonl` | what a writer did since the checkpoint | ours |
//! | `…/finish.<n>.json` | the checkpoint that a writer was about to put in place | ours |
//! | `…/fence` | locked for moments: while a writer takes over, and while a checkpoint is replaced | ours |

mod checkpoint;
mod examine;
mod files;
mod folder;
mod heart;
mod history;
mod hold;
mod layout;
mod locks;
mod options;
mod processes;
mod segment;
mod session;
mod store;
mod tags;
mod takeover;
mod url;
mod writer;

pub use options::{Compression, DirectoryOptions, LeaseTimes, Surroundings};
pub use processes::{Processes, SystemProcesses, SystemTimer, Timer};
pub use store::DirectoryStore;
pub use url::directory_of_url;
