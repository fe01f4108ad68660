//! `RegisterResource`: from the request to a goal, and from the engine's answer to the response.

use std::collections::BTreeMap;

use std::sync::Arc;

use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use purlin_model::urn::PROVIDER_TYPE_PREFIX;
use purlin_model::value::flatten_outputs;
use purlin_model::{
    CustomTimeouts, Goal, PropertyDependencies, PropertyMap, PropertyPath, PropertyValue, Urn,
    state::ResourceHooks,
};
use purlin_ports::{RegisterReply, RegisterRequest, RegisterResult};
use purlin_wire::calls::{from_program, to_program};
use purlin_wire::pulumirpc::register_resource_request::{
    CustomTimeouts as WireTimeouts, ResourceHooksBinding,
};
use purlin_wire::pulumirpc::register_resource_response::PropertyDependencies as WireDependencies;
use purlin_wire::pulumirpc::{
    Callback, RegisterResourceRequest, RegisterResourceResponse, TransformResourceOptions,
};
use purlin_wire::{DecodeOptions, PeerFlags, Struct, decode_optional, decode_value, encode_map, pulumirpc};
use tonic::{Response, Status};

use crate::monitor_service::Services;
use crate::packages::{self, Named};
use crate::transforms::{Own, Subject};
use crate::{alias, dependencies, duration, status};

/// What the response needs to know of the request.
struct Wishes {
    local_component: bool,
    remote: bool,
    partial_values: bool,
    result_reporting: bool,
    peer: PeerFlags,
}

/// A registration on its way to the engine.
struct Arrival {
    /// What was asked for; what is below has been taken out of it.
    request: RegisterResourceRequest,
    ty: String,
    name: String,
    parent: Option<Urn>,
    properties: PropertyMap,
    by_property: PropertyDependencies,
    options: TransformResourceOptions,
    own: Own,
    transforms: Vec<Callback>,
    /// Whether the request itself came with transforms.
    carries_transforms: bool,
}

/// What is kept of a registration while the engine has it. Programs register everything at once, so
/// there may be thousands: nothing else is held while they wait.
struct Following {
    wishes: Wishes,
    parent: Option<Urn>,
    own: Own,
}

/// Registers a resource and waits for its end.
pub(crate) fn register(
    services: &Arc<Services>,
    from_node: bool,
    request: RegisterResourceRequest,
) -> BoxFuture<'static, Result<Response<RegisterResourceResponse>, Status>> {
    let arrival = arrive(services, from_node, request);
    let services = Arc::clone(services);
    Box::pin(async move {
        let mut arrival = arrival?;
        if arrival.has_to_wait() {
            arrival = Box::pin(attend(&services, arrival)).await?;
        }
        let (answering, following) = send(&services, arrival)?;
        let reply = answering.await?;
        services.transforms.registered(reply.urn.clone(), following.parent, following.own);
        respond(reply, &following.wishes).map(Response::new)
    })
}

