//! What leaves an operation for people and machines to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use purlin_diag::Severity;

use crate::cause::Cause;
use crate::diff::DetailedDiff;
use crate::policy::{PolicyRepair, PolicyTally, PolicyVerdict};
use crate::state::ResourceState;
use crate::urn::Urn;
use crate::value::PropertyMap;

/// What a step does to a resource, in the words of the ecosystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepOp {
    /// Nothing changes.
    Same,
    /// A new resource.
    Create,
    /// A change in place.
    Update,
    /// A removal.
    Delete,
    /// The logical replacement of one state by another.
    Replace,
    /// The creation that a replacement makes.
    CreateReplacement,
    /// The removal that a replacement makes.
    DeleteReplaced,
    /// A resource that is only read.
    Read,
    /// A read in the place of a managed resource.
    ReadReplacement,
    /// A look at what the cloud has.
    Refresh,
    /// A read resource is no longer read.
    Discard,
    /// A read resource is replaced.
    DiscardReplaced,
    /// A state that waited for its replacement goes away.
    RemovePendingReplace,
    /// An existing resource is taken over.
    Import,
    /// An existing resource is taken over in the place of another.
    ImportReplacement,
}

impl StepOp {
    /// The word of the ecosystem.
    pub fn as_str(self) -> &'static str {
        match self {
            StepOp::Same => "same",
            StepOp::Create => "create",
            StepOp::Update => "update",
            StepOp::Delete => "delete",
            StepOp::Replace => "replace",
            StepOp::CreateReplacement => "create-replacement",
            StepOp::DeleteReplaced => "delete-replaced",
            StepOp::Read => "read",
            StepOp::ReadReplacement => "read-replacement",
            StepOp::Refresh => "refresh",
            StepOp::Discard => "discard",
            StepOp::DiscardReplaced => "discard-replaced",
            StepOp::RemovePendingReplace => "remove-pending-replace",
            StepOp::Import => "import",
            StepOp::ImportReplacement => "import-replacement",
        }
    }

    /// The step that a word stands for.
    pub fn from_word(word: &str) -> Option<StepOp> {
        const ALL: [StepOp; 15] = [
            StepOp::Same,
            StepOp::Create,
            StepOp::Update,
            StepOp::Delete,
            StepOp::Replace,
            StepOp::CreateReplacement,
            StepOp::DeleteReplaced,
            StepOp::Read,
            StepOp::ReadReplacement,
            StepOp::Refresh,
            StepOp::Discard,
            StepOp::DiscardReplaced,
            StepOp::RemovePendingReplace,
            StepOp::Import,
            StepOp::ImportReplacement,
        ];
        ALL.into_iter().find(|op| op.as_str() == word)
    }
}

/// One side of a step as an event shows it.
#[derive(Clone, Debug)]
pub struct StateView {
    /// The envelope. Its bags are not to be shown; `inputs` and `outputs` are.
    pub state: Arc<ResourceState>,
    /// The decoded inputs, secrets still marked.
    pub inputs: Arc<PropertyMap>,
    /// The decoded outputs, secrets still marked.
    pub outputs: Arc<PropertyMap>,
}

/// A step as events describe it.
#[derive(Clone, Debug)]
pub struct StepView {
    /// What it does.
    pub op: StepOp,
    /// The resource.
    pub urn: Urn,
    /// The state before, if there was one.
    pub old: Option<StateView>,
    /// The state after, if there is one.
    pub new: Option<StateView>,
    /// The properties that force a replacement.
    pub replace_keys: Vec<String>,
    /// The properties that differ.
    pub diff_keys: Vec<String>,
    /// What differs, path by path; `None` where the provider didn't say.
    pub detailed_diff: Option<DetailedDiff>,
    /// Whether the step stands for what the user asked for, rather than a part of carrying it out.
    pub logical: bool,
    /// The provider's reference, empty for components.
    pub provider: String,
    /// Why, as far as it has to be explained.
    pub cause: Option<Arc<Cause>>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// Everything went well.
    Succeeded,
    /// Something failed.
    Failed,
    /// The user stopped it.
    Canceled,
}

impl OperationResult {
    /// The word that events use.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationResult::Succeeded => "succeeded",
            OperationResult::Failed => "failed",
            OperationResult::Canceled => "canceled",
        }
    }
}

/// Something that happened in an operation.
#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// The operation starts; the configuration with secrets masked.
    Prelude {
        /// Configuration values by `namespace:key`.
        config: BTreeMap<String, String>,
    },
    /// Something was said, by the engine, a program or a plugin.
    Diagnostic {
        /// The resource that it is about.
        urn: Option<Urn>,
        /// Text to show before the message, such as `warning: `.
        prefix: String,
        /// The message; may span lines.
        message: String,
        /// How much it matters.
        severity: Severity,
        /// Messages of one stream are one text.
        stream_id: i32,
        /// Whether it is a passing status rather than something to keep.
        ephemeral: bool,
    },
    /// A program or plugin wrote to standard output.
    Stdout {
        /// The text.
        message: String,
    },
    /// A step is about to happen.
    ResourcePre {
        /// The step.
        step: Box<StepView>,
        /// Whether nothing is really done.
        planning: bool,
    },
    /// A step has happened.
    ResourceOutputs {
        /// The step.
        step: Box<StepView>,
        /// Whether nothing was really done.
        planning: bool,
    },
    /// A step has failed. What went wrong is in diagnostics of the same URN.
    ResourceFailed {
        /// The step.
        step: Box<StepView>,
        /// Whether the outcome is unknown rather than known to be a failure.
        outcome_unknown: bool,
        /// How many steps were done before, shown for compatibility.
        steps: u64,
    },
    /// A download or an installation goes on.
    Progress {
        /// What it is.
        id: String,
        /// A line to show.
        message: String,
        /// Bytes so far.
        received: u64,
        /// Bytes in all; zero where unknown.
        total: u64,
        /// Whether it has ended.
        done: bool,
    },
    /// Policy packs are being loaded.
    PolicyLoad,
    /// A policy is violated.
    PolicyViolation(Box<PolicyVerdict>),
    /// A policy has put a resource right.
    PolicyRemediation(Box<PolicyRepair>),
    /// A pack has looked at a resource or at the stack.
    PolicySummary(Box<PolicyTally>),
    /// The operation has ended.
    Summary {
        /// Whether it was a preview.
        preview: bool,
        /// Whether what was recorded may not be true of the cloud.
        maybe_corrupt: bool,
        /// How long it took, in seconds, rounded up.
        duration_seconds: u64,
        /// How many resources each kind of step touched.
        changes: BTreeMap<StepOp, u64>,
        /// The versions of the policy packs that judged it, by their names. Those from a folder of
        /// this machine are called `<name>|local|<folder>`.
        policy_packs: BTreeMap<String, String>,
        /// How it ended.
        result: OperationResult,
    },
    /// Nothing more will come.
    Cancel,
}
