//! `copy_to`: copies a stream to a writer.

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
    event::{Recv, Source},
    limits::STEPS_PER_POLL,
    pump::{Want, Wants, poll_copied, poll_splice},
    sys::{BorrowedDescriptor, Outlet},
};

/// # Copying
impl ProcessIo {
    /// Writes all that comes from `source` to `writer` until the stream ends, flushes, and returns the number of bytes.
    ///
    /// No more is received before `writer` has taken the last piece. Meanwhile the input is written and the other stream is received
    /// and kept.
    ///
    /// A file, a pipe or a socket of this machine can also be given to the child
    /// [directly](crate::Builder::stdout), so that nothing has to be copied.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut file = Vec::new();
    /// let mut seq = ProcessIo::command("seq").arg("3").spawn()?;
    /// assert_eq!(seq.copy_to(Source::Stdout, &mut file).await?, 6);
    /// assert_eq!(file, b"1\n2\n3\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`Output`](crate::ErrorKind::Output) if the writer fails. What it has not taken stays in the handle.
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

    /// Writes all that comes from stdout to `stdout` and all that comes from stderr to `stderr`, and returns the number of bytes of each.
    ///
    /// A slow writer delays its own stream only.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let (mut out, mut err) = (Vec::new(), Vec::new());
    /// let mut io = ProcessIo::shell("echo out; echo err >&2").spawn()?;
    /// assert_eq!(io.copy_both_to(&mut out, &mut err).await?, [4, 4]);
    /// assert_eq!((&out[..], &err[..]), (&b"out\n"[..], &b"err\n"[..]));
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
    pub async fn copy_both_to<O, E>(&mut self, stdout: &mut O, stderr: &mut E) -> Result<[u64; 2]>
    where
        O: AsyncWrite + Unpin + ?Sized,
        E: AsyncWrite + Unpin + ?Sized,
    {
        copy_both_to(self, stdout, stderr).await
    }

    /// Moves all that comes from `source` to a file, a pipe or a socket of this machine, and returns the number of bytes.
    ///
    /// As [`copy_to`](Self::copy_to), but on Linux the bytes are not copied through this process.
    ///
    /// A pipe or a socket should be non-blocking, as tokio's are. The position of `to`, if it has one, is advanced.
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
    ///
    /// # Platform-specific behavior
    ///
    /// On Linux it uses `splice(2)` where the system supports and permits that. Elsewhere the bytes are copied.
    ///
    /// On Unix a pipe or a socket that is blocking can block the thread while it is full, and a regular file is written on this
    /// thread. On Windows tokio's pool for blocking work writes.
    pub async fn splice_to(&mut self, source: Source, to: BorrowedDescriptor<'_>) -> Result<u64> {
        splice_to(self, source, to).await
    }
}

pub(super) async fn copy_to<W>(io: &mut impl Handle, source: Source, writer: &mut W) -> Result<u64>
where
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut copy = Copy::new(io, Destination::new(source, writer));
    poll_fn(|cx| copy.poll(cx)).await
}

pub(super) async fn copy_both_to<O, E>(
    io: &mut impl Handle,
    stdout: &mut O,
    stderr: &mut E,
) -> Result<[u64; 2]>
where
    O: AsyncWrite + Unpin + ?Sized,
    E: AsyncWrite + Unpin + ?Sized,
{
    let to = (
        Destination::new(Source::Stdout, stdout),
        Destination::new(Source::Stderr, stderr),
    );
    let mut copy = Copy::new(io, to);
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
    let mut copy = Copy::new(io, Destination::new(source, &mut outlet));
    poll_fn(|cx| copy.poll_splice(cx)).await?;
    poll_fn(|cx| copy.poll(cx)).await
}

fn output_error(io: &mut impl Handle, source: Source, error: io::Error) -> Error {
    io.with(|io| io.pump.error(Kind::Output(source)).with_source(error))
}

/// What is copied: one stream, or both.
trait Destinations {
    type Copied;

    /// Writes what there is; the error of a writer, and of which stream. `None` while more is to come.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> std::result::Result<Option<Self::Copied>, (Source, io::Error)>;

    fn wants(&self) -> Wants;

    fn put(&mut self, source: Source, received: Recv);

    /// What has been received and not been written.
    fn take(&mut self, source: Source) -> Bytes;
}

struct Copy<'a, H: Handle, W: Destinations> {
    io: &'a mut H,
    to: W,
    /// Of both streams, whose turn it is.
    next: Source,
}

