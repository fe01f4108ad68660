//! The commands.

use clap::{Args, Parser, Subcommand};

use super::{
    ConfigArgs, DestroyArgs, GlobalArgs, PreviewArgs, RefreshArgs, StackArgs, StateArgs, UpArgs, WhyArgs,
};

/// Infrastructure as code: same programs, same plugins, same state.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "purlin",
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Show what an update would do
    #[command(visible_alias = "pre")]
    Preview(PreviewArgs),
    /// Say what leads to what an update would do to a resource
    Why(Box<WhyArgs>),
    /// Create or update the resources of a stack
    #[command(visible_alias = "update")]
    Up(Box<UpArgs>),
    /// Bring the state to what the cloud has
    Refresh(RefreshArgs),
    /// Delete all resources of a stack
    #[command(visible_aliases = ["down", "dn"])]
    Destroy(DestroyArgs),
    /// Take a stack over from an operation that does not go on
    Cancel(CancelArgs),
    /// Manage stacks
    Stack(StackArgs),
    /// Manage configuration
    #[command(visible_aliases = ["conf", "cfg"])]
    Config(ConfigArgs),
    /// Edit the state
    State(StateArgs),
    /// Make a new project
    New(NewArgs),
    /// Install what the project's program depends on
    Install(InstallArgs),
    /// Choose where state lives
    Login(LoginArgs),
    /// Forget where state lives
    Logout(LogoutArgs),
    /// Show who you are to the backend
    Whoami(WhoamiArgs),
    /// Show what is known about this installation and project
    About(AboutArgs),
    /// Show the version
    Version,
}

/// Flags of `cancel`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CancelArgs {
    /// The stack; the selected one by default
    pub(crate) name: Option<String>,
    /// The stack; the selected one by default
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Flags of `new`.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewArgs {
    /// The template
    pub(crate) template: Option<String>,
    /// A configuration value
    #[arg(short = 'c', long = "config", value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Keys of `--config` are property paths
    #[arg(long)]
    pub(crate) config_path: bool,
    /// The project's description
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Where to make it; here by default
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<std::path::PathBuf>,
    /// Even if files would be overwritten
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Only write files: no stack, no dependencies
    #[arg(short, long)]
    pub(crate) generate_only: bool,
    /// The project's name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Use no network (templates are always at hand)
    #[arg(short, long)]
    pub(crate) offline: bool,
    /// The name of a first stack
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Go ahead without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Who encrypts secrets
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) secrets_provider: Option<String>,
    /// List the templates
    #[arg(short, long)]
    pub(crate) list_templates: bool,
}

/// Flags of `login`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoginArgs {
    /// The backend
    pub(crate) url: Option<String>,
    /// The backend
    #[arg(short, long, value_name = "URL")]
    pub(crate) cloud_url: Option<String>,
    /// Keep state in your home directory
    #[arg(short, long)]
    pub(crate) local: bool,
    /// The default organization
    #[arg(long, value_name = "ORG")]
    pub(crate) default_org: Option<String>,
}

/// Flags of `logout`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogoutArgs {
    /// The backend; the current one by default
    pub(crate) url: Option<String>,
    /// All backends
    #[arg(long)]
    pub(crate) all: bool,
    /// The backend
    #[arg(short, long, value_name = "URL")]
    pub(crate) cloud_url: Option<String>,
    /// The backend in your home directory
    #[arg(short, long)]
    pub(crate) local: bool,
}

/// Flags of `whoami`.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhoamiArgs {
    /// Show the organizations and the backend's URL, too
    #[arg(short = 'V', long = "details", alias = "verbose-details")]
    pub(crate) details: bool,
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
}

/// Flags of `install`.
#[derive(Args, Clone, Debug)]
pub(crate) struct InstallArgs {
    /// Install again what is there already
    #[arg(long)]
    pub(crate) reinstall: bool,
}

/// Flags of `about`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AboutArgs {
    /// Write JSON
    #[arg(short, long)]
    pub(crate) json: bool,
    /// The stack; the selected one by default
    #[arg(short, long, value_name = "STACK")]
    pub(crate) stack: Option<String>,
    /// Include transitive dependencies
    #[arg(short, long)]
    pub(crate) transitive: bool,
}
