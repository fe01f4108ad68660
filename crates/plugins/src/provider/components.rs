//! The calls that reach beyond one resource: components, functions and methods.

use purlin_model::goal::CustomTimeouts;
use purlin_model::state::ResourceHooks;
use purlin_model::{Extension, PropertyDependencies, PropertyMap, PropertyValue, Urn};
use purlin_ports::{
    ConstructArgs, ConstructResult, InvokeArgs, InvokeResult, ProviderError, ProviderMethodArgs,
    ProviderMethodResult,
};
use purlin_wire::calls::{from_provider, to_provider};
use purlin_wire::pulumirpc::resource_monitor_client::ResourceMonitorClient;
use purlin_wire::{MAX_MESSAGE_SIZE, encode_map, encode_value, pulumirpc as rpc};

use super::bags::{has_secrets, mark_all};
use super::errors::{failures, not_sendable};
use super::method;
use super::{Access, PluginProvider, Protocol};

fn texts(urns: &[Urn]) -> Vec<String> {
    urns.iter().map(Urn::to_string).collect()
}

/// Reads dependencies. What is no URN can't be depended on.
fn urns(texts: Vec<String>) -> Vec<Urn> {
    texts.iter().filter_map(|text| Urn::parse(text)).collect()
}

/// Seconds as a duration in Go's form; empty for none.
fn duration(seconds: f64) -> String {
    if seconds > 0.0 { format!("{seconds}s") } else { String::new() }
}

fn timeouts(timeouts: &CustomTimeouts) -> Option<rpc::construct_request::CustomTimeouts> {
    (!timeouts.is_empty()).then(|| rpc::construct_request::CustomTimeouts {
        create: duration(timeouts.create),
        update: duration(timeouts.update),
        delete: duration(timeouts.delete),
        read: duration(timeouts.read),
    })
}

/// Names of hooks. Those for errors stay here: components don't pass them on.
fn hooks(hooks: &ResourceHooks) -> Option<rpc::construct_request::ResourceHooksBinding> {
    let of = |kind: &str| hooks.by_kind.get(kind).cloned().unwrap_or_default();
    (!hooks.by_kind.is_empty()).then(|| rpc::construct_request::ResourceHooksBinding {
        before_create: of("BeforeCreate"),
        after_create: of("AfterCreate"),
        before_update: of("BeforeUpdate"),
        after_update: of("AfterUpdate"),
        before_delete: of("BeforeDelete"),
        after_delete: of("AfterDelete"),
        on_error: Vec::new(),
    })
}

impl PluginProvider {
    pub(super) async fn construct_call(&self, args: ConstructArgs) -> Result<ConstructResult, ProviderError> {
        let Access::Ready(protocol) = self.access().await? else {
            return self.register_in_its_place(&args).await;
        };
        if !protocol.peer.secrets {
            return Err(ProviderError::Rejected(format!(
                "{} doesn't take secrets, so it can't make components",
                self.connection.label()
            )));
        }
        let preview = args.info.dry_run;
        let request = construct_request(args, protocol)?;
        let answer = self.connection.call_unbounded(method::CONSTRUCT, request).await?;
        let urn = Urn::parse(&answer.urn).ok_or_else(|| {
            ProviderError::Rejected(format!(
                "{} gave {:?} as the URN of a component",
                self.connection.label(),
                answer.urn
            ))
        })?;
        let outputs = self.decode(answer.state.as_ref(), &from_provider::component_response(preview))?;
        let dependencies = answer.state_dependencies.into_iter().map(|(k, d)| (k, urns(d.urns))).collect();
        Ok(ConstructResult { urn, outputs, dependencies })
    }

    /// Registers the component itself, without children: the provider can't be asked yet.
    async fn register_in_its_place(&self, args: &ConstructArgs) -> Result<ConstructResult, ProviderError> {
        let failed = |what: String| {
            ProviderError::Rejected(format!("the component {} can't be registered: {what}", args.goal.name))
        };
        let client = ResourceMonitorClient::connect(format!("http://{}", args.monitor_address)).await;
        let mut client =
            client.map_err(|e| failed(e.to_string()))?.max_decoding_message_size(MAX_MESSAGE_SIZE);
        let request = rpc::RegisterResourceRequest {
            r#type: args.goal.ty.clone(),
            name: args.goal.name.clone(),
            parent: args.goal.parent.as_ref().map(Urn::to_string).unwrap_or_default(),
            ..Default::default()
        };
        let answer = client.register_resource(request).await.map_err(|e| failed(e.message().to_owned()))?;
        let urn = answer.into_inner().urn;
        let urn = Urn::parse(&urn).ok_or_else(|| failed(format!("{urn:?} is no URN")))?;
        Ok(ConstructResult { urn, outputs: PropertyMap::new(), dependencies: PropertyDependencies::new() })
    }