/// Reads a request.
fn arrive(
    services: &Services,
    from_node: bool,
    mut request: RegisterResourceRequest,
) -> Result<Box<Arrival>, Status> {
    check(&request)?;
    let parent = status::optional_urn("parent", &request.parent)?;
    let (ty, name) = (std::mem::take(&mut request.r#type), std::mem::take(&mut request.name));
    let subject = Subject { ty: &ty, name: &name, parent: parent.as_ref(), custom: request.custom };
    let carried = std::mem::take(&mut request.transforms);
    let carries_transforms = !carried.is_empty();
    let own = services.transforms.own(&subject, request.remote, carried)?;
    let transforms = services.transforms.reaching(parent.as_ref(), &own);
    // An SDK makes a whole object secret for a secret in it, but leaves output values where they are.
    let upgrade_to_outputs = request.remote || !transforms.is_empty();
    let decode = DecodeOptions { upgrade_to_outputs, ..from_program::REGISTER_RESOURCE };
    let properties = decoded(request.object.take(), &decode)?;
    let by_property = by_property(&request, &properties)?;
    let options = options_of(&mut request, from_node);
    Ok(Box::new(Arrival {
        request,
        ty,
        name,
        parent,
        properties,
        by_property,
        options,
        own,
        transforms,
        carries_transforms,
    }))
}

impl Arrival {
    /// Whether there are assets to be read or transforms to be run first.
    fn has_to_wait(&self) -> bool {
        !self.transforms.is_empty() || purlin_assets::needs_resolving(&self.properties)
    }

    fn wishes(&self) -> Wishes {
        let request = &self.request;
        Wishes {
            local_component: !request.custom && !request.remote,
            remote: request.remote,
            partial_values: request.supports_partial_values,
            result_reporting: request.supports_result_reporting,
            peer: PeerFlags {
                secrets: request.accept_secrets,
                resources: request.accept_resources,
                outputs: false,
                byte_strings: request.accepts_byte_string,
            },
        }
    }
}

/// Reads assets and runs transforms.
async fn attend(services: &Services, mut arrival: Box<Arrival>) -> Result<Box<Arrival>, Status> {
    let mut properties = hash_assets(std::mem::take(&mut arrival.properties), services).await?;
    if !arrival.transforms.is_empty() {
        if arrival.carries_transforms {
            properties = dependencies::into_outputs(properties, &arrival.by_property);
        }
        let mut options = std::mem::take(&mut arrival.options);
        fill_in(services, &arrival, &mut options).await?;
        let (parent, custom) = (arrival.parent.as_ref(), arrival.request.custom);
        let subject = Subject { ty: &arrival.ty, name: &arrival.name, parent, custom };
        (properties, arrival.options) =
            services.transforms.run(&arrival.transforms, &subject, properties, options).await?;
        properties = hash_assets(properties, services).await?;
        // SDKs drop dependencies on the way through a transform; those that the program named stay.
        arrival.by_property.retain(|key, _| properties.contains_key(key));
    }
    arrival.properties = properties;
    Ok(arrival)
}

/// Transforms see what a resource inherits as if it were said.
async fn fill_in(
    services: &Services,
    arrival: &Arrival,
    options: &mut TransformResourceOptions,
) -> Result<(), Status> {
    let served = arrival.request.custom || arrival.request.remote;
    let package = served.then(|| packages::of_token(&arrival.ty));
    if let (true, Some(own)) = (options.provider.is_empty(), package.and_then(|p| options.providers.get(p))) {
        options.provider.clone_from(own);
    }
    let Some(parent) = &arrival.parent else { return Ok(()) };
    let inherited = services.monitor.inherited(parent, package).await.map_err(|e| status::of_monitor(&e))?;
    options.protect = options.protect.or(inherited.protect);
    options.retain_on_delete = options.retain_on_delete.or(inherited.retain_on_delete);
    if let (true, Some(urn)) = (options.deleted_with.is_empty(), inherited.deleted_with) {
        options.deleted_with = urn.to_string();
    }
    if let (true, Some(provider)) = (options.provider.is_empty(), inherited.provider) {
        options.provider = provider.to_string();
    }
    Ok(())
}

type Answering<'a> = BoxFuture<'a, Result<RegisterReply, Status>>;

/// Hands a registration to the engine.
fn send(services: &Services, arrival: Box<Arrival>) -> Result<(Answering<'_>, Following), Status> {
    let wishes = arrival.wishes();
    let Arrival {
        mut request,
        ty,
        name,
        parent,
        mut properties,
        mut by_property,
        mut options,
        own,
        transforms,
        carries_transforms: _,
    } = *arrival;
    dependencies::extend(&mut by_property, &properties);
    let mut dependencies = status::urns("dependency", &options.depends_on)?;
    if !transforms.is_empty() {
        dependencies.extend(by_property.values().flatten().cloned());
        dependencies.sort();
        dependencies.dedup();
    }
    if !request.remote {
        properties = without_outputs(properties);
    }
    if !request.env_var_mappings.is_empty() {
        add_variable_mappings(&mut properties, std::mem::take(&mut request.env_var_mappings));
    }
    let package = services.packages.of(Named {
        name: packages::of_token(&ty),
        version: &options.version,
        download_url: &options.plugin_download_url,
        checksums: std::mem::take(&mut options.plugin_checksums),
        reference: &request.package_ref,
    })?;
    let providers = std::mem::take(&mut options.providers)
        .into_iter()
        .filter_map(|(package, text)| Some((package, status::optional_provider(&text).transpose()?)))
        .map(|(package, provider)| Ok((package, provider?)))
        .collect::<Result<_, Status>>()?;
    let mut goal = Goal::new(ty, name, request.custom, properties);
    goal.extension = services.packages.extension(&request.package_ref);
    goal.parent.clone_from(&parent);
    goal.dependencies = dependencies;
    goal.property_dependencies = by_property;
    (goal.source_position, goal.stack_trace) = services.positions.below(
        &request.parent_stack_trace_handle,
        request.source_position.as_ref(),
        request.stack_trace.as_ref(),
    );
    settle(&mut goal, options)?;

    let stack_trace_handle = String::new();
    let mut call = RegisterRequest { goal, remote: request.remote, package, providers, stack_trace_handle };
    let answering: Answering<'_> = if request.remote {
        // The engine makes a remote component in several steps, which have to come to their end.
        let monitor = Arc::clone(&services.monitor);
        Box::pin(async move {
            let handle = services.positions.handle(&call.goal.stack_trace);
            call.stack_trace_handle = handle.name();
            status::to_the_end(async move { monitor.register(call).await }).await
        })
    } else {
        let answering = services.monitor.register(call);
        Box::pin(answering.map_err(|error| status::of_monitor(&error)))
    };
    Ok((answering, Following { wishes, parent, own }))
}

/// Refuses requests that can't be meant.
fn check(request: &RegisterResourceRequest) -> Result<(), Status> {
    if !request.state_migrations.is_empty() {
        return Err(Status::failed_precondition("state migrations are not supported"));
    }
    if request.name.is_empty() {
        return Err(Status::invalid_argument(format!(
            "a resource of the type '{}' has an empty name; give it one that no other resource of its type has",
            request.r#type
        )));
    }
    if (request.custom || request.remote) && request.r#type.split(':').count() != 3 {
        return Err(Status::invalid_argument(format!(
            "'{}' is not the type of a resource; it has to be of the form package:module:name",
            request.r#type
        )));
    }
    if !request.env_var_mappings.is_empty() && !request.r#type.starts_with(PROVIDER_TYPE_PREFIX) {
        return Err(Status::invalid_argument("only providers can have mappings of environment variables"));
    }
    Ok(())
}

