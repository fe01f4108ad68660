//! A connection that HTTP/2 runs over, with fewer and larger writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

/// What the answer to a ping begins with: a frame of eight bytes, type 6, acknowledging, on no stream
/// (RFC 9113, 6.7).
const PONG: [u8; 9] = [0, 0, 8, 6, 1, 0, 0, 0, 0];

/// The bytes of the answer to a ping.
const PONG_LENGTH: usize = 17;

/// How long a ping goes unanswered. Peers written in Go measure the connection by a ping whenever
/// data comes and none is under way, so that each call would cost both sides a ping and its answer.
/// Keep-alive pings are given many seconds.
const UNHURRIED: Duration = Duration::from_millis(20);

/// How much is gathered before it is written.
const GATHERED: usize = 32 << 10;

/// How far the flush of what was gathered is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nobody has asked for it.
    Fresh,
    /// It was asked for, and others have their turn first.
    Asked,
    /// They have had it.
    Due,
}

/// Gathers what is written until everybody else who can go on has had a turn, and takes its time to
/// answer pings.
///
/// HTTP/2 writes headers, a message and trailers one after the other, flushes after each large message,
/// and is woken for each call that somebody makes; what comes of all that leaves in one piece. A flush
/// therefore only asks to be polled again, and is done when it comes after the next read. This relies on
/// how connections of HTTP/2 are polled: whoever is woken reads, then writes, then flushes.
///
/// To whoever writes, this is a connection without vectored writes: small messages are then put between
/// the frames around them beforehand.
#[derive(Debug)]
pub struct GatheringStream<T> {
    inner: T,
    gathered: Vec<u8>,
    /// How much of that is written.
    written: usize,
    /// Whether everything up to here is whole frames.
    whole: bool,
    turn: Turn,
    pongs: Vec<u8>,
    /// How long pings go unanswered.
    patience: Duration,
    /// When pings are to be answered.
    due: Option<Pin<Box<Sleep>>>,
    /// Whether there are any to answer.
    waiting: bool,
}

impl<T> GatheringStream<T> {
    /// Wraps a connection on which nothing was written yet.
    pub fn new(inner: T) -> Self {
        Self::with_patience(inner, UNHURRIED)
    }

    fn with_patience(inner: T, patience: Duration) -> Self {
        GatheringStream {
            inner,
            gathered: Vec::new(),
            written: 0,
            whole: true,
            turn: Turn::Fresh,
            pongs: Vec::new(),
            patience,
            due: None,
            waiting: false,
        }
    }

    /// Keeps the answer to a ping for later.
    fn hold(&mut self, pong: &[u8], cx: &mut Context<'_>) {
        self.pongs.extend_from_slice(pong);
        if std::mem::replace(&mut self.waiting, true) {
            return;
        }
        let until = Instant::now() + self.patience;
        let due = self.due.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        due.as_mut().reset(until);
        // So that somebody is woken; it is not due yet.
        let _ = due.as_mut().poll(cx);
    }

    /// Puts the answers to pings among what is to be written, if it is time.
    fn answer_pings(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.waiting && self.due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready());
        let now = due && self.whole;
        if now {
            self.waiting = false;
            self.gathered.append(&mut self.pongs);
        }
        now
    }
}

