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

    pub(crate) fn event(self, data: Bytes) -> Event {
        match self {
            Self::Stdout => Event::Stdout(data),
            Self::Stderr => Event::Stderr(data),
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
pub enum Event {
    /// A piece of standard output, never empty.
    Stdout(Bytes),
    /// A piece of standard error, never empty.
    Stderr(Bytes),
    /// How the child ended. Always the last item, and comes exactly once.
    Exit(ExitStatus),
}

/// What a read that does not wait, or not for ever, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recv {
    /// Some bytes, never none.
    Data(Bytes),
    /// Nothing now; there may be something later.
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
