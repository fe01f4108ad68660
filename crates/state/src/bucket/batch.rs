//! The objects of a journal in a bucket: a line of JSON that says what follows, and what follows.

use std::io;

use purlin_diag::Diagnostic;
use purlin_ports::StateError;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::diy::hex;

/// The version of this format. Others are refused.
const FORMAT: u64 = 1;

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Lines of a journal; the first may be its header.
    Entries,
    /// A checkpoint is about to be put in place that has everything before; its hex SHA-256. Empty if
    /// the stack is about to be removed.
    Finish(String),
    /// The writer was fenced. Everything up to here was taken over by somebody, who is named.
    Seal {
        /// Who took over.
        by: String,
        /// Whether everything before is in the checkpoint by now.
        folded: bool,
    },
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    format: u64,
    epoch: u64,
    number: u64,
    /// A random name: no two objects are the same.
    nonce: String,
    /// How many objects were known to count when this was put.
    durable: u64,
    /// Which checkpoint of the operation entries go on, counted from 1.
    part: u64,
    kind: Kind,
    /// How many bytes follow when expanded; 0 if they aren't compressed.
    #[serde(default)]
    expanded: usize,
    /// The hex SHA-256 of what follows, as it is kept.
    sha256: String,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) epoch: u64,
    /// Its number in the journal, from 1.
    pub(crate) number: u64,
    pub(crate) nonce: String,
    pub(crate) durable: u64,
    pub(crate) part: u64,
    pub(crate) kind: Kind,
    /// The lines, of entries.
    pub(crate) text: Vec<u8>,
}

/// From how many bytes on lines are compressed.
const COMPRESS: usize = 512;

impl Batch {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StateError> {
        let failed = |error: &dyn std::fmt::Display| {
            let message = format!("failed to write entries of a journal: {error}");
            StateError::Unusable(Diagnostic::error("journal-entry", message))
        };
        let (body, expanded) = if self.text.len() >= COMPRESS {
            let body = zstd::bulk::compress(&self.text, zstd::DEFAULT_COMPRESSION_LEVEL);
            (body.map_err(|error| failed(&error))?, self.text.len())
        } else {
            (self.text.clone(), 0)
        };
        let head = Head {
            format: FORMAT,
            epoch: self.epoch,
            number: self.number,
            nonce: self.nonce.clone(),
            durable: self.durable,
            part: self.part,
            kind: self.kind.clone(),
            expanded,
            sha256: hex(&Sha256::digest(&body)),
        };
        let mut bytes = serde_json::to_vec(&head).map_err(|error| failed(&error))?;
        bytes.push(b'\n');
        bytes.extend(body);
        Ok(bytes)
    }

    /// `place` is what people call it.
    pub(crate) fn decode(place: &str, bytes: &[u8]) -> Result<Batch, StateError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let damaged = |why: &str| {
            let message = format!("the journal's object {place} is damaged: {why}");
            StateError::Unusable(Diagnostic::error("journal-damaged", message).with_hint(
                "keep a copy of it; `purlin stack export` fails until the journal is set aside by hand: \
                 move the objects beside it to names that don't begin with 'journal.'",
            ))
        };
        let line = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut off"))?;
        let (first, body) = (&bytes[..line], &bytes[line + 1..]);
        let version: Version = serde_json::from_slice(first).map_err(|error| damaged(&error.to_string()))?;
        if version.format != FORMAT {
            let message = format!(
                "the journal's object {place} has format {}, and this version of Purlin knows {FORMAT}",
                version.format
            );
            let hint = "use the version of Purlin that ran the operation";
            return Err(StateError::Unusable(Diagnostic::error("journal-format", message).with_hint(hint)));
        }
        let head: Head = serde_json::from_slice(first).map_err(|error| damaged(&error.to_string()))?;
        if hex(&Sha256::digest(body)) != head.sha256 {
            return Err(damaged("its checksum is wrong"));
        }
        let text = match head.expanded {
            0 => Ok::<_, io::Error>(body.to_vec()),
            expanded => zstd::bulk::decompress(body, expanded),
        };
        Ok(Batch {
            epoch: head.epoch,
            number: head.number,
            nonce: head.nonce,
            durable: head.durable,
            part: head.part,
            kind: head.kind,
            text: text.map_err(|error| damaged(&error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(text: &str) -> Batch {
        Batch {
            epoch: 3,
            number: 7,
            nonce: "n".into(),
            durable: 5,
            part: 1,
            kind: Kind::Entries,
            text: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn objects_go_there_and_back_small_and_large() {
        for text in ["", "{}\n", &"{\"a\":1}\n".repeat(500)] {
            let bytes = batch(text).encode().unwrap();
            assert_eq!(Batch::decode("x", &bytes).unwrap(), batch(text));
            assert!(bytes.len() < 1000, "much of the same is compressed");
        }
        let seal = Batch { kind: Kind::Seal { by: "ann".into(), folded: true }, ..batch("") };
        assert_eq!(Batch::decode("x", &seal.encode().unwrap()).unwrap(), seal);
    }

    #[test]
    fn any_damage_is_noticed() {
        let bytes = batch("{\"one\":1}\n{\"two\":2}\n").encode().unwrap();
        for cut in 0..bytes.len() {
            assert!(Batch::decode("x", &bytes[..cut]).is_err(), "cut at {cut}");
        }
        let body = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for at in body..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let error = Batch::decode("s3://b/k", &damaged).unwrap_err().diagnostic();
            assert_eq!(error.code, "journal-damaged");
            assert!(error.message.contains("s3://b/k"));
        }
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let text = String::from_utf8(batch("").encode().unwrap()).unwrap();
        let newer = text.replacen("\"format\":1", "\"format\":2", 1).replacen("\"nonce\"", "\"new\"", 1);
        let error = Batch::decode("x", newer.as_bytes()).unwrap_err().diagnostic();
        assert_eq!(error.code, "journal-format");
    }
}
