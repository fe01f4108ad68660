//! The cloud: how it behaves, what goes wrong in it.

use super::{Kind, World};

impl World {
    pub(super) fn write_cloud(&mut self) {
        let mut text = String::new();
        Self::line(&mut text, "computed out");
        Self::line(&mut text, "replaces z g");
        Self::line(&mut text, "dbr d h");
        Self::line(&mut text, "recomputed turn");
        if self.themes.packages {
            Self::line(&mut text, "keeps pulumi:index:Stash.output=input");
        }
        if self.themes.naming {
            Self::line(&mut text, "names name");
        }
        self.write_view_rules(&mut text);
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
}
