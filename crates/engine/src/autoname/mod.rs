//! Names made up from patterns, always the same from the same random seed.
//!
//! The seed of a resource is hashed, and the hash seeds the generator; so an update that follows the
//! plan of a preview gets the names that the preview showed, whichever engine made the plan.

mod generator;

use purlin_model::Urn;
use purlin_model::autonaming::{Autonaming, Chance, Found, Naming};
use purlin_ports::{NameProposal, NamingMode};
use sha2::{Digest, Sha256};

use generator::Generator;

/// The longest name part that is drawn; providers take none that is near.
const LONGEST: usize = 4096;

/// What a provider is told about the name of a resource; `None` where that is its own affair.
pub(crate) fn propose(autonaming: &Autonaming, urn: &Urn, seed: &[u8]) -> Option<NameProposal> {
    let (naming, specific) = autonaming.of_type(urn.ty());
    let (name, mode, warns) = match naming {
        Naming::Default => return None,
        Naming::Verbatim => (urn.name().to_owned(), NamingMode::Enforce, false),
        Naming::Disabled => (String::new(), NamingMode::Disable, false),
        Naming::Pattern { pattern, enforce } => {
            let mode = if *enforce { NamingMode::Enforce } else { NamingMode::Propose };
            (expand(pattern, urn.name(), seed), mode, *enforce)
        }
    };
    Some(NameProposal { name, mode, warn_if_unsupported: warns || specific })
}

/// A pattern with its expressions replaced, kind by kind.
fn expand(pattern: &str, name: &str, seed: &[u8]) -> String {
    let mut text = pattern.replace("${name}", name);
    let mut generator = Generator::new(Sha256::digest(seed).into());
    for kind in Chance::ALL {
        // All UUIDs of a name are the same one.
        let mut uuid = None;
        let mut rest = text;
        text = String::new();
        while let Some(Found { start, end, count }) = kind.find(&rest) {
            let count = count.min(LONGEST);
            text.push_str(&rest[..start]);
            match kind {
                Chance::Hex => {
                    let bytes = generator.bytes(count / 2 + 1);
                    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    text.push_str(&digits[..count]);
                }
                Chance::Alphanum => generator.push(&mut text, b"abcdefghijklmnopqrstuvwxyz0123456789", count),
                Chance::Letters => generator.push(&mut text, b"abcdefghijklmnopqrstuvwxyz", count),
                Chance::Digits => generator.push(&mut text, b"0123456789", count),
                Chance::Uuid => text.push_str(uuid.get_or_insert_with(|| as_uuid(&generator.bytes(16)))),
            }
            rest.drain(..end);
        }
        text.push_str(&rest);
    }
    text
}

fn as_uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests;
