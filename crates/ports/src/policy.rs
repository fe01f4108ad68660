//! The port to policy packs.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::policy::{PolicyName, PolicySeverity};
use purlin_model::{CustomTimeouts, PropertyDependencies, PropertyMap, Urn};

/// How much it matters that a policy is violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It is shown.
    Advisory,
    /// The operation fails.
    Mandatory,
    /// What can be is put right; what is left is mandatory.
    Remediate,
    /// Nobody looks.
    Disabled,
}

/// A violation of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyViolation {
    /// The policy.
    pub policy: PolicyName,
    /// What is wrong.
    pub message: String,
    /// How much it matters.
    pub enforcement: Enforcement,
    /// How bad it is, where the policy says so.
    pub severity: Option<PolicySeverity>,
    /// The resource; `None` for the stack as a whole.
    pub urn: Option<Urn>,
}

/// What a pack found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// What is violated.
    pub violations: Vec<PolicyViolation>,
    /// The policies that had nothing to do with it.
    pub not_applicable: Vec<String>,
}

/// What a policy did about a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Remediation {
    /// The policy.
    pub policy: PolicyName,
    /// The inputs as they are to be, or why they couldn't be put right.
    pub outcome: Result<PropertyMap, String>,
}

/// What a pack did about a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remedies {
    /// What was done, in order: each goes on from what the one before left.
    pub remediations: Vec<Remediation>,
    /// The policies that had nothing to do with it.
    pub not_applicable: Vec<String>,
}

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// Single resources.
    Resource,
    /// The stack as a whole.
    Stack,
    /// The pack does not say.
    Unknown,
}

/// A policy of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub scope: PolicyScope,
    /// How much it matters, configuration taken into account.
    pub enforcement: Enforcement,
}

/// What a pack says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackInfo {
    /// Its name.
    pub name: String,
    /// Its version; empty where it has none.
    pub version: String,
    /// Its policies.
    pub policies: Vec<PolicyInfo>,
}

/// A provider, as policies see it.
#[derive(Clone, Debug)]
pub struct PolicyProvider {
    /// Its name; the type is part of it.
    pub urn: Urn,
    /// Its inputs.
    pub properties: Arc<PropertyMap>,
}

/// A resource, as policies see it.
#[derive(Clone, Debug)]
pub struct PolicyResource {
    /// Its name; the type is part of it.
    pub urn: Urn,
    /// Its checked inputs; at the end, its outputs.
    pub properties: Arc<PropertyMap>,
    /// Whether deleting it is forbidden.
    pub protect: bool,
    /// Property paths whose changes don't count.
    pub ignore_changes: Vec<String>,
    /// Whether a replacement deletes first.
    pub delete_before_replace: Option<bool>,
    /// Outputs to treat as secret.
    pub additional_secret_outputs: Vec<String>,
    /// How long its operations may take.
    pub custom_timeouts: CustomTimeouts,
    /// The names under which its old state was found.
    pub aliases: Vec<Urn>,
    /// The parent.
    pub parent: Option<Urn>,
    /// The resources that it was made after.
    pub dependencies: Vec<Urn>,
    /// The resources that each property was made from.
    pub property_dependencies: PropertyDependencies,
    /// The provider; `None` for components.
    pub provider: Option<PolicyProvider>,
}

/// A policy pack, ready to look.
#[async_trait]
pub trait PolicyPack: Send + Sync {
    /// What it is.
    fn info(&self) -> &PackInfo;

    /// Puts a resource right. An error fails the operation.
    async fn remediate(&self, resource: &PolicyResource) -> Result<Remedies, Diagnostic>;

    /// Looks at a resource before anything is done with it. An error fails the operation.
    async fn analyze(&self, resource: &PolicyResource) -> Result<Analysis, Diagnostic>;

    /// Looks at all resources when everything has been done. An error fails the operation.
    async fn analyze_stack(&self, resources: &[PolicyResource]) -> Result<Analysis, Diagnostic>;

    /// Asks it to give up what it is doing. Returns at once or soon.
    async fn cancel(&self);
}
