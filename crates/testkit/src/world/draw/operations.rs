//! The operations, what they are about, and what happens between them.

use std::fmt::Write;

use super::{Kind, World};

impl World {
    fn order(&mut self) -> String {
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
