//! The manager whose key comes from a passphrase.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::aead::LessSafeKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_model::state::SecretsProvider;
use purlin_ports::{Entropy, SecretsManager};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::pbkdf2;
use crate::symmetric::{key_of, open, open_all, seal, seal_all};

/// How often the passphrase is hashed. Part of the format.
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(1_000_000).expect("not zero");

/// What is encrypted beside the salt so that a wrong passphrase shows.
const CHECK: &str = "pulumi";

/// How many bytes of salt a new stack gets.
const SALT_LENGTH: usize = 8;

/// Where the passphrase comes from. Asked at most once by each manager, when the first secret is
/// used, on a thread that may block.
pub trait PassphraseSource: Send + Sync {
    /// The passphrase, or why there is none.
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic>;
}

/// A passphrase that is known.
pub struct FixedPassphrase(Zeroizing<String>);

impl FixedPassphrase {
    /// The passphrase given.
    pub fn new(passphrase: impl Into<String>) -> Self {
        FixedPassphrase(Zeroizing::new(passphrase.into()))
    }
}

impl PassphraseSource for FixedPassphrase {
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic> {
        Ok(self.0.clone())
    }
}

/// No passphrase: every use of a secret fails and says how to give one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPassphrase;

impl PassphraseSource for NoPassphrase {
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic> {
        Err(Diagnostic::error(
            "passphrase-missing",
            "the stack's secrets are protected by a passphrase, and none was given",
        )
        .with_hint(
            "set PULUMI_CONFIG_PASSPHRASE to the passphrase, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that \
                 holds it, or run the command in a terminal to be asked for it",
        ))
    }
}

/// Encrypts with AES-256-GCM under a key made from a passphrase and the stack's salt.
///
/// The key is derived when the first secret is used, which takes a good part of a second. With a
/// wrong passphrase the manager can be made, and every use fails.
pub struct PassphraseManager {
    salt: String,
    /// Tried in order, until one fits.
    sources: Vec<Arc<dyn PassphraseSource>>,
    /// The stack that is named when none fits.
    stack: Option<String>,
    entropy: Arc<dyn Entropy>,
    key: OnceCell<Result<Arc<LessSafeKey>, Diagnostic>>,
}

impl PassphraseManager {
    /// The manager of a stack that has a salt: `v1:<salt>:<check>` as the stack's settings and its
    /// state hold it.
    pub fn open(
        salt: impl Into<String>,
        source: Arc<dyn PassphraseSource>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Diagnostic> {
        Self::open_with_any(salt, vec![source], entropy)
    }

    /// The same with several passphrases, one of which may fit. They are asked for in order, each only
    /// when those before it are wrong.
    pub fn open_with_any(
        salt: impl Into<String>,
        sources: Vec<Arc<dyn PassphraseSource>>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Diagnostic> {
        let salt = salt.into();
        parse_salt(&salt)?;
        Ok(PassphraseManager { salt, sources, stack: None, entropy, key: OnceCell::new() })
    }

    /// The same manager, which names a stack when its passphrase is wrong or missing.
    #[must_use]
    pub fn of_stack(self, stack: impl Into<String>) -> Self {
        PassphraseManager { stack: Some(stack.into()), ..self }
    }

    /// A manager with a new salt, for a stack that has none.
    pub async fn create(
        source: Arc<dyn PassphraseSource>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Diagnostic> {
        let mut salt = vec![0u8; SALT_LENGTH];
        entropy.fill(&mut salt);
        let encoded = STANDARD.encode(&salt);
        let (asked, own) = (Arc::clone(&source), Arc::clone(&entropy));
        let (key, check) = blocking(move || {
            let key = derive(&asked.passphrase()?, &salt)?;
            let check = seal(&key, &*own, CHECK)?;
            Ok((key, check))
        })
        .await?;
        let salt = format!("v1:{encoded}:{check}");
        let key = OnceCell::new_with(Some(Ok(Arc::new(key))));
        Ok(PassphraseManager { salt, sources: vec![source], stack: None, entropy, key })
    }

    /// The salt as settings and state hold it.
    pub fn salt(&self) -> &str {
        &self.salt
    }

    async fn key(&self) -> Result<Arc<LessSafeKey>, Diagnostic> {
        let found = self.key.get_or_init(|| async {
            let (salt, sources, stack) = (self.salt.clone(), self.sources.clone(), self.stack.clone());
            let found = blocking(move || {
                let (salt, check) = parse_salt(&salt)?;
                for source in &sources {
                    let key = derive(&source.passphrase()?, &salt)?;
                    if open(&key, check).is_ok_and(|text| *text == CHECK) {
                        return Ok(Arc::new(key));
                    }
                }
                Err(wrong_passphrase(sources.len()))
            });
            found.await.map_err(|problem| of_stack(problem, stack.as_deref()))
        });
        found.await.clone()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Diagnostic> + Send + 'static,
) -> Result<T, Diagnostic> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Diagnostic::error(
            "passphrase-interrupted",
            "the derivation of the key from the passphrase was interrupted",
        ))
    })
}

fn wrong_passphrase(tried: usize) -> Diagnostic {
    let message = if tried > 1 { "none of the passphrases fits" } else { "incorrect passphrase" };
    Diagnostic::error("passphrase-wrong", message)
        .with_hint("check PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE")
}

/// Says which of several stacks it is about.
fn of_stack(mut problem: Diagnostic, stack: Option<&str>) -> Diagnostic {
    if let Some(stack) = stack {
        problem.message = format!("stack {stack}: {}", problem.message);
        if problem.code == "passphrase-wrong" {
            let hint = "where two stacks have two passphrases, PULUMI_CONFIG_PASSPHRASE may be one of them, and the \
                        other may be in the file that PULUMI_CONFIG_PASSPHRASE_FILE names; in a terminal you are \
                        asked for them";
            problem.hint = Some(hint.to_owned());
        }
    }
    problem
}

/// The salt's bytes and the check text.
fn parse_salt(salt: &str) -> Result<(Vec<u8>, &str), Diagnostic> {
    let malformed = || {
        Diagnostic::error("passphrase-salt", "the stack's encryption salt is malformed")
            .with_hint("restore `encryptionsalt` in the stack's settings from version control or a backup")
    };
    let (version, rest) = salt.split_once(':').ok_or_else(malformed)?;
    let (bytes, check) = rest.split_once(':').ok_or_else(malformed)?;
    if version != "v1" {
        return Err(Diagnostic::error(
            "passphrase-salt",
            format!("the stack's encryption salt has the unknown version '{version}'"),
        )
        .with_hint("update this program"));
    }
    Ok((STANDARD.decode(bytes).map_err(|_| malformed())?, check))
}

fn derive(passphrase: &str, salt: &[u8]) -> Result<LessSafeKey, Diagnostic> {
    key_of(&pbkdf2::derive(passphrase.as_bytes(), salt, ROUNDS))
}

#[async_trait]
impl SecretsManager for PassphraseManager {
    fn provider(&self) -> SecretsProvider {
        // A salt is made of characters that need no escapes, except what somebody edited.
        let state = serde_json::json!({ "salt": self.salt }).to_string();
        SecretsProvider { ty: "passphrase".into(), state }
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
