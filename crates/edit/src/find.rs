//! Finding the states that people name.

use purlin_diag::Diagnostic;
use purlin_model::{Snapshot, Urn};

/// Which states count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// Those that don't wait for their deletion.
    Live,
}

/// What a URN names: indexes into the list of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One state.
    One(usize),
    /// Several states of that URN, of which all but one wait for their deletion.
    Several(Vec<usize>),
}

/// The states that a URN names. The error says what else may be meant.
pub fn find(snapshot: &Snapshot, urn: &str, selection: Selection) -> Result<Found, Diagnostic> {
    let hint = "`stack --show-urns` lists the URNs; put them in single quotes";
    if Urn::parse(urn).is_none() {
        let message = format!("\"{urn}\" is not a valid resource URN");
        return Err(Diagnostic::error("state-urn-invalid", message).with_hint(hint));
    }
    let counts = |index: &usize| {
        let state = &snapshot.resources[*index];
        selection == Selection::All || !state.delete
    };
    let candidates: Vec<usize> = (0..snapshot.resources.len()).filter(counts).collect();
    let of_urn = |index: &usize| snapshot.resources[*index].urn.as_str() == urn;
    let found: Vec<usize> = candidates.iter().copied().filter(of_urn).collect();
    match &*found {
        [one] => Ok(Found::One(*one)),
        [] => {
            let mut message = format!("no such resource \"{urn}\" exists in the current state");
            let near = similar(candidates.iter().map(|index| &snapshot.resources[*index].urn), urn);
            if !near.is_empty() {
                message.push_str("; did you mean");
                near.iter().for_each(|urn| message.push_str(&format!("\n  {urn}")));
            }
            Err(Diagnostic::error("state-urn-unknown", message).with_hint(hint))
        }
        _ => Ok(Found::Several(found)),
    }
}

/// The index of the state of a URN that doesn't wait for its deletion.
pub fn live(snapshot: &Snapshot, urn: &str) -> Result<usize, Diagnostic> {
    match find(snapshot, urn, Selection::Live)? {
        Found::One(index) => Ok(index),
        Found::Several(_) => {
            let message = format!("resource {urn} occurs more than once without waiting for deletion");
            let hint =
                "`state fsck` says what is wrong with the state, `state repair` mends what can be mended";
            Err(Diagnostic::error("state-integrity", message).with_urn(urn).with_hint(hint))
        }
    }
}

/// Up to three names that are close to a text, the closest first.
fn similar<'a>(urns: impl Iterator<Item = &'a Urn>, text: &str) -> Vec<&'a Urn> {
    let limit = (text.len() / 4).max(2);
    let mut near: Vec<(usize, &Urn)> = Vec::new();
    for urn in urns {
        // The distance is at least the difference in length.
        if urn.as_str().len().abs_diff(text.len()) <= limit && !near.iter().any(|(_, known)| *known == urn) {
            let distance = distance(&urn.as_str().to_lowercase(), &text.to_lowercase());
            near.extend((distance <= limit).then_some((distance, urn)));
        }
    }
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(3).map(|(_, urn)| urn).collect()
}

/// How many letters have to be put in, taken out or exchanged to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in (1..).zip(a.chars()) {
        let mut before = row[0];
        row[0] = line;
        for (column, to) in (1..).zip(&b) {
            let exchanged = before + usize::from(from != *to);
            before = row[column];
            row[column] = exchanged.min(row[column] + 1).min(row[column - 1] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
