//! What a journal goes on from whose checkpoint was written in the middle of its operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_journal::{Continuation, Gone, OpId};
use purlin_model::{Extension, Slot, Urn};
use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::extension::{ExtensionParser, push_extension};
use crate::reader::Members;

/// What a journal goes on from, beside its checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Continued {
    /// How many entries the operation had before.
    pub entries: u64,
    /// What the checkpoint does not say.
    pub continuation: Continuation,
}

/// As it is written. Numbers of states are runs: the first, and how many.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    entries: u64,
    slots: Vec<(u32, u32)>,
    placed: usize,
    base_slots: u32,
    next_slot: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<u32>,
    #[serde(default)]
    pending_count: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    behind: Vec<(u32, Vec<u32>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<StoredGone>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Box<RawValue>>,
}

/// A name that was renamed, or was removed if it has no other.
#[derive(Serialize, Deserialize)]
struct StoredGone {
    urn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
}

impl Continued {
    /// The JSON text, on one line.
    pub(crate) fn encode(&self) -> String {
        let from = &self.continuation;
        let gone = |(urn, gone): &(Urn, Gone)| {
            let text = |urn: &Urn| urn.as_str().to_owned();
            let (to, parent) = match gone {
                Gone::Renamed(to) => (Some(text(to)), None),
                Gone::Removed { parent } => (None, parent.as_ref().map(text)),
            };
            StoredGone { urn: text(urn), to, parent }
        };
        let extension = |extension: &Arc<Extension>| {
            let mut text = String::new();
            push_extension(&mut text, extension);
            Some((extension.reference.clone(), RawValue::from_string(text).ok()?))
        };
        let numbers = |slots: &[Slot]| slots.iter().map(|slot| slot.0).collect();
        let stored = Stored {
            entries: self.entries,
            slots: runs(&from.slots),
            placed: from.placed,
            base_slots: from.base_slots,
            next_slot: from.next_slot,
            begun: from.begun.iter().map(|op| op.0).collect(),
            pending: from.pending.clone(),
            pending_count: from.pending_count,
            behind: from.behind.iter().map(|(owner, views)| (owner.0, numbers(views))).collect(),
            gone: from.gone.iter().map(gone).collect(),
            extensions: from.extensions.iter().filter_map(extension).collect(),
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    pub(crate) fn decode<E: serde::de::Error>(text: &str) -> Result<Continued, E> {
        let stored: Stored = serde_json::from_str(text).map_err(E::custom)?;
        let urn = |text: &str| Urn::parse(text).ok_or_else(|| E::custom(format!("'{text}' is not a URN")));
        let gone = |stored: StoredGone| {
            let gone = match stored.to {
                Some(to) => Gone::Renamed(urn(&to)?),
                None => Gone::Removed { parent: stored.parent.as_deref().map(urn).transpose()? },
            };
            Ok((urn(&stored.urn)?, gone))
        };
        let extension = |(reference, json): (String, Box<RawValue>)| {
            let mut parser = serde_json::Deserializer::from_str(json.get());
            let parsed = Members(ExtensionParser::default()).deserialize(&mut parser).map_err(E::custom)?;
            Ok(Arc::new(Extension { reference, ..parsed }))
        };
        let mut slots = Vec::new();
        for (first, count) in stored.slots {
            let end =
                first.checked_add(count).ok_or_else(|| E::custom("a number of a state is too large"))?;
            slots.extend((first..end).map(Slot));
        }
        let views = |(owner, views): (u32, Vec<u32>)| (Slot(owner), views.into_iter().map(Slot).collect());
        let continuation = Continuation {
            slots,
            placed: stored.placed,
            base_slots: stored.base_slots,
            next_slot: stored.next_slot,
            begun: stored.begun.into_iter().map(OpId).collect(),
            pending: stored.pending,
            pending_count: stored.pending_count,
            behind: stored.behind.into_iter().map(views).collect(),
            gone: stored.gone.into_iter().map(gone).collect::<Result<_, _>>()?,
            extensions: stored.extensions.into_iter().map(extension).collect::<Result<_, _>>()?,
        };
        Ok(Continued { entries: stored.entries, continuation })
    }
}

/// Numbers that follow each other, as their first and how many.
fn runs(slots: &[Slot]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for slot in slots {
        match runs.last_mut() {
            Some((first, count)) if first.checked_add(*count) == Some(slot.0) => *count += 1,
            _ => runs.push((slot.0, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JournalHeader, decode_header, encode_header, journal_format};

    fn urn(name: &str) -> Urn {
        Urn::new("s", "p", None, "a:b:C", name)
    }

    fn continued() -> Continued {
        let extension = Extension {
            reference: "ext".into(),
            name: "n".into(),
            version: "1.0.0".into(),
            value: vec![1, 2],
            unknown_keys: vec![("more".into(), "{}".into())],
        };
        Continued {
            entries: 12,
            continuation: Continuation {
                slots: [4, 5, 6, 0, 2, 1].map(Slot).to_vec(),
                placed: 3,
                base_slots: 4,
                next_slot: 9,
                begun: vec![OpId(3), OpId(7)],
                pending: vec![0, 2],
                pending_count: 3,
                behind: BTreeMap::from([(Slot(0), vec![Slot(7), Slot(8)])]),
                gone: vec![
                    (urn("a"), Gone::Renamed(urn("ä"))),
                    (urn("b"), Gone::Removed { parent: Some(urn("a")) }),
                    (urn("c"), Gone::Removed { parent: None }),
                ],
                extensions: vec![Arc::new(extension)],
            },
        }
    }

    #[test]
    fn a_header_says_what_its_journal_goes_on_from() {
        let header = JournalHeader { continues: Some(continued()), ..JournalHeader::default() };
        let line = encode_header(&header);
        assert_eq!(decode_header(&line).unwrap(), header);
        assert_eq!(journal_format(&line), Some(3));
        assert!(line.contains(r#""slots":[[4,3],[0,1],[2,1],[1,1]]"#), "{line}");
        let from_the_beginning = encode_header(&JournalHeader::default());
        assert_eq!(journal_format(&from_the_beginning), Some(2), "who knows no others reads these");
    }

    #[test]
    fn one_that_makes_no_sense_is_refused() {
        let line = encode_header(&JournalHeader { continues: Some(continued()), ..JournalHeader::default() });
        for (from, to) in [("[4,3]", "[4294967295,3]"), ("urn:", "url:"), (r#""placed":3"#, r#""placed":-1"#)]
        {
            assert!(line.contains(from));
            let code = decode_header(&line.replace(from, to)).unwrap_err().code;
            assert_eq!(code, "journal-malformed", "{to}");
        }
    }
}
