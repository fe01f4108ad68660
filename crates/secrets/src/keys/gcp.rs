//! Google Cloud KMS: `gcpkms://projects/…/locations/…/keyRings/…/cryptoKeys/…`.
//!
//! Two calls are all that is needed, so they are made here; tokens come from Google's own library.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use purlin_credentials::NoCredentials;
use purlin_credentials::google::Tokens;
use purlin_diag::Diagnostic;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::keys::http::{ask, client, no_credentials, text, unexpected};
use crate::keys::{KeyService, Variables, key_name, unusable, with_surroundings};

const WHO: &str = "Google Cloud KMS";

const ENDPOINT: &str = "https://cloudkms.googleapis.com";

const SCOPE: &str = "https://www.googleapis.com/auth/cloudkms";

const HINT: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a file, \
                    GOOGLE_CREDENTIALS to its content or path, or GOOGLE_OAUTH_ACCESS_TOKEN to a token";

/// A key of Google Cloud KMS.
pub(super) struct GoogleKey {
    client: reqwest::Client,
    variables: Variables,
    endpoint: String,
    key: String,
    /// What must be the same at both ends, in base64.
    additional: Option<String>,
    tokens: OnceCell<Tokens>,
}

impl GoogleKey {
    /// The key that a URL names.
    pub(super) fn of(url: &Url, variables: Variables, elsewhere: Option<&str>) -> Result<Self, Diagnostic> {
        let mut additional = None;
        for (name, value) in url.query_pairs() {
            if name != "additional_authenticated_data" {
                return Err(unusable(url.as_str(), &format!("it has no parameter '{name}'")));
            }
            let bytes = URL_SAFE.decode(&*value);
            let bytes =
                bytes.map_err(|_| unusable(url.as_str(), "additional_authenticated_data is not base64"))?;
            additional = (!bytes.is_empty()).then(|| STANDARD.encode(bytes));
        }
        let key = key_name(url);
        let parts: Vec<&str> = key.split('/').collect();
        let well_formed =
            matches!(parts.as_slice(), ["projects", _, "locations", _, "keyRings", _, "cryptoKeys", _, ..])
                && parts.iter().all(|part| !part.is_empty());
        if !well_formed {
            return Err(unusable(
                url.as_str(),
                "a key is named projects/…/locations/…/keyRings/…/cryptoKeys/…",
            ));
        }
        let endpoint = elsewhere.unwrap_or(ENDPOINT).to_owned();
        Ok(GoogleKey { client: client()?, variables, endpoint, key, additional, tokens: OnceCell::new() })
    }

    async fn token(&self) -> Result<String, Diagnostic> {
        let refused = |none: NoCredentials| no_credentials(WHO, &none.to_string(), HINT);
        let tokens = self
            .tokens
            .get_or_try_init(async || with_surroundings(&self.variables, |around| Tokens::of(SCOPE, around)));
        tokens.await.map_err(refused)?.get().await.map_err(refused)
    }

    async fn ask(&self, operation: &str, mut body: Value) -> Result<Value, Diagnostic> {
        if let Some(additional) = &self.additional {
            body["additionalAuthenticatedData"] = json!(additional);
        }
        let url = format!("{}/v1/{}:{operation}", self.endpoint, self.key);
        ask(WHO, async || Ok(self.client.post(&url).bearer_auth(self.token().await?).json(&body))).await
    }
}

fn bytes(answer: &Value, pointer: &str) -> Result<Vec<u8>, Diagnostic> {
    let bytes = STANDARD.decode(text(answer, pointer, WHO)?);
    bytes.map_err(|_| unexpected(WHO, &format!("{} is not valid base64", &pointer[1..])))
}

#[async_trait]
impl KeyService for GoogleKey {
    async fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let answer = self.ask("encrypt", json!({ "plaintext": STANDARD.encode(plaintext) })).await?;
        bytes(&answer, "/ciphertext")
    }

    async fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let answer = self.ask("decrypt", json!({ "ciphertext": STANDARD.encode(ciphertext) })).await?;
        bytes(&answer, "/plaintext")
    }
}
