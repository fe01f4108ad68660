//! Flags of every command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On terminals.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
    /// With the ecosystem's own colour directives left in the text.
    Raw,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct GlobalArgs {
    /// Run as if started in another directory
    #[arg(short = 'C', long = "cwd", global = true, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Colorize the output
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    pub(crate) color: Option<ColorChoice>,
    /// Enable emojis in the output
    #[arg(short = 'e', long, global = true, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    pub(crate) emoji: Option<bool>,
    /// Show stack names with organization and project
    #[arg(short = 'Q', long, global = true)]
    pub(crate) fully_qualify_stack_names: bool,
    /// Use a state even if it breaks the rules of integrity
    #[arg(long, global = true)]
    pub(crate) disable_integrity_checking: bool,
    /// Never ask anything
    #[arg(long, global = true)]
    pub(crate) non_interactive: bool,
    /// Log to standard error instead of to files
    #[arg(long, global = true)]
    pub(crate) logtostderr: bool,
    /// Flow log settings to child processes
    #[arg(long, global = true)]
    pub(crate) logflow: bool,
    /// Log more, the higher the number
    #[arg(short = 'v', long, global = true, value_name = "N")]
    pub(crate) verbose: Option<u8>,
    /// Emit tracing to an endpoint
    #[arg(long, global = true, hide = true, value_name = "URL")]
    pub(crate) tracing: Option<String>,
    /// Emit profiles (accepted for compatibility)
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) profiling: Option<String>,
    /// Rate of memory profiles (accepted for compatibility)
    #[arg(long, global = true, hide = true, value_name = "N")]
    pub(crate) memprofilerate: Option<i64>,
}
