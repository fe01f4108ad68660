//! References inside texts: `${name.property[0]["key"]}`.

use crate::syntax::{Access, Accessor, ExprKind, Part};

/// Reads a text. `$$` stands for one `$`.
pub(super) fn text(source: &str) -> Result<ExprKind, &'static str> {
    if !source.contains('$') {
        return Ok(ExprKind::Text(source.to_owned()));
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = source;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("$$") {
            plain.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let (access, after) = access(after)?;
            parts.push(Part { text: std::mem::take(&mut plain), value: Some(access) });
            rest = after;
        } else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            let end = rest[first..].find('$').map_or(rest.len(), |at| first + at);
            plain.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    if parts.is_empty() {
        return Ok(ExprKind::Text(plain));
    }
    let alone = plain.is_empty() && parts.len() == 1 && parts[0].text.is_empty();
    if alone && let Some(access) = parts.pop().and_then(|part| part.value) {
        return Ok(ExprKind::Symbol(access));
    }
    if !plain.is_empty() {
        parts.push(Part { text: plain, value: None });
    }
    Ok(ExprKind::Interpolate(parts))
}

/// Reads a reference up to and with its closing brace; gives what follows it.
fn access(source: &str) -> Result<(Access, &str), &'static str> {
    const UNCLOSED: &str = "the reference is not closed: \"}\" is missing";
    let mut steps: Vec<Accessor> = Vec::new();
    let mut rest = source;
    loop {
        let Some(first) = rest.chars().next() else { return Err(UNCLOSED) };
        match first {
            '}' => {
                let mut steps = steps.into_iter();
                let root = match steps.next() {
                    None => return Err("the reference is empty"),
                    Some(Accessor::Name(name) | Accessor::Key(name)) => name,
                    Some(Accessor::Index(_)) => return Err(BAD_ROOT),
                };
                return Ok((Access { root, path: steps.collect() }, &rest[1..]));
            }
            '.' => rest = &rest[1..],
            '[' if rest[1..].starts_with('"') => {
                let (key, after) = quoted(&rest[2..])?;
                steps.push(Accessor::Key(key));
                rest = after.strip_prefix(']').ok_or("\"]\" is missing behind a key")?;
            }
            '[' => {
                let (digits, after) = rest[1..].split_once(']').ok_or("\"]\" is missing behind an index")?;
                if steps.is_empty() {
                    return Err(BAD_ROOT);
                }
                let index = digits.parse().map_err(|_| "an index must be a whole number, a key quoted")?;
                steps.push(Accessor::Index(index));
                rest = after;
            }
            _ => {
                let end = rest.find(['.', '[', '}']).ok_or(UNCLOSED)?;
                steps.push(Accessor::Name(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
    }
}

const BAD_ROOT: &str = "a reference must begin with a name or a quoted key";

/// Reads a key up to and with its closing quote.
fn quoted(source: &str) -> Result<(String, &str), &'static str> {
    let mut key = String::new();
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((key, &source[at + 1..])),
            '\\' if source[at + 1..].starts_with('"') => {
                key.push('"');
                chars.next();
            }
            c => key.push(c),
        }
    }
    Err("the closing quote of a key is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> String {
        match text(source) {
            Err(problem) => format!("! {problem}"),
            Ok(ExprKind::Text(text)) => format!("text {text}"),
            Ok(ExprKind::Symbol(access)) => format!("symbol {access}"),
            Ok(ExprKind::Interpolate(parts)) => {
                let parts = parts.iter().map(|part| match &part.value {
                    Some(access) => format!("{}<{access}>", part.text),
                    None => part.text.clone(),
                });
                format!("mix {}", parts.collect::<String>())
            }
            Ok(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn texts_symbols_and_mixtures() {
        let table = [
            ("", "text "),
            ("a b", "text a b"),
            ("$5 é$", "text $5 é$"),
            ("$${x}", "text ${x}"),
            ("$$$${x}", "text $${x}"),
            ("$$${x}", "mix $<x>"),
            ("${x}", "symbol x"),
            ("${x.y[0][\"k.\\\"z\"].w}", "symbol x.y[0][\"k.\\\"z\"].w"),
            ("${[\"odd name\"].a}", "symbol odd name.a"),
            ("${aws:region}", "symbol aws:region"),
            ("é${x}ü${y.z}", "mix é<x>ü<y.z>"),
            ("${x}!", "mix <x>!"),
        ];
        for (source, expected) in table {
            assert_eq!(shown(source), expected, "{source}");
        }
    }

    #[test]
    fn broken_references_say_what_is_missing() {
        let table = [
            ("${x", "! the reference is not closed: \"}\" is missing"),
            ("${", "! the reference is not closed: \"}\" is missing"),
            ("${}", "! the reference is empty"),
            ("${[0]}", "! a reference must begin with a name or a quoted key"),
            ("${x[\"a}", "! the closing quote of a key is missing"),
            ("${x[\"a\"}", "! \"]\" is missing behind a key"),
            ("${x[0}", "! \"]\" is missing behind an index"),
            ("${x[-1]}", "! an index must be a whole number, a key quoted"),
        ];
        for (source, expected) in table {
            assert_eq!(shown(source), expected, "{source}");
        }
    }
}
