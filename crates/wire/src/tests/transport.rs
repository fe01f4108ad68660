//! Bags and error details over a real connection.

use std::sync::{Arc, Mutex};

use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::details::{ErrorDetail, error_details, status_with_details};
use crate::pulumirpc::resource_status_client::ResourceStatusClient;
use crate::pulumirpc::resource_status_server::{ResourceStatus, ResourceStatusServer};
use crate::pulumirpc::{
    ErrorResourceInitFailed, PublishViewStepsRequest, PublishViewStepsResponse, ViewStep, ViewStepState,
};
use crate::{DecodeOptions, EncodeOptions, MAX_MESSAGE_SIZE, decode_map, encode_map};

/// Remembers the bag of the first step; fails calls without a token.
#[derive(Default)]
struct Views(Arc<Mutex<PropertyMap>>);

#[tonic::async_trait]
impl ResourceStatus for Views {
    async fn publish_view_steps(
        &self,
        request: Request<PublishViewStepsRequest>,
    ) -> Result<Response<PublishViewStepsResponse>, Status> {
        let request = request.into_inner();
        let inputs = request.steps[0].new.as_ref().unwrap().inputs.clone().unwrap();
        if request.token.is_empty() {
            let detail = ErrorResourceInitFailed { properties: Some(inputs), ..Default::default() };
            return Err(status_with_details(Code::Unknown, "no token", [ErrorDetail::InitFailed(detail)]));
        }
        *self.0.lock().unwrap() = decode_map(&inputs, &DecodeOptions::FULL).unwrap();
        Ok(Response::new(PublishViewStepsResponse {}))
    }
}

fn request(token: &str, inputs: Struct) -> PublishViewStepsRequest {
    let new = ViewStepState { inputs: Some(inputs), ..Default::default() };
    PublishViewStepsRequest {
        token: token.into(),
        steps: vec![ViewStep { new: Some(new), ..Default::default() }],
    }
}

#[tokio::test]
async fn bags_and_details_cross_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::default();
    let service =
        ResourceStatusServer::new(Views(Arc::clone(&seen))).max_decoding_message_size(MAX_MESSAGE_SIZE);
    let server = Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);
    let mut client = ResourceStatusClient::connect(address).await.unwrap();

    // Beyond what fits into one frame, and beyond the transport's own limit of a message.
    let bag = map([
        ("deep", map([("a", secret(output(Some(reference(None)), true)))]).into()),
        ("large", "x".repeat(5 << 20).into()),
    ]);
    let inputs = encode_map(&bag, &EncodeOptions::FULL).unwrap();
    client.publish_view_steps(request("t", inputs)).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), bag);

    let small = encode_map(&map([("a", secret("x"))]), &EncodeOptions::FULL).unwrap();
    let status = client.publish_view_steps(request("", small.clone())).await.unwrap_err();
    let detail = error_details(&status).init_failed.unwrap();
    assert_eq!(detail.properties.unwrap().encode_to_vec(), small.encode_to_vec());
    server.abort();
}
