//! Changes values in a YAML text and leaves every other byte alone.
//!
//! The tree of the text is compared with the wanted value. Only where they differ is text replaced,
//! so comments, quotes, order and blank lines survive. The result is read back; should it not have
//! the wanted value (which anchors can cause), the document is written afresh.

use std::ops::Range;

use purlin_diag::Diagnostic;

use super::build::skip_trivia;
use super::{Content, Entry, Format, Node, emit, parse};
use crate::value::{Object, Value};

/// The text changed so that it holds `wanted`. JSON is laid out anew with four blanks of indent.
pub fn edit(format: Format, file: &str, text: &str, wanted: &Value) -> Result<String, Diagnostic> {
    match format {
        Format::Json => Ok(wanted.to_pretty_json(4, false) + "\n"),
        Format::Yaml => edit_yaml(file, text, wanted),
    }
}

fn edit_yaml(file: &str, text: &str, wanted: &Value) -> Result<String, Diagnostic> {
    let root = parse(file, text)?;
    if root.to_value() == *wanted {
        return Ok(text.to_owned());
    }
    let editor = Editor { text, line_break: if text.contains("\r\n") { "\r\n" } else { "\n" } };
    if let Some(edited) = editor.document(&root, wanted)
        && parse(file, &edited).is_ok_and(|node| holds(&node, wanted))
    {
        return Ok(edited);
    }
    Ok(emit::document(wanted))
}

/// Whether a document holds a value; a document without values counts as an empty mapping.
fn holds(node: &Node, wanted: &Value) -> bool {
    let found = node.to_value();
    found == *wanted || (found.is_null() && wanted.as_object().is_some_and(Object::is_empty))
}

/// A replacement of a stretch of the text.
#[derive(Debug)]
struct Change {
    range: Range<usize>,
    text: String,
}

/// Where a value hangs: after a colon, after a dash, or inside brackets.
#[derive(Clone, Copy)]
struct Slot {
    /// The place after the colon or dash; in brackets, the value itself.
    start: usize,
    /// The column of the key or dash.
    indent: usize,
    kind: SlotKind,
}

#[derive(Clone, Copy, PartialEq)]
enum SlotKind {
    Value,
    Item,
    BracketedValue,
    BracketedItem,
}

struct Editor<'t> {
    text: &'t str,
    line_break: &'static str,
}

