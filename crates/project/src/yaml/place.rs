//! Places in a text: byte offsets with the line and column that a person would name.

use std::ops::Range;
use std::sync::Arc;

use purlin_diag::Span;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes from the start of the text.
    pub offset: usize,
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as the user would name it.
    pub file: Arc<str>,
    /// Its first place.
    pub start: Position,
    /// The place after its last character.
    pub end: Position,
}

impl Location {
    /// The stretch as diagnostics name it.
    pub fn span(&self) -> Span {
        Span {
            file: self.file.to_string(),
            line: self.start.line,
            column: self.start.column,
            end_line: self.end.line,
            end_column: self.end.column,
        }
    }

    /// The stretch in bytes.
    pub fn range(&self) -> Range<usize> {
        self.start.offset..self.end.offset
    }
}

/// A text with an index of its lines.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    file: Arc<str>,
    line_starts: Vec<usize>,
    /// Byte offset of every character; empty when all characters are single bytes.
    chars: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &str, text: &'a str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1))
            .collect();
        let chars =
            if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(at, _)| at).collect() };
        Source { text, file: Arc::from(file), line_starts, chars }
    }

    /// The byte offset of a character by its number.
    pub(super) fn byte_of_char(&self, index: usize) -> usize {
        let at = if self.chars.is_empty() { Some(index) } else { self.chars.get(index).copied() };
        at.map_or(self.text.len(), |at| at.min(self.text.len()))
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let before = self.text.get(self.line_starts[line]..offset).unwrap_or_default();
        let column = if self.chars.is_empty() { before.len() } else { before.chars().count() };
        Position { offset, line: line as u32 + 1, column: column as u32 + 1 }
    }

    pub(super) fn location(&self, start: usize, end: usize) -> Location {
        Location { file: self.file.clone(), start: self.position(start), end: self.position(end.max(start)) }
    }
}
