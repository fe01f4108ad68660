//! Update plans: what a preview found that an update would do, for an update to keep to.
//!
//! A plan is made of resource plans by URN. Its bags of properties are of any type `M`: decoded
//! ones while it is made or followed, sealed texts while it is a file.

use std::collections::BTreeMap;

use crate::event::StepOp;
use crate::goal::{Alias, CustomTimeouts};
use crate::map::PropertyDependencies;
use crate::urn::{ProviderRef, Urn};
use crate::value::PropertyMap;

/// What an update may do, resource by resource.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdatePlan<M = PropertyMap> {
    /// The plan of each resource.
    pub resources: BTreeMap<Urn, ResourcePlan<M>>,
}

/// What an update may do to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePlan<M = PropertyMap> {
    /// What the program wants; `None` where the resource is only to be deleted.
    pub goal: Option<PlannedGoal<M>>,
    /// The steps, in order.
    pub steps: Vec<StepOp>,
    /// The outputs as the preview foresaw them. Nobody is held to them.
    pub outputs: Option<M>,
    /// The bytes from which names were made up; empty if there are none.
    pub seed: Vec<u8>,
}

/// What a program wanted of a resource during the preview.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedGoal<M = PropertyMap> {
    /// The type token.
    pub ty: String,
    /// The name.
    pub name: String,
    /// Whether a provider manages it.
    pub custom: bool,
    /// How the checked inputs differ from those of the state.
    pub inputs: PlannedDiff<M>,
    /// How the outputs that the program registered differ from those of the state.
    pub outputs: PlannedDiff<M>,
    /// The parent.
    pub parent: Option<Urn>,
    /// Whether deleting it is forbidden.
    pub protect: bool,
    /// The resources that must exist before it.
    pub dependencies: Vec<Urn>,
    /// The provider instance.
    pub provider: Option<ProviderRef>,
    /// The resources that each property was made from.
    pub property_dependencies: PropertyDependencies,
    /// Whether a replacement deletes first.
    pub delete_before_replace: Option<bool>,
    /// Property paths whose changes don't count.
    pub ignore_changes: Vec<String>,
    /// Outputs to treat as secret.
    pub additional_secret_outputs: Vec<String>,
    /// Other names of its old state.
    pub aliases: Vec<Alias>,
    /// The id of an existing resource to take over; empty for none.
    pub import_id: String,
    /// How long its operations may take.
    pub custom_timeouts: CustomTimeouts,
}

/// The changes of properties that a plan foresees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedDiff<M = PropertyMap> {
    /// Properties to be added.
    pub adds: M,
    /// Properties to be removed, sorted.
    pub deletes: Vec<String>,
    /// Properties to be changed, with their new values.
    pub updates: M,
}

impl<M> Default for UpdatePlan<M> {
    fn default() -> Self {
        UpdatePlan { resources: BTreeMap::new() }
    }
}

impl<M> Default for ResourcePlan<M> {
    fn default() -> Self {
        ResourcePlan { goal: None, steps: Vec::new(), outputs: None, seed: Vec::new() }
    }
}

impl<M> UpdatePlan<M> {
    /// All bags, in the order in which [`UpdatePlan::with_bags`] takes them.
    pub fn bags(&self) -> Vec<&M> {
        let mut bags = Vec::new();
        for resource in self.resources.values() {
            if let Some(goal) = &resource.goal {
                bags.extend([&goal.inputs.adds, &goal.inputs.updates]);
                bags.extend([&goal.outputs.adds, &goal.outputs.updates]);
            }
            bags.extend(&resource.outputs);
        }
        bags
    }

    /// The same plan with other bags, as many as [`UpdatePlan::bags`] gave; `None` if there are
    /// too few.
    pub fn with_bags<N>(self, bags: impl IntoIterator<Item = N>) -> Option<UpdatePlan<N>> {
        let mut bags = bags.into_iter();
        let mut resources = BTreeMap::new();
        for (urn, resource) in self.resources {
            let goal = match resource.goal {
                Some(goal) => Some(goal.with_bags(&mut bags)?),
                None => None,
            };
            let outputs = match resource.outputs {
                Some(_) => Some(bags.next()?),
                None => None,
            };
            let (steps, seed) = (resource.steps, resource.seed);
            resources.insert(urn, ResourcePlan { goal, steps, outputs, seed });
        }
        Some(UpdatePlan { resources })
    }
}

impl<M> PlannedGoal<M> {
    fn with_bags<N>(self, bags: &mut impl Iterator<Item = N>) -> Option<PlannedGoal<N>> {
        let inputs = self.inputs.with_bags(bags)?;
        let outputs = self.outputs.with_bags(bags)?;
        Some(PlannedGoal {
            ty: self.ty,
            name: self.name,
            custom: self.custom,
            inputs,
            outputs,
            parent: self.parent,
            protect: self.protect,
            dependencies: self.dependencies,
            provider: self.provider,
            property_dependencies: self.property_dependencies,
            delete_before_replace: self.delete_before_replace,
            ignore_changes: self.ignore_changes,
            additional_secret_outputs: self.additional_secret_outputs,
            aliases: self.aliases,
            import_id: self.import_id,
            custom_timeouts: self.custom_timeouts,
        })
    }
}

impl<M> PlannedDiff<M> {
    fn with_bags<N>(self, bags: &mut impl Iterator<Item = N>) -> Option<PlannedDiff<N>> {
        Some(PlannedDiff { adds: bags.next()?, deletes: self.deletes, updates: bags.next()? })
    }
}
