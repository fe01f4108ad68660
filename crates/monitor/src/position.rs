//! Positions in source files: from `file://` addresses to ones relative to the project.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use purlin_model::hash::QuickMap;
use purlin_wire::pulumirpc::{SourcePosition, StackTrace};

/// Turns the positions in requests into what states hold. Equal positions share one text, for the
/// frames of most resources of a program are the same.
pub(crate) struct Positions {
    root: PathBuf,
    known: Mutex<QuickMap<String, File>>,
}

struct File {
    /// The address relative to the project; `None` if the file can't be named that way.
    address: Option<String>,
    places: QuickMap<(i32, i32), Arc<str>>,
}

impl Positions {
    pub(crate) fn new(root: &Path) -> Self {
        Positions { root: root.to_owned(), known: Mutex::default() }
    }

    /// The position and the frames of a request. If the position makes no sense, neither counts.
    pub(crate) fn of(
        &self,
        position: Option<&SourcePosition>,
        trace: Option<&StackTrace>,
    ) -> (Option<Arc<str>>, Arc<[Arc<str>]>) {
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
}
