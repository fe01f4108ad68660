//! Secrets of stacks: which manager keeps them, where the passphrase comes from, and what is done
//! with configuration values and stored bags.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use purlin_diag::Diagnostic;
use purlin_formats::{
    BagDecoder, ParseOptions, SecretForm, export_deployment, find_secrets, parse_deployment, replace_secrets,
};
use purlin_model::state::SecretsProvider;
use purlin_model::{Bag, PropertyMap, ResourceState, Snapshot};
use purlin_ports::{BagCodec, SecretsManager, StackId};
use purlin_project::config::ConfigMap;
use purlin_project::{Project, StackSettings};
use purlin_secrets::{
    CloudManager, KeyServices, PassphraseManager, SealedBags, decrypt_text, encrypt_text, manager_from_state,
};
use zeroize::Zeroizing;

use crate::ambient::SystemEntropy;
use crate::context::{Context, Target};
use crate::exit::{CommandError, Failure};
use crate::passphrases::passphrases;

/// The managers in use by what they are made from, so that no key is derived and no key service
/// asked twice.
#[derive(Default)]
pub(crate) struct Managers(Mutex<HashMap<String, Arc<dyn SecretsManager>>>);

impl Managers {
    fn known(
        &self,
        made_from: String,
        make: impl FnOnce() -> Result<Arc<dyn SecretsManager>, Diagnostic>,
    ) -> Result<Arc<dyn SecretsManager>, Diagnostic> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = known.get(&made_from) {
            return Ok(Arc::clone(manager));
        }
        let manager = make()?;
        known.insert(made_from, Arc::clone(&manager));
        Ok(manager)
    }

    /// The manager of a salt from now on, unless there is one.
    pub(crate) fn set_for_salt(
        &self,
        salt: &str,
        make: impl FnOnce() -> Result<Arc<dyn SecretsManager>, Diagnostic>,
    ) -> Result<(), Diagnostic> {
        self.known(salt.to_owned(), make).map(drop)
    }

    fn of_salt(&self, context: &Context, salt: &str) -> Result<Arc<dyn SecretsManager>, Diagnostic> {
        self.known(salt.to_owned(), || {
            Ok(Arc::new(PassphraseManager::open(salt, passphrases(context), Arc::new(SystemEntropy))?))
        })
    }

    fn of_key(&self, context: &Context, url: &str, key: &str) -> Result<Arc<dyn SecretsManager>, Diagnostic> {
        self.known(format!("{url} {key}"), || {
            Ok(Arc::new(CloudManager::open(url, key, &key_services(context), Arc::new(SystemEntropy))?))
        })
    }
}

/// The key services, with the environment of this process.
pub(crate) fn key_services(context: &Context) -> KeyServices {
    let env = context.ambient.env().clone();
    KeyServices::new(Arc::new(move |name| env.get(name).cloned()))
}

/// The manager that a state names.
pub(crate) fn manager_of_provider(
    context: &Context,
    provider: &SecretsProvider,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    if let Some(salt) = passphrase_salt(provider) {
        return Ok(context.managers.of_salt(context, &salt)?);
    }
    let made_from = format!("{} {}", provider.ty, provider.state);
    let manager = context.managers.known(made_from, || {
        manager_from_state(provider, passphrases(context), &key_services(context), Arc::new(SystemEntropy))
    });
    Ok(manager?)
}

/// The salt of a manager with a passphrase.
pub(crate) fn passphrase_salt(provider: &SecretsProvider) -> Option<String> {
    let state: serde_json::Value = serde_json::from_str(&provider.state).ok()?;
    let salt = state.get("salt")?.as_str()?;
    (provider.ty == "passphrase").then(|| salt.to_owned())
}

/// Refuses secrets providers that there are no managers for.
pub(crate) fn check_secrets_provider(provider: Option<&str>) -> Result<(), CommandError> {
    match provider {
        None | Some("" | "default" | "passphrase") => Ok(()),
        Some(url) if KeyServices::is_url(url) => Ok(()),
        Some(other) => Err(CommandError::unsupported(&format!("the secrets provider '{other}'"))),
    }
}