impl Editor<'_> {
    fn document(&self, root: &Node, wanted: &Value) -> Option<String> {
        let mut changes = Vec::new();
        match (&root.content, wanted) {
            (Content::Mapping(entries), Value::Object(fields)) if root.flow => {
                self.bracketed_mapping(root, entries, fields, &mut changes)?;
            }
            (Content::Mapping(entries), Value::Object(fields)) => {
                self.block_mapping(entries, fields, true, &mut changes)?;
            }
            _ if root.is_null() && root.location.range().is_empty() => {
                let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
                let at = self.text.len();
                changes.push(Change { range: at..at, text: format!("{gap}{}", emit::document(wanted)) });
            }
            _ => return None,
        }
        self.apply(changes)
    }

    fn apply(&self, mut changes: Vec<Change>) -> Option<String> {
        changes.sort_by_key(|change| (change.range.start, change.range.end));
        let mut out = String::with_capacity(self.text.len() + 64);
        let mut at = 0;
        for change in changes {
            out.push_str(self.text.get(at..change.range.start)?);
            out.push_str(&change.text.replace('\n', self.line_break));
            at = change.range.end;
        }
        out.push_str(self.text.get(at..)?);
        Some(out)
    }

    /// Makes one value what is wanted, as deep in the tree as possible.
    fn value(&self, slot: Slot, node: &Node, wanted: &Value, changes: &mut Vec<Change>) {
        if node.to_value() == *wanted {
            return;
        }
        let before = changes.len();
        if !node.aliased && self.inside(slot, node, wanted, changes).is_some() {
            return;
        }
        changes.truncate(before);
        changes.push(self.replacement(slot, node, wanted));
    }

    fn inside(&self, slot: Slot, node: &Node, wanted: &Value, changes: &mut Vec<Change>) -> Option<()> {
        let same_secrecy = node.to_value().as_secure().is_some() == wanted.as_secure().is_some();
        match (&node.content, wanted) {
            _ if !same_secrecy => None,
            (Content::Mapping(entries), Value::Object(fields)) if node.flow => {
                self.bracketed_mapping(node, entries, fields, changes)
            }
            (Content::Mapping(entries), Value::Object(fields)) => {
                self.block_mapping(entries, fields, false, changes)
            }
            (Content::Sequence(items), Value::Array(wanted)) if node.flow => {
                self.bracketed_sequence(node, items, wanted, changes)
            }
            (Content::Sequence(items), Value::Array(wanted)) => {
                self.block_sequence(slot.start, items, wanted, changes)
            }
            _ => None,
        }
    }

    fn replacement(&self, slot: Slot, node: &Node, wanted: &Value) -> Change {
        let mut range = slot.start..node.location.end.offset.max(slot.start);
        let line_end = self.line_end(range.end);
        let line_rest = &self.text[range.end..line_end];
        let text = match slot.kind {
            SlotKind::BracketedItem => emit::inline_inner(wanted),
            SlotKind::BracketedValue => format!(" {}", emit::inline_inner(wanted)),
            kind => {
                let after_dash = kind == SlotKind::Item;
                let may_block = line_rest.trim().is_empty();
                let text = emit::after_indicator(wanted, slot.indent, after_dash, may_block);
                if !may_block && text.starts_with('\n') {
                    // A comment on the line stays beside the key, above the new lines.
                    range.end = line_end;
                    format!("{line_rest}{text}")
                } else {
                    text
                }
            }
        };
        Change { range, text }
    }

    fn block_mapping(
        &self,
        entries: &[Entry],
        wanted: &Object,
        may_empty: bool,
        changes: &mut Vec<Change>,
    ) -> Option<()> {
        let own: Vec<_> = entries.iter().filter(|entry| !entry.merged).collect();
        let (first, last) = (own.first()?, own.last()?);
        if wanted.is_empty() && !may_empty {
            return None;
        }
        let indent = self.column(first.key.location.start.offset);
        let removed =
            own.iter().filter(|entry| !wanted.contains_key(entry.name().unwrap_or_default())).count();
        for (index, entry) in own.iter().enumerate() {
            let colon = self.colon(entry)?;
            match wanted.get(entry.name()?) {
                Some(value) => {
                    let slot = Slot { start: colon, indent, kind: SlotKind::Value };
                    self.value(slot, &entry.value, value, changes);
                }
                None => changes.push(self.removed_entry(entry, colon, own.get(index + 1), removed)?),
            }
        }
        let mut added = String::new();
        for (name, value) in wanted {
            match entries.iter().find(|entry| entry.name() == Some(name)) {
                Some(entry) if !entry.merged || entry.value.to_value() == *value => {}
                _ => added.push_str(&format!("\n{}", emit::block_entry(name, value, indent))),
            }
        }
        let lost = |entry: &Entry| entry.merged && !wanted.contains_key(entry.name().unwrap_or_default());
        if entries.iter().any(lost) {
            return None;
        }
        let end = last.value.location.end.offset.max(self.colon(last)?);
        self.add_after(end, &added, changes);
        Some(())
    }

    /// Adds lines (each with a line break in front) below the line of a place.
    fn add_after(&self, place: usize, lines: &str, changes: &mut Vec<Change>) {
        if lines.is_empty() {
            return;
        }
        let line_end = self.line_end(place);
        let next = self.next_line(place);
        let change = if next == line_end {
            Change { range: next..next, text: lines.to_owned() }
        } else {
            Change { range: next..next, text: format!("{}\n", &lines[1..]) }
        };
        changes.push(change);
    }

    fn removed_entry(
        &self,
        entry: &Entry,
        colon: usize,
        next: Option<&&Entry>,
        removed: usize,
    ) -> Option<Change> {
        let start = entry.key.location.start.offset;
        let end = entry.value.location.end.offset.max(colon);
        if self.is_first_on_line(start) {
            return Some(Change { range: self.line_start(start)..self.next_line(end), text: String::new() });
        }
        // `- a: 1` with more entries below: the next entry moves up behind the dash.
        let next = next.filter(|_| removed == 1)?;
        Some(Change { range: start..next.key.location.start.offset, text: String::new() })
    }

    fn block_sequence(
        &self,
        start: usize,
        items: &[Node],
        wanted: &[Value],
        changes: &mut Vec<Change>,
    ) -> Option<()> {
        if wanted.is_empty() {
            return None;
        }
        let mut dashes = Vec::with_capacity(items.len());
        let mut at = start;
        for item in items {
            let dash = skip_trivia(self.text, at);
            if !self.text[dash..].starts_with('-') {
                return None;
            }
            dashes.push(dash);
            at = item.location.end.offset.max(dash + 1);
        }
        let indent = self.column(*dashes.first()?);
        let slots: Vec<_> =
            dashes.iter().map(|dash| Slot { start: dash + 1, indent, kind: SlotKind::Item }).collect();
        let plan = ListPlan::new(items, wanted);
        for (old, new) in plan.changed() {
            self.value(slots[old], &items[old], &wanted[new], changes);
        }
        for old in plan.removed() {
            if !self.is_first_on_line(dashes[old]) {
                return None;
            }
            let end = items[old].location.end.offset.max(dashes[old] + 1);
            let range = self.line_start(dashes[old])..self.next_line(end);
            changes.push(Change { range, text: String::new() });
        }
        let added: String =
            plan.added().map(|new| format!("\n{}", emit::block_item(&wanted[new], indent))).collect();
        if !added.is_empty() {
            let previous = plan.added_after()?;
            let end = items[previous].location.end.offset.max(dashes[previous] + 1);
            self.add_after(end, &added, changes);
        }
        Some(())
    }

    fn bracketed_mapping(
        &self,
        node: &Node,
        entries: &[Entry],
        wanted: &Object,
        changes: &mut Vec<Change>,
    ) -> Option<()> {
        if !self.text[node.location.range()].starts_with('{')
            || wanted.is_empty()
            || entries.iter().any(|entry| entry.merged)
        {
            return None;
        }
        let last = entries.last()?;
        let spans = entries.iter().map(|entry| {
            (
                entry.key.location.start.offset,
                entry.value.location.end.offset.max(entry.key.location.end.offset),
            )
        });
        let spans: Vec<_> = spans.collect();
        let gone: Vec<_> = (0..entries.len())
            .filter(|i| !wanted.contains_key(entries[*i].name().unwrap_or_default()))
            .collect();
        self.remove_bracketed(&spans, &gone, changes)?;
        for entry in entries {
            if let Some(value) = wanted.get(entry.name()?)
                && entry.value.to_value() != *value
            {
                let slot = Slot { start: self.colon(entry)?, indent: 0, kind: SlotKind::BracketedValue };
                self.value(slot, &entry.value, value, changes);
            }
        }
        let new = wanted.iter().filter(|(name, _)| entries.iter().all(|e| e.name() != Some(name.as_str())));
        let added: String =
            new.map(|(name, value)| format!(", {}", emit::inline_entry(name, value))).collect();
        let end = last.value.location.end.offset.max(last.key.location.end.offset);
        if !added.is_empty() {
            changes.push(Change { range: end..end, text: added });
        }
        Some(())
    }

    fn bracketed_sequence(
        &self,
        node: &Node,
        items: &[Node],
        wanted: &[Value],
        changes: &mut Vec<Change>,
    ) -> Option<()> {
        if !self.text[node.location.range()].starts_with('[') || wanted.is_empty() {
            return None;
        }
        let spans: Vec<_> =
            items.iter().map(|item| (item.location.start.offset, item.location.end.offset)).collect();
        let plan = ListPlan::new(items, wanted);
        self.remove_bracketed(&spans, &plan.removed().collect::<Vec<_>>(), changes)?;
        for (old, new) in plan.changed() {
            let slot = Slot { start: spans[old].0, indent: 0, kind: SlotKind::BracketedItem };
            self.value(slot, &items[old], &wanted[new], changes);
        }
        let added: String =
            plan.added().map(|new| format!(", {}", emit::inline_inner(&wanted[new]))).collect();
        if !added.is_empty() {
            let end = spans[plan.added_after()?].1;
            changes.push(Change { range: end..end, text: added });
        }
        Some(())
    }

    /// Removes one of several things between brackets with the comma next to it.
    fn remove_bracketed(
        &self,
        spans: &[(usize, usize)],
        gone: &[usize],
        changes: &mut Vec<Change>,
    ) -> Option<()> {
        match *gone {
            [] => Some(()),
            [only] => {
                let range = match (spans.get(only + 1), only.checked_sub(1)) {
                    (Some(next), _) => spans[only].0..next.0,
                    (None, Some(previous)) => spans[previous].1..spans[only].1,
                    (None, None) => return None,
                };
                changes.push(Change { range, text: String::new() });
                Some(())
            }
            _ => None,
        }
    }

    /// The place after the colon of an entry.
    fn colon(&self, entry: &Entry) -> Option<usize> {
        let end = entry.key.location.end.offset;
        let rest = &self.text[end..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        rest[blanks..].starts_with(':').then_some(end + blanks + 1)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |found| found + 1)
    }

    /// The place of the line break, or of the end of the text.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |found| at + found);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |found| at + found + 1)
    }

    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }

    fn is_first_on_line(&self, at: usize) -> bool {
        self.text[self.line_start(at)..at].trim().is_empty()
    }
}

