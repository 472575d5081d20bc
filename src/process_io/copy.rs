//! `copy_to`: all that a stream says into a writer.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::ProcessIo;
use crate::{
    error::{Error, Kind, Result},
    event::Source,
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
        let mut copy = Copy {
            io: self,
            source,
            writer,
            piece: Bytes::new(),
            copied: 0,
        };
        poll_fn(|cx| copy.poll(cx)).await
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

impl<W: AsyncWrite + Unpin + ?Sized> Copy<'_, W> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        loop {
            if self.piece.is_empty() {
                match ready!(self.io.poll_recv(cx, self.source))? {
                    Some(piece) => self.piece = piece,
                    None => {
                        let flushed = ready!(Pin::new(&mut *self.writer).poll_flush(cx));
                        return Poll::Ready(
                            flushed.map_err(|e| self.fail(e)).map(|()| self.copied),
                        );
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

    fn fail(&self, error: std::io::Error) -> Error {
        let kind = Kind::Output(self.source);
        self.io.recv.driver.error(kind).with_source(error)
    }
}

impl<W: ?Sized> Drop for Copy<'_, W> {
    fn drop(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        self.io.recv.driver.reader_mut(self.source).give_back(piece);
    }
}
