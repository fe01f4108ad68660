//! Flags of `config` and its commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Flags of `config`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigArgs {
    /// The stack; the selected one by default
    #[arg(short, long, global = true, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Use the configuration of another file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// Show secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
}

/// What to do with the configuration.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum ConfigCommand {
    /// Get a value
    Get(ConfigGetArgs),
    /// Set a value
    Set(ConfigSetArgs),
    /// Set several values
    SetAll(ConfigSetAllArgs),
    /// Remove a value
    #[command(visible_alias = "remove")]
    Rm(ConfigRmArgs),
    /// Remove several values
    RmAll(ConfigRmAllArgs),
}

/// Flags of `config get`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigGetArgs {
    /// The key
    pub(crate) key: String,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// The key is a property path
    #[arg(long)]
    pub(crate) path: bool,
}

/// Flags of `config set`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigSetArgs {
    /// The key
    pub(crate) key: String,
    /// The value; read from standard input if absent
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: Option<String>,
    /// The key is a property path
    #[arg(long)]
    pub(crate) path: bool,
    /// Store the value as it is, even if it looks like a secret
    #[arg(long, conflicts_with = "secret")]
    pub(crate) plaintext: bool,
    /// Encrypt the value
    #[arg(long)]
    pub(crate) secret: bool,
    /// The value's type: string, bool, int or float
    #[arg(long = "type", value_name = "TYPE", conflicts_with_all = ["plaintext", "secret"])]
    pub(crate) kind: Option<String>,
    /// Keep a trailing newline of standard input
    #[arg(long)]
    pub(crate) raw: bool,
}

/// Flags of `config set-all`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigSetAllArgs {
    /// A value to store as it is
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) plaintext: Vec<String>,
    /// A value to encrypt
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) secret: Vec<String>,
    /// Keys are property paths
    #[arg(long)]
    pub(crate) path: bool,
    /// Values in the form that `config --json --show-secrets` writes
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Option<String>,
}

/// Flags of `config rm`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigRmArgs {
    /// The key
    pub(crate) key: String,
    /// The key is a property path
    #[arg(long)]
    pub(crate) path: bool,
}

/// Flags of `config rm-all`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigRmAllArgs {
    /// The keys
    #[arg(required = true)]
    pub(crate) keys: Vec<String>,
    /// Keys are property paths
    #[arg(long)]
    pub(crate) path: bool,
}
