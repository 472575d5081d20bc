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

/// The way into the child: stdin.
///
/// Whatever is awaited here moves the pipes of the [`RecvHalf`] too: a child that waits for its output to be read takes no input.
/// It is `AsyncWrite`, and a `Sink` of `Bytes`. That output is kept for the other half up to its [limit](crate::Limits); there the child has to wait, and so does what is
/// awaited here, whatever the limit says.
///
/// What it lacks of the whole is there again after [`unsplit`](ProcessIo::unsplit).
///
/// The halves share a lock that is held while either is polled: code of yours that is polled by one, a [`Needle`](crate::Needle), an
/// [`Input`](crate::Input) or a writer of a tee, must not use the other, or it deadlocks.
///
/// The halves share a lock that is held while either is polled: code of yours that is polled by one, a [`Needle`](crate::Needle), an
/// [`Input`](crate::Input) or a writer of a tee, must not use the other, or it deadlocks.
///
/// Dropping it closes stdin once what is queued has been written, by the next call on the [`RecvHalf`]. Without one, that is tried
/// once, after 10 ms: what the pipe does not take then is left to the next call. So a child whose halves are dropped one after
/// the other is killed, and does not take the input it has received so far for all of it.
pub struct SendHalf {
    pub(super) shared: Arc<Shared>,
}

/// The way out of the child: stdout, stderr, and its exit.
///
/// A `Stream` of [`Event`]s as the whole [`ProcessIo`] is, or `AsyncRead` of stdout. Whatever is awaited here moves the pipe of the [`SendHalf`] too.
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
    /// Does something with the whole, on behalf of whoever has this role.
    #[inline]
    pub(super) fn with<T>(&self, role: Role, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        let mut io = self.lock();
        if self.closing.swap(false, Ordering::Relaxed) {
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
    /// Takes the two directions apart, to be used in two tasks. [`unsplit`](ProcessIo::unsplit) puts them
    /// together again.
    ///
    /// Either half moves all the pipes, so that it is enough to await one of them. The child is killed and reaped when both have
    /// been dropped, in whatever order; see [`on_drop`](crate::Builder::on_drop) for other ways.
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

    /// Puts two halves together again.
    ///
    /// # Errors
    ///
    /// If they are not of the same child: the error gives them back.
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
    /// [`Stdin`](crate::ErrorKind::Stdin) if it could not be written to for another reason; [`written`](Error::written) tells how
    /// many bytes of `data` went. When the run is [cut short](crate::Builder#when-to-stop), or the terminal stops the child.
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::send`].
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<()> {
        exchange::send(self, data.into(), poll_flush).await
    }

    /// Sends a line: `line` and a newline.
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

    /// Sends as much of `data` as goes in the time given; see [`ProcessIo::send_timeout`].
    ///
    /// # Errors
    ///
    /// [`is_timeout`](Error::is_timeout) when the time is up; [`written`](Error::written) tells how many bytes went, and the
    /// rest is not queued. Else as [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send): a future that is dropped leaves the rest queued.
    pub async fn send_timeout(&mut self, data: impl Into<Bytes>, timeout: Duration) -> Result<()> {
        exchange::send_timeout(self, data.into(), timeout, poll_flush).await
    }

    /// Writes what the pipe takes at this moment; see [`ProcessIo::send_nowait`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_nowait(&mut self, data: impl AsRef<[u8]>) -> Result<usize> {
        let wants = Wants::both(Want::HOLD);
        self.with(|io| try_send(&mut io.pump, data.as_ref(), wants))
    }

    /// Closes stdin once what is queued has been written, by whatever is called next of either half.
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

    /// Bytes queued and not yet in the pipe.
    pub fn queued(&self) -> usize {
        self.shared.lock().queued()
    }

    /// Bytes the child's stdin has taken.
    pub fn written(&self) -> u64 {
        self.shared.lock().written()
    }

    /// The child's process.
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

/// The child's stdin as a file: a write waits until the pipe takes something, and nothing is queued here.
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

/// The child's stdout as a file. stderr is received meanwhile and kept, as its [limit](Limits) says;
/// [`recv`](RecvHalf::recv) takes it.
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
    /// Receives the next piece of `source`; see [`ProcessIo::recv`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a piece is either returned or still there.
    pub async fn recv(&mut self, source: Source) -> Result<Recv> {
        exchange::recv(self, source, usize::MAX).await
    }

    /// As [`recv`](Self::recv), at most `max` bytes; see [`ProcessIo::recv_max`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a piece is either returned or still there.
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

    /// [`recv`](Self::recv) for futures and streams written by hand.
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, source: Source) -> Poll<Result<Recv>> {
        self.poll(cx, |pump, turn| poll_recv(pump, turn, source, usize::MAX))
    }

    /// Receives the next piece of `source` within `timeout`; see [`ProcessIo::recv_timeout`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a piece is either returned or still there.
    pub async fn recv_timeout(&mut self, source: Source, timeout: Duration) -> Result<Recv> {
        exchange::recv_timeout(self, source, timeout).await
    }

    /// Receives all that comes from `source` in the time given; see [`ProcessIo::recv_for`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what came stays in the handle for the next call.
    pub async fn recv_for(&mut self, source: Source, window: Duration) -> Result<Recv> {
        exchange::recv_for(self, source, window).await
    }

    /// Receives all that comes from `source` until it has been silent for `quiet`; see [`ProcessIo::recv_until_quiet`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
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

    /// Receives what is in the pipe at this moment; see [`ProcessIo::recv_nowait`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn recv_nowait(&mut self, source: Source) -> Result<Recv> {
        self.recv_nowait_max(source, usize::MAX)
    }

    /// As [`recv_nowait`](Self::recv_nowait), at most `max` bytes. The rest is kept.
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn recv_nowait_max(&mut self, source: Source, max: usize) -> Result<Recv> {
        exchange::recv_nowait(self, source, max)
    }

    /// Copies all that `source` says into `writer`; see [`ProcessIo::copy_to`].
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

    /// Copies both streams, each into its writer; see [`ProcessIo::copy_both_to`].
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

    /// Moves all that `source` says into a descriptor; see [`ProcessIo::splice_to`].
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

    /// Waits for the end of the run; see [`ProcessIo::wait`].
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

    /// Stops the child step by step; see [`ProcessIo::shutdown`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::shutdown`].
    pub async fn shutdown(&mut self, ladder: Ladder) -> Result<Report> {
        stop::shutdown(self, ladder).await
    }

    /// Closes our end of a stream; see [`ProcessIo::close_output`].
    pub fn close_output(&mut self, source: Source) {
        self.with(|io| io.close_output(source));
    }

    /// Sets how much unread output is kept. What is kept already stays.
    pub fn set_limits(&mut self, limits: Limits) {
        self.with(|io| io.set_limits(limits));
    }

    /// Bytes of `source` that its limit has dropped; see [`ProcessIo::omitted`].
    pub fn omitted(&self, source: Source) -> u64 {
        self.shared.lock().omitted(source)
    }

    /// Whether a pipe was still open when the run was over; see [`ProcessIo::pipes_held`].
    pub fn pipes_held(&self) -> bool {
        self.shared.lock().pipes_held()
    }

    /// The child's process.
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

/// The halves are not of the same child; here they are again.
#[derive(Debug)]
pub struct UnsplitError(pub Box<(SendHalf, RecvHalf)>);

impl fmt::Display for UnsplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of the same child")
    }
}

impl error::Error for UnsplitError {}