impl<T: AsyncWrite + Unpin> GatheringStream<T> {
    /// Writes what was gathered.
    fn write_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let rest = &self.gathered[self.written..];
            let length = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
        }
        self.gathered.clear();
        self.written = 0;
        self.turn = Turn::Fresh;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for GatheringStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turn == Turn::Asked {
            self.turn = Turn::Due;
        }
        if self.answer_pings(cx)
            && let Poll::Ready(Err(error)) = self.write_gathered(cx)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for GatheringStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.whole && bytes.len() == PONG_LENGTH && bytes.starts_with(&PONG) {
            self.hold(bytes, cx);
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.gathered.len() + bytes.len() > GATHERED {
            ready!(self.write_gathered(cx))?;
        }
        self.whole = false;
        if bytes.len() > GATHERED {
            return Pin::new(&mut self.inner).poll_write(cx, bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only whole frames are flushed.
        self.whole = true;
        self.answer_pings(cx);
        if self.gathered.is_empty() || self.turn == Turn::Due {
            ready!(self.write_gathered(cx))?;
            return Pin::new(&mut self.inner).poll_flush(cx);
        }
        if self.turn == Turn::Fresh {
            self.turn = Turn::Asked;
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_gathered(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<T: Connected> Connected for GatheringStream<T> {
    type ConnectInfo = T::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    fn pong(number: u8) -> Vec<u8> {
        [&PONG[..], &[number; 8]].concat()
    }

    fn pair(patience: Duration) -> (GatheringStream<DuplexStream>, DuplexStream) {
        let (inner, peer) = tokio::io::duplex(1 << 20);
        (GatheringStream::with_patience(inner, patience), peer)
    }

    /// A flush as connections of HTTP/2 do it: asked for, and done when they are polled again.
    async fn flushed(stream: &mut GatheringStream<DuplexStream>) {
        stream.flush().await.unwrap();
        polled(stream).await;
        stream.flush().await.unwrap();
    }

    /// Reads, as whoever is polled does first.
    async fn polled(stream: &mut GatheringStream<DuplexStream>) {
        let read = std::future::poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut [0; 1])).is_ready())
        });
        assert!(!read.await, "nothing is to be read");
    }

    async fn arrived(peer: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let length = peer.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    }

    #[tokio::test]
    async fn what_is_written_leaves_in_one_piece_when_it_is_flushed() {
        let (mut stream, mut peer) = pair(UNHURRIED);
        stream.write_all(b"head").await.unwrap();
        stream.write_all(b"body").await.unwrap();
        flushed(&mut stream).await;
        assert_eq!(arrived(&mut peer).await, b"headbody");
        let large = vec![7; GATHERED + 1];
        stream.write_all(b"head").await.unwrap();
        stream.write_all(&large).await.unwrap();
        flushed(&mut stream).await;
        assert_eq!(arrived(&mut peer).await, [b"head", &large[..]].concat());
    }

    #[tokio::test]
    async fn what_several_flush_leaves_in_one_piece_when_all_have_had_their_turn() {
        let (mut stream, mut peer) = pair(UNHURRIED);
        stream.write_all(b"one").await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(b"two").await.unwrap();
        stream.flush().await.unwrap();
        polled(&mut stream).await;
        stream.write_all(b"three").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(arrived(&mut peer).await, b"onetwothree");
    }

    #[tokio::test]
    async fn whoever_flushes_is_woken_to_do_it() {
        let (mut stream, mut peer) = pair(UNHURRIED);
        stream.write_all(b"one").await.unwrap();
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            let _ = Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut [0; 1]));
            let _ = Pin::new(&mut stream).poll_flush(cx);
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert_eq!(arrived(&mut peer).await, b"one");
    }

    #[tokio::test]
    async fn a_ping_is_not_answered_at_once() {
        let (mut stream, mut peer) = pair(Duration::from_secs(3600));
        stream.write_all(&pong(1)).await.unwrap();
        flushed(&mut stream).await;
        stream.write_all(b"frame").await.unwrap();
        flushed(&mut stream).await;
        assert_eq!(arrived(&mut peer).await, b"frame");
    }

    #[tokio::test]
    async fn whoever_reads_is_woken_to_answer_a_ping_though_nothing_comes() {
        let (mut stream, mut peer) = pair(Duration::from_millis(1));
        stream.write_all(&pong(1)).await.unwrap();
        let reading = tokio::spawn(async move { stream.read_exact(&mut [0]).await });
        assert_eq!(arrived(&mut peer).await, pong(1));
        peer.write_all(b"x").await.unwrap();
        reading.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_ping_is_not_answered_in_the_middle_of_a_frame() {
        let (mut stream, mut peer) = pair(Duration::ZERO);
        stream.write_all(&pong(1)).await.unwrap();
        stream.write_all(b"head").await.unwrap();
        peer.write_all(b"x").await.unwrap();
        // The answer is due from here on.
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.read_exact(&mut [0]).await.unwrap();
        // What looks like an answer is a part of the frame.
        stream.write_all(&pong(2)).await.unwrap();
        flushed(&mut stream).await;
        assert_eq!(arrived(&mut peer).await, [b"head", &pong(2)[..], &pong(1)].concat());
    }
}