/// Decodes properties and hashes the assets among them.
pub(crate) async fn properties(
    services: &Services,
    encoded: Option<Struct>,
    options: &DecodeOptions,
) -> Result<PropertyMap, Status> {
    hash_assets(decoded(encoded, options)?, services).await
}

fn decoded(encoded: Option<Struct>, options: &DecodeOptions) -> Result<PropertyMap, Status> {
    decode_optional(encoded.as_ref(), options).map_err(|error| status::of_codec("properties", &error))
}

async fn hash_assets(mut properties: PropertyMap, services: &Services) -> Result<PropertyMap, Status> {
    if !purlin_assets::needs_resolving(&properties) {
        return Ok(properties);
    }
    let (base, fetch) = (services.settings.program_directory.clone(), services.settings.fetch.clone());
    let work =
        move || purlin_assets::resolve_fetching(&mut properties, &base, fetch.as_ref()).map(|()| properties);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Status::internal(format!("assets could not be read: {error}")))?
        .map_err(|diagnostic| status::of_diagnostic(&diagnostic))
}

/// What each property depends on. Where the request doesn't say, each depends on everything that
/// the resource depends on; requests for remote components always say.
fn by_property(
    request: &RegisterResourceRequest,
    properties: &PropertyMap,
) -> Result<PropertyDependencies, Status> {
    if request.property_dependencies.is_empty() && !request.remote {
        let all = status::urns("dependency", &request.dependencies)?;
        return Ok(properties.keys().map(|key| (key.clone(), all.clone())).collect());
    }
    let said = request.property_dependencies.iter();
    said.map(|(key, urns)| Ok((key.clone(), status::urns("dependency of a property", &urns.urns)?))).collect()
}

