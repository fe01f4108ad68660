//! Sets of resources as a user names them: URNs and patterns.

use std::collections::BTreeSet;

use purlin_model::Urn;

/// A set of resources: some are named in full, some by patterns. In a pattern `*` stands for any run
/// of characters but colons, and `**` for any run at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrnSet {
    literals: BTreeSet<String>,
    patterns: Vec<Pattern>,
}

impl UrnSet {
    /// The set that some texts name; a text with a `*` is a pattern.
    pub fn new(texts: impl IntoIterator<Item = impl AsRef<str>>) -> UrnSet {
        let mut set = UrnSet::default();
        for text in texts {
            let text = text.as_ref();
            if text.contains('*') {
                set.patterns.push(Pattern::new(text));
            } else {
                set.literals.insert(text.to_owned());
            }
        }
        set
    }

    /// Whether nobody named anything.
    pub fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.patterns.is_empty()
    }

    /// Whether a resource is named.
    pub fn contains(&self, urn: &Urn) -> bool {
        self.literals.contains(urn.as_str()) || self.patterns.iter().any(|p| p.matches(urn.as_str()))
    }

    /// What is named in full, in order.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.literals.iter().map(String::as_str)
    }
}

/// Which resources an operation is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Only these, if there are any.
    pub only: UrnSet,
    /// Whether what depends on them is meant, too.
    pub with_dependents: bool,
    /// All but these. Without a meaning where `only` names some.
    pub except: UrnSet,
    /// Whether what depends on them is left alone, too.
    pub except_dependents: bool,
    /// Those that are replaced whether they changed or not.
    pub replace: UrnSet,
}

impl Targets {
    /// Whether anything is left alone.
    pub fn limits(&self) -> bool {
        !(self.only.is_empty() && self.except.is_empty())
    }
}

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This character.
    Char(char),
    /// Any run without colons.
    Run,
    /// Any run.
    Anything,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<Part>);

impl Pattern {
    fn new(text: &str) -> Pattern {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (part, length) = match (c, rest.starts_with("**")) {
                (_, true) => (Part::Anything, 2),
                ('*', false) => (Part::Run, 1),
                _ => (Part::Char(c), c.len_utf8()),
            };
            parts.push(part);
            rest = &rest[length..];
        }
        Pattern(parts)
    }

    /// Follows all ways to match at once: `alive[n]` says whether the first `n` parts may have matched
    /// what was read. So the time is bounded whatever the pattern.
    fn matches(&self, text: &str) -> bool {
        let mut alive = vec![false; self.0.len() + 1];
        alive[0] = true;
        self.skip_runs(&mut alive);
        for c in text.chars() {
            let mut next = vec![false; alive.len()];
            for (at, part) in self.0.iter().enumerate().filter(|(at, _)| alive[*at]) {
                match part {
                    Part::Char(wanted) if *wanted == c => next[at + 1] = true,
                    Part::Anything => next[at] = true,
                    Part::Run if c != ':' => next[at] = true,
                    _ => {}
                }
            }
            self.skip_runs(&mut next);
            alive = next;
        }
        alive.last() == Some(&true)
    }

    /// A run may be empty.
    fn skip_runs(&self, alive: &mut [bool]) {
        for (at, part) in self.0.iter().enumerate() {
            if alive[at] && !matches!(part, Part::Char(_)) {
                alive[at + 1] = true;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn urn(rest: &str) -> Urn {
        Urn::parse(&format!("urn:pulumi:dev::shop::{rest}")).unwrap()
    }

    #[test]
    fn one_star_stops_at_colons_and_two_do_not() {
        let set = UrnSet::new(["urn:pulumi:dev::shop::a:b:C::*"]);
        assert!(set.contains(&urn("a:b:C::x")));
        assert!(set.contains(&urn("a:b:C::")));
        assert!(!set.contains(&urn("a:b:C::x::y")));
        assert!(!set.contains(&urn("p:q:R$a:b:C::x")));
        assert!(UrnSet::new(["**::x"]).contains(&urn("a:b:C::x")));
        assert!(!UrnSet::new(["*::x"]).contains(&urn("a:b:C::x")));
        assert!(UrnSet::new(["**b**"]).contains(&urn("a:b:C::x")));
        assert!(UrnSet::new(["**"]).contains(&urn("a:b:C::x")));
        assert!(UrnSet::new(["urn:*:dev::shop::**::x*"]).contains(&urn("a:b:C::xyz")));
    }

    #[test]
    fn three_stars_are_two_and_one() {
        assert!(UrnSet::new(["***x"]).contains(&urn("a:b:C::x")));
        assert!(!UrnSet::new(["***x"]).contains(&urn("a:b:C::y")));
    }

    #[test]
    fn all_but_stars_stands_for_itself() {
        assert!(!UrnSet::new(["**a.b**"]).contains(&urn("a:b:C::axb")));
        assert!(UrnSet::new(["**a.b(ü**"]).contains(&urn("a:b:C::xa.b(üx")));
    }

    #[test]
    fn what_is_named_in_full_is_listed() {
        let set = UrnSet::new(["b", "a", "**"]);
        assert_eq!(set.literals().collect::<Vec<_>>(), ["a", "b"]);
        assert!(!set.is_empty());
        assert!(UrnSet::default().is_empty());
        assert!(!UrnSet::default().contains(&urn("a:b:C::x")));
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time_to_speak_of() {
        let pattern = format!("**{}b", "a*".repeat(40));
        assert!(!UrnSet::new([pattern]).contains(&urn(&format!("a:b:C::{}", "a".repeat(400)))));
    }
}
