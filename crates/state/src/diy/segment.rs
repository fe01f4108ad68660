//! Reading journals.

use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{JOURNAL_FORMAT, JournalReader, decode_header, journal_format, read_mark};
use purlin_ports::StateError;

use super::medium::Segment;

/// Takes the lines of a journal apart. What its writer left unfinished at the end is left out; a line
/// that isn't as it was written, or missing, with others after it is damage.
/// `None` if its writer died before the first line was whole.
pub(crate) fn parse(place: &str, bytes: Vec<u8>) -> Result<Option<Segment>, StateError> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let first = std::str::from_utf8(&bytes[..end]).ok();
    match first.map(|first| (first, journal_format(first))) {
        Some((_, Some(1))) => parse_unmarked(place, bytes),
        // How the lines of a newer one are marked isn't known.
        Some((first, Some(format))) if !(1..=JOURNAL_FORMAT).contains(&format) => {
            decode_header(first).map_err(|diagnostic| located(place, 1, diagnostic))?;
            parse_marked(place, bytes)
        }
        _ => parse_marked(place, bytes),
    }
}

/// A line that isn't as it was written.
struct Torn {
    /// The number that it should have.
    seq: u64,
    /// Whether it has zeros in it, as has what a disk allotted and did not write. No line has any.
    zeros: bool,
}

/// Reads a journal whose lines are marked.
fn parse_marked(place: &str, mut bytes: Vec<u8>) -> Result<Option<Segment>, StateError> {
    let mut expected = 0;
    let mut good = 0;
    let mut torn: Option<Torn> = None;
    // What is after the last line break was never promised.
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        match (read_mark(line), &mut torn) {
            (Some(mark), None) if mark.seq == expected => {
                expected += 1;
                good += line.len() + 1;
            }
            (Some(mark), None) => return Err(gap(place, expected, mark.seq)),
            // Of a batch that was not promised some lines may have got lost and others not.
            (Some(mark), Some(torn)) if torn.zeros && mark.durable <= torn.seq => {}
            (Some(_), Some(torn)) => return Err(altered(place, torn.seq)),
            (None, Some(torn)) => torn.zeros &= line.contains(&0),
            (None, None) => torn = Some(Torn { seq: expected, zeros: line.contains(&0) }),
        }
    }
    if let Some(torn) = torn.filter(|torn| !torn.zeros) {
        return Err(altered(place, torn.seq));
    }
    bytes.truncate(good);
    let text = String::from_utf8(bytes).map_err(|_| damaged(place, None, "it is not text"))?;
    let source: Arc<str> = text.into();
    let reader = JournalReader::new(&source);
    let mut lines = reader.lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let header = decode_header(first).map_err(|diagnostic| located(place, 1, diagnostic))?;
    let entry = |(number, line)| reader.entry(line).map_err(|found| located(place, number, found));
    let entries = (2..).zip(lines).map(entry).collect::<Result<_, _>>()?;
    Ok(Some(Segment { place: place.to_owned(), header, entries }))
}

/// What a line is called.
fn called(seq: u64) -> String {
    match seq {
        0 => "its header (line 1)".to_owned(),
        _ => format!("its entry {seq} (line {})", seq + 1),
    }
}

fn altered(place: &str, seq: u64) -> StateError {
    let line = called(seq);
    damaged(place, None, &format!("{line} is not as it was written, its checksum is wrong"))
}

fn gap(place: &str, expected: u64, found: u64) -> StateError {
    let why = match found.checked_sub(expected + 1) {
        None => format!("where {} belongs there is another, number {found}", called(expected)),
        Some(0) => format!("{} is missing", called(expected)),
        Some(_) => format!("its entries from {expected} to {} are missing", found - 1),
    };
    let message = format!("the journal {place} is damaged: {why}");
    StateError::Unusable(Diagnostic::error("journal-gap", message).with_hint(way_out()))
}

