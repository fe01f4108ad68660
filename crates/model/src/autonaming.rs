//! How providers are to make up the names of resources.

use std::collections::BTreeMap;

use crate::urn::package_of_type;

/// A way to make up names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// The provider's own.
    #[default]
    Default,
    /// The resource's name as it is.
    Verbatim,
    /// None: the program has to give names.
    Disabled,
    /// A pattern.
    Pattern {
        /// The pattern: text with expressions such as `${name}` and `${hex(8)}`.
        pattern: String,
        /// Whether the provider has to take the name as it is.
        enforce: bool,
    },
}

/// How the resources of a package are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageNaming {
    /// Those that no entry is about.
    pub default: Naming,
    /// Whether `default` was given for this package, rather than for all.
    pub specific: bool,
    /// By type token.
    pub resources: BTreeMap<String, Naming>,
}

/// How resources are named; the most specific way that is given counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autonaming {
    /// Resources of packages that no entry is about.
    pub default: Naming,
    /// By package.
    pub packages: BTreeMap<String, PackageNaming>,
}

impl Autonaming {
    /// The way in which resources of a type are named, and whether it was chosen for the type or its
    /// package.
    pub fn of_type(&self, ty: &str) -> (&Naming, bool) {
        let Some(package) = self.packages.get(package_of_type(ty)) else { return (&self.default, false) };
        match package.resources.get(ty) {
            Some(naming) => (naming, true),
            None => (&package.default, package.specific),
        }
    }

    /// Whether a new resource of a type gets the name of the one that it replaces, which must be
    /// deleted first.
    pub fn deletes_first(&self, ty: &str) -> bool {
        match self.of_type(ty).0 {
            Naming::Default => false,
            Naming::Verbatim | Naming::Disabled => true,
            Naming::Pattern { pattern, .. } => !Chance::ALL.iter().any(|kind| kind.find(pattern).is_some()),
        }
    }
}

/// An expression of a pattern that stands for something drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// `${hex(n)}`: hexadecimal digits.
    Hex,
    /// `${alphanum(n)}`: lower-case letters and digits.
    Alphanum,
    /// `${string(n)}`: lower-case letters.
    Letters,
    /// `${num(n)}`: digits.
    Digits,
    /// `${uuid}`: a UUID.
    Uuid,
}

/// Where an expression stands in a pattern, and how many characters it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first byte.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// How many characters.
    pub count: usize,
}

impl Chance {
    /// All kinds, in the order in which they are drawn.
    pub const ALL: [Chance; 5] =
        [Chance::Hex, Chance::Alphanum, Chance::Letters, Chance::Digits, Chance::Uuid];

    fn opening(self) -> &'static str {
        match self {
            Chance::Hex => "${hex(",
            Chance::Alphanum => "${alphanum(",
            Chance::Letters => "${string(",
            Chance::Digits => "${num(",
            Chance::Uuid => "${uuid}",
        }
    }

    /// The first expression of the kind.
    pub fn find(self, pattern: &str) -> Option<Found> {
        let opening = self.opening();
        let mut from = 0;
        while let Some(at) = pattern[from..].find(opening) {
            let (start, inner) = (from + at, from + at + opening.len());
            if self == Chance::Uuid {
                return Some(Found { start, end: inner, count: 36 });
            }
            let digits = pattern[inner..].bytes().take_while(u8::is_ascii_digit).count();
            let count = pattern[inner..inner + digits].parse().ok();
            if let (Some(count), true) = (count, pattern[inner + digits..].starts_with(")}")) {
                return Some(Found { start, end: inner + digits + 2, count });
            }
            from = inner;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Naming {
        Naming::Pattern { pattern: text.to_owned(), enforce: false }
    }

    #[test]
    fn the_most_specific_way_counts() {
        let aws = PackageNaming {
            default: Naming::Disabled,
            specific: true,
            resources: BTreeMap::from([("aws:s3/bucket:Bucket".to_owned(), pattern("b"))]),
        };
        let naming =
            Autonaming { default: Naming::Verbatim, packages: BTreeMap::from([("aws".to_owned(), aws)]) };
        assert_eq!(naming.of_type("aws:s3/bucket:Bucket"), (&pattern("b"), true));
        assert_eq!(naming.of_type("aws:s3/object:Object"), (&Naming::Disabled, true));
        assert_eq!(naming.of_type("gcp:a:B"), (&Naming::Verbatim, false));
    }

    #[test]
    fn names_without_anything_drawn_are_taken_twice() {
        let cases = [
            ("${name}", true),
            ("${name}-${hex(4)}", false),
            ("${alphanum(1)}", false),
            ("${string(2)}x", false),
            ("${num(3)}", false),
            ("${uuid}", false),
            ("${hex()}${hex(x)}${random(8)}", true),
            ("${hex(}${hex(0)}", false),
        ];
        for (text, expected) in cases {
            let naming = Autonaming { default: pattern(text), packages: BTreeMap::new() };
            assert_eq!(naming.deletes_first("a:b:C"), expected, "{text}");
        }
        let of = |default| Autonaming { default, packages: BTreeMap::new() }.deletes_first("a:b:C");
        assert!(of(Naming::Verbatim) && of(Naming::Disabled) && !of(Naming::Default));
    }

    #[test]
    fn expressions_are_found_where_they_are() {
        let found = Chance::Hex.find("a${hex(x)}${hex(12)}b").unwrap();
        assert_eq!((found.start, found.end, found.count), (10, 20, 12));
        assert_eq!(Chance::Hex.find("${hex(99999999999999999999999)}"), None);
    }
}
