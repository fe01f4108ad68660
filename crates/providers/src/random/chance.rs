//! Draws of random numbers: from the machine's entropy, or from a seed.

use purlin_ports::Entropy;
use sha2::{Digest, Sha256};

const BUFFER: usize = 256;

enum Source<'a> {
    Entropy(&'a dyn Entropy),
    Seed { digest: Sha256, counter: u64 },
}

/// A source of random numbers that fetches them in blocks.
pub(super) struct Chance<'a> {
    source: Source<'a>,
    buffer: [u8; BUFFER],
    used: usize,
}

impl<'a> Chance<'a> {
    /// Numbers that nobody can foresee.
    pub(super) fn new(entropy: &'a dyn Entropy) -> Self {
        Chance { source: Source::Entropy(entropy), buffer: [0; BUFFER], used: BUFFER }
    }

    /// The same numbers for the same seed, always.
    pub(super) fn seeded(seed: &str) -> Self {
        let digest = Sha256::new_with_prefix(seed);
        Chance { source: Source::Seed { digest, counter: 0 }, buffer: [0; BUFFER], used: BUFFER }
    }

    /// From a seed, or from entropy if it is empty.
    pub(super) fn of(entropy: &'a dyn Entropy, seed: &str) -> Self {
        if seed.is_empty() { Chance::new(entropy) } else { Chance::seeded(seed) }
    }

    fn refill(&mut self) {
        match &mut self.source {
            Source::Entropy(entropy) => entropy.fill(&mut self.buffer),
            Source::Seed { digest, counter } => {
                for block in self.buffer.chunks_mut(32) {
                    let block_digest = digest.clone().chain_update(counter.to_be_bytes());
                    block.copy_from_slice(&block_digest.finalize());
                    *counter += 1;
                }
            }
        }
        self.used = 0;
    }

    fn next(&mut self) -> u64 {
        if self.used + 8 > BUFFER {
            self.refill();
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.buffer[self.used..self.used + 8]);
        self.used += 8;
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`, each as likely as any other. `bound` is at least one.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        let fair = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let number = self.next();
            if number <= fair {
                return number % bound;
            }
        }
    }

    /// One of the items, of which there is at least one.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// Brings items in random order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_another_seed_others() {
        let draw = |seed| {
            let mut chance = Chance::seeded(seed);
            (0..100).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn every_number_below_the_bound_comes_up_and_none_above() {
        let mut chance = Chance::seeded("x");
        let mut seen = [0; 7];
        for _ in 0..700 {
            seen[chance.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (60..150).contains(n)), "{seen:?}");
        assert_eq!(chance.below(1), 0);
        assert!(chance.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn a_shuffle_keeps_all_items() {
        let mut items: Vec<u32> = (0..50).collect();
        Chance::seeded("x").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
