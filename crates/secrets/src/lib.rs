//! Secrets managers, and the codec that opens and seals bags with one.
//!
//! A manager encrypts and decrypts texts in batches. Which one a stack uses is recorded in its
//! state; [`manager_from_state`] makes it from there. Randomness and passphrases come from outside.

mod b64;
mod bags;
mod cloud;
#[cfg(feature = "conformance")]
pub mod conformance;
mod keys;
mod passphrase;
mod pbkdf2;
mod select;
mod symmetric;

pub use b64::Base64Manager;
pub use bags::SealedBags;
pub use cloud::CloudManager;
pub use keys::{KeyService, KeyServices, Variables};
pub use passphrase::{FixedPassphrase, NoPassphrase, PassphraseManager, PassphraseSource};
pub use select::{decrypt_text, encrypt_text, manager_from_state};
