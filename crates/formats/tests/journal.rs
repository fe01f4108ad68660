//! Journals: every entry goes to its line and back.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::Arc;

use purlin_formats::{
    ConfigText, JOURNAL_FORMAT, JournalHeader, JournalReader, OperationInfo, ParseOptions, decode_entry,
    decode_header, decode_history, encode_entry, encode_header, encode_history, parse_checkpoint,
};
use purlin_journal::{Change, Entry, OpId};
use purlin_model::{Extension, OperationKind, PropertyMap, PropertyValue, ResourceState, Slot};

const EVERYTHING: &str = include_str!("golden/everything.json");
const HISTORY: &str = include_str!("golden/official-history.json");

fn state() -> Arc<ResourceState> {
    let checkpoint = parse_checkpoint(&Arc::from(EVERYTHING), ParseOptions::default()).unwrap();
    Arc::clone(&checkpoint.snapshot.resources[2])
}

fn entries() -> Vec<Entry> {
    let state = state();
    let end = |changes| Entry::End { op: None, changes };
    vec![
        Entry::End {
            op: Some(OpId(7)),
            changes: vec![
                Change::Place { slot: Slot(9), state: Arc::clone(&state), replaces: Some(Slot(3)) },
                Change::MarkDelete { slot: Slot(3) },
            ],
        },
        end(vec![]),
        end(vec![Change::Place { slot: Slot(10), state: Arc::clone(&state), replaces: None }]),
        end(vec![Change::Keep { slot: Slot(0) }, Change::Keep { slot: Slot(u32::MAX) }]),
        end(vec![Change::Amend { slot: Slot(1), state }]),
        end(vec![Change::MarkPendingReplacement { slot: Slot(2) }, Change::Remove { slot: Slot(4) }]),
        end(vec![Change::ClearPending { index: 0 }]),
        end(vec![Change::Extend {
            extension: Arc::new(Extension {
                reference: "0a1b".to_owned(),
                name: "more".to_owned(),
                version: "1.0.0".to_owned(),
                value: vec![0, 255],
                unknown_keys: vec![("later".to_owned(), "[1.50]".to_owned())],
            }),
        }]),
    ]
}

