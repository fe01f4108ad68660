//! What policies say, as events and displays pass it on.

use std::sync::Arc;

use crate::urn::Urn;
use crate::value::PropertyMap;

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicySeverity {
    /// Very bad.
    Critical,
    /// Bad.
    High,
    /// Somewhat bad.
    Medium,
    /// Not so bad.
    Low,
}

impl PolicySeverity {
    /// The word of the ecosystem.
    pub fn as_str(self) -> &'static str {
        match self {
            PolicySeverity::Critical => "critical",
            PolicySeverity::High => "high",
            PolicySeverity::Medium => "medium",
            PolicySeverity::Low => "low",
        }
    }
}

/// A policy by its name and its pack's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyName {
    /// The pack.
    pub pack: String,
    /// The pack's version; empty where it has none.
    pub version: String,
    /// The policy.
    pub policy: String,
}

/// A violation as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVerdict {
    /// The resource.
    pub urn: Urn,
    /// What is violated.
    pub policy: PolicyName,
    /// What is wrong; may span lines.
    pub message: String,
    /// Whether the operation fails because of it.
    pub mandatory: bool,
    /// How bad it is, where the policy says so.
    pub severity: Option<PolicySeverity>,
}

/// A resource that was put right, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRepair {
    /// The resource.
    pub urn: Urn,
    /// What put it right.
    pub policy: PolicyName,
    /// The inputs before, secrets still marked.
    pub before: Arc<PropertyMap>,
    /// The inputs after, secrets still marked.
    pub after: Arc<PropertyMap>,
}

/// What a pack was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPhase {
    /// Put a resource right.
    Remediate,
    /// Look at a resource.
    Analyze,
    /// Look at the stack.
    AnalyzeStack,
}

/// What a pack found, policy by policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTally {
    /// What it was asked to do.
    pub phase: PolicyPhase,
    /// The resource; `None` for the stack.
    pub urn: Option<Urn>,
    /// The pack.
    pub pack: String,
    /// The pack's version; empty where it has none.
    pub version: String,
    /// The policies that found nothing, sorted.
    pub passed: Vec<String>,
    /// The policies that found something, sorted.
    pub failed: Vec<String>,
}
