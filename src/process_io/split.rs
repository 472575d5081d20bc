//! The two directions apart: [`SendHalf`] and [`RecvHalf`].
//!
//! They share the whole handle behind a lock, which is held for the length of a poll and never across one.

use std::{
    error, fmt,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    process::ExitStatus,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures::{Sink, Stream, stream::FusedStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Handle,
};

use super::{Handle as _, ProcessIo, copy, exchange, stop};
use crate::{
    error::{Error, Result},
    event::{Event, Recv, Source},
    limits::{CLOSE_GRACE, Limits},
    pump::{
        Role, Want, Wants, poll_closed, poll_event, poll_flush, poll_recv, poll_room, poll_wait,
        poll_write, push, try_send,
    },
    report::Report,
    shutdown::Ladder,
    sys::BorrowedDescriptor,
    transport::Control,
};

/// The sending half of a [`ProcessIo`]: stdin. Created by [`into_split`](ProcessIo::into_split).
///
/// It is `AsyncWrite`, and a `Sink` of `Bytes`. Whatever is awaited here moves the pipes of the [`RecvHalf`] too, because a child that
/// waits for its output to be read takes no input. That output is kept for the other half up to its [limit](crate::Limits). Where that
/// says [`Fail`](crate::Overflow::Fail) or [`Block`](crate::Overflow::Block) the child has to wait there, and so does what is awaited
/// here, until the other half receives.
///
/// The methods of the whole handle that it lacks are available again after [`unsplit`](ProcessIo::unsplit).
///
/// The halves share a lock that is held while either is polled: code of yours that is polled by one, a [`Needle`](crate::Needle), an
/// [`Input`](crate::Input), a function of a [`Ladder`] or a writer of a tee, must not use the other, or it deadlocks.
///
/// Dropping it closes stdin once what is queued has been written, by the next call on the [`RecvHalf`]. Without such a call this is
/// tried once, after 10 ms: what the pipe does not take then is left to the next call. So a child whose halves are dropped one after
/// the other is killed, and does not take the input it has received so far for all of it.
pub struct SendHalf {
    pub(super) shared: Arc<Shared>,
}

/// The receiving half of a [`ProcessIo`]: stdout, stderr, and the exit of the child. Created by
/// [`into_split`](ProcessIo::into_split).
///
/// It is a `Stream` of [`Event`]s as the whole [`ProcessIo`] is, and `AsyncRead` of stdout. Whatever is awaited here moves the
/// pipe of the [`SendHalf`] too.
///
/// Dropping it closes stdout and stderr; what has been received is lost.
pub struct RecvHalf {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    io: Mutex<ProcessIo>,
    /// One of the halves is gone.
    alone: AtomicBool,
    /// It is the [`SendHalf`], and stdin is still to be closed.
    closing: AtomicBool,
    /// The halves have been put together: dropping them has no effect.
    whole: AtomicBool,
}

impl Shared {
    /// Calls `act` with the whole handle, in this role.
    #[inline]
    pub(super) fn with<T>(&self, role: Role, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        let mut io = self.lock();
        if self.closing.load(Ordering::Relaxed) && self.closing.swap(false, Ordering::Relaxed) {
            io.close_stdin();
        }
        let done = act(&mut io);
        io.pass_on(role);
        done
    }

    fn lock(&self) -> MutexGuard<'_, ProcessIo> {
        // A poll that panicked has left the pump as any other has.
        self.io.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessIo {
    /// Splits the handle into a sending and a receiving half, to be used in two tasks.
    ///
    /// [`unsplit`](ProcessIo::unsplit) is the inverse. Either half moves all the pipes, so it is enough to await one of them. The child
    /// is killed and reaped when both have been dropped, in whatever order; see [`on_drop`](crate::Builder::on_drop) for alternatives.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let (mut send, mut recv) = ProcessIo::command("cat").spawn()?.into_split();
    /// let (sent, received) = tokio::join!(send.send("hello"), recv.recv(Source::Stdout));
    /// sent?;
    /// assert_eq!(received?.data().unwrap(), "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn into_split(self) -> (SendHalf, RecvHalf) {
        let shared = Arc::new(Shared {
            io: Mutex::new(self),
            alone: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            whole: AtomicBool::new(false),
        });
        let other = Arc::clone(&shared);
        (SendHalf { shared }, RecvHalf { shared: other })
    }

    /// Joins two halves of a handle again; the inverse of [`into_split`](ProcessIo::into_split).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let (mut send, recv) = ProcessIo::command("sort").spawn()?.into_split();
    /// send.send("b\na\n").await?;
    /// let sort = ProcessIo::unsplit(send, recv)?;
    /// assert_eq!(sort.await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If they are halves of different handles: the error contains them.
    pub fn unsplit(send: SendHalf, recv: RecvHalf) -> Result<Self, UnsplitError> {
        if !Arc::ptr_eq(&send.shared, &recv.shared) {
            return Err(UnsplitError(Box::new((send, recv))));
        }
        let shared = Arc::clone(&send.shared);
        shared.whole.store(true, Ordering::Relaxed);
        drop((send, recv));
        let Some(shared) = Arc::into_inner(shared) else {
            unreachable!("each half has one reference");
        };
        Ok((shared.io.into_inner()).unwrap_or_else(PoisonError::into_inner))
    }
}

impl SendHalf {
    /// Sends all of `data`; see [`ProcessIo::send`].
    ///
    /// # Errors
    ///
    /// [`is_broken_pipe`](Error::is_broken_pipe) if the child closed its stdin or ended, or it was closed here, and
    /// [`Stdin`](crate::ErrorKind::Stdin) if it could not be written to for another reason; [`written`](Error::written) is the
    /// number of bytes of `data` that were written. When the run is [cut short](crate::Builder#when-to-stop), or the terminal stops the
    /// child.
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::send`].
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<()> {
        exchange::send(self, data.into(), poll_flush).await
    }

    /// Sends `line` and a newline; see [`ProcessIo::send_line`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<()> {
        self.send([line.as_ref(), b"\n"].concat()).await
    }

    /// Sends as much of `data` as is taken within `timeout`; see [`ProcessIo::send_timeout`].
    ///
    /// # Errors
    ///
    /// [`is_timeout`](Error::is_timeout) when the time has elapsed; [`written`](Error::written) is the number of bytes that were written,
    /// and the rest is not queued. Otherwise as [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::send_timeout`].
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send): if the future is dropped, the rest stays queued.
    pub async fn send_timeout(&mut self, data: impl Into<Bytes>, timeout: Duration) -> Result<()> {
        exchange::send_timeout(self, data.into(), timeout, poll_flush).await
    }

    /// Writes as much of `data` as the pipe takes now, without waiting; see [`ProcessIo::send_nowait`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_nowait(&mut self, data: impl AsRef<[u8]>) -> Result<usize> {
        let wants = Wants::both(Want::HOLD);
        self.with(|io| try_send(&mut io.pump, data.as_ref(), wants))
    }

    /// Closes the child's stdin once what is queued has been written, by the next call on either half; see
    /// [`ProcessIo::close_stdin`].
    pub fn close_stdin(&mut self) {
        self.with(ProcessIo::close_stdin);
    }

    /// Waits until the child has closed its stdin, or has ended; see [`ProcessIo::stdin_closed`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::stdin_closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn stdin_closed(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll(cx, poll_closed)).await
    }

    /// Returns how many bytes are queued for stdin and not yet in the pipe.
    pub fn queued(&self) -> usize {
        self.shared.lock().queued()
    }

    /// Returns how many bytes the child's stdin has taken.
    pub fn written(&self) -> u64 {
        self.shared.lock().written()
    }

    /// Returns a [`Control`] of the child's process.
    pub fn control(&self) -> Control {
        self.shared.lock().control()
    }
}

