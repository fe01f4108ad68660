//! The port to policy packs.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_diag::Diagnostic;
use purlin_model::{CustomTimeouts, PropertyMap, Urn};

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
    pub policy: String,
    /// The pack that it belongs to.
    pub pack: String,
    /// The version of the pack; empty where it has none.
    pub pack_version: String,
    /// What the policy is about.
    pub description: String,
    /// What is wrong.
    pub message: String,
    /// How much it matters.
    pub enforcement: Enforcement,
    /// The resource; `None` for the stack as a whole.
    pub urn: Option<Urn>,
}

/// What a policy did about a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Remediation {
    /// The policy.
    pub policy: String,
    /// The pack that it belongs to.
    pub pack: String,
    /// The version of the pack; empty where it has none.
    pub pack_version: String,
    /// What the policy is about.
    pub description: String,
    /// The inputs as they are to be, or why they couldn't be put right.
    pub outcome: Result<PropertyMap, String>,
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
    /// The parent.
    pub parent: Option<Urn>,
    /// The resources that it was made after.
    pub dependencies: Vec<Urn>,
    /// The provider; `None` for components.
    pub provider: Option<PolicyProvider>,
}

/// A policy pack, ready to look.
#[async_trait]
pub trait PolicyPack: Send + Sync {
    /// Puts a resource right. An error fails the operation.
    async fn remediate(&self, resource: &PolicyResource) -> Result<Vec<Remediation>, Diagnostic>;

    /// Looks at a resource before anything is done with it. An error fails the operation.
    async fn analyze(&self, resource: &PolicyResource) -> Result<Vec<PolicyViolation>, Diagnostic>;

    /// Looks at all resources when everything has been done. An error fails the operation.
    async fn analyze_stack(&self, resources: &[PolicyResource]) -> Result<Vec<PolicyViolation>, Diagnostic>;

    /// Asks it to give up what it is doing. Returns at once or soon.
    async fn cancel(&self);
}
