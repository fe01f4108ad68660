//! Positions in source files: from `file://` addresses to ones relative to the project.

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_model::hash::QuickMap;
use purlin_wire::pulumirpc::{SourcePosition, StackTrace};

/// Turns the positions in requests into what states hold. Equal positions share one text, for the
/// frames of most resources of a program are the same.
pub(crate) struct Positions {
    root: PathBuf,
    known: Mutex<QuickMap<String, File>>,
    /// Traces of components and calls under way, by handle.
    traces: Mutex<QuickMap<String, Trace>>,
    /// How many handles there were.
    handles: AtomicU64,
}

/// The frames of a stack trace.
type Trace = Arc<[Arc<str>]>;

/// A trace that resources may go on from which are registered elsewhere, such as the children of a
/// remote component, until this is dropped.
pub(crate) struct Handle<'p> {
    positions: &'p Positions,
    name: String,
}

impl Handle<'_> {
    /// What it is called; empty for no trace.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            self.positions.traces.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        }
    }
}

struct File {
    /// The address relative to the project; `None` if the file can't be named that way.
    address: Option<String>,
    places: QuickMap<(i32, i32), Arc<str>>,
}

impl Positions {
    pub(crate) fn new(root: &Path) -> Self {
        Positions {
            root: root.to_owned(),
            known: Mutex::default(),
            traces: Mutex::default(),
            handles: AtomicU64::new(0),
        }
    }

    /// A handle of a trace.
    pub(crate) fn handle(&self, trace: &Trace) -> Handle<'_> {
        let name = match trace.is_empty() {
            true => String::new(),
            false => (self.handles.fetch_add(1, Ordering::Relaxed) + 1).to_string(),
        };
        if !name.is_empty() {
            let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
            traces.insert(name.clone(), Arc::clone(trace));
        }
        Handle { positions: self, name }
    }

    /// The position and the frames of a request. `parent` is the handle of the trace that the frames go
    /// on from, if not empty.
    pub(crate) fn below(
        &self,
        parent: &str,
        position: Option<&SourcePosition>,
        trace: Option<&StackTrace>,
    ) -> (Option<Arc<str>>, Trace) {
        let (place, frames) = self.of(position, trace);
        if parent.is_empty() || (position.is_some() && place.is_none()) {
            return (place, frames);
        }
        let traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        match traces.get(parent) {
            Some(before) => (place, before.iter().chain(&*frames).cloned().collect()),
            None => (place, frames),
        }
    }

    /// The position and the frames of a request. If the position makes no sense, neither counts.
    fn of(&self, position: Option<&SourcePosition>, trace: Option<&StackTrace>) -> (Option<Arc<str>>, Trace) {
        if position.is_none() && trace.is_none() {
            return (None, Arc::new([]));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let position = match position {
            None => None,
            Some(position) => match self.place(&mut known, position) {
                None => return (None, Arc::new([])),
                some => some,
            },
        };
        let frames = trace.map(|trace| trace.frames.as_slice()).unwrap_or_default();
        let frames = frames.iter().map(|frame| {
            frame.pc.as_ref().and_then(|pc| self.place(&mut known, pc)).unwrap_or_else(|| Arc::from(""))
        });
        (position, frames.collect())
    }

    fn place(&self, known: &mut QuickMap<String, File>, position: &SourcePosition) -> Option<Arc<str>> {
        if position.line < 0 || position.column < 0 {
            return None;
        }
        if !known.contains_key(&position.uri) {
            let file = File { address: self.relative(&position.uri), places: QuickMap::default() };
            known.insert(position.uri.clone(), file);
        }
        let file = known.get_mut(&position.uri)?;
        let address = file.address.as_ref()?;
        let place = file.places.entry((position.line, position.column)).or_insert_with(|| {
            match position.column {
                0 => format!("{address}#{}", position.line),
                column => format!("{address}#{},{column}", position.line),
            }
            .into()
        });
        Some(Arc::clone(place))
    }

    fn relative(&self, uri: &str) -> Option<String> {
        let rest = uri.strip_prefix("file://")?;
        let path = &rest[rest.find('/')?..];
        let path = unescape(path.split(['?', '#']).next().unwrap_or_default())?;
        let mut result = String::from("project:///");
        let relative = relative(&clean(&self.root), &clean(Path::new(&path)));
        escape(&relative.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"), &mut result);
        Some(result)
    }
}

/// A path without `.` and `..`.
fn clean(path: &Path) -> Vec<&std::ffi::OsStr> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts
}

