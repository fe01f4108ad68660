//! The program: what it registers of the small world, and how.

use std::fmt::Write;

use super::{Kind, Res, Tie, World};

impl World {
    pub(super) fn write_program(&mut self) {
        let mut text = String::new();
        if self.stack {
            Self::line(&mut text, "stack");
        }
        self.write_hooks(&mut text);
        for at in 0..self.all.len() {
            if self.all[at].in_program {
                self.write_new(at, &mut text);
            }
        }
        if self.stack && self.choices.one_in(3) {
            let last = self.one_of(|res| res.in_program && res.gives());
            let value = last.map(|at| format!(" v=${}.out", self.all[at].name)).unwrap_or_default();
            Self::line(&mut text, &format!("outputs stack w=1{value}"));
        }
        if !self.calm && self.choices.one_in(25) {
            Self::line(&mut text, "fails");
        }
        if self.choices.one_in(10) {
            Self::line(&mut text, "signal");
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
            let free = self.own_id_stays(&res) && !res.waits;
            let id = if res.in_state && free {
                self.read.insert(res.name.clone());
                format!("{}-1", res.name)
            } else {
                format!("real-{}", res.name)
            };
            if id.starts_with("real-") {
                Self::line(&mut self.cloud, &format!("exists {id} k=1"));
            }
            let mut line = format!("read {} @id={id}{}", res.name, res.type_option());
            self.write_package(&res, &mut line);
            return Self::line(text, &line);
        }
        self.write_import(&res, &mut line);
        let (name, aliases) = self.rename(&res);
        if name != res.name {
            line = line.replace(&res.name, &format!("{name} @as={}", res.name));
        }
        for alias in &aliases {
            let _ = write!(line, " @alias={alias}");
        }
        self.write_inputs(&res, &mut line);
        if res.package == "u" && res.kind == Kind::Provider {
            line.push_str(" @package=u");
        } else if res.remote || res.kind == Kind::Custom && line.starts_with("custom") {
            line.push_str(&res.type_option());
        }
        self.write_package(&res, &mut line);
        self.write_remote(&res, &mut line);
        self.write_hooked(&res, &mut line);
        self.write_links(at, &res, &mut line);
        self.write_flags(&res, &mut line);
        Self::line(text, &line);
        if res.kind == Kind::Component && !res.remote && self.choices.one_in(2) {
            Self::line(text, &format!("outputs {} v={}", res.name, self.choices.below(2)));
        }
        self.write_calls(at, &res, text);
    }

    /// Whether the old id of a resource stands for what its old state is about, whatever came before,
    /// and for nothing that waits for deletion.
    fn own_id_stays(&self, res: &Res) -> bool {
        self.programs == 0 && res.parent.is_none() && !self.aliased.contains(&res.name)
    }

    /// What the program asks to be taken over.
    fn write_import(&mut self, res: &Res, line: &mut String) {
        if res.kind == Kind::Provider && !self.calm && self.choices.one_in(60) {
            line.push_str(" @import=any");
        }
        if res.kind != Kind::Custom || !line.starts_with("custom") {
            return;
        }
        let free = self.own_id_stays(res);
        let other = match (res.in_state, res.imported) {
            (true, true) if free && !self.choices.one_in(8) => {
                self.read.insert(res.name.clone());
                let _ = write!(line, " @import={}", res.id());
                false
            }
            (true, true) => true,
            (true, false) => self.choices.one_in(50),
            (false, _) => self.choices.one_in(12),
        };
        // Or the old copy that waits for deletion.
        let copy = free && self.copied.contains(&res.name);
        if copy && !res.imported && self.choices.one_in(8) {
            let _ = write!(line, " @import={}-0", res.name);
            return;
        }
        if !other {
            return;
        }
        // Another program asks for another one: it may have got another name since.
        let id = format!("import{}-{}", self.programs, res.name);
        if !self.calm && self.choices.one_in(10) {
            let _ = write!(line, " @import=nothing");
            return;
        }
        let z = if res.own.contains_key("z") != self.choices.one_in(4) { " z=1" } else { "" };
        let d = if res.own.contains_key("d") { " d=1" } else { "" };
        Self::line(&mut self.cloud, &format!("exists {id} k=1{z}{d}"));
        let _ = write!(line, " @import={id}");
    }

    /// Functions and methods that need a resource.
    fn write_calls(&mut self, at: usize, res: &Res, text: &mut String) {
        if self.choices.one_in(30) && res.kind == Kind::Custom {
            Self::line(text, &format!("invoke t:m:f a=${}.out @as=i{at}", res.name));
        }
        if self.choices.one_in(20) && res.kind != Kind::Provider {
            Self::line(text, &format!("invoke t:m:g b=1 @deps={} @as=j{at}", res.name));
        }
        if self.choices.one_in(40) && res.kind == Kind::Custom {
            Self::line(text, &format!("call t:m:R/method b=1 @self={} @as=m{at}", res.name));
        }
    }

    /// The name in the program, and aliases that lead to the old one.
    fn rename(&mut self, res: &Res) -> (String, Vec<String>) {
        let mut aliases = Vec::new();
        let mut name = res.name.clone();
        if self.choices.one_in(12) && !self.read.contains(&res.name) {
            self.aliased.insert(res.name.clone());
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
        if res.kind == Kind::Custom && line.starts_with("custom") {
            let name = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let views = self.new_views(res, &name);
            if !views.is_empty() {
                let _ = write!(line, " views={views}");
            }
        }
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
        if self.choices.one_in(if res.protect { 3 } else { 20 }) {
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
}
