//! Builds the tree from the events of the YAML parser: mends spans, resolves aliases and merge
//! keys, and refuses what grows without bound.

use std::collections::{HashMap, HashSet};

use purlin_diag::Diagnostic;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::place::Source;
use super::{Content, Entry, MAX_ALIASED_NODES, MAX_DEPTH, Node, Scalar, Style};

pub(super) fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let source = Source::new(file, text);
    let mut builder = Builder {
        source: &source,
        frames: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        aliased_nodes: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while builder.root.is_none() {
        match parser.next_event() {
            None => break,
            Some(Err(error)) => return Err(syntax_error(&source, &error)),
            Some(Ok((event, span))) => builder.event(event, span)?,
        }
    }
    Ok(match builder.root {
        Some(root) => root,
        None => Node {
            content: Content::Scalar(Scalar { text: String::new(), style: Style::Plain }),
            tag: None,
            location: source.location(0, 0),
            aliased: false,
            flow: false,
        },
    })
}

fn syntax_error(source: &Source<'_>, error: &ScanError) -> Diagnostic {
    let at = source.byte_of_char(error.marker().index());
    Diagnostic::error("yaml-syntax", format!("invalid YAML file: {}", error.info()))
        .with_span(source.location(at, at).span())
}

/// A list or mapping whose end has not been seen.
struct Frame {
    start: usize,
    tag: Option<String>,
    anchor: usize,
    bracketed: bool,
    kind: FrameKind,
}

enum FrameKind {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Node> },
}

/// An anchored node with its size, so that expansions can be bounded before they are made.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Builder<'s> {
    source: &'s Source<'s>,
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    aliased_nodes: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let start = self.source.byte_of_char(span.start.index());
        let end = self.source.byte_of_char(span.end.index());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = scalar_style(style);
                let end = self.scalar_end(start, end, style);
                let mut text = text.into_owned();
                text.shrink_to_fit();
                let scalar = Scalar { text, style };
                let node = Node {
                    content: Content::Scalar(scalar),
                    tag: tag.as_deref().and_then(tag_text),
                    location: self.source.location(start, end),
                    aliased: false,
                    flow: self.in_brackets(),
                };
                self.finish(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(start, end, anchor, tag.as_deref(), FrameKind::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let kind = FrameKind::Mapping { entries: Vec::new(), key: None };
                self.open(start, end, anchor, tag.as_deref(), kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start),
            Event::Alias(anchor) => self.alias(anchor, start, end),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn in_brackets(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.bracketed)
    }

    fn open(
        &mut self,
        start: usize,
        end: usize,
        anchor: usize,
        tag: Option<&Tag>,
        kind: FrameKind,
    ) -> Result<(), Diagnostic> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        let text = self.source.text;
        let opening = skip_properties(text, start);
        let bracketed =
            self.in_brackets() || (opening < end && text[opening..].starts_with(['[', '{']) && end > start);
        self.frames.push(Frame { start, tag: tag.and_then(tag_text), anchor, bracketed, kind });
        Ok(())
    }

    fn too_deep(&self, at: usize) -> Diagnostic {
        Diagnostic::error("yaml-depth", format!("values may not be nested deeper than {MAX_DEPTH} levels"))
            .with_span(self.source.location(at, at).span())
    }

    fn close(&mut self, closing: usize) -> Result<(), Diagnostic> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let bracket = self.source.text[closing..].starts_with([']', '}']) && frame.bracketed;
        let own_bracket = bracket && self.opens_with_bracket(frame.start);
        // Most are small and there are many, so that room for more would be most of the tree.
        let (content, last) = match frame.kind {
            FrameKind::Sequence(mut items) => {
                items.shrink_to_fit();
                let last = items.last().map(|item| item.location.end.offset);
                (Content::Sequence(items), last)
            }
            FrameKind::Mapping { mut entries, .. } => {
                entries.shrink_to_fit();
                let last = entries.last().map(|entry| entry.value.location.end.offset);
                (self.merged_mapping(entries)?, last)
            }
        };
        let end = if own_bracket { closing + 1 } else { last.unwrap_or(frame.start) };
        let node = Node {
            content,
            tag: frame.tag,
            location: self.source.location(frame.start, end),
            aliased: false,
            flow: frame.bracketed,
        };
        self.finish(node, frame.anchor)
    }

    fn opens_with_bracket(&self, start: usize) -> bool {
        let text = self.source.text;
        text[skip_properties(text, start)..].starts_with(['[', '{'])
    }

    fn alias(&mut self, anchor: usize, start: usize, end: usize) -> Result<(), Diagnostic> {
        let here = self.source.location(start, end);
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::error("yaml-alias", "the alias refers to a value that contains it")
                .with_span(here.span()));
        };
        self.aliased_nodes += anchored.nodes;
        if self.aliased_nodes > MAX_ALIASED_NODES {
            let message = format!("the aliases of this file stand for more than {MAX_ALIASED_NODES} values");
            return Err(Diagnostic::error("yaml-alias-expansion", message).with_span(here.span()));
        }
        if self.frames.len() + anchored.depth > MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        let node = Node { location: here, aliased: true, ..anchored.node.clone() };
        self.finish(node, 0)
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            let (nodes, depth) = measure(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(node),
            Some(FrameKind::Sequence(items)) => items.push(node),
            Some(FrameKind::Mapping { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push(Entry { key, value: node, merged: false }),
            },
        }
        Ok(())
    }

    /// Refuses keys that occur twice and brings in what merge keys refer to.
    fn merged_mapping(&self, entries: Vec<Entry>) -> Result<Content, Diagnostic> {
        let mut seen: HashMap<&str, u32> = HashMap::with_capacity(entries.len());
        for entry in &entries {
            if let Some(name) = entry.name()
                && let Some(line) = seen.insert(name, entry.key.location.start.line)
            {
                let message = format!("mapping key \"{name}\" already defined at line {line}");
                return Err(Diagnostic::error("yaml-duplicate-key", message).with_span(entry.key.span()));
            }
        }
        if !entries.iter().any(is_merge) {
            return Ok(Content::Mapping(entries));
        }
        let mut known: HashSet<String> =
            entries.iter().filter_map(|entry| entry.name().map(str::to_owned)).collect();
        let mut all = Vec::with_capacity(entries.len());
        for entry in entries {
            if !is_merge(&entry) {
                all.push(entry);
                continue;
            }
            let sources = match &entry.value.content {
                Content::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(&entry.value),
            };
            for source in sources {
                let Some(merged) = source.entries() else {
                    let message = "map merge requires map or sequence of maps as the value";
                    return Err(Diagnostic::error("yaml-merge", message).with_span(source.span()));
                };
                for entry in merged {
                    if entry.name().is_none_or(|name| known.insert(name.to_owned())) {
                        all.push(Entry { merged: true, ..entry.clone() });
                    }
                }
            }
        }
        Ok(Content::Mapping(all))
    }

    /// The parser's span of a quoted scalar reaches over a comment behind it, and that of a block
    /// scalar to the next token: find the real end.
    fn scalar_end(&self, start: usize, end: usize, style: Style) -> usize {
        let text = self.source.text;
        match style {
            Style::Plain => end,
            Style::Literal | Style::Folded => {
                start + text[start..end].trim_end_matches([' ', '\n', '\r']).len()
            }
            Style::SingleQuoted | Style::DoubleQuoted => {
                quoted_end(text, skip_properties(text, start)).unwrap_or(end)
            }
        }
    }
}

