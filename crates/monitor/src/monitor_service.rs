//! The `ResourceMonitor` service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use purlin_model::urn::PROVIDER_TYPE_PREFIX;
use purlin_model::{Goal, PropertyDependencies, PropertyMap, PropertyValue, ProviderRef, ReferenceId, Urn};
use purlin_ports::{CallRequest, CheckFailure, Hook, InvokeRequest, ReadRequest, ResourceMonitor};
use purlin_wire::calls::{from_program, to_program};
use purlin_wire::pulumirpc::call_response::ReturnDependencies;
use purlin_wire::pulumirpc::resource_monitor_server::ResourceMonitor as Service;
use purlin_wire::pulumirpc::{
    CallResponse, Callback, CheckFailure as WireFailure, DeploymentInfo, ReadResourceRequest,
    ReadResourceResponse, RegisterErrorHookRequest, RegisterPackageRequest, RegisterPackageResponse,
    RegisterResourceHookRequest, RegisterResourceOutputsRequest, RegisterResourceRequest,
    RegisterResourceResponse, ResourceCallRequest, ResourceInvokeRequest, ResourceInvokeResponse,
    SupportsFeatureRequest, SupportsFeatureResponse, TransformInvokeOptions,
};
use purlin_wire::{PeerFlags, decode_optional, encode_map};
use tonic::{Request, Response, Status};

use crate::packages::{self, Named, Packages};
use crate::position::Positions;
use crate::transforms::Transforms;
use crate::{MonitorSettings, alias, dependencies, features, hooks, register, status};

/// The function that resolves references; it must answer with references, asked to or not.
const GET_RESOURCE: &str = "pulumi:pulumi:getResource";

/// What the calls share.
pub(crate) struct Services {
    pub(crate) monitor: Arc<dyn ResourceMonitor>,
    pub(crate) settings: MonitorSettings,
    pub(crate) packages: Packages,
    pub(crate) positions: Positions,
    pub(crate) transforms: Transforms,
    finished: AtomicBool,
}

impl Services {
    pub(crate) fn new(monitor: Arc<dyn ResourceMonitor>, settings: MonitorSettings) -> Self {
        Services {
            monitor,
            packages: Packages::default(),
            positions: Positions::new(&settings.root_directory),
            transforms: Transforms::default(),
            settings,
            finished: AtomicBool::new(false),
        }
    }
}

/// The service itself.
pub(crate) struct MonitorService(pub(crate) Arc<Services>);

impl MonitorService {
    async fn register_hook(&self, hook: Hook) -> Result<Response<()>, Status> {
        let done = self.0.monitor.register_hook(hook).await;
        done.map(Response::new).map_err(|error| status::of_monitor(&error))
    }

