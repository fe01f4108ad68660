//! The nouns of the engine: URNs, property values and paths, resource states, goals, aliases,
//! provider references, the one property diff, and the events that leave an operation.
//!
//! Nothing here knows a file format, a wire format, a clock or a task: adapters turn their own
//! shapes into these and back.

pub mod autonaming;
pub mod cause;
pub mod diff;
pub mod event;
pub mod goal;
pub mod hash;
pub mod map;
pub mod package;
pub mod path;
pub mod policy;
pub mod state;
pub mod update_plan;
pub mod urn;
pub mod value;

pub use cause::{Cause, Causes, PropertyCause};
pub use diff::{DiffKind, PropertyDiff, ValueDiff};
pub use goal::{Alias, AliasParent, CustomTimeouts, Goal};
pub use hash::{QuickMap, QuickSet};
pub use map::{NamedMap, PropertyDependencies, PropertyMap};
pub use package::{Extension, PackageDescriptor, Parameterization};
pub use path::{PathElement, PropertyPath};
pub use state::{Bag, OperationKind, PendingOperation, RawText, ResourceState, SealedValue, Slot, Snapshot};
pub use urn::{ProviderRef, UNKNOWN_ID, Urn};
pub use value::{
    Archive, ArchiveSource, Asset, AssetOrArchive, AssetSource, OutputValue, PropertyValue, ReferenceId,
    ResourceReference,
};
