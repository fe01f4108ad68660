//! Requests and answers of HTTP/1.1, as far as a proxy has to know them: where they end.

use std::io::{Error, ErrorKind, Result};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::proxy::{Arrived, Fault, Shared, connect, more, reset, until_gone};

/// How a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Bytes(usize),
    Chunked,
    /// With the connection.
    Rest,
}

/// A message that was read to its end.
struct Message {
    bytes: Vec<u8>,
    /// How many of the bytes are the head.
    head: usize,
    /// Whether the connection ends with it.
    last: bool,
}

/// Whether a connection goes on.
enum Next {
    Request,
    Close,
    Reset,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(mut client: TcpStream, server: &str, shared: &Shared) -> Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(request) = read_request(&mut client, &mut buffer).await? else { return Ok(()) };
        let arrived = shared.arrived(label(&request), request.bytes.len());
        match exchange(&mut client, server, &request, &arrived, shared).await {
            Ok(Next::Request) if !request.last => {}
            Ok(Next::Request | Next::Close) => return client.shutdown().await,
            Ok(Next::Reset) | Err(_) => {
                reset(client);
                return Ok(());
            }
        }
    }
}

async fn exchange(
    client: &mut TcpStream,
    server: &str,
    request: &Message,
    arrived: &Arrived,
    shared: &Shared,
) -> Result<Next> {
    arrived.travel().await;
    match arrived.fault {
        Some(Fault::Reset) => return Ok(Next::Reset),
        Some(Fault::Status(status)) => {
            client.write_all(own_answer(status).as_bytes()).await?;
            return Ok(Next::Request);
        }
        Some(Fault::TornRequest) => {
            let mut upstream = connect(server).await?;
            // The whole head, and half of what comes after it, if anything does.
            let body = request.bytes.len() - request.head;
            let half = if body > 0 { request.head + body / 2 } else { request.head / 2 };
            upstream.write_all(&request.bytes[..half]).await?;
            reset(upstream);
            return Ok(Next::Reset);
        }
        _ => {}
    }
    let mut upstream = connect(server).await?;
    upstream.write_all(&request.bytes).await?;
    let without_body = request.bytes.starts_with(b"HEAD ");
    let answer = read_answer(&mut upstream, without_body).await?;
    shared.answered(arrived, answer.bytes.len());
    match arrived.fault {
        Some(Fault::LostReply) => return Ok(Next::Reset),
        Some(Fault::Silence) => {
            until_gone(client).await;
            return Ok(Next::Reset);
        }
        Some(Fault::StatusAfter(status)) => {
            client.write_all(own_answer(status).as_bytes()).await?;
            return Ok(Next::Request);
        }
        Some(Fault::TornReply) => {
            let body = answer.bytes.len() - answer.head;
            let half = if body > 0 { answer.head + body / 2 } else { answer.head / 2 };
            client.write_all(&answer.bytes[..half]).await?;
            client.flush().await?;
            return Ok(Next::Reset);
        }
        Some(Fault::DelayReply(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    client.write_all(&answer.bytes).await?;
    Ok(if answer.last { Next::Close } else { Next::Request })
}

fn own_answer(status: u16) -> String {
    let text = "the proxy made this answer";
    format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

fn label(request: &Message) -> String {
    let line = request.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.rsplit_once(' ').map_or(line.as_ref(), |(before, _)| before).to_owned()
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Reads a request; none if the client ends the connection between two.
async fn read_request(client: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<Message>> {
    let head = loop {
        if let Some(head) = head_length(buffer) {
            break head;
        }
        if !more(client, buffer).await? {
            return if buffer.is_empty() { Ok(None) } else { Err(broken("a request without end")) };
        }
    };
    let fields = Fields::of(&buffer[..head])?;
    let body = match fields.body {
        Body::Rest => Body::Bytes(0),
        body => body,
    };
    if fields.awaits_go_on && buffer.len() == head {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = read_body(client, buffer, head, body).await?;
    let rest = buffer.split_off(length);
    let mut bytes = std::mem::replace(buffer, rest);
    let mut head = head;
    if fields.awaits_go_on {
        // It was told to go on already.
        let stripped = without_expect(&bytes[..head]);
        let body = bytes.split_off(head);
        head = stripped.len();
        bytes = stripped;
        bytes.extend(body);
    }
    Ok(Some(Message { bytes, head, last: fields.last }))
}

/// Reads an answer that isn't a provisional one.
async fn read_answer(server: &mut TcpStream, without_body: bool) -> Result<Message> {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = head_length(&buffer) else {
            if !more(server, &mut buffer).await? {
                return Err(broken("an answer without end"));
            }
            continue;
        };
        let fields = Fields::of(&buffer[..head])?;
        if fields.status.is_some_and(|status| (100..200).contains(&status)) {
            buffer.drain(..head);
            continue;
        }
        let bare = without_body || matches!(fields.status, Some(204 | 304));
        let body = if bare { Body::Bytes(0) } else { fields.body };
        let length = read_body(server, &mut buffer, head, body).await?;
        buffer.truncate(length);
        return Ok(Message { bytes: buffer, head, last: fields.last || body == Body::Rest });
    }
}

/// Reads until a message is whole; its length.
async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: usize, body: Body) -> Result<usize> {
    loop {
        let length = match body {
            Body::Bytes(length) => Some(head + length).filter(|length| buffer.len() >= *length),
            Body::Chunked => chunks_end(&buffer[head..])?.map(|length| head + length),
            Body::Rest => None,
        };
        if let Some(length) = length {
            return Ok(length);
        }
        if !more(stream, buffer).await? {
            return if body == Body::Rest { Ok(buffer.len()) } else { Err(broken("a body without end")) };
        }
    }
}

/// How long the head is, if it is there whole.
fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// How long a chunked body is, if it is there whole.
fn chunks_end(bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let size = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken("a chunk without size"))?;
        at += line + 2;
        if size == 0 {
            // Trailers, up to an empty line.
            if bytes[at..].starts_with(b"\r\n") {
                return Ok(Some(at + 2));
            }
            return Ok(head_length(&bytes[at..]).map(|length| at + length));
        }
        at += size + 2;
        if at > bytes.len() {
            return Ok(None);
        }
    }
}

/// What of a head matters here.
struct Fields {
    status: Option<u16>,
    body: Body,
    awaits_go_on: bool,
    last: bool,
}

impl Fields {
    fn of(head: &[u8]) -> Result<Fields> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let answer = first.strip_prefix("HTTP/1.");
        let status = answer.and_then(|rest| rest.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let old = answer.map_or_else(|| first.ends_with("HTTP/1.0"), |rest| rest.starts_with('0'));
        let mut fields = Fields { status, body: Body::Rest, awaits_go_on: false, last: old };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim().to_ascii_lowercase();
            match name.to_ascii_lowercase().as_str() {
                "content-length" if fields.body != Body::Chunked => {
                    fields.body =
                        Body::Bytes(value.parse().map_err(|_| broken("a length that is no number"))?);
                }
                "transfer-encoding" if value.contains("chunked") => fields.body = Body::Chunked,
                "connection" if value.contains("close") => fields.last = true,
                "connection" if value.contains("keep-alive") => fields.last = false,
                "expect" if value == "100-continue" => fields.awaits_go_on = true,
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn without_expect(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let kept: Vec<&str> =
        text.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("expect:")).collect();
    kept.join("\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_ends_after_its_trailers() {
        for (text, end) in [
            ("3\r\nabc\r\n0\r\n\r\nGET", Some(13)),
            ("3;x=y\r\nabc\r\n0\r\na: b\r\n\r\n", Some(23)),
            ("3\r\nabc\r\n0\r\n", None),
            ("3\r\nab", None),
            ("3", None),
        ] {
            assert_eq!(chunks_end(text.as_bytes()).unwrap(), end, "{text:?}");
        }
        assert!(chunks_end(b"x\r\n").is_err());
    }

    #[test]
    fn heads_say_how_bodies_end() {
        let fields = |head: &str| Fields::of(head.as_bytes()).unwrap();
        assert_eq!(fields("PUT / HTTP/1.1\r\nContent-Length: 7\r\n\r\n").body, Body::Bytes(7));
        assert_eq!(fields("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").body, Body::Chunked);
        let answer = fields("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
        assert_eq!((answer.status, answer.body, answer.last), (Some(404), Body::Rest, true));
        assert!(fields("PUT / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n").awaits_go_on);
        assert_eq!(
            without_expect(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"),
            b"PUT / HTTP/1.1\r\n\r\n"
        );
    }
}