impl Drop for SendHalf {
    fn drop(&mut self) {
        if self.shared.whole.load(Ordering::Relaxed) {
            return;
        }
        let io = self.shared.lock();
        if self.shared.alone.swap(true, Ordering::Relaxed) || !io.pump.writer().is_open() {
            return;
        }
        self.shared.closing.store(true, Ordering::Relaxed);
        io.wake();
        drop(io);
        let shared = Arc::downgrade(&self.shared);
        // What a transport is made of may need the runtime.
        let runtime = Handle::try_current();
        let later = move || {
            thread::sleep(CLOSE_GRACE);
            let _entered = runtime.as_ref().map(Handle::enter);
            if let Some(shared) = shared.upgrade() {
                shared.with(Role::Write, |_| ());
            }
        };
        let thread = thread::Builder::new().name("process-io-close".into());
        if thread.spawn(later).is_err() {
            self.shared.with(Role::Write, |_| ());
        }
    }
}

impl Sink<Bytes> for SendHalf {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(cx, poll_room)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<()> {
        self.with(|io| push(&mut io.pump, item))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(cx, poll_flush)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.close_stdin();
        self.poll(cx, poll_flush)
    }
}

/// Writes to the child's stdin. A write waits until the pipe takes some bytes; nothing is queued here.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut send, mut recv) = ProcessIo::command("sort").spawn()?.into_split();
/// send.write_all(b"b\na\n").await?;
/// send.shutdown().await?; // closes the child's stdin
/// let mut sorted = String::new();
/// recv.read_to_string(&mut sorted).await?;
/// assert_eq!(sorted, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`send`](SendHalf::send), as an [`io::Error`] with the [`Error`] inside.
impl AsyncWrite for SendHalf {
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
        let written = self.poll(cx, |pump, turn| poll_write(pump, turn, slices));
        written.map_err(Into::into)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, poll_flush).map_err(Into::into)
    }

    /// Closes the child's stdin.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close_stdin();
        self.poll(cx, poll_flush).map_err(Into::into)
    }
}

