//! Other names under which a resource's old state may be found.

use purlin_model::{Alias, AliasParent, Goal, Urn};

use crate::table::{Planner, Resource};

impl Planner {
    /// Every other URN of a registration's old state, in the order in which they are tried: its
    /// own aliases first, then those that follow from its parent's.
    pub(crate) fn alias_urns(&self, goal: &Goal, own: &Urn) -> Vec<Urn> {
        let mut found = Vec::new();
        let mut add = |urn: Urn| {
            if urn != *own && !found.contains(&urn) {
                found.push(urn);
            }
        };
        let parent = goal.parent.as_ref().and_then(|urn| self.resource_by_urn(urn));
        for alias in &goal.aliases {
            match alias {
                Alias::Urn(urn) => add(urn.clone()),
                Alias::Spec { name, ty, stack, project, parent: alias_parent } => {
                    let build = |parent: Option<&Urn>, name: &str| {
                        Urn::new(
                            stack.as_deref().unwrap_or(&self.settings.stack),
                            project.as_deref().unwrap_or(&self.settings.project),
                            parent,
                            ty.as_deref().unwrap_or(&goal.ty),
                            name,
                        )
                    };
                    let name = name.as_deref().unwrap_or(&goal.name);
                    match alias_parent {
                        AliasParent::None => add(build(None, name)),
                        AliasParent::Urn(parent) => add(build(Some(parent), name)),
                        AliasParent::Same => {
                            add(build(goal.parent.as_ref(), name));
                            for (old_parent, old_name) in former_parents(parent, name) {
                                add(build(Some(old_parent), &old_name));
                            }
                        }
                    }
                }
            }
        }
        for (old_parent, old_name) in former_parents(parent, &goal.name) {
            add(Urn::new(
                &self.settings.stack,
                &self.settings.project,
                Some(old_parent),
                &goal.ty,
                &goal.name,
            ));
            add(Urn::new(
                &self.settings.stack,
                &self.settings.project,
                Some(old_parent),
                &goal.ty,
                &old_name,
            ));
        }
        found
    }
}

/// The former names of a parent, each with the name that a child had under it: where a child's
/// name begins with its parent's, it is taken to have been renamed along. A parent whose old state
/// was found has the one name that it was found under.
fn former_parents<'a>(parent: Option<&'a Resource>, child: &str) -> Vec<(&'a Urn, String)> {
    let Some(parent) = parent else { return Vec::new() };
    let urns: &[Urn] = match &parent.claimed_as {
        Some(urn) if *urn == parent.urn => &[],
        Some(urn) => std::slice::from_ref(urn),
        None => &parent.aliases,
    };
    let renamed = |old_parent: &Urn| match child.strip_prefix(parent.urn.name()) {
        Some(rest) => format!("{}{rest}", old_parent.name()),
        None => child.to_owned(),
    };
    urns.iter().map(|urn| (urn, renamed(urn))).collect()
}