/// The manager that a stack's settings name; `None` if they name none yet.
pub(crate) fn manager_of_settings(
    context: &Context,
    settings: &StackSettings,
) -> Result<Option<Arc<dyn SecretsManager>>, CommandError> {
    check_secrets_provider(settings.secrets_provider())?;
    if let Some(url) = key_service_of(settings) {
        let url = overridden(context, url)?;
        let Some(key) = settings.encrypted_key() else { return Ok(None) };
        return Ok(Some(context.managers.of_key(context, &url, key)?));
    }
    let Some(salt) = settings.encryption_salt() else { return Ok(None) };
    Ok(Some(context.managers.of_salt(context, salt)?))
}

/// The key service that stands for the one that settings or a flag name: `PULUMI_CLOUD_SECRET_OVERRIDE`
/// names another one, such as the same key by another way. States are opened by the one that they name.
pub(crate) fn overridden(context: &Context, url: &str) -> Result<String, CommandError> {
    const NAME: &str = "PULUMI_CLOUD_SECRET_OVERRIDE";
    match context.ambient.non_empty(NAME) {
        None => Ok(url.to_owned()),
        Some(other) if KeyServices::is_url(other) => Ok(other.into()),
        Some(other) => {
            let message = format!("{NAME} is '{other}', which is not the URL of a key service");
            let hint =
                "unset it, or set it to an awskms://, azurekeyvault://, gcpkms:// or hashivault:// URL";
            Err(CommandError::new(
                Failure::Usage,
                Diagnostic::error("key-service-url", message).with_hint(hint),
            ))
        }
    }
}

/// The URL of the key service that settings name.
fn key_service_of(settings: &StackSettings) -> Option<&str> {
    settings.secrets_provider().filter(|provider| KeyServices::is_url(provider))
}

/// The manager that a stack's settings name; a new one if they have none yet, which is written to the
/// settings.
pub(crate) async fn manager_for_new(
    context: &Context,
    settings: &mut StackSettings,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    if let Some(manager) = manager_of_settings(context, settings)? {
        return Ok(manager);
    }
    let manager = new_manager(context, settings).await?;
    settings.save()?;
    Ok(manager)
}

/// A new manager of the kind that settings name. They are told its key or its salt, and not saved.
pub(crate) async fn new_manager(
    context: &Context,
    settings: &mut StackSettings,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    if let Some(url) = key_service_of(settings) {
        let url = overridden(context, url)?;
        let manager = CloudManager::create(&url, &key_services(context), Arc::new(SystemEntropy)).await?;
        settings.set_secrets_provider(Some(manager.url()))?;
        settings.set_encrypted_key(Some(manager.encrypted_key()))?;
        settings.set_encryption_salt(None)?;
        return Ok(Arc::new(manager));
    }
    let manager = PassphraseManager::create(passphrases(context), Arc::new(SystemEntropy)).await?;
    settings.set_encryption_salt(Some(manager.salt()))?;
    Ok(Arc::new(manager))
}

/// The manager of a stack's state: the one that the state names, else that of its settings.
pub(crate) async fn manager_of_state(
    context: &Context,
    snapshot: &Snapshot,
    settings: Option<&mut StackSettings>,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    if let Some(provider) = &snapshot.secrets_provider {
        return manager_of_provider(context, provider);
    }
    match settings {
        Some(settings) => manager_for_new(context, settings).await,
        None => {
            let message = "the stack's state names no secrets manager";
            Err(Diagnostic::error("no-secrets-manager", message).into())
        }
    }
}

/// Opens a bag of the state. With secrets hidden, nothing is decrypted: what stands in their place
/// is a secret without its text.
pub(crate) async fn open_bag(
    context: &Context,
    _target: &Target,
    snapshot: &Snapshot,
    bag: &Bag,
    show_secrets: bool,
) -> Result<Arc<PropertyMap>, CommandError> {
    let raw = match bag {
        Bag::Decoded(map) => return Ok(Arc::clone(map)),
        Bag::Raw(raw) => raw,
    };
    let decoder = BagDecoder::new(raw.as_str())?;
    if !show_secrets || !decoder.has_secrets() {
        let placeholders: Vec<&str> = decoder.ciphertexts().map(|_| "null").collect();
        return Ok(Arc::new(decoder.finish(&placeholders)?));
    }
    let manager = manager_of_state(context, snapshot, None).await?;
    Ok(SealedBags::new(manager).open(bag).await?)
}

