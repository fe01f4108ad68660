//! Functions of a program that the engine calls around the operations of resources.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_model::{PropertyMap, ResourceState, Urn};

/// A resource before or after an operation, as a hook gets to see it.
#[derive(Clone, Debug)]
pub struct HookSide {
    /// The options, as the envelope has them. Its bags are not meant.
    pub state: Arc<ResourceState>,
    /// The inputs, secrets still marked.
    pub inputs: Arc<PropertyMap>,
    /// The outputs, secrets still marked; `None` while there are none.
    pub outputs: Option<Arc<PropertyMap>>,
}

/// What a hook is told.
#[derive(Clone, Debug)]
pub struct HookCall {
    /// The resource.
    pub urn: Urn,
    /// Its id; empty where it has none yet.
    pub id: String,
    /// What it was; `None` for a create.
    pub old: Option<HookSide>,
    /// What it becomes, or has become; `None` for a delete.
    pub new: Option<HookSide>,
}

/// What an error hook is told.
#[derive(Clone, Debug)]
pub struct ErrorHookCall {
    /// The resource.
    pub resource: HookCall,
    /// What failed: `create`, `update` or `delete`.
    pub operation: &'static str,
    /// Why, once for each attempt, the newest first.
    pub errors: Vec<String>,
}

/// A function that is called before or after an operation.
#[async_trait]
pub trait ResourceHook: Send + Sync {
    /// Calls it. An error says what went wrong.
    async fn run(&self, call: HookCall) -> Result<(), String>;
}

/// A function that is called when an operation has failed.
#[async_trait]
pub trait ErrorHook: Send + Sync {
    /// Calls it. Says whether the operation is to be tried again, or what went wrong with the hook.
    async fn run(&self, call: ErrorHookCall) -> Result<bool, String>;
}

/// What a hook does, and when.
#[derive(Clone)]
pub enum HookKind {
    /// It is called before or after operations.
    Resource {
        /// The function.
        function: Arc<dyn ResourceHook>,
        /// Whether it is called in previews, too.
        on_dry_run: bool,
        /// Whether its failure is only a warning.
        ignore_errors: bool,
    },
    /// It is called after failures.
    Error(Arc<dyn ErrorHook>),
}

/// A hook that a program registers. Resources name it in their options.
#[derive(Clone)]
pub struct Hook {
    /// Its name, unique in the program.
    pub name: String,
    /// What it does.
    pub kind: HookKind,
}
