//! Imports of lists: what somebody else made is taken over without a program.

use std::fmt::Write;

use super::{Kind, World};

impl World {
    /// An import, with what it is about.
    pub(super) fn write_list(&mut self, text: &mut String) {
        let (mut cloud, mut list) = (String::new(), String::new());
        let (mut under, mut last) = (Vec::new(), String::new());
        for number in 0..=self.choices.below(4) {
            let name = format!("n{number}");
            let line = match self.choices.below(12) {
                0 => {
                    under.push(format!("nc{number}"));
                    format!("component nc{number}")
                }
                1 => format!("provider np{number} region=1"),
                2 => self.listed_known(),
                3 if !self.calm => format!("custom {name} @import=nothing"),
                4 if !self.calm && !last.is_empty() => last.clone(),
                5 if !self.calm => format!("custom {name} @import=found-{name} @parent=nobody"),
                6 => format!("custom {name} @import=given-{name} @outputs={{k: 1, out: given}}"),
                _ => format!("custom {name} @import=found-{name}{}", self.listed_links(&under)),
            };
            last.clone_from(&line);
            // Only what is found is there.
            if line.contains("found-") {
                Self::line(&mut cloud, &format!("exists found-{name} k=1 out=found"));
            }
            if line.contains("given-") {
                Self::line(&mut cloud, &format!("exists given-{name} k=1 out=given"));
            }
            // What it refers to may come after it.
            list = if self.choices.one_in(3) {
                format!("  {line}\n{list}")
            } else {
                format!("{list}  {line}\n")
            };
        }
        if !cloud.is_empty() {
            let _ = write!(text, "cloud\n{cloud}");
        }
        let goes_on = if self.choices.one_in(3) { " continue-on-error" } else { "" };
        let preview = if self.choices.one_in(5) { " preview" } else { "" };
        let order = self.order();
        let _ = write!(text, "import{preview}{goes_on}{order}\n{list}");
    }

    /// Something that the state has, by its own id or by another.
    fn listed_known(&mut self) -> String {
        let Some(at) = self.one_of(|res| res.kind == Kind::Custom && res.in_state && !res.waits) else {
            return "component known".to_owned();
        };
        let res = &self.all[at];
        let parent = self.there(res.parent).map(|parent| format!(" @parent={}", parent.name));
        let id = if self.choices.number().is_multiple_of(4) { "another".to_owned() } else { res.id() };
        format!("custom {} @import={id}{}{}", res.name, parent.unwrap_or_default(), res.type_option())
    }

    fn listed_links(&mut self, under: &[String]) -> String {
        let mut links = String::new();
        if let Some(parent) = self.choices.pick(under).filter(|_| !under.is_empty()) {
            let _ = write!(links, " @parent={parent}");
        } else if self.choices.one_in(3)
            && let Some(at) = self.one_of(|res| res.kind == Kind::Component && res.in_state)
        {
            let _ = write!(links, " @parent={}", self.all[at].name);
        }
        if self.choices.one_in(3)
            && let Some(at) = self.one_of(|res| res.kind == Kind::Provider && res.package == "t")
        {
            let _ = write!(links, " @provider={}", self.all[at].name);
        }
        if self.choices.one_in(6) {
            links.push_str(" @protect");
        }
        links
    }
}
