//! Flags of the commands that run operations.

use std::path::PathBuf;

use clap::Args;

/// Flags that `preview`, `up`, `refresh` and `destroy` share.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CommonOperationArgs {
    /// The stack to operate on; the selected one by default
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Use the configuration of another file
    #[arg(long, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
    /// Set a configuration value for this run, and keep it
    #[arg(short = 'c', long = "config", value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Keys of `--config` are property paths
    #[arg(long)]
    pub(crate) config_path: bool,
    /// A message to record with the operation
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Print debug output
    #[arg(short, long)]
    pub(crate) debug: bool,
    /// Show changes as a full diff
    #[arg(long)]
    pub(crate) diff: bool,
    /// Write machine-readable output
    #[arg(short, long)]
    pub(crate) json: bool,
    /// How many operations may run at once
    #[arg(short, long, value_name = "N")]
    pub(crate) parallel: Option<usize>,
    /// Refresh the state before anything else
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) refresh: Option<String>,
    /// Operate on this resource only; more with more flags. In a pattern, * stands for anything but
    /// colons, and ** for anything
    #[arg(short, long, value_name = "URN")]
    pub(crate) target: Vec<String>,
    /// Leave this resource alone; more with more flags, patterns as with --target
    #[arg(short = 'x', long, value_name = "URN", conflicts_with = "target")]
    pub(crate) exclude: Vec<String>,
    /// Operate on what depends on targets, too
    #[arg(long)]
    pub(crate) target_dependents: bool,
    /// Leave alone what depends on excluded resources, too
    #[arg(long)]
    pub(crate) exclude_dependents: bool,
    /// Run the program in a refresh or destroy, too, so that providers are set up as it says
    #[arg(long)]
    pub(crate) run_program: bool,
    /// Don't check the configuration against what the project declares
    #[arg(long)]
    pub(crate) skip_config_validation: bool,
    /// Show the configuration
    #[arg(long)]
    pub(crate) show_config: bool,
    /// Show the steps of replacements one by one
    #[arg(long)]
    pub(crate) show_replacement_steps: bool,
    /// Show resources that don't change
    #[arg(long)]
    pub(crate) show_sames: bool,
    /// Show resources that are only read
    #[arg(long)]
    pub(crate) show_reads: bool,
    /// Show secrets in diffs and outputs
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// Show URNs instead of names
    #[arg(long)]
    pub(crate) urns: bool,
    /// Don't show stack outputs
    #[arg(long)]
    pub(crate) suppress_outputs: bool,
    /// Don't show progress
    #[arg(long)]
    pub(crate) suppress_progress: bool,
    /// Don't show a permalink (accepted for compatibility)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) suppress_permalink: Option<String>,
    /// Show all output, cut nothing
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) show_full_output: Option<String>,
    /// Don't install plugins before the operation
    #[arg(long)]
    pub(crate) skip_plugin_pre_install: bool,
    /// How the operation came to be run
    #[arg(long, hide = true, value_name = "KIND")]
    pub(crate) exec_kind: Option<String>,
    /// Who runs the operation
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) exec_agent: Option<String>,
    /// The address of an inline program (not supported yet)
    #[arg(long, hide = true, value_name = "ADDRESS")]
    pub(crate) client: Option<String>,
    /// Write events to a file or `tcp://host:port`
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) event_log: Option<String>,
    /// Where to run (not supported)
    #[arg(long, hide = true)]
    pub(crate) remote: bool,
    /// Wait that long for others to let go of the stack, such as 90s, 10m or 1h
    #[arg(long, value_name = "DURATION")]
    pub(crate) lock_timeout: Option<String>,
}

/// Flags of commands that ask before they act.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ApprovalArgs {
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Don't preview first
    #[arg(short = 'f', long)]
    pub(crate) skip_preview: bool,
}

