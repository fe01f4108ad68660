//! The calls about the provider's own configuration.

use std::sync::Arc;

use purlin_model::PropertyMap;
use purlin_model::urn::{PROVIDER_TYPE_PREFIX, Urn};
use purlin_ports::{CheckArgs, CheckResult, ConfigureArgs, DiffArgs, DiffResult, ProviderError};
use purlin_wire::calls::{from_provider, to_provider};
use purlin_wire::{DecodeOptions, PeerFlags, Struct, decode_map, encode_map, pulumirpc as rpc};
use tonic::Code;

use super::bags::{has_unknowns, mark_secrets};
use super::connection::CallFailure;
use super::errors::{failures, not_readable, not_sendable};
use super::method;
use super::resources::diff_result;
use super::{Configured, PluginProvider, Protocol};

/// What the engine keeps for itself among the inputs of a provider.
const INTERNAL: &str = "__internal";

fn without_internal(inputs: &Arc<PropertyMap>) -> Arc<PropertyMap> {
    if !inputs.contains_key(INTERNAL) {
        return inputs.clone();
    }
    let mut inputs = PropertyMap::clone(inputs);
    inputs.remove(INTERNAL);
    Arc::new(inputs)
}

fn package(urn: &Urn) -> &str {
    urn.ty().strip_prefix(PROVIDER_TYPE_PREFIX).unwrap_or_default()
}

/// Whether a failure of CheckConfig or DiffConfig means that the call isn't implemented. Two
/// providers say it in ways of their own.
fn is_unimplemented(failure: &CallFailure, urn: &Urn) -> bool {
    let CallFailure::Server(status) = failure else { return false };
    match (status.code(), package(urn)) {
        (Code::Unimplemented, _) | (Code::Internal, "pulumi-nodejs") => true,
        (Code::Unknown, "kubernetes") => status.message().contains("Unimplemented"),
        _ => false,
    }
}

fn plain(inputs: &Arc<PropertyMap>) -> Result<Struct, ProviderError> {
    encode_map(&without_internal(inputs), &to_provider::CONFIG_REQUEST).map_err(|e| not_sendable(&e))
}

impl PluginProvider {
    pub(super) async fn check_config_call(&self, args: CheckArgs) -> Result<CheckResult, ProviderError> {
        let news = without_internal(&args.news);
        let request = rpc::CheckRequest {
            urn: args.urn.to_string(),
            name: args.urn.name().to_owned(),
            r#type: args.urn.ty().to_owned(),
            olds: Some(plain(&args.olds)?),
            news: Some(plain(&news)?),
            ..Default::default()
        };
        let answer = self.connection.call(method::CHECK_CONFIG, request).await;
        let answer = match answer {
            Err(failure) if is_unimplemented(&failure, &args.urn) => {
                return Ok(CheckResult { inputs: PropertyMap::clone(&news), failures: Vec::new() });
            }
            other => other?,
        };
        let options = from_provider::CHECK_RESPONSE;
        let mut inputs = self.decode(answer.inputs.as_ref(), &options)?;
        mark_secrets(&mut inputs, &news);
        Ok(CheckResult { inputs, failures: failures(answer.failures) })
    }

