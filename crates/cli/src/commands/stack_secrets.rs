//! `stack change-secrets-provider`.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::Snapshot;
use purlin_ports::{Clock as _, SecretsManager, UpdateOutcome};
use purlin_project::StackSettings;
use purlin_secrets::{CloudManager, FixedPassphrase, KeyServices, PassphraseManager};
use zeroize::Zeroizing;

use crate::ambient::{SystemClock, SystemEntropy};
use crate::args::StackSecretsArgs;
use crate::commands::state::edit_info;
use crate::config_values::{self, manager_of_settings, manager_of_state, recrypt_snapshot};
use crate::context::{Context, Target};
use crate::exit::{CommandError, Failure};

/// What makes the managers that secrets are encrypted by from now on.
pub(crate) enum NewManager {
    /// With a passphrase.
    Passphrase(Zeroizing<String>),
    /// With a data key that the key service at a URL encrypts.
    KeyService(String, KeyServices),
}

/// A manager of a kind that settings can name.
pub(crate) enum Fresh {
    /// It has a salt.
    Passphrase(Arc<PassphraseManager>),
    /// It has an encrypted data key.
    KeyService(Arc<CloudManager>),
}

impl NewManager {
    /// A manager with a salt or a data key of its own.
    pub(crate) async fn create(&self) -> Result<Fresh, CommandError> {
        let entropy = Arc::new(SystemEntropy);
        Ok(match self {
            NewManager::Passphrase(passphrase) => {
                let source = Arc::new(FixedPassphrase::new(passphrase.as_str()));
                Fresh::Passphrase(Arc::new(PassphraseManager::create(source, entropy).await?))
            }
            NewManager::KeyService(url, services) => {
                Fresh::KeyService(Arc::new(CloudManager::create(url, services, entropy).await?))
            }
        })
    }
}

impl Fresh {
    /// The manager.
    pub(crate) fn manager(&self) -> Arc<dyn SecretsManager> {
        match self {
            Fresh::Passphrase(manager) => Arc::clone(manager) as Arc<dyn SecretsManager>,
            Fresh::KeyService(manager) => Arc::clone(manager) as Arc<dyn SecretsManager>,
        }
    }

    /// Has settings name it, and no other.
    fn tell(&self, settings: &mut StackSettings) -> Result<(), CommandError> {
        let (url, key, salt) = match self {
            Fresh::Passphrase(manager) => (None, None, Some(manager.salt())),
            Fresh::KeyService(manager) => (Some(manager.url()), Some(manager.encrypted_key()), None),
        };
        settings.set_secrets_provider(url)?;
        settings.set_encrypted_key(key)?;
        Ok(settings.set_encryption_salt(salt)?)
    }
}

/// Asks for what a new provider needs: a passphrase, twice in a terminal, else a line of standard input.
pub(crate) fn new_manager(context: &Context, provider: &str) -> Result<NewManager, CommandError> {
    config_values::check_secrets_provider(Some(provider))?;
    if KeyServices::is_url(provider) {
        let url = config_values::overridden(context, provider)?;
        return Ok(NewManager::KeyService(url, config_values::key_services(context)));
    }
    if context.interactive() {
        let first =
            context.ask_secret("Enter your new passphrase to protect config/secrets", "a passphrase")?;
        let second = context.ask_secret("Re-enter your passphrase to confirm", "a passphrase")?;
        if first != second {
            return Err(Diagnostic::error("passphrase-mismatch", "the passphrases do not match").into());
        }
        return Ok(NewManager::Passphrase(Zeroizing::new(first)));
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Diagnostic::error("passphrase-missing", format!("standard input: {error}")))?;
    if line.is_empty() {
        let problem = Diagnostic::error("passphrase-missing", "no new passphrase was given").with_hint(
            "run the command in a terminal, or give the new passphrase as a line of standard input",
        );
        return Err(CommandError::new(Failure::Usage, problem));
    }
    Ok(NewManager::Passphrase(Zeroizing::new(line.trim_end_matches(['\n', '\r']).to_owned())))
}

