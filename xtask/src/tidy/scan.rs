//! A reader of Rust sources that knows enough to measure them: comments, literals, braces.

/// A source with comments and the insides of literals blanked out. Lines stay where they are.
pub(crate) fn blanked(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            for byte in &mut out[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where a comment or literal that starts at a place ends; the place itself if none starts there.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment(rest);
    }
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest.first() {
        Some(b'r' | b'b' | b'c') if !in_word => match raw_string(rest) {
            0 => at,
            length => at + length,
        },
        Some(b'"') => at + quoted(rest, b'"'),
        Some(b'\'') => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a raw string; 0 if it isn't one.
fn raw_string(rest: &[u8]) -> usize {
    let mut at = usize::from(rest[0] != b'r');
    if rest.get(at) != Some(&b'r') {
        return 0;
    }
    at += 1;
    let hashes = rest[at..].iter().take_while(|b| **b == b'#').count();
    at += hashes;
    if rest.get(at) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let body = &rest[at + 1..];
    let found = body.windows(close.len()).position(|window| window == close);
    found.map_or(rest.len(), |found| at + 1 + found + close.len())
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character; 0 if it is a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]).into_owned();
    let length = text.chars().next().map_or(0, char::len_utf8);
    if length > 0 && rest.get(1 + length) == Some(&b'\'') { length + 2 } else { 0 }
}

/// A blanked source without the modules that only tests have.
pub(crate) fn without_tests(blanked: &str) -> String {
    let mut out = blanked.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find("#[cfg(test)]") {
        let start = from + found;
        let after = start + "#[cfg(test)]".len();
        let end = item_end(&out, after);
        out.replace_range(start..end, "");
        from = start;
    }
    out
}

/// Where the item that starts at a place ends: after its block, or its semicolon.
fn item_end(text: &str, from: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// A function of a source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line that it starts at, from 1.
    pub(crate) line: usize,
    /// How many lines it has, empty ones and comments not counted.
    pub(crate) lines: usize,
}

/// The functions of a blanked source.
pub(crate) fn functions(blanked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = blanked[at..].find("fn ") {
        let start = at + offset;
        at = start + 3;
        let before = blanked[..start].bytes().next_back();
        if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let name: String =
            blanked[at..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue;
        }
        let end = item_end(blanked, at);
        if blanked[..end].ends_with('}') {
            let lines = blanked[start..end].lines().filter(|line| !line.trim().is_empty()).count();
            found.push(Function { name, line: blanked[..start].matches('\n').count() + 1, lines });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let source =
            "let a = \"{ // no\"; // {\nlet b = r#\"{\" }\"#; /* { /* } */ */ let c = '{'; f::<'a>('\\'');";
        let blank = blanked(source);
        assert_eq!(blank.len(), source.len());
        assert!(!blank.contains(['{', '}', '"']), "{blank}");
        assert!(
            blank.contains("let b =") && blank.contains("let c =") && blank.contains("f::<'a>("),
            "{blank}"
        );
    }

    #[test]
    fn functions_are_measured_without_empty_lines_and_comments() {
        let source = "fn a() {\n    // one\n\n    if x { y(); }\n}\n\ntrait T { fn b(&self); }\nimpl S {\n    fn c() -> u8 { 1 }\n}\n";
        let found = functions(&blanked(source));
        let short: Vec<(&str, usize, usize)> =
            found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(short, [("a", 1, 3), ("c", 9, 1)]);
    }

    #[test]
    fn tests_do_not_count() {
        let source =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod more;\nfn c() {}\n";
        let left = without_tests(&blanked(source));
        assert!(!left.contains("fn b") && !left.contains("more") && left.contains("fn c"), "{left}");
        assert_eq!(left.lines().count(), 4);
    }
}
