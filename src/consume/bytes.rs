//! [`ByteStream`]: the bytes of one output stream.

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

/// A stream of the bytes of one output stream; created by [`bytes`](ProcessIo::bytes) and [`into_bytes`](ProcessIo::into_bytes).
///
/// Meanwhile the other stream is received and kept up to its [limit](crate::Limits). What has not been returned stays in
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
/// let forward = seq.bytes(Source::Stdout).forward(sink);
/// // Together: a child that writes much while it reads waits for its output to be received.
/// let (forwarded, sum) = tokio::join!(forward, sum.recv(Source::Stdout));
/// forwarded?;
/// assert_eq!(sum?.data().unwrap(), "55\n");
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

    /// Returns a reference to the handle.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Returns a mutable reference to the handle, to send while this is read.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Returns the handle, with all that has not been returned.
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
    /// Returns a stream of the bytes of `source`, in pieces as [`recv`](Self::recv) returns them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut seq = ProcessIo::command("seq").arg("3").spawn()?;
    /// let pieces: Vec<_> = seq.bytes(Source::Stdout).try_collect().await?;
    /// assert_eq!(pieces.concat(), b"1\n2\n3\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn bytes(&mut self, source: Source) -> ByteStream<&mut Self> {
        ByteStream::new(self, source)
    }

    /// Converts the handle into a stream of the bytes of `source`: [`bytes`](Self::bytes), by value.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    /// use tokio::io::AsyncReadExt;
    /// use tokio_util::io::StreamReader;
    ///
    /// let bytes = ProcessIo::command("seq").arg("3").spawn()?.into_bytes(Source::Stdout);
    /// let mut text = String::new();
    /// StreamReader::new(bytes).read_to_string(&mut text).await?;
    /// assert_eq!(text, "1\n2\n3\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn into_bytes(self, source: Source) -> ByteStream<Self> {
        ByteStream::new(self, source)
    }
}

/// # Bytes
impl RecvHalf {
    /// Returns a stream of the bytes of `source`; see [`ProcessIo::bytes`].
    pub fn bytes(&mut self, source: Source) -> ByteStream<&mut Self> {
        ByteStream::new(self, source)
    }

    /// Converts the half into a stream of the bytes of `source`; see [`ProcessIo::into_bytes`].
    pub fn into_bytes(self, source: Source) -> ByteStream<Self> {
        ByteStream::new(self, source)
    }
}
