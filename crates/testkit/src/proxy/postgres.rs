//! Requests and answers of PostgreSQL's protocol (version 3), as far as a proxy has to know them.
//!
//! Every message but the first is a letter, a length that counts itself, and the rest. A client
//! waits after `Q` (a simple query) and `S` (sync); the server is done at `Z`.

use std::io::{Error, ErrorKind, Result};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::proxy::{Arrived, Fault, Shared, connect, more, reset, until_gone};

/// A side of the connection, and what of it was read and not taken yet.
struct Side {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Side {
    fn new(stream: TcpStream) -> Side {
        Side { stream, buffer: Vec::new() }
    }

    async fn take(&mut self, length: usize) -> Result<Option<Vec<u8>>> {
        while self.buffer.len() < length {
            if !more(&mut self.stream, &mut self.buffer).await? {
                return Ok(None);
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(Some(std::mem::replace(&mut self.buffer, rest)))
    }

    /// The next message; `lettered` unless it is the first of a connection.
    async fn message(&mut self, lettered: bool) -> Result<Option<Vec<u8>>> {
        let at = usize::from(lettered);
        let Some(mut message) = self.take(at + 4).await? else { return Ok(None) };
        let length = number(&message[at..]) as usize;
        if length < 4 {
            return Err(Error::new(ErrorKind::InvalidData, "a message shorter than its length"));
        }
        let Some(rest) = self.take(length - 4).await? else { return Ok(None) };
        message.extend(rest);
        Ok(Some(message))
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Asks for TLS and for Kerberos, before the first message. The answer is one byte.
const ASKS: [u32; 2] = [80_877_103, 80_877_104];

/// What becomes of the connection after an exchange.
enum Next {
    Request,
    Reset,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(client: TcpStream, server: &str, shared: &Shared) -> Result<()> {
    let (mut client, mut server) = (Side::new(client), Side::new(connect(server).await?));
    let outcome = converse(&mut client, &mut server, shared).await;
    reset(server.stream);
    match outcome {
        Ok(Next::Request) => client.stream.shutdown().await,
        Ok(Next::Reset) | Err(_) => {
            reset(client.stream);
            Ok(())
        }
    }
}

async fn converse(client: &mut Side, server: &mut Side, shared: &Shared) -> Result<Next> {
    let Some(first) = opening(client).await? else { return Ok(Next::Request) };
    let arrived = shared.arrived("startup".to_owned(), first.len());
    if let Next::Reset = exchange(client, server, &first, &arrived, shared, true).await? {
        return Ok(Next::Reset);
    }
    loop {
        let mut request = Vec::new();
        let mut label = String::new();
        loop {
            let Some(message) = client.message(true).await? else { return Ok(Next::Request) };
            if message[0] == b'X' {
                return Ok(Next::Request);
            }
            name(&message, &mut label);
            request.extend(&message);
            if matches!(message[0], b'Q' | b'S') {
                break;
            }
        }
        let arrived = shared.arrived(label, request.len());
        if let Next::Reset = exchange(client, server, &request, &arrived, shared, false).await? {
            return Ok(Next::Reset);
        }
    }
}

/// The message that opens the session. Asked for encryption, the proxy has none.
async fn opening(client: &mut Side) -> Result<Option<Vec<u8>>> {
    loop {
        let Some(message) = client.message(false).await? else { return Ok(None) };
        if !ASKS.contains(&number(&message[4..])) {
            return Ok(Some(message));
        }
        client.stream.write_all(b"N").await?;
    }
}

/// Adds the SQL of a message, or `execute` and the first of its values, to what the request is called.
fn name(message: &[u8], label: &mut String) {
    let texts: Vec<&[u8]> = message[5..].split(|byte| *byte == 0).collect();
    let text = match message[0] {
        b'Q' => texts.first().map(|text| String::from_utf8_lossy(text)),
        // The name of the statement comes first.
        b'P' => texts.get(1).map(|text| String::from_utf8_lossy(text)),
        b'B' => {
            let value = String::from_utf8_lossy(first_value(&message[5..]).unwrap_or_default());
            Some(format!("execute {value}").trim_end().to_owned().into())
        }
        _ => None,
    };
    if let Some(text) = text {
        if !label.is_empty() {
            label.push_str("; ");
        }
        label.push_str(&text);
    }
}

/// The first value that is bound to a statement. Before it come the names of portal and statement,
/// and formats.
fn first_value(mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..2 {
        let end = rest.iter().position(|byte| *byte == 0)?;
        rest = &rest[end + 1..];
    }
    let short =
        |bytes: &[u8]| Some(usize::from(bytes.first().copied()?) << 8 | usize::from(bytes.get(1).copied()?));
    rest = rest.get(2 + 2 * short(rest)?..)?;
    if short(rest)? == 0 {
        return None;
    }
    let length = number(rest.get(2..6)?) as usize;
    rest.get(6..)?.get(..length)
}

async fn exchange(
    client: &mut Side,
    server: &mut Side,
    request: &[u8],
    arrived: &Arrived,
    shared: &Shared,
    opens: bool,
) -> Result<Next> {
    arrived.travel().await;
    match arrived.fault {
        Some(Fault::Reset) => return Ok(Next::Reset),
        Some(Fault::Status(_)) => return refuse(client).await,
        Some(Fault::TornRequest) => {
            server.stream.write_all(&request[..request.len() / 2]).await?;
            return Ok(Next::Reset);
        }
        _ => {}
    }
    server.stream.write_all(request).await?;
    let answer = answer(client, server, opens).await?;
    shared.answered(arrived, answer.len());
    match arrived.fault {
        Some(Fault::LostReply) => return Ok(Next::Reset),
        Some(Fault::StatusAfter(_)) => return refuse(client).await,
        Some(Fault::Silence) => {
            until_gone(&mut client.stream).await;
            return Ok(Next::Reset);
        }
        Some(Fault::TornReply) => {
            client.stream.write_all(&answer[..answer.len() / 2]).await?;
            client.stream.flush().await?;
            return Ok(Next::Reset);
        }
        Some(Fault::DelayReply(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    client.stream.write_all(&answer).await?;
    Ok(Next::Request)
}

/// What the server answers, up to where it is ready again. Questions about passwords on the way are
/// passed on at once.
async fn answer(client: &mut Side, server: &mut Side, opens: bool) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        let Some(message) = server.message(true).await? else {
            // A refused connection: an error, then the end.
            if opens && !answer.is_empty() {
                return Ok(answer);
            }
            return Err(Error::new(ErrorKind::UnexpectedEof, "the server went away"));
        };
        let (letter, asks) = (message[0], number(&message[5..]));
        answer.extend(message);
        // 0: welcome. 12: the last word of an exchange that takes no answer.
        if opens && letter == b'R' && asks != 0 && asks != 12 {
            client.stream.write_all(&std::mem::take(&mut answer)).await?;
            let Some(reply) = client.message(true).await? else {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the client went away"));
            };
            server.stream.write_all(&reply).await?;
        }
        if letter == b'Z' {
            return Ok(answer);
        }
    }
}

/// Answers with an error that ends the session, as a server does that is being shut down.
async fn refuse(client: &mut Side) -> Result<Next> {
    let mut fields = Vec::new();
    for (letter, text) in
        [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', "57P01"), (b'M', "the proxy made this answer")]
    {
        fields.push(letter);
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let mut bytes = vec![b'E'];
    bytes.extend(u32::try_from(fields.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(fields);
    client.stream.write_all(&bytes).await?;
    client.stream.shutdown().await?;
    until_gone(&mut client.stream).await;
    Ok(Next::Reset)
}
