//! What all stores refuse, and why.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use purlin_formats::Checkpoint;
use purlin_journal::check_integrity;
use purlin_model::Snapshot;
use purlin_model::urn::STACK_TYPE;
use purlin_ports::{StackId, StateError};

/// The one organization of stores that have none.
pub(crate) const ORGANIZATION: &str = "organization";

/// Refuses names that are not those of stacks. What passes is safe as a part of a path.
pub(crate) fn check_name(id: &StackId) -> Result<(), StateError> {
    let refuse = |what: &str, name: &str| {
        let message = format!("'{name}' is not the name of {what}");
        let hint = "a name has up to 100 letters, digits, '-', '_' and '.', and is not '.' or '..'";
        Err(StateError::Unusable(Diagnostic::error("stack-name", message).with_hint(hint)))
    };
    if id.organization != ORGANIZATION {
        let message = format!("there is no organization '{}': this store has none", id.organization);
        let hint = "leave the organization out, or write 'organization'";
        return Err(StateError::Unusable(Diagnostic::error("stack-organization", message).with_hint(hint)));
    }
    if !is_name(&id.project) {
        return refuse("a project", &id.project);
    }
    if !is_name(&id.name) {
        return refuse("a stack", &id.name);
    }
    Ok(())
}

/// Whether a text can be the name of a project or stack.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(allowed) && name != "." && name != ".."
}

/// Whether a stack may be removed without force.
pub(crate) fn only_the_root_is_left(snapshot: &Snapshot) -> bool {
    match &*snapshot.resources {
        [] => true,
        [one] => &*one.ty == STACK_TYPE,
        _ => false,
    }
}

/// The refusal to end an operation as if it had not begun.
pub(crate) fn not_abandoned() -> StateError {
    StateError::Unusable(
        Diagnostic::error(
            "journal-not-empty",
            "the operation has changed something, so it can't be abandoned",
        )
        .with_hint("this is a defect; the journal stays, and the next operation recovers it"),
    )
}

/// The refusal of a number that the history doesn't have.
pub(crate) fn no_version(id: &StackId, version: u64, newest: usize) -> StateError {
    let message = format!("the history of stack '{}' has no version {version}", id.name);
    let hint = match newest {
        0 => "it has none yet".to_owned(),
        newest => format!("its versions are 1 to {newest}; `stack history` lists them"),
    };
    StateError::Unusable(Diagnostic::error("version-unknown", message).with_hint(hint))
}

/// The refusal of a version whose state was not kept.
pub(crate) fn no_state(id: &StackId, version: u64) -> StateError {
    let message = format!("the history of stack '{}' has no state for version {version}", id.name);
    let hint = "choose a version before or after it; `state log` shows which have one";
    StateError::Unusable(Diagnostic::error("version-without-state", message).with_hint(hint))
}

/// The refusal of a kind of damage in tags.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), StateError> {
    let wrong = |name: &&String| name.is_empty() || name.len() > 40 || !name.chars().all(is_tag_letter);
    if let Some(name) = tags.keys().find(wrong) {
        let message = format!("'{name}' is not the name of a tag");
        let hint = "a name has up to 40 letters, digits, '-', '_', '.' and ':'";
        return Err(StateError::Unusable(Diagnostic::error("tag-name", message).with_hint(hint)));
    }
    if let Some((name, _)) = tags.iter().find(|(_, value)| value.chars().count() > 256) {
        let message = format!("the value of the tag '{name}' is longer than 256 characters");
        return Err(StateError::Unusable(Diagnostic::error("tag-value", message)));
    }
    Ok(())
}

fn is_tag_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

/// What an import stores: no pending operations, and unless forced only what belongs to the stack
/// and is valid.
pub(crate) fn check_import(
    id: &StackId,
    parsed: Checkpoint,
    force: bool,
) -> Result<Option<Snapshot>, StateError> {
    if !parsed.deployed {
        return Ok(None);
    }
    let mut snapshot = parsed.snapshot;
    snapshot.pending_operations.clear();
    if !force {
        for state in &snapshot.resources {
            let (urn, foreign) =
                (&state.urn, state.urn.stack() != id.name || state.urn.project() != id.project);
            if foreign {
                let message = format!(
                    "resource {urn} is of stack '{}' of project '{}', and this is stack '{}' of project '{}'",
                    urn.stack(),
                    urn.project(),
                    id.name,
                    id.project
                );
                return Err(StateError::Unusable(
                    Diagnostic::error("import-foreign", message)
                        .with_urn(urn.as_str())
                        .with_hint("import into the stack that it belongs to, or use --force"),
                ));
            }
        }
        if let Some(problem) = check_integrity(&snapshot).first() {
            return Err(StateError::Unusable(
                problem
                    .diagnostic()
                    .with_hint("correct the deployment, or use --force to import it as it is"),
            ));
        }
    }
    Ok(Some(snapshot))
}
