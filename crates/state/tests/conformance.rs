//! All stores keep the promises of stores.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::sync::Arc;

use purlin_blobs::MemoryBlobs;
use purlin_ports::StateStore;
use purlin_state::conformance::{Checkpoints, check_store};
use purlin_state::{Compression, DiyOptions, MemoryStore};
use world::World;

/// All compressions, with checkpoints at the end only and with one after each batch of entries.
fn all_options() -> impl Iterator<Item = (Checkpoints, DiyOptions)> {
    let compressions = [Compression::None, Compression::Gzip, Compression::Zstd];
    compressions.into_iter().flat_map(|compression| {
        let options = DiyOptions { compression, ..DiyOptions::default() };
        let on_the_way = DiyOptions { journal_bytes: Some(1), ..options };
        [(Checkpoints::AtTheEnd, options), (Checkpoints::OnTheWay, on_the_way)]
    })
}

#[tokio::test]
async fn the_store_in_memory_keeps_its_promises() {
    let make = || Arc::new(MemoryStore::new()) as Arc<dyn StateStore>;
    check_store(Checkpoints::AtTheEnd, &make).await.unwrap();
}

#[tokio::test]
async fn the_store_in_a_directory_keeps_its_promises() {
    for (checkpoints, options) in all_options() {
        // The directories stay until the end.
        let worlds = std::sync::Mutex::new(Vec::new());
        let make = || {
            let world = World::with(options);
            let store = Arc::new(world.store(1)) as Arc<dyn StateStore>;
            worlds.lock().unwrap().push(world);
            store
        };
        check_store(checkpoints, &make).await.unwrap();
    }
}

#[tokio::test]
async fn the_store_in_a_bucket_keeps_its_promises() {
    for (checkpoints, options) in all_options() {
        let world = World::with(options);
        let make = || Arc::new(world.bucket_on(&MemoryBlobs::new(), "here", 1)) as Arc<dyn StateStore>;
        check_store(checkpoints, &make).await.unwrap();
    }
}