/// Decrypts one value of the history.
pub(crate) async fn decrypt_one(
    context: &Context,
    target: &Target,
    ciphertext: &str,
) -> Result<String, CommandError> {
    let settings = target.settings(None)?;
    match manager_of_settings(context, &settings)? {
        Some(manager) => Ok(decrypt_text(manager.as_ref(), ciphertext).await?),
        None => {
            Err(Diagnostic::error("no-secrets-manager", "the stack's settings name no secrets manager")
                .into())
        }
    }
}

async fn export_manager(context: &Context, target: &Target) -> Result<Arc<dyn SecretsManager>, CommandError> {
    let snapshot = target.store.load(&target.id).await?.snapshot;
    match &target.project {
        Some(_) => manager_of_state(context, &snapshot, Some(&mut target.settings(None)?)).await,
        None => manager_of_state(context, &snapshot, None).await,
    }
}

/// An export with its secrets in clear.
pub(crate) async fn reveal(context: &Context, target: &Target, text: &str) -> Result<String, CommandError> {
    reveal_by(export_manager(context, target), text).await
}

/// A JSON text with its secrets in clear. The manager is looked for only if there are any.
pub(crate) async fn reveal_by(
    manager: impl Future<Output = Result<Arc<dyn SecretsManager>, CommandError>>,
    text: &str,
) -> Result<String, CommandError> {
    let ciphertexts = find_secrets(text, SecretForm::Ciphertext)?;
    if ciphertexts.is_empty() {
        return Ok(text.to_owned());
    }
    let plaintexts = manager.await?.decrypt(&ciphertexts).await?;
    Ok(replace_secrets(text, SecretForm::Ciphertext, &plaintexts)?)
}

/// A snapshot whose secrets are encrypted by another manager.
pub(crate) async fn recrypt_snapshot(
    snapshot: &Snapshot,
    from: &dyn SecretsManager,
    to: &dyn SecretsManager,
) -> Result<Snapshot, CommandError> {
    let text = export_deployment(Some(snapshot)).map_err(|error| error.diagnostic())?;
    let ciphertexts = find_secrets(&text, SecretForm::Ciphertext)?;
    let provider = Some(to.provider());
    if ciphertexts.is_empty() {
        return Ok(Snapshot { secrets_provider: provider, ..snapshot.clone() });
    }
    let plaintexts = from.decrypt(&ciphertexts).await?;
    let clear = Zeroizing::new(replace_secrets(&text, SecretForm::Ciphertext, &plaintexts)?);
    let fresh = to.encrypt(&plaintexts).await?;
    let source: Arc<str> = replace_secrets(&clear, SecretForm::Plaintext, &fresh)?.into();
    let parsed = parse_deployment(&source, ParseOptions { check_magic: false })?.snapshot;
    Ok(Snapshot {
        secrets_provider: provider,
        resources: parsed.resources,
        pending_operations: parsed.pending_operations,
        ..snapshot.clone()
    })
}

/// States whose secrets are encrypted by another manager.
pub(crate) async fn recrypt_states(
    states: Vec<Arc<ResourceState>>,
    from: &dyn SecretsManager,
    to: &dyn SecretsManager,
) -> Result<Vec<Arc<ResourceState>>, CommandError> {
    let snapshot = Snapshot { resources: states, ..Snapshot::default() };
    Ok(recrypt_snapshot(&snapshot, from, to).await?.resources)
}

/// An export whose clear secrets are encrypted.
pub(crate) async fn conceal(context: &Context, target: &Target, text: &str) -> Result<String, CommandError> {
    let plaintexts = find_secrets(text, SecretForm::Plaintext)?;
    if plaintexts.is_empty() {
        return Ok(text.to_owned());
    }
    let ciphertexts = export_manager(context, target).await?.encrypt(&plaintexts).await?;
    Ok(replace_secrets(text, SecretForm::Plaintext, &ciphertexts)?)
}