    /// Tells it about an extension of its package. It answers with the package that came out, which
    /// has to be the one that was asked for.
    pub(super) async fn extend_by(&self, extension: &Extension) -> Result<(), ProviderError> {
        let value = rpc::parameterize_request::ParametersValue {
            name: extension.name.clone(),
            version: extension.version.clone(),
            value: extension.value.clone().into(),
        };
        let request = rpc::ParameterizeRequest {
            parameters: Some(rpc::parameterize_request::Parameters::Value(value)),
        };
        let answer = self.connection.call(method::PARAMETERIZE, request).await?;
        if answer.name != extension.name {
            return Err(ProviderError::Rejected(format!(
                "it was to be extended by the package '{}' and says that it serves '{}'",
                extension.name, answer.name
            )));
        }
        Ok(())
    }

    pub(super) async fn invoke_call(&self, args: InvokeArgs) -> Result<InvokeResult, ProviderError> {
        let Access::Ready(protocol) = self.access().await? else { return Ok(InvokeResult::default()) };
        let options = to_provider::INVOKE_ARGS.for_peer(protocol.peer);
        let request = rpc::InvokeRequest {
            tok: args.token,
            args: Some(encode_map(&args.args, &options).map_err(|e| not_sendable(&e))?),
            preview: args.preview,
        };
        let answer = self.connection.call(method::INVOKE, request).await?;
        let mut result = self.decode(answer.r#return.as_ref(), &from_provider::INVOKE_RESPONSE)?;
        if !protocol.peer.secrets && has_secrets(&args.args) {
            mark_all(&mut result);
        }
        Ok(InvokeResult { result, failures: failures(answer.failures) })
    }

    pub(super) async fn method_call(
        &self,
        args: ProviderMethodArgs,
    ) -> Result<ProviderMethodResult, ProviderError> {
        let Access::Ready(protocol) = self.access().await? else {
            return Ok(ProviderMethodResult::default());
        };
        let info = args.info;
        let encoded = encode_map(&args.args, &to_provider::call_args(protocol.peer));
        let dependencies = args.arg_dependencies.iter();
        let request = rpc::CallRequest {
            tok: args.token,
            args: Some(encoded.map_err(|e| not_sendable(&e))?),
            arg_dependencies: dependencies
                .map(|(k, urns)| (k.clone(), rpc::call_request::ArgumentDependencies { urns: texts(urns) }))
                .collect(),
            project: info.project,
            stack: info.stack,
            config: info.config,
            dry_run: info.dry_run,
            parallel: info.parallel,
            monitor_endpoint: args.monitor_address,
            accepts_output_values: true,
            stack_trace_handle: args.stack_trace_handle,
            ..Default::default()
        };
        let answer = self.connection.call_unbounded(method::CALL, request).await?;
        let options = from_provider::component_response(info.dry_run);
        Ok(ProviderMethodResult {
            result: self.decode(answer.r#return.as_ref(), &options)?,
            dependencies: answer.return_dependencies.into_iter().map(|(k, d)| (k, urns(d.urns))).collect(),
            failures: failures(answer.failures),
        })
    }
}

fn construct_request(
    args: ConstructArgs,
    protocol: Protocol,
) -> Result<rpc::ConstructRequest, ProviderError> {
    let ConstructArgs { goal, aliases, providers, info, monitor_address, stack_trace_handle } = args;
    let options = to_provider::CONSTRUCT_INPUTS.for_peer(protocol.peer);
    let inputs = encode_map(&goal.inputs, &options).map_err(|e| not_sendable(&e))?;
    let replacement_trigger = match &goal.replacement_trigger {
        PropertyValue::Null => None,
        trigger => {
            let options = to_provider::CONSTRUCT_REPLACEMENT_TRIGGER.unknowns(info.dry_run);
            encode_value(trigger, &options).map_err(|e| not_sendable(&e))?
        }
    };
    let dependencies = goal.property_dependencies.iter();
    Ok(rpc::ConstructRequest {
        project: info.project,
        stack: info.stack,
        organization: info.organization,
        config: info.config,
        config_secret_keys: info.config_secret_keys,
        dry_run: info.dry_run,
        parallel: info.parallel,
        monitor_endpoint: monitor_address,
        r#type: goal.ty,
        name: goal.name,
        parent: goal.parent.as_ref().map(Urn::to_string).unwrap_or_default(),
        inputs: Some(inputs),
        input_dependencies: dependencies
            .map(|(k, urns)| (k.clone(), rpc::construct_request::PropertyDependencies { urns: texts(urns) }))
            .collect(),
        protect: goal.protect,
        providers,
        dependencies: texts(&goal.dependencies),
        additional_secret_outputs: goal.additional_secret_outputs,
        custom_timeouts: timeouts(&goal.custom_timeouts),
        deleted_with: goal.deleted_with.as_ref().map(Urn::to_string).unwrap_or_default(),
        delete_before_replace: goal.delete_before_replace,
        ignore_changes: goal.ignore_changes,
        replace_on_changes: goal.replace_on_changes,
        retain_on_delete: goal.retain_on_delete,
        accepts_output_values: true,
        resource_hooks: hooks(&goal.resource_hooks),
        replace_with: texts(&goal.replace_with),
        aliases: aliases
            .iter()
            .map(|urn| rpc::Alias { alias: Some(rpc::alias::Alias::Urn(urn.to_string())) })
            .collect(),
        replacement_trigger,
        stack_trace_handle,
    })
}