/// Reads a journal of the first format, whose lines say nothing of themselves.
fn parse_unmarked(path: &str, bytes: Vec<u8>) -> Result<Option<Segment>, StateError> {
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

pub(crate) fn damaged(place: &str, line: Option<usize>, why: &str) -> StateError {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    let message = format!("the journal {place}{line} is damaged: {why}");
    StateError::Unusable(Diagnostic::error("journal-damaged", message).with_hint(way_out()))
}

fn way_out() -> &'static str {
    "nothing was folded in or changed; bring the journal back from a copy if there is one. To go on without what \
     it holds, rename it to end in .aside, which keeps it, and let `purlin refresh` and `purlin import` bring in \
     what was made meanwhile"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diy::lines::{Before, Lines};
    use purlin_formats::{JournalHeader, LineMark, encode_entry, encode_header, mark_line};
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

    fn header() -> JournalHeader {
        JournalHeader { base: "b".into(), epoch: 3, ..JournalHeader::default() }
    }

    /// Written in batches of so many entries.
    fn journal(batches: &[usize]) -> String {
        let (mut lines, mut rest) = (Lines::default(), &entries()[..]);
        let mut text = String::new();
        for count in batches {
            let (batch, after) = rest.split_at(*count);
            text += &lines.batch(&header, batch, Before::Batches).unwrap();
            rest = after;
        }
        text
    }

    /// As the first version wrote it.
    fn old_journal() -> String {
        let mut text = encode_header(&header()).replace("\"format\":2", "\"format\":1") + "\n";
        for entry in entries() {
            text += &(encode_entry(&entry).unwrap() + "\n");
        }
        text
    }

    fn read(bytes: &[u8]) -> Result<Option<Segment>, StateError> {
        parse("the-journal", bytes.to_vec())
    }

    fn entries_of(bytes: &[u8]) -> Vec<Entry> {
        read(bytes).unwrap().unwrap().entries
    }

    /// The code and the message.
    fn refusal(bytes: &[u8]) -> (&'static str, String) {
        let diagnostic = read(bytes).unwrap_err().diagnostic();
        assert!(diagnostic.message.contains("the-journal"), "{diagnostic}");
        assert!(diagnostic.hint.is_some(), "{diagnostic}");
        (diagnostic.code, diagnostic.message)
    }

    fn line_ends(text: &str) -> Vec<usize> {
        text.match_indices('\n').map(|(at, _)| at + 1).collect()
    }

    #[test]
    fn a_cut_at_any_byte_leaves_the_whole_lines() {
        for text in [old_journal(), journal(&[1, 1, 1]), journal(&[3])] {
            let ends = line_ends(&text);
            for cut in 0..=text.len() {
                let whole = ends.iter().filter(|end| **end <= cut).count();
                let segment = read(&text.as_bytes()[..cut]).unwrap();
                match whole.checked_sub(1) {
                    None => assert!(segment.is_none(), "cut at {cut}"),
                    Some(count) => assert_eq!(segment.unwrap().entries, entries()[..count], "cut at {cut}"),
                }
            }
        }
    }

    #[test]
    fn zeros_at_the_end_are_a_torn_line() {
        for text in [old_journal(), journal(&[1, 1, 1])] {
            let last = text.trim_end().rfind('\n').unwrap() + 1;
            let mut bytes = text.as_bytes()[..last + 10].to_vec();
            bytes.extend([0; 100]);
            assert_eq!(entries_of(&bytes), entries()[..2]);
            bytes.push(b'\n');
            assert_eq!(entries_of(&bytes), entries()[..2]);
        }
    }

    #[test]
    fn damage_before_whole_lines_of_an_old_journal_is_not_skipped() {
        let text = old_journal();
        let second = text.find('\n').unwrap() + 5;
        for damage in [&b"\0"[..], b"\xff", b"\n"] {
            let mut bytes = text.as_bytes().to_vec();
            bytes.splice(second..=second, damage.iter().copied());
            assert_eq!(refusal(&bytes).0, "journal-damaged", "{damage:?}");
        }
    }

    #[test]
    fn any_byte_that_is_altered_is_noticed_and_its_entry_named() {
        for text in [journal(&[1, 1, 1]), journal(&[3])] {
            let ends = line_ends(&text);
            // The last line break is the end of what is cut off.
            for at in 0..text.len() - 1 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] ^= 1;
                let (code, message) = refusal(&bytes);
                let line = ends.iter().filter(|end| **end <= at).count();
                if line == 0 && code == "journal-format" {
                    continue;
                }
                assert_eq!(code, "journal-damaged", "at {at}");
                // Without its break a line goes on into the next one.
                let named = if line == 0 { "its header (line 1)" } else { &format!("its entry {line} ") };
                assert!(message.contains(named), "at {at}: {message}");
            }
        }
    }

    #[test]
    fn lines_that_are_missing_or_out_of_place_are_noticed() {
        let text = journal(&[1, 1, 1]);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let of = |order: &[usize]| order.iter().map(|at| lines[*at]).collect::<String>().into_bytes();
        let says = |order: &[usize], what: &str| {
            let (code, message) = refusal(&of(order));
            assert_eq!(code, "journal-gap", "{order:?}");
            assert!(message.ends_with(what), "{order:?}: {message}");
        };
        says(&[0, 1, 3], "its entry 2 (line 3) is missing");
        says(&[0, 3], "its entries from 1 to 2 are missing");
        says(&[1, 2, 3], "its header (line 1) is missing");
        says(&[0, 1, 1, 2, 3], "where its entry 2 (line 3) belongs there is another, number 1");
        says(&[0, 2, 1, 3], "its entry 1 (line 2) is missing");
        assert_eq!(entries_of(&of(&[0, 1, 2])), entries()[..2], "what is missing at the end can't be known");
    }

    #[test]
    fn what_a_disk_did_not_write_of_the_last_batch_was_never_promised() {
        let hole = |text: &str, line: usize| {
            let mut bytes = text.as_bytes().to_vec();
            let ends = line_ends(text);
            let start = if line == 0 { 0 } else { ends[line - 1] };
            // With the line break: a hole knows nothing of lines.
            bytes[start + 2..ends[line]].fill(0);
            bytes
        };
        let one = journal(&[3]);
        assert!(read(&hole(&one, 0)).unwrap().is_none());
        assert_eq!(entries_of(&hole(&one, 2)), entries()[..1]);
        let two = journal(&[1, 2]);
        assert_eq!(entries_of(&hole(&two, 2)), entries()[..1]);
        for promised in [0, 1] {
            assert_eq!(refusal(&hole(&two, promised)).0, "journal-damaged");
        }
    }

    #[test]
    fn a_newer_journal_is_refused() {
        for (text, format) in [(old_journal(), 1), (journal(&[3]), 2)] {
            let newer = text.replacen(&format!("\"format\":{format}"), "\"format\":99", 1);
            let (code, message) = refusal(newer.as_bytes());
            assert_eq!(code, "journal-format");
            assert!(message.contains("format 99"), "{message}");
        }
        let record = old_journal() + "{\"checkpointed\":{}}\n";
        assert_eq!(refusal(record.as_bytes()).0, "journal-unknown-record");
        let record = mark_line("{\"checkpointed\":{}}".to_owned(), LineMark { seq: 4, durable: 4 });
        let record = journal(&[3]) + &record + "\n";
        assert_eq!(refusal(record.as_bytes()).0, "journal-unknown-record");
    }

    #[test]
    fn a_journal_of_the_first_format_is_read() {
        assert_eq!(entries_of(old_journal().as_bytes()), entries());
        assert_eq!(entries_of(journal(&[2, 1]).as_bytes()), entries());
    }
}
