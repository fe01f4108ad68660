//! Which of some states refer to which, for whoever deletes or keeps them.

use std::collections::{HashMap, HashSet};

use purlin_model::urn::STACK_TYPE;
use purlin_model::{ResourceState, Slot, Urn};

use crate::table::{Fate, Planner};

/// A state, or a group of states that others refer to as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A state.
    State(Slot),
    /// What stands below a component, up to some place of the list.
    Group,
}

/// Which of some states refer to which. Nodes are numbered so that what a node needs comes before it.
///
/// A state that refers to a component refers to all that is below it, too. That goes by way of groups:
/// each holds what came below the component since the group before, and that group; so the graph stays
/// as large as the states and their references.
pub(crate) struct StateGraph {
    nodes: Vec<Node>,
    dependents: Vec<Vec<u32>>,
    at: HashMap<Slot, u32>,
}

/// What stands below a state.
#[derive(Default)]
struct Below {
    /// The states that no group holds yet.
    fresh: Vec<u32>,
    /// The newest group.
    group: Option<u32>,
}

/// How far parents are followed upwards; a list that nests deeper is no honest one.
const DEPTH: usize = 1000;

impl StateGraph {
    /// Looks only at these states, in their order. What a state refers to stands before it, so the
    /// graph has no cycles.
    pub(crate) fn new(planner: &Planner, slots: impl Iterator<Item = Slot>) -> StateGraph {
        Self::build(slots.map(|slot| {
            let state: &ResourceState = &planner.entry(slot).state;
            let references = state.references().map(|urn| planner.new_name(urn)).collect();
            (slot, state, vec![&state.urn], references)
        }))
    }

    /// Looks at the states that the run started from, in their order, whatever became of them since. So
    /// the order of answers does not count. Each goes by all names that it had or has.
    pub(crate) fn of_base(planner: &Planner) -> StateGraph {
        let slots = planner.all_slots().into_iter().filter(|slot| {
            let entry = planner.entry(*slot);
            // What a refresh found gone is not there.
            !entry.new && (entry.fate != Fate::Gone || entry.claimed.is_some())
        });
        Self::build(slots.map(|slot| {
            let state: &ResourceState = &planner.entry(slot).state;
            (slot, state, planner.names_of(slot).collect(), state.references().collect())
        }))
    }

    /// Each state with the names that it goes by and what it refers to.
    fn build<'a>(
        states: impl Iterator<Item = (Slot, &'a ResourceState, Vec<&'a Urn>, Vec<&'a Urn>)>,
    ) -> StateGraph {
        let mut graph = StateGraph { nodes: Vec::new(), dependents: Vec::new(), at: HashMap::new() };
        let mut by_urn: HashMap<&Urn, Vec<u32>> = HashMap::new();
        let mut below: HashMap<&Urn, Below> = HashMap::new();
        let mut parents: HashMap<&Urn, &Urn> = HashMap::new();
        let mut components: HashSet<&Urn> = HashSet::new();
        for (slot, state, names, references) in states {
            let mut needs: Vec<u32> = Vec::new();
            for urn in references {
                needs.extend(by_urn.get(urn).into_iter().flatten());
                if state.parent.as_ref() != Some(urn) {
                    needs.extend(below.get_mut(urn).and_then(|below| graph.group(below)));
                }
            }
            let node = graph.push(Node::State(slot), needs);
            graph.at.insert(slot, node);
            for name in names {
                by_urn.entry(name).or_default().push(node);
                if let Some(parent) = &state.parent {
                    parents.insert(name, parent);
                }
                if !state.custom {
                    components.insert(name);
                }
            }
            let ancestors = std::iter::successors(state.parent.as_ref(), |urn| parents.get(urn).copied());
            let ancestors = ancestors.take(DEPTH).filter(|urn| urn.ty() != STACK_TYPE);
            for urn in ancestors.filter(|urn| components.contains(urn)) {
                below.entry(urn).or_default().fresh.push(node);
            }
        }
        graph
    }

    /// The group of all that stands below something now, if anything does.
    fn group(&mut self, below: &mut Below) -> Option<u32> {
        if !below.fresh.is_empty() {
            let members = std::mem::take(&mut below.fresh).into_iter().chain(below.group).collect();
            below.group = Some(self.push(Node::Group, members));
        }
        below.group
    }

    #[expect(clippy::cast_possible_truncation, reason = "states are numbered by u32")]
    fn push(&mut self, node: Node, mut needs: Vec<u32>) -> u32 {
        let number = self.nodes.len() as u32;
        self.nodes.push(node);
        self.dependents.push(Vec::new());
        needs.sort_unstable();
        needs.dedup();
        for need in needs {
            self.dependents[need as usize].push(number);
        }
        number
    }

    /// The nodes with their numbers and the numbers of what depends on them; dependents come first.
    pub(crate) fn dependents_first(&self) -> impl Iterator<Item = (usize, Node, &[u32])> {
        let nodes = self.nodes.iter().zip(&self.dependents).enumerate().rev();
        nodes.map(|(number, (node, dependents))| (number, *node, dependents.as_slice()))
    }

    /// The number of a state's node.
    pub(crate) fn number(&self, slot: Slot) -> Option<usize> {
        self.at.get(&slot).map(|number| *number as usize)
    }

    /// The numbers of what depends on a state.
    pub(crate) fn dependents_of(&self, slot: Slot) -> &[u32] {
        self.number(slot).map_or(&[], |number| self.dependents[number].as_slice())
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// These states and everything that they need.
    pub(crate) fn with_needs(&self, states: impl IntoIterator<Item = Slot>) -> HashSet<Slot> {
        let mut marked = self.mark(states);
        for (number, _, dependents) in self.dependents_first() {
            marked[number] |= dependents.iter().any(|other| marked[*other as usize]);
        }
        self.slots(&marked)
    }

    /// These states and everything that refers to them, directly or not, and may be taken along.
    /// `through_groups` says whether what refers to a component counts for what is below it.
    pub(crate) fn with_dependents(
        &self,
        states: impl IntoIterator<Item = Slot>,
        through_groups: bool,
        takes: impl Fn(Slot) -> bool,
    ) -> HashSet<Slot> {
        let mut marked = self.mark(states);
        for number in 0..self.nodes.len() {
            if !marked[number] {
                continue;
            }
            for other in &self.dependents[number] {
                marked[*other as usize] |= match self.nodes[*other as usize] {
                    Node::State(slot) => takes(slot),
                    Node::Group => through_groups,
                };
            }
        }
        self.slots(&marked)
    }

    fn mark(&self, states: impl IntoIterator<Item = Slot>) -> Vec<bool> {
        let mut marked = vec![false; self.nodes.len()];
        for number in states.into_iter().filter_map(|slot| self.at.get(&slot)) {
            marked[*number as usize] = true;
        }
        marked
    }

    fn slots(&self, marked: &[bool]) -> HashSet<Slot> {
        let chosen = self.nodes.iter().zip(marked).filter(|(_, marked)| **marked);
        let slot = |node: &Node| match node {
            Node::State(slot) => Some(*slot),
            Node::Group => None,
        };
        chosen.filter_map(|(node, _)| slot(node)).collect()
    }
}
