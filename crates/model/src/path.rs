//! Property paths: `a.b[0]["c d"]`, with `*` for any element.

use std::fmt;

use crate::value::{PropertyMap, PropertyValue};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathElement {
    /// A property of an object.
    Key(String),
    /// An element of a list.
    Index(usize),
    /// Any property or element; only in patterns.
    Any,
}

/// A way to a value inside a bag of properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyPath(pub Vec<PathElement>);

/// Why a text is no property path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// What is wrong.
    pub message: &'static str,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.message, self.offset)
    }
}

impl std::error::Error for PathError {}

impl PropertyPath {
    /// Reads a path. A leading dot is allowed; keys with special characters are quoted in
    /// brackets; `*` stands for any element.
    pub fn parse(text: &str) -> Result<PropertyPath, PathError> {
        let mut elements = Vec::new();
        let mut rest = text;
        let offset = |rest: &str| text.len() - rest.len();
        if rest.starts_with('.') {
            rest = &rest[1..];
        }
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (element, after) =
                    bracket(inner).map_err(|message| PathError { message, offset: offset(rest) })?;
                elements.push(element);
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(PathError { message: "a key is missing", offset: offset(rest) });
                }
                elements.push(match &rest[..end] {
                    "*" => PathElement::Any,
                    key => PathElement::Key(key.to_owned()),
                });
                rest = &rest[end..];
            }
            if let Some(after) = rest.strip_prefix('.') {
                if after.is_empty() {
                    return Err(PathError { message: "a key is missing", offset: offset(after) });
                }
                rest = after;
            }
        }
        Ok(PropertyPath(elements))
    }

    /// The path with one more key.
    #[must_use]
    pub fn key(&self, key: &str) -> PropertyPath {
        let mut elements = self.0.clone();
        elements.push(PathElement::Key(key.to_owned()));
        PropertyPath(elements)
    }

    /// The path with one more index.
    #[must_use]
    pub fn index(&self, index: usize) -> PropertyPath {
        let mut elements = self.0.clone();
        elements.push(PathElement::Index(index));
        PropertyPath(elements)
    }

    /// Whether the path, taken as a pattern, covers another path: it is equal to it or leads to
    /// something around it.
    pub fn covers(&self, other: &PropertyPath) -> bool {
        self.0.len() <= other.0.len()
            && self.0.iter().zip(&other.0).all(|(a, b)| *a == PathElement::Any || a == b)
    }

    /// The value at the end of the path, looking through secrets.
    pub fn get<'a>(&self, map: &'a PropertyMap) -> Option<&'a PropertyValue> {
        let (first, rest) = self.0.split_first()?;
        let PathElement::Key(key) = first else { return None };
        rest.iter().try_fold(map.get(key)?, |value, element| match (value.plain(), element) {
            (PropertyValue::Object(map), PathElement::Key(key)) => map.get(key),
            (PropertyValue::Array(items), PathElement::Index(index)) => items.get(*index),
            _ => None,
        })
    }
}

fn bracket(inner: &str) -> Result<(PathElement, &str), &'static str> {
    if let Some(quoted) = inner.strip_prefix('"') {
        let mut key = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => key.push(escaped),
                    _ => return Err("a backslash may only precede a quote or a backslash"),
                },
                '"' => {
                    let after = quoted[at + 1..].strip_prefix(']').ok_or("a bracket is not closed")?;
                    return Ok((PathElement::Key(key), after));
                }
                other => key.push(other),
            }
        }
        return Err("a quote is not closed");
    }
    let end = inner.find(']').ok_or("a bracket is not closed")?;
    let element = match &inner[..end] {
        "*" => PathElement::Any,
        digits => PathElement::Index(digits.parse().map_err(|_| "an index is not a number")?),
    };
    Ok((element, &inner[end + 1..]))
}

