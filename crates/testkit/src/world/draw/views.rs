//! Views that providers show in their resources.

use std::fmt::Write;

use super::{Kind, Res, World};

impl World {
    /// The views of a resource in the state, with their values.
    pub(super) fn views(&mut self, kind: Kind) -> Vec<(char, usize)> {
        if !self.themes.views || kind != Kind::Custom || self.choices.one_in(2) {
            return Vec::new();
        }
        ['a', 'b', 'c'].into_iter().filter(|_| !self.choices.one_in(3)).map(|letter| (letter, 1)).collect()
    }

    /// The views that the program wants.
    pub(super) fn new_views(&mut self, res: &Res, name: &str) -> String {
        let mut views = res.views.clone();
        if self.themes.views && self.choices.one_in(4) {
            views = self.views(res.kind);
        }
        for (_, value) in &mut views {
            if self.choices.one_in(8) {
                *value = 2;
            }
        }
        map(name, &views)
    }

    /// The states of a resource's views.
    pub(super) fn write_views(res: &Res, text: &mut String) {
        for (letter, value) in &res.views {
            let name = &res.name;
            Self::line(
                text,
                &format!(
                    "component {name}{letter} in={{value: {value}}} @type=t:m:V @parent={name} @viewOf={name}"
                ),
            );
        }
    }

    /// How the cloud behaves towards views.
    pub(super) fn write_view_rules(&mut self, text: &mut String) {
        if !self.themes.views {
            return;
        }
        for at in 0..self.all.len() {
            let name = self.all[at].name.clone();
            if self.all[at].kind != Kind::Custom {
                continue;
            }
            if self.choices.one_in(10) {
                let first = if self.choices.one_in(2) { " first" } else { "" };
                Self::line(text, &format!("views replaced {name}a{first}"));
            }
            if !self.calm && self.choices.one_in(10) {
                Self::line(text, &format!("views wrong {name}b"));
            }
            if self.choices.one_in(12) {
                Self::line(text, &format!("views silent {name}"));
            }
        }
    }

    /// What the next read finds of the views of a resource.
    pub(super) fn view_drift(&mut self, text: &mut String) {
        if let Some(at) = self.one_of(|res| !res.views.is_empty() && res.in_state) {
            let name = self.all[at].name.clone();
            let value = if self.choices.one_in(3) { "null" } else { "7" };
            let letter = self.choices.pick(&['a', 'b', 'c']).copied().unwrap_or('a');
            Self::line(text, &format!("views drift {name} {name}{letter}={value}"));
        }
    }
}

/// The input that says which views there are; empty for none.
pub(super) fn map(name: &str, views: &[(char, usize)]) -> String {
    if views.is_empty() {
        return String::new();
    }
    let mut map = String::new();
    for (letter, value) in views {
        let comma = if map.is_empty() { "" } else { ", " };
        let _ = write!(map, "{comma}{name}{letter}: {value}");
    }
    format!("{{{map}}}")
}
