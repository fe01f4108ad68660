//! What all stores refuse, and why.

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
