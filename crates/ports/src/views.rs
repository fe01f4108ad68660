//! Views: what a provider shows inside one of its resources.

use std::sync::Arc;

use purlin_model::PropertyMap;
use purlin_model::diff::DetailedDiff;
use purlin_model::event::StepOp;

/// A view as an earlier operation left it, told to the provider with the next one.
#[derive(Clone, Debug)]
pub struct View {
    /// Its type.
    pub ty: String,
    /// Its name.
    pub name: String,
    /// Its inputs.
    pub inputs: Arc<PropertyMap>,
    /// Its outputs.
    pub outputs: Arc<PropertyMap>,
}

/// Where a provider says during a call what it does to views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusAddress {
    /// Where the service listens, as `host:port`; empty if there is none.
    pub address: String,
    /// What says which call it is about.
    pub token: String,
}

/// One side of a published step.
#[derive(Clone, Debug, Default)]
pub struct PublishedState {
    /// The type.
    pub ty: String,
    /// The name.
    pub name: String,
    /// The inputs.
    pub inputs: PropertyMap,
    /// The outputs.
    pub outputs: PropertyMap,
}

/// What a provider says that it does to a view.
#[derive(Clone, Debug)]
pub struct PublishedStep {
    /// What it does.
    pub op: StepOp,
    /// What went wrong; empty if nothing did.
    pub error: String,
    /// The view before.
    pub old: Option<PublishedState>,
    /// The view after.
    pub new: Option<PublishedState>,
    /// The properties that force a replacement.
    pub replace_keys: Vec<String>,
    /// The properties that differ.
    pub diff_keys: Vec<String>,
    /// What differs path by path, if the provider says so.
    pub detailed: Option<DetailedDiff>,
}
