//! The calls about resources.

use std::sync::Arc;

use purlin_model::PropertyMap;
use purlin_ports::{
    CheckArgs, CheckResult, CreateArgs, DeleteArgs, DiffArgs, DiffChanges, DiffResult, NamingMode, Operated,
    ProviderError, ReadArgs, ReadResult, UpdateArgs, View,
};
use purlin_wire::calls::{from_provider, to_provider};
use purlin_wire::{
    DecodeOptions, EncodeOptions, Struct, decode_map, decode_optional, detailed_diff, encode_map,
    pulumirpc as rpc,
};

use super::bags::{Contents, mark_secrets};
use super::config::require_known;
use super::errors::{failures, half_made, not_readable, not_sendable, outcome_not_readable};
use super::method;
use super::{Access, PluginProvider, Protocol};

fn send(map: &PropertyMap, options: EncodeOptions, protocol: Protocol) -> Result<Struct, ProviderError> {
    encode_map(map, &options.for_peer(protocol.peer)).map_err(|e| not_sendable(&e))
}

/// What a diff answered.
pub(super) fn diff_result(answer: rpc::DiffResponse) -> DiffResult {
    use rpc::diff_response::DiffChanges as Wire;
    let changes = match answer.changes() {
        Wire::DiffUnknown => DiffChanges::Unknown,
        Wire::DiffNone => DiffChanges::None,
        Wire::DiffSome => DiffChanges::Some,
    };
    let detailed = answer.has_detailed_diff.then(|| detailed_diff(answer.detailed_diff));
    DiffResult {
        changes,
        replaces: answer.replaces,
        diffs: answer.diffs,
        detailed,
        delete_before_replace: answer.delete_before_replace,
    }
}

/// Views as the provider left them.
fn old_views(views: &[View], protocol: Protocol) -> Result<Vec<rpc::View>, ProviderError> {
    let view = |view: &View| {
        Ok(rpc::View {
            r#type: view.ty.clone(),
            name: view.name.clone(),
            inputs: Some(send(&view.inputs, to_provider::OLD_VIEWS, protocol)?),
            outputs: Some(send(&view.outputs, to_provider::OLD_VIEWS, protocol)?),
            ..Default::default()
        })
    };
    views.iter().map(view).collect()
}

impl PluginProvider {
    pub(super) async fn check_call(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let Access::Ready(protocol) = self.access().await? else {
            return Ok(CheckResult { inputs: PropertyMap::clone(&args.news), failures: Vec::new() });
        };
        let autonaming = self.autonaming(&args, protocol);
        let request = rpc::CheckRequest {
            urn: args.urn.to_string(),
            name: args.urn.name().to_owned(),
            r#type: args.urn.ty().to_owned(),
            // Always there: the provider for dynamic Node resources fails without.
            olds: Some(send(&args.olds, to_provider::CHECK_REQUEST, protocol)?),
            news: Some(send(&args.news, to_provider::CHECK_REQUEST, protocol)?),
            random_seed: args.random_seed.into(),
            autonaming,
        };
        let answer = self.connection.call(method::CHECK, request).await?;
        let mut inputs = self.decode(answer.inputs.as_ref(), &from_provider::CHECK_RESPONSE)?;
        if !protocol.peer.secrets {
            mark_secrets(&mut inputs, &args.news);
        }
        Ok(CheckResult { inputs, failures: failures(answer.failures) })
    }

    /// What the plugin is told about the name of a resource, if it can be told.
    fn autonaming(
        &self,
        args: &CheckArgs,
        protocol: Protocol,
    ) -> Option<rpc::check_request::AutonamingOptions> {
        use rpc::check_request::autonaming_options::Mode;
        let proposal = args.autonaming.as_ref()?;
        if !protocol.autonaming {
            if proposal.warn_if_unsupported {
                let message = format!(
                    "{} resource has a custom autonaming setting but the provider does not support autonaming \
                     configuration, consider upgrading to a newer version",
                    args.urn
                );
                self.warn(message, Some(args.urn.clone()));
            }
            return None;
        }
        let mode = match proposal.mode {
            NamingMode::Propose => Mode::Propose,
            NamingMode::Enforce => Mode::Enforce,
            NamingMode::Disable => Mode::Disable,
        };
        Some(rpc::check_request::AutonamingOptions {
            proposed_name: proposal.name.clone(),
            mode: mode.into(),
        })
    }

