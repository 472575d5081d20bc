//! What the child's three ends are connected to: [`Redirect`] and [`Input`].

use std::{fmt, fs::File, io, pin::Pin};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sync_wrapper::SyncWrapper;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::limits::OUTBOX_HIGH_WATER;

/// What one of the child's standard streams is connected to.
///
/// # What a descriptor brings along
///
/// With [`Inherit`](Redirect::Inherit) and [`Descriptor`](Redirect::Descriptor) the child and this process share one open file description
/// (`open(2)`), as with [`std::process::Stdio`], and with it all that belongs to that on Unix:
///
/// - Its status flags. If `O_NONBLOCK` is set, as for the pipes and sockets of tokio, the child finds it set, and most programs
///   take the `EAGAIN` of a pipe that is empty or full for an error. If the child sets it, as on a terminal that it inherits,
///   it is set for this process and its other children as well. Clear it before the child is started, with
///   `into_blocking_fd` of tokio's pipes, `into_owned_fd` of its [`ChildStdout`](tokio::process::ChildStdout), or `into_std` and
///   `set_nonblocking(false)` of its sockets. [`take_stdout`](crate::ProcessIo::take_stdout) does so itself.
/// - Its position: what one of them reads or writes moves it on for the other.
/// - Its owner. A child that runs as another user can use it, but not always open it again: `/dev/stderr` and `/proc/self/fd/2`
///   are opened with the rights of the child's user, and for a socket not at all (`proc(5)`). The same is true of a
///   [`Pipe`](Redirect::Pipe), which belongs to the user that this process runs as.
///
/// # Platform-specific behavior
///
/// `From` takes what [`std::process::Stdio`] takes. On Unix that is all that is `Into<OwnedFd>`: files, sockets, the pipes of the
/// standard library, a [`ChildStdout`](std::process::ChildStdout).
///
/// On Windows it is all that is `Into<OwnedHandle>`, and the child gets the handle as it is. One that was opened for overlapped
/// operations (`FILE_FLAG_OVERLAPPED`), as that of a [`ChildStdout`](std::process::ChildStdout) is, cannot be used by most
/// programs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Redirect {
    /// A pipe to us: the default.
    #[default]
    Pipe,
    /// Nothing: reads find end-of-file, writes vanish.
    Null,
    /// Whatever ours is. A child that is to read from the terminal must not be in a process group of its own,
    /// see [`process_group`](crate::Builder::process_group): the system would stop it.
    ///
    /// What is [said of files](Redirect#what-a-descriptor-brings-along) holds for it too. If ours is closed, so is the child's.
    Inherit,
    /// A file, a pipe or a socket (a [`File`] owns any descriptor), used by the child directly, from and at the descriptor's own
    /// position.
    ///
    /// The child gets it as this stream alone: from here on no process that is started has it under its own number, whether or
    /// not it was opened to be closed at `execve(2)` (on Windows: not to be inherited).
    Descriptor(File),
}

impl Redirect {
    /// To the same; of a descriptor a copy, which shares its position.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Pipe => Self::Pipe,
            Self::Null => Self::Null,
            Self::Inherit => Self::Inherit,
            Self::Descriptor(file) => Self::Descriptor(file.try_clone()?),
        })
    }
}

/// The whole input of a child, after which its stdin is closed: bytes, a reader or a stream.
///
/// It is read as the child takes it, so an endless source is fine.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Input, ProcessIo};
///
/// let file: &[u8] = b"any AsyncRead"; // a tokio::fs::File, a socket, ...
/// let output = ProcessIo::command("cat").input(Input::reader(file)).await?;
/// assert_eq!(output.stdout, "any AsyncRead");
/// # }
/// # Ok(()) }
/// ```
pub struct Input(pub(crate) Feed);

/// A source of input. The wrapper makes it `Sync`: it is only ever used by who has it alone.
pub(crate) type InputStream = SyncWrapper<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>;

/// Where queued input comes from.
pub(crate) enum Feed {
    Bytes(Bytes),
    Stream(InputStream),
}

impl Input {
    /// Everything that the reader gives until its end-of-file.
    ///
    /// If it fails, the child sees end-of-file, and the run an error of the
    /// kind [`Input`](crate::ErrorKind::Input).
    ///
    /// Of `tokio::io::stdin()` a read is made on a thread of its own that cannot be cancelled: when the run is over, or this
    /// is dropped, it still waits for the next input, takes it, and keeps the runtime from shutting down until then. So does
    /// any reader of tokio's blocking pool on a terminal or a pipe. To pass our stdin on use [`Redirect::Inherit`]; else end with
    /// [`shutdown_background`](tokio::runtime::Runtime::shutdown_background) or [`exit`](std::process::exit).
    pub fn reader<R: AsyncRead + Send + 'static>(reader: R) -> Self {
        Self::boxed(Box::pin(ReaderStream::with_capacity(
            reader,
            OUTBOX_HIGH_WATER,
        )))
    }

    fn boxed(stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>) -> Self {
        Self(Feed::Stream(SyncWrapper::new(stream)))
    }

    /// Every item of a stream that cannot fail.
    pub fn stream<S>(stream: S) -> Self
    where
        S: Stream<Item: Into<Bytes>> + Send + 'static,
    {
        Self::boxed(Box::pin(stream.map(|item| Ok(item.into()))))
    }

    /// Every item of a stream that can fail; see [`reader`](Input::reader) for what happens then.
    pub fn try_stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<io::Error>,
    {
        Self::boxed(Box::pin(
            stream.map(|item| item.map(Into::into).map_err(Into::into)),
        ))
    }

    /// The same input, if it can be given twice.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Feed::Bytes(bytes) => Some(Self(Feed::Bytes(bytes.clone()))),
            Feed::Stream(_) => None,
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Feed::Bytes(bytes) => write!(f, "Input({} bytes)", bytes.len()),
            Feed::Stream(_) => f.write_str("Input(stream)"),
        }
    }
}

macro_rules! from_bytes {
    ($($source:ty),*) => {$(
        impl From<$source> for Input {
            fn from(bytes: $source) -> Self {
                Self(Feed::Bytes(bytes.into()))
            }
        }
    )*};
}

from_bytes!(
    Bytes,
    Vec<u8>,
    String,
    &'static str,
    &'static [u8],
    Box<[u8]>
);

impl<const N: usize> From<&'static [u8; N]> for Input {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self(Feed::Bytes(Bytes::from_static(bytes)))
    }
}
