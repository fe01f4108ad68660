//! Why a step is taken: one hop at a time as the planner knows it, and the chain that the hops make.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::event::{StepOp, StepView};
use crate::urn::Urn;

/// Why a resource is updated, replaced or deleted. Other resources are named, not explained: their
/// own steps have causes of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// These properties differ.
    Properties(Vec<PropertyCause>),
    /// The value whose change replaces the resource has changed.
    Trigger,
    /// A resource that it is to be replaced with is replaced.
    ReplaceWith(Urn),
    /// A resource whose deletion deletes this one, too, is deleted.
    DeletedWith(Urn),
    /// Its provider is another one, or is made anew.
    Provider(Urn),
    /// It becomes a component, or stops being one.
    Kind,
    /// So far it was only read.
    WasRead,
    /// It was marked as damaged.
    Tainted,
    /// Its creation was not completed.
    Incomplete,
    /// Somebody asked for it.
    Asked,
    /// It is deleted first, together with a resource that can only be replaced after it.
    Cascade {
        /// The resource whose replacement began it.
        root: Urn,
        /// What ties this one to those that are deleted.
        because: Arc<Cause>,
    },
    /// An earlier run deleted it and did not come to create it anew.
    PendingReplacement,
    /// An earlier run replaced it and did not come to delete it.
    PendingDelete,
    /// Its replacement has taken its place.
    Replaced,
    /// The program does not register it any more.
    NotRegistered,
    /// Everything is deleted.
    Destroy,
    /// The cloud has something else than the state, or nothing.
    Drift,
}

impl Cause {
    /// The word for it in machine-readable output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Cause::Properties(_) => "properties",
            Cause::Trigger => "replacementTrigger",
            Cause::ReplaceWith(_) => "replaceWith",
            Cause::DeletedWith(_) => "deletedWith",
            Cause::Provider(_) => "provider",
            Cause::Kind => "kind",
            Cause::WasRead => "wasRead",
            Cause::Tainted => "tainted",
            Cause::Incomplete => "incomplete",
            Cause::Asked => "asked",
            Cause::Cascade { .. } => "cascade",
            Cause::PendingReplacement => "pendingReplacement",
            Cause::PendingDelete => "pendingDelete",
            Cause::Replaced => "replaced",
            Cause::NotRegistered => "notRegistered",
            Cause::Destroy => "destroy",
            Cause::Drift => "drift",
        }
    }

    /// The cause without the cascade around it.
    pub fn inner(&self) -> &Cause {
        match self {
            Cause::Cascade { because, .. } => because,
            other => other,
        }
    }

    /// The resources that it leads on to.
    pub fn leads_to(&self) -> Vec<&Urn> {
        let mut found = match self.inner() {
            Cause::Properties(properties) => properties.iter().flat_map(|p| &p.from).collect(),
            Cause::ReplaceWith(urn) | Cause::DeletedWith(urn) | Cause::Provider(urn) => vec![urn],
            _ => Vec::new(),
        };
        if let Cause::Cascade { root, .. } = self {
            found.push(root);
        }
        found
    }
}

/// A property that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyCause {
    /// Its path, as the provider spells it.
    pub property: String,
    /// The resources that its value was made from.
    pub from: Vec<Urn>,
}

/// One link of a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How many links lead to it.
    pub depth: usize,
    /// The resource.
    pub urn: Urn,
    /// What happens to it.
    pub op: StepOp,
    /// Why; `None` where nothing has to be explained.
    pub cause: Option<Arc<Cause>>,
    /// Whether the chain has told what it leads to already.
    pub told: bool,
}

/// What happens to each resource in a run, and why.
#[derive(Debug, Default)]
pub struct Causes {
    steps: HashMap<Urn, Vec<Noted>>,
    /// The resources in the order in which they came up.
    order: Vec<Urn>,
}

#[derive(Debug)]
struct Noted {
    op: StepOp,
    cause: Option<Arc<Cause>>,
}

