//! Flags of `stack` and its commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Flags of `stack`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackArgs {
    /// The stack; the selected one by default
    #[arg(short, long, global = true, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Show ids
    #[arg(short = 'i', long)]
    pub(crate) show_ids: bool,
    /// Show URNs
    #[arg(short = 'u', long)]
    pub(crate) show_urns: bool,
    /// Show secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Show only the stack's name
    #[arg(long)]
    pub(crate) show_name: bool,
    #[command(subcommand)]
    pub(crate) command: Option<StackCommand>,
}

/// What to do with stacks.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum StackCommand {
    /// Make an empty stack
    #[command(visible_alias = "new")]
    Init(StackInitArgs),
    /// List stacks
    #[command(visible_alias = "list")]
    Ls(StackLsArgs),
    /// Select a stack
    Select(StackSelectArgs),
    /// Unselect the stack
    Unselect,
    /// Remove a stack and its configuration
    #[command(visible_alias = "remove")]
    Rm(StackRmArgs),
    /// Show outputs
    Output(StackOutputArgs),
    /// Write the deployment to a file or standard output
    Export(StackExportArgs),
    /// Replace the deployment by that of a file or standard input
    Import(StackImportArgs),
    /// Show what happened to a stack
    #[command(visible_alias = "hist")]
    History(StackHistoryArgs),
    /// Give a stack another name
    Rename(StackRenameArgs),
    /// Manage the tags of a stack
    Tag(StackTagArgs),
    /// Encrypt a stack's secrets by another provider, or with another passphrase
    ChangeSecretsProvider(StackSecretsArgs),
    /// Write what depends on what to a file, in the DOT language
    Graph(StackGraphArgs),
}

/// Flags of `stack init`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackInitArgs {
    /// The name
    pub(crate) name: Option<String>,
    /// Who encrypts secrets: default or passphrase
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) secrets_provider: Option<String>,
    /// Copy the configuration of another stack
    #[arg(long, value_name = "STACK")]
    pub(crate) copy_config_from: Option<String>,
    /// Don't select it
    #[arg(long)]
    pub(crate) no_select: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `stack ls`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackLsArgs {
    /// Stacks of all projects
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Stacks of an organization
    #[arg(short, long, value_name = "ORG")]
    pub(crate) organization: Option<String>,
    /// Stacks of a project
    #[arg(short, long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Stacks with a tag
    #[arg(short, long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
}

/// Flags of `stack select`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackSelectArgs {
    /// The name
    pub(crate) name: Option<String>,
    /// Make it if it doesn't exist
    #[arg(short, long)]
    pub(crate) create: bool,
    /// Who encrypts secrets of a new stack
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) secrets_provider: Option<String>,
}

/// Flags of `stack rm`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackRmArgs {
    /// The name
    pub(crate) name: Option<String>,
    /// Even if it still has resources
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Keep the stack's configuration file
    #[arg(long)]
    pub(crate) preserve_config: bool,
    /// Remove backups, too
    #[arg(long)]
    pub(crate) remove_backups: bool,
}

/// Flags of `stack output`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackOutputArgs {
    /// The output; all if absent
    pub(crate) name: Option<String>,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Write shell assignments
    #[arg(long, conflicts_with = "json")]
    pub(crate) shell: bool,
    /// Show secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

/// Flags of `stack export`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackExportArgs {
    /// The file to write; standard output if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A version of the history
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<String>,
    /// Write secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

/// Flags of `stack import`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackImportArgs {
    /// The file to read; standard input if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Even if names or the order are wrong
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// Flags of `stack history`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackHistoryArgs {
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Show secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Show whole dates
    #[arg(long)]
    pub(crate) full_dates: bool,
    /// How many on a page
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) page_size: usize,
    /// Which page
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) page: usize,
}

/// Flags of `stack rename`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackRenameArgs {
    /// The new name
    pub(crate) name: String,
}

/// Flags of `stack tag`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackTagArgs {
    #[command(subcommand)]
    pub(crate) command: StackTagCommand,
}

/// What to do with tags.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum StackTagCommand {
    /// Show the value of a tag
    Get {
        /// The tag
        name: String,
    },
    /// List tags
    #[command(visible_alias = "list")]
    Ls {
        /// Write JSON
        #[arg(short, long)]
        json: bool,
    },
    /// Remove a tag
    #[command(visible_aliases = ["remove", "delete"])]
    Rm {
        /// The tag
        name: String,
    },
    /// Set a tag
    Set {
        /// The tag
        name: String,
        /// Its value
        value: String,
    },
}

/// Flags of `stack change-secrets-provider`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackSecretsArgs {
    /// The provider: default or passphrase
    pub(crate) provider: String,
}

/// Flags of `stack graph`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StackGraphArgs {
    /// The file to write
    pub(crate) file: PathBuf,
    /// Leave parents out
    #[arg(long)]
    pub(crate) ignore_parent_edges: bool,
    /// Leave dependencies out
    #[arg(long)]
    pub(crate) ignore_dependency_edges: bool,
    /// The colour of dependencies
    #[arg(long, default_value = "#246C60", value_name = "COLOR")]
    pub(crate) dependency_edge_color: String,
    /// The colour of parents
    #[arg(long, default_value = "#AA6639", value_name = "COLOR")]
    pub(crate) parent_edge_color: String,
    /// Show names instead of URNs
    #[arg(long)]
    pub(crate) short_node_name: bool,
    /// DOT text to put at the top of the graph
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) dot_fragment: String,
}
