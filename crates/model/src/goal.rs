//! What a program wants a resource to be.

use std::sync::Arc;

use crate::map::PropertyDependencies;
use crate::package::Extension;
use crate::state::ResourceHooks;
use crate::urn::{ProviderRef, Urn};
use crate::value::{PropertyMap, PropertyValue};

/// How long the operations of one resource may take, in seconds; zero for the provider's default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CustomTimeouts {
    /// For a create.
    pub create: f64,
    /// For an update.
    pub update: f64,
    /// For a delete.
    pub delete: f64,
    /// For a read.
    pub read: f64,
}

impl CustomTimeouts {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == CustomTimeouts::default()
    }
}

/// The parent in an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasParent {
    /// The same parent as the new resource's.
    Same,
    /// No parent at all.
    None,
    /// The parent named.
    Urn(Urn),
}

/// Another name under which a resource's old state may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alias {
    /// The full name.
    Urn(Urn),
    /// A name made from the new one with some parts replaced.
    Spec {
        /// Another name.
        name: Option<String>,
        /// Another type.
        ty: Option<String>,
        /// Another stack.
        stack: Option<String>,
        /// Another project.
        project: Option<String>,
        /// Another parent.
        parent: AliasParent,
    },
}

/// What a program wants a resource to be, with all options settled: the provider chosen, options
/// inherited from the parent filled in.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The type token.
    pub ty: String,
    /// The name.
    pub name: String,
    /// Whether a provider manages it.
    pub custom: bool,
    /// The wanted inputs.
    pub inputs: Arc<PropertyMap>,
    /// The parent; `None` for the root stack and for resources without one.
    pub parent: Option<Urn>,
    /// Whether deleting it is forbidden; `None` where nobody said so, parents included.
    pub protect: Option<bool>,
    /// The resources that must exist before it, sorted.
    pub dependencies: Vec<Urn>,
    /// The provider instance; `None` for components.
    pub provider: Option<ProviderRef>,
    /// The extension of its package that it uses.
    pub extension: Option<Arc<Extension>>,
    /// The resources that each property was made from, sorted.
    pub property_dependencies: PropertyDependencies,
    /// Whether a replacement deletes first; `None` leaves it to the provider.
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
    /// Property paths whose changes replace the resource.
    pub replace_on_changes: Vec<String>,
    /// Whether deleting it from the state leaves the real thing alone; `None` where nobody said.
    pub retain_on_delete: Option<bool>,
    /// A resource whose deletion deletes this one too.
    pub deleted_with: Option<Urn>,
    /// Resources whose replacement replaces this one.
    pub replace_with: Vec<Urn>,
    /// A value whose change replaces the resource; `Null` for none.
    pub replacement_trigger: PropertyValue,
    /// Property paths that displays leave out.
    pub hide_diffs: Vec<String>,
    /// Names of hooks around its operations.
    pub resource_hooks: ResourceHooks,
    /// Where in the program it was registered, as `project:///file#line,column`.
    pub source_position: Option<Arc<str>>,
    /// The frames that led there.
    pub stack_trace: Arc<[Arc<str>]>,
}

impl Goal {
    /// A goal without any option.
    pub fn new(ty: impl Into<String>, name: impl Into<String>, custom: bool, inputs: PropertyMap) -> Self {
        Goal {
            ty: ty.into(),
            name: name.into(),
            custom,
            inputs: Arc::new(inputs),
            parent: None,
            protect: None,
            dependencies: Vec::new(),
            provider: None,
            extension: None,
            property_dependencies: PropertyDependencies::new(),
            delete_before_replace: None,
            ignore_changes: Vec::new(),
            additional_secret_outputs: Vec::new(),
            aliases: Vec::new(),
            import_id: String::new(),
            custom_timeouts: CustomTimeouts::default(),
            replace_on_changes: Vec::new(),
            retain_on_delete: None,
            deleted_with: None,
            replace_with: Vec::new(),
            replacement_trigger: PropertyValue::Null,
            hide_diffs: Vec::new(),
            resource_hooks: ResourceHooks::default(),
            source_position: None,
            stack_trace: Arc::new([]),
        }
    }
}
