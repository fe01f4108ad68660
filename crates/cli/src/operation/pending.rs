//! Creates of earlier runs whose outcome nobody knows, as a refresh is told about them.

use std::collections::BTreeMap;

use purlin_diag::Diagnostic;
use purlin_model::{OperationKind, Urn};

use crate::context::Context;
use crate::exit::{CommandError, Failure};
use crate::operation::Prepared;

/// What may have become of a create, as a question puts it.
const CLEAR: &str = "clear (the create failed; forget it)";
const SKIP: &str = "skip (do nothing)";
const IMPORT: &str = "import (the create succeeded; give its id, and it is taken into the state)";

/// Asks what became of each create whose outcome nobody knows and the flags say nothing about.
pub(crate) async fn ask(context: &Context, prepared: &mut Prepared<'_>) -> Result<(), CommandError> {
    let snapshot = prepared.target.store.load(&prepared.target.id).await?.snapshot;
    let creates = snapshot.pending_operations.iter().filter(|op| op.kind == OperationKind::Creating);
    for urn in creates.map(|operation| &operation.resource.urn) {
        if prepared.flags.import_pending_creates.contains_key(urn) {
            continue;
        }
        let question = format!("What became of the create of {urn}?");
        let choices = [CLEAR, SKIP, IMPORT].map(str::to_owned).to_vec();
        match context.choose(&question, choices, "--skip-pending-creates")?.as_str() {
            CLEAR => drop(prepared.flags.cleared_creates.insert(urn.clone())),
            IMPORT => {
                let id = context.ask_text("Its id:", "", "--import-pending-creates")?;
                if id.is_empty() {
                    let message = format!("the id of {urn} is empty");
                    return Err(wrong(message));
                }
                prepared.flags.import_pending_creates.insert(urn.clone(), id);
            }
            _ => {}
        }
    }
    Ok(())
}

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(Failure::General, Diagnostic::error("pending-creates", message))
}

/// Reads what `--import-pending-creates` was given: URNs, each followed by an id.
pub(crate) fn read_pairs(words: &[String]) -> Result<BTreeMap<Urn, String>, CommandError> {
    if !words.len().is_multiple_of(2) {
        let message = "each URN must be followed by an ID: found an odd number of entries";
        return Err(wrong(message));
    }
    let mut found = BTreeMap::new();
    for pair in words.chunks_exact(2) {
        let Some(urn) = Urn::parse(&pair[0]) else {
            let message = format!("--import-pending-creates: '{}' is no URN", pair[0]);
            return Err(wrong(message));
        };
        if pair[1].is_empty() {
            let message = format!("--import-pending-creates: the id of {urn} is empty");
            return Err(wrong(message));
        }
        found.insert(urn, pair[1].clone());
    }
    Ok(found)
}
