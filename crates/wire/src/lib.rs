//! Protobuf and gRPC types, and the codec between wire values and the model.
//!
//! [`pulumirpc`] and [`codegen`] hold the messages, clients and servers made from the protocol
//! files. Wherever these say `google.protobuf.Struct` or `Value`, the messages hold [`Struct`] and
//! [`Value`]: the encoded bytes as they are, which [`decode_map`] turns into properties and
//! [`encode_map`] makes from them, each in one pass and without a tree in between. What a peer
//! can take is said by [`EncodeOptions`] and [`DecodeOptions`]; [`calls`] has them for each call.

mod buffer;
pub mod calls;
mod decode;
pub mod details;
mod diff;
mod encode;
mod error;
mod message;
mod options;
mod raw;
mod reader;
mod rpc;
mod signature;
mod special;
mod stream;
#[cfg(test)]
mod tests;

pub use decode::{decode_map, decode_optional, decode_value};
pub use diff::detailed_diff;
pub use encode::{encode_map, encode_value};
pub use error::{CodecError, CodecErrorKind};
pub use message::{PREFIX_SIZE, frame_message, unframe_message};
pub use options::{DecodeOptions, EncodeOptions, PeerFlags, Unknowns};
pub use raw::{Struct, Value};
pub use rpc::{codegen, pulumirpc};
pub use signature::SIGNATURE_KEY;
pub use stream::GatheringStream;

/// The longest message, in bytes, that peers of the ecosystem send and take. Clients and servers
/// have to be told: their own limit is far lower.
pub const MAX_MESSAGE_SIZE: usize = 400 * 1024 * 1024;

/// How deep values may be nested on the wire.
pub const MAX_DEPTH: usize = 512;