/// The options in the form that transforms may change. Moves them out of the request.
fn options_of(request: &mut RegisterResourceRequest, from_node: bool) -> TransformResourceOptions {
    let fix = !request.alias_specs && from_node;
    let specs = std::mem::take(&mut request.aliases).into_iter();
    let specs = specs.map(|spec| if fix { alias::from_old_node(spec) } else { spec });
    let aliases = std::mem::take(&mut request.alias_ur_ns).into_iter().map(alias::of_urn).chain(specs);
    let first = request.delete_before_replace;
    TransformResourceOptions {
        depends_on: std::mem::take(&mut request.dependencies),
        protect: request.protect,
        ignore_changes: std::mem::take(&mut request.ignore_changes),
        replace_on_changes: std::mem::take(&mut request.replace_on_changes),
        version: std::mem::take(&mut request.version),
        aliases: aliases.collect(),
        provider: std::mem::take(&mut request.provider),
        custom_timeouts: request.custom_timeouts.take(),
        plugin_download_url: std::mem::take(&mut request.plugin_download_url),
        retain_on_delete: request.retain_on_delete,
        deleted_with: std::mem::take(&mut request.deleted_with),
        // The Go SDK doesn't set the mark that the field is meant.
        delete_before_replace: (first || request.delete_before_replace_defined).then_some(first),
        additional_secret_outputs: std::mem::take(&mut request.additional_secret_outputs),
        providers: std::mem::take(&mut request.providers),
        plugin_checksums: std::mem::take(&mut request.plugin_checksums),
        hooks: request.hooks.take(),
        import: std::mem::take(&mut request.import_id),
        hide_diff: std::mem::take(&mut request.hide_diffs),
        replace_with: std::mem::take(&mut request.replace_with),
        replacement_trigger: request.replacement_trigger.take(),
    }
}

/// Puts the options into the goal.
fn settle(goal: &mut Goal, options: TransformResourceOptions) -> Result<(), Status> {
    for path in &options.hide_diff {
        PropertyPath::parse(path)
            .map_err(|error| Status::invalid_argument(format!("hideDiffs: '{path}': {error}")))?;
    }
    goal.protect = options.protect;
    goal.provider = status::optional_provider(&options.provider)?;
    goal.delete_before_replace = options.delete_before_replace;
    goal.ignore_changes = options.ignore_changes;
    goal.additional_secret_outputs = options.additional_secret_outputs;
    goal.aliases = options.aliases.into_iter().map(alias::parse).collect::<Result<_, _>>()?;
    goal.import_id = options.import;
    goal.custom_timeouts = timeouts(options.custom_timeouts.as_ref())?;
    goal.replace_on_changes = options.replace_on_changes;
    goal.retain_on_delete = options.retain_on_delete;
    goal.deleted_with = status::optional_urn("deletedWith", &options.deleted_with)?;
    goal.replace_with = status::urns("replaceWith", &options.replace_with)?;
    if let Some(trigger) = &options.replacement_trigger {
        let trigger = decode_value(trigger, &from_program::REPLACEMENT_TRIGGER)
            .map_err(|error| status::of_codec("replacementTrigger", &error))?;
        goal.replacement_trigger = trigger.map_or(PropertyValue::Null, PropertyValue::flatten_outputs);
    }
    goal.hide_diffs = options.hide_diff;
    goal.resource_hooks = options.hooks.map(hooks).unwrap_or_default();
    Ok(())
}

