//! Drawing mutants by a seed, so that a change of the code changes little of what is drawn.

use std::collections::HashMap;

/// Some of the names, drawn by a seed, in order of files, lines and columns.
///
/// Each mutant gets a number from the seed and from what it is: its file, what it does there, and
/// which of those that are alike it is. Those with the smallest numbers are drawn. So lines that are
/// added move mutants, and don't change which are drawn.
pub(super) fn sampled(all: &[String], count: usize, seed: u64) -> Vec<String> {
    let mut ordered: Vec<&String> = all.iter().collect();
    ordered.sort_by_key(|name| place(name));
    ordered.dedup();
    let mut alike: HashMap<(&str, &str), u64> = HashMap::new();
    let mut drawn: Vec<(u64, usize)> = Vec::new();
    for (index, name) in ordered.iter().enumerate() {
        let (file, _, _, what) = place(name);
        let number = alike.entry((file, what)).or_default();
        drawn.push((priority(seed, &format!("{file}: {what} {number}")), index));
        *number += 1;
    }
    drawn.sort_unstable();
    drawn.truncate(count);
    drawn.sort_unstable_by_key(|(_, index)| *index);
    drawn.into_iter().map(|(_, index)| ordered[index].clone()).collect()
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

    fn names(lines: impl Iterator<Item = usize>) -> Vec<String> {
        lines.map(|line| format!("a.rs:{line}:1: replace a{} || b", line % 7)).collect()
    }

    #[test]
    fn a_seed_draws_the_same_sample_whatever_the_order() {
        let sample = sampled(&names(0..50), 10, 7);
        assert_eq!(sample.len(), 10);
        assert_eq!(sampled(&names((0..50).rev()), 10, 7), sample);
        assert_ne!(sampled(&names(0..50), 10, 8), sample);
        assert_eq!(sampled(&names(0..3), 10, 7), names(0..3));
    }

    #[test]
    fn lines_that_are_added_do_not_change_what_is_drawn() {
        let moved: Vec<String> = names(0..49).iter().map(|name| name.replace(".rs:", ".rs:9")).collect();
        let places =
            |names: &[String]| -> Vec<String> { names.iter().map(|n| place(n).3.to_owned()).collect() };
        assert_eq!(sampled(&moved, 49, 7).len(), 49);
        assert_eq!(places(&sampled(&moved[..10], 5, 7)), places(&sampled(&names(0..10), 5, 7)));
    }
}
