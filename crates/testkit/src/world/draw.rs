//! Draws a case from a seed: a valid state, a program over it, a cloud, operations.

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

    fn write_cloud(&mut self) {
        let mut text = String::new();
        Self::line(&mut text, "computed out");
        Self::line(&mut text, "replaces z g");
        Self::line(&mut text, "dbr d h");
        Self::line(&mut text, "recomputed turn");
        for at in 0..self.all.len() {
            let (name, kind) = (self.all[at].name.clone(), self.all[at].kind);
            if kind == Kind::Provider && self.choices.one_in(2) {
                Self::line(&mut text, &format!("replaces {name}.region"));
            }
            if kind == Kind::Custom && self.choices.one_in(40) {
                Self::line(&mut text, &format!("refresh-before-update {name}"));
            }
        }
        for word in ["detailed *", "silent *"] {
            if self.choices.one_in(4) {
                Self::line(&mut text, word);
            }
        }
        if !self.calm {
            for _ in 0..=self.choices.below(4) {
                self.write_trouble(&mut text);
            }
        }
        self.cloud = text;
    }

    fn write_trouble(&mut self, text: &mut String) {
        let Some(at) = self.one_of(|res| res.kind == Kind::Custom) else { return };
        let name = self.all[at].name.clone();
        if self.choices.one_in(12) {
            return Self::line(text, &format!("refuses {name}.k"));
        }
        let how = ["fails", "fails", "partial", "lost", "dropped"];
        let call = ["create", "create", "update", "update", "delete", "delete", "read", "check", "diff"];
        let (how, call) = (self.choices.pick(&how).copied(), self.choices.pick(&call).copied());
        let (Some(mut how), Some(call)) = (how, call) else { return };
        if matches!(call, "check" | "diff" | "read") || (call == "delete" && how == "partial") {
            how = "fails";
        }
        let once = if self.choices.one_in(2) { " once" } else { "" };
        Self::line(text, &format!("{how} {call} {name}{once}"));
    }

    /// The names that ties of a kind lead to, of those that are there.
    fn tied(&self, at: usize, wanted: Tie, there: impl Fn(&Res) -> bool) -> Vec<String> {
        let ties = self.all[at].ties.iter().filter(|(tie, other)| *tie == wanted && there(&self.all[*other]));
        ties.map(|(_, other)| self.all[*other].name.clone()).collect()
    }

    fn write_state(&mut self) {
        let mut text = String::new();
        if self.stack {
            Self::line(&mut text, "stack");
        }
        Self::line(&mut text, "provider default @parent=none");
        Self::line(&mut text, "provider default @type=pulumi:providers:u @parent=none");
        for at in 0..self.all.len() {
            if self.all[at].in_state {
                self.write_old(at, &mut text);
            }
        }
        self.state = text;
    }

    fn there(&self, other: Option<usize>) -> Option<&Res> {
        other.map(|other| &self.all[other]).filter(|other| other.in_state)
    }

    fn write_old(&mut self, at: usize, text: &mut String) {
        let res = self.all[at].clone();
        let kind = match res.kind {
            Kind::Component => "component",
            Kind::Provider => "provider",
            Kind::Custom => "custom",
        };
        let mut options = String::new();
        let mut inputs: Vec<String> = res.own.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        if let Some(parent) = self.there(res.parent) {
            let _ = write!(options, " @parent={}", parent.name);
        }
        for (tie, other) in &res.ties {
            let other = &self.all[*other];
            if let (Tie::Property(property), true) = (tie, other.in_state) {
                let _ = write!(options, " @from={property}:{}", other.name);
                inputs.push(format!("{property}: {}/out", other.id()));
            }
        }
        for (tie, option) in
            [(Tie::Depends, "deps"), (Tie::DeletedWith, "deletedWith"), (Tie::ReplaceWith, "replaceWith")]
        {
            let names = self.tied(at, tie, |other| other.in_state);
            if !names.is_empty() {
                let _ = write!(options, " @{option}={}", names.join(","));
            }
        }
        let map = inputs.join(", ");
        let mut line = format!("{kind} {}", res.name);
        match res.kind {
            Kind::Custom => {
                let id = res.id();
                let _ = write!(line, " id={id} in={{{map}}} out={{{map}, out: {id}/out}}");
                options.push_str(if res.waits { " @pendingReplacement" } else { "" });
                if res.package == "u" {
                    options.push_str(" @type=u:m:R");
                }
                let provider = match self.there(res.provider) {
                    Some(provider) => provider.name.clone(),
                    None => format!("pulumi:providers:{}::default", res.package),
                };
                let _ = write!(options, " @provider={provider}");
                if res.trigger {
                    options.push_str(" @trigger=1");
                }
            }
            Kind::Provider => {
                let region = res.own.get("region").map(|region| format!(" in={{region: {region}}}"));
                line.push_str(&region.unwrap_or_default());
                if res.package == "u" {
                    options.push_str(" @type=pulumi:providers:u");
                }
            }
            Kind::Component => {}
        }
        if res.kind == Kind::Custom && !res.waits && self.choices.one_in(16) {
            // An earlier replacement was not deleted yet.
            let old = format!(
                "custom {} id={}-0 in={{{map}}} out={{{map}, out: old}}{options} @delete",
                res.name, res.name
            );
            Self::line(text, &old);
        }
        for (flag, odds) in [("protect", 9), ("retain", 14), ("taint", 25), ("external", 25)] {
            let fits = (res.kind == Kind::Custom && !res.waits) || flag == "protect" || flag == "retain";
            if fits && self.choices.one_in(odds) {
                let _ = write!(options, " @{flag}");
            }
        }
        if res.kind == Kind::Custom && self.choices.one_in(30) {
            options.push_str(" @error=half");
        }
        Self::line(text, &format!("{line}{options}"));
    }

    fn write_program(&mut self) {
        let mut text = String::new();
        if self.stack {
            Self::line(&mut text, "stack");
        }
        for at in 0..self.all.len() {
            if self.all[at].in_program {
                self.write_new(at, &mut text);
            }
        }
        if self.stack && self.choices.one_in(3) {
            let last = self.one_of(|res| res.in_program && res.kind == Kind::Custom);
            let value = last.map(|at| format!(" v=${}.out", self.all[at].name)).unwrap_or_default();
            Self::line(&mut text, &format!("outputs stack w=1{value}"));
        }
        if !self.calm && self.choices.one_in(25) {
            Self::line(&mut text, "fails");
        }
        self.program = text;
    }

    fn write_new(&mut self, at: usize, text: &mut String) {
        let res = self.all[at].clone();
        let mut line = match res.kind {
            Kind::Component => format!("component {}", res.name),
            Kind::Provider => format!("provider {}", res.name),
            // Now and then it becomes a component.
            Kind::Custom if self.choices.one_in(60) => {
                format!("component {} @type={}:m:R", res.name, res.package)
            }
            Kind::Custom => format!("custom {}", res.name),
        };
        if res.kind == Kind::Custom && self.choices.one_in(25) {
            let free = res.parent.is_none() && !res.waits && !self.aliased.contains(&res.name);
            let id = if res.in_state && free {
                self.read.insert(res.name.clone());
                format!("{}-1", res.name)
            } else {
                format!("real-{}", res.name)
            };
            if id.starts_with("real-") {
                Self::line(&mut self.cloud, &format!("exists {id} k=1"));
            }
            let ty = if res.package == "u" { " @type=u:m:R" } else { "" };
            return Self::line(text, &format!("read {} @id={id}{ty}", res.name));
        }
        if res.kind == Kind::Custom && self.choices.one_in(25) && !res.in_state {
            Self::line(&mut self.cloud, &format!("exists import-{} k=1 z=1", res.name));
            line.push_str(&format!(" @import=import-{}", res.name));
        }
        let (name, aliases) = self.rename(&res);
        if name != res.name {
            line = line.replace(&res.name, &format!("{name} @as={}", res.name));
        }
        for alias in &aliases {
            let _ = write!(line, " @alias={alias}");
        }
        self.write_inputs(&res, &mut line);
        if res.package == "u" && res.kind != Kind::Component {
            line.push_str(if res.kind == Kind::Provider { " @package=u" } else { " @type=u:m:R" });
        }
        self.write_links(at, &res, &mut line);
        self.write_flags(&res, &mut line);
        Self::line(text, &line);
        if res.kind == Kind::Component && self.choices.one_in(2) {
            Self::line(text, &format!("outputs {} v={}", res.name, self.choices.below(2)));
        }
        if self.choices.one_in(30) && res.kind == Kind::Custom {
            Self::line(text, &format!("invoke t:m:f a=${}.out @as=i{at}", res.name));
        }
    }

    /// The name in the program, and aliases that lead to the old one.
    fn rename(&mut self, res: &Res) -> (String, Vec<String>) {
        let mut aliases = Vec::new();
        let mut name = res.name.clone();
        if self.choices.one_in(12) {
            name = format!("{}x", res.name);
            aliases.push(format!("name:{}", res.name));
        }
        if self.choices.one_in(25)
            && let Some(other) = self.one_of(|other| other.kind == Kind::Custom)
        {
            let other = self.all[other].name.clone();
            if !self.read.contains(&other) {
                aliases.push(format!("name:{other}"));
                self.aliased.insert(other);
            }
        }
        (name, aliases)
    }

    fn write_inputs(&mut self, res: &Res, line: &mut String) {
        for (key, value) in &res.own {
            let odds = match *key {
                "k" | "d" => 3,
                "s" => 5,
                "region" => 4,
                _ => 6,
            };
            if res.kind == Kind::Provider && *key == "k" || res.kind == Kind::Component {
                continue;
            }
            let value = match self.choices.one_in(odds) {
                true if *key == "s" => value.replace("hush-", "hush-new-"),
                true => "2".to_owned(),
                false => value.clone(),
            };
            let _ = write!(line, " {key}={value}");
        }
        for (tie, other) in res.ties.iter().filter(|_| !res.loose) {
            let other = &self.all[*other];
            if let (Tie::Property(property), true, Kind::Custom) = (tie, other.in_program, res.kind) {
                let _ = write!(line, " {property}=${}.out", other.name);
            }
        }
    }

    fn write_links(&mut self, at: usize, res: &Res, line: &mut String) {
        let there =
            |other: Option<usize>| other.map(|other| &self.all[other]).filter(|other| other.in_program);
        if let Some(parent) = there(res.parent) {
            let _ = write!(line, " @parent={}", parent.name);
        }
        if let Some(provider) = there(res.provider) {
            let _ = write!(line, " @provider={}", provider.name);
        }
        for (tie, option) in
            [(Tie::Depends, "deps"), (Tie::DeletedWith, "deletedWith"), (Tie::ReplaceWith, "replaceWith")]
        {
            let names = self.tied(at, tie, |other| other.in_program);
            if !names.is_empty() {
                let _ = write!(line, " @{option}={}", names.join(","));
            }
        }
        if res.kind == Kind::Component
            && self.choices.one_in(3)
            && let Some(provider) = self.one_of(|other| other.kind == Kind::Provider && other.in_program)
            && provider < at
        {
            let _ = write!(line, " @providers={}", self.all[provider].name);
        }
    }

    fn write_flags(&mut self, res: &Res, line: &mut String) {
        if self.choices.one_in(20) {
            line.push_str(" @protect");
        }
        if self.choices.one_in(20) {
            line.push_str(if self.choices.one_in(4) { " @retain=false" } else { " @retain" });
        }
        if res.kind != Kind::Custom {
            return;
        }
        if res.trigger {
            let _ = write!(line, " @trigger={}", 1 + self.choices.below(2));
        }
        for (option, odds) in
            [("dbr", 5), ("dbr=false", 12), ("ignore=k", 14), ("replaceOn=k", 14), ("secretOutputs=out", 14)]
        {
            if self.choices.one_in(odds) && !(option == "dbr=false" && line.contains("@dbr")) {
                let _ = write!(line, " @{option}");
            }
        }
    }

    fn order(&mut self) -> String {
        format!(" order={}", self.choices.below(1_000_000))
    }

    fn operations(&mut self) -> String {
        let mut text = String::new();
        if self.calm {
            self.calm_operations(&mut text);
        } else {
            self.wild_operations(&mut text);
        }
        text
    }

    fn calm_operations(&mut self, text: &mut String) {
        let more = if self.choices.one_in(4) { " refresh" } else { "" };
        let more = format!("{more} ignore-protect");
        let (preview, up, again, last) = (self.order(), self.order(), self.order(), self.order());
        let targets = if self.choices.one_in(5) {
            let mut targets = String::new();
            self.limits("up", &mut targets);
            targets
        } else {
            String::new()
        };
        let (save, follow) = match self.choices.one_in(6) && targets.is_empty() {
            true => (" save-plan", " plan"),
            false => ("", ""),
        };
        let _ = writeln!(text, "preview{more}{targets}{save}{preview}");
        let _ = writeln!(text, "up{more}{targets}{follow}{up}");
        let _ = writeln!(text, "up ignore-protect{again}");
        if self.choices.one_in(3) {
            let more = if self.choices.one_in(3) { " run-program" } else { "" };
            let _ = writeln!(text, "destroy ignore-protect{more}{last}");
        }
    }

    fn wild_operations(&mut self, text: &mut String) {
        for _ in 0..=self.choices.below(2) {
            self.touches(text);
            let mode = match self.choices.below(20) {
                0..=13 => "up",
                14 => "refresh",
                15 => "destroy",
                16 => "refresh run-program",
                17 => "destroy run-program",
                18 => "preview",
                _ => "up refresh run-program",
            };
            let mut line = mode.to_owned();
            for (option, odds) in [
                ("continue-on-error", 2),
                ("refresh", 5),
                ("ignore-protect", 3),
                ("exclude-protected", 8),
                ("clear-pending-creates", 12),
                ("parallel=2", 5),
                ("disable=u", 20),
            ] {
                let fits = match option {
                    "refresh" => !mode.contains("refresh"),
                    "exclude-protected" => mode.contains("destroy"),
                    _ => true,
                };
                if fits && self.choices.one_in(odds) {
                    let _ = write!(line, " {option}");
                }
            }
            for (option, odds) in [("cancel", 8), ("abandon", 10), ("crash", 6)] {
                if self.choices.one_in(odds) {
                    let _ = write!(line, " {option}=#{}", 1 + self.choices.below(90));
                }
            }
            self.limits(mode, &mut line);
            if self.choices.one_in(25) {
                let _ = write!(line, " store-fails={}", 1 + self.choices.below(25));
            }
            let order = self.order();
            let _ = writeln!(text, "{line}{order}");
        }
        let (first, second) = (self.order(), self.order());
        let _ = writeln!(text, "cloud\n  heals");
        let refresh = if self.choices.one_in(2) { " refresh" } else { "" };
        let _ = writeln!(text, "up ignore-protect{refresh}{first}");
        let _ = writeln!(text, "up ignore-protect{second}");
    }

    /// What an operation is about, and what it leaves alone.
    fn limits(&mut self, mode: &str, line: &mut String) {
        let options: &[&str] = match self.choices.below(6) {
            0 if mode.starts_with("up") => &["replace", "target"],
            0 | 1 => &["target"],
            2 => &["exclude"],
            _ => return,
        };
        for option in options {
            let count = 1 + self.choices.below(4);
            let places: Vec<usize> = (0..count).filter_map(|_| self.one_of(|_| true)).collect();
            let names: Vec<&str> = places.iter().map(|at| self.all[*at].name.as_str()).collect();
            let _ = write!(line, " {option}={}", names.join(","));
            if *option != "replace" && self.choices.one_in(2) {
                let _ = write!(line, " {option}-dependents");
            }
        }
    }

    /// Somebody else changes the cloud, or the user the state.
    fn touches(&mut self, text: &mut String) {
        if self.choices.one_in(4) {
            let mut lines = String::new();
            for _ in 0..=self.choices.below(2) {
                if let Some(at) = self.one_of(|res| res.kind == Kind::Custom && res.in_state) {
                    let name = &self.all[at].name;
                    let line = if self.choices.one_in(3) {
                        format!("vanish {name}")
                    } else {
                        format!("drift {name} k=9")
                    };
                    Self::line(&mut lines, &line);
                }
            }
            let _ = write!(text, "cloud\n{lines}");
        }
    }
}
