//! Damaged texts: nothing panics, and what is still accepted can be written and read again.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::Arc;

use purlin_formats::{
    BagDecoder, ParseOptions, SecretForm, decode_entry, decode_header, decode_history, find_secrets,
    parse_checkpoint, parse_deployment, write_checkpoint,
};
use purlin_model::Bag;

const EVERYTHING: &str = include_str!("golden/everything.json");
const EXPORT: &str = include_str!("golden/official-export.json");
const HISTORY: &str = include_str!("golden/official-history.json");

/// A small generator of numbers; the same seed gives the same numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// The text with a few places overwritten, cut out or doubled.
fn damaged(text: &str, numbers: &mut Numbers) -> String {
    const PIECES: [&str; 16] = [
        "\"", "{", "}", "[", "]", ",", ":", "null", "0", "-1e9", "\\", "\\ud800", "é", "\u{0}", "\n", "true",
    ];
    let mut text = text.to_owned();
    for _ in 0..=numbers.below(3) {
        let mut place = || {
            let mut at = numbers.below(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (a, b) = (place(), place());
        let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 40));
        let end = (start..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(start);
        match numbers.below(3) {
            0 => text.insert_str(start, PIECES[numbers.below(PIECES.len())]),
            1 => text.replace_range(start..end, PIECES[numbers.below(PIECES.len())]),
            _ => {
                let piece = text[start..end].to_owned();
                text.insert_str(end, &piece);
            }
        }
    }
    text
}

#[test]
fn damaged_texts_are_refused_or_understood() {
    let mut numbers = Numbers(7);
    let mut understood = 0;
    for round in 0..6000 {
        let text: Arc<str> = damaged(EVERYTHING, &mut numbers).into();
        let Ok(checkpoint) = parse_checkpoint(&text, ParseOptions { check_magic: false }) else { continue };
        understood += 1;
        for state in &checkpoint.snapshot.resources {
            if let Bag::Raw(raw) = &state.inputs {
                let _ = BagDecoder::new(raw.as_str());
            }
        }
        let mut out = Vec::new();
        write_checkpoint(&mut out, &checkpoint.stack, checkpoint.deployed.then_some(&checkpoint.snapshot))
            .unwrap();
        let again: Arc<str> = String::from_utf8(out).unwrap().into();
        let back = parse_checkpoint(&again, ParseOptions::default());
        assert!(back.is_ok(), "round {round}: {}\n{again}", back.unwrap_err());
    }
    assert!(understood > 100, "the damage is so great that nothing is tested: {understood}");
}

#[test]
fn damaged_exports_entries_and_histories_do_not_panic() {
    let mut numbers = Numbers(11);
    let state = EVERYTHING.split("\"resources\":[").nth(1).unwrap().split(",{\"urn\"").next().unwrap();
    let entry =
        format!("{{\"end\":{{\"op\":1,\"changes\":[{{\"place\":1,\"state\":{state}}},{{\"keep\":2}}]}}}}");
    let header = r#"{"header":{"format":1,"base":"b","incarnation":"i","epoch":1,"writer":"w","started":"s","info":{"kind":"k","message":"m","environment":{},"config":{}}}}"#;
    assert!(decode_entry(&entry).is_ok() && decode_header(header).is_ok());
    for _ in 0..1500 {
        let export = damaged(EXPORT, &mut numbers);
        let _ = find_secrets(&export, SecretForm::Ciphertext);
        let _ = parse_deployment(&Arc::from(export), ParseOptions::default());
        let _ = decode_entry(&damaged(&entry, &mut numbers));
        let _ = decode_header(&damaged(header, &mut numbers));
        let _ = decode_history(&damaged(HISTORY, &mut numbers));
    }
}
