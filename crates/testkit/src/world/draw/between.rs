//! What happens between operations: somebody changes the cloud, the user the state or the program.

use std::fmt::Write;

use super::{Kind, World};

impl World {
    pub(super) fn touches(&mut self, text: &mut String) {
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
            if self.themes.views {
                self.view_drift(&mut lines);
            }
            let _ = write!(text, "cloud\n{lines}");
        }
        if self.themes.edits && self.choices.one_in(2) {
            for _ in 0..=self.choices.below(3) {
                self.write_edit(text);
            }
        }
    }

    /// An edit of the state; what it names may not be there any more.
    fn write_edit(&mut self, text: &mut String) {
        let Some(at) = self.one_of(|_| true) else { return };
        let name = self.all[at].name.clone();
        let line = match self.choices.below(9) {
            0 | 1 => format!("delete {name}"),
            2 if self.all[at].views.is_empty() && !self.read.contains(&name) => {
                self.aliased.insert(name.clone());
                format!("rename {name} {name}y")
            }
            3 => format!("protect {name}"),
            4 => format!("unprotect {name}"),
            5 => format!("untaint {name}"),
            6 => "clear-pending".to_owned(),
            _ if self.all[at].kind == Kind::Custom => format!("taint {name}"),
            _ => return,
        };
        let _ = writeln!(text, "edit {line} @try");
    }

    /// The program is another one from here on.
    pub(super) fn change_program(&mut self, text: &mut String) {
        for at in 0..self.all.len() {
            let flip = self.choices.one_in(8);
            let loose = self.choices.one_in(10);
            let res = &mut self.all[at];
            res.in_program ^= flip;
            res.loose ^= loose;
        }
        self.programs += 1;
        let cloud = std::mem::take(&mut self.cloud);
        self.write_program();
        if !self.cloud.is_empty() {
            let _ = write!(text, "cloud\n{}", self.cloud);
        }
        let _ = write!(text, "program parallel\n{}", self.program);
        self.cloud = cloud;
    }

    /// The program makes one more resource, or one less.
    pub(super) fn change_line(&mut self, text: &mut String) {
        let mut lines: Vec<String> = self.program.lines().map(str::to_owned).collect();
        let name = |line: &str| line.strip_prefix("  custom ")?.split(' ').next().map(str::to_owned);
        let is_mentioned = |name: &str| {
            let others = self.program.split(|c: char| !c.is_ascii_alphanumeric());
            others.filter(|word| *word == name).count() > 1
        };
        let mut free: Vec<usize> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            if name(line).is_some_and(|name| !is_mentioned(&name)) && !line.contains(" @as=") {
                free.push(at);
            }
        }
        // What was going to be made is missed most.
        let old = |name: String| self.all.iter().any(|res| res.name == name && res.in_state);
        let new: Vec<usize> = free.iter().copied().filter(|at| !name(&lines[*at]).is_some_and(old)).collect();
        let free = if new.is_empty() { free } else { new };
        match self.choices.pick(&free).copied() {
            Some(at) if !self.choices.one_in(4) => drop(lines.remove(at)),
            _ => lines.push("  custom fresh k=1".to_owned()),
        }
        let _ = writeln!(text, "program parallel\n{}", lines.join("\n"));
    }
}
