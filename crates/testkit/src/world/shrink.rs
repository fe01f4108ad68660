//! Makes a case that breaks something smaller, as long as it breaks the same thing.

use super::play;

/// What a violation is about, without names and numbers.
pub fn kind(violation: &str) -> String {
    let word = |word: &&str| {
        word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, ',' | ':' | '-')) && word.len() > 1
    };
    violation.split_whitespace().filter(word).take(5).collect::<Vec<_>>().join(" ")
}

/// The smallest case that was found with the same violation, within so many tries.
pub fn shrink(text: &str, violation: &str, tries: usize) -> String {
    let wanted = kind(violation);
    let mut left = tries;
    let mut breaks = |text: &str| {
        if left == 0 {
            return false;
        }
        left -= 1;
        let outcome = std::panic::catch_unwind(|| play(text));
        matches!(outcome, Ok(Ok(outcome)) if outcome.violations.iter().any(|found| kind(found) == wanted))
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    loop {
        let before = lines.clone();
        shrink_lines(&mut lines, &mut breaks);
        shrink_words(&mut lines, &mut breaks);
        if lines == before {
            break;
        }
    }
    lines.join("\n") + "\n"
}

fn shrink_lines(lines: &mut Vec<String>, breaks: &mut impl FnMut(&str) -> bool) {
    let mut size = (lines.len() / 2).max(1);
    loop {
        let mut at = 1;
        while at < lines.len() {
            let mut fewer = lines.clone();
            let end = (at + size).min(lines.len());
            fewer.drain(at..end);
            // A block goes whole: its lines mean something else in the one before.
            let inside = |line: Option<&String>| line.is_some_and(|line| line.starts_with(' '));
            let split = inside(lines.get(end)) && lines[at..end].iter().any(|line| !inside(Some(line)));
            if !split && breaks(&(fewer.join("\n") + "\n")) {
                *lines = fewer;
            } else {
                at += size;
            }
        }
        if size == 1 {
            return;
        }
        size /= 2;
    }
}

fn shrink_words(lines: &mut [String], breaks: &mut impl FnMut(&str) -> bool) {
    for at in (1..lines.len()).rev() {
        let mut number = crate::lab::text::words(&lines[at]).len();
        while number > 1 {
            number -= 1;
            let indent = if lines[at].starts_with(' ') { "  " } else { "" };
            let mut words = crate::lab::text::words(&lines[at]);
            if number >= words.len() {
                continue;
            }
            words.remove(number);
            let own = std::mem::replace(&mut lines[at], format!("{indent}{}", words.join(" ")));
            if !breaks(&(lines.join("\n") + "\n")) {
                lines[at] = own;
            }
        }
    }
}
