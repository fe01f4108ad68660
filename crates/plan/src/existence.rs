//! Whether what a call depends on exists.

use std::collections::{HashMap, HashSet};

use purlin_model::Urn;

use crate::rule::Rule;
use crate::table::{Phase, Planner, ResId};

/// What is known of the resources that a call depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// All exist.
    All,
    /// One doesn't, and won't in this run.
    NotAll,
    /// One is on its way.
    OnTheWay,
}

/// Registrations by parent, as far as somebody has asked.
#[derive(Debug, Default)]
pub(crate) struct Children {
    indexed: usize,
    of: HashMap<Urn, Vec<ResId>>,
}

impl Planner {
    /// Whether resources exist. A component stands for all that is below it, as far as components
    /// lead; what a provider manages stands for itself only. Names that nobody has registered don't
    /// count.
    pub fn existence(&mut self, urns: &[Urn]) -> Existence {
        let found = self.find_all(urns);
        if found == Existence::NotAll {
            self.fire(Rule::CallOmitted);
        }
        found
    }

    fn find_all(&mut self, urns: &[Urn]) -> Existence {
        self.index_children();
        let mut work: Vec<ResId> = urns.iter().filter_map(|urn| self.res(urn)).collect();
        let mut seen: HashSet<ResId> = HashSet::new();
        let mut found = Existence::All;
        while let Some(res) = work.pop() {
            let resource = self.get(res);
            if resource.goal.custom {
                match resource.phase {
                    Phase::Done if self.has_id(res) => {}
                    Phase::Done | Phase::Failed | Phase::Skipped => return Existence::NotAll,
                    _ => found = Existence::OnTheWay,
                }
            } else if seen.insert(res) {
                if resource.phase_is_open() {
                    found = Existence::OnTheWay;
                }
                work.extend(self.children.of.get(&resource.urn).into_iter().flatten());
            }
        }
        found
    }

    fn has_id(&self, res: ResId) -> bool {
        self.get(res).slot.is_some_and(|slot| !self.state(slot).id.is_empty())
    }

    fn index_children(&mut self) {
        for index in self.children.indexed..self.resources.len() {
            let Some(parent) = self.resources[index].goal.parent.clone() else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "registrations fit in memory")]
            self.children.of.entry(parent).or_default().push(ResId(index as u32));
        }
        self.children.indexed = self.resources.len();
    }
}
