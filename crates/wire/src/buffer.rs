//! Writes protobuf from its end to its beginning, so that every length is known when its turn
//! comes.

use prost::bytes::Bytes;

use crate::signature::SIGNATURE_KEY;

/// Field keys (number and kind) of `Value`.
const NULL: u8 = 0x08;
const NUMBER: u8 = 0x11;
const TEXT: u8 = 0x1a;
const BOOL: u8 = 0x20;
const OBJECT: u8 = 0x2a;
const LIST: u8 = 0x32;
/// The key of each element of a list and each entry of an object.
const ELEMENT: u8 = 0x0a;
/// Keys inside an entry.
const ENTRY_KEY: u8 = 0x0a;
const ENTRY_VALUE: u8 = 0x12;

/// A place in the output, counted from its end, so that writing doesn't move it.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

/// Output that grows at its beginning.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer { bytes: vec![0; 512], start: 512 }
    }

    /// The current beginning of the output.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.bytes.len() - self.start)
    }

    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > self.start {
            self.grow(bytes.len());
        }
        let end = self.start;
        self.start -= bytes.len();
        self.bytes[self.start..end].copy_from_slice(bytes);
    }

    fn grow(&mut self, more: usize) {
        let used = self.bytes.len() - self.start;
        let mut grown = vec![0; (used + more).next_power_of_two().max(self.bytes.len() * 2)];
        let start = grown.len() - used;
        grown[start..].copy_from_slice(&self.bytes[self.start..]);
        self.bytes = grown;
        self.start = start;
    }

    fn varint(&mut self, mut number: usize) {
        let mut digits = [0; 10];
        let mut len = 0;
        loop {
            digits[len] = (number & 0x7f) as u8;
            number >>= 7;
            len += 1;
            if number == 0 {
                break;
            }
            digits[len - 1] |= 0x80;
        }
        self.put(&digits[..len]);
    }

    /// Makes all that was written since the mark the content of a field.
    fn close(&mut self, since: Mark, key: u8) {
        self.varint(self.mark().0 - since.0);
        self.put(&[key]);
    }

    /// Writes a null value.
    pub(crate) fn null(&mut self) {
        self.put(&[NULL, 0]);
    }

    /// Writes a truth value.
    pub(crate) fn bool(&mut self, value: bool) {
        self.put(&[BOOL, u8::from(value)]);
    }

    /// Writes a number.
    pub(crate) fn number(&mut self, value: f64) {
        self.put(&value.to_le_bytes());
        self.put(&[NUMBER]);
    }

    /// Writes a text value.
    pub(crate) fn text(&mut self, text: &str) {
        self.put(text.as_bytes());
        self.varint(text.len());
        self.put(&[TEXT]);
    }

    /// Makes the value written since the mark an element of a list.
    pub(crate) fn close_element(&mut self, since: Mark) {
        self.close(since, ELEMENT);
    }

    /// Makes the elements written since the mark a list value.
    pub(crate) fn close_list(&mut self, since: Mark) {
        self.close(since, LIST);
    }

    /// Gives the value written since the mark its name, without making it an entry of an object.
    pub(crate) fn name(&mut self, since: Mark, name: &str) {
        self.close(since, ENTRY_VALUE);
        self.put(name.as_bytes());
        self.varint(name.len());
        self.put(&[ENTRY_KEY]);
    }

    /// Makes the value written since the mark an entry of an object.
    pub(crate) fn close_entry(&mut self, since: Mark, name: &str) {
        self.name(since, name);
        self.close(since, ELEMENT);
    }

    /// Makes the entries written since the mark an object value.
    pub(crate) fn close_object(&mut self, since: Mark) {
        self.close(since, OBJECT);
    }

    /// Writes an entry with a text.
    pub(crate) fn text_entry(&mut self, name: &str, text: &str) {
        let mark = self.mark();
        self.text(text);
        self.close_entry(mark, name);
    }

    /// Makes the entries written since the mark a special value.
    pub(crate) fn close_special(&mut self, since: Mark, signature: &str) {
        self.text_entry(SIGNATURE_KEY, signature);
        self.close_object(since);
    }

    /// All output, and a way to cut it at marks.
    pub(crate) fn finish(self) -> Finished {
        Finished(Bytes::from(self.bytes).slice(self.start..))
    }
}

/// Output that is complete.
pub(crate) struct Finished(Bytes);

impl Finished {
    /// What was written between two marks, the earlier of which is first.
    pub(crate) fn between(&self, earlier: Mark, later: Mark) -> Bytes {
        let len = self.0.len();
        self.0.slice(len - later.0..len - earlier.0)
    }

    /// All of it.
    pub(crate) fn all(&self) -> &[u8] {
        &self.0
    }
}
