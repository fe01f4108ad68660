//! Contents of assets that are at addresses of the network.

use std::sync::Arc;

use tokio::runtime::Handle;

/// A way to fetch from `http` and `https` addresses. It is called from threads that may block.
pub(crate) fn fetcher() -> purlin_assets::SharedFetch {
    let runtime = Handle::current();
    Arc::new(move |url: &str| runtime.block_on(get(url)).map_err(|error| error.to_string()))
}

async fn get(url: &str) -> Result<Vec<u8>, reqwest::Error> {
    let response = reqwest::get(url).await?.error_for_status()?;
    Ok(response.bytes().await?.to_vec())
}
