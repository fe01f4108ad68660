//! Calls of gRPC over HTTP/2 to one plugin on this machine.
//!
//! A client for remote services has layers that reconnect, balance and queue: a call would wake
//! several tasks and be a future of many kilobytes. Here a call is a stream of the one connection
//! there is; when that is lost, so is the plugin. And it is always known whether a status came from
//! the plugin or nothing came at all, which decides whether a call has failed or its outcome is
//! unknown.

use std::future::Future;

use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri};
use prost::Message;
use prost::bytes::{Bytes, BytesMut};
use purlin_wire::{GatheringStream, MAX_MESSAGE_SIZE, PREFIX_SIZE, frame_message, unframe_message};
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// How much of one answer, and of all answers together, may be under way unread. The default of
/// HTTP/2 lets large states wait for a round trip every 64 KiB.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Why a call gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The plugin has sent this status.
    Status(Status),
    /// The call has not left this process.
    NotSent(String),
    /// Something came in between, or the answer can't be read.
    Lost(String),
}

/// The sending end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    sender: SendRequest<Bytes>,
    authority: Authority,
}

impl Transport {
    /// Connects to a port of this machine. The connection lives in a task of its own until the last
    /// sender is dropped or the other side hangs up.
    pub(super) async fn connect(port: u16) -> std::io::Result<Transport> {
        let authority = Authority::try_from(format!("127.0.0.1:{port}")).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(GatheringStream::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // Whoever waits for an answer learns of the end.
            let _ = connection.await;
        });
        Ok(Transport { sender, authority })
    }

    /// Calls a method by its path, `/package.Service/Method`. The request is encoded at once: the
    /// future holds nothing but bytes.
    pub(super) fn call<Q, A>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> impl Future<Output = Result<A, Failure>> + Send + use<Q, A>
    where
        Q: Message,
        A: Message + Default,
    {
        let message = frame_message(request);
        let head = self.head(path);
        let sender = self.sender.clone();
        async move {
            let message = message.ok_or_else(|| Failure::NotSent("the request is too large".to_owned()))?;
            let mut sender = sender.ready().await.map_err(|error| Failure::NotSent(error.to_string()))?;
            let (answer, mut stream) =
                sender.send_request(head, false).map_err(|error| Failure::NotSent(error.to_string()))?;
            stream.send_data(message, true).map_err(lost)?;
            let bytes = answered(answer).await?;
            A::decode(bytes).map_err(|error| Failure::Lost(format!("the answer can't be read: {error}")))
        }
    }

    fn head(&self, path: &'static str) -> Request<()> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(PathAndQuery::from_static(path));
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        // All three parts are there, which is all that it takes.
        *head.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        let headers = head.headers_mut();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("purlin/", env!("CARGO_PKG_VERSION"))));
        head
    }
}

fn lost(error: h2::Error) -> Failure {
    Failure::Lost(error.to_string())
}

/// Waits for the answer: its message, without what stands before it.
async fn answered(answer: ResponseFuture) -> Result<Bytes, Failure> {
    let (head, mut stream) = answer.await.map_err(lost)?.into_parts();
    // Where there is nothing to say but a status, it stands among the first headers.
    if let Some(status) = Status::from_header_map(&head.headers) {
        refuse(status)?;
    }
    let body = read(&mut stream).await?;
    let trailers = stream.trailers().await.map_err(lost)?;
    match trailers.as_ref().and_then(Status::from_header_map) {
        Some(status) => refuse(status)?,
        None => return Err(Failure::Lost(format!("the answer ended without a status ({})", head.status))),
    }
    let message = unframe_message(body);
    message.ok_or_else(|| Failure::Lost("the answer is not one message in plain form".to_owned()))
}

fn refuse(status: Status) -> Result<(), Failure> {
    if status.code() == Code::Ok { Ok(()) } else { Err(Failure::Status(status)) }
}

async fn read(stream: &mut RecvStream) -> Result<Bytes, Failure> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(part) = stream.data().await {
        let part = part.map_err(lost)?;
        // It fails only where the stream has ended, which the next turn says.
        let _ = stream.flow_control().release_capacity(part.len());
        if first.is_empty() {
            first = part;
        } else {
            rest.extend_from_slice(&part);
        }
        if first.len() + rest.len() > MAX_MESSAGE_SIZE + PREFIX_SIZE {
            return Err(Failure::Lost("the answer is too large".to_owned()));
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}
