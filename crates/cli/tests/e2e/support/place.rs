//! Where stacks are kept: in the folder of a sealed surrounding, or on a server.

use std::future::Future;
use std::sync::Arc;

use purlin_blobs::{Surroundings, open};
use purlin_ports::{Blobs, Put};
use purlin_testkit::servers::{Backend, Server};
use serde_json::Value;

use super::{Sealed, copy_folder, files_below};

/// A place for state, one of many on a server.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The folder of the surrounding.
    Directory,
    /// Below a prefix, or in a table, of a server.
    On(Backend),
}

impl Place {
    /// A place of its own on a server, or the folder. Names have letters, digits and hyphens.
    pub(crate) fn new(server: Option<Server>, name: &str) -> Place {
        let Some(server) = server else { return Place::Directory };
        let found = server.find(|name| std::env::var(name).ok());
        Place::On(server.backend(&found, &format!("{name}-{}", std::process::id())))
    }

    /// Lets runs keep their state here.
    pub(crate) fn settle(&self, sealed: &mut Sealed) {
        if let Place::On(backend) = self {
            sealed.set("PULUMI_BACKEND_URL", &backend.url);
            for (name, value) in &backend.variables {
                sealed.set(name, value);
            }
        }
    }

    /// Copies everything from another place of the same kind.
    pub(crate) fn copy_from(&self, here: &Sealed, other: &Place, there: &Sealed) {
        let (Place::On(to), Place::On(from)) = (self, other) else {
            return copy_folder(there.bucket(), here.bucket());
        };
        wait(async {
            let (from, to) = (blobs(from), blobs(to));
            for info in from.list("").await.unwrap() {
                let blob = from.get(&info.key).await.unwrap();
                to.put(&info.key, blob.bytes, &Put::Always).await.unwrap();
            }
        });
    }

    /// What operations leave behind that did not end: locks, leases, journals with something in them.
    pub(crate) fn left_behind(&self, sealed: &Sealed) -> Vec<String> {
        let is_left = |key: &str| {
            let name = key.rsplit('/').next().unwrap_or_default();
            key.contains("/locks/") || name.starts_with("lease.") || key.contains("/journal.")
        };
        let Place::On(backend) = self else {
            let files = files_below(sealed.bucket()).into_iter();
            return files.map(|path| path.display().to_string()).filter(|path| is_left(path)).collect();
        };
        wait(async {
            let blobs = blobs(backend);
            let mut left = Vec::new();
            for info in blobs.list("").await.unwrap() {
                if is_left(&info.key) && !is_seal(&*blobs, &info.key).await {
                    left.push(info.key);
                }
            }
            left
        })
    }

    /// Forgets everything that is kept here.
    pub(crate) fn clear(&self) {
        if let Place::On(backend) = self {
            wait(async {
                let blobs = blobs(backend);
                for info in blobs.list("").await.unwrap() {
                    blobs.delete(&info.key).await.unwrap();
                }
            });
        }
    }
}

/// Whether an object of a journal is what ended it. These stay.
async fn is_seal(blobs: &dyn Blobs, key: &str) -> bool {
    let Ok(blob) = blobs.get(key).await else { return true };
    let line = blob.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Value>(line).is_ok_and(|head| head["kind"]["seal"]["folded"] == true)
}

fn blobs(backend: &Backend) -> Arc<dyn Blobs> {
    let variable = |name: &str| backend.variable(name);
    open(&backend.url, &Surroundings { variable: &variable, home: None }).unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