/// Makes the secrets manager of a new stack: of the kind that is asked for, or as its settings say. The
/// settings are to be saved when there is the stack.
pub(crate) async fn prepare_new_stack(
    context: &Context,
    project: &Project,
    id: &StackId,
    provider: Option<&str>,
) -> Result<StackSettings, CommandError> {
    check_secrets_provider(provider)?;
    let path = project.stack_settings_path(&id.name);
    let mut settings = StackSettings::load(&path, &project.name)?;
    if let Some(provider) = provider.filter(|provider| !provider.is_empty() && *provider != "default") {
        let named = key_service_of(&settings).unwrap_or("passphrase");
        if named != provider {
            if !settings.config().ciphertexts().is_empty() {
                let file = path.display();
                let message =
                    format!("{file} holds secrets that are encrypted by {named}, not by {provider}");
                let hint = format!("leave out --secrets-provider, or remove {file}");
                return Err(Diagnostic::error("secrets-provider-differs", message).with_hint(hint).into());
            }
            settings.set_encrypted_key(None)?;
            settings.set_encryption_salt(None)?;
            let url = KeyServices::is_url(provider).then_some(provider);
            settings.set_secrets_provider(url)?;
        }
    }
    let passphrase = key_service_of(&settings).is_none();
    match manager_of_settings(context, &settings)? {
        // A stack whose configuration nobody can read is not to be made.
        Some(manager) if passphrase => manager.unlock().await?,
        Some(_) => {}
        None => drop(new_manager(context, &mut settings).await?),
    }
    Ok(settings)
}

/// Copies the configuration of a stack to a new one; secrets are encrypted anew.
pub(crate) async fn copy_config(context: &Context, from: &str, to: &str) -> Result<(), CommandError> {
    let project = context.project()?;
    let source = StackSettings::load(&project.stack_settings_path(from), &project.name)?;
    let mut target = StackSettings::load(&project.stack_settings_path(to), &project.name)?;
    let values = source.config();
    let ciphertexts: Vec<String> = values.ciphertexts().into_iter().map(str::to_owned).collect();
    if ciphertexts.is_empty() {
        target.set_config(values)?;
        return Ok(target.save()?);
    }
    let Some(old) = manager_of_settings(context, &source)? else {
        return Err(Diagnostic::error(
            "no-secrets-manager",
            format!("stack '{from}' names no secrets manager"),
        )
        .into());
    };
    let plaintexts = old.decrypt(&ciphertexts).await?;
    let new = manager_for_new(context, &mut target).await?;
    let mut fresh: HashMap<String, String> =
        ciphertexts.into_iter().zip(new.encrypt(&plaintexts).await?).collect();
    let values = values.recrypt(|old| {
        fresh.remove(old).ok_or_else(|| Diagnostic::error("secret-miscounted", "a secret was not encrypted"))
    })?;
    target.set_config(&values)?;
    Ok(target.save()?)
}

/// The plaintexts of a configuration's secrets.
pub(crate) struct ConfigSecrets {
    plaintexts: HashMap<String, Zeroizing<String>>,
}

impl ConfigSecrets {
    /// Decrypts all secrets of a configuration; without any, nothing is asked.
    pub(crate) async fn open(
        context: &Context,
        target: &Target,
        settings: &StackSettings,
        values: &ConfigMap,
    ) -> Result<ConfigSecrets, CommandError> {
        let ciphertexts: Vec<String> = values.ciphertexts().into_iter().map(str::to_owned).collect();
        if ciphertexts.is_empty() {
            return Ok(ConfigSecrets { plaintexts: HashMap::new() });
        }
        let Some(manager) = manager_of_settings(context, settings)? else {
            let (lost, field) = match key_service_of(settings) {
                Some(_) => ("encrypted key", "encryptedkey"),
                None => ("salt", "encryptionsalt"),
            };
            let message =
                format!("the configuration of stack '{}' has secrets and no {lost}", target.id.name);
            let hint = format!("restore `{field}` in the stack's settings file");
            return Err(Diagnostic::error("no-salt", message).with_hint(hint).into());
        };
        let plaintexts = match manager.decrypt(&ciphertexts).await {
            Ok(plaintexts) => plaintexts,
            Err(problem) => {
                return Err(with_place(problem, manager.as_ref(), target, settings, values).await.into());
            }
        };
        let plaintexts = ciphertexts.into_iter().zip(plaintexts.into_iter().map(Zeroizing::new)).collect();
        Ok(ConfigSecrets { plaintexts })
    }

