//! Key services, which encrypt and decrypt a few bytes with a key that never leaves them.

#![cfg_attr(
    not(all(feature = "aws", feature = "azure", feature = "gcp", feature = "vault")),
    allow(dead_code, reason = "what only the services need that are left out")
)]

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(feature = "vault")]
mod vault;

#[cfg(any(feature = "aws", feature = "gcp"))]
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(any(feature = "aws", feature = "gcp"))]
use purlin_credentials::Surroundings;
use purlin_diag::Diagnostic;
use url::Url;

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "vault"))]
mod http;

/// The URLs that name key services.
const SCHEMES: [&str; 4] = ["awskms", "gcpkms", "azurekeyvault", "hashivault"];

/// A key of a key service.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// Encrypts some bytes.
    async fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Diagnostic>;

    /// Decrypts what it has encrypted.
    async fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Diagnostic>;
}

/// Looks up a variable of the environment.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Finds key services by their URLs. Credentials come from where the services' own tools look for
/// them.
#[derive(Clone)]
pub struct KeyServices {
    variables: Variables,
    /// Where Google's service is, if not where it always is.
    google: Option<String>,
    /// Where Azure's vaults are and the token for them, if not where they always are.
    azure: Option<(String, String)>,
}

impl KeyServices {
    /// Key services that look up variables with a function.
    pub fn new(variables: Variables) -> Self {
        KeyServices { variables, google: None, azure: None }
    }

    /// With Google's service at another address (`http://127.0.0.1:4711`).
    #[must_use]
    pub fn with_google_at(mut self, endpoint: impl Into<String>) -> Self {
        self.google = Some(endpoint.into());
        self
    }

    /// With all vaults of Azure at another address, and a token for them.
    #[must_use]
    pub fn with_azure_at(mut self, endpoint: impl Into<String>, token: impl Into<String>) -> Self {
        self.azure = Some((endpoint.into(), token.into()));
        self
    }

    /// Whether a text is the URL of a key service, of any kind.
    pub fn is_url(text: &str) -> bool {
        text.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
    }

    /// The key that a URL names. Nothing is asked before it is used.
    pub(crate) fn service(&self, text: &str) -> Result<Arc<dyn KeyService>, Diagnostic> {
        let url = Url::parse(text).map_err(|error| unusable(text, &error.to_string()))?;
        match url.scheme() {
            #[cfg(feature = "aws")]
            "awskms" => Ok(Arc::new(aws::AwsKey::of(&url, Arc::clone(&self.variables))?)),
            #[cfg(feature = "gcp")]
            "gcpkms" => {
                let key = gcp::GoogleKey::of(&url, Arc::clone(&self.variables), self.google.as_deref())?;
                Ok(Arc::new(key))
            }
            #[cfg(feature = "azure")]
            "azurekeyvault" => {
                let elsewhere =
                    self.azure.as_ref().map(|(endpoint, token)| (endpoint.as_str(), token.as_str()));
                Ok(Arc::new(azure::AzureKey::of(&url, Arc::clone(&self.variables), elsewhere)?))
            }
            #[cfg(feature = "vault")]
            "hashivault" => Ok(Arc::new(vault::VaultKey::of(&url, &self.variables)?)),
            scheme if SCHEMES.contains(&scheme) => Err(Diagnostic::error(
                "key-service-missing",
                format!("this program was built without support for {scheme}:// keys"),
            )
            .with_hint("use a release, or build with the features aws, gcp, azure and vault")),
            _ => Err(unusable(text, "no key service has such URLs")),
        }
    }
}

/// A URL that can't be used.
fn unusable(url: &str, why: &str) -> Diagnostic {
    Diagnostic::error("key-service-url", format!("'{url}' doesn't name a key for secrets: {why}")).with_hint(
        "use awskms://KEY?region=…, gcpkms://projects/…/locations/…/keyRings/…/cryptoKeys/…, \
         azurekeyvault://VAULT.vault.azure.net/keys/KEY or hashivault://KEY, or `passphrase`",
    )
}

/// The host and the path of a URL, which together name a key.
fn key_name(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path()).trim_matches('/').to_owned()
}

/// Where credentials may be, as far as URLs don't say.
#[cfg(any(feature = "aws", feature = "gcp"))]
fn with_surroundings<T>(variables: &Variables, look: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let home = variables("HOME").or_else(|| variables("USERPROFILE")).map(PathBuf::from);
    look(&Surroundings { variable: &**variables, home: home.as_deref() })
}
