//! The traits that the engine calls, and the one that programs call it through.
//!
//! Adapters implement these; the engine compiles with none of them present. Each trait has one
//! conformance suite that every adapter passes.

mod ambient;
mod blobs;
mod hooks;
mod language;
mod monitor;
mod policy;
mod provider;
mod state;
mod views;

pub use ambient::{Clock, Entropy, EventSink};
pub use blobs::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};
pub use hooks::{ErrorHook, ErrorHookCall, Hook, HookCall, HookKind, HookSide, ResourceHook};
pub use language::{LanguageHost, ProgramInfo, RunOutcome, RunRequest};
pub use monitor::{
    CallReply, CallRequest, CheckFailure, DeploymentInfo, Inherited, InvokeReply, InvokeRequest, LogMessage,
    MonitorError, ReadReply, ReadRequest, RegisterReply, RegisterRequest, RegisterResult, ResourceMonitor,
};
pub use policy::{
    Analysis, Enforcement, PackInfo, PolicyInfo, PolicyPack, PolicyProvider, PolicyResource, PolicyScope,
    PolicyViolation, Remediation, Remedies,
};
pub use provider::{
    CallContext, CheckArgs, CheckResult, ConfigureArgs, ConstructArgs, ConstructResult, CreateArgs,
    DeleteArgs, DiffArgs, DiffChanges, DiffResult, InvokeArgs, InvokeResult, NameProposal, NamingMode,
    Operated, Provider, ProviderError, ProviderHost, ProviderMethodArgs, ProviderMethodResult, ReadArgs,
    ReadResult, UpdateArgs,
};
pub use state::{
    BagCodec, CancelReport, Durable, HistoryEntry, LoadedStack, RecordedConfig, SecretsManager, StackId,
    StackSummary, StateError, StateStore, UpdateInfo, UpdateOutcome, UpdateSession,
};
pub use views::{PublishedState, PublishedStep, StatusAddress, View};