    pub(super) async fn diff_call(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        let Access::Ready(protocol) = self.access().await? else {
            let message = "the configuration of this resource's provider is not known during the preview, \
                           so the preview may not show all changes that the update will make";
            self.warn(message.to_owned(), Some(args.urn));
            return Ok(DiffResult::default());
        };
        let options = to_provider::DIFF_REQUEST.unknowns(args.preview);
        let request = rpc::DiffRequest {
            id: args.id,
            urn: args.urn.to_string(),
            name: args.urn.name().to_owned(),
            r#type: args.urn.ty().to_owned(),
            old_inputs: Some(send(&args.old_inputs, options, protocol)?),
            olds: Some(send(&args.old_outputs, options, protocol)?),
            news: Some(send(&args.new_inputs, options, protocol)?),
            ignore_changes: args.ignore_changes,
        };
        let answer = self.connection.call(method::DIFF, request).await?;
        Ok(diff_result(answer))
    }

    /// What a preview answers without asking the plugin, if it isn't to be asked.
    fn without_asking(&self, access: &Access, inputs: &Arc<PropertyMap>) -> Option<Operated> {
        let outputs = match access {
            Access::Unconfigured if !self.options.legacy_preview => PropertyMap::new(),
            Access::Ready(protocol) if protocol.preview && !self.options.disable_preview => return None,
            Access::Unconfigured | Access::Ready(_) => PropertyMap::clone(inputs),
        };
        Some(Operated { outputs, ..Default::default() })
    }

    pub(super) async fn create_call(&self, args: CreateArgs) -> Result<Operated, ProviderError> {
        let CreateArgs { context, inputs } = args;
        let access = self.access().await?;
        if context.preview {
            if let Some(operated) = self.without_asking(&access, &inputs) {
                return Ok(operated);
            }
        } else {
            require_known("the inputs of a resource that is to be created", &inputs)?;
        }
        let Access::Ready(protocol) = access else { return Err(self.unconfigured()) };
        let request = rpc::CreateRequest {
            urn: context.urn.to_string(),
            name: context.urn.name().to_owned(),
            r#type: context.urn.ty().to_owned(),
            properties: Some(send(&inputs, to_provider::CREATE_REQUEST.unknowns(context.preview), protocol)?),
            timeout: context.timeouts.create,
            preview: context.preview,
            resource_status_address: context.status.address,
            resource_status_token: context.status.token,
        };
        let answer = self.connection.call(method::CREATE, request).await;
        let (answer, init_errors) = match answer {
            Ok(answer) => (answer, Vec::new()),
            Err(failure) => {
                let half = half_made(failure)?;
                let detail = half.detail;
                let answer = rpc::CreateResponse {
                    id: detail.id,
                    properties: detail.properties,
                    refresh_before_update: detail.refresh_before_update,
                };
                (answer, half.reasons)
            }
        };
        if answer.id.is_empty() && !context.preview {
            return Err(ProviderError::OutcomeUnknown(format!(
                "{} has created {} but gave no id for it",
                self.connection.label(),
                context.urn
            )));
        }
        let outputs = self.applied(answer.properties.as_ref(), context.preview, protocol, &inputs)?;
        let refresh_before_update = answer.refresh_before_update && self.options.refresh_before_update;
        Ok(Operated { id: answer.id, outputs, init_errors, refresh_before_update })
    }

    pub(super) async fn update_call(&self, args: UpdateArgs) -> Result<Operated, ProviderError> {
        let UpdateArgs { context, id, old_inputs, old_outputs, new_inputs, ignore_changes } = args;
        let access = self.access().await?;
        if context.preview {
            if let Some(operated) = self.without_asking(&access, &new_inputs) {
                return Ok(operated);
            }
        } else {
            require_known("the inputs of a resource that is to be updated", &new_inputs)?;
        }
        let Access::Ready(protocol) = access else { return Err(self.unconfigured()) };
        let request = rpc::UpdateRequest {
            id,
            urn: context.urn.to_string(),
            name: context.urn.name().to_owned(),
            r#type: context.urn.ty().to_owned(),
            olds: Some(send(&old_outputs, to_provider::UPDATE_OLDS, protocol)?),
            old_inputs: Some(send(&old_inputs, to_provider::UPDATE_OLDS, protocol)?),
            news: Some(send(&new_inputs, to_provider::UPDATE_NEWS.unknowns(context.preview), protocol)?),
            timeout: context.timeouts.update,
            ignore_changes,
            preview: context.preview,
            old_views: old_views(&context.old_views, protocol)?,
            resource_status_address: context.status.address,
            resource_status_token: context.status.token,
        };
        let answer = self.connection.call(method::UPDATE, request).await;
        let (answer, init_errors) = match answer {
            Ok(answer) => (answer, Vec::new()),
            Err(failure) => {
                let half = half_made(failure)?;
                let answer = rpc::UpdateResponse {
                    properties: half.detail.properties,
                    refresh_before_update: half.detail.refresh_before_update,
                };
                (answer, half.reasons)
            }
        };
        let outputs = self.applied(answer.properties.as_ref(), context.preview, protocol, &new_inputs)?;
        let refresh_before_update = answer.refresh_before_update && self.options.refresh_before_update;
        Ok(Operated { id: String::new(), outputs, init_errors, refresh_before_update })
    }

