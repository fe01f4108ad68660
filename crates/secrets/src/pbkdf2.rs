//! PBKDF2 with HMAC-SHA-256 (RFC 8018, 5.2), for one block of output.
//!
//! Every command that uses secrets waits for a million rounds of it. Where the processor has
//! instructions for SHA-256, a round is the two compressions that HMAC leaves when the key's blocks
//! are hashed beforehand, and next to nothing else; a general implementation takes a sixth longer.
//! Elsewhere the library's hand-written code is the quickest.

use std::num::NonZeroU32;

use zeroize::Zeroizing;

/// The bytes of a key, which is one block of output.
pub(crate) const KEY_LENGTH: usize = 32;

/// Derives a key.
pub(crate) fn derive(passphrase: &[u8], salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; KEY_LENGTH]> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha") {
        return compressions::derive(passphrase, salt, rounds);
    }
    general(passphrase, salt, rounds)
}

fn general(passphrase: &[u8], salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; KEY_LENGTH]> {
    use aws_lc_rs::pbkdf2;
    let mut key = Zeroizing::new([0u8; KEY_LENGTH]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase, &mut *key);
    key
}

#[cfg(any(test, target_arch = "x86_64"))]
mod compressions {
    use sha2::{Digest as _, Sha256, compress256};

    use super::{KEY_LENGTH, NonZeroU32, Zeroizing};

    /// The bytes of a block of SHA-256.
    const BLOCK: usize = 64;

    type State = [u32; 8];

    /// Where SHA-256 starts (FIPS 180-4, 5.3.3).
    const START: State = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    pub(super) fn derive(passphrase: &[u8], salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; KEY_LENGTH]> {
        let (inner, outer) = keyed(passphrase);
        let mut first = Vec::with_capacity(salt.len() + 4);
        first.extend_from_slice(salt);
        first.extend_from_slice(&1u32.to_be_bytes());
        let mut hash = Zeroizing::new(following(*outer, &message(*inner, &first)));
        let mut sum = hash.clone();
        let mut block = Zeroizing::new(padded_hash());
        for _ in 1..rounds.get() {
            put(&mut block, &hash);
            *hash = compressed(*inner, &block);
            put(&mut block, &hash);
            *hash = compressed(*outer, &block);
            sum.iter_mut().zip(hash.iter()).for_each(|(sum, word)| *sum ^= word);
        }
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        key.copy_from_slice(&bytes(&sum));
        key
    }

    /// The states after the block that the passphrase makes, inside and outside (RFC 2104).
    fn keyed(passphrase: &[u8]) -> (Zeroizing<State>, Zeroizing<State>) {
        let mut block = Zeroizing::new([0u8; BLOCK]);
        if passphrase.len() > BLOCK {
            block[..KEY_LENGTH].copy_from_slice(&Sha256::digest(passphrase));
        } else {
            block[..passphrase.len()].copy_from_slice(passphrase);
        }
        let mut with = |pad: u8| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let state = Zeroizing::new(compressed(START, &block));
            block.iter_mut().for_each(|byte| *byte ^= pad);
            state
        };
        (with(0x36), with(0x5c))
    }

    /// The state after a message that follows the passphrase's block.
    fn message(state: State, text: &[u8]) -> State {
        let mut padded = text.to_vec();
        padded.push(0x80);
        padded.resize((padded.len() + 8).next_multiple_of(BLOCK) - 8, 0);
        padded.extend_from_slice(&(8 * (BLOCK + text.len()) as u64).to_be_bytes());
        let mut block = [0u8; BLOCK];
        padded.chunks_exact(BLOCK).fold(state, |state, chunk| {
            block.copy_from_slice(chunk);
            compressed(state, &block)
        })
    }

    /// The state after a hash that follows the passphrase's block.
    fn following(state: State, hash: &State) -> State {
        let mut block = Zeroizing::new(padded_hash());
        put(&mut block, hash);
        compressed(state, &block)
    }

    /// A block with room for a hash, and what ends a message of the passphrase's block and a hash.
    fn padded_hash() -> [u8; BLOCK] {
        let mut block = [0u8; BLOCK];
        block[KEY_LENGTH] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&(8 * (BLOCK + KEY_LENGTH) as u64).to_be_bytes());
        block
    }

    fn put(block: &mut [u8; BLOCK], hash: &State) {
        block[..KEY_LENGTH].copy_from_slice(&bytes(hash));
    }

    fn bytes(state: &State) -> [u8; KEY_LENGTH] {
        let mut bytes = [0u8; KEY_LENGTH];
        bytes
            .chunks_exact_mut(4)
            .zip(state)
            .for_each(|(four, word)| four.copy_from_slice(&word.to_be_bytes()));
        bytes
    }

    fn compressed(mut state: State, block: &[u8; BLOCK]) -> State {
        compress256(&mut state, std::slice::from_ref(block.into()));
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_keys() {
        let long = "a passphrase that is longer than a block of the hash, which is sixty-four bytes";
        for passphrase in ["", "bench", &long[..64], &long[..65], long] {
            for salt in [&b""[..], b"12345678", &[7; 51], &[7; 52], &[7; 64], &[7; 200]] {
                for rounds in [1, 2, 1000].map(|n| NonZeroU32::new(n).unwrap()) {
                    let expected = general(passphrase.as_bytes(), salt, rounds);
                    let found = compressions::derive(passphrase.as_bytes(), salt, rounds);
                    assert_eq!(*found, *expected, "{passphrase:?}, {} bytes of salt", salt.len());
                }
            }
        }
    }

    /// RFC 7914, section 11.
    #[test]
    fn a_known_key_is_derived() {
        let key = derive(b"passwd", b"salt", NonZeroU32::new(1).unwrap());
        assert_eq!(key[..8], [0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f]);
    }
}