/// How much a step says about its resource; the halves of replacements say nothing of their own.
fn weight(op: StepOp, cause: Option<&Cause>) -> Option<u8> {
    match op {
        StepOp::CreateReplacement => None,
        StepOp::DeleteReplaced | StepOp::DiscardReplaced => (cause != Some(&Cause::Replaced)).then_some(3),
        StepOp::Replace | StepOp::ReadReplacement | StepOp::ImportReplacement => Some(6),
        StepOp::Delete | StepOp::Discard => Some(5),
        StepOp::Update | StepOp::RemovePendingReplace => Some(4),
        StepOp::Create | StepOp::Read | StepOp::Import => Some(2),
        StepOp::Refresh => Some(1),
        StepOp::Same => Some(0),
    }
}

impl Causes {
    /// Takes a step into account.
    pub fn note(&mut self, step: &StepView) {
        if weight(step.op, step.cause.as_deref()).is_none() {
            return;
        }
        if !self.steps.contains_key(&step.urn) {
            self.order.push(step.urn.clone());
        }
        let noted = self.steps.entry(step.urn.clone()).or_default();
        // A delete ahead of a replacement has the replacement's cause.
        let half = |n: &Noted| weight(n.op, None) == Some(3);
        let new = Noted { op: step.op, cause: step.cause.clone() };
        noted.retain(|n| !(half(n) && !half(&new) && n.cause == new.cause));
        if !noted.iter().any(|n| n.cause == new.cause && (n.op == new.op || half(&new))) {
            noted.push(new);
            noted.sort_by_key(|n| std::cmp::Reverse(weight(n.op, n.cause.as_deref())));
        }
    }

    /// The resources that came up, in this order.
    pub fn urns(&self) -> impl Iterator<Item = &Urn> {
        self.order.iter()
    }

    /// What happens to a resource above all.
    pub fn op(&self, urn: &Urn) -> Option<StepOp> {
        self.steps.get(urn)?.first().map(|noted| noted.op)
    }

    /// Whether something happens to a resource that others may come from.
    pub fn changes(&self, urn: &Urn) -> bool {
        self.op(urn).is_some_and(|op| op != StepOp::Same)
    }

    /// The resources that are replaced or deleted, in the order in which they came up.
    pub fn losses(&self) -> impl Iterator<Item = &Urn> {
        let lost = |noted: &Noted| {
            matches!(
                noted.op,
                StepOp::Replace
                    | StepOp::ReadReplacement
                    | StepOp::ImportReplacement
                    | StepOp::Delete
                    | StepOp::Discard
                    | StepOp::DeleteReplaced
                    | StepOp::DiscardReplaced
            )
        };
        self.order.iter().filter(move |urn| self.steps.get(*urn).is_some_and(|all| all.iter().any(lost)))
    }

    /// What happens to a resource and why, and the same for what it leads to, each resource
    /// explained once. What does not change leads nowhere and is left out.
    pub fn chain(&self, urn: &Urn) -> Vec<Link> {
        self.chain_beside(urn, &mut HashSet::new())
    }

    /// The chains of all resources that are replaced or deleted, each resource explained once in all
    /// of them.
    pub fn chains_of_losses(&self) -> Vec<Link> {
        let mut seen = HashSet::new();
        let mut links = Vec::new();
        for urn in self.losses() {
            if !seen.contains(urn) {
                links.extend(self.chain_beside(urn, &mut seen).into_iter().filter(|link| !link.told));
            }
        }
        links
    }

    /// A chain beside others, which have explained some resources already.
    fn chain_beside<'a>(&'a self, urn: &'a Urn, seen: &mut HashSet<&'a Urn>) -> Vec<Link> {
        let mut links = Vec::new();
        let mut stack = vec![(0, urn)];
        while let Some((depth, urn)) = stack.pop() {
            let Some(noted) = self.steps.get(urn) else { continue };
            let told = !seen.insert(urn);
            if depth > 0 && !self.changes(urn) {
                continue;
            }
            let shown = if depth == 0 { noted.len() } else { 1 };
            for noted in noted.iter().take(shown).filter(|n| noted.len() == 1 || !n.is_look()) {
                let link = Link { depth, urn: urn.clone(), op: noted.op, cause: noted.cause.clone(), told };
                links.push(link);
            }
            if told {
                continue;
            }
            let mut next: Vec<&Urn> = Vec::new();
            for cause in noted.iter().take(shown).filter_map(|n| n.cause.as_deref()) {
                next.extend(cause.leads_to());
            }
            let mut once = HashSet::new();
            next.retain(|other| *other != urn && once.insert(*other));
            stack.extend(next.into_iter().rev().map(|other| (depth + 1, other)));
        }
        links
    }
}

