//! Azure Blob Storage.
//!
//! The account comes from the option `storage_account`, `AZURE_STORAGE_ACCOUNT` or a connection string
//! (`AZURE_STORAGE_CONNECTION_STRING`, `AZURE_STORAGEBLOB_CONNECTIONSTRING`); credentials from
//! `AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN`, that string, or what Microsoft Entra knows
//! (`AZURE_CLIENT_ID` and the variables that go with it, the identity of a machine). The options
//! `protocol`, `domain`, `localemu` and `cdn`, or their variables, say where the service is.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use purlin_diag::Diagnostic;

use super::{client, retries, unusable};
use crate::{BlobUrl, Surroundings};

/// Variables that stand for options of the client under their own names.
const ENTRA: &[&str] = &[
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE",
];

pub(super) fn open(url: &BlobUrl, around: &Surroundings<'_>) -> Result<Arc<dyn ObjectStore>, Diagnostic> {
    url.refuse_unknown(&["storage_account", "protocol", "domain", "localemu", "cdn"])?;
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let text = variable("AZURE_STORAGE_CONNECTION_STRING")
        .or_else(|| variable("AZURE_STORAGEBLOB_CONNECTIONSTRING"));
    let connection = connection_string(&text.unwrap_or_default());
    let from = |option: &str, name: &str, part: &str| {
        let given = url.option(option).map(str::to_owned).or_else(|| variable(name));
        given.or_else(|| connection.get(part).cloned())
    };
    let account = from("storage_account", "AZURE_STORAGE_ACCOUNT", "AccountName").ok_or_else(|| {
        Diagnostic::error("backend-url", format!("the backend {url} names no storage account"))
            .with_hint("set AZURE_STORAGE_ACCOUNT, or add ?storage_account=<name> to the URL")
    })?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&account)
        .with_container_name(&url.host)
        .with_retry(retries());
    let sas =
        variable("AZURE_STORAGE_SAS_TOKEN").or_else(|| connection.get("SharedAccessSignature").cloned());
    if let Some(key) = variable("AZURE_STORAGE_KEY").or_else(|| connection.get("AccountKey").cloned()) {
        builder = builder.with_access_key(key);
    } else if let Some(sas) = sas {
        builder = builder.with_config(AzureConfigKey::SasKey, sas.trim_start_matches('?'));
    }
    for name in ENTRA {
        if let (Some(value), Ok(key)) = (variable(name), name.to_lowercase().parse::<AzureConfigKey>()) {
            builder = builder.with_config(key, value);
        }
    }
    let flag = |option: &str, name: &str| -> Result<bool, Diagnostic> {
        Ok(url.flag(option)? || variable(name).is_some_and(|value| value == "1" || value == "true"))
    };
    let emulator = flag("localemu", "AZURE_STORAGE_IS_LOCAL_EMULATOR")?;
    if flag("cdn", "AZURE_STORAGE_IS_CDN")? {
        return Err(url.refusal("cdn", "is not supported: what is read through it may be old"));
    }
    let protocol = from("protocol", "AZURE_STORAGE_PROTOCOL", "DefaultEndpointsProtocol");
    let domain = from("domain", "AZURE_STORAGE_DOMAIN", "");
    let endpoint = match (connection.get("BlobEndpoint"), domain, emulator) {
        (_, Some(domain), true) => {
            Some(format!("{}://{domain}/{account}", protocol.as_deref().unwrap_or("http")))
        }
        (Some(endpoint), ..) => Some(endpoint.clone()),
        (None, None, true) => Some(format!("http://127.0.0.1:10000/{account}")),
        (None, Some(domain), false) => {
            Some(format!("{}://{account}.{domain}", protocol.as_deref().unwrap_or("https")))
        }
        (None, None, false) => None,
    };
    let http = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let store = builder.with_client_options(client(http)).build().map_err(|error| unusable(url, &error))?;
    Ok(Arc::new(store))
}

/// The parts of `Key=value;Key=value`.
fn connection_string(text: &str) -> BTreeMap<String, String> {
    let parts = text.split(';').filter_map(|part| part.split_once('='));
    parts.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}
