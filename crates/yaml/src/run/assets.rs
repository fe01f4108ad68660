//! Hashes of the assets that a program makes, as the gRPC services hash those of other programs.

use std::path::PathBuf;

use purlin_diag::Diagnostic;
use purlin_model::PropertyMap;

/// Hashes the assets among the properties. Files are read where that holds nothing up.
pub(super) async fn hash_assets(
    mut properties: PropertyMap,
    folder: PathBuf,
    fetch: Option<purlin_assets::SharedFetch>,
) -> Result<PropertyMap, Diagnostic> {
    if !purlin_assets::needs_resolving(&properties) {
        return Ok(properties);
    }
    let work = move || {
        purlin_assets::resolve_fetching(&mut properties, &folder, fetch.as_ref()).map(|()| properties)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(hashed) => hashed,
        Err(error) => Err(Diagnostic::error("yaml-asset", format!("the assets can't be hashed: {error}"))),
    }
}
