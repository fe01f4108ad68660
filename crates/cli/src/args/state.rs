//! Flags of `state` and its commands.

use clap::{Args, Subcommand};

/// Flags of `state`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateArgs {
    /// The stack; the selected one by default
    #[arg(short, long, global = true, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

/// What to do with the state.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum StateCommand {
    /// Forget resources without deleting them
    #[command(visible_aliases = ["rm", "remove"])]
    Delete(StateDeleteArgs),
    /// Bring in what an operation did after it had lost the stack
    Submit(StateSubmitArgs),
    /// Give a resource another name
    Rename(StateRenameArgs),
    /// Protect resources from deletion
    Protect(StateFlagArgs),
    /// Lift the protection of resources
    Unprotect(StateFlagArgs),
    /// Have resources replaced by the next update
    Taint(StateTaintArgs),
    /// Take back that resources are to be replaced
    Untaint(StateFlagArgs),
    /// Move resources to another stack
    #[command(visible_alias = "mv")]
    Move(StateMoveArgs),
    /// Edit the state in your editor
    #[command(visible_aliases = ["update", "modify"])]
    Edit,
    /// Move stacks of the old layout, without projects, into the folders of their projects
    Upgrade(StateUpgradeArgs),
    /// List the versions of the state
    Log(StateLogArgs),
    /// Show what differs between two versions of the state
    Diff(StateDiffArgs),
    /// Make an earlier version the state; the cloud is not touched
    Restore(StateRestoreArgs),
    /// Look for damage, without changing anything
    Fsck(StateFsckArgs),
    /// Mend a state that breaks rules
    Repair(StateRepairArgs),
    /// Copy stacks to another backend
    Migrate(StateMigrateArgs),
}

/// Flags of `state delete`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateDeleteArgs {
    /// The resources
    pub(crate) urns: Vec<String>,
    /// Even if they are protected
    #[arg(long)]
    pub(crate) force: bool,
    /// All resources
    #[arg(long)]
    pub(crate) all: bool,
    /// What depends on them, too
    #[arg(long)]
    pub(crate) target_dependents: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of commands that set or lift a mark.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateFlagArgs {
    /// The resources
    pub(crate) urns: Vec<String>,
    /// All resources
    #[arg(long)]
    pub(crate) all: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state taint`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateTaintArgs {
    /// The resources
    pub(crate) urns: Vec<String>,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state rename`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateRenameArgs {
    /// The resource
    pub(crate) urn: Option<String>,
    /// Its new name
    pub(crate) name: Option<String>,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state move`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateMoveArgs {
    /// The resources; their children come along
    #[arg(required = true)]
    pub(crate) urns: Vec<String>,
    /// The stack that they are in; the selected one by default
    #[arg(long, value_name = "STACK")]
    pub(crate) source: Option<String>,
    /// The stack that they come into; the selected one by default
    #[arg(long, value_name = "STACK")]
    pub(crate) dest: Option<String>,
    /// Their parents, too
    #[arg(long)]
    pub(crate) include_parents: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state upgrade`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateUpgradeArgs {
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state log`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateLogArgs {
    /// How many, the newest first
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
}

/// Flags of `state diff`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateDiffArgs {
    /// A version; the one before the newest by default
    pub(crate) old: Option<String>,
    /// Another one; the current state by default
    pub(crate) new: Option<String>,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Show secrets in plaintext
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

/// Flags of `state restore`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateRestoreArgs {
    /// The version
    pub(crate) version: String,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state fsck`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateFsckArgs {
    /// All stacks of the backend
    #[arg(long)]
    pub(crate) all: bool,
    /// Look for the version that brought the damage
    #[arg(long, conflicts_with = "all")]
    pub(crate) bisect: bool,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
}

/// Flags of `state repair`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateRepairArgs {
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state migrate`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateMigrateArgs {
    /// The stacks; without --all the selected one
    pub(crate) stacks: Vec<String>,
    /// The backend that they come into
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// The backend that they are in; the current one by default
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// All stacks of all projects
    #[arg(long, conflicts_with = "stacks")]
    pub(crate) all: bool,
    /// Leave the history out
    #[arg(long)]
    pub(crate) skip_history: bool,
    /// Encrypt secrets anew, by this provider
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) secrets_provider: Option<String>,
    /// Only show what would be copied
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `state submit`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateSubmitArgs {
    /// The file that the operation named
    pub(crate) file: std::path::PathBuf,
}
