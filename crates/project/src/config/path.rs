//! Places inside a configuration value, and changing what is there.

use std::fmt;

use crate::value::{Object, Value};
use crate::yaml::MAX_DEPTH;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A field of an object.
    Name(String),
    /// An item of a list. Negative numbers can be written, and are never in range.
    Index(i64),
}

/// A place inside a value, such as `a.b`, `a["b.c"]` or `a[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPath(pub Vec<Segment>);

impl fmt::Display for ConfigPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(at) => write!(f, "[{at}]")?,
                Segment::Name(name)
                    if name.contains(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')) =>
                {
                    write!(f, "[\"{}\"]", name.replace('"', "\\\""))?;
                }
                Segment::Name(name) if index == 0 => f.write_str(name)?,
                Segment::Name(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

impl ConfigPath {
    /// Reads a path; an error is a reason without a subject.
    pub fn parse(text: &str) -> Result<ConfigPath, String> {
        let mut segments = Vec::new();
        if text.starts_with('.') {
            return Err("expected property path to start with a name or index".to_owned());
        }
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                if after.is_empty() {
                    return Err("expected property path to end with a name or index".to_owned());
                }
                if after.starts_with('[') {
                    return Err("expected property name after '.'".to_owned());
                }
                rest = after;
                if rest.starts_with('.') {
                    continue;
                }
            }
            let segment;
            (segment, rest) = match rest.strip_prefix('[') {
                Some(inside) => bracketed(inside)?,
                None => {
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    (Segment::Name(rest[..end].to_owned()), &rest[end..])
                }
            };
            segments.push(segment);
            if segments.len() > MAX_DEPTH {
                return Err(format!("a path may not have more than {MAX_DEPTH} segments"));
            }
        }
        Ok(ConfigPath(segments))
    }

    pub(crate) fn split_first(&self) -> Option<(&Segment, ConfigPath)> {
        let (first, rest) = self.0.split_first()?;
        Some((first, ConfigPath(rest.to_vec())))
    }

    pub(crate) fn first_segments(&self, count: usize) -> ConfigPath {
        ConfigPath(self.0.iter().take(count).cloned().collect())
    }

    /// Whether the path leads nowhere but to the value itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads what follows `[`, up to and including `]`.
fn bracketed(text: &str) -> Result<(Segment, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut chars = quoted.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let rest = quoted[at + 1..].strip_prefix(']');
                    return rest
                        .map(|rest| (Segment::Name(name), rest))
                        .ok_or_else(|| "missing closing bracket in property access".to_owned());
                }
                '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    name.push('"');
                    chars.next();
                }
                c => name.push(c),
            }
        }
        return Err("missing closing quote in property name".to_owned());
    }
    let Some((inside, rest)) = text.split_once(']') else {
        return Err("missing closing bracket in array index".to_owned());
    };
    if inside == "*" {
        return Ok((Segment::Name("*".to_owned()), rest));
    }
    match inside.parse() {
        Ok(index) => Ok((Segment::Index(index), rest)),
        Err(_) => Err(format!("invalid array index: \"{inside}\" is not a whole number")),
    }
}

/// The value at a place; nothing is inside a secret.
pub(super) fn get<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    let inner = match (first, value) {
        (_, secure) if secure.as_secure().is_some() => None,
        (Segment::Index(index), Value::Array(items)) => items.get(usize::try_from(*index).ok()?),
        (Segment::Name(name), Value::Object(fields)) => fields.get(name),
        _ => None,
    };
    get(inner?, rest)
}

/// Why a place can't be set or removed: how many segments of the path are to blame, and the reason.
pub(super) struct Refusal {
    pub(super) segments: usize,
    pub(super) reason: &'static str,
}

const RESERVED: &str = "maps with the single key \"secure\" are reserved";

fn refuse<T>(segments: usize, reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { segments, reason })
}

/// How long a new list is made so that an index is in range; absurd indexes stay out of it.
fn new_length(index: i64) -> usize {
    const LONGEST: usize = 10_000;
    usize::try_from(index).ok().filter(|index| *index < LONGEST).map_or(0, |index| index + 1)
}

