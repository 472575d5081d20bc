//! What is received from a child: [`Source`], [`Event`], [`Recv`].

use std::{fmt, process::ExitStatus};

use bytes::Bytes;

/// One of the child's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Source {
    pub(crate) const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Stdout => Self::Stderr,
            Self::Stderr => Self::Stdout,
        }
    }

    pub(crate) fn event(self, received: Recv) -> Event {
        match (self, received.data()) {
            (Self::Stdout, Some(data)) => Event::Stdout(data),
            (Self::Stderr, Some(data)) => Event::Stderr(data),
            (_, None) => Event::Eof(self),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// An item of the [`ProcessIo`](crate::ProcessIo) stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Bytes of standard output, at least one.
    Stdout(Bytes),
    /// Bytes of standard error, at least one.
    Stderr(Bytes),
    /// A stream that is a pipe has ended: the child and all processes that it has given it to have closed it, or it was
    /// [closed here](crate::ProcessIo::close_output), or reading stopped as [`Drain`](crate::Drain) says.
    ///
    /// It comes once for each stream, after its last bytes. It does not come for a stream that could not be read to its end, which is an
    /// error.
    Eof(Source),
    /// The exit status of the child. It is always the last item, and comes exactly once.
    Exit(ExitStatus),
}

/// The result of a receive: bytes, nothing yet, or the end of the stream.
///
/// It is the same for each way to receive, so that one can replace another: `while let Recv::Data(piece)` takes all that
/// comes until the end of the stream with [`recv`](crate::ProcessIo::recv), until nothing has come for a while with
/// [`recv_timeout`](crate::ProcessIo::recv_timeout), and what is there now with
/// [`recv_nowait`](crate::ProcessIo::recv_nowait).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use std::time::Duration;
/// use process_io::{ProcessIo, Recv, Source};
///
/// let mut io = ProcessIo::shell("echo hello").spawn()?;
/// loop {
///     match io.recv_timeout(Source::Stdout, Duration::from_secs(1)).await? {
///         Recv::Data(bytes) => assert_eq!(bytes, "hello\n"),
///         Recv::Empty => {} // nothing for a second: ask again
///         Recv::Eof => break,
///     }
/// }
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recv {
    /// Some bytes; empty only if 0 bytes were asked for.
    Data(Bytes),
    /// Nothing came in the time given; more may come later. Methods that wait without a time limit never return it.
    Empty,
    /// The stream has ended: there will never be more.
    Eof,
}

impl Recv {
    /// Returns the bytes, or `None` if there are none.
    ///
    /// ```
    /// use process_io::Recv;
    ///
    /// assert_eq!(Recv::Data("42\n".into()).data().unwrap(), "42\n");
    /// assert_eq!(Recv::Eof.data(), None);
    /// ```
    pub fn data(self) -> Option<Bytes> {
        match self {
            Self::Data(data) => Some(data),
            Self::Empty | Self::Eof => None,
        }
    }

    /// Returns whether this is [`Recv::Empty`]: nothing now, perhaps later.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Returns whether this is [`Recv::Eof`]: the stream has ended.
    pub fn is_eof(&self) -> bool {
        matches!(self, Self::Eof)
    }
}
