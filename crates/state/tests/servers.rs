//! Stacks on real servers, as far as variables name some.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use purlin_blobs::servers::{KINDS, backend};
use purlin_ports::StateStore;
use purlin_state::conformance::check_store;
use world::World;

#[tokio::test]
async fn stores_on_real_servers_keep_their_promises() {
    let stores = AtomicU64::new(0);
    for (scheme, variable) in KINDS {
        let Ok(address) = std::env::var(variable) else {
            eprintln!("skipped: {variable} names no server");
            continue;
        };
        let world = World::new();
        let make = || {
            let number = stores.fetch_add(1, Ordering::Relaxed);
            let prefix = format!("state-{}-{number}", std::process::id());
            let blobs = backend(scheme, &address, &prefix).unwrap().open().unwrap();
            Arc::new(world.store_in(blobs, "here", 1)) as Arc<dyn StateStore>
        };
        assert_eq!(check_store(&make).await, Ok(()), "{scheme}");
    }
}
