//! Words and values as cases write them.

use std::collections::BTreeMap;
use std::fmt::Write;

use purlin_model::{PropertyMap, PropertyValue};

/// A value in which other resources may be named.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A value.
    Value(PropertyValue),
    /// The id (no property) or an output of another resource.
    Ref(String, Option<String>),
    /// A list.
    Array(Vec<Expr>),
    /// An object.
    Object(BTreeMap<String, Expr>),
    /// A secret.
    Secret(Box<Expr>),
}

impl Expr {
    /// The names that it mentions.
    pub fn names(&self, names: &mut Vec<String>) {
        match self {
            Expr::Value(_) => {}
            Expr::Ref(name, _) => names.push(name.clone()),
            Expr::Array(items) => items.iter().for_each(|item| item.names(names)),
            Expr::Object(map) => map.values().for_each(|item| item.names(names)),
            Expr::Secret(inner) => inner.names(names),
        }
    }

    /// The value, with what names stand for.
    pub fn value(&self, of: &dyn Fn(&str, Option<&str>) -> PropertyValue) -> PropertyValue {
        match self {
            Expr::Value(value) => value.clone(),
            Expr::Ref(name, property) => of(name, property.as_deref()),
            Expr::Array(items) => PropertyValue::Array(items.iter().map(|item| item.value(of)).collect()),
            Expr::Object(map) => {
                PropertyValue::Object(map.iter().map(|(key, item)| (key.clone(), item.value(of))).collect())
            }
            Expr::Secret(inner) => inner.value(of).into_secret(),
        }
    }

    /// The value of something that names nothing.
    pub fn constant(&self) -> PropertyValue {
        self.value(&|_, _| PropertyValue::Unknown)
    }
}

/// Splits a line at spaces outside of quotes and brackets; `#` at the begin of a word ends it.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0i32, false, false);
    for c in line.chars() {
        if !quoted && depth <= 0 {
            if c.is_whitespace() {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            if c == '#' && word.is_empty() {
                return words;
            }
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' | '{' | '(' if !quoted => depth += 1,
            ']' | '}' | ')' if !quoted => depth -= 1,
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Reads a value: `1`, `true`, `null`, `unknown`, `"text"`, `word`, `[…]`, `{key: …}`,
/// `secret(…)`, `$name` for an id, `$name.output`.
pub fn expr(text: &str) -> Result<Expr, String> {
    let mut reader = Reader { rest: text };
    let value = reader.value()?;
    reader.space();
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("'{}' follows a value in '{text}'", reader.rest))
    }
}

/// Reads a value that names nothing.
pub fn constant(text: &str) -> Result<PropertyValue, String> {
    expr(text).map(|value| value.constant())
}

/// Reads `{key: value, …}`.
pub fn object(text: &str) -> Result<PropertyMap, String> {
    match constant(text)? {
        PropertyValue::Object(map) => Ok(map),
        _ => Err(format!("'{text}' is no object")),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, text: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) { Ok(()) } else { Err(format!("'{text}' is missing before '{}'", self.rest)) }
    }

    fn word(&mut self) -> String {
        self.space();
        let stops = |c: char| matches!(c, ',' | ']' | '}' | ')' | ':') || c.is_whitespace();
        let end = self.rest.find(stops).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn text(&mut self) -> Result<String, String> {
        let (mut text, mut escaped) = (String::new(), false);
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => {
                    text.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(format!("the text '{text}' has no end"))
    }

    fn value(&mut self) -> Result<Expr, String> {
        if self.take("[") {
            let mut items = Vec::new();
            while !self.take("]") {
                items.push(self.value()?);
                if !self.take(",") {
                    self.expect("]")?;
                    break;
                }
            }
            return Ok(Expr::Array(items));
        }
        if self.take("{") {
            return self.members().map(Expr::Object);
        }
        if self.take("secret(") {
            let inner = self.value()?;
            self.expect(")")?;
            return Ok(Expr::Secret(Box::new(inner)));
        }
        if self.take("\"") {
            return self.text().map(|text| Expr::Value(PropertyValue::String(text)));
        }
        let (start, word) = (self.rest, self.word());
        if let Some(name) = word.strip_prefix('$') {
            let (name, property) =
                name.split_once('.').map_or((name, None), |(n, p)| (n, Some(p.to_owned())));
            return Ok(Expr::Ref(name.to_owned(), property));
        }
        Ok(Expr::Value(match word.as_str() {
            "" if start.is_empty() => PropertyValue::text(""),
            "" => return Err(format!("a value is missing before '{start}'")),
            "null" => PropertyValue::Null,
            "true" => PropertyValue::Bool(true),
            "false" => PropertyValue::Bool(false),
            "unknown" => PropertyValue::Unknown,
            _ => word.parse().map_or_else(|_| PropertyValue::String(word.clone()), PropertyValue::Number),
        }))
    }

    fn members(&mut self) -> Result<BTreeMap<String, Expr>, String> {
        let mut map = BTreeMap::new();
        while !self.take("}") {
            let key = if self.take("\"") { self.text()? } else { self.word() };
            self.expect(":")?;
            map.insert(key, self.value()?);
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(map)
    }
}

/// Writes a value as cases do.
pub fn show(value: &PropertyValue, out: &mut String) {
    match value {
        PropertyValue::Null => out.push_str("null"),
        PropertyValue::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        PropertyValue::Number(number) => {
            let _ = write!(out, "{number}");
        }
        PropertyValue::String(text) => show_text(text, out),
        PropertyValue::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                show(item, out);
            }
            out.push(']');
        }
        PropertyValue::Object(map) => show_map(map, out),
        PropertyValue::Secret(inner) => {
            out.push_str("secret(");
            show(inner, out);
            out.push(')');
        }
        PropertyValue::Unknown => out.push_str("unknown"),
        PropertyValue::Reference(reference) => {
            let _ = write!(out, "reference({})", reference.urn.name());
        }
        other => {
            let _ = write!(out, "{other:?}");
        }
    }
}

/// Writes properties as cases do.
pub fn show_map(map: &PropertyMap, out: &mut String) {
    out.push('{');
    for (number, (key, item)) in map.iter().enumerate() {
        out.push_str(if number > 0 { ", " } else { "" });
        out.push_str(key);
        out.push_str(": ");
        show(item, out);
    }
    out.push('}');
}

fn show_text(text: &str, out: &mut String) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
    let word = matches!(text, "null" | "true" | "false" | "unknown") || text.parse::<f64>().is_ok();
    if !word && !text.is_empty() && text.chars().all(plain) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '"' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Properties in one line.
pub fn map_line(map: &PropertyMap) -> String {
    let mut line = String::new();
    show_map(map, &mut line);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_there_and_back() {
        for text in [
            "{a: [1, true, null], b: {c: secret(\"x y\")}, d: word, e: \"1\", f: \"\"}",
            "{}",
            "{a: unknown}",
        ] {
            assert_eq!(map_line(&object(text).unwrap()), text);
        }
        assert_eq!(expr("$a.b").unwrap(), Expr::Ref("a".into(), Some("b".into())));
        assert!(expr("[1").is_err() && expr("{a 1}").is_err() && expr("1 2").is_err());
    }

    #[test]
    fn lines_are_cut_outside_of_brackets_and_quotes() {
        assert_eq!(words("a b=[1, 2] c=\"x y\" # d"), ["a", "b=[1, 2]", "c=\"x y\""]);
    }
}
