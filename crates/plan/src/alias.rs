//! Other names under which a resource's old state may be found.

use std::collections::HashSet;

use purlin_model::{Alias, AliasParent, Goal, Urn};

use crate::table::{Planner, Resource};

/// The names that a parent had before, as its children see it.
enum Former {
    /// The parent's old state was found under this name.
    Found(Urn),
    /// It was found under the new name, or not at all: these are the names that it could have had.
    Claimed(Vec<Urn>),
}

impl Planner {
    /// Every other URN of a registration's old state, in the order in which they are tried: its own
    /// aliases first, then those that follow from its parent's.
    pub(crate) fn alias_urns(&self, goal: &Goal, own: &Urn) -> Vec<Urn> {
        let parent = goal.parent.as_ref().and_then(|urn| self.resource_by_urn(urn));
        let former = parent.and_then(|parent| Some((parent, self.former_names(parent)?)));
        if goal.aliases.is_empty() && former.is_none() {
            return Vec::new();
        }
        let mut found = self.explicit_aliases(goal);
        match &former {
            Some((parent, Former::Found(old_parent))) => {
                found.push(self.child_of(old_parent, &goal.ty, &renamed(parent, old_parent, &goal.name)));
                found.push(self.child_of(old_parent, &goal.ty, &goal.name));
                for at in 0..found.len() - 2 {
                    let (ty, name) = (found[at].ty().to_owned(), found[at].name().to_owned());
                    found.push(self.child_of(old_parent, &ty, &renamed(parent, old_parent, &name)));
                }
            }
            Some((parent, Former::Claimed(names))) => {
                for old_parent in names {
                    let old_name = renamed(parent, old_parent, &goal.name);
                    found.push(self.child_of(old_parent, &goal.ty, &old_name));
                    found.push(self.child_of(old_parent, &goal.ty, &goal.name));
                    // Where an earlier run renamed the parent and did not get as far as this child.
                    found.push(self.child_of(&parent.urn, &goal.ty, &old_name));
                }
            }
            None => {}
        }
        let mut seen = HashSet::with_capacity(found.len());
        found.retain(|urn| urn != own && seen.insert(urn.clone()));
        found
    }

    /// The names that a registration gives itself.
    fn explicit_aliases(&self, goal: &Goal) -> Vec<Urn> {
        let mut found = Vec::with_capacity(goal.aliases.len());
        for alias in &goal.aliases {
            let (name, ty, stack, project, parent) = match alias {
                Alias::Urn(urn) => {
                    found.push(urn.clone());
                    continue;
                }
                Alias::Spec { name, ty, stack, project, parent } => (name, ty, stack, project, parent),
            };
            let build = |parent: Option<&Urn>| {
                Urn::new(
                    stack.as_deref().unwrap_or(&self.settings.stack),
                    project.as_deref().unwrap_or(&self.settings.project),
                    parent,
                    ty.as_deref().unwrap_or(&goal.ty),
                    name.as_deref().unwrap_or(&goal.name),
                )
            };
            match parent {
                AliasParent::None => found.push(build(None)),
                AliasParent::Same => found.push(build(goal.parent.as_ref())),
                AliasParent::Urn(urn) => {
                    // A parent that has been renamed itself lends its old name.
                    let old = self.resource_by_urn(urn).and_then(|parent| parent.claimed_as.as_ref());
                    found.extend(old.filter(|old| *old != urn).map(|old| build(Some(old))));
                    found.push(build(Some(urn)));
                }
            }
        }
        found
    }

    /// `None` if a parent has no other name. One whose old state was found under its own name, or not at
    /// all, may have had every name that it could have been found under: a refresh may have found it gone.
    fn former_names(&self, parent: &Resource) -> Option<Former> {
        if let Some(urn) = parent.claimed_as.as_ref().filter(|urn| **urn != parent.urn) {
            return Some(Former::Found(urn.clone()));
        }
        let mut names = self.alias_urns(&parent.goal, &parent.urn);
        names.retain(|urn| !self.live.contains_key(urn));
        (!names.is_empty()).then_some(Former::Claimed(names))
    }

    fn child_of(&self, parent: &Urn, ty: &str, name: &str) -> Urn {
        Urn::new(&self.settings.stack, &self.settings.project, Some(parent), ty, name)
    }
}

/// The name of a child when its parent had another: where it begins with the parent's, it is taken to
/// have been renamed along.
fn renamed(parent: &Resource, old_parent: &Urn, child: &str) -> String {
    match child.strip_prefix(parent.urn.name()) {
        Some(rest) => format!("{}{rest}", old_parent.name()),
        None => child.to_owned(),
    }
}
