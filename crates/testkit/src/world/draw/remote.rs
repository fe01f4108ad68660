//! Components that a plugin makes.

use std::fmt::Write;

use super::{Res, World};

impl World {
    /// How the plugin makes them.
    pub(super) fn constructs(&mut self) -> String {
        if !self.themes.remotes {
            return String::new();
        }
        let flags = if self.choices.one_in(6) { " @dbr" } else { "" };
        let more = if self.choices.one_in(3) { "  custom {}-more of=$child.out @parent=self\n" } else { "" };
        format!(
            "construct t:m:K\n  component self k=$args.k\n  custom {{}}-child k=$args.k @as=child @parent=self{flags}\n\
             {more}  outputs self out=$child.out\n"
        )
    }

    /// The child of a component in the state.
    pub(super) fn write_child(&mut self, res: &Res, text: &mut String) {
        let name = &res.name;
        let mut line =
            format!("custom {name}-child in={{k: 1}} out={{k: 1, out: {name}-child-1/out}} @parent={name}");
        line.push_str(" @provider=pulumi:providers:t::default");
        if self.choices.one_in(20) {
            line.push_str(" @protect");
        }
        Self::line(text, &line);
    }

    /// What the program gives a component that a plugin makes.
    pub(super) fn write_remote(&mut self, res: &Res, line: &mut String) {
        if res.remote {
            let _ = write!(line, " k={} @remote", 1 + usize::from(self.choices.one_in(3)));
        }
    }
}
