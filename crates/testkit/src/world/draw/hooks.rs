//! Hooks around operations, and those that hear of failures.

use std::fmt::Write;

use super::{Kind, Res, World};

const KINDS: [&str; 6] =
    ["BeforeCreate", "AfterCreate", "BeforeUpdate", "AfterUpdate", "BeforeDelete", "AfterDelete"];

impl World {
    /// The hooks of a resource.
    pub(super) fn hooks(&mut self, kind: Kind) -> Vec<(&'static str, &'static str)> {
        let mut hooks = Vec::new();
        if !self.themes.hooks || kind == Kind::Provider || self.choices.one_in(2) {
            return hooks;
        }
        for _ in 0..=self.choices.below(2) {
            let kind = self.choices.pick(&KINDS).copied().unwrap_or("AfterCreate");
            let names = ["plain", "plain", "plain", "eager", "eager", "forgiven"];
            let mut name = self.choices.pick(&names).copied().unwrap_or("plain");
            if !self.calm && self.choices.one_in(6) {
                name = "wrong";
            }
            if !self.calm && self.choices.one_in(20) {
                name = "missing";
            }
            hooks.push((kind, name));
        }
        if kind == Kind::Custom && self.choices.one_in(2) {
            hooks.push(("OnError", if self.choices.one_in(4) { "resigned" } else { "stubborn" }));
        }
        hooks.sort_unstable();
        hooks.dedup();
        hooks
    }

    /// The lines that register hooks.
    pub(super) fn write_hooks(&mut self, text: &mut String) {
        if !self.themes.hooks {
            return;
        }
        for line in ["hook plain", "hook eager @dry", "hook forgiven @quiet @wrong"] {
            Self::line(text, line);
        }
        if !self.calm {
            Self::line(
                text,
                if self.choices.one_in(3) { "hook wrong @dry @wrong" } else { "hook wrong @wrong" },
            );
        }
        let retries = 1 + self.choices.below(3);
        Self::line(text, &format!("errorhook stubborn @retries={retries}"));
        Self::line(text, "errorhook resigned");
    }

    /// The hooks that the program gives a resource: now and then others than the state has.
    pub(super) fn write_hooked(&mut self, res: &Res, line: &mut String) {
        let hooks = if self.choices.one_in(8) { self.hooks(res.kind) } else { res.hooks.clone() };
        push_hooks(&hooks, line);
    }
}

pub(super) fn push_hooks(hooks: &[(&str, &str)], line: &mut String) {
    for (kind, name) in hooks {
        let _ = write!(line, " @hook={kind}:{name}");
    }
}
