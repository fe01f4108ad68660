//! Google Cloud Storage.
//!
//! Credentials come, in this order, from `GOOGLE_CREDENTIALS` (the text of a key, or the path of a file
//! with one), `GOOGLE_OAUTH_ACCESS_TOKEN`, `GOOGLE_APPLICATION_CREDENTIALS`, the file that `gcloud`
//! leaves, and the metadata service. `STORAGE_EMULATOR_HOST` names a server for tests, which asks for
//! none. Of the URL's options `anonymous` is known; `access_id` and `private_key_path` only sign links,
//! which nothing here makes.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::gcp::GoogleCloudStorageBuilder;
use purlin_diag::Diagnostic;

use super::{client, retries, unusable};
use crate::{BlobUrl, Surroundings};

pub(super) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn ObjectStore>, Diagnostic> {
    url.refuse_unknown(&["anonymous", "access_id", "private_key_path"])?;
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(&url.host).with_retry(retries());
    let mut http = false;
    if let Some(host) = variable("STORAGE_EMULATOR_HOST") {
        let base = if host.contains("://") { host } else { format!("http://{host}") };
        http = base.starts_with("http://");
        // It looks at no token, and the client asks the metadata service for one if it has none.
        builder = builder.with_base_url(base.trim_end_matches('/')).with_bearer_token("none");
    } else if url.flag("anonymous")? {
        builder = builder.with_skip_signature(true);
    } else if let Some(key) = variable("GOOGLE_CREDENTIALS") {
        builder = match key.trim_start().starts_with('{') {
            true => builder.with_service_account_key(key),
            false => builder.with_service_account_path(key),
        };
    } else if let Some(token) = variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
        builder = builder.with_bearer_token(token);
    } else if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
        builder = builder.with_application_credentials(path);
    } else if let Some(home) = around.home {
        let path = home.join(".config/gcloud/application_default_credentials.json");
        if path.is_file() {
            builder = builder.with_application_credentials(path.to_string_lossy());
        }
    }
    let store = builder.with_client_options(client(http)).build().map_err(|error| unusable(url, &error))?;
    Ok(Arc::new(store))
}