    /// Reads the outputs of something that was done.
    fn applied(
        &self,
        properties: Option<&Struct>,
        preview: bool,
        protocol: Protocol,
        inputs: &PropertyMap,
    ) -> Result<PropertyMap, ProviderError> {
        let options = from_provider::APPLY_RESPONSE.unknowns_allowed(preview);
        let label = self.connection.label();
        let decoded = decode_optional(properties, &options);
        let mut outputs = decoded.map_err(|e| match preview {
            true => not_readable(label, &e),
            false => outcome_not_readable(label, &e),
        })?;
        if !protocol.peer.secrets {
            mark_secrets(&mut outputs, inputs);
        }
        Ok(outputs)
    }

    pub(super) async fn delete_call(&self, args: DeleteArgs) -> Result<(), ProviderError> {
        let DeleteArgs { context, id, inputs, outputs } = args;
        let Access::Ready(protocol) = self.access().await? else { return Err(self.unconfigured()) };
        let request = rpc::DeleteRequest {
            id,
            urn: context.urn.to_string(),
            name: context.urn.name().to_owned(),
            r#type: context.urn.ty().to_owned(),
            properties: Some(send(&outputs, to_provider::DELETE_REQUEST, protocol)?),
            old_inputs: Some(send(&inputs, to_provider::DELETE_REQUEST, protocol)?),
            timeout: context.timeouts.delete,
            old_views: old_views(&context.old_views, protocol)?,
            resource_status_address: context.status.address,
            resource_status_token: context.status.token,
        };
        Ok(self.connection.call(method::DELETE, request).await?)
    }

    pub(super) async fn read_call(&self, args: ReadArgs) -> Result<ReadResult, ProviderError> {
        let ReadArgs { context, id, inputs, outputs } = args;
        let Access::Ready(protocol) = self.access().await? else {
            return Ok(ReadResult { id, outputs: Some(PropertyMap::new()), ..Default::default() });
        };
        let request = rpc::ReadRequest {
            id,
            urn: context.urn.to_string(),
            name: context.urn.name().to_owned(),
            r#type: context.urn.ty().to_owned(),
            properties: Some(send(&outputs, to_provider::READ_REQUEST, protocol)?),
            inputs: Some(send(&inputs, to_provider::READ_REQUEST, protocol)?),
            timeout: context.timeouts.read,
            old_views: old_views(&context.old_views, protocol)?,
            resource_status_address: context.status.address,
            resource_status_token: context.status.token,
        };
        let answer = self.connection.call(method::READ, request).await;
        let (answer, init_errors) = match answer {
            Ok(answer) => (answer, Vec::new()),
            Err(failure) => {
                let half = half_made(failure)?;
                let detail = half.detail;
                let answer = rpc::ReadResponse {
                    id: detail.id,
                    properties: detail.properties,
                    inputs: detail.inputs,
                    refresh_before_update: detail.refresh_before_update,
                };
                (answer, half.reasons)
            }
        };
        let gone = match &answer.properties {
            None => true,
            Some(properties) => answer.id.is_empty() && properties.is_empty(),
        };
        if gone {
            return Ok(ReadResult { init_errors, ..Default::default() });
        }
        let mut new_inputs = self.read_bag(answer.inputs.as_ref(), protocol, &inputs)?;
        let mut new_outputs = self.read_bag(answer.properties.as_ref(), protocol, &outputs)?;
        let contents = Contents::of(&inputs);
        new_inputs.iter_mut().for_each(|map| contents.restore(map));
        new_outputs.iter_mut().for_each(|map| contents.restore(map));
        Ok(ReadResult {
            id: answer.id,
            inputs: new_inputs,
            outputs: new_outputs,
            init_errors,
            refresh_before_update: answer.refresh_before_update && self.options.refresh_before_update,
        })
    }

    fn read_bag(
        &self,
        properties: Option<&Struct>,
        protocol: Protocol,
        known: &PropertyMap,
    ) -> Result<Option<PropertyMap>, ProviderError> {
        const OPTIONS: DecodeOptions = from_provider::READ_RESPONSE;
        let Some(properties) = properties else { return Ok(None) };
        let mut map =
            decode_map(properties, &OPTIONS).map_err(|e| not_readable(self.connection.label(), &e))?;
        if !protocol.peer.secrets {
            mark_secrets(&mut map, known);
        }
        Ok(Some(map))
    }
}
