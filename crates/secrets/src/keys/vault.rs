//! Vault and OpenBao: `hashivault://KEY?engine=transit`, by the transit engine's API.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use serde_json::{Value, json};
use url::Url;

use crate::keys::http::{ask, client, no_credentials, text, unexpected};
use crate::keys::{KeyService, Variables, key_name, unusable};

const WHO: &str = "Vault";

/// A key of Vault's.
pub(super) struct VaultKey {
    client: reqwest::Client,
    server: String,
    token: String,
    namespace: Option<String>,
    engine: String,
    key: String,
}

impl VaultKey {
    /// The key that a URL names. Server and token come from `VAULT_SERVER_URL` or `VAULT_ADDR` and
    /// `VAULT_SERVER_TOKEN` or `VAULT_TOKEN` (or OpenBao's names).
    pub(super) fn of(url: &Url, variables: &Variables) -> Result<Self, Diagnostic> {
        let mut engine = "transit".to_owned();
        for (name, value) in url.query_pairs() {
            match &*name {
                "engine" => engine = value.trim_matches('/').to_owned(),
                _ => return Err(unusable(url.as_str(), &format!("it has no parameter '{name}'"))),
            }
        }
        let key = key_name(url);
        if key.is_empty() {
            return Err(unusable(url.as_str(), "it names no key"));
        }
        let first =
            |names: &[&str]| names.iter().find_map(|name| variables(name).filter(|value| !value.is_empty()));
        let server = first(&["VAULT_SERVER_URL", "VAULT_ADDR", "BAO_ADDR"]).ok_or_else(|| {
            no_credentials(
                WHO,
                "no server is named",
                "set VAULT_ADDR to the server's URL and VAULT_TOKEN to a token",
            )
        })?;
        let token = first(&["VAULT_SERVER_TOKEN", "VAULT_TOKEN", "BAO_TOKEN"]).unwrap_or_default();
        let namespace = first(&["VAULT_NAMESPACE", "BAO_NAMESPACE"]);
        let server = server.trim_end_matches('/').to_owned();
        Ok(VaultKey { client: client()?, server, token, namespace, engine, key })
    }

    async fn ask(&self, operation: &str, body: Value) -> Result<Value, Diagnostic> {
        let url = format!("{}/v1/{}/{operation}/{}", self.server, self.engine, self.key);
        let answer = ask(WHO, async || {
            let mut request = self.client.put(&url).header("X-Vault-Request", "true").json(&body);
            if !self.token.is_empty() {
                request = request.header("X-Vault-Token", &self.token);
            }
            if let Some(namespace) = &self.namespace {
                request = request.header("X-Vault-Namespace", namespace);
            }
            Ok(request)
        });
        answer.await
    }
}

#[async_trait]
impl KeyService for VaultKey {
    async fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let answer = self.ask("encrypt", json!({ "plaintext": STANDARD.encode(plaintext) })).await?;
        Ok(text(&answer, "/data/ciphertext", WHO)?.as_bytes().to_vec())
    }

    async fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let ciphertext = std::str::from_utf8(ciphertext)
            .map_err(|_| unexpected(WHO, "what the stack keeps as its data key is none of Vault's"))?;
        let answer = self.ask("decrypt", json!({ "ciphertext": ciphertext })).await?;
        let plaintext = STANDARD.decode(text(&answer, "/data/plaintext", WHO)?);
        plaintext.map_err(|_| unexpected(WHO, "the plaintext is not valid base64"))
    }
}