    /// Gives the plaintexts to who asks by ciphertext.
    pub(crate) fn decrypter(&self) -> impl Fn(&str) -> Result<String, Diagnostic> + '_ {
        |ciphertext| match self.plaintexts.get(ciphertext) {
            Some(plaintext) => Ok(plaintext.to_string()),
            None => Err(Diagnostic::error("secret-unknown", "a configuration value was not decrypted")),
        }
    }

    /// All that is secret.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.plaintexts.values().map(|text| text.as_str())
    }

    /// Encrypts a value for a stack's settings.
    pub(crate) async fn encrypt(
        context: &Context,
        target: &Target,
        settings: &mut StackSettings,
        text: &str,
    ) -> Result<String, CommandError> {
        let manager = match manager_of_settings(context, settings)? {
            Some(manager) => manager,
            None => {
                let loaded = target.store.load(&target.id).await?;
                match &loaded.snapshot.secrets_provider {
                    Some(provider) if provider.ty == "passphrase" => {
                        adopt_state_salt(context, provider, settings)?
                    }
                    _ => manager_for_new(context, settings).await?,
                }
            }
        };
        Ok(encrypt_text(manager.as_ref(), text).await?)
    }
}

/// What keeps one of many secrets from being decrypted, with the key and the file that it stands in.
async fn with_place(
    problem: Diagnostic,
    manager: &dyn SecretsManager,
    target: &Target,
    settings: &StackSettings,
    values: &ConfigMap,
) -> Diagnostic {
    for (key, value) in values.iter() {
        let alone = ConfigMap::from_iter([(key.clone(), value.clone())]);
        let ciphertexts: Vec<String> = alone.ciphertexts().into_iter().map(str::to_owned).collect();
        let Err(own) = manager.decrypt(&ciphertexts).await else { continue };
        // What keeps all of them is about no key.
        if own.code != "secret-undecryptable" {
            break;
        }
        let of_stack = settings.config().iter().any(|(other, _)| other == key);
        let file = match &target.project {
            Some(project) if !of_stack => &project.path,
            _ => settings.path(),
        };
        return Diagnostic { message: format!("{}: '{key}': {}", file.display(), own.message), ..own };
    }
    problem
}

/// A stack whose state has a salt and whose settings don't: they shall have the same one.
fn adopt_state_salt(
    context: &Context,
    provider: &SecretsProvider,
    settings: &mut StackSettings,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    let salt = passphrase_salt(provider).unwrap_or_default();
    let manager = context.managers.of_salt(context, &salt)?;
    settings.set_encryption_salt(Some(&salt))?;
    Ok(manager)
}

/// Writes a file that may hold secrets: readable by its owner only.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Diagnostic> {
    use std::io::Write as _;
    let failed = |e: std::io::Error| Diagnostic::error("file-write", format!("{}: {e}", path.display()));
    open_private(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

/// Opens a file that may hold secrets, to write it anew: readable by its owner only.
pub(crate) fn open_private(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// The manager for a preview of a stack that was never deployed: that of the settings, or one that
/// is thrown away, since a preview writes nothing.
pub(crate) fn manager_for_preview(
    context: &Context,
    settings: &StackSettings,
) -> Result<Arc<dyn SecretsManager>, CommandError> {
    Ok(match manager_of_settings(context, settings)? {
        Some(manager) => manager,
        None => Arc::new(purlin_secrets::Base64Manager),
    })
}
