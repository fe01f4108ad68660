//! Creates of earlier runs whose outcome nobody knows, as a refresh is told about them.

use std::collections::BTreeMap;

use purlin_model::Urn;

use crate::exit::CommandError;

/// Reads what `--import-pending-creates` was given: URNs, each followed by an id.
pub(crate) fn read_pairs(words: &[String]) -> Result<BTreeMap<Urn, String>, CommandError> {
    if !words.len().is_multiple_of(2) {
        let message = "each URN must be followed by an ID: found an odd number of entries";
        return Err(CommandError::usage("pending-creates", message));
    }
    let mut found = BTreeMap::new();
    for pair in words.chunks_exact(2) {
        let Some(urn) = Urn::parse(&pair[0]) else {
            let message = format!("--import-pending-creates: '{}' is no URN", pair[0]);
            return Err(CommandError::usage("pending-creates", message));
        };
        if pair[1].is_empty() {
            let message = format!("--import-pending-creates: the id of {urn} is empty");
            return Err(CommandError::usage("pending-creates", message));
        }
        found.insert(urn, pair[1].clone());
    }
    Ok(found)
}
