//! One message of a call, as gRPC puts it into a body: a byte that says whether it is compressed,
//! four bytes with its length, and the encoded message.

use prost::Message;
use prost::bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::MAX_MESSAGE_SIZE;

/// How many bytes stand before a message.
pub const PREFIX_SIZE: usize = 5;

/// The body with one message; `None` if it is too large.
pub fn frame_message(message: &impl Message) -> Option<Bytes> {
    let length = message.encoded_len();
    let prefix = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE_SIZE)?;
    let mut body = BytesMut::with_capacity(PREFIX_SIZE + length);
    body.put_u8(0);
    body.put_u32(prefix);
    message.encode_raw(&mut body);
    Some(body.freeze())
}

/// The message in a body, still encoded; `None` if the body is not one uncompressed message.
pub fn unframe_message(mut body: Bytes) -> Option<Bytes> {
    if body.len() < PREFIX_SIZE {
        return None;
    }
    let compressed = body.get_u8() != 0;
    let length = body.get_u32() as usize;
    (!compressed && length == body.len()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pulumirpc::{ErrorResourceInitFailed, InvokeRequest};

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let request = ErrorResourceInitFailed { id: "i".into(), ..Default::default() };
        let message = unframe_message(frame_message(&request).unwrap()).unwrap();
        assert_eq!(ErrorResourceInitFailed::decode(message).unwrap(), request);
        let empty = unframe_message(frame_message(&InvokeRequest::default()).unwrap()).unwrap();
        assert!(empty.is_empty());
    }

    #[test]
    fn what_is_not_one_plain_message_is_refused() {
        for body in [&b""[..], b"\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(unframe_message(Bytes::copy_from_slice(body)), None, "{body:?}");
        }
    }
}
