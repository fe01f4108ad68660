//! Stacks in the layout of the ecosystem's self-managed backends, on a disk or in a bucket.
//!
//! | Place under `.pulumi` | What it is | Whose layout |
//! |---|---|---|
//! | `stacks`, `history`, `backups`, `locks`, `meta.yaml` | see [`layout`] | the ecosystem's |
//! | `purlin/<project>/<stack>/epoch.<n>.json` | the newest writer; its file going away fences it | ours |
//! | `…/lease.<n>.json` | the heartbeat of a writer, and its processes | ours |
//! | `…/journal.<n>…` | what a writer did since the checkpoint | ours |
//!
//! What differs between the two is behind [`medium::Medium`]: see [`crate::directory`] and
//! [`crate::bucket`].

pub(crate) mod at_once;
mod checkpoint;
pub(crate) mod compress;
mod examine;
pub(crate) mod folder;
mod heart;
mod history;
mod hold;
mod layout;
pub(crate) mod lines;
mod locks;
pub(crate) mod medium;
mod on_the_way;
mod options;
mod processes;
mod recent;
pub(crate) mod segment;
mod session;
mod store;
mod tags;
mod takeover;
mod target;
mod unsent;
mod upgrade;
mod writer;

pub(crate) use checkpoint::hex;
pub(crate) use medium::Stamp;
pub use options::{Compression, DiyOptions, LeaseTimes, Retries, Surroundings};
pub use processes::{Processes, SystemProcesses, SystemTimer, Timer};
pub use store::DiyStore;
pub use upgrade::{LegacyStack, UpgradeReport};