/// Encrypts state and configuration of a stack anew.
pub(crate) async fn change(
    context: &Context,
    named: Option<&str>,
    args: &StackSecretsArgs,
) -> Result<(), CommandError> {
    let target = context.stack(named)?;
    target.project()?;
    config_values::check_secrets_provider(Some(&args.provider))?;
    // All that can fail is tried before anything is written.
    let loaded = target.store.load(&target.id).await?;
    let old = match loaded.deployed && loaded.snapshot.secrets_provider.is_some() {
        true => Some(manager_of_state(context, &loaded.snapshot, None).await?),
        false => None,
    };
    if let Some(old) = &old {
        old.unlock().await?;
    }
    let fresh = new_manager(context, &args.provider)?.create().await?;
    let manager = fresh.manager();
    let settings = settings_by(context, &target, &fresh).await?;
    context.out.line("Migrating old configuration and state to new secrets provider");
    if loaded.deployed {
        let info =
            edit_info(context, "state-edit", format!("stack change-secrets-provider {}", args.provider))
                .await;
        let session = target.store.begin(&target.id, info).await?;
        let base = Arc::clone(&session.base().snapshot);
        let changed = match &old {
            Some(old) => recrypt_snapshot(&base, old.as_ref(), manager.as_ref()).await,
            None => Ok(Snapshot { secrets_provider: Some(manager.provider()), ..Snapshot::clone(&base) }),
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(problem) => {
                session.abandon().await?;
                return Err(problem);
            }
        };
        let changed = Snapshot { time: SystemClock.now(), ..changed };
        let outcome = UpdateOutcome { succeeded: true, ..UpdateOutcome::default() };
        session.finish(&changed, outcome).await?;
    }
    save(&settings, loaded.deployed)
}

/// Encrypts the configuration of a stack anew.
pub(crate) async fn change_settings(
    context: &Context,
    target: &Target,
    fresh: &Fresh,
    state_is_changed: bool,
) -> Result<(), CommandError> {
    let settings = settings_by(context, target, fresh).await?;
    save(&settings, state_is_changed)
}

/// The settings of a stack with their secrets encrypted by a manager, not written yet.
async fn settings_by(
    context: &Context,
    target: &Target,
    fresh: &Fresh,
) -> Result<StackSettings, CommandError> {
    let mut settings = target.settings(None)?;
    let values = settings.config().clone();
    let ciphertexts: Vec<String> = values.ciphertexts().into_iter().map(str::to_owned).collect();
    if !ciphertexts.is_empty() {
        let Some(old) = manager_of_settings(context, &settings)? else {
            let message = format!("the configuration of stack '{}' has secrets and no salt", target.id.name);
            let hint = "restore `encryptionsalt` in the stack's settings file";
            return Err(Diagnostic::error("no-salt", message).with_hint(hint).into());
        };
        let plaintexts = old.decrypt(&ciphertexts).await?;
        let again = fresh.manager().encrypt(&plaintexts).await?;
        let mut again: HashMap<String, String> = ciphertexts.into_iter().zip(again).collect();
        let values = values.recrypt(|old| {
            again
                .remove(old)
                .ok_or_else(|| Diagnostic::error("secret-miscounted", "a secret was not encrypted"))
        })?;
        settings.set_config(&values)?;
    }
    fresh.tell(&mut settings)?;
    Ok(settings)
}

/// Writes settings, keeping what was there before beside them.
fn save(settings: &StackSettings, state_is_changed: bool) -> Result<(), CommandError> {
    let path = settings.path();
    let kept = path.with_extension("yaml.bak");
    if let Ok(before) = std::fs::read(path) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let written = options.open(&kept).and_then(|mut file| file.write_all(&before));
        written.map_err(|error| Diagnostic::error("config-file", format!("{}: {error}", kept.display())))?;
    }
    settings.save().map_err(|mut problem| {
        if state_is_changed {
            problem.message = format!(
                "the state is encrypted anew, the configuration is not: {}; it still has the old secrets provider",
                problem.message
            );
        }
        problem
    })?;
    // The new file is whole.
    let _ = std::fs::remove_file(kept);
    Ok(())
}
