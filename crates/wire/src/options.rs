//! What a peer can take, and what is to become of the rest.

/// What a peer said it takes, in a handshake or in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerFlags {
    /// Secrets, marked as such.
    pub secrets: bool,
    /// References to resources.
    pub resources: bool,
    /// Output values.
    pub outputs: bool,
    /// Texts that are not valid UTF-8.
    pub byte_strings: bool,
}

/// How to encode values for a peer. What isn't kept is replaced by something simpler, at any depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Mark secrets; otherwise their values are sent in clear.
    pub keep_secrets: bool,
    /// Send unknown values; otherwise they are left out of objects and lists.
    pub keep_unknowns: bool,
    /// Send references to resources; otherwise the resource's id, or the URN where it has none.
    pub keep_resources: bool,
    /// Send output values; otherwise the secret, unknown or plain value that they stand for.
    pub keep_outputs: bool,
    /// Send texts that are not valid UTF-8; otherwise they are an error.
    pub keep_byte_strings: bool,
    /// Send only the hash of assets and archives.
    pub elide_asset_contents: bool,
    /// Leave out properties whose name starts with `__`; at the top only.
    pub skip_internal_keys: bool,
}

impl EncodeOptions {
    /// Everything as it is.
    pub const FULL: EncodeOptions = EncodeOptions {
        keep_secrets: true,
        keep_unknowns: true,
        keep_resources: true,
        keep_outputs: true,
        keep_byte_strings: true,
        elide_asset_contents: false,
        skip_internal_keys: false,
    };

    /// Plain, known values only; contents of assets are sent.
    pub const PLAIN: EncodeOptions = EncodeOptions {
        keep_secrets: false,
        keep_unknowns: false,
        keep_resources: false,
        keep_outputs: false,
        keep_byte_strings: false,
        elide_asset_contents: false,
        skip_internal_keys: false,
    };

    /// The same, less what the peer doesn't take.
    #[must_use]
    pub const fn for_peer(self, peer: PeerFlags) -> EncodeOptions {
        EncodeOptions {
            keep_secrets: self.keep_secrets && peer.secrets,
            keep_resources: self.keep_resources && peer.resources,
            keep_outputs: self.keep_outputs && peer.outputs,
            keep_byte_strings: self.keep_byte_strings && peer.byte_strings,
            ..self
        }
    }

    /// The same, with unknown values sent or left out. Calls that may see unknowns in a preview only
    /// are given `preview`.
    #[must_use]
    pub const fn unknowns(self, keep: bool) -> EncodeOptions {
        EncodeOptions { keep_unknowns: keep, ..self }
    }
}

/// What becomes of unknown values on decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknowns {
    /// They stay.
    Keep,
    /// They are left out of objects and lists.
    Drop,
    /// They are an error.
    Reject,
}

/// How to decode values from a peer. What isn't kept is replaced by something simpler, at any
/// depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Keep the mark on secrets; otherwise take their values.
    pub keep_secrets: bool,
    /// What to do with unknown values.
    pub unknowns: Unknowns,
    /// Keep references to resources; otherwise take the id, or the URN where there is none.
    pub keep_resources: bool,
    /// Keep output values; otherwise take the secret, unknown or plain value that they stand for.
    pub keep_outputs: bool,
    /// Make output values of secrets and unknowns. Means something with `keep_outputs` only.
    pub upgrade_to_outputs: bool,
}

impl DecodeOptions {
    /// Everything as it is.
    pub const FULL: DecodeOptions = DecodeOptions {
        keep_secrets: true,
        unknowns: Unknowns::Keep,
        keep_resources: true,
        keep_outputs: true,
        upgrade_to_outputs: false,
    };

    /// Plain, known values only; unknown ones are left out.
    pub const PLAIN: DecodeOptions = DecodeOptions {
        keep_secrets: false,
        unknowns: Unknowns::Drop,
        keep_resources: false,
        keep_outputs: false,
        upgrade_to_outputs: false,
    };

    /// The same, with unknown values kept if `allowed` and an error otherwise. Calls that may answer
    /// with unknowns in a preview only are given `preview`.
    #[must_use]
    pub const fn unknowns_allowed(self, allowed: bool) -> DecodeOptions {
        DecodeOptions { unknowns: if allowed { Unknowns::Keep } else { Unknowns::Reject }, ..self }
    }
}
