//! A manager that hides nothing, for tests.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_model::state::SecretsProvider;
use purlin_ports::SecretsManager;

/// Encodes texts in base64 and encrypts nothing: for tests only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Base64Manager;

#[async_trait]
impl SecretsManager for Base64Manager {
    fn provider(&self) -> SecretsProvider {
        SecretsProvider { ty: "b64".into(), state: String::new() }
    }

    async fn encrypt(&self, plaintexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        Ok(plaintexts.iter().map(|text| STANDARD.encode(text)).collect())
    }

    async fn decrypt(&self, ciphertexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        ciphertexts
            .iter()
            .map(|text| {
                STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
                    Diagnostic::error("secret-undecryptable", "a secret is not valid base64 of a text")
                })
            })
            .collect()
    }
}
