//! Draws a case from a seed: a valid state, a program over it, a cloud, operations. Here is the small
//! world that they are all cut from.

mod between;
mod cloud;
mod hooks;
mod lists;
mod operations;
mod packages;
mod program;
mod remote;
mod state;
mod views;

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
    protect: bool,
    trigger: bool,
    in_state: bool,
    /// Whether the state waits for its replacement: an earlier run deleted it.
    waits: bool,
    in_program: bool,
    /// Whether the program makes none of its properties from others any more.
    loose: bool,
    /// Whether a plugin makes it, with a child.
    remote: bool,
    /// The version of its package in the state; empty for none.
    version: &'static str,
    /// Whether it is of an extension of its package.
    extends: bool,
    /// Its views in the state, by the letter in which their names end.
    views: Vec<(char, usize)>,
    /// Its hooks: kinds and names.
    hooks: Vec<(&'static str, &'static str)>,
    /// Whether its state was taken over, by the id that it has.
    imported: bool,
}

impl Res {
    /// The id of its old state. New ones are not called like one that is gone.
    fn id(&self) -> String {
        if self.waits { format!("gone-{}", self.name) } else { format!("{}-1", self.name) }
    }

    /// The output of its old state from which others make properties.
    fn out(&self) -> String {
        if self.remote { format!("{}-child-1/out", self.name) } else { format!("{}/out", self.id()) }
    }

    /// Whether it has an output from which others may make properties.
    fn gives(&self) -> bool {
        self.kind == Kind::Custom || self.remote
    }
}

/// What a world has besides what all have.
#[derive(Clone, Copy, Debug)]
struct Themes {
    hooks: bool,
    views: bool,
    remotes: bool,
    /// Packages with versions, made from plugins, extensions, stashes.
    packages: bool,
    /// Names that providers make up.
    naming: bool,
    /// Edits of the state between operations.
    edits: bool,
    /// Creates of an earlier run whose outcome nobody knows.
    pendings: bool,
}

/// The world of a seed.
pub struct World {
    choices: Choices,
    all: Vec<Res>,
    stack: bool,
    state: String,
    cloud: String,
    program: String,
    /// What the program reads or takes over by its old id, and what may get another name: never both,
    /// since the program would read what it lets go itself.
    read: BTreeSet<String>,
    aliased: BTreeSet<String>,
    /// What an old copy in the state is of.
    copied: BTreeSet<String>,
    /// How many programs there were before.
    programs: usize,
    /// Whether nothing has been drawn that can go wrong.
    calm: bool,
    themes: Themes,
    /// Creates that the state has pending, by the names of their resources, with the ids of what
    /// they made.
    pendings: Vec<(String, String)>,
}

/// The text of the case of a seed.
pub fn case(seed: u64) -> String {
    let mut choices = Choices::new(seed);
    // One in three has nothing go wrong: what such a run leaves can be told in advance.
    let calm = choices.one_in(3);
    let stack = !choices.one_in(4);
    let mut theme = |odds| choices.one_in(odds);
    let themes = Themes {
        hooks: theme(4),
        views: theme(6),
        remotes: theme(5),
        packages: theme(4),
        naming: theme(10),
        edits: theme(4),
        pendings: theme(8),
    };
    let mut world = World {
        choices,
        all: Vec::new(),
        stack,
        state: String::new(),
        cloud: String::new(),
        program: String::new(),
        read: BTreeSet::new(),
        aliased: BTreeSet::new(),
        copied: BTreeSet::new(),
        programs: 0,
        calm,
        themes,
        pendings: Vec::new(),
    };
    let count = 11 + world.choices.below(10);
    for number in 0..count {
        let res = world.resource(number);
        world.all.push(res);
    }
    world.write_cloud();
    world.write_state();
    world.write_program();
    let program = world.program.clone();
    let operations = world.operations();
    let constructs = world.constructs();
    format!(
        "=== seed {seed}\ncloud\n{}{constructs}state\n{}program parallel\n{program}{operations}",
        world.cloud, world.state
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
        let package = self.package(kind);
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
            let wanted = |res: &Res| match tie {
                Tie::Depends => true,
                Tie::Property(_) => res.gives(),
                _ => res.kind == Kind::Custom,
            };
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
        if package == packages::STASH {
            own.insert("input", "1".into());
        }
        let waits = kind == Kind::Custom && self.choices.one_in(25);
        let version = self.version(kind, package, provider.is_some());
        Res {
            name: format!("{letter}{number}"),
            kind,
            package,
            parent,
            provider,
            ties,
            own,
            protect: self.choices.one_in(9),
            trigger: self.choices.one_in(8),
            in_state: !self.choices.one_in(5),
            waits,
            in_program: !self.choices.one_in(7),
            loose: self.choices.one_in(8),
            remote: self.themes.remotes && kind == Kind::Component && self.choices.one_in(2),
            version,
            extends: self.themes.packages && kind == Kind::Custom && self.choices.one_in(6),
            views: if waits { Vec::new() } else { self.views(kind) },
            hooks: self.hooks(kind),
            imported: kind == Kind::Custom && !waits && self.choices.one_in(25),
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
