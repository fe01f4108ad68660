//! Edits of states that people ask for: snapshots in, snapshots out. Nothing here knows where states
//! live, and nothing is changed that isn't returned.

mod delete;
mod diff;
mod find;
mod flags;
mod moving;
mod rename;
mod repair;
mod urns;

pub use delete::{DeleteOptions, Deleted, delete};
pub use diff::{FieldChange, ResourceChange, StateDiff, diff};
pub use find::{Found, Selection, find, live};
pub use flags::{Flag, set_flag};
pub use moving::{Broken, BrokenKind, MoveRequest, Moved, move_resources};
pub use rename::{rename_resource, rename_stack};
pub use repair::{Repair, repair};
pub use urns::{Renaming, map_urns};
