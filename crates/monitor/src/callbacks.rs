//! Calling back into programs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prost::Message;
use purlin_wire::MAX_MESSAGE_SIZE;
use purlin_wire::pulumirpc::callbacks_client::CallbacksClient;
use purlin_wire::pulumirpc::{Callback, CallbackInvokeRequest};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Connections to the callback servers of programs, one for each.
#[derive(Default)]
pub(crate) struct Callbacks {
    clients: Mutex<HashMap<String, CallbacksClient<Channel>>>,
}

impl Callbacks {
    /// Refuses a callback that can't be called.
    pub(crate) fn check(&self, callback: &Callback) -> Result<(), Status> {
        self.client(&callback.target).map(drop)
    }

    /// Calls back with a message and reads the answer.
    pub(crate) async fn call<Answer: Message + Default>(
        &self,
        callback: &Callback,
        message: &impl Message,
    ) -> Result<Answer, Status> {
        let request =
            CallbackInvokeRequest { token: callback.token.clone(), request: message.encode_to_vec().into() };
        let answer = self.client(&callback.target)?.invoke(request).await?.into_inner();
        Answer::decode(answer.response)
            .map_err(|error| Status::internal(format!("the answer of a callback can't be read: {error}")))
    }

    fn client(&self, target: &str) -> Result<CallbacksClient<Channel>, Status> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(target) {
            return Ok(client.clone());
        }
        let address = target.strip_prefix("dns:///").unwrap_or(target);
        let endpoint = Some(address)
            .filter(|address| !address.is_empty())
            .and_then(|address| Endpoint::from_shared(format!("http://{address}")).ok())
            .ok_or_else(|| {
                Status::invalid_argument(format!("'{target}' is no address of a callback server"))
            })?;
        let client = CallbacksClient::new(endpoint.tcp_nodelay(true).connect_lazy())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        clients.insert(target.to_owned(), client.clone());
        Ok(client)
    }
}
