//! The vocabulary of what a child says: [`Source`], [`Event`], [`Recv`].

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
    /// A piece of standard output, never empty.
    Stdout(Bytes),
    /// A piece of standard error, never empty.
    Stderr(Bytes),
    /// A stream that is a pipe has ended: the child and all that it has handed it to have closed it, or it was
    /// [closed here](crate::ProcessIo::close_output), or reading stopped as [`Drain`](crate::Drain) says. Comes once for each, after
    /// its last piece; not for one that could not be read to its end, which is an error.
    Eof(Source),
    /// How the child ended. Always the last item, and comes exactly once.
    Exit(ExitStatus),
}

/// What was received.
///
/// It is the same for each way to receive, so that one can take the place of another: `while let Recv::Data(piece)` takes all that
/// comes until the end of the stream with [`recv`](crate::ProcessIo::recv), until nothing has come for a while with
/// [`recv_timeout`](crate::ProcessIo::recv_timeout), and what is there now with
/// [`recv_nowait`](crate::ProcessIo::recv_nowait).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recv {
    /// Some bytes; never none, unless none were asked for.
    Data(Bytes),
    /// Nothing in the time there was; there may be something later. Never from a call that waits as long as it takes.
    Empty,
    /// The stream has ended: there will never be more.
    Eof,
}

impl Recv {
    /// The bytes, if there are any.
    pub fn data(self) -> Option<Bytes> {
        match self {
            Self::Data(data) => Some(data),
            Self::Empty | Self::Eof => None,
        }
    }

    /// Nothing now, perhaps later.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Never more.
    pub fn is_eof(&self) -> bool {
        matches!(self, Self::Eof)
    }
}
