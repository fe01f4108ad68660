//! The encoded forms of `google.protobuf.Struct` and `Value`, kept as bytes.
//!
//! Messages hold these in the place of trees: the properties of a resource are decoded once, right
//! into the model, and encoded once, right from it. It also frees values from the nesting limit of
//! the protobuf library, which real resources exceed (it allows some thirty objects in each other).

use std::fmt;

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

/// An encoded `google.protobuf.Struct`. Take it apart with [`decode_map`](crate::decode_map).
///
/// Its `Debug` form doesn't show what is inside, for that may be secret. Equality is of encoded
/// bytes, which says the same as equality of properties only for what
/// [`encode_map`](crate::encode_map) made.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Struct {
    /// The encoded entries, one for each property.
    pub(crate) entries: Vec<Bytes>,
}

impl Struct {
    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no properties.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Struct({} properties)", self.entries.len())
    }
}

impl Message for Struct {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        for entry in &self.entries {
            encoding::bytes::encode(1, entry, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != 1 {
            return encoding::skip_field(wire_type, tag, buf, ctx);
        }
        let mut entry = Bytes::new();
        encoding::bytes::merge(wire_type, &mut entry, buf, ctx)?;
        self.entries.push(entry);
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.entries.iter().map(|entry| encoding::bytes::encoded_len(1, entry)).sum()
    }

    fn clear(&mut self) {
        self.entries.clear();
    }
}

/// An encoded `google.protobuf.Value`. Take it apart with [`decode_value`](crate::decode_value).
/// What is said of [`Struct`] holds here too.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Value {
    /// The encoded fields.
    pub(crate) fields: Vec<u8>,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.fields.len())
    }
}

impl Message for Value {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.fields);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match wire_type {
            WireType::Varint => {
                let mut number = 0;
                encoding::uint64::merge(wire_type, &mut number, buf, ctx)?;
                encoding::uint64::encode(tag, &number, &mut self.fields);
            }
            WireType::SixtyFourBit => {
                let mut bits = 0;
                encoding::fixed64::merge(wire_type, &mut bits, buf, ctx)?;
                encoding::fixed64::encode(tag, &bits, &mut self.fields);
            }
            WireType::LengthDelimited => {
                let mut bytes = Bytes::new();
                encoding::bytes::merge(wire_type, &mut bytes, buf, ctx)?;
                encoding::bytes::encode(tag, &bytes, &mut self.fields);
            }
            _ => encoding::skip_field(wire_type, tag, buf, ctx)?,
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.fields.len()
    }

    fn clear(&mut self) {
        self.fields.clear();
    }
}
