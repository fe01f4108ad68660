//! The fixed texts that mark special values on the wire.

/// The key that makes an object a special value.
pub const SIGNATURE_KEY: &str = "4dabf18193072939515e22adb298388d";

pub(crate) const SECRET: &str = "1b47061264138c4ac30d75fd1eb44270";
pub(crate) const REFERENCE: &str = "5cf8f73096256a8f31e491e813e4eb8e";
pub(crate) const OUTPUT: &str = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
pub(crate) const BYTES: &str = "803fd3297a5875dc03ca845dda5d2a98";
pub(crate) const ASSET: &str = "c44067f5952c0a294b673a41bacd8c17";
pub(crate) const ARCHIVE: &str = "0def7320c3a5731c473e5ecbe6d01bc7";

/// The text that stands for an unknown value where the engine says that one is.
pub(crate) const UNKNOWN: &str = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/// The texts that peers send for an unknown value of a particular kind.
const OTHER_UNKNOWNS: [&str; 6] = [
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // boolean
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // list
    "030794c1-ac77-496b-92df-f27374a8bd58", // asset
    "e48ece36-62e2-4504-bad9-02848725956a", // archive
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
];

/// SHA-256 of no bytes at all: the hash of an empty text.
pub(crate) const EMPTY_TEXT_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The hash of an archive without members.
pub(crate) const EMPTY_ARCHIVE_HASH: &str =
    "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// Whether a text stands for an unknown value of any kind.
pub(crate) fn is_unknown(text: &str) -> bool {
    text.len() == UNKNOWN.len() && (text == UNKNOWN || OTHER_UNKNOWNS.contains(&text))
}
