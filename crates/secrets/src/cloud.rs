//! The manager whose key is kept by a key service: AWS KMS, Google Cloud KMS, Azure Key Vault, Vault
//! or OpenBao.
//!
//! Each stack has a data key of its own, which encrypts its secrets here. The service encrypts the
//! data key alone, which stands beside the service's URL in settings and state. So a command asks
//! the service once, however many secrets there are.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::aead::LessSafeKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use purlin_diag::Diagnostic;
use purlin_model::state::SecretsProvider;
use purlin_ports::{Entropy, SecretsManager};
use tokio::sync::OnceCell;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::{KeyService, KeyServices};
use crate::symmetric::{KEY_LENGTH, key_of, open_all, seal_all};

/// What URLs of Azure's service begin with. Its encrypted keys are encoded once more.
const AZURE: &str = "azurekeyvault://";

/// Encrypts with AES-256-GCM under a data key that a key service has encrypted.
///
/// The service is asked when the first secret is used.
pub struct CloudManager {
    url: String,
    /// As settings and state hold it.
    encrypted_key: String,
    service: Arc<dyn KeyService>,
    entropy: Arc<dyn Entropy>,
    key: OnceCell<Result<Arc<LessSafeKey>, Diagnostic>>,
}

impl CloudManager {
    /// The manager of a stack that has a data key: the key's service, and the encrypted key as
    /// settings (`encryptedkey`) and states hold it.
    ///
    /// # Errors
    ///
    /// When the URL names no service or the key is not base64.
    pub fn open(
        url: &str,
        encrypted_key: &str,
        services: &KeyServices,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Diagnostic> {
        ciphertext_of(url, encrypted_key)?;
        let service = services.service(url)?;
        let (url, encrypted_key) = (url.to_owned(), encrypted_key.to_owned());
        Ok(CloudManager { url, encrypted_key, service, entropy, key: OnceCell::new() })
    }

    /// A manager with a new data key, for a stack that has none or shall have another.
    ///
    /// # Errors
    ///
    /// When the URL names no service, or the service doesn't encrypt the key, or what it has
    /// encrypted doesn't come back when it decrypts it.
    pub async fn create(
        url: &str,
        services: &KeyServices,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Diagnostic> {
        let service = services.service(url)?;
        let mut plain = Zeroizing::new([0u8; KEY_LENGTH]);
        entropy.fill(&mut *plain);
        let ciphertext = service.encrypt(&*plain).await?;
        // Who may encrypt need not be allowed to decrypt: better known now than with the first secret.
        let back = service.decrypt(&ciphertext).await?;
        if back.as_slice() != plain.as_slice() {
            return Err(unfit(url, "what it has encrypted comes back as something else"));
        }
        let key = Arc::new(key_of(&plain)?);
        let encrypted_key = if url.starts_with(AZURE) {
            STANDARD.encode(URL_SAFE_NO_PAD.encode(&ciphertext))
        } else {
            STANDARD.encode(&ciphertext)
        };
        let url = url.to_owned();
        Ok(CloudManager { url, encrypted_key, service, entropy, key: OnceCell::new_with(Some(Ok(key))) })
    }

    /// The service's URL, as settings (`secretsprovider`) and states hold it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The encrypted data key, as settings (`encryptedkey`) and states hold it.
    pub fn encrypted_key(&self) -> &str {
        &self.encrypted_key
    }

    async fn key(&self) -> Result<Arc<LessSafeKey>, Diagnostic> {
        let found = self.key.get_or_init(|| async {
            let ciphertext = ciphertext_of(&self.url, &self.encrypted_key)?;
            let mut plain = self.service.decrypt(&ciphertext).await?;
            let bytes = <[u8; KEY_LENGTH]>::try_from(plain.as_slice()).map(Zeroizing::new);
            plain.zeroize();
            let bytes = bytes.map_err(|_| unfit(&self.url, "the stack's data key has not 32 bytes"))?;
            Ok(Arc::new(key_of(&bytes)?))
        });
        found.await.clone()
    }
}

fn unfit(url: &str, why: &str) -> Diagnostic {
    Diagnostic::error("key-service-key", format!("the key service {url} can't be used for this stack: {why}"))
        .with_hint("check that `secretsprovider` and `encryptedkey` in the stack's settings belong together")
}

/// What the service has to decrypt.
fn ciphertext_of(url: &str, encrypted_key: &str) -> Result<Vec<u8>, Diagnostic> {
    let malformed = || {
        Diagnostic::error("key-service-key", format!("the encrypted data key for {url} is not valid base64"))
            .with_hint("restore `encryptedkey` in the stack's settings from version control or a backup")
    };
    let bytes = STANDARD.decode(encrypted_key).map_err(|_| malformed())?;
    if bytes.is_empty() {
        return Err(malformed());
    }
    if !url.starts_with(AZURE) {
        return Ok(bytes);
    }
    // Versions of the official CLI have written some keys without the inner encoding.
    Ok(URL_SAFE_NO_PAD.decode(&bytes).unwrap_or(bytes))
}

#[async_trait]
impl SecretsManager for CloudManager {
    fn provider(&self) -> SecretsProvider {
        let state = serde_json::json!({ "url": self.url, "encryptedkey": self.encrypted_key }).to_string();
        SecretsProvider { ty: "cloud".into(), state }
    }

    async fn unlock(&self) -> Result<(), Diagnostic> {
        self.key().await.map(drop)
    }

    async fn encrypt(&self, plaintexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        if plaintexts.is_empty() {
            return Ok(Vec::new());
        }
        seal_all(&*self.key().await?, &*self.entropy, plaintexts)
    }

    async fn decrypt(&self, ciphertexts: &[String]) -> Result<Vec<String>, Diagnostic> {
        if ciphertexts.is_empty() {
            return Ok(Vec::new());
        }
        open_all(&*self.key().await?, ciphertexts)
    }
}