fn relative(from: &[&std::ffi::OsStr], to: &[&std::ffi::OsStr]) -> PathBuf {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let path: PathBuf =
        from[shared..].iter().map(|_| "..".as_ref()).chain(to[shared..].iter().copied()).collect();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn escape(path: &str, result: &mut String) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            result.push(char::from(byte));
        } else {
            result.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use purlin_wire::pulumirpc::StackFrame;

    use super::*;

    fn at(uri: &str, line: i32, column: i32) -> SourcePosition {
        SourcePosition { uri: uri.to_owned(), line, column }
    }

    #[test]
    fn positions_become_relative_to_the_project() {
        let positions = Positions::new(Path::new("/home/me/shop"));
        for (uri, expected) in [
            ("file:///home/me/shop/__main__.py", Some("project:///__main__.py#3,7")),
            ("file:///home/me/shop/a%20b/x(1).py", Some("project:///a%20b/x%281%29.py#3,7")),
            ("file:///usr/lib/p.py", Some("project:///../../../usr/lib/p.py#3,7")),
            ("http:///home/me/shop/x", None),
            ("file://nothing", None),
            ("file:///bad%zz", None),
        ] {
            assert_eq!(positions.of(Some(&at(uri, 3, 7)), None).0.as_deref(), expected, "{uri}");
        }
        let line_only = positions.of(Some(&at("file:///home/me/shop/m.go", 12, 0)), None).0;
        assert_eq!(line_only.as_deref(), Some("project:///m.go#12"));
    }

    #[test]
    fn equal_frames_share_their_text_and_bad_ones_stay_empty() {
        let positions = Positions::new(Path::new("/p"));
        let frame = |uri: &str| StackFrame { pc: Some(at(uri, 1, 0)) };
        let trace =
            StackTrace { frames: vec![frame("file:///p/a"), frame("nonsense"), StackFrame { pc: None }] };
        let (_, first) = positions.of(None, Some(&trace));
        let (_, second) = positions.of(None, Some(&trace));
        assert_eq!(first.iter().map(|f| &**f).collect::<Vec<_>>(), ["project:///a#1", "", ""]);
        assert!(Arc::ptr_eq(&first[0], &second[0]));
    }

    #[test]
    fn frames_below_a_handle_follow_those_of_its_trace_while_it_is_there() {
        let positions = Positions::new(Path::new("/p"));
        let trace = |file: &str| StackTrace {
            frames: vec![StackFrame { pc: Some(at(&format!("file:///p/{file}"), 1, 0)) }],
        };
        let frames = |parent: &str, file: &str| {
            let (_, frames) = positions.below(parent, None, Some(&trace(file)));
            frames.iter().map(|frame| frame.to_string()).collect::<Vec<_>>().join(" ")
        };
        let (_, of_component) = positions.below("", None, Some(&trace("main")));
        let (component, other) = (positions.handle(&of_component), positions.handle(&of_component));
        assert_ne!(component.name(), other.name());
        let name = component.name();
        assert_eq!(frames(&name, "child"), "project:///main#1 project:///child#1");
        // A child that is a remote component itself.
        let (_, of_child) = positions.below(&name, None, Some(&trace("child")));
        let child = positions.handle(&of_child);
        assert_eq!(frames(&child.name(), "inner"), "project:///main#1 project:///child#1 project:///inner#1");
        assert_eq!(positions.below(&name, Some(&at("nonsense", 1, 0)), None).1.len(), 0);
        drop(component);
        assert_eq!(frames(&name, "child"), "project:///child#1");
        let (_, nothing) = positions.below("", None, None);
        assert_eq!(positions.handle(&nothing).name(), "");
    }
}