/// How an old list becomes a new one: what is equal at both ends stays, what is between is changed
/// in place, and the rest is removed or added.
struct ListPlan {
    prefix: usize,
    old_middle: usize,
    new_middle: usize,
}

impl ListPlan {
    fn new(items: &[Node], wanted: &[Value]) -> ListPlan {
        let old: Vec<_> = items.iter().map(Node::to_value).collect();
        let prefix = old.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let most = old.len().min(wanted.len()) - prefix;
        let suffix = old.iter().rev().zip(wanted.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
        ListPlan {
            prefix,
            old_middle: old.len() - prefix - suffix,
            new_middle: wanted.len() - prefix - suffix,
        }
    }

    fn shared(&self) -> usize {
        self.old_middle.min(self.new_middle)
    }

    fn changed(&self) -> impl Iterator<Item = (usize, usize)> {
        (self.prefix..self.prefix + self.shared()).map(|index| (index, index))
    }

    fn removed(&self) -> std::ops::Range<usize> {
        self.prefix + self.shared()..self.prefix + self.old_middle
    }

    fn added(&self) -> std::ops::Range<usize> {
        self.prefix + self.shared()..self.prefix + self.new_middle
    }

    /// The old item that new ones come after.
    fn added_after(&self) -> Option<usize> {
        (self.prefix + self.shared()).checked_sub(1)
    }
}
