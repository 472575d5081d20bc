//! [`ByteStream`]: the pieces of one stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, stream::FusedStream};

use crate::{
    error::Result,
    event::{Recv, Source},
    process_io::{ProcessIo, Receive, RecvHalf},
    pump::poll_recv,
};

/// What comes of one stream, piece by piece; made by [`bytes`](ProcessIo::bytes) and [`into_bytes`](ProcessIo::into_bytes).
///
/// The other stream is received meanwhile and kept, as its [limit](crate::Limits) says. What has not been handed out stays in
/// the handle.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use futures::StreamExt;
/// use process_io::{ProcessIo, Source};
///
/// let mut seq = ProcessIo::command("seq").arg("10").spawn()?;
/// let (sink, mut sum) = ProcessIo::shell("paste -sd+ | bc").spawn()?.into_split();
/// seq.bytes(Source::Stdout).forward(sink).await?;
/// assert_eq!(sum.recv(Source::Stdout).await?.data().unwrap(), "55\n");
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct ByteStream<T> {
    io: T,
    source: Source,
    ended: bool,
}

impl<T: Receive> ByteStream<T> {
    fn new(io: T, source: Source) -> Self {
        Self {
            io,
            source,
            ended: false,
        }
    }

    /// The handle inside.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The handle inside, to send while this is read.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Gives the handle back, with all that has not been handed out.
    pub fn into_inner(self) -> T {
        self.io
    }
}

impl<T: Receive> Stream for ByteStream<T> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let source = self.source;
        let received = (self.io).poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX));
        received.map(|received| {
            self.ended = matches!(received, Ok(Recv::Eof));
            received.map(Recv::data).transpose()
        })
    }
}

impl<T: Receive> FusedStream for ByteStream<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// # Bytes
impl ProcessIo {
    /// What comes of `source`, as a stream of its pieces.
    pub fn bytes(&mut self, source: Source) -> ByteStream<&mut Self> {
        ByteStream::new(self, source)
    }

    /// As [`bytes`](Self::bytes), by value.
    pub fn into_bytes(self, source: Source) -> ByteStream<Self> {
        ByteStream::new(self, source)
    }
}

/// # Bytes
impl RecvHalf {
    /// What comes of `source`, as a stream of its pieces; see [`ProcessIo::bytes`].
    pub fn bytes(&mut self, source: Source) -> ByteStream<&mut Self> {
        ByteStream::new(self, source)
    }

    /// As [`bytes`](Self::bytes), by value.
    pub fn into_bytes(self, source: Source) -> ByteStream<Self> {
        ByteStream::new(self, source)
    }
}
