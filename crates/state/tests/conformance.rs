//! All stores keep the promises of stores.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::sync::Arc;

use purlin_blobs::MemoryBlobs;
use purlin_ports::StateStore;
use purlin_state::conformance::check_store;
use purlin_state::{Compression, DiyOptions, MemoryStore};
use world::World;

#[tokio::test]
async fn the_store_in_memory_keeps_its_promises() {
    check_store(&|| Arc::new(MemoryStore::new()) as Arc<dyn StateStore>).await.unwrap();
}

#[tokio::test]
async fn the_store_in_a_directory_keeps_its_promises() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let options = DiyOptions { compression, ..DiyOptions::default() };
        // The directories stay until the end.
        let worlds = std::sync::Mutex::new(Vec::new());
        let make = || {
            let world = World::with(options);
            let store = Arc::new(world.store(1)) as Arc<dyn StateStore>;
            worlds.lock().unwrap().push(world);
            store
        };
        check_store(&make).await.unwrap();
    }
}

#[tokio::test]
async fn the_store_in_a_bucket_keeps_its_promises() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let world = World::with(DiyOptions { compression, ..DiyOptions::default() });
        let make = || Arc::new(world.bucket_on(&MemoryBlobs::new(), "here", 1)) as Arc<dyn StateStore>;
        check_store(&make).await.unwrap();
    }
}
