//! Reads protobuf values from bytes, without copying them.

use crate::error::{CodecErrorKind, Coded};

/// What a field holds.
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Reads the fields of one message.
struct Fields<'a> {
    rest: &'a [u8],
}

fn broken<T>(problem: &'static str) -> Coded<T> {
    Err(CodecErrorKind::Wire(problem).into())
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Coded<u64> {
        let mut value = 0;
        for (position, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[position + 1..];
                return Ok(value);
            }
        }
        broken("an integer doesn't end")
    }

    fn take(&mut self, len: u64) -> Coded<&'a [u8]> {
        match usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len)) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => broken("a field is longer than what holds it"),
        }
    }

    /// The next field with its number.
    fn next(&mut self) -> Coded<Option<(u64, Field<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Field::Fixed64(bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
            }
            2 => {
                let len = self.varint()?;
                Field::Bytes(self.take(len)?)
            }
            5 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return broken("a field is of a kind that isn't used"),
        };
        Ok(Some((key >> 3, field)))
    }
}

/// A value with what it holds still encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RawValue<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    /// An encoded `Struct`.
    Object(&'a [u8]),
    /// An encoded `ListValue`.
    List(&'a [u8]),
}

/// A property with its value, still an encoded `Value`.
pub(crate) type Entry<'a> = (&'a str, &'a [u8]);

fn text(bytes: &[u8]) -> Coded<&str> {
    std::str::from_utf8(bytes).or_else(|_| broken("a text is not valid UTF-8"))
}

/// Reads a `Value`. Where kinds contradict each other, the last counts.
pub(crate) fn value(bytes: &[u8]) -> Coded<RawValue<'_>> {
    let mut fields = Fields { rest: bytes };
    let mut found = None;
    while let Some((number, field)) = fields.next()? {
        found = Some(match (number, field) {
            (1, Field::Varint(_)) => RawValue::Null,
            (2, Field::Fixed64(bits)) => RawValue::Number(f64::from_bits(bits)),
            (3, Field::Bytes(bytes)) => RawValue::Text(text(bytes)?),
            (4, Field::Varint(number)) => RawValue::Bool(number != 0),
            (5, Field::Bytes(bytes)) => RawValue::Object(bytes),
            (6, Field::Bytes(bytes)) => RawValue::List(bytes),
            (1..=6, _) => return broken("a value's field is of the wrong kind"),
            _ => continue,
        });
    }
    found.ok_or_else(|| CodecErrorKind::NoKind.into())
}

/// Reads an entry of a `Struct`.
pub(crate) fn entry(bytes: &[u8]) -> Coded<Entry<'_>> {
    let mut fields = Fields { rest: bytes };
    let (mut key, mut value) = ("", &[][..]);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = bytes,
            (1 | 2, _) => return broken("a property's field is of the wrong kind"),
            _ => {}
        }
    }
    Ok((key, value))
}

/// Calls `each` with every element of a message whose only field is a repeated number 1: the
/// entries of a `Struct` and the values of a `ListValue`.
pub(crate) fn each_element<'a>(bytes: &'a [u8], mut each: impl FnMut(&'a [u8]) -> Coded<()>) -> Coded<()> {
    let mut fields = Fields { rest: bytes };
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => each(bytes)?,
            (1, _) => return broken("an element is of the wrong kind"),
            _ => {}
        }
    }
    Ok(())
}