/// Reads from the child's stdout. Meanwhile stderr is received and kept up to its [limit](Limits);
/// [`recv`](RecvHalf::recv) returns it.
///
/// # Errors
///
/// As [`recv`](RecvHalf::recv), as an [`io::Error`] with the [`Error`] inside.
impl AsyncRead for RecvHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let max = buffer.remaining();
        if max == 0 {
            return Poll::Ready(Ok(()));
        }
        let received = ready!(self.poll(cx, |pump, turn| {
            ready!(pump.charge.poll(turn.cx()));
            let received = poll_recv(pump, turn, Source::Stdout, max);
            if let Poll::Ready(Ok(Recv::Data(data))) = &received {
                pump.charge.add_part(data.len());
            }
            received
        }))?;
        buffer.put_slice(&received.data().unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl RecvHalf {
    /// Receives the next bytes of `source`; see [`ProcessIo::recv`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv(&mut self, source: Source) -> Result<Recv> {
        exchange::recv(self, source, usize::MAX).await
    }

    /// Receives the next bytes of `source`, at most `max`; see [`ProcessIo::recv_max`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv_max(&mut self, source: Source, max: usize) -> Result<Recv> {
        exchange::recv(self, source, max).await
    }

    /// Receives exactly `n` bytes of `source`; see [`ProcessIo::recv_exact`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv_exact`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_exact(&mut self, source: Source, n: usize) -> Result<Recv> {
        exchange::recv_exact(self, source, n).await
    }

    /// Polls to receive the next bytes of `source`; see [`ProcessIo::poll_recv`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, source: Source) -> Poll<Result<Recv>> {
        self.poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX))
    }

    /// Receives the next bytes of `source` that come within `timeout`; see [`ProcessIo::recv_timeout`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::recv_timeout`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the bytes are either returned or still there.
    pub async fn recv_timeout(&mut self, source: Source, timeout: Duration) -> Result<Recv> {
        exchange::recv_timeout(self, source, timeout).await
    }

    /// Receives all that comes from `source` within `window`; see [`ProcessIo::recv_for`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::recv_for`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_for(&mut self, source: Source, window: Duration) -> Result<Recv> {
        exchange::recv_for(self, source, window).await
    }

    /// Receives from `source` until nothing more has come for `quiet`; see [`ProcessIo::recv_until_quiet`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::recv_until_quiet`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_until_quiet(
        &mut self,
        source: Source,
        quiet: Duration,
        limit: Duration,
    ) -> Result<Recv> {
        exchange::recv_until_quiet(self, source, quiet, limit).await
    }

    /// Receives the bytes that are in the pipe now, without waiting; see [`ProcessIo::recv_nowait`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn recv_nowait(&mut self, source: Source) -> Result<Recv> {
        self.recv_nowait_max(source, usize::MAX)
    }

    /// Receives as [`recv_nowait`](Self::recv_nowait) does, at most `max` bytes; see [`ProcessIo::recv_nowait_max`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn recv_nowait_max(&mut self, source: Source, max: usize) -> Result<Recv> {
        exchange::recv_nowait(self, source, max)
    }

    /// Writes all that comes from `source` to `writer`; see [`ProcessIo::copy_to`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::copy_to`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::copy_to`].
    pub async fn copy_to<W>(&mut self, source: Source, writer: &mut W) -> Result<u64>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        copy::copy_to(self, source, writer).await
    }

    /// Writes both streams, each to its writer; see [`ProcessIo::copy_both_to`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::copy_to`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::copy_to`].
    pub async fn copy_both_to<O, E>(&mut self, stdout: &mut O, stderr: &mut E) -> Result<[u64; 2]>
    where
        O: AsyncWrite + Unpin + ?Sized,
        E: AsyncWrite + Unpin + ?Sized,
    {
        copy::copy_both_to(self, stdout, stderr).await
    }

    /// Moves all that comes from `source` to a descriptor; see [`ProcessIo::splice_to`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::splice_to`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::splice_to`].
    pub async fn splice_to(&mut self, source: Source, to: BorrowedDescriptor<'_>) -> Result<u64> {
        copy::splice_to(self, source, to).await
    }

    /// Waits until the child has exited and all its output has been received; see [`ProcessIo::wait`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::wait`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost, call it again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        poll_fn(|cx| self.poll(cx, poll_wait)).await
    }

    /// Stops the child by the steps of `ladder`; see [`ProcessIo::shutdown`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::shutdown`].
    ///
    /// # Panics
    ///
    /// As [`ProcessIo::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::shutdown`].
    pub async fn shutdown(&mut self, ladder: Ladder) -> Result<Report> {
        stop::shutdown(self, ladder).await
    }

    /// Closes this process's end of a stream; see [`ProcessIo::close_output`].
    pub fn close_output(&mut self, source: Source) {
        self.with(|io| {
            io.close_output(source);
            // The run may be over by that.
            io.wake();
        });
    }

    /// Sets how much unread output is kept; see [`ProcessIo::set_limits`].
    pub fn set_limits(&mut self, limits: Limits) {
        self.with(|io| io.set_limits(limits));
    }

    /// Returns how many bytes of `source` were dropped at its limit; see [`ProcessIo::omitted`].
    pub fn omitted(&self, source: Source) -> u64 {
        self.shared.lock().omitted(source)
    }

    /// Returns whether a pipe was still open when the run was over; see [`ProcessIo::pipes_held`].
    pub fn pipes_held(&self) -> bool {
        self.shared.lock().pipes_held()
    }

    /// Returns a [`Control`] of the child's process.
    pub fn control(&self) -> Control {
        self.shared.lock().control()
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        if self.shared.whole.load(Ordering::Relaxed) {
            return;
        }
        let mut io = self.shared.lock();
        if self.shared.alone.swap(true, Ordering::Relaxed) {
            // Now, before its stdin is closed, whoever has the last reference.
            io.pump.guard.let_go();
        } else {
            io.pump.close_outputs();
            io.wake();
        }
    }
}

impl Stream for RecvHalf {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx, |pump, turn| {
            poll_event(pump, turn, false).map_ok(|(_, event)| event)
        })
    }
}

impl FusedStream for RecvHalf {
    fn is_terminated(&self) -> bool {
        self.shared.lock().is_terminated()
    }
}

impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendHalf")
            .field(&*self.shared.lock())
            .finish()
    }
}

impl fmt::Debug for RecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvHalf")
            .field(&*self.shared.lock())
            .finish()
    }
}

/// The error of [`ProcessIo::unsplit`]: the halves, which are not of the same handle.
#[derive(Debug)]
pub struct UnsplitError(pub Box<(SendHalf, RecvHalf)>);

impl fmt::Display for UnsplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of the same child")
    }
}

impl error::Error for UnsplitError {}
