//! What shows that the lines of a journal are whole and all there: each ends with its number, and
//! with a checksum of what is before that.
//!
//! `{"end":{…},"seq":7,"durable":5,"crc":"0a1b2c3d"}`: the line has the number 7 (the header has 0),
//! its writer knew that the first five were durable, and the CRC-32 of everything before `,"crc"` is
//! `0a1b2c3d`. Without `durable` all lines before it were.

use std::fmt::Write as _;

/// What a line says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineMark {
    /// Its number in its journal. The header is number 0.
    pub seq: u64,
    /// How many lines were known to be durable when it was written.
    pub durable: u64,
}

const CHECKSUM: &[u8] = b",\"crc\":\"";
/// The key, eight digits and what closes the line.
const CHECKSUM_LENGTH: usize = CHECKSUM.len() + 8 + 2;
/// More than the numbers and their keys can take.
const MARK_LENGTH: usize = 80;

/// Marks a line, which is an object of JSON without a line break.
pub fn mark_line(mut line: String, mark: LineMark) -> String {
    line.pop();
    // Writing to a string doesn't fail.
    let _ = write!(line, ",\"seq\":{}", mark.seq);
    if mark.durable != mark.seq {
        let _ = write!(line, ",\"durable\":{}", mark.durable);
    }
    let checksum = crc32fast::hash(line.as_bytes());
    let _ = write!(line, ",\"crc\":\"{checksum:08x}\"}}");
    line
}

/// Reads the mark of a line. `None` if the line isn't as it was written.
pub fn read_mark(line: &[u8]) -> Option<LineMark> {
    let (text, tail) = line.split_at_checked(line.len().checked_sub(CHECKSUM_LENGTH)?)?;
    let digits = tail.strip_prefix(CHECKSUM)?.strip_suffix(b"\"}")?;
    let canonical = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let checksum = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    if !canonical || checksum != crc32fast::hash(text) {
        return None;
    }
    let end = std::str::from_utf8(&text[text.len().saturating_sub(MARK_LENGTH)..]);
    // The cut may have gone through a character.
    let end = end.ok().or_else(|| {
        let first = text.len().saturating_sub(MARK_LENGTH);
        (1..4).find_map(|skip| std::str::from_utf8(text.get(first + skip..)?).ok())
    })?;
    let (_, numbers) = end.rsplit_once(",\"seq\":")?;
    let (seq, durable) = match numbers.split_once(",\"durable\":") {
        Some((seq, durable)) => (seq.parse().ok()?, durable.parse().ok()?),
        None => (numbers.parse().ok()?, numbers.parse().ok()?),
    };
    Some(LineMark { seq, durable })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [LineMark; 3] = [
        LineMark { seq: 0, durable: 0 },
        LineMark { seq: 12, durable: 8 },
        LineMark { seq: u64::MAX, durable: u64::MAX - 1 },
    ];

    #[test]
    fn marks_go_there_and_back() {
        for body in
            ["{\"end\":{}}", "{\"a\":\",\\\"seq\\\":3\"}", &format!("{{\"a\":\"{}\"}}", "ä".repeat(99))]
        {
            for mark in MARKS {
                let line = mark_line(body.to_owned(), mark);
                assert_eq!(read_mark(line.as_bytes()), Some(mark), "{line}");
                assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
            }
        }
        let line = mark_line("{\"end\":{}}".to_owned(), LineMark { seq: 3, durable: 3 });
        assert_eq!(line, "{\"end\":{},\"seq\":3,\"crc\":\"19ddda37\"}");
    }

    #[test]
    fn any_damage_is_noticed() {
        for mark in MARKS {
            let line = mark_line("{\"end\":{\"changes\":[{\"keep\":0}]}}".to_owned(), mark).into_bytes();
            for end in 0..line.len() {
                assert_eq!(read_mark(&line[..end]), None, "cut at {end}");
            }
            for at in 0..line.len() {
                for bit in 0..8 {
                    let mut damaged = line.clone();
                    damaged[at] ^= 1 << bit;
                    assert_eq!(read_mark(&damaged), None, "bit {bit} of byte {at}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_a_mark_has_none() {
        for line in ["", "{}", "{\"end\":{\"changes\":[]}}"] {
            assert_eq!(read_mark(line.as_bytes()), None);
        }
    }
}
