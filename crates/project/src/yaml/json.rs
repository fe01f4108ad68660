//! Reads JSON into the same positioned tree.

use purlin_diag::Diagnostic;

use super::place::Source;
use super::{Content, Entry, MAX_DEPTH, Node, Scalar, Style};

pub(super) fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let source = Source::new(file, text);
    let mut reader = Reader { source: &source, text, at: 0, depth: 0 };
    reader.blanks();
    if text[reader.at..].is_empty() {
        return Ok(reader.node(0, Content::Scalar(Scalar { text: String::new(), style: Style::Plain })));
    }
    let node = reader.value()?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.error("unexpected text after the value"));
    }
    Ok(node)
}

struct Reader<'a> {
    source: &'a Source<'a>,
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, message: &str) -> Diagnostic {
        Diagnostic::error("json-syntax", format!("invalid JSON file: {message}"))
            .with_span(self.source.location(self.at, self.at).span())
    }

    fn node(&self, start: usize, content: Content) -> Node {
        let location = self.source.location(start, self.at);
        Node { content, tag: None, location, aliased: false, flow: true }
    }

    fn value(&mut self) -> Result<Node, Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("values may not be nested deeper than {MAX_DEPTH} levels")));
        }
        let start = self.at;
        let content = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => Content::Scalar(Scalar { text: self.string()?, style: Style::DoubleQuoted }),
            Some(_) => self.word()?,
            None => return Err(self.error("unexpected end of the file")),
        };
        self.depth -= 1;
        Ok(self.node(start, content))
    }

    fn word(&mut self) -> Result<Content, Diagnostic> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        let known = matches!(word, "true" | "false" | "null");
        if !known && serde_json::from_str::<serde_json::Number>(word).is_err() {
            return Err(self.error("expected a value"));
        }
        self.at += end;
        Ok(Content::Scalar(Scalar { text: word.to_owned(), style: Style::Plain }))
    }

    fn array(&mut self) -> Result<Content, Diagnostic> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Content::Sequence(items));
        }
        loop {
            self.blanks();
            items.push(self.value()?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break self.at += 1,
                _ => return Err(self.error("expected ',' or ']'")),
            }
        }
        Ok(Content::Sequence(items))
    }

    fn object(&mut self) -> Result<Content, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Content::Mapping(entries));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in double quotes"));
            }
            let start = self.at;
            let text = self.string()?;
            let key = self.node(start, Content::Scalar(Scalar { text, style: Style::DoubleQuoted }));
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.error("expected ':'"));
            }
            self.at += 1;
            self.blanks();
            let value = self.value()?;
            entries.push(Entry { key, value, merged: false });
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                _ => return Err(self.error("expected ',' or '}'")),
            }
        }
        Ok(Content::Mapping(last_of_each(entries)))
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        if end >= bytes.len() {
            return Err(self.error("missing closing quote"));
        }
        match serde_json::from_str(&self.text[start..=end]) {
            Ok(text) => {
                self.at = end + 1;
                Ok(text)
            }
            Err(_) => Err(self.error("invalid character or escape in a text")),
        }
    }
}

/// Keeps the last of several entries with one key, where the first one stood.
fn last_of_each(entries: Vec<Entry>) -> Vec<Entry> {
    let mut kept: indexmap::IndexMap<String, Entry> = indexmap::IndexMap::with_capacity(entries.len());
    for entry in entries {
        kept.insert(entry.name().unwrap_or_default().to_owned(), entry);
    }
    kept.into_values().collect()
}