    async fn read(&self, request: ReadResourceRequest) -> Result<ReadResourceResponse, Status> {
        let services = &self.0;
        let peer = PeerFlags {
            secrets: request.accept_secrets,
            resources: request.accept_resources,
            outputs: false,
            byte_strings: request.accepts_byte_string,
        };
        if request.r#type.split(':').count() != 3 {
            return Err(Status::invalid_argument(format!(
                "'{}' is not the type of a resource",
                request.r#type
            )));
        }
        let properties = decode_optional(request.properties.as_ref(), &from_program::READ_RESOURCE)
            .map_err(|error| status::of_codec("properties", &error))?;
        let package = services.packages.of(Named {
            name: packages::of_token(&request.r#type),
            version: &request.version,
            download_url: &request.plugin_download_url,
            checksums: request.plugin_checksums,
            reference: &request.package_ref,
        })?;
        let mut goal = Goal::new(request.r#type, request.name, true, properties);
        goal.extension = services.packages.extension(&request.package_ref);
        goal.parent = status::optional_urn("parent", &request.parent)?;
        goal.dependencies = status::urns("dependency", &request.dependencies)?;
        goal.provider = status::optional_provider(&request.provider)?;
        goal.additional_secret_outputs = request.additional_secret_outputs;
        (goal.source_position, goal.stack_trace) = services.positions.below(
            &request.parent_stack_trace_handle,
            request.source_position.as_ref(),
            request.stack_trace.as_ref(),
        );
        let monitor = Arc::clone(&services.monitor);
        let call = ReadRequest { id: request.id, goal, package };
        let reply = status::to_the_end(async move { monitor.read(call).await }).await?;
        let properties = encode_map(&reply.outputs, &to_program::RESOURCE_RESPONSE.for_peer(peer))
            .map_err(|error| status::of_codec("outputs", &error))?;
        Ok(ReadResourceResponse { urn: reply.urn.to_string(), properties: Some(properties) })
    }

    async fn invoke_function(
        &self,
        request: ResourceInvokeRequest,
    ) -> Result<ResourceInvokeResponse, Status> {
        let services = &self.0;
        let encode = to_program::invoke_response(
            request.accept_resources || request.tok == GET_RESOURCE,
            request.accepts_byte_string,
        );
        let args = decode_optional(request.args.as_ref(), &from_program::INVOKE_ARGS)
            .map_err(|error| status::of_codec("arguments", &error))?;
        let options = TransformInvokeOptions {
            provider: request.provider,
            plugin_download_url: request.plugin_download_url,
            version: request.version,
            plugin_checksums: request.plugin_checksums,
        };
        let (args, options) = services.transforms.run_invoke(&request.tok, args, options).await?;
        let package = services.packages.of(Named {
            name: packages::of_token(&request.tok),
            version: &options.version,
            download_url: &options.plugin_download_url,
            checksums: options.plugin_checksums,
            reference: &request.package_ref,
        })?;
        let call = InvokeRequest {
            token: request.tok,
            args: register::without_outputs(args),
            provider: status::optional_provider(&options.provider)?,
            package,
            extension: services.packages.extension(&request.package_ref),
            parent: status::optional_urn("parent", &request.parent)?,
            depends_on: status::urns("dependsOn", &request.depends_on)?,
        };
        let monitor = Arc::clone(&services.monitor);
        let reply = status::to_the_end(async move { monitor.invoke(call).await }).await?;
        if reply.unknown {
            return Ok(ResourceInvokeResponse { unknown: true, ..ResourceInvokeResponse::default() });
        }
        let result =
            encode_map(&reply.result, &encode).map_err(|error| status::of_codec("the result", &error))?;
        Ok(ResourceInvokeResponse {
            r#return: Some(result),
            failures: failures(reply.failures),
            unknown: false,
        })
    }

    async fn call_method(&self, request: ResourceCallRequest) -> Result<CallResponse, Status> {
        let services = &self.0;
        let encode = to_program::call_response(request.accepts_byte_string);
        let args = decode_optional(request.args.as_ref(), &from_program::CALL_ARGS)
            .map_err(|error| status::of_codec("arguments", &error))?;
        let mut arg_dependencies = PropertyDependencies::new();
        for (name, urns) in request.arg_dependencies {
            arg_dependencies.insert(name, status::urns("dependency of an argument", &urns.urns)?);
        }
        dependencies::extend(&mut arg_dependencies, &args);
        let provider = match request.tok.strip_prefix(PROVIDER_TYPE_PREFIX) {
            Some(method) if method.split('/').count() == 2 => Some(provider_of_self(&args)?),
            Some(_) => {
                let message = format!("'{}' is not the token of a provider's method", request.tok);
                return Err(Status::invalid_argument(message));
            }
            None => status::optional_provider(&request.provider)?,
        };
        let package = services.packages.of(Named {
            name: packages::of_token(&request.tok),
            version: &request.version,
            download_url: &request.plugin_download_url,
            checksums: request.plugin_checksums,
            reference: &request.package_ref,
        })?;
        let extension = services.packages.extension(&request.package_ref);
        let (_, trace) = services.positions.below(
            &request.parent_stack_trace_handle,
            request.source_position.as_ref(),
            request.stack_trace.as_ref(),
        );
        let handle = services.positions.handle(&trace);
        let stack_trace_handle = handle.name();
        let call = CallRequest {
            token: request.tok,
            args,
            arg_dependencies,
            provider,
            package,
            extension,
            stack_trace_handle,
        };
        let monitor = Arc::clone(&services.monitor);
        let mut reply = status::to_the_end(async move { monitor.call(call).await }).await?;
        dependencies::extend(&mut reply.dependencies, &reply.result);
        let result =
            encode_map(&reply.result, &encode).map_err(|error| status::of_codec("the result", &error))?;
        let dependencies = reply.dependencies.into_iter().map(|(name, urns)| {
            (name, ReturnDependencies { urns: urns.iter().map(Urn::to_string).collect() })
        });
        Ok(CallResponse {
            r#return: Some(result),
            return_dependencies: dependencies.collect(),
            failures: failures(reply.failures),
        })
    }
}

/// The provider that a method of a provider is called on.
fn provider_of_self(args: &PropertyMap) -> Result<ProviderRef, Status> {
    let reference = match args.get("__self__").map(PropertyValue::plain) {
        Some(PropertyValue::Reference(reference)) => match &reference.id {
            Some(ReferenceId::Known(id)) => ProviderRef::parse(&format!("{}::{id}", reference.urn)),
            Some(ReferenceId::Unknown) => {
                Some(ProviderRef::new(reference.urn.clone(), purlin_model::UNKNOWN_ID))
            }
            None => None,
        },
        _ => None,
    };
    reference.ok_or_else(|| {
        Status::invalid_argument("the argument '__self__' of a provider's method has to refer to a provider")
    })
}

fn failures(failures: Vec<CheckFailure>) -> Vec<WireFailure> {
    failures.into_iter().map(|f| WireFailure { property: f.property, reason: f.reason }).collect()
}

#[tonic::async_trait]
impl Service for MonitorService {
    async fn get_deployment_info(&self, _: Request<()>) -> Result<Response<DeploymentInfo>, Status> {
        let info = self.0.monitor.info().clone();
        Ok(Response::new(DeploymentInfo {
            project: info.project,
            stack: info.stack,
            organization: info.organization,
            config: info.config,
            config_secret_keys: info.config_secret_keys,
            dry_run: info.dry_run,
            parallel: info.parallel,
            supported_features: features::numbers(),
        }))
    }

