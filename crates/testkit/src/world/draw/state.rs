//! The state to start from.

use std::fmt::Write;

use super::{Kind, Res, Tie, World, hooks, views};

impl World {
    pub(super) fn write_state(&mut self) {
        let mut text = String::new();
        if self.stack {
            Self::line(&mut text, "stack");
        }
        self.write_defaults(&mut text);
        for at in 0..self.all.len() {
            if self.all[at].in_state {
                self.write_old(at, &mut text);
            }
        }
        for at in 0..self.all.len() {
            let free = !self.all[at].imported && self.all[at].kind == Kind::Custom;
            if self.themes.pendings && free && self.choices.one_in(5) {
                self.write_pending(at, &mut text);
            }
        }
        self.state = text;
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
                inputs.push(format!("{property}: {}", other.out()));
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
        let copy = inputs.join(", ");
        let wanted = views::map(&res.name, &res.views);
        if !wanted.is_empty() {
            inputs.push(format!("views: {wanted}"));
        }
        let map = inputs.join(", ");
        let mut line = format!("{kind} {}", res.name);
        match res.kind {
            Kind::Custom => {
                let id = res.id();
                let _ = write!(line, " id={id} in={{{map}}} out={{{map}, out: {id}/out}}");
                options.push_str(if res.waits { " @pendingReplacement" } else { "" });
                let provider = match self.there(res.provider) {
                    Some(provider) => provider.name.clone(),
                    None => res.default_provider(),
                };
                let _ = write!(options, " @provider={provider}");
                if res.trigger {
                    options.push_str(" @trigger=1");
                }
                if res.extends {
                    options.push_str(" @extends=more@1.0.0/blob");
                }
                if res.imported {
                    let _ = write!(options, " @import={id}");
                }
            }
            Kind::Provider => {
                let region = res.own.get("region").map(|region| format!(" in={{region: {region}}}"));
                line.push_str(&region.unwrap_or_default());
            }
            Kind::Component if res.remote => {
                let _ = write!(line, " in={{k: 1}} out={{out: {}}}", res.out());
            }
            Kind::Component => {}
        }
        options.push_str(&res.type_option());
        // Of two copies that wait for deletion nobody can tell whose the views are.
        if res.kind == Kind::Custom && !res.waits && res.views.is_empty() && self.choices.one_in(16) {
            // An earlier replacement was not deleted yet.
            let old = format!(
                "custom {} id={}-0 in={{{copy}}} out={{{copy}, out: old}}{options} @delete",
                res.name, res.name
            );
            Self::line(text, &old);
            self.copied.insert(res.name.clone());
        }
        if res.protect {
            options.push_str(" @protect");
        }
        for (flag, odds) in [("retain", 14), ("taint", 25), ("external", 25)] {
            let fits = (res.kind == Kind::Custom && !res.waits) || flag == "retain";
            if fits && self.choices.one_in(odds) {
                let _ = write!(options, " @{flag}");
            }
        }
        if res.kind == Kind::Custom && self.choices.one_in(30) {
            options.push_str(" @error=half");
        }
        hooks::push_hooks(&res.hooks, &mut options);
        Self::line(text, &format!("{line}{options}"));
        Self::write_views(&res, text);
        if res.remote {
            self.write_child(&res, text);
        }
    }

    /// A create whose outcome nobody knows: it took effect, or it did not, or the state knows better.
    fn write_pending(&mut self, at: usize, text: &mut String) {
        let res: Res = self.all[at].clone();
        let known = res.in_state && !res.waits && self.choices.one_in(3);
        let id = if known { res.id() } else { format!("{}-9", res.name) };
        let made = if !known && self.choices.one_in(2) { " @made" } else { "" };
        let parent = self.there(res.parent).map(|parent| format!(" @parent={}", parent.name));
        let provider = match self.there(res.provider) {
            Some(provider) => provider.name.clone(),
            None => res.default_provider(),
        };
        let ty = res.type_option();
        let line = format!(
            "pending creating custom {} id={id} in={{k: 1}} out={{k: 1, out: {id}/out}}{} @provider={provider}{ty}{made}",
            res.name,
            parent.unwrap_or_default()
        );
        Self::line(text, &line);
        self.aliased.insert(res.name.clone());
        self.pendings.push((res.name, id));
    }
}
