//! `copy_to`: all that a stream says into a writer.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::ProcessIo;
use crate::{
    error::{Error, Kind, Result},
    event::Source,
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
        let mut copy = Copy::new(self, source, writer);
        poll_fn(|cx| copy.poll(cx)).await
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
    /// use process_io::{Command, ProcessIo, Source};
    ///
    /// let file = tempfile::NamedTempFile::new()?;
    /// let mut seq = Command::new("seq");
    /// seq.arg("1000");
    /// let mut io = ProcessIo::spawn(seq)?;
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
        let mut outlet = match Outlet::new(to) {
            Ok(outlet) => outlet,
            Err(error) => return Err(self.output_error(source, error)),
        };
        let mut copy = Copy::new(self, source, &mut outlet);
        poll_fn(|cx| copy.poll_splice(cx)).await?;
        poll_fn(|cx| copy.poll(cx)).await
    }

    fn output_error(&self, source: Source, error: io::Error) -> Error {
        self.recv
            .driver
            .error(Kind::Output(source))
            .with_source(error)
    }
}

struct Copy<'a, W: ?Sized> {
    io: &'a mut ProcessIo,
    source: Source,
    writer: &'a mut W,
    /// Received and not yet written.
    piece: Bytes,
    copied: u64,
}

impl<'a, W: ?Sized> Copy<'a, W> {
    fn new(io: &'a mut ProcessIo, source: Source, writer: &'a mut W) -> Self {
        Self {
            io,
            source,
            writer,
            piece: Bytes::new(),
            copied: 0,
        }
    }

    fn fail(&self, error: io::Error) -> Error {
        self.io.output_error(self.source, error)
    }
}

impl Copy<'_, Outlet> {
    /// All that can be moved on without copying it here.
    fn poll_splice(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let mut pump = self.io.as_pump();
            match pump.poll_splice(cx, self.source, self.writer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(n)) => self.copied += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Pending => match pump.poll_rest(cx, self.source) {
                    Poll::Ready(error) => return Poll::Ready(Err(error)),
                    // The exit has just been seen.
                    Poll::Pending if !pump.is_running() => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Copy<'_, W> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        loop {
            if self.piece.is_empty() {
                match ready!(self.io.poll_recv(cx, self.source))? {
                    Some(piece) => self.piece = piece,
                    None => {
                        return match Pin::new(&mut *self.writer).poll_flush(cx) {
                            Poll::Ready(flushed) => {
                                Poll::Ready(flushed.map_err(|e| self.fail(e)).map(|()| self.copied))
                            }
                            // All else goes on.
                            Poll::Pending => self.io.as_pump().poll_rest(cx, self.source).map(Err),
                        };
                    }
                }
            }
            match Pin::new(&mut *self.writer).poll_write(cx, &self.piece) {
                Poll::Ready(Ok(0)) => {
                    let error = std::io::ErrorKind::WriteZero.into();
                    return Poll::Ready(Err(self.fail(error)));
                }
                Poll::Ready(Ok(n)) => {
                    self.piece.advance(n);
                    self.copied += n as u64;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                // The writer is slow: all else goes on, and the child has to wait.
                Poll::Pending => return self.io.as_pump().poll_rest(cx, self.source).map(Err),
            }
        }
    }
}

impl<W: ?Sized> Drop for Copy<'_, W> {
    fn drop(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.io.recv.driver.reader_mut(self.source).give_back(piece);
    }
}
