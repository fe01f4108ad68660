//! What to show, and how.

/// The kind of an operation, preview or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The program's wishes are carried out.
    Update,
    /// The state takes over what the cloud has.
    Refresh,
    /// Everything is deleted.
    Destroy,
    /// Existing resources are taken over.
    Import,
}

/// What to show, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kind of the operation.
    pub operation: Operation,
    /// Whether nothing is really done.
    pub preview: bool,
    /// The stack's name.
    pub stack: String,
    /// The project's name.
    pub project: String,
    /// The stack as the heading names it: its short or its full name.
    pub shown_stack: String,
    /// Whether to use colours. They never carry meaning alone.
    pub colors: bool,
    /// Whether signs outside of ASCII may be used for decoration.
    pub emoji: bool,
    /// Show resources that don't change.
    pub show_sames: bool,
    /// Show the steps of replacements one by one.
    pub show_replacement_steps: bool,
    /// Show resources that are only read.
    pub show_reads: bool,
    /// Show secrets in clear.
    pub show_secrets: bool,
    /// Show URNs rather than types and names.
    pub urns: bool,
    /// Don't show stack outputs.
    pub suppress_outputs: bool,
    /// Don't show downloads, installations and activity.
    pub suppress_progress: bool,
    /// Show the configuration.
    pub show_config: bool,
    /// Show debug messages.
    pub debug: bool,
    /// In diffs, leave out properties that don't change.
    pub only_changes: bool,
    /// Cut long texts short.
    pub truncate: bool,
    /// Show what policies put right resource by resource.
    pub show_policy_remediations: bool,
}

impl Options {
    /// Plain defaults: no colours, nothing that was not asked for.
    pub fn new(operation: Operation, preview: bool, stack: &str, project: &str) -> Self {
        Options {
            operation,
            preview,
            stack: stack.to_owned(),
            project: project.to_owned(),
            shown_stack: stack.to_owned(),
            colors: false,
            emoji: false,
            show_sames: false,
            show_replacement_steps: false,
            show_reads: false,
            show_secrets: false,
            urns: false,
            suppress_outputs: false,
            suppress_progress: false,
            show_config: false,
            debug: false,
            only_changes: false,
            truncate: false,
            show_policy_remediations: false,
        }
    }

    /// The heading, without a line end: `Previewing update (dev):`.
    pub fn heading(&self) -> String {
        let what = match (self.operation, self.preview) {
            (Operation::Update, true) => "Previewing update",
            (Operation::Update, false) => "Updating",
            (Operation::Refresh, true) => "Previewing refresh",
            (Operation::Refresh, false) => "Refreshing",
            (Operation::Destroy, true) => "Previewing destroy",
            (Operation::Destroy, false) => "Destroying",
            (Operation::Import, true) => "Previewing import",
            (Operation::Import, false) => "Importing",
        };
        format!("{what} ({}):", self.shown_stack)
    }
}
