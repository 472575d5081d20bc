//! [`Parts`]: what a transport hands over.

use std::{
    fmt,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, BytesMut};
use sync_wrapper::SyncWrapper;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::unconstrained,
    time::Instant,
};
use tokio_util::io::poll_read_buf;

use super::Process;
use crate::{
    secrets::Secrets,
    sys::{Outlet, OwnedDescriptor, PipeReader, PipeWriter, Siblings},
};

/// The parts of a child: stdin, stdout, stderr, and the process behind them.
///
/// [`ProcessIo::from_parts`](crate::ProcessIo::from_parts) creates a handle from them. A stream that is not set
/// behaves as one that has ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # use std::{io, process::ExitStatus, sync::Arc};
/// # use futures::future::{BoxFuture, FutureExt};
/// use process_io::{ProcessIo, Signal, transport::{Parts, Process, exit_status}};
///
/// struct Remote; // a container, a channel of an SSH connection, ...
///
/// impl Process for Remote {
///     fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
///         async { Ok(exit_status(0)) }.boxed()
///     }
///     fn signal(&self, _: Signal) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let parts = Parts::new(Remote).stdin(tokio::io::sink()).stdout(&b"hello"[..]);
/// let output = ProcessIo::from_parts(parts).await?;
/// assert_eq!(output.stdout, "hello");
/// # Ok(()) }
/// ```
pub struct Parts {
    pub(crate) stdin: Option<WriteEnd>,
    pub(crate) stdout: Option<ReadEnd>,
    pub(crate) stderr: Option<ReadEnd>,
    pub(crate) process: Arc<dyn Process>,
    pub(crate) command: Option<Arc<str>>,
    /// What errors are not to show of the child's stderr.
    pub(crate) secrets: Secrets,
    /// Just before the child was started; `None` if that is not known.
    pub(crate) started: Option<Instant>,
    /// Those that were started at the same time, and may hold its pipes for a moment.
    pub(crate) siblings: Vec<Siblings>,
    /// The stages of a pipeline, in order; none for a single child.
    pub(crate) stages: Vec<StageParts>,
}

/// What belongs to one stage of a pipeline alone. The stderr of the last one is that of the whole.
pub(crate) struct StageParts {
    pub(crate) stderr: Option<ReadEnd>,
    pub(crate) process: Arc<dyn Process>,
    pub(crate) command: Arc<str>,
    /// Its output for the next stage, if that is copied.
    pub(crate) tee: Option<TeeParts>,
    /// The pipeline does not fail because of it.
    pub(crate) may_fail: bool,
}

/// What is between two stages if that is copied.
pub(crate) struct TeeParts {
    pub(crate) from: ReadEnd,
    pub(crate) next: WriteEnd,
    pub(crate) copy: WriteEnd,
}

impl Parts {
    /// Creates the parts of a child without any pipe.
    ///
    /// See [`Parts`] for an example.
    pub fn new(process: impl Process) -> Self {
        Self {
            stdin: None,
            stdout: None,
            stderr: None,
            process: Arc::new(process),
            command: None,
            secrets: Secrets::default(),
            started: None,
            siblings: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// Sets the writer that the child's input goes to.
    ///
    /// It is shut down, then dropped, when the input ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # use std::{io, process::ExitStatus, sync::Arc};
    /// # use futures::future::{BoxFuture, FutureExt};
    /// # use process_io::{Signal, transport::{Process, exit_status}};
    /// # struct Remote;
    /// # impl Process for Remote {
    /// #     fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
    /// #         async { Ok(exit_status(0)) }.boxed()
    /// #     }
    /// #     fn signal(&self, _: Signal) -> io::Result<()> { Ok(()) }
    /// # }
    /// use process_io::{ProcessIo, transport::Parts};
    /// use tokio::io::{AsyncReadExt, duplex};
    ///
    /// let (near, mut far) = duplex(1024); // a socket, a channel, ...
    /// let mut io = ProcessIo::from_parts(Parts::new(Remote).stdin(near));
    /// io.send("hello").await?;
    /// let mut received = [0; 5];
    /// far.read_exact(&mut received).await?;
    /// assert_eq!(&received, b"hello");
    /// # Ok(()) }
    /// ```
    pub fn stdin(mut self, stdin: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.stdin = Some(WriteEnd::any(stdin));
        self
    }

    /// Sets the reader that the child's stdout comes from; see [`Parts`] for an example.
    pub fn stdout(mut self, stdout: impl AsyncRead + Send + Unpin + 'static) -> Self {
        self.stdout = Some(ReadEnd::any(stdout));
        self
    }

    /// Sets the reader that the child's stderr comes from.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # use std::{io, process::ExitStatus, sync::Arc};
    /// # use futures::future::{BoxFuture, FutureExt};
    /// # use process_io::{Signal, transport::{Process, exit_status}};
    /// # struct Remote;
    /// # impl Process for Remote {
    /// #     fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
    /// #         async { Ok(exit_status(0)) }.boxed()
    /// #     }
    /// #     fn signal(&self, _: Signal) -> io::Result<()> { Ok(()) }
    /// # }
    /// use process_io::{ProcessIo, transport::Parts};
    ///
    /// let parts = Parts::new(Remote).stdout(&b"out"[..]).stderr(&b"err"[..]);
    /// let output = ProcessIo::from_parts(parts).await?;
    /// assert_eq!((output.stdout, output.stderr), ("out".into(), "err".into()));
    /// # Ok(()) }
    /// ```
    pub fn stderr(mut self, stderr: impl AsyncRead + Send + Unpin + 'static) -> Self {
        self.stderr = Some(ReadEnd::any(stderr));
        self
    }

    /// Sets the name of the child, which errors show in place of a command line.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # use std::{io, process::ExitStatus, sync::Arc};
    /// # use futures::future::{BoxFuture, FutureExt};
    /// # use process_io::{Signal, transport::{Process, exit_status}};
    /// # struct Remote;
    /// # impl Process for Remote {
    /// #     fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
    /// #         async { Ok(exit_status(3)) }.boxed()
    /// #     }
    /// #     fn signal(&self, _: Signal) -> io::Result<()> { Ok(()) }
    /// # }
    /// use process_io::{ProcessIo, transport::Parts};
    ///
    /// let parts = Parts::new(Remote).name("ssh host make");
    /// let error = ProcessIo::from_parts(parts).await?.check().unwrap_err();
    /// assert_eq!(error.command(), Some("ssh host make"));
    /// # Ok(()) }
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.command = Some(name.into());
        self
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// Our end of an output stream.
pub(crate) enum ReadEnd {
    Pipe(PipeReader),
    Any(SyncWrapper<Box<dyn AsyncRead + Send + Unpin>>),
}

impl ReadEnd {
    pub(crate) fn any(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::Any(SyncWrapper::new(Box::new(reader)))
    }

    /// Appends at most `max` bytes to `buffer`; 0 at end-of-file.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_read(cx, buffer, max),
            Self::Any(reader) => {
                buffer.reserve(max);
                poll_read_buf(Pin::new(reader.get_mut()), cx, &mut buffer.limit(max))
            }
        }
    }

    /// As [`poll_read`](ReadEnd::poll_read), but what is there now is seen, whatever the reactor knows and
    /// however much of its budget the task has used up.
    pub(crate) fn poll_read_now(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => match pipe.poll_read(cx, buffer, max) {
                Poll::Pending => not_blocked(pipe.try_read(buffer, max)),
                ready => ready,
            },
            Self::Any(_) => unbudgeted(cx, |cx| self.poll_read(cx, buffer, max)),
        }
    }

