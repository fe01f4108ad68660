//! Checkpoints and exported deployments: what a stack's file holds.

mod features;
mod migrate;
mod read;
mod write;

pub use features::{KNOWN_FEATURES, features_of};
pub use migrate::migrate_provider_outputs;
pub use read::{Checkpoint, ParseOptions, parse_checkpoint, parse_deployment};
pub use write::{WriteError, export_deployment, magic, write_checkpoint, write_deployment, write_export};

/// Where a key that is carried through unread stands, and its name there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Beside the version.
    File,
    /// Beside the stack's name.
    Checkpoint,
    /// Beside the resources.
    Deployment,
    /// In the manifest.
    Manifest,
}

impl Place {
    const ALL: [(Place, &'static str); 4] = [
        (Place::File, "/file/"),
        (Place::Checkpoint, "/checkpoint/"),
        (Place::Manifest, "/manifest/"),
        (Place::Deployment, "/deployment/"),
    ];

    /// The key by which a snapshot carries it.
    pub(crate) fn carried(self, key: &str) -> String {
        if self == Place::Deployment && !key.starts_with('/') {
            return key.to_owned();
        }
        let prefix = Place::ALL.iter().find(|(place, _)| *place == self).map_or("/", |(_, prefix)| prefix);
        format!("{prefix}{key}")
    }

    /// The place and the key of a carried key.
    pub(crate) fn of(carried: &str) -> (Place, &str) {
        Place::ALL
            .iter()
            .find_map(|(place, prefix)| Some((*place, carried.strip_prefix(prefix)?)))
            .unwrap_or((Place::Deployment, carried))
    }
}