fn timeouts(timeouts: Option<&WireTimeouts>) -> Result<CustomTimeouts, Status> {
    let Some(timeouts) = timeouts else { return Ok(CustomTimeouts::default()) };
    let seconds = |text: &str| {
        if text.is_empty() {
            return Ok(0.0);
        }
        duration::parse_seconds(text).ok_or_else(|| {
            Status::invalid_argument(format!(
                "customTimeouts: '{text}' is not a duration; write it as in 1h30m or 90s"
            ))
        })
    };
    Ok(CustomTimeouts {
        create: seconds(&timeouts.create)?,
        update: seconds(&timeouts.update)?,
        delete: seconds(&timeouts.delete)?,
        read: seconds(&timeouts.read)?,
    })
}

fn hooks(hooks: ResourceHooksBinding) -> ResourceHooks {
    let by_kind = [
        ("BeforeCreate", hooks.before_create),
        ("AfterCreate", hooks.after_create),
        ("BeforeUpdate", hooks.before_update),
        ("AfterUpdate", hooks.after_update),
        ("BeforeDelete", hooks.before_delete),
        ("AfterDelete", hooks.after_delete),
        ("OnError", hooks.on_error),
    ];
    let named = by_kind.into_iter().filter(|(_, names)| !names.is_empty());
    ResourceHooks { by_kind: named.map(|(kind, names)| (kind.to_owned(), names)).collect() }
}

/// Puts the names of the environment variables that a provider gets under other names where
/// states keep what is about the provider rather than for it.
fn add_variable_mappings(properties: &mut PropertyMap, mappings: BTreeMap<String, String>) {
    let mappings = mappings.into_iter().map(|(from, to)| (from, PropertyValue::String(to))).collect();
    let internal = properties
        .entry("__internal".to_owned())
        .or_insert_with(|| PropertyValue::Object(PropertyMap::new()));
    if let PropertyValue::Object(internal) = internal {
        internal.insert("envVarMappings".to_owned(), PropertyValue::Object(mappings));
    }
}

/// The properties with output values flattened. Most have none and stay as they are.
pub(crate) fn without_outputs(properties: PropertyMap) -> PropertyMap {
    let any = properties.values().any(|v| v.any(&mut |v| matches!(v, PropertyValue::Output(_))));
    if any { flatten_outputs(properties) } else { properties }
}

fn respond(reply: RegisterReply, wishes: &Wishes) -> Result<RegisterResourceResponse, Status> {
    if reply.result != RegisterResult::Success && !wishes.result_reporting && !wishes.remote {
        // Clients know this text.
        return Err(Status::internal("resource registration failed"));
    }
    // What a component had at the end of the last run may refer to resources that this run hasn't
    // registered yet; programs could not resolve the references.
    let object = if wishes.local_component {
        Struct::default()
    } else {
        let options = to_program::RESOURCE_RESPONSE.for_peer(wishes.peer);
        let known;
        let outputs = if wishes.partial_values {
            &*reply.outputs
        } else {
            known = reply
                .outputs
                .iter()
                .filter(|(_, value)| !value.contains_unknowns())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            &known
        };
        encode_map(outputs, &options)
            .map_err(|error| status::of_codec(&format!("outputs of {}", reply.urn), &error))?
    };
    let mut by_output = reply.property_dependencies;
    if wishes.remote {
        dependencies::extend(&mut by_output, &reply.outputs);
    }
    let by_output = by_output
        .into_iter()
        .map(|(key, urns)| (key, WireDependencies { urns: urns.iter().map(ToString::to_string).collect() }));
    let result = match reply.result {
        RegisterResult::Success => pulumirpc::Result::Success,
        RegisterResult::Fail => pulumirpc::Result::Fail,
        RegisterResult::Skip => pulumirpc::Result::Skip,
    };
    Ok(RegisterResourceResponse {
        urn: reply.urn.to_string(),
        id: reply.id,
        object: Some(object),
        property_dependencies: by_output.collect(),
        result: result.into(),
        unknown: reply.unknown,
        ..RegisterResourceResponse::default()
    })
}
