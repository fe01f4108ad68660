//! The marks by which JSON objects stand for values that JSON doesn't have.

/// The key of the mark.
pub const KEY: &str = "4dabf18193072939515e22adb298388d";
/// A secret.
pub const SECRET: &str = "1b47061264138c4ac30d75fd1eb44270";
/// A reference to a resource.
pub const REFERENCE: &str = "5cf8f73096256a8f31e491e813e4eb8e";
/// A text that is not valid UTF-8.
pub const BYTES: &str = "803fd3297a5875dc03ca845dda5d2a98";
/// A blob.
pub const ASSET: &str = "c44067f5952c0a294b673a41bacd8c17";
/// A tree of blobs.
pub const ARCHIVE: &str = "0def7320c3a5731c473e5ecbe6d01bc7";
/// A number that JSON can't write.
pub const FLOAT: &str = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c";

/// SHA-256 of nothing: how an empty text asset is told from one whose text isn't there.
pub(crate) const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
