//! Events that are sent to an address.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use purlin_monitor::EventStream;
use purlin_wire::pulumirpc::EventRequest;
use purlin_wire::pulumirpc::events_server::{Events, EventsServer};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Keeps what it is sent; refuses what it is told to.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl Events for Listener {
    async fn stream_events(&self, request: Request<Streaming<EventRequest>>) -> Result<Response<()>, Status> {
        let mut events = request.into_inner();
        while let Some(event) = events.next().await {
            let event = event?.event;
            if event == "refuse" {
                return Err(Status::aborted("no more"));
            }
            self.0.lock().unwrap().push(event);
        }
        Ok(Response::new(()))
    }
}

async fn listen() -> (String, Listener) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let listener = Listener::default();
    let incoming = futures::stream::unfold(socket, |socket| async {
        let accepted = socket.accept().await.map(|(stream, _)| stream);
        Some((accepted, socket))
    });
    let server = Server::builder().add_service(EventsServer::new(listener.clone()));
    tokio::spawn(server.serve_with_incoming(incoming));
    (address, listener)
}

#[tokio::test]
async fn events_arrive_in_their_order_before_the_stream_is_closed() {
    let (address, listener) = listen().await;
    let stream = EventStream::open(&address).await.unwrap();
    let sender = stream.sender();
    std::thread::spawn(move || (0..100).for_each(|number| sender.send(number.to_string()))).join().unwrap();
    stream.close().await.unwrap();
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(*listener.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_listener_that_hangs_up_is_told_of_in_the_end() {
    let (address, _) = listen().await;
    let stream = EventStream::open(&address).await.unwrap();
    stream.sender().send("refuse".to_owned());
    let problem = stream.close().await.unwrap_err();
    assert!(problem.message.contains(&address) && problem.message.ends_with("no more"), "{problem}");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let problem = EventStream::open(&address).await.err().unwrap();
    assert!(problem.message.contains(&address) && problem.hint.is_some(), "{problem}");
    assert!(EventStream::open("no address").await.is_err());
}