    pub(super) async fn diff_config_call(&self, args: DiffArgs) -> Result<DiffResult, ProviderError> {
        let request = rpc::DiffRequest {
            id: String::new(),
            urn: args.urn.to_string(),
            name: args.urn.name().to_owned(),
            r#type: args.urn.ty().to_owned(),
            old_inputs: Some(plain(&args.old_inputs)?),
            olds: Some(plain(&args.old_outputs)?),
            news: Some(plain(&args.new_inputs)?),
            ignore_changes: args.ignore_changes,
        };
        match self.connection.call(method::DIFF_CONFIG, request).await {
            Ok(answer) => Ok(diff_result(answer)),
            // No answer must not replace the provider, and with it all that it manages.
            Err(failure) if is_unimplemented(&failure, &args.urn) => Ok(DiffResult::default()),
            Err(CallFailure::Server(status))
                if package(&args.urn) == "kubernetes"
                    && status.message().contains("cannot unmarshal string into Go value of type struct") =>
            {
                Ok(DiffResult::default())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn configure_call(&self, args: ConfigureArgs) -> Result<(), ProviderError> {
        let begun = self.state.send_if_modified(|state| {
            let first = matches!(state.configured, Configured::Never);
            if first {
                state.configured = Configured::Running;
            }
            first
        });
        if !begun {
            return Err(ProviderError::Rejected(format!(
                "{} is configured already, and a process is configured once only",
                self.connection.label()
            )));
        }
        // If this call is dropped half-way, those that wait for it have to hear of it.
        let mut running = Running { provider: self, outcome: None };
        let outcome = self.configure_now(&args).await;
        running.outcome = Some(outcome.clone());
        drop(running);
        outcome.map(|_| ())
    }

    /// Configures the plugin. The answer is `None` if it wasn't told anything.
    async fn configure_now(&self, args: &ConfigureArgs) -> Result<Option<Protocol>, ProviderError> {
        let known = args.inputs.iter().filter(|(key, _)| *key != "version" && *key != INTERNAL);
        if known.clone().any(|(_, value)| value.contains_unknowns()) {
            return Ok(None);
        }
        let inputs = without_internal(&args.inputs);
        let encoded = encode_map(&inputs, &to_provider::CONFIGURE_REQUEST).map_err(|e| not_sendable(&e))?;
        let request = rpc::ConfigureRequest {
            variables: super::variables::variables(package(&args.urn), &inputs),
            args: Some(encoded),
            accept_secrets: true,
            accept_resources: true,
            sends_old_inputs: true,
            sends_old_inputs_to_delete: true,
            id: Some(args.id.clone()).filter(|id| !id.is_empty()),
            urn: Some(args.urn.to_string()),
            name: Some(args.urn.name().to_owned()),
            r#type: Some(args.urn.ty().to_owned()),
        };
        let answer = self.connection.call(method::CONFIGURE, request).await?;
        Ok(Some(Protocol {
            peer: PeerFlags {
                secrets: answer.accept_secrets,
                resources: answer.accept_resources,
                outputs: answer.accept_outputs,
                // Only a handshake can say that a plugin takes these.
                byte_strings: false,
            },
            preview: answer.supports_preview,
            autonaming: answer.supports_autonaming_configuration,
        }))
    }

    /// Reads properties of an answer that changed nothing.
    pub(super) fn decode(
        &self,
        properties: Option<&Struct>,
        options: &DecodeOptions,
    ) -> Result<PropertyMap, ProviderError> {
        match properties {
            Some(properties) => {
                decode_map(properties, options).map_err(|e| not_readable(self.connection.label(), &e))
            }
            None => Ok(PropertyMap::new()),
        }
    }
}

/// A configuration that is under way. Records how it ended when it is dropped.
struct Running<'a> {
    provider: &'a PluginProvider,
    outcome: Option<Result<Option<Protocol>, ProviderError>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let label = self.provider.connection.label();
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(ProviderError::Unavailable(format!("the configuration of {label} was given up")))
        });
        self.provider.state.send_modify(|state| match outcome {
            Ok(Some(protocol)) => {
                state.configured = Configured::Yes;
                state.protocol.get_or_insert(protocol);
            }
            Ok(None) => state.configured = Configured::Unknown,
            Err(error) => state.configured = Configured::Failed(error),
        });
    }
}

/// Whether a bag can be sent where nothing may be unknown.
pub(super) fn require_known(what: &str, map: &PropertyMap) -> Result<(), ProviderError> {
    if has_unknowns(map) {
        return Err(ProviderError::Rejected(format!(
            "{what} hold values that are not known, outside a preview"
        )));
    }
    Ok(())
}
