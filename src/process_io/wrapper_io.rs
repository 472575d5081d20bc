//! [`ProcessIOWrapper`] as `AsyncRead`, `AsyncBufRead` and `AsyncWrite`.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::ProcessIOWrapper;
use crate::pump::{poll_flush, poll_write};

impl AsyncRead for ProcessIOWrapper {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0 {
            let n = ready!(self.poll_piece(cx))?.min(buf.remaining());
            buf.put_slice(&self.piece.1[..n]);
            self.advance(n);
            if self.in_frames {
                // They are not counted: as if each had as many bytes as it costs besides.
                self.io.pump.charge.add(n);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for ProcessIOWrapper {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_piece(cx))?;
        Poll::Ready(Ok(&this.piece.1))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        self.advance(n);
    }
}

impl AsyncWrite for ProcessIOWrapper {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_writer(cx, |pump, turn| poll_write(pump, turn, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_writer(cx, poll_flush)
    }

    /// Closes the child's stdin.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        self.io.close_stdin();
        self.poll_flush(cx)
    }
}
