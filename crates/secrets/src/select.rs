//! Which manager a stack uses.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::state::SecretsProvider;
use purlin_ports::{Entropy, SecretsManager};

use crate::b64::Base64Manager;
use crate::cloud::CloudManager;
use crate::keys::KeyServices;
use crate::passphrase::{PassphraseManager, PassphraseSource};

/// The manager that a state names. Nothing is asked and nothing derived before a secret is used.
pub fn manager_from_state(
    provider: &SecretsProvider,
    passphrases: Arc<dyn PassphraseSource>,
    services: &KeyServices,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<dyn SecretsManager>, Diagnostic> {
    match provider.ty.as_str() {
        "passphrase" => {
            let settings: serde_json::Value = serde_json::from_str(&provider.state).unwrap_or_default();
            let salt = settings.get("salt").and_then(serde_json::Value::as_str).ok_or_else(|| {
                Diagnostic::error("passphrase-salt", "the state's passphrase settings hold no salt")
                    .with_hint("restore the stack's state from a backup")
            })?;
            Ok(Arc::new(PassphraseManager::open(salt, passphrases, entropy)?))
        }
        "b64" => Ok(Arc::new(Base64Manager)),
        "cloud" => {
            let settings: serde_json::Value = serde_json::from_str(&provider.state).unwrap_or_default();
            let text = |name: &str| settings.get(name).and_then(serde_json::Value::as_str);
            let (Some(url), Some(key)) = (text("url"), text("encryptedkey")) else {
                return Err(Diagnostic::error(
                    "key-service-key",
                    "the state's settings of its key service hold no `url` and `encryptedkey`",
                )
                .with_hint("restore the stack's state from a backup"));
            };
            Ok(Arc::new(CloudManager::open(url, key, services, entropy)?))
        }
        "service" => Err(Diagnostic::error(
            "secrets-unsupported",
            "the stack's secrets are kept by the 'service' secrets manager, which is not supported yet",
        )
        .with_hint(
            "with the program that made the stack, run `stack change-secrets-provider passphrase`, then use this \
             program",
        )),
        other => Err(Diagnostic::error(
            "secrets-unknown",
            format!("the stack's secrets are kept by the unknown secrets manager '{other}'"),
        )
        .with_hint("known are passphrase, cloud, service and b64; a newer version of this program may know more")),
    }
}

/// Encrypts one text, such as a configuration value.
pub async fn encrypt_text(manager: &dyn SecretsManager, plaintext: &str) -> Result<String, Diagnostic> {
    only(manager.encrypt(&[plaintext.to_owned()]).await?)
}

/// Decrypts one text, such as a configuration value.
pub async fn decrypt_text(manager: &dyn SecretsManager, ciphertext: &str) -> Result<String, Diagnostic> {
    only(manager.decrypt(&[ciphertext.to_owned()]).await?)
}

fn only(mut texts: Vec<String>) -> Result<String, Diagnostic> {
    match (texts.pop(), texts.is_empty()) {
        (Some(text), true) => Ok(text),
        _ => Err(Diagnostic::error(
            "secret-miscounted",
            "the secrets manager returned another number of texts than it was given",
        )),
    }
}
