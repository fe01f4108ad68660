//! Patterns of paths: `*` for anything but `/`, `**` for anything, `?` for one character but `/`,
//! `[abc]`, `[a-z]` and `[!abc]` for one character of a set, `{one,two}` for alternatives, and
//! `\` before a character that is meant as it is.

/// A pattern taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    One,
    Within,
    Anything,
    Set { negated: bool, ranges: Vec<(char, char)> },
    Either(Vec<Vec<Part>>),
}

impl Pattern {
    /// Takes a pattern apart. `Err` says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let parts = sequence(&chars, &mut at, false).map_err(|why| format!("pattern \"{text}\": {why}"))?;
        Ok(Pattern(parts))
    }

    /// Whether a path fits.
    pub(super) fn matches(&self, path: &str) -> bool {
        let chars: Vec<char> = path.chars().collect();
        fits(&self.0, &chars, &|rest| rest.is_empty())
    }
}

fn sequence(chars: &[char], at: &mut usize, nested: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    while let Some(&char) = chars.get(*at) {
        if nested && matches!(char, ',' | '}') {
            return Ok(parts);
        }
        *at += 1;
        parts.push(match char {
            '?' => Part::One,
            '*' => {
                let mut stars = 1;
                while chars.get(*at) == Some(&'*') {
                    *at += 1;
                    stars += 1;
                }
                if stars > 1 { Part::Anything } else { Part::Within }
            }
            '[' => set(chars, at)?,
            '{' => either(chars, at)?,
            '\\' => {
                let escaped = *chars.get(*at).ok_or("nothing follows the last backslash")?;
                *at += 1;
                Part::Char(escaped)
            }
            other => Part::Char(other),
        });
    }
    if nested { Err("an opening brace has no closing one".to_owned()) } else { Ok(parts) }
}

fn either(chars: &[char], at: &mut usize) -> Result<Part, String> {
    let mut choices = Vec::new();
    loop {
        choices.push(sequence(chars, at, true)?);
        let closing = chars.get(*at) == Some(&'}');
        *at += 1;
        if closing {
            return Ok(Part::Either(choices));
        }
    }
}

fn set(chars: &[char], at: &mut usize) -> Result<Part, String> {
    let open = || "an opening bracket has no closing one".to_owned();
    let negated = chars.get(*at) == Some(&'!');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let mut char = *chars.get(*at).ok_or_else(open)?;
        *at += 1;
        match char {
            ']' if ranges.is_empty() => return Err("a set has no characters".to_owned()),
            ']' => return Ok(Part::Set { negated, ranges }),
            '\\' => {
                char = *chars.get(*at).ok_or_else(open)?;
                *at += 1;
            }
            _ => {}
        }
        match (chars.get(*at), chars.get(*at + 1)) {
            (Some('-'), Some(&last)) if last != ']' => {
                *at += 2;
                ranges.push((char, last));
            }
            _ => ranges.push((char, char)),
        }
    }
}

/// Whether the parts fit a beginning of `text` after which `rest` accepts what remains.
fn fits(parts: &[Part], text: &[char], rest: &dyn Fn(&[char]) -> bool) -> bool {
    let Some((part, later)) = parts.split_first() else {
        return rest(text);
    };
    let one = |accepted: &dyn Fn(char) -> bool| {
        text.split_first().is_some_and(|(first, tail)| accepted(*first) && fits(later, tail, rest))
    };
    match part {
        Part::Char(char) => one(&|c| c == *char),
        Part::One => one(&|c| c != '/'),
        Part::Set { negated, ranges } => {
            one(&|c| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated)
        }
        Part::Within => {
            let most = text.iter().position(|c| *c == '/').unwrap_or(text.len());
            (0..=most).any(|count| fits(later, &text[count..], rest))
        }
        Part::Anything => (0..=text.len()).any(|count| fits(later, &text[count..], rest)),
        Part::Either(choices) => {
            choices.iter().any(|choice| fits(choice, text, &|remaining| fits(later, remaining, rest)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_what_they_should() {
        let cases = [
            ("assets/**", "assets/logos/logo.svg", true),
            ("src/**.js", "src/a/b.js", true),
            ("src/*.js", "src/a/b.js", false),
            ("*", "a.txt", true),
            ("*", "sub/b", false),
            ("**", "sub/b", true),
            ("**secret.*", "src/secret.js", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("*.{js,ts}", "a.ts", true),
            ("*.{js,t{s,sx}}", "a.tsx", true),
            ("*.{js,ts}", "a.tsx", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("a", "", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["[a", "{a,b", "[]", r"a\"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
