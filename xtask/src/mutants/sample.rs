//! Drawing mutants by a seed, so that a change of the code changes little of what is drawn.

use std::collections::HashMap;

/// A mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The name that cargo-mutants gives it: `file:line:column: what`.
    pub(super) name: String,
    /// The same without its place, numbered among those that are alike: lines that are added to a
    /// file move mutants, and don't change what they are.
    pub(super) key: String,
}

/// Mutants by their names, in order of files, lines and columns.
pub(super) fn numbered(mut names: Vec<String>) -> Vec<Mutant> {
    names.sort_by(|a, b| place(a).cmp(&place(b)));
    names.dedup();
    let mut alike: HashMap<String, u32> = HashMap::new();
    let number = |name: String| {
        let (file, _, _, what) = place(&name);
        let same = format!("{file}: {what}");
        let number = alike.entry(same.clone()).or_default();
        let key = format!("{same} {number}");
        *number += 1;
        Mutant { name, key }
    };
    names.into_iter().map(number).collect()
}

/// Some mutants, drawn by a seed, in their order. Each gets a number from the seed and its key, and
/// those with the smallest numbers are drawn.
pub(super) fn sampled(all: &[Mutant], count: usize, seed: u64) -> Vec<Mutant> {
    let mut drawn: Vec<(u64, usize)> =
        (0..).zip(all).map(|(index, mutant)| (priority(seed, &mutant.key), index)).collect();
    drawn.sort_unstable();
    drawn.truncate(count);
    drawn.sort_unstable_by_key(|(_, index)| *index);
    drawn.into_iter().map(|(_, index)| all[index].clone()).collect()
}

/// File, line, column and what is changed there, of `file:line:column: what`.
pub(super) fn place(name: &str) -> (&str, u32, u32, &str) {
    let mut parts = name.splitn(4, ':');
    let file = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let (line, column) = (number(), number());
    (file, line, column, parts.next().unwrap_or_default().trim())
}

/// A number that depends on each letter: FNV-1a, then mixed, since that leaves similar texts close.
fn priority(seed: u64, text: &str) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in seed.to_le_bytes().iter().chain(text.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is changed in each line of a file.
    fn mutants(lines: impl Iterator<Item = usize>, moved: usize) -> Vec<Mutant> {
        numbered(lines.map(|line| format!("a.rs:{}:1: replace a{} || b", line + moved, line % 7)).collect())
    }

    fn keys(mutants: &[Mutant]) -> Vec<&str> {
        mutants.iter().map(|mutant| mutant.key.as_str()).collect()
    }

    #[test]
    fn a_seed_draws_the_same_sample_whatever_the_order() {
        let sample = sampled(&mutants(0..50, 0), 10, 7);
        assert_eq!(sample.len(), 10);
        assert_eq!(sampled(&mutants((0..50).rev(), 0), 10, 7), sample);
        assert_ne!(sampled(&mutants(0..50, 0), 10, 8), sample);
        assert_eq!(sampled(&mutants(0..3, 0), 10, 7), mutants(0..3, 0));
    }

    #[test]
    fn lines_that_are_added_do_not_change_what_is_drawn() {
        let (here, moved) = (mutants(0..50, 0), mutants(0..50, 1000));
        assert_eq!(keys(&here), keys(&moved));
        assert_eq!(keys(&sampled(&here, 10, 7)), keys(&sampled(&moved, 10, 7)));
        assert_eq!(here[7].key, "a.rs: replace a0 || b 1");
    }
}
