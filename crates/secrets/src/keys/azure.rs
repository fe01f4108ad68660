//! Azure Key Vault: `azurekeyvault://VAULT.vault.azure.net/keys/KEY/VERSION?algorithm=…`, where the
//! version may be left out.
//!
//! Two calls are all that is needed, so they are made here; tokens come from Azure's own library.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential};
use azure_identity::{
    AzureCliCredential, ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use purlin_diag::Diagnostic;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::keys::http::{ask, client, no_credentials, text, unexpected};
use crate::keys::{KeyService, Variables, unusable};

const WHO: &str = "Azure Key Vault";

/// The version of the service's API.
const API: &str = "7.4";

const HINT: &str = "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run where an \
                    identity gives tokens";

/// A key of Azure Key Vault.
pub(super) struct AzureKey {
    client: reqwest::Client,
    variables: Variables,
    endpoint: String,
    /// What tokens are for.
    scope: String,
    key: String,
    version: String,
    algorithm: String,
    /// A token that is known.
    token: Option<String>,
    credential: OnceCell<Arc<dyn TokenCredential>>,
}

impl AzureKey {
    /// The key that a URL names.
    pub(super) fn of(
        url: &Url,
        variables: Variables,
        elsewhere: Option<(&str, &str)>,
    ) -> Result<Self, Diagnostic> {
        let mut algorithm = "RSA-OAEP-256".to_owned();
        for (name, value) in url.query_pairs() {
            match &*name {
                "algorithm" if value.is_empty() => {}
                "algorithm" => algorithm = value.into_owned(),
                _ => return Err(unusable(url.as_str(), &format!("it has no parameter '{name}'"))),
            }
        }
        let host = url.host_str().unwrap_or_default();
        let domain = host.split_once(".vault.").map(|(_, domain)| domain).filter(|domain| !domain.is_empty());
        let domain =
            domain.ok_or_else(|| unusable(url.as_str(), "its host is none of VAULT.vault.azure.net"))?;
        let path: Vec<&str> = url.path().split('/').filter(|part| !part.is_empty()).collect();
        let (key, version) = match path.as_slice() {
            ["keys", key] => (*key, ""),
            ["keys", key, version] => (*key, *version),
            _ => return Err(unusable(url.as_str(), "its path is not /keys/KEY or /keys/KEY/VERSION")),
        };
        let (endpoint, token) = match elsewhere {
            Some((endpoint, token)) => (endpoint.to_owned(), Some(token.to_owned())),
            None => (format!("https://{host}"), None),
        };
        Ok(AzureKey {
            client: client()?,
            variables,
            endpoint,
            scope: format!("https://vault.{domain}/.default"),
            key: key.to_owned(),
            version: version.to_owned(),
            algorithm,
            token,
            credential: OnceCell::new(),
        })
    }

    /// What gives tokens, in the order of the services' own tools: a secret in the environment, the
    /// identity of a workload, the command line's login, the identity of the machine.
    async fn credential(&self) -> Result<(&Arc<dyn TokenCredential>, String), Diagnostic> {
        let variable = |name: &str| (self.variables)(name).filter(|value| !value.is_empty());
        let failed = |error: azure_core::Error| no_credentials(WHO, &error.to_string(), HINT);
        if let Some(credential) = self.credential.get() {
            return Ok((credential, self.token_of(credential).await.map_err(failed)?));
        }
        let mut candidates: Vec<azure_core::Result<Arc<dyn TokenCredential>>> = Vec::new();
        let secret =
            (variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"), variable("AZURE_CLIENT_SECRET"));
        if let (Some(tenant), Some(id), Some(secret)) = secret {
            let made = ClientSecretCredential::new(&tenant, id, Secret::new(secret), None);
            candidates.push(made.map(|made| made as Arc<dyn TokenCredential>));
        } else if variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
            let made = WorkloadIdentityCredential::new(None);
            candidates.push(made.map(|made| made as Arc<dyn TokenCredential>));
        } else {
            candidates.push(AzureCliCredential::new(None).map(|made| made as Arc<dyn TokenCredential>));
            candidates
                .push(ManagedIdentityCredential::new(None).map(|made| made as Arc<dyn TokenCredential>));
        }
        let mut complaints = Vec::new();
        for candidate in candidates {
            match candidate {
                Ok(candidate) => match self.token_of(&candidate).await {
                    Ok(token) => return Ok((self.credential.get_or_init(async || candidate).await, token)),
                    Err(error) => complaints.push(error.to_string()),
                },
                Err(error) => complaints.push(error.to_string()),
            }
        }
        Err(no_credentials(WHO, &complaints.join("; "), HINT))
    }

    async fn token_of(&self, credential: &Arc<dyn TokenCredential>) -> azure_core::Result<String> {
        Ok(credential.get_token(&[&self.scope], None).await?.token.secret().to_owned())
    }

    async fn token(&self) -> Result<String, Diagnostic> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => Ok(self.credential().await?.1),
        }
    }

    async fn ask(&self, operation: &str, value: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let url =
            format!("{}/keys/{}/{}/{operation}?api-version={API}", self.endpoint, self.key, self.version);
        let body: Value = json!({ "alg": self.algorithm, "value": URL_SAFE_NO_PAD.encode(value) });
        let answer =
            ask(WHO, async || Ok(self.client.post(&url).bearer_auth(self.token().await?).json(&body)))
                .await?;
        let value = URL_SAFE_NO_PAD.decode(text(&answer, "/value", WHO)?);
        value.map_err(|_| unexpected(WHO, "value is not valid base64"))
    }
}

#[async_trait]
impl KeyService for AzureKey {
    async fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        self.ask("encrypt", plaintext).await
    }

    async fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        self.ask("decrypt", ciphertext).await
    }
}
