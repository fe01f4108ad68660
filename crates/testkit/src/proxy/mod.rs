//! A proxy that stands in front of a real server and does what networks do: delays, resets, answers
//! that get lost, bodies that are torn.
//!
//! It knows requests and answers of HTTP/1.1 and of PostgreSQL's protocol (without TLS; servers for
//! tests listen on this machine), numbers them from one on in the order in which they came in
//! whole, and hits the one that it is told to. It runs in a thread of its own, so that it goes on
//! whatever the test does, and ends when it is dropped.
//!
//! By itself it changes nothing: every request gets a fresh connection to an HTTP server, so that no
//! connection that the server has closed meanwhile makes a fault that nobody asked for.

mod http;
mod postgres;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1. A request is a request.
    Http,
    /// PostgreSQL's. A request is what a client sends until it waits: a simple query, or extended
    /// messages up to the sync. Connecting, with the exchange of passwords, is a request as well.
    Postgres,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset, the server sees nothing.
    Reset,
    /// An answer comes from the proxy, the server sees nothing: a status of HTTP, or for PostgreSQL
    /// the error that a server ends sessions with when it is
    /// shut down.
    Status(u16),
    /// The server sees the request and answers; the answer is dropped and the connection reset.
    LostReply,
    /// The server sees the request and answers; what arrives is this status instead.
    StatusAfter(u16),
    /// The server sees half of the request, then nothing more; the connection is reset.
    TornRequest,
    /// Half of the answer arrives, then the connection is reset.
    TornReply,
    /// The request waits before the server sees it.
    Delay(Duration),
    /// The server sees the request; its answer waits.
    DelayReply(Duration),
    /// The server sees the request; nothing ever comes back.
    Silence,
}

/// A request as the proxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// Its number, from one on.
    pub number: u64,
    /// The method and the target of HTTP (`PUT /bucket/key?x`), `startup` or the SQL of PostgreSQL.
    pub label: String,
    /// How many bytes the client sent.
    pub sent: u64,
    /// How many bytes the server answered; zero as long as it has not, or if it was not asked.
    pub received: u64,
    /// What was done to it.
    pub fault: Option<Fault>,
}

type Rule = Box<dyn FnMut(&SeenRequest) -> Option<Fault> + Send>;

/// What all connections share.
#[derive(Default)]
struct Control {
    latency: Duration,
    /// Faults by number of request.
    numbered: BTreeMap<u64, Fault>,
    rule: Option<Rule>,
    seen: Vec<SeenRequest>,
    /// Cancelled to break the connections that there are.
    connections: CancellationToken,
    cut: bool,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Control>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Control> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that came in whole; what has to happen to it, and how long it takes to the
    /// server.
    fn arrived(&self, label: String, sent: usize) -> Arrived {
        let mut control = self.lock();
        let number = control.seen.len() as u64 + 1;
        let mut seen = SeenRequest { number, label, sent: sent as u64, received: 0, fault: None };
        seen.fault = control.numbered.remove(&number);
        if seen.fault.is_none()
            && let Some(rule) = &mut control.rule
        {
            seen.fault = rule(&seen);
        }
        let arrived = Arrived { number, fault: seen.fault, latency: control.latency };
        control.seen.push(seen);
        arrived
    }

    fn answered(&self, arrived: &Arrived, bytes: usize) {
        let mut control = self.lock();
        // What was forgotten meanwhile isn't found.
        let found = control.seen.iter_mut().rev().find(|seen| seen.number == arrived.number);
        if let Some(seen) = found {
            seen.received = bytes as u64;
        }
    }
}

struct Arrived {
    number: u64,
    fault: Option<Fault>,
    latency: Duration,
}

impl Arrived {
    /// Waits as long as the request is on its way.
    async fn travel(&self) {
        let extra = match self.fault {
            Some(Fault::Delay(extra)) => extra,
            _ => Duration::ZERO,
        };
        let time = self.latency + extra;
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }
}

/// A running proxy. It ends, with all its connections, when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Shared,
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a free port of the loopback interface, in front of a server (`127.0.0.1:4711`).
    ///
    /// # Errors
    ///
    /// When no port or no thread can be had.
    pub fn start(server: &str, protocol: Protocol) -> std::io::Result<Proxy> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (shared, end) = (Shared::default(), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (server, own, over) = (server.to_owned(), shared.clone(), end.clone());
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let serving = serve(listener, server, protocol, own);
                let _ = over.run_until_cancelled(serving).await;
            });
        })?;
        Ok(Proxy { address, shared, end, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long every request takes to the server, in addition.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// What happens to the request with a number. Numbers count from the start or the last
    /// [`forget`](Proxy::forget).
    pub fn fail_request(&self, number: u64, fault: Fault) {
        self.shared.lock().numbered.insert(number, fault);
    }

    /// What happens to requests that no number names. Called once for each, in the order of numbers;
    /// it must not call the proxy.
    pub fn set_rule(&self, rule: impl FnMut(&SeenRequest) -> Option<Fault> + Send + 'static) {
        self.shared.lock().rule = Some(Box::new(rule));
    }

    /// No faults from now on, and no latency.
    pub fn behave(&self) {
        let mut control = self.shared.lock();
        control.latency = Duration::ZERO;
        control.numbered.clear();
        control.rule = None;
        control.cut = false;
    }

    /// Breaks all connections; resets new ones until [`behave`](Proxy::behave).
    pub fn cut_off(&self) {
        let mut control = self.shared.lock();
        control.cut = true;
        control.connections.cancel();
        control.connections = CancellationToken::new();
    }

    /// The requests so far, in order.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.shared.lock().seen.clone()
    }

    /// Forgets the requests so far: the next one is number one.
    pub fn forget(&self) {
        self.shared.lock().seen.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, server: String, protocol: Protocol, shared: Shared) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let _ = client.set_nodelay(true);
        let (cut, broken) = {
            let control = shared.lock();
            (control.cut, control.connections.clone())
        };
        if cut {
            reset(client);
            continue;
        }
        let (server, shared) = (server.clone(), shared.clone());
        tokio::spawn(async move {
            let serving = async {
                match protocol {
                    Protocol::Http => http::serve(client, &server, &shared).await,
                    Protocol::Postgres => postgres::serve(client, &server, &shared).await,
                }
            };
            // A broken connection is what either side sees as well.
            let _ = broken.run_until_cancelled(serving).await;
        });
    }
}

/// Closes a connection so that the other side gets an error, not an end.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Connects to the server.
async fn connect(server: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads some bytes more; whether there were any.
async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    buffer.reserve(64 * 1024);
    Ok(stream.read_buf(buffer).await? > 0)
}

/// Waits until the client goes away.
async fn until_gone(client: &mut TcpStream) {
    let mut rest = Vec::new();
    while more(client, &mut rest).await.is_ok_and(|some| some) {
        rest.clear();
    }
}