impl<'a, H: Handle, W: Destinations> Copy<'a, H, W> {
    fn new(io: &'a mut H, to: W) -> Self {
        Self {
            io,
            to,
            next: Source::Stdout,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<W::Copied>> {
        // Neither side may be one that counts in the task's budget.
        for _ in 0..STEPS_PER_POLL {
            match self.to.poll_write(cx) {
                Ok(Some(copied)) => return Poll::Ready(Ok(copied)),
                Ok(None) => {}
                Err((source, error)) => {
                    return Poll::Ready(Err(output_error(self.io, source, error)));
                }
            }
            let (wants, next) = (self.to.wants(), self.next);
            let (source, received) =
                ready!((self.io).poll(cx, |pump, turn| poll_copied(pump, turn, wants, next)))?;
            self.to.put(source, received);
            self.next = source.other();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<H: Handle> Copy<'_, H, Destination<'_, Outlet>> {
    /// All that can be moved on without copying it here.
    fn poll_splice(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let source = self.to.source;
        let rest = Wants::only(source, Want::LATER);
        loop {
            let to = &mut *self.to.writer;
            match (self.io).poll(cx, |pump, turn| poll_splice(pump, turn, source, to)) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(n)) => self.to.copied += n,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(output_error(self.io, source, error)));
                }
                Poll::Pending => {
                    match (self.io).poll(cx, |pump, turn| poll_copied(pump, turn, rest, source)) {
                        // The exit has just been seen.
                        Poll::Pending if !self.io.with(|io| io.pump.is_running()) => {}
                        rest => return rest.map_ok(drop),
                    }
                }
            }
        }
    }
}

/// What a writer has not taken stays in the handle.
impl<H: Handle, W: Destinations> Drop for Copy<'_, H, W> {
    fn drop(&mut self) {
        for source in Source::BOTH {
            let piece = self.to.take(source);
            self.io
                .with(|io| io.pump.reader_mut(source).give_back(piece));
        }
    }
}

/// From one stream into one writer.
struct Destination<'a, W: ?Sized> {
    source: Source,
    writer: &'a mut W,
    /// Received and not yet written.
    piece: Bytes,
    /// Nothing more comes: it is flushed when all is written.
    ended: bool,
    flushed: bool,
    copied: u64,
}

impl<'a, W: ?Sized> Destination<'a, W> {
    fn new(source: Source, writer: &'a mut W) -> Self {
        Self {
            source,
            writer,
            piece: Bytes::new(),
            ended: false,
            flushed: false,
            copied: 0,
        }
    }

    /// A piece, once the one before is written.
    fn want(&self) -> Want {
        match self.piece.is_empty() && !self.ended {
            true => Want::PIECE,
            false => Want::LATER,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Destination<'_, W> {
    /// Writes what there is, until more is wanted or all is done; pending if the writer is slow.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut writer = Pin::new(&mut *self.writer);
        while !self.piece.is_empty() {
            let n = ready!(writer.as_mut().poll_write(cx, &self.piece))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.piece.advance(n);
            self.copied += n as u64;
        }
        if self.ended && !self.flushed {
            ready!(writer.poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Destinations for Destination<'_, W> {
    type Copied = u64;

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> std::result::Result<Option<u64>, (Source, io::Error)> {
        match Destination::poll_write(self, cx) {
            Poll::Ready(Err(error)) => Err((self.source, error)),
            Poll::Ready(Ok(())) if self.ended => Ok(Some(self.copied)),
            _ => Ok(None),
        }
    }

    fn wants(&self) -> Wants {
        Wants::only(self.source, self.want())
    }

    fn put(&mut self, _: Source, received: Recv) {
        match received.data() {
            Some(piece) => self.piece = piece,
            None => self.ended = true,
        }
    }

    fn take(&mut self, source: Source) -> Bytes {
        match source == self.source {
            true => std::mem::take(&mut self.piece),
            false => Bytes::new(),
        }
    }
}

impl<O, E> Destinations for (Destination<'_, O>, Destination<'_, E>)
where
    O: AsyncWrite + Unpin + ?Sized,
    E: AsyncWrite + Unpin + ?Sized,
{
    type Copied = [u64; 2];

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> std::result::Result<Option<[u64; 2]>, (Source, io::Error)> {
        let stdout = Destinations::poll_write(&mut self.0, cx)?;
        let stderr = Destinations::poll_write(&mut self.1, cx)?;
        Ok(stdout.zip(stderr).map(<[u64; 2]>::from))
    }

    fn wants(&self) -> Wants {
        Wants([self.0.want(), self.1.want()])
    }

    fn put(&mut self, source: Source, received: Recv) {
        match source {
            Source::Stdout => self.0.put(source, received),
            Source::Stderr => self.1.put(source, received),
        }
    }

    fn take(&mut self, source: Source) -> Bytes {
        match source {
            Source::Stdout => self.0.take(source),
            Source::Stderr => self.1.take(source),
        }
    }
}
