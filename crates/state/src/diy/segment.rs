//! Reading journals.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{JournalReader, decode_header};
use purlin_ports::StateError;

use super::medium::Segment;

/// Takes the lines of a journal apart. What its writer left unfinished at the end is left out; a
/// line that can't be read with others after it is damage.
/// `None` if its writer died before the first line was whole.
pub(crate) fn parse(path: &str, bytes: Vec<u8>) -> Result<Option<Segment>, StateError> {
    let (text, torn_text) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let rest = String::from_utf8_lossy(&bytes[valid..]);
            if rest.lines().skip(1).any(|line| purlin_formats::decode_entry(line).is_ok()) {
                return Err(damaged(path, None, "it is not text"));
            }
            (String::from_utf8_lossy(&bytes[..valid]).into_owned(), true)
        }
    };
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let source: Arc<str> = text[..whole].into();
    let reader = JournalReader::new(&source);
    let mut lines = reader.lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let header = decode_header(first).map_err(|diagnostic| located(path, 1, diagnostic))?;
    let mut entries = Vec::new();
    let mut unreadable: Option<(usize, Diagnostic)> = None;
    for (number, line) in (2..).zip(lines) {
        match (reader.entry(line), &unreadable) {
            (Ok(entry), None) => entries.push(entry),
            (Ok(_), Some((number, diagnostic))) => {
                return Err(damaged(path, Some(*number), &diagnostic.message));
            }
            // A record of a newer version is not a torn line.
            (Err(diagnostic), None) if diagnostic.code == "journal-unknown-record" && !torn_text => {
                return Err(located(path, number, diagnostic));
            }
            (Err(diagnostic), None) => unreadable = Some((number, diagnostic)),
            (Err(_), Some(_)) => {}
        }
    }
    Ok(Some(Segment { place: path.to_owned(), header, entries }))
}

fn located(path: &str, line: usize, mut diagnostic: Diagnostic) -> StateError {
    diagnostic.message = format!("{}, line {line}: {}", path, diagnostic.message);
    StateError::Unusable(diagnostic)
}

pub(crate) fn damaged(path: &str, line: Option<usize>, why: &str) -> StateError {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    let message = format!("the journal {}{line} is damaged: {why}", path);
    StateError::Unusable(
        Diagnostic::error("journal-damaged", message)
            .with_hint("keep a copy of it; renamed to end in .aside it is no longer looked at"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use purlin_formats::{JournalHeader, encode_entry, encode_header};
    use purlin_journal::{Change, Entry, OpId, Slot};
    use purlin_model::{OperationKind, ResourceState, Urn};

    fn entries() -> Vec<Entry> {
        let urn = Urn::parse("urn:pulumi:dev::shop::a:b:C::näme").unwrap();
        let state = Arc::new(ResourceState::new(urn, true));
        vec![
            Entry::Begin { op: OpId(1), kind: OperationKind::Creating, resource: Arc::clone(&state) },
            Entry::End { op: None, changes: vec![Change::Keep { slot: Slot(0) }] },
            Entry::End {
                op: Some(OpId(1)),
                changes: vec![Change::Place { slot: Slot(1), state, replaces: None }],
            },
        ]
    }

    fn journal() -> String {
        let header = JournalHeader { base: "b".into(), epoch: 3, ..JournalHeader::default() };
        let mut text = encode_header(&header) + "\n";
        for entry in entries() {
            text += &encode_entry(&entry).unwrap();
            text.push('\n');
        }
        text
    }

    fn read(bytes: &[u8]) -> Result<Option<Segment>, StateError> {
        parse("journal", bytes.to_vec())
    }

    #[test]
    fn a_cut_at_any_byte_leaves_the_whole_lines() {
        let text = journal();
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        for cut in 0..=text.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let segment = read(&text.as_bytes()[..cut]).unwrap();
            match whole.checked_sub(1) {
                None => assert!(segment.is_none(), "cut at {cut}"),
                Some(count) => assert_eq!(segment.unwrap().entries, entries()[..count], "cut at {cut}"),
            }
        }
    }

    #[test]
    fn zeros_at_the_end_are_a_torn_line() {
        let text = journal();
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        let mut bytes = text.as_bytes()[..last + 10].to_vec();
        bytes.extend([0; 100]);
        assert_eq!(read(&bytes).unwrap().unwrap().entries, entries()[..2]);
        bytes.push(b'\n');
        assert_eq!(read(&bytes).unwrap().unwrap().entries, entries()[..2]);
    }

    #[test]
    fn damage_before_whole_lines_is_not_skipped() {
        let text = journal();
        let second = text.find('\n').unwrap() + 5;
        for damage in [&b"\0"[..], b"\xff", b"\n"] {
            let mut bytes = text.as_bytes().to_vec();
            bytes.splice(second..=second, damage.iter().copied());
            assert_eq!(read(&bytes).unwrap_err().diagnostic().code, "journal-damaged", "{damage:?}");
        }
    }

    #[test]
    fn a_newer_journal_is_refused() {
        let newer = journal().replacen("\"format\":1", "\"format\":99", 1);
        assert_eq!(read(newer.as_bytes()).unwrap_err().diagnostic().code, "journal-format");
        let record = journal() + "{\"checkpointed\":{}}\n";
        assert_eq!(read(record.as_bytes()).unwrap_err().diagnostic().code, "journal-unknown-record");
    }
}
