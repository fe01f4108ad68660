//! What providers built in have in common: answers about their configuration, and errors for what
//! they can't do.

use purlin_model::diff::diff_maps;
use purlin_ports::{ConstructArgs, DiffArgs, DiffChanges, DiffResult, ProviderError};

/// Whether a key of a provider's configuration is the engine's own.
pub(crate) fn is_engine_key(key: &str) -> bool {
    key.starts_with("__") || matches!(key, "version" | "pluginDownloadURL")
}

/// The difference between two configurations, of which none needs a replacement.
pub(crate) fn config_diff(args: &DiffArgs) -> DiffResult {
    let mut diffs = diff_maps(&args.old_inputs, &args.new_inputs).changed_keys();
    diffs.retain(|key| !is_engine_key(key));
    let changes = if diffs.is_empty() { DiffChanges::None } else { DiffChanges::Some };
    DiffResult { changes, diffs, ..DiffResult::default() }
}

/// A resource that the provider doesn't know.
pub(crate) fn unknown_resource(package: &str, version: &str, token: &str) -> ProviderError {
    ProviderError::Rejected(format!(
        "the built-in provider of {package} {version} has no resource {token}; {}",
        install_hint(package)
    ))
}

/// A function that the provider doesn't know.
pub(crate) fn unknown_function(package: &str, token: &str) -> ProviderError {
    ProviderError::Unimplemented(format!("the built-in provider of {package} has no function {token}"))
}

/// A component, which providers built in have none of.
pub(crate) fn no_components(package: &str, args: &ConstructArgs) -> ProviderError {
    ProviderError::Unimplemented(format!(
        "the built-in provider of {package} has no component {}",
        args.goal.ty
    ))
}

/// How to get the official plugin instead.
pub(crate) fn install_hint(package: &str) -> String {
    format!("install the official plugin: purlin plugin install resource {package}")
}