/// Puts a value at a place, making lists and objects on the way where there is nothing. `depth` is
/// the number of segments already passed; at the top, a plain value makes way for a list or object.
pub(super) fn set(value: &mut Value, path: &[Segment], depth: usize, new: Value) -> Result<(), Refusal> {
    let Some((first, rest)) = path.split_first() else {
        *value = new;
        return Ok(());
    };
    let is_container = matches!(value, Value::Array(_) | Value::Object(_)) && value.as_secure().is_none();
    if !is_container {
        *value = match first {
            _ if depth > 0 && !value.is_null() => {
                let array = matches!(first, Segment::Index(_));
                return refuse(depth, if array { "expected an array" } else { "expected a map" });
            }
            Segment::Index(index) => Value::Array(vec![Value::Null; new_length(*index)]),
            Segment::Name(_) => Value::Object(Object::new()),
        };
    }
    match (first, value) {
        (Segment::Index(index), Value::Array(items)) => {
            let at = usize::try_from(*index).unwrap_or(usize::MAX);
            if at > items.len() {
                return refuse(depth + 1, "array index out of range");
            }
            if at == items.len() {
                items.push(Value::Null);
            }
            set(&mut items[at], rest, depth + 1, new)
        }
        (Segment::Name(name), Value::Object(fields)) => {
            if rest.is_empty() && fields.is_empty() && name == "secure" && new.as_str().is_some() {
                return refuse(0, RESERVED);
            }
            set(fields.entry(name.clone()).or_insert(Value::Null), rest, depth + 1, new)
        }
        (Segment::Name(_), _) => refuse(depth + 1, "key for an array must be an int"),
        (Segment::Index(_), _) => refuse(depth + 1, "key for a map must be a string"),
    }
}

/// Removes what is at a place; there being nothing is fine.
pub(super) fn remove(value: &mut Value, path: &[Segment], depth: usize) -> Result<(), Refusal> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    if value.as_secure().is_some() {
        return Ok(());
    }
    match (first, value) {
        (Segment::Index(index), Value::Array(items)) => {
            let at = usize::try_from(*index).unwrap_or(usize::MAX);
            if at >= items.len() {
                return Ok(());
            }
            if rest.is_empty() {
                items.remove(at);
                return Ok(());
            }
            remove(&mut items[at], rest, depth + 1)
        }
        (Segment::Name(name), Value::Object(fields)) => {
            if rest.is_empty() {
                let leaves_secure = fields.len() == 2
                    && name != "secure"
                    && fields.contains_key(name)
                    && fields.get("secure").is_some_and(|left| left.as_str().is_some());
                if leaves_secure {
                    return refuse(depth + 1, RESERVED);
                }
                fields.shift_remove(name);
                return Ok(());
            }
            fields.get_mut(name).map_or(Ok(()), |inner| remove(inner, rest, depth + 1))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_round_trip() {
        let table = [
            ("root", "root"),
            ("root.nested", "root.nested"),
            ("root[\"nested\"]", "root.nested"),
            ("root.array[0][1].x", "root.array[0][1].x"),
            ("root[\"a \\\"b\\\"\"]", "root[\"a \\\"b\\\"\"]"),
            ("[\"root.x\"][100]", "[\"root.x\"][100]"),
            ("a[*].b", "a[\"*\"].b"),
            ("a[0]b", "a[0].b"),
            ("a-b.c", "a-b.c"),
            ("a..b", "a.b"),
        ];
        for (text, shown) in table {
            assert_eq!(ConfigPath::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn bad_paths_say_why() {
        let table = [
            (".a", "expected property path to start with a name or index"),
            ("a.", "expected property path to end with a name or index"),
            ("a.[0]", "expected property name after '.'"),
            ("a[", "missing closing bracket in array index"),
            ("a[\"b]", "missing closing quote in property name"),
            ("a[\"b\"", "missing closing bracket in property access"),
            ("a[x]", "invalid array index: \"x\" is not a whole number"),
        ];
        let long = "a.".repeat(100_000) + "a";
        assert_eq!(ConfigPath::parse(&long).unwrap_err(), "a path may not have more than 200 segments");
        for (text, reason) in table {
            assert_eq!(ConfigPath::parse(text).unwrap_err(), reason, "{text}");
        }
    }
}