/// Flags that an update and its preview share.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UpdateFlags {
    /// Fail if something changes, or would
    #[arg(long)]
    pub(crate) expect_no_changes: bool,
    /// Protection counts for nothing
    #[arg(long)]
    pub(crate) ignore_protect: bool,
    /// Replace this resource even if it did not change; more with more flags, patterns as with --target
    #[arg(long, value_name = "URN")]
    pub(crate) replace: Vec<String>,
    /// Replace this resource and touch no others: --target and --replace in one
    #[arg(long, value_name = "URN")]
    pub(crate) target_replace: Vec<String>,
    /// Have the policy pack in this folder judge what is wanted; more with more flags
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(crate) policy_pack: Vec<PathBuf>,
    /// A JSON file that configures the policy pack of the corresponding `--policy-pack`
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) policy_pack_config: Vec<PathBuf>,
    /// Show what policies put right resource by resource
    #[arg(long)]
    pub(crate) show_policy_remediations: bool,
}

/// Flags of `preview`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    pub(crate) common: CommonOperationArgs,
    #[command(flatten)]
    pub(crate) update: UpdateFlags,
    /// Say what leads to each replacement and each delete
    #[arg(long)]
    pub(crate) why: bool,
    /// Save an update plan, for `up --plan` to follow
    #[arg(long, value_name = "FILE")]
    pub(crate) save_plan: Option<PathBuf>,
}

/// Flags of `why`.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhyArgs {
    /// The resource: its URN, or its name if there is only one of that name
    #[arg(value_name = "URN")]
    pub(crate) urn: String,
    #[command(flatten)]
    pub(crate) common: CommonOperationArgs,
    /// Protection counts for nothing
    #[arg(long)]
    pub(crate) ignore_protect: bool,
    /// As if this resource were replaced on demand; more with more flags
    #[arg(long, value_name = "URN")]
    pub(crate) replace: Vec<String>,
    /// As if this resource were replaced on demand and no others touched
    #[arg(long, value_name = "URN")]
    pub(crate) target_replace: Vec<String>,
}

/// Flags of `up`.
#[derive(Args, Clone, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) common: CommonOperationArgs,
    #[command(flatten)]
    pub(crate) update: UpdateFlags,
    #[command(flatten)]
    pub(crate) approval: ApprovalArgs,
    /// Go on with what does not depend on a failure
    #[arg(long)]
    pub(crate) continue_on_error: bool,
    /// Encrypt secrets with another provider, if the stack is new
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) secrets_provider: Option<String>,
    /// Follow a plan that `preview --save-plan` wrote: nothing is done that it doesn't have
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Do nothing that the preview before the update didn't show
    #[arg(long)]
    pub(crate) strict: bool,
    /// A template or URL to deploy (not supported yet)
    #[arg(value_name = "TEMPLATE")]
    pub(crate) template: Option<String>,
}

/// Flags of `refresh`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RefreshArgs {
    #[command(flatten)]
    pub(crate) common: CommonOperationArgs,
    #[command(flatten)]
    pub(crate) approval: ApprovalArgs,
    /// Only show what would change
    #[arg(long, conflicts_with_all = ["yes", "skip_preview"])]
    pub(crate) preview_only: bool,
    /// Fail if something changed
    #[arg(long)]
    pub(crate) expect_no_changes: bool,
    /// Forget creates whose outcome nobody knows
    #[arg(long)]
    pub(crate) clear_pending_creates: bool,
    /// Leave creates whose outcome nobody knows as they are
    #[arg(long)]
    pub(crate) skip_pending_creates: bool,
    /// Take over what creates whose outcome nobody knows have made: URNs, each followed by its id
    #[arg(long, value_name = "URN ID", num_args = 1..=2)]
    pub(crate) import_pending_creates: Vec<String>,
}

/// Flags of `destroy`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) common: CommonOperationArgs,
    #[command(flatten)]
    pub(crate) approval: ApprovalArgs,
    /// Only show what would be deleted
    #[arg(long, conflicts_with_all = ["yes", "skip_preview"])]
    pub(crate) preview_only: bool,
    /// Remove the stack and its configuration afterwards
    #[arg(long)]
    pub(crate) remove: bool,
    /// Keep protected resources and what they need
    #[arg(long, conflicts_with_all = ["target", "ignore_protect"])]
    pub(crate) exclude_protected: bool,
    /// Protection counts for nothing
    #[arg(long)]
    pub(crate) ignore_protect: bool,
    /// Go on with what does not depend on a failure
    #[arg(long)]
    pub(crate) continue_on_error: bool,
}
