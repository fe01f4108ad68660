//! What an operation is, as far as the planner has to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use purlin_model::autonaming::Autonaming;
use purlin_model::event::StepOp;
use purlin_model::update_plan::UpdatePlan;
use purlin_model::{PackageDescriptor, PropertyMap, Urn};

/// The steps of resources, in order.
pub type PlannedSteps = BTreeMap<Urn, Vec<StepOp>>;

use crate::import_list::ImportRequest;
use crate::target::Targets;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bring the cloud to what the program wants.
    Update,
    /// Bring the state to what the cloud has.
    Refresh,
    /// Delete everything.
    Destroy,
    /// Take existing resources over, from a list.
    Import,
}

/// The settings of one operation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stack's name without organization and project.
    pub stack: String,
    /// The project's name.
    pub project: String,
    /// The kind of the operation.
    pub mode: Mode,
    /// Whether nothing is really done.
    pub preview: bool,
    /// Whether the state is refreshed before anything else.
    pub refresh_first: bool,
    /// Whether the program runs in a refresh or a destroy, too, so that providers are set up as it
    /// says. In an update: whether `refresh_first` refreshes each resource when it is registered.
    pub run_program: bool,
    /// In a refresh: creates of earlier runs whose outcome nobody knew, and the ids of what they
    /// made.
    pub import_pending: BTreeMap<Urn, String>,
    /// In an import: what is taken over.
    pub imports: Vec<ImportRequest>,
    /// Whether the run goes on with what does not depend on a failure.
    pub continue_on_error: bool,
    /// Whether protection counts for nothing.
    pub ignore_protect: bool,
    /// In a destroy: whether protected resources and what they need are kept without complaint.
    pub exclude_protected: bool,
    /// Which resources the operation is about.
    pub targets: Targets,
    /// The packages that the program's dependencies need, by package name.
    pub default_packages: BTreeMap<String, PackageDescriptor>,
    /// The configuration of each package's default provider.
    pub package_config: BTreeMap<String, PropertyMap>,
    /// Packages that may not have a default provider; `*` for all but `pulumi`.
    pub disabled_default_providers: BTreeSet<String>,
    /// How resources are named, where the configuration says it.
    pub autonaming: Option<Arc<Autonaming>>,
    /// The update plan that is followed, if one is.
    pub update_plan: Option<Arc<UpdatePlan>>,
    /// Whether an update plan is recorded.
    pub records_plan: bool,
}

impl Settings {
    /// The settings of an operation without any option.
    pub fn new(stack: impl Into<String>, project: impl Into<String>, mode: Mode, preview: bool) -> Self {
        Settings {
            stack: stack.into(),
            project: project.into(),
            mode,
            preview,
            refresh_first: false,
            run_program: false,
            import_pending: BTreeMap::new(),
            imports: Vec::new(),
            continue_on_error: false,
            ignore_protect: false,
            exclude_protected: false,
            targets: Targets::default(),
            default_packages: BTreeMap::new(),
            package_config: BTreeMap::new(),
            disabled_default_providers: BTreeSet::new(),
            autonaming: None,
            update_plan: None,
            records_plan: false,
        }
    }
}
