//! HTTP/2 to one plugin on this machine.
//!
//! A channel for remote services has layers that reconnect, balance and queue; each call would wake
//! three more tasks. Here a call is a stream of the one connection there is, and when that is lost,
//! so is the plugin.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service};

/// How much of one answer, and of all answers together, may be under way unread. The default of
/// HTTP/2 lets large states wait for a round trip every 64 KiB.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Put into the trailers of answers whose status the server itself has sent. A status without it
/// was made up on this side: the connection broke, or the answer can't be read.
pub(super) const FROM_SERVER: HeaderName = HeaderName::from_static("purlin-from-server");
const GRPC_STATUS: &str = "grpc-status";

/// The sending end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Transport(SendRequest<Bytes>);

impl Transport {
    /// Connects to a port of this machine. The connection lives in a task of its own until the last
    /// sender is dropped or the other side hangs up.
    pub(super) async fn connect(port: u16) -> std::io::Result<Transport> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(stream)
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // Whoever waits for an answer learns of the end.
            let _ = connection.await;
        });
        Ok(Transport(sender))
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Answer>;
    type Error = h2::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut sender = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // A message encoded in memory: there is no error that it could have.
            let message = body.collect().await.map(|all| all.to_bytes()).unwrap_or_default();
            let (answer, mut stream) = sender.send_request(Request::from_parts(head, ()), false)?;
            stream.send_data(message, true)?;
            let mut answer = answer.await?;
            mark(answer.headers_mut());
            Ok(answer.map(|stream| Answer { stream, read: false }))
        })
    }
}

/// Marks a status that the server has sent. A peer can't mark its own answers as something that
/// they are not: a status is what counts.
fn mark(headers: &mut HeaderMap) {
    headers.remove(FROM_SERVER);
    if headers.contains_key(GRPC_STATUS) {
        headers.insert(FROM_SERVER, HeaderValue::from_static("1"));
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    stream: RecvStream,
    /// Whether all data was read, so that the trailers are next.
    read: bool,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.read {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // It fails only where the stream has ended, which the next poll says.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.read = true,
            }
        }
        Poll::Ready(ready!(self.stream.poll_trailers(cx)).transpose().map(|trailers| {
            trailers.map(|mut trailers| {
                mark(&mut trailers);
                Frame::trailers(trailers)
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
