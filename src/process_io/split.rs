//! The two directions apart: [`SendHalf`] and [`RecvHalf`].
//!
//! They share no lock. The price is that each moves its own pipes only.

use std::{
    error, fmt,
    future::poll_fn,
    pin::Pin,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Sink, Stream, stream::FusedStream};

use super::ProcessIo;
use crate::{
    error::{Error, Result},
    event::{Event, Recv, Source},
    pump::{Driver, Pump, Writer, after, until},
    transport::Control,
};

/// The way into the child: stdin.
///
/// # Hazard
///
/// Unlike the whole [`ProcessIo`] a half does not move the other's pipes: a child that waits for its
/// output to be read takes no input. Somebody has to poll the [`RecvHalf`] at the same time.
///
/// What it lacks of the whole is there again after [`unsplit`](ProcessIo::unsplit).
///
/// Dropping it closes stdin; what is still queued is lost, so flush or close it first.
#[derive(Debug)]
pub struct SendHalf {
    pub(super) writer: Writer,
}

/// The way out of the child: stdout, stderr, and its exit.
///
/// A `Stream` of [`Event`]s as the whole [`ProcessIo`] is.
pub struct RecvHalf {
    pub(super) driver: Driver,
}

impl ProcessIo {
    /// Lends the two directions, to be used at the same time in one task.
    ///
    /// With `futures::StreamExt` in scope write `ProcessIo::split(&mut io)`: `io.split()` is then the trait's, which
    /// takes the handle by value and puts a lock around it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::spawn(Command::new("cat"))?;
    /// let (send, recv) = io.split();
    /// let (sent, received) = tokio::join!(send.send("hello"), recv.recv(Source::Stdout));
    /// sent?;
    /// assert_eq!(received?.unwrap(), "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn split(&mut self) -> (&mut SendHalf, &mut RecvHalf) {
        (&mut self.send, &mut self.recv)
    }

    /// Takes the two directions apart, to be used in two tasks. [`unsplit`](ProcessIo::unsplit) puts them
    /// together again.
    ///
    /// The child is killed and reaped when both halves have been dropped. A half that is dropped while the other one lives closes
    /// its own pipes: a child that is not to see the end of its input when both go is killed by dropping the [`RecvHalf`] first.
    pub fn into_split(self) -> (SendHalf, RecvHalf) {
        self.recv.driver.guard().set_split(true);
        (self.send, self.recv)
    }

    /// Puts two halves together again.
    ///
    /// # Errors
    ///
    /// If they are not of the same child: the error gives them back.
    pub fn unsplit(send: SendHalf, recv: RecvHalf) -> Result<Self, UnsplitError> {
        if !send.writer.guard().is_of(recv.driver.guard()) {
            return Err(UnsplitError(Box::new((send, recv))));
        }
        recv.driver.guard().set_split(false);
        Ok(Self {
            send,
            recv,
            wakers: Arc::default(),
        })
    }
}

impl SendHalf {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer }
    }

    /// Sends all of `data`; see [`ProcessIo::send`].
    ///
    /// # Errors
    ///
    /// [`is_broken_pipe`](Error::is_broken_pipe) if the child closed its stdin or ended, or it was closed here, and
    /// [`is_stdin`](Error::is_stdin) if it could not be written to for another reason; [`written`](Error::written) tells how
    /// many bytes of `data` went.
    ///
    /// # Cancel safety
    ///
    /// As [`ProcessIo::send`].
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<()> {
        let begun = self.writer.begin(data.into());
        let sending = self.name(begun)?;
        let sent = poll_fn(|cx| self.writer.poll_sent(cx)).await;
        self.name(sent.map_err(|error| self.writer.count(error, &sending)))
    }

    /// Writes what the pipe takes at this moment; see [`ProcessIo::send_nowait`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_nowait(&mut self, data: impl AsRef<[u8]>) -> Result<usize> {
        let sent = self.writer.try_write(data.as_ref());
        self.name(sent)
    }

    /// Closes stdin once what is queued has been written, by whatever is called next.
    pub fn close_stdin(&mut self) {
        self.writer.close();
    }

    /// Bytes queued and not yet in the pipe.
    pub fn queued(&self) -> usize {
        self.writer.queued()
    }

    /// The child's process.
    pub fn control(&self) -> Control {
        self.writer.guard().control.clone()
    }

    fn name<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.with_command(self.writer.guard().control.command().cloned()))
    }
}

impl Drop for SendHalf {
    fn drop(&mut self) {
        self.writer.guard().span.written(self.writer.written());
    }
}

impl Sink<Bytes> for SendHalf {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.writer.poll_room(cx).map(|room| self.name(room))
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<()> {
        let pushed = self.writer.push(item);
        self.name(pushed)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.writer.poll_sent(cx).map(|sent| self.name(sent))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.writer.close();
        self.poll_flush(cx)
    }
}

impl RecvHalf {
    pub(super) fn new(driver: Driver) -> Self {
        Self { driver }
    }

    pub(crate) fn as_pump(&mut self) -> Pump<'_> {
        Pump {
            writer: None,
            driver: &mut self.driver,
        }
    }

    /// Receives the next piece of `source`; see [`ProcessIo::recv`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a piece is either returned or still there.
    pub async fn recv(&mut self, source: Source) -> Result<Option<Bytes>> {
        poll_fn(|cx| self.as_pump().poll_recv(cx, source)).await
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
        let deadline = after(timeout);
        match until(deadline, |cx| self.as_pump().poll_recv(cx, source)).await {
            Some(received) => Ok(received?.map_or(Recv::Eof, Recv::Data)),
            None => self.recv_nowait(source),
        }
    }

    /// Receives what is in the pipe at this moment; see [`ProcessIo::recv_nowait`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv`].
    pub fn recv_nowait(&mut self, source: Source) -> Result<Recv> {
        Ok(match self.as_pump().try_recv(source, usize::MAX)? {
            Some(Some(data)) => Recv::Data(data),
            Some(None) => Recv::Eof,
            None => Recv::Empty,
        })
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
        poll_fn(|cx| self.as_pump().poll_wait(cx)).await
    }

    /// The child's process.
    pub fn control(&self) -> Control {
        self.driver.guard().control.clone()
    }
}

impl Stream for RecvHalf {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.as_pump().poll_event(cx)
    }
}

impl FusedStream for RecvHalf {
    fn is_terminated(&self) -> bool {
        self.driver.is_terminated()
    }
}

impl fmt::Debug for RecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvHalf")
            .field("control", &self.control())
            .field("over", &self.driver.is_over())
            .finish_non_exhaustive()
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