    async fn supports_feature(
        &self,
        request: Request<SupportsFeatureRequest>,
    ) -> Result<Response<SupportsFeatureResponse>, Status> {
        let has_support = features::supports(&request.get_ref().id);
        Ok(Response::new(SupportsFeatureResponse { has_support }))
    }

    async fn invoke(
        &self,
        request: Request<ResourceInvokeRequest>,
    ) -> Result<Response<ResourceInvokeResponse>, Status> {
        self.invoke_function(request.into_inner()).await.map(Response::new)
    }

    async fn call(&self, request: Request<ResourceCallRequest>) -> Result<Response<CallResponse>, Status> {
        self.call_method(request.into_inner()).await.map(Response::new)
    }

    async fn read_resource(
        &self,
        request: Request<ReadResourceRequest>,
    ) -> Result<Response<ReadResourceResponse>, Status> {
        self.read(request.into_inner()).await.map(Response::new)
    }

    // Written out so that the request isn't part of what waits.
    fn register_resource<'a, 'async_trait>(
        &'a self,
        request: Request<RegisterResourceRequest>,
    ) -> BoxFuture<'async_trait, Result<Response<RegisterResourceResponse>, Status>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        let from_node = alias::from_node(request.metadata());
        register::register(&self.0, from_node, request.into_inner())
    }

    async fn register_resource_outputs(
        &self,
        request: Request<RegisterResourceOutputsRequest>,
    ) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        let urn = status::urn("urn", &request.urn)?;
        let outputs = register::properties(&self.0, request.outputs, &from_program::REGISTER_OUTPUTS).await?;
        let monitor = Arc::clone(&self.0.monitor);
        status::to_the_end(async move { monitor.register_outputs(urn, outputs).await }).await?;
        Ok(Response::new(()))
    }

    async fn register_stack_transform(&self, request: Request<Callback>) -> Result<Response<()>, Status> {
        self.0.transforms.add_to_stack(request.into_inner()).map(Response::new)
    }

    async fn register_stack_invoke_transform(
        &self,
        request: Request<Callback>,
    ) -> Result<Response<()>, Status> {
        self.0.transforms.add_to_invokes(request.into_inner()).map(Response::new)
    }

    async fn register_resource_hook(
        &self,
        request: Request<RegisterResourceHookRequest>,
    ) -> Result<Response<()>, Status> {
        let hook = hooks::resource_hook(self.0.transforms.callbacks(), request.into_inner())?;
        self.register_hook(hook).await
    }

    async fn register_error_hook(
        &self,
        request: Request<RegisterErrorHookRequest>,
    ) -> Result<Response<()>, Status> {
        let hook = hooks::error_hook(self.0.transforms.callbacks(), request.into_inner())?;
        self.register_hook(hook).await
    }

    async fn register_package(
        &self,
        request: Request<RegisterPackageRequest>,
    ) -> Result<Response<RegisterPackageResponse>, Status> {
        let services = &self.0;
        let r#ref = services.packages.register(request.into_inner(), &*services.settings.entropy)?;
        Ok(Response::new(RegisterPackageResponse { r#ref }))
    }

    async fn signal_and_wait_for_shutdown(&self, _: Request<()>) -> Result<Response<()>, Status> {
        if self.0.finished.swap(true, Ordering::SeqCst) {
            return Err(Status::failed_precondition("the program has said already that it has finished"));
        }
        let monitor = Arc::clone(&self.0.monitor);
        status::to_the_end(async move { monitor.program_finished().await }).await?;
        Ok(Response::new(()))
    }
}
