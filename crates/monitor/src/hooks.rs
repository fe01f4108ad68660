//! Hooks that live in the program: the engine calls them, the program's callback server runs them.

use std::sync::Arc;

use async_trait::async_trait;
use purlin_model::{PropertyMap, ResourceState, Urn};
use purlin_ports::{ErrorHook, ErrorHookCall, Hook, HookCall, HookKind, HookSide, ResourceHook};
use purlin_wire::calls::to_program;
use purlin_wire::pulumirpc::register_resource_request::{CustomTimeouts, ResourceHooksBinding};
use purlin_wire::pulumirpc::{
    Alias, Callback, ErrorHookRequest, ErrorHookResponse, RegisterErrorHookRequest,
    RegisterResourceHookRequest, ResourceHookRequest, ResourceHookResponse, ResourceOptions, alias,
};
use purlin_wire::{Struct, encode_map};
use tonic::Status;

use crate::callbacks::Callbacks;

/// A hook as the engine takes it.
pub(crate) fn resource_hook(
    callbacks: &Arc<Callbacks>,
    request: RegisterResourceHookRequest,
) -> Result<Hook, Status> {
    let function = Arc::new(InProgram::new(callbacks, &request.name, request.callback)?);
    let kind =
        HookKind::Resource { function, on_dry_run: request.on_dry_run, ignore_errors: request.ignore_errors };
    Ok(Hook { name: request.name, kind })
}

/// An error hook as the engine takes it.
pub(crate) fn error_hook(
    callbacks: &Arc<Callbacks>,
    request: RegisterErrorHookRequest,
) -> Result<Hook, Status> {
    let function = Arc::new(InProgram::new(callbacks, &request.name, request.callback)?);
    Ok(Hook { name: request.name, kind: HookKind::Error(function) })
}

/// A function of the program.
struct InProgram {
    callbacks: Arc<Callbacks>,
    callback: Callback,
}

impl InProgram {
    fn new(callbacks: &Arc<Callbacks>, name: &str, callback: Option<Callback>) -> Result<InProgram, Status> {
        let callback =
            callback.ok_or_else(|| Status::invalid_argument(format!("the hook '{name}' has no callback")))?;
        callbacks.check(&callback)?;
        Ok(InProgram { callbacks: Arc::clone(callbacks), callback })
    }

    fn encode(&self, properties: Option<&PropertyMap>) -> Result<Option<Struct>, String> {
        let options = to_program::callback_request(self.callback.accepts_byte_string);
        let encoded = properties.map(|properties| encode_map(properties, &options)).transpose();
        encoded.map_err(|error| format!("its arguments can't be sent: {error}"))
    }
}

fn outputs(side: Option<&HookSide>) -> Option<&PropertyMap> {
    side.and_then(|side| side.outputs.as_deref())
}

fn inputs(side: Option<&HookSide>) -> Option<&PropertyMap> {
    side.map(|side| &*side.inputs)
}

#[async_trait]
impl ResourceHook for InProgram {
    async fn run(&self, call: HookCall) -> Result<(), String> {
        let (old, new) = (call.old.as_ref(), call.new.as_ref());
        let request = ResourceHookRequest {
            urn: call.urn.to_string(),
            name: call.urn.name().to_owned(),
            r#type: call.urn.ty().to_owned(),
            new_inputs: self.encode(inputs(new))?,
            old_inputs: self.encode(inputs(old))?,
            new_outputs: self.encode(outputs(new))?,
            old_outputs: self.encode(outputs(old))?,
            old_options: old.map(|side| options(&side.state)),
            new_options: new.map(|side| options(&side.state)),
            id: call.id,
        };
        let answer: ResourceHookResponse =
            self.callbacks.call(&self.callback, &request).await.map_err(said)?;
        if answer.error.is_empty() { Ok(()) } else { Err(answer.error) }
    }
}

#[async_trait]
impl ErrorHook for InProgram {
    async fn run(&self, call: ErrorHookCall) -> Result<bool, String> {
        let resource = call.resource;
        let (old, new) = (resource.old.as_ref(), resource.new.as_ref());
        let request = ErrorHookRequest {
            urn: resource.urn.to_string(),
            name: resource.urn.name().to_owned(),
            r#type: resource.urn.ty().to_owned(),
            new_inputs: self.encode(inputs(new))?,
            old_inputs: self.encode(inputs(old))?,
            old_outputs: self.encode(outputs(old))?,
            failed_operation: call.operation.to_owned(),
            errors: call.errors,
            old_options: old.map(|side| options(&side.state)),
            new_options: new.map(|side| options(&side.state)),
            id: resource.id,
        };
        let answer: ErrorHookResponse = self.callbacks.call(&self.callback, &request).await.map_err(said)?;
        if answer.error.is_empty() { Ok(answer.retry) } else { Err(answer.error) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn said(status: Status) -> String {
    status.message().to_owned()
}

fn texts(urns: &[Urn]) -> Vec<String> {
    urns.iter().map(Urn::to_string).collect()
}

fn text(urn: Option<&Urn>) -> String {
    urn.map(Urn::to_string).unwrap_or_default()
}

/// The options of a resource, as far as its state knows them.
fn options(state: &ResourceState) -> ResourceOptions {
    let seconds = |seconds: f64| if seconds > 0.0 { format!("{seconds}s") } else { String::new() };
    let timeouts = state.custom_timeouts;
    ResourceOptions {
        depends_on: texts(&state.dependencies),
        protect: Some(state.protect),
        ignore_changes: state.ignore_changes.clone(),
        replace_on_changes: state.replace_on_changes.clone(),
        aliases: state
            .aliases
            .iter()
            .map(|urn| Alias { alias: Some(alias::Alias::Urn(urn.to_string())) })
            .collect(),
        provider: state.provider.as_ref().map(ToString::to_string).unwrap_or_default(),
        custom_timeouts: (!timeouts.is_empty()).then(|| CustomTimeouts {
            create: seconds(timeouts.create),
            update: seconds(timeouts.update),
            delete: seconds(timeouts.delete),
            read: seconds(timeouts.read),
        }),
        retain_on_delete: Some(state.retain_on_delete),
        deleted_with: text(state.deleted_with.as_ref()),
        additional_secret_outputs: state.additional_secret_outputs.clone(),
        hooks: (!state.resource_hooks.by_kind.is_empty()).then(|| binding(state)),
        import: state.import_id.clone(),
        hide_diff: state.hide_diffs.clone(),
        replace_with: texts(&state.replace_with),
        parent: text(state.parent.as_ref()),
        ..ResourceOptions::default()
    }
}

fn binding(state: &ResourceState) -> ResourceHooksBinding {
    let of = |kind| state.resource_hooks.of(kind).to_vec();
    ResourceHooksBinding {
        before_create: of("BeforeCreate"),
        after_create: of("AfterCreate"),
        before_update: of("BeforeUpdate"),
        after_update: of("AfterUpdate"),
        before_delete: of("BeforeDelete"),
        after_delete: of("AfterDelete"),
        on_error: of("OnError"),
    }
}
