//! Draws a case from a seed: a valid state, a program over it, a cloud, operations. Here is the small
//! world that they are all cut from.

mod cloud;
mod operations;
mod program;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::lab::gate::Choices;

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Component,
    Provider,
    Custom,
}

/// How one resource refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    /// A property made from it; its name says what a change of it does.
    Property(&'static str),
    Depends,
    DeletedWith,
    ReplaceWith,
}

/// A resource of the small world that state and program are cut from.
#[derive(Clone, Debug)]
struct Res {
    name: String,
    kind: Kind,
    /// The package; of a custom resource also the type's.
    package: &'static str,
    parent: Option<usize>,
    provider: Option<usize>,
    ties: Vec<(Tie, usize)>,
    own: BTreeMap<&'static str, String>,
    trigger: bool,
    in_state: bool,
    /// Whether the state waits for its replacement: an earlier run deleted it.
    waits: bool,
    in_program: bool,
    /// Whether the program makes none of its properties from others any more.
    loose: bool,
}

impl Res {
    /// The id of its old state. New ones are not called like one that is gone.
    fn id(&self) -> String {
        if self.waits { format!("gone-{}", self.name) } else { format!("{}-1", self.name) }
    }
}

/// The world of a seed.
pub struct World {
    choices: Choices,
    all: Vec<Res>,
    stack: bool,
    state: String,
    cloud: String,
    program: String,
    /// What the program reads by its old id, and what an alias may take: never both, since the program
    /// would read what it lets go itself.
    read: BTreeSet<String>,
    aliased: BTreeSet<String>,
    /// Whether something has been drawn that can go wrong.
    calm: bool,
}

/// The text of the case of a seed.
pub fn case(seed: u64) -> String {
    let mut choices = Choices::new(seed);
    // One in three has nothing go wrong: what such a run leaves can be told in advance.
    let calm = choices.one_in(3);
    let stack = !choices.one_in(4);
    let mut world = World {
        choices,
        all: Vec::new(),
        stack,
        state: String::new(),
        cloud: String::new(),
        program: String::new(),
        read: BTreeSet::new(),
        aliased: BTreeSet::new(),
        calm,
    };
    let count = 11 + world.choices.below(10);
    for number in 0..count {
        let res = world.resource(number);
        world.all.push(res);
    }
    world.write_cloud();
    world.write_state();
    world.write_program();
    let operations = world.operations();
    format!(
        "=== seed {seed}\ncloud\n{}state\n{}program parallel\n{}{operations}",
        world.cloud, world.state, world.program
    )
}

const TIES: [Tie; 13] = [
    Tie::Property("f"),
    Tie::Property("f"),
    Tie::Property("f"),
    Tie::Property("g"),
    Tie::Property("h"),
    Tie::Property("h"),
    Tie::Property("w"),
    Tie::Depends,
    Tie::Depends,
    Tie::Depends,
    Tie::Depends,
    Tie::DeletedWith,
    Tie::ReplaceWith,
];

impl World {
    fn resource(&mut self, number: usize) -> Res {
        let kind = match self.choices.below(20) {
            0 | 1 => Kind::Component,
            2 => Kind::Provider,
            _ => Kind::Custom,
        };
        let package = if self.choices.one_in(6) { "u" } else { "t" };
        let letter = match kind {
            Kind::Component => 'c',
            Kind::Provider => 'p',
            Kind::Custom => 'r',
        };
        let parent = self.choices.one_in(4).then(|| self.one_of(|res| res.kind == Kind::Component)).flatten();
        let parent = parent.or_else(|| {
            self.choices.one_in(20).then(|| self.one_of(|res| res.kind == Kind::Custom)).flatten()
        });
        let provider = (kind == Kind::Custom && self.choices.one_in(2))
            .then(|| self.one_of(|res| res.kind == Kind::Provider && res.package == package))
            .flatten();
        let mut ties = Vec::new();
        for _ in 0..self.choices.below(4) {
            let tie = self.choices.pick(&TIES).copied().unwrap_or(Tie::Depends);
            let wanted = |res: &Res| res.kind == Kind::Custom || tie == Tie::Depends;
            if let Some(other) = self.one_of(wanted)
                && !ties.iter().any(|(known, _)| *known == tie && tie != Tie::Depends)
            {
                ties.push((tie, other));
            }
        }
        let mut own = BTreeMap::new();
        own.insert("k", "1".to_owned());
        for (property, odds) in [("z", 3), ("d", 3), ("s", 4), ("region", 3)] {
            if self.choices.one_in(odds) && (property == "region") == (kind == Kind::Provider) {
                own.insert(
                    property,
                    if property == "s" { format!("secret(hush-{number})") } else { "1".into() },
                );
            }
        }
        Res {
            name: format!("{letter}{number}"),
            kind,
            package,
            parent,
            provider,
            ties,
            own,
            trigger: self.choices.one_in(8),
            in_state: !self.choices.one_in(5),
            waits: kind == Kind::Custom && self.choices.one_in(25),
            in_program: !self.choices.one_in(7),
            loose: self.choices.one_in(8),
        }
    }

    fn one_of(&mut self, wanted: impl Fn(&Res) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.all.len()).filter(|at| wanted(&self.all[*at])).collect();
        self.choices.pick(&found).copied()
    }

    fn line(text: &mut String, line: &str) {
        let _ = writeln!(text, "  {line}");
    }

    /// The names that ties of a kind lead to, of those that are there.
    fn tied(&self, at: usize, wanted: Tie, there: impl Fn(&Res) -> bool) -> Vec<String> {
        let ties = self.all[at].ties.iter().filter(|(tie, other)| *tie == wanted && there(&self.all[*other]));
        ties.map(|(_, other)| self.all[*other].name.clone()).collect()
    }

    fn there(&self, other: Option<usize>) -> Option<&Res> {
        other.map(|other| &self.all[other]).filter(|other| other.in_state)
    }
}
