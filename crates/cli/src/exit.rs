//! From errors to exit codes.

use purlin_diag::Diagnostic;
use purlin_ports::StateError;

/// What a command's failure is, as far as scripts are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Anything that has no code of its own.
    General,
    /// The command line or the configuration is wrong, or there is nobody to ask.
    Usage,
    /// There is no such stack, or none is selected.
    NoStack,
    /// Something changed that was expected not to.
    UnexpectedChanges,
}

impl Failure {
    /// The process's exit code, as the ecosystem's scripts know it.
    pub(crate) fn code(self) -> u8 {
        match self {
            Failure::General => 1,
            Failure::Usage => 2,
            Failure::NoStack => 6,
            Failure::UnexpectedChanges => 7,
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    /// The kind.
    pub(crate) failure: Failure,
    /// What to tell the user; nothing if it has been told.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl CommandError {
    pub(crate) fn new(failure: Failure, diagnostic: Diagnostic) -> CommandError {
        CommandError { failure, diagnostics: vec![diagnostic] }
    }

    /// A failure that the user knows about already.
    pub(crate) fn told(failure: Failure) -> CommandError {
        CommandError { failure, diagnostics: Vec::new() }
    }

    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> CommandError {
        CommandError::new(Failure::Usage, Diagnostic::error(code, message))
    }

    /// A flag that is declared for the sake of scripts, and does nothing yet.
    pub(crate) fn unsupported(what: &str) -> CommandError {
        let message = format!("{what} is not supported yet");
        let hint = "docs/compatibility.md lists what works and what does not";
        CommandError::new(Failure::Usage, Diagnostic::error("unsupported", message).with_hint(hint))
    }
}

impl From<Diagnostic> for CommandError {
    fn from(diagnostic: Diagnostic) -> Self {
        CommandError::new(Failure::General, diagnostic)
    }
}

impl From<Vec<Diagnostic>> for CommandError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        CommandError { failure: Failure::General, diagnostics }
    }
}

impl From<StateError> for CommandError {
    fn from(error: StateError) -> Self {
        let failure = match &error {
            StateError::NotFound(_) => Failure::NoStack,
            _ => Failure::General,
        };
        CommandError::new(failure, error.diagnostic())
    }
}
