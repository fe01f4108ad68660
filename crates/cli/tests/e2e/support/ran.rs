//! A finished run of the binary.

use std::path::Path;

use serde_json::Value;

/// A finished run of the binary.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// What was run, for messages.
    pub(crate) command: String,
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// Goes on only after this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON document: {e}\n{self}"))
    }

    /// Standard output as JSON documents, one a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON: {e}: {line}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Both outputs.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Both outputs with what differs from run to run replaced: the sealed folder, durations, moments,
    /// the provider's random ids.
    pub(crate) fn normalised(&self, root: &Path) -> String {
        let text = self.output().replace(&*root.to_string_lossy(), "[root]");
        text.lines().map(normalise_line).collect::<Vec<_>>().join("\n")
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "`{}` ended with {:?}", self.command, self.code)?;
        writeln!(f, "--- standard output\n{}\n--- standard error\n{}", self.stdout, self.stderr)
    }
}

fn normalise_line(line: &str) -> String {
    line.trim_end().split(' ').map(normalise_word).collect::<Vec<_>>().join(" ")
}

fn normalise_word(word: &str) -> String {
    let inner = word.trim_matches(|c: char| "()[],.:\"'".contains(c));
    let Some(start) = word.find(inner) else { return word.to_owned() };
    let replace = |new: &str| format!("{}{new}{}", &word[..start], &word[start + inner.len()..]);
    if is_duration(inner) {
        return replace("[time]");
    }
    if is_moment(inner) {
        return replace("[moment]");
    }
    match inner.rsplit_once('-') {
        Some((name, tail))
            if (7..=8).contains(&tail.len()) && tail.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            replace(&format!("{name}-[id]"))
        }
        _ => word.to_owned(),
    }
}

fn is_duration(word: &str) -> bool {
    let Some(number) = ["ms", "µs", "m", "s"].iter().find_map(|unit| word.strip_suffix(unit)) else {
        return false;
    };
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_moment(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 19 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' && bytes[13] == b':'
}

#[cfg(test)]
mod tests {
    use super::normalise_line;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        assert_eq!(normalise_line("created (1.5s)"), "created ([time])");
        assert_eq!(normalise_line("Duration: 3s"), "Duration: [time]");
        assert_eq!(
            normalise_line("id first-0a1b2c3d, at 2026-01-02T03:04:05Z"),
            "id first-[id], at [moment]"
        );
        assert_eq!(normalise_line("this stays: 5 items"), "this stays: 5 items");
    }
}