impl fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, element) in self.0.iter().enumerate() {
            match element {
                PathElement::Key(key) if key.contains(['.', '[', ']', '"', '*']) || key.is_empty() => {
                    write!(f, "[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\""))?;
                }
                PathElement::Key(key) => {
                    write!(f, "{}{key}", if position == 0 { "" } else { "." })?;
                }
                PathElement::Index(index) => write!(f, "[{index}]")?,
                PathElement::Any if position == 0 => f.write_str("*")?,
                PathElement::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

/// Puts the old values back at each path that matches a pattern, as `ignoreChanges` wants it.
/// A path that the old inputs lack is taken out of the new ones; a path that the new inputs lack
/// comes back from the old ones, unless what would hold it is gone.
#[must_use]
pub fn ignore_changes(new: &PropertyMap, old: &PropertyMap, patterns: &[PropertyPath]) -> PropertyMap {
    let mut result = PropertyValue::Object(new.clone());
    let old = PropertyValue::Object(old.clone());
    for pattern in patterns {
        restore(&mut result, Some(&old), &pattern.0);
    }
    match result {
        PropertyValue::Object(map) => map,
        _ => new.clone(),
    }
}

fn restore(new: &mut PropertyValue, old: Option<&PropertyValue>, pattern: &[PathElement]) {
    let Some((first, rest)) = pattern.split_first() else { return };
    let old = old.map(PropertyValue::plain);
    if let PropertyValue::Secret(inner) = new {
        return restore(inner, old, pattern);
    }
    match (new, first) {
        (PropertyValue::Object(map), PathElement::Any) => {
            let mut keys: Vec<String> = map.keys().cloned().collect();
            if let Some(PropertyValue::Object(old)) = old {
                keys.extend(old.keys().filter(|k| !map.contains_key(k)).cloned());
            }
            for key in keys {
                restore_key(map, old, &key, rest);
            }
        }
        (PropertyValue::Object(map), PathElement::Key(key)) => restore_key(map, old, key, rest),
        (PropertyValue::Array(items), PathElement::Any) => {
            if rest.is_empty() {
                if let Some(PropertyValue::Array(old)) = old {
                    items.clone_from(old);
                }
                return;
            }
            for index in 0..items.len() {
                restore_index(items, old, index, rest);
            }
        }
        (PropertyValue::Array(items), PathElement::Index(index)) => restore_index(items, old, *index, rest),
        _ => {}
    }
}

fn restore_key(map: &mut PropertyMap, old: Option<&PropertyValue>, key: &str, rest: &[PathElement]) {
    let old_value = match old {
        Some(PropertyValue::Object(old)) => old.get(key),
        _ => None,
    };
    if rest.is_empty() {
        match old_value {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    } else if let Some(value) = map.get_mut(key) {
        restore(value, old_value, rest);
    }
}

fn restore_index(
    items: &mut [PropertyValue],
    old: Option<&PropertyValue>,
    index: usize,
    rest: &[PathElement],
) {
    let old_value = match old {
        Some(PropertyValue::Array(old)) => old.get(index),
        _ => None,
    };
    let Some(slot) = items.get_mut(index) else { return };
    if rest.is_empty() {
        if let Some(value) = old_value {
            *slot = value.clone();
        }
    } else {
        restore(slot, old_value, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_there_and_back() {
        for text in ["a", "a.b", "a[0].b", "a[\"b.c\"][1]", "a[*].b", "*"] {
            assert_eq!(PropertyPath::parse(text).unwrap().to_string(), text);
        }
        for text in ["a.", "a[", "a[\"x]", "a[x]", "a..b"] {
            assert!(PropertyPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ignored_changes_come_back_from_the_old_inputs() {
        let map = |pairs: &[(&str, PropertyValue)]| -> PropertyMap {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
        };
        let old = map(&[
            ("a", "old".into()),
            ("tags", map(&[("x", "1".into()), ("y", "2".into())]).into()),
            ("list", PropertyValue::Array(vec![map(&[("n", 1.0.into()), ("m", 1.0.into())]).into()])),
        ]);
        let new = map(&[
            ("a", "new".into()),
            ("b", "added".into()),
            ("tags", map(&[("x", "9".into())]).into()),
            ("list", PropertyValue::Array(vec![map(&[("n", 2.0.into()), ("m", 2.0.into())]).into()])),
        ]);
        let apply = |pattern: &str| ignore_changes(&new, &old, &[PropertyPath::parse(pattern).unwrap()]);
        assert_eq!(apply("a")["a"], "old".into());
        assert!(!apply("b").contains_key("b"));
        assert_eq!(apply("tags")["tags"], old["tags"]);
        assert_eq!(apply("tags.y")["tags"], map(&[("x", "9".into()), ("y", "2".into())]).into());
        assert_eq!(
            apply("list[*].n")["list"],
            PropertyValue::Array(vec![map(&[("n", 1.0.into()), ("m", 2.0.into())]).into()])
        );
        assert_eq!(apply("*"), old);
    }
}
