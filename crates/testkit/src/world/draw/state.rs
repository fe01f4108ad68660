//! The state to start from.

use std::fmt::Write;

use super::{Kind, Tie, World};

impl World {
    pub(super) fn write_state(&mut self) {
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
}
