//! Where passphrases come from: the environment, a file, the user.

use std::path::PathBuf;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_model::Snapshot;
use purlin_ports::StackId;
use purlin_secrets::{FixedPassphrase, NoPassphrase, PassphraseManager, PassphraseSource};
use zeroize::Zeroizing;

use crate::ambient::SystemEntropy;
use crate::config_values::passphrase_salt;
use crate::context::Context;
use crate::exit::CommandError;

/// How often the user may try.
const TRIES: usize = 3;

/// A passphrase in a file.
struct FilePassphrase(PathBuf);

impl PassphraseSource for FilePassphrase {
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic> {
        let text = std::fs::read_to_string(&self.0).map_err(|e| {
            let message = format!("the passphrase file {} can't be read: {e}", self.0.display());
            Diagnostic::error("passphrase-file", message)
                .with_hint("PULUMI_CONFIG_PASSPHRASE_FILE must name a file that holds the passphrase")
        })?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    }
}

/// A passphrase that the user is asked for, of a stack if that has to be said.
struct AskedPassphrase {
    stack: Option<StackId>,
    /// Whether the one before it was wrong.
    again: bool,
}

impl PassphraseSource for AskedPassphrase {
    fn passphrase(&self) -> Result<Zeroizing<String>, Diagnostic> {
        let stack = self.stack.as_ref().map(|stack| format!(" for stack {stack}")).unwrap_or_default();
        let wrong = if self.again { "That passphrase is wrong. " } else { "" };
        let question = format!("{wrong}Enter your passphrase to unlock config/secrets{stack}");
        inquire::Password::new(&question)
            .without_confirmation()
            .prompt()
            .map(Zeroizing::new)
            .map_err(|_| Diagnostic::error("passphrase-missing", "no passphrase was given"))
    }
}

/// Whether the user would be asked for a passphrase.
pub(crate) fn asks_for_passphrase(context: &Context) -> bool {
    known(context).is_empty() && context.interactive()
}

/// Those that need not be asked for, the one that counts first.
fn known(context: &Context) -> Vec<Arc<dyn PassphraseSource>> {
    let mut known: Vec<Arc<dyn PassphraseSource>> = Vec::new();
    if let Some(passphrase) = context.ambient.var("PULUMI_CONFIG_PASSPHRASE") {
        known.push(Arc::new(FixedPassphrase::new(passphrase)));
    }
    if let Some(file) = context.ambient.non_empty("PULUMI_CONFIG_PASSPHRASE_FILE") {
        known.push(Arc::new(FilePassphrase(context.ambient.cwd.join(file))));
    }
    known
}

/// Where the passphrase comes from: the environment, a file, or the user.
pub(crate) fn passphrases(context: &Context) -> Arc<dyn PassphraseSource> {
    match known(context).into_iter().next() {
        Some(source) => source,
        None if context.interactive() => Arc::new(AskedPassphrase { stack: None, again: false }),
        None => Arc::new(NoPassphrase),
    }
}

/// Has a stack's secrets opened by the passphrase that fits, where a command works with several stacks:
/// each may have another one. Nothing is asked before a secret is used.
pub(crate) fn of_stack(context: &Context, id: &StackId, snapshot: &Snapshot) -> Result<(), CommandError> {
    let Some(salt) = snapshot.secrets_provider.as_ref().and_then(passphrase_salt) else { return Ok(()) };
    let mut sources = known(context);
    if context.interactive() {
        let asked = |again| AskedPassphrase { stack: Some(id.clone()), again };
        sources.extend((0..TRIES).map(|n| Arc::new(asked(n > 0)) as Arc<dyn PassphraseSource>));
    }
    if sources.is_empty() {
        sources.push(Arc::new(NoPassphrase));
    }
    let make = || {
        let manager = PassphraseManager::open_with_any(&salt, sources, Arc::new(SystemEntropy))?;
        Ok(Arc::new(manager.of_stack(id.to_string())) as Arc<_>)
    };
    Ok(context.managers.set_for_salt(&salt, make)?)
}
