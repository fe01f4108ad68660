//! A small generator: ChaCha8 as `chacha8rand` of C2SP describes it, which is what the ecosystem's
//! engine draws names from.

/// Draws the same from the same seed.
pub(super) struct Generator {
    seed: [u64; 4],
    block: [u64; 32],
    next: usize,
    end: usize,
    counter: u32,
    /// Bytes of a word that was begun.
    left: Vec<u8>,
}

/// How many words of the last block of a round are the next round's seed.
const RESEED: usize = 4;

/// How far the counter goes before the next round.
const ROUND: u32 = 16;

impl Generator {
    pub(super) fn new(seed: [u8; 32]) -> Generator {
        let mut words = [0u64; 4];
        for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(8)) {
            for (position, byte) in bytes.iter().enumerate() {
                *word |= u64::from(*byte) << (8 * position);
            }
        }
        let block = block(&words, 0);
        Generator { seed: words, block, next: 0, end: block.len(), counter: 0, left: Vec::new() }
    }

    fn refill(&mut self) {
        self.counter += 4;
        if self.counter == ROUND {
            self.seed.copy_from_slice(&self.block[self.block.len() - RESEED..]);
            self.counter = 0;
        }
        self.block = block(&self.seed, self.counter);
        self.next = 0;
        self.end = if self.counter == ROUND - 4 { self.block.len() - RESEED } else { self.block.len() };
    }

    fn word(&mut self) -> u64 {
        if self.next >= self.end {
            self.refill();
        }
        self.next += 1;
        self.block[self.next - 1]
    }

    /// So many bytes. What is left of the last word goes to the next call.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.left);
        while bytes.len() < count {
            let word = self.word();
            bytes.extend(word.to_le_bytes());
        }
        self.left = bytes.split_off(count);
        bytes
    }

    /// A number below a bound, each as likely as any other.
    fn below(&mut self, bound: u64) -> u64 {
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let word = self.word();
            if word < fair {
                return word % bound;
            }
        }
    }

    /// Appends so many letters of an alphabet.
    pub(super) fn push(&mut self, text: &mut String, alphabet: &[u8], count: usize) {
        for _ in 0..count {
            let index = usize::try_from(self.below(alphabet.len() as u64)).unwrap_or_default();
            text.push(char::from(alphabet[index]));
        }
    }
}

/// Four ChaCha8 blocks side by side.
fn block(seed: &[u64; 4], counter: u32) -> [u64; 32] {
    const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    let mut lanes = [[0u32; 16]; 4];
    for (number, lane) in (0u32..).zip(&mut lanes) {
        lane[..4].copy_from_slice(&CONSTANTS);
        for (index, word) in seed.iter().enumerate() {
            lane[4 + 2 * index] = low(*word);
            lane[5 + 2 * index] = low(*word >> 32);
        }
        lane[12] = counter + number;
        let key = *lane;
        for _ in 0..4 {
            for (a, b, c, d) in [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)] {
                quarter(lane, a, b, c, d);
            }
            for (a, b, c, d) in [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)] {
                quarter(lane, a, b, c, d);
            }
        }
        for index in 4..12 {
            lane[index] = lane[index].wrapping_add(key[index]);
        }
    }
    let mut words = [0u64; 32];
    for (index, word) in words.iter_mut().enumerate() {
        let (row, lane) = (index / 2, index % 2 * 2);
        *word = u64::from(lanes[lane][row]) | u64::from(lanes[lane + 1][row]) << 32;
    }
    words
}

#[expect(clippy::cast_possible_truncation, reason = "only the low half is wanted")]
fn low(word: u64) -> u32 {
    word as u32
}

fn quarter(lane: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    lane[a] = lane[a].wrapping_add(lane[b]);
    lane[d] = (lane[d] ^ lane[a]).rotate_left(16);
    lane[c] = lane[c].wrapping_add(lane[d]);
    lane[b] = (lane[b] ^ lane[c]).rotate_left(12);
    lane[a] = lane[a].wrapping_add(lane[b]);
    lane[d] = (lane[d] ^ lane[a]).rotate_left(8);
    lane[c] = lane[c].wrapping_add(lane[d]);
    lane[b] = (lane[b] ^ lane[c]).rotate_left(7);
}