fn is_merge(entry: &Entry) -> bool {
    entry.key.scalar().is_some_and(|scalar| scalar.text == "<<" && scalar.style == Style::Plain)
        && entry.key.tag.as_deref().is_none_or(|tag| tag == "!!merge")
}

fn scalar_style(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

/// The short form of a tag, or `None` for the tag that says nothing.
fn tag_text(tag: &Tag) -> Option<String> {
    const CORE: &str = "tag:yaml.org,2002:";
    let whole = format!("{}{}", tag.handle, tag.suffix);
    match whole.strip_prefix(CORE) {
        Some(suffix) => Some(format!("!!{suffix}")),
        None if whole == "!" => Some("!!str".to_owned()),
        None => Some(whole),
    }
}

/// Skips anchors and tags before a value, with the blanks behind them.
fn skip_properties(text: &str, mut at: usize) -> usize {
    while text[at..].starts_with(['&', '!']) {
        let word = text[at..].find(char::is_whitespace).unwrap_or(text.len() - at);
        at = skip_trivia(text, at + word);
    }
    at
}

/// Skips blanks, line breaks and comments.
pub(super) fn skip_trivia(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let starts_word = at == 0 || text[..at].ends_with(char::is_whitespace);
        if !(starts_word && text[at..].starts_with('#')) {
            return at;
        }
        at += text[at..].find('\n').unwrap_or(text.len() - at);
    }
}

/// The place after the closing quote of a quoted scalar that starts at `start`.
fn quoted_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(start)?;
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 2,
            b if b != quote => at += 1,
            _ if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            _ => return Some(at + 1),
        }
    }
    None
}

fn measure(node: &Node) -> (usize, usize) {
    let mut nodes = 1;
    let mut depth = 0;
    let mut add = |child: &Node| {
        let (count, below) = measure(child);
        nodes += count;
        depth = depth.max(below);
    };
    node.items().unwrap_or_default().iter().for_each(&mut add);
    for entry in node.entries().unwrap_or_default() {
        add(&entry.key);
        add(&entry.value);
    }
    (nodes, depth + 1)
}
