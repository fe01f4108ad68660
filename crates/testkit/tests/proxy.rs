//! The proxy in front of a server that counts what it sees.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use purlin_testkit::proxy::{Fault, Protocol, Proxy};

/// What came in whole: request lines with bodies. A request that ends early is noted as torn.
type Log = Arc<Mutex<Vec<String>>>;

/// A server that answers every request with its number, in chunks or with a length in turn.
fn server() -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let log = Log::default();
    let own = Arc::clone(&log);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let seen = read_request(&mut stream);
            let whole = seen.is_some();
            let mut log = own.lock().unwrap();
            log.push(seen.unwrap_or_else(|| "torn".to_owned()));
            let body = format!("answer {}", log.len());
            drop(log);
            if !whole {
                continue;
            }
            let answer = if body.len().is_multiple_of(2) {
                format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                )
            } else {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, log)
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if first.is_empty() {
            first = line.trim().to_owned();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(format!("{first}: {}", String::from_utf8(body).unwrap()))
}

/// Sends a body and gives what comes back up to the end or an error: status and body.
fn put(proxy: &Proxy, body: &str) -> Result<(u16, String), String> {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let request =
        format!("PUT /key HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).ok_or("nothing came")?.parse().unwrap();
    Ok((status, answer.split_once("\r\n\r\n").ok_or("no whole head came")?.1.to_owned()))
}

#[test]
fn without_faults_everything_passes_and_is_noted() {
    let (server, log) = server();
    let proxy = Proxy::start(&server, Protocol::Http).unwrap();
    for _ in 0..11 {
        let (status, body) = put(&proxy, "text").unwrap();
        assert_eq!(status, 200);
        assert!(body.contains("answer"), "{body}");
    }
    assert_eq!(*log.lock().unwrap(), vec!["PUT /key HTTP/1.1: text"; 11]);
    let seen = proxy.seen();
    assert_eq!(seen.len(), 11);
    assert_eq!((seen[10].number, seen[10].label.as_str()), (11, "PUT /key"));
    assert!(seen.iter().all(|seen| seen.sent > 50 && seen.received > 30 && seen.fault.is_none()), "{seen:?}");
}

#[test]
fn each_fault_does_what_it_says_to_the_request_with_the_number() {
    // The fault, whether an answer arrives (and its status), and what the server saw.
    let whole = "PUT /key HTTP/1.1: some longer text";
    let cases: [(Fault, Option<u16>, &[&str]); 7] = [
        (Fault::Reset, None, &[]),
        (Fault::Status(503), Some(503), &[]),
        (Fault::LostReply, None, &[whole]),
        (Fault::StatusAfter(500), Some(500), &[whole]),
        (Fault::TornRequest, None, &["torn"]),
        (Fault::DelayReply(Duration::from_millis(1)), Some(200), &[whole]),
        (Fault::TornReply, None, &[whole]),
    ];
    for (fault, status, server_saw) in cases {
        let (server, log) = server();
        let proxy = Proxy::start(&server, Protocol::Http).unwrap();
        proxy.fail_request(2, fault);
        assert_eq!(put(&proxy, "first").unwrap().0, 200, "{fault:?}");
        let got = put(&proxy, "some longer text");
        assert_eq!(got.as_ref().ok().map(|(status, _)| *status), status, "{fault:?}: {got:?}");
        assert_eq!(put(&proxy, "third").unwrap().0, 200, "{fault:?}");
        let expected: Vec<&str> = ["PUT /key HTTP/1.1: first"]
            .into_iter()
            .chain(server_saw.iter().copied())
            .chain(["PUT /key HTTP/1.1: third"])
            .collect();
        assert_eq!(*log.lock().unwrap(), expected, "{fault:?}");
        assert_eq!(proxy.seen()[1].fault, Some(fault));
    }
}

#[test]
fn rules_choose_by_what_is_asked_and_can_be_taken_back() {
    let (server, log) = server();
    let proxy = Proxy::start(&server, Protocol::Http).unwrap();
    proxy.set_rule(|seen| seen.label.starts_with("PUT").then_some(Fault::Status(500)));
    assert_eq!(put(&proxy, "a").unwrap().0, 500);
    assert_eq!(put(&proxy, "b").unwrap().0, 500);
    proxy.behave();
    assert_eq!(put(&proxy, "c").unwrap().0, 200);
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn a_cut_line_fails_until_it_is_mended() {
    let (server, log) = server();
    let proxy = Proxy::start(&server, Protocol::Http).unwrap();
    proxy.cut_off();
    assert!(put(&proxy, "a").is_err());
    assert!(log.lock().unwrap().is_empty());
    proxy.behave();
    assert_eq!(put(&proxy, "b").unwrap().0, 200);
}

#[test]
fn latency_is_added_to_every_request() {
    let (server, _) = server();
    let proxy = Proxy::start(&server, Protocol::Http).unwrap();
    proxy.set_latency(Duration::from_millis(30));
    let started = Instant::now();
    for _ in 0..3 {
        put(&proxy, "a").unwrap();
    }
    // At least: how much more is the machine's affair.
    assert!(started.elapsed() >= Duration::from_millis(90));
}

#[test]
fn a_connection_serves_many_requests_and_one_that_waits_to_go_on() {
    let (server, log) = server();
    let proxy = Proxy::start(&server, Protocol::Http).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    for _ in 0..3 {
        stream.write_all(b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").unwrap();
        let mut head = [0; 25];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"hi").unwrap();
        // The first nine answers come in chunks.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(*log.lock().unwrap(), vec!["PUT /a HTTP/1.1: hi"; 3]);
}