    /// What is there now.
    pub(crate) fn try_read(
        &mut self,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => not_blocked(pipe.try_read(buffer, max)),
            Self::Any(_) => Poll::Pending,
        }
    }

    /// Moves at most `max` bytes on without copying them here; see [`PipeReader::poll_splice`].
    pub(crate) fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Outlet,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_splice(cx, to, max),
            Self::Any(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// The stream was seen full.
    pub(crate) fn grow(&mut self) {
        if let Self::Pipe(pipe) = self {
            pipe.grow();
        }
    }

    /// The same end in blocking mode, if it is a pipe of this machine.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        match self {
            Self::Pipe(pipe) => pipe.to_blocking(),
            Self::Any(_) => Err(no_pipe()),
        }
    }

    /// How many bytes are there already, if that can be told.
    pub(crate) fn buffered(&self) -> Option<u64> {
        match self {
            Self::Pipe(pipe) => pipe.buffered(),
            Self::Any(_) => None,
        }
    }
}

/// Our end of the child's stdin.
pub(crate) enum WriteEnd {
    Pipe(PipeWriter),
    Any(SyncWrapper<Box<dyn AsyncWrite + Send + Unpin>>),
}

impl WriteEnd {
    pub(crate) fn any(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::Any(SyncWrapper::new(Box::new(writer)))
    }

    /// Writes what is taken, at least one byte.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = match self {
            Self::Pipe(pipe) => ready!(pipe.poll_write(cx, slices))?,
            Self::Any(writer) => {
                ready!(Pin::new(writer.get_mut()).poll_write_vectored(cx, slices))?
            }
        };
        Poll::Ready(match n {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n),
        })
    }

    /// Writes what is taken now, whatever the reactor knows and however much of its budget the task has used up.
    pub(crate) fn try_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Pipe(pipe) => not_blocked(pipe.try_write(slices)),
            Self::Any(_) => unbudgeted(cx, |cx| self.poll_write(cx, slices)),
        }
    }

    /// Resolves when the other side reads no more, where that can be told without writing.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Pipe(pipe) => pipe.poll_closed(cx),
            Self::Any(_) => Poll::Pending,
        }
    }

    /// The stream was seen full.
    pub(crate) fn grow(&mut self) {
        if let Self::Pipe(pipe) = self {
            pipe.grow();
        }
    }

    /// Passes on what a buffering writer has taken so far.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_flush(cx),
            Self::Any(writer) => Pin::new(writer.get_mut()).poll_flush(cx),
        }
    }

    /// The same end in blocking mode, if it is a pipe of this machine.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        match self {
            Self::Pipe(pipe) => pipe.to_blocking(),
            Self::Any(_) => Err(no_pipe()),
        }
    }

    /// Gets the child to see end-of-file, once this end is dropped too.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Pipe(_) => Poll::Ready(Ok(())),
            Self::Any(writer) => Pin::new(writer.get_mut()).poll_shutdown(cx),
        }
    }
}

/// There is no descriptor that could be given up.
pub(crate) fn no_pipe() -> io::Error {
    let text = "the stream is no pipe of this machine, or it has been closed";
    io::Error::new(io::ErrorKind::NotConnected, text)
}

fn not_blocked<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Polls outside of tokio's cooperative budget, which says "not yet" to a task that has done much already.
pub(super) fn unbudgeted<T>(
    cx: &mut Context<'_>,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}
