//! The methods of a resource plugin.

use std::marker::PhantomData;

use purlin_wire::pulumirpc as rpc;

/// A method: its path, what it takes and what it answers.
pub(super) struct Method<Q, A> {
    pub(super) path: &'static str,
    messages: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Method<Q, A> {
    const fn of(path: &'static str) -> Self {
        Method { path, messages: PhantomData }
    }
}

pub(super) const ATTACH: Method<rpc::PluginAttach, ()> = Method::of("/pulumirpc.ResourceProvider/Attach");
pub(super) const CALL: Method<rpc::CallRequest, rpc::CallResponse> =
    Method::of("/pulumirpc.ResourceProvider/Call");
pub(super) const CANCEL: Method<(), ()> = Method::of("/pulumirpc.ResourceProvider/Cancel");
pub(super) const CHECK: Method<rpc::CheckRequest, rpc::CheckResponse> =
    Method::of("/pulumirpc.ResourceProvider/Check");
pub(super) const CHECK_CONFIG: Method<rpc::CheckRequest, rpc::CheckResponse> =
    Method::of("/pulumirpc.ResourceProvider/CheckConfig");
pub(super) const CONFIGURE: Method<rpc::ConfigureRequest, rpc::ConfigureResponse> =
    Method::of("/pulumirpc.ResourceProvider/Configure");
pub(super) const CONSTRUCT: Method<rpc::ConstructRequest, rpc::ConstructResponse> =
    Method::of("/pulumirpc.ResourceProvider/Construct");
pub(super) const CREATE: Method<rpc::CreateRequest, rpc::CreateResponse> =
    Method::of("/pulumirpc.ResourceProvider/Create");
pub(super) const DELETE: Method<rpc::DeleteRequest, ()> = Method::of("/pulumirpc.ResourceProvider/Delete");
pub(super) const DIFF: Method<rpc::DiffRequest, rpc::DiffResponse> =
    Method::of("/pulumirpc.ResourceProvider/Diff");
pub(super) const DIFF_CONFIG: Method<rpc::DiffRequest, rpc::DiffResponse> =
    Method::of("/pulumirpc.ResourceProvider/DiffConfig");
pub(super) const GET_PLUGIN_INFO: Method<(), rpc::PluginInfo> =
    Method::of("/pulumirpc.ResourceProvider/GetPluginInfo");
pub(super) const GET_SCHEMA: Method<rpc::GetSchemaRequest, rpc::GetSchemaResponse> =
    Method::of("/pulumirpc.ResourceProvider/GetSchema");
pub(super) const HANDSHAKE: Method<rpc::ProviderHandshakeRequest, rpc::ProviderHandshakeResponse> =
    Method::of("/pulumirpc.ResourceProvider/Handshake");
pub(super) const INVOKE: Method<rpc::InvokeRequest, rpc::InvokeResponse> =
    Method::of("/pulumirpc.ResourceProvider/Invoke");
pub(super) const PARAMETERIZE: Method<rpc::ParameterizeRequest, rpc::ParameterizeResponse> =
    Method::of("/pulumirpc.ResourceProvider/Parameterize");
pub(super) const READ: Method<rpc::ReadRequest, rpc::ReadResponse> =
    Method::of("/pulumirpc.ResourceProvider/Read");
pub(super) const UPDATE: Method<rpc::UpdateRequest, rpc::UpdateResponse> =
    Method::of("/pulumirpc.ResourceProvider/Update");