impl Noted {
    /// Whether the step only looked, and found nothing: it says nothing beside another.
    fn is_look(&self) -> bool {
        matches!(self.op, StepOp::Refresh | StepOp::Same) && self.cause.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urn(name: &str) -> Urn {
        Urn::new("dev", "p", None, "t:i:T", name)
    }

    fn note(causes: &mut Causes, name: &str, op: StepOp, cause: Option<Cause>) {
        causes.note(&StepView {
            op,
            urn: urn(name),
            old: None,
            new: None,
            replace_keys: Vec::new(),
            diff_keys: Vec::new(),
            detailed_diff: None,
            logical: true,
            provider: String::new(),
            cause: cause.map(Arc::new),
        });
    }

    fn by(property: &str, from: &[&str]) -> Cause {
        let from = from.iter().map(|name| urn(name)).collect();
        Cause::Properties(vec![PropertyCause { property: property.into(), from }])
    }

    fn shown(causes: &Causes, name: &str) -> Vec<String> {
        let show = |link: &Link| {
            let cause = link.cause.as_ref().map_or("-", |cause| cause.as_str());
            let told = if link.told { " told" } else { "" };
            format!("{}{} {} {cause}{told}", " ".repeat(link.depth), link.urn.name(), link.op.as_str())
        };
        causes.chain(&urn(name)).iter().map(show).collect()
    }

    #[test]
    fn a_chain_leads_to_what_began_it() {
        let mut causes = Causes::default();
        note(&mut causes, "quiet", StepOp::Same, None);
        note(&mut causes, "a", StepOp::Replace, Some(by("size", &["quiet"])));
        note(&mut causes, "a", StepOp::CreateReplacement, Some(by("size", &["quiet"])));
        note(&mut causes, "b", StepOp::Replace, Some(by("from", &["a"])));
        note(&mut causes, "c", StepOp::Update, Some(by("x", &["b", "a"])));
        assert_eq!(
            shown(&causes, "c"),
            [
                "c update properties",
                " b replace properties",
                "  a replace properties",
                " a replace properties told"
            ]
        );
        assert_eq!(shown(&causes, "a"), ["a replace properties"]);
        assert_eq!(shown(&causes, "quiet"), ["quiet same -"]);
        assert_eq!(shown(&causes, "nobody"), [""; 0]);
        let lost: Vec<&str> = causes.losses().map(Urn::name).collect();
        assert_eq!(lost, ["a", "b"]);
    }

    #[test]
    fn a_circle_of_cascades_ends() {
        let mut causes = Causes::default();
        let cascade = |root: &str, with: &str| Cause::Cascade {
            root: urn(root),
            because: Arc::new(Cause::DeletedWith(urn(with))),
        };
        note(&mut causes, "a", StepOp::Replace, Some(cascade("b", "b")));
        note(&mut causes, "b", StepOp::Replace, Some(cascade("a", "a")));
        assert_eq!(
            shown(&causes, "a"),
            ["a replace cascade", " b replace cascade", "  a replace cascade told"]
        );
    }

    #[test]
    fn what_an_earlier_run_left_is_told_beside_what_happens_now() {
        let mut causes = Causes::default();
        note(&mut causes, "a", StepOp::Same, None);
        note(&mut causes, "a", StepOp::DeleteReplaced, Some(Cause::PendingDelete));
        assert_eq!(shown(&causes, "a"), ["a delete-replaced pendingDelete"]);
        note(&mut causes, "a", StepOp::Update, Some(by("x", &[])));
        assert_eq!(shown(&causes, "a"), ["a update properties", "a delete-replaced pendingDelete"]);
        assert_eq!(causes.losses().count(), 1);
    }
}