#[test]
fn entries_go_there_and_back() {
    let lines: Vec<String> = entries().iter().map(|entry| encode_entry(entry).unwrap()).collect();
    assert!(lines.iter().all(|line| !line.contains('\n')));
    assert_eq!(lines[3], r#"{"end":{"changes":[{"keep":0},{"keep":4294967295}]}}"#);
    for (line, entry) in lines.iter().zip(entries()) {
        assert_eq!(decode_entry(line).unwrap(), entry);
    }
    let segment: Arc<str> = format!("{}\n", lines.join("\n")).into();
    let reader = JournalReader::new(&segment);
    let read: Vec<Entry> = reader.lines().map(|line| reader.entry(line).unwrap()).collect();
    assert_eq!(read, entries());
}

#[test]
fn what_begins_is_written_without_its_stack_trace() {
    let resource = state();
    let begin = |resource| Entry::Begin { op: OpId(1), kind: OperationKind::Creating, resource };
    let line = encode_entry(&begin(Arc::clone(&resource))).unwrap();
    assert!(line.starts_with(r#"{"begin":{"op":1,"kind":"creating","resource":{"urn":"#), "{line}");
    let expected = ResourceState { stack_trace: Arc::new([]), ..(*resource).clone() };
    assert_eq!(decode_entry(&line).unwrap(), begin(Arc::new(expected)));
}

#[test]
fn bags_laid_out_over_lines_still_make_one_line() {
    let source: Arc<str> = purlin_formats::text::indent(EVERYTHING.trim_end()).into();
    let checkpoint = parse_checkpoint(&source, ParseOptions::default()).unwrap();
    let state = Arc::clone(&checkpoint.snapshot.resources[2]);
    let line = encode_entry(&Entry::End { op: None, changes: vec![Change::Amend { slot: Slot(1), state }] })
        .unwrap();
    assert_eq!(line, encode_entry(&entries()[4]).unwrap());
}

#[test]
fn a_secret_in_clear_never_reaches_a_journal() {
    let mut state = (*state()).clone();
    state.inputs = PropertyMap::from([("a".to_owned(), PropertyValue::from("open").into_secret())]).into();
    let entry = Entry::Begin { op: OpId(1), kind: OperationKind::Updating, resource: Arc::new(state) };
    assert_eq!(encode_entry(&entry).unwrap_err().code, "state-unsealed");
}

#[test]
fn headers_go_there_and_back_and_newer_formats_are_refused() {
    let header = JournalHeader {
        base: "00ff".into(),
        incarnation: "i".into(),
        epoch: u64::MAX,
        writer: "me@host \"x\"".into(),
        started: "2026-01-02T03:04:05Z".into(),
        info: OperationInfo {
            kind: "update".into(),
            message: "line\nbreak".into(),
            environment: [("git.head".to_owned(), "abc".to_owned())].into(),
            config: [
                ("p:a".to_owned(), ConfigText::Plain("x".into())),
                ("p:b".to_owned(), ConfigText::Secret("v1:".into())),
                ("p:c".to_owned(), ConfigText::Structured("{\"k\":[1.50,{\"secure\":\"c\"}]}".into())),
            ]
            .into(),
        },
        continues: None,
    };
    let line = encode_header(&header);
    assert!(!line.contains('\n'));
    assert_eq!(decode_header(&line).unwrap(), header);
    let current = "\"format\":2,";
    let with = |format: u32| line.replace(current, &format!("\"format\":{format},"));
    assert_eq!(decode_header(&with(1)).unwrap(), header, "an older one is read");
    for other in [0, JOURNAL_FORMAT + 1] {
        assert_eq!(decode_header(&with(other)).unwrap_err().code, "journal-format");
    }
    let stranger = r#"{"header":{"format":9,"base":{"sha512":"x"}}}"#;
    assert_eq!(decode_header(stranger).unwrap_err().code, "journal-format");
    assert_eq!(decode_header(r#"{"end":{}}"#).unwrap_err().code, "journal-no-header");
}

#[test]
fn broken_lines_are_refused() {
    let line = encode_entry(&entries()[0]).unwrap();
    for end in (0..line.len()).step_by(13) {
        assert_eq!(decode_entry(&line[..end]).unwrap_err().code, "journal-truncated");
        assert!(decode_header(&line[..end]).is_err());
    }
    for (line, code) in [
        ("{}", "journal-malformed"),
        ("[]", "journal-malformed"),
        (r#"{"end":{"changes":[{}]}}"#, "journal-malformed"),
        (r#"{"end":{"changes":[{"place":1}]}}"#, "journal-malformed"),
        (r#"{"end":{"changes":[{"keep":-1}]}}"#, "journal-malformed"),
        (r#"{"begin":{"op":1,"kind":"guessing"}}"#, "journal-malformed"),
        (r#"{"end":{"changes":[{"teleport":1}]}}"#, "journal-unknown-record"),
        (r#"{"later":{}}"#, "journal-unknown-record"),
        (r#"{"end":{"changes":[{"amend":1,"state":{"urn":"x"}}]}}"#, "state-invalid-urn"),
    ] {
        assert_eq!(decode_entry(line).unwrap_err().code, code, "{line}");
    }
}

#[test]
fn official_history_comes_back_byte_for_byte() {
    let record = decode_history(HISTORY).unwrap();
    assert_eq!((record.info.kind.as_str(), record.result.as_str()), ("update", "succeeded"));
    assert_eq!(record.resource_changes["create"], 4);
    assert!(matches!(&record.info.config["fix:pw"], ConfigText::Secret(text) if text.starts_with("v1:")));
    assert_eq!(encode_history(&record), HISTORY);
    assert_eq!(decode_history("{\"kind\":7}").unwrap_err().code, "history-malformed");
}
