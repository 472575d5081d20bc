//! `copy_to`: all that a stream says into a writer.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::{Handle, ProcessIo};
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    pump::{poll_recv, poll_rest, poll_splice},
    sys::{BorrowedDescriptor, Outlet},
};

/// # Copying
impl ProcessIo {
    /// Writes all that comes from `source` into `writer`, as fast as that takes it, until the stream ends; then flushes.
    /// Meanwhile the input is fed and the other stream is received and kept. How many bytes that were.
    ///
    /// For a file, a pipe or a socket of this machine the child can also be given it
    /// [directly](crate::Builder::stdout), and nothing has to be copied.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`is_output`](Error::is_output) if the writer fails. What it has not taken is still there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what the writer has not taken stays in the handle; call it again.
    pub async fn copy_to<W>(&mut self, source: Source, writer: &mut W) -> Result<u64>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        copy_to(self, source, writer).await
    }

    /// As [`copy_to`](Self::copy_to), into a file, a pipe or a socket of this machine, given as its descriptor: on Linux the
    /// bytes do not come by this process (`splice(2)`) where the system can do that and allows it, elsewhere they are copied.
    ///
    /// A pipe or a socket should be non-blocking, as tokio's are. Its position, where it has one, moves on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)] {
    /// use std::os::fd::AsFd;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let file = tempfile::NamedTempFile::new()?;
    /// let mut io = ProcessIo::command("seq").arg("1000").spawn()?;
    /// let bytes = io.splice_to(Source::Stdout, file.as_fd()).await?;
    /// assert_eq!(bytes, 3893);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`copy_to`](Self::copy_to).
    ///
    /// # Cancel safety
    ///
    /// As [`copy_to`](Self::copy_to).
    pub async fn splice_to(&mut self, source: Source, to: BorrowedDescriptor<'_>) -> Result<u64> {
        splice_to(self, source, to).await
    }
}

pub(super) async fn copy_to<W>(io: &mut impl Handle, source: Source, writer: &mut W) -> Result<u64>
where
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut copy = Copy::new(io, source, writer);
    poll_fn(|cx| copy.poll(cx)).await
}

pub(super) async fn splice_to(
    io: &mut impl Handle,
    source: Source,
    to: BorrowedDescriptor<'_>,
) -> Result<u64> {
    let mut outlet = match Outlet::new(to) {
        Ok(outlet) => outlet,
        Err(error) => return Err(output_error(io, source, error)),
    };
    let mut copy = Copy::new(io, source, &mut outlet);
    poll_fn(|cx| copy.poll_splice(cx)).await?;
    poll_fn(|cx| copy.poll(cx)).await
}

fn output_error(io: &mut impl Handle, source: Source, error: io::Error) -> Error {
    io.with(|io| io.pump.error(Kind::Output(source)).with_source(error))
}

struct Copy<'a, H: Handle, W: ?Sized> {
    io: &'a mut H,
    source: Source,
    writer: &'a mut W,
    /// Received and not yet written.
    piece: Bytes,
    copied: u64,
}

impl<'a, H: Handle, W: ?Sized> Copy<'a, H, W> {
    fn new(io: &'a mut H, source: Source, writer: &'a mut W) -> Self {
        Self {
            io,
            source,
            writer,
            piece: Bytes::new(),
            copied: 0,
        }
    }

    /// All but the stream that is copied goes on.
    fn poll_rest<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let source = self.source;
        let rest = (self.io).poll(cx, |pump, turn| poll_rest(pump, turn, source));
        rest.map_ok(|never| match never {})
    }

    fn fail(&mut self, error: io::Error) -> Error {
        output_error(self.io, self.source, error)
    }
}

impl<H: Handle> Copy<'_, H, Outlet> {
    /// All that can be moved on without copying it here.
    fn poll_splice(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let (source, to) = (self.source, &mut *self.writer);
            match (self.io).poll(cx, |pump, turn| poll_splice(pump, turn, source, to)) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(n)) => self.copied += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Pending => match self.poll_rest(cx) {
                    // The exit has just been seen.
                    Poll::Pending if !self.io.with(|io| io.pump.is_running()) => {}
                    rest => return rest,
                },
            }
        }
    }
}

impl<H: Handle, W: AsyncWrite + Unpin + ?Sized> Copy<'_, H, W> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        let source = self.source;
        loop {
            if self.piece.is_empty() {
                let received =
                    (self.io).poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX));
                match ready!(received)?.data() {
                    Some(piece) => self.piece = piece,
                    None => {
                        return match Pin::new(&mut *self.writer).poll_flush(cx) {
                            Poll::Ready(flushed) => {
                                Poll::Ready(flushed.map_err(|e| self.fail(e)).map(|()| self.copied))
                            }
                            Poll::Pending => self.poll_rest(cx),
                        };
                    }
                }
            }
            match Pin::new(&mut *self.writer).poll_write(cx, &self.piece) {
                Poll::Ready(Ok(0)) => {
                    let error = io::ErrorKind::WriteZero.into();
                    return Poll::Ready(Err(self.fail(error)));
                }
                Poll::Ready(Ok(n)) => {
                    self.piece.advance(n);
                    self.copied += n as u64;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                // The writer is slow: all else goes on, and the child has to wait.
                Poll::Pending => return self.poll_rest(cx),
            }
        }
    }
}

impl<H: Handle, W: ?Sized> Drop for Copy<'_, H, W> {
    fn drop(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        let source = self.source;
        self.io
            .with(|io| io.pump.reader_mut(source).give_back(piece));
    }
}
