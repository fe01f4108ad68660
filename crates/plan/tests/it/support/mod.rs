//! What the planner's tests share: scenarios, and a stand-in for the driver that plays them.

#![allow(unreachable_pub, reason = "public for the tests, which are one program")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

pub mod play;
pub mod text;
pub mod watch;

use purlin_model::{Cause, PropertyCause, PropertyMap, ResourceState, Snapshot, Urn};
use purlin_plan::{DiffFacts, ProviderQuery, Registration, Settings, Step};

pub const STACK: &str = "dev";
pub const PROJECT: &str = "shop";

/// One thing that a program does, when all that it refers to has been answered.
#[derive(Clone, Debug)]
pub struct Item {
    pub name: String,
    pub after: Vec<Urn>,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    Register(Box<Registration>),
    Ask(Box<ProviderQuery>),
}

/// A base, and a program that runs over it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub settings: Settings,
    pub base: Snapshot,
    pub program: Vec<Item>,
    pub program_ok: bool,
    /// Whether it is shown what led to each step.
    pub explained: bool,
    /// Whether it is shown how often each rule decided something.
    pub counted: bool,
}

/// How a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    Gone,
    Changed,
    Partial,
    Failed,
    Unknown,
}

/// The world that the planner asks.
pub trait World {
    fn check(&mut self, urn: &Urn, for_replacement: bool) -> bool;
    fn diff(&mut self, urn: &Urn) -> Option<DiffFacts>;
    fn dependent(&mut self, urn: &Urn, properties: &[String]) -> Vec<String>;
    fn step(&mut self, step: &Step) -> Ending;
    /// Which of the things that can happen next does; the first `acts` are the program's.
    fn pick(&mut self, labels: &[String], acts: usize) -> usize;
    /// Whether the user wants to stop when a step begins.
    fn stops_at(&mut self, step: &Step) -> bool;
}

pub fn update_facts(keys: &[String]) -> DiffFacts {
    DiffFacts { changed: true, diff_keys: keys.to_vec(), ..DiffFacts::default() }
}

pub fn same_facts() -> DiffFacts {
    DiffFacts { inputs_equal: true, ..DiffFacts::default() }
}

pub fn replace_facts(keys: &[String], delete_first: bool) -> DiffFacts {
    DiffFacts {
        changed: true,
        replace: Some(keys.to_vec()),
        delete_before_replace: delete_first,
        ..DiffFacts::default()
    }
}

pub fn keys(names: &[&str]) -> PropertyMap {
    names.iter().map(|name| ((*name).to_owned(), true.into())).collect()
}

pub fn urn(parent: Option<&Urn>, ty: &str, name: &str) -> Urn {
    Urn::new(STACK, PROJECT, parent, ty, name)
}

/// A state in one line.
pub fn show(state: &ResourceState) -> String {
    let mut line = state.urn.name().to_owned();
    if !state.id.is_empty() {
        line.push_str(&format!(" id={}", state.id));
    }
    let flags = [
        ("delete", state.delete),
        ("pending", state.pending_replacement),
        ("protect", state.protect),
        ("taint", state.taint),
        ("external", state.external),
        ("retain", state.retain_on_delete),
        ("init-error", !state.init_errors.is_empty()),
        ("eager", state.refresh_before_update),
    ];
    for (flag, _) in flags.iter().filter(|(_, on)| *on) {
        line.push(' ');
        line.push_str(flag);
    }
    if !state.import_id.is_empty() {
        line.push_str(&format!(" imported={}", state.import_id));
    }
    let names = |urns: &[Urn]| urns.iter().map(Urn::name).collect::<Vec<_>>().join(",");
    if let Some(parent) = &state.parent {
        line.push_str(&format!(" parent={}", parent.name()));
    }
    if let Some(provider) = &state.provider {
        line.push_str(&format!(" provider={}/{}", provider.urn().name(), provider.id()));
    }
    if !state.dependencies.is_empty() {
        line.push_str(&format!(" deps={}", names(&state.dependencies)));
    }
    for (key, urns) in &state.property_dependencies {
        line.push_str(&format!(" {key}<-{}", names(urns)));
    }
    if let Some(with) = &state.deleted_with {
        line.push_str(&format!(" with={}", with.name()));
    }
    if !state.replace_with.is_empty() {
        line.push_str(&format!(" replace-with={}", names(&state.replace_with)));
    }
    line
}

/// A cause in one line.
pub fn show_cause(cause: &Cause) -> String {
    match cause {
        Cause::Properties(properties) => {
            let one = |p: &PropertyCause| {
                let from: Vec<&str> = p.from.iter().map(Urn::name).collect();
                if from.is_empty() {
                    p.property.clone()
                } else {
                    format!("{}<-{}", p.property, from.join(","))
                }
            };
            properties.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        Cause::ReplaceWith(urn) | Cause::DeletedWith(urn) | Cause::Provider(urn) => {
            format!("{} {}", cause.as_str(), urn.name())
        }
        Cause::Cascade { root, because } => format!("with {}: {}", root.name(), show_cause(because)),
        other => other.as_str().to_owned(),
    }
}
