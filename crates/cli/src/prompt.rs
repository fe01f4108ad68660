//! Questions to the user.

use purlin_diag::Diagnostic;

use crate::context::Context;
use crate::exit::{CommandError, Failure};

/// What is wrong when there is nobody to answer.
fn nobody(failure: Failure, message: String, flag: &str) -> CommandError {
    let hint = format!("run it in a terminal, or give {flag}");
    CommandError::new(failure, Diagnostic::error("non-interactive", message).with_hint(hint))
}

fn nobody_to_ask(failure: Failure, question: &str, flag: &str) -> CommandError {
    nobody(failure, format!("there is nobody to ask: {}", question.trim_end_matches(':')), flag)
}

fn gave_up() -> CommandError {
    CommandError::new(Failure::General, Diagnostic::error("declined", "confirmation declined"))
}

impl Context {
    /// Whether everything is agreed to beforehand.
    pub(crate) fn agrees(&self, yes: bool) -> bool {
        yes || self.ambient.is_on("PULUMI_SKIP_CONFIRMATIONS")
    }

    /// Asks for a yes or no; `--yes` answers beforehand.
    pub(crate) fn confirm(&self, question: &str, yes: bool, flag: &str) -> Result<(), CommandError> {
        if self.agrees(yes) {
            return Ok(());
        }
        if !self.interactive() {
            return Err(nobody_to_ask(Failure::Usage, question, flag));
        }
        match inquire::Confirm::new(question).with_default(false).prompt() {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(gave_up()),
        }
    }

    /// Asks before a state is edited. Scripts aren't asked: they say what they want.
    pub(crate) fn confirm_edit(&self, question: &str, yes: bool) -> Result<(), CommandError> {
        self.confirm(question, yes || !self.interactive(), "--yes")
    }

    /// Has the user repeat a word before something is thrown away. The warning is a sentence.
    pub(crate) fn confirm_word(&self, warning: &str, word: &str, yes: bool) -> Result<(), CommandError> {
        if self.agrees(yes) {
            return Ok(());
        }
        if !self.interactive() {
            let message = format!("{warning} There is nobody to confirm that.");
            return Err(nobody(Failure::General, message, "--yes"));
        }
        self.out.line(warning);
        let question = format!("Please confirm that this is what you'd like to do by typing `{word}`:");
        match inquire::Text::new(&question).prompt() {
            Ok(answer) if answer.trim() == word => Ok(()),
            _ => Err(gave_up()),
        }
    }

    /// Asks for a line of text.
    pub(crate) fn ask_text(&self, question: &str, default: &str, flag: &str) -> Result<String, CommandError> {
        if !self.interactive() {
            return Err(nobody_to_ask(Failure::General, question, flag));
        }
        inquire::Text::new(question).with_default(default).prompt().map_err(|_| gave_up())
    }

    /// Asks for a secret text without showing it.
    pub(crate) fn ask_secret(&self, question: &str, flag: &str) -> Result<String, CommandError> {
        if !self.interactive() {
            return Err(nobody_to_ask(Failure::General, question, flag));
        }
        inquire::Password::new(question).without_confirmation().prompt().map_err(|_| gave_up())
    }

    /// Has the user choose from a list.
    pub(crate) fn choose(
        &self,
        question: &str,
        choices: Vec<String>,
        flag: &str,
    ) -> Result<String, CommandError> {
        if !self.interactive() {
            return Err(nobody_to_ask(Failure::General, question, flag));
        }
        inquire::Select::new(question, choices).prompt().map_err(|_| gave_up())
    }
}
