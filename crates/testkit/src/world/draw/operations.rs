//! The operations, what they are about, and what happens between them.

use std::fmt::Write;

use super::{Kind, World};

impl World {
    pub(super) fn order(&mut self) -> String {
        format!(" order={}", self.choices.below(1_000_000))
    }

    pub(super) fn operations(&mut self) -> String {
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
        let common = self.common();
        let more = format!("{more} ignore-protect{common}");
        let (preview, up, again, last) = (self.order(), self.order(), self.order(), self.order());
        let targets = if self.choices.one_in(5) {
            let mut targets = String::new();
            self.limits("up", &mut targets);
            targets
        } else {
            String::new()
        };
        let (save, follow) = match self.choices.one_in(6) && (targets.is_empty() || self.choices.one_in(2)) {
            true => (" save-plan", " plan"),
            false => ("", ""),
        };
        let _ = writeln!(text, "preview{more}{targets}{save}{preview}");
        let _ = writeln!(text, "up{more}{targets}{follow}{up}");
        let _ = writeln!(text, "up ignore-protect{common}{again}");
        if self.choices.one_in(3) {
            // Without the program its hooks are missing.
            let runs = self.choices.one_in(3) || self.themes.hooks && self.choices.one_in(2);
            let more = if runs { " run-program" } else { "" };
            let _ = writeln!(text, "destroy ignore-protect{more}{common}{last}");
        }
    }

    fn wild_operations(&mut self, text: &mut String) {
        let common = self.common();
        for number in 0..=self.choices.below(2) {
            if number > 0 && self.choices.one_in(3) {
                self.change_program(text);
            }
            self.touches(text);
            if number == 0 && self.choices.one_in(10) {
                self.write_list(text);
            }
            if self.choices.one_in(8) {
                self.follow_plan(&common, text);
                continue;
            }
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
                ("exclude-protected", 3),
                ("clear-pending-creates", 12),
                ("parallel=2", 5),
                ("disable=u", 20),
                ("legacy-refresh-diff", 20),
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
            line.push_str(&self.known_creates(mode, number == 0));
            line.push_str(&common);
            self.limits(mode, &mut line);
            if self.choices.one_in(25) {
                let _ = write!(line, " store-fails={}", 1 + self.choices.below(25));
            }
            let order = self.order();
            let _ = writeln!(text, "{line}{order}");
        }
        let (first, second) = (self.order(), self.order());
        let _ = writeln!(text, "cloud\n  heals\n  views heals");
        let refresh = if self.choices.one_in(2) { " refresh" } else { "" };
        let _ = writeln!(text, "up ignore-protect{refresh}{common}{first}");
        let _ = writeln!(text, "up ignore-protect{common}{second}");
    }

    /// What all operations are told.
    fn common(&mut self) -> String {
        let mut common = String::new();
        if self.themes.naming {
            let ways = ["verbatim", "enforce:x-${name}", "propose:${name}-${hex(6)}", "disabled", "default"];
            let _ = write!(common, " naming={}", self.choices.pick(&ways).copied().unwrap_or("verbatim"));
        }
        if self.themes.packages && self.choices.one_in(3) {
            let _ = write!(common, " package=t@{}.0.0", 1 + self.choices.below(2));
        }
        if self.themes.packages && self.choices.one_in(4) {
            common.push_str(" config=u:{region: 1}");
        }
        common
    }

    /// A preview that records a plan, and an update that follows it, perhaps when something has changed.
    fn follow_plan(&mut self, common: &str, text: &mut String) {
        let mut about = String::new();
        if self.choices.one_in(4) {
            self.limits("up", &mut about);
        }
        let (preview, up) = (self.order(), self.order());
        let _ = writeln!(text, "preview ignore-protect{common}{about} save-plan{preview}");
        match self.choices.below(8) {
            0 => self.change_program(text),
            1 => self.touches(text),
            2..=5 => self.change_line(text),
            _ => {}
        }
        let about = if self.choices.one_in(6) { String::new() } else { about };
        let goes_on = if self.choices.one_in(3) { " continue-on-error" } else { "" };
        let _ = writeln!(text, "up ignore-protect{goes_on}{common}{about} plan{up}");
    }

    /// What the user says that pending creates have made, true or not.
    fn known_creates(&mut self, mode: &str, first: bool) -> String {
        let mut known = String::new();
        if mode == "preview" || !self.choices.one_in(if self.pendings.is_empty() { 12 } else { 2 }) {
            return known;
        }
        for (name, id) in self.pendings.clone() {
            // What the state knows may have another name by then.
            let known_still = first || id.ends_with("-9");
            if known_still && !self.choices.one_in(3) {
                let _ = write!(known, " import-pending={name}:{id}");
            }
        }
        if let Some(at) = self.one_of(|res| res.kind == Kind::Custom).filter(|_| self.choices.one_in(3)) {
            let res = &self.all[at];
            let number = if res.in_state { 2 } else { 1 };
            let _ = write!(known, " import-pending={}:{}-{number}", res.name, res.name);
        }
        known
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
            let stranger = self.choices.one_in(25);
            let places: Vec<usize> = (0..count).filter_map(|_| self.one_of(|_| true)).collect();
            let mut names: Vec<&str> = places.iter().map(|at| self.all[*at].name.as_str()).collect();
            if stranger {
                names.push("t:m:R::stranger");
            }
            let _ = write!(line, " {option}={}", names.join(","));
            if *option != "replace" && self.choices.one_in(2) {
                let _ = write!(line, " {option}-dependents");
            }
        }
    }
}
