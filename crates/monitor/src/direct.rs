//! `RegisterResource` without the general machinery.
//!
//! Programs register all that they have at once, and each call lasts until the resource's step has
//! ended. Through the general server each would hold some twenty kilobytes while it waits, eight of
//! them a buffer for messages still to come: there is one message, and it has come. All other calls
//! go their usual way.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use purlin_wire::pulumirpc::{RegisterResourceRequest, RegisterResourceResponse};
use purlin_wire::{MAX_MESSAGE_SIZE, PREFIX_SIZE, frame_message, unframe_message};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::metadata::MetadataMap;

use crate::monitor_service::Services;
use crate::{alias, register};

const PATH: &str = "/pulumirpc.ResourceMonitor/RegisterResource";

/// Takes registrations itself and passes all other calls on.
#[derive(Clone)]
pub(crate) struct Direct<S> {
    pub(crate) services: Arc<Services>,
    pub(crate) others: S,
}

impl<S> Service<Request<Body>> for Direct<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.others.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return Box::pin(self.others.call(request));
        }
        let services = Arc::clone(&self.services);
        let (head, body) = request.into_parts();
        let from_node = alias::from_node(&MetadataMap::from_headers(head.headers));
        Box::pin(async move {
            let answer = match read(body).await {
                Ok(request) => register::register(&services, from_node, request).await,
                Err(status) => Err(status),
            };
            Ok(match answer.and_then(|answer| written(answer.get_ref())) {
                Ok(response) => response,
                Err(status) => status.into_http(),
            })
        })
    }
}

async fn read(mut body: Body) -> Result<RegisterResourceRequest, Status> {
    let mut parts = Vec::with_capacity(1);
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        size += part.len();
        if size > MAX_MESSAGE_SIZE + PREFIX_SIZE {
            return Err(Status::out_of_range("the request is too large"));
        }
        parts.push(part);
    }
    let whole = match parts.len() {
        1 => parts.swap_remove(0),
        _ => parts.concat().into(),
    };
    let message = unframe_message(whole)
        .ok_or_else(|| Status::unimplemented("the request is not one message in plain form"))?;
    RegisterResourceRequest::decode(message)
        .map_err(|error| Status::internal(format!("the request can't be read: {error}")))
}

fn written(answer: &RegisterResourceResponse) -> Result<Response<Body>, Status> {
    let message = frame_message(answer).ok_or_else(|| Status::out_of_range("the answer is too large"))?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(message).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body.map_err(|never: Infallible| match never {})));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}
