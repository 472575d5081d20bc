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
/// It is set by [`Builder::stdin`](crate::Builder::stdin), [`stdout`](crate::Builder::stdout) and
/// [`stderr`](crate::Builder::stderr), which take anything that converts into it, such as a [`File`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use std::fs::File;
/// use process_io::{ProcessIo, Redirect};
///
/// let null = File::open("/dev/null")?;
/// let output = ProcessIo::command("cat").stdin(null).stderr(Redirect::Inherit).await?;
/// assert_eq!(output.stdout, "");
/// # }
/// # Ok(()) }
/// ```
///
/// # Shared descriptors
///
/// With [`Inherit`](Redirect::Inherit) and [`Descriptor`](Redirect::Descriptor) the child and this process share
/// one open file description (`open(2)`), as with [`std::process::Stdio`], and on Unix all that belongs to it:
///
/// - Its status flags. If `O_NONBLOCK` is set, as for the pipes and sockets of tokio, it is set for the child too,
///   and most programs treat the `EAGAIN` of a pipe that is empty or full as an error. If the child sets it, as on
///   a terminal that it inherits, it is set for this process and its other children as well. Clear it before the
///   child is started, with `into_blocking_fd` of tokio's pipes, `into_owned_fd` of its
///   [`ChildStdout`](tokio::process::ChildStdout), or `into_std` and `set_nonblocking(false)` of its sockets.
///   [`take_stdout`](crate::ProcessIo::take_stdout) does so itself.
/// - Its position: a read or write by one of them moves it for the other.
/// - Its owner. A child that runs as another user can use it, but not always open it again: `/dev/stderr` and
///   `/proc/self/fd/2` are opened with the rights of the child's user, and for a socket not at all (`proc(5)`). The
///   same is true of a [`Pipe`](Redirect::Pipe), which belongs to the user that this process runs as.
///
/// # Platform-specific behavior
///
/// `From` takes what [`std::process::Stdio`] takes. On Unix that is all that is `Into<OwnedFd>`: files, sockets,
/// the pipes of the standard library, a [`ChildStdout`](std::process::ChildStdout).
///
/// On Windows it is all that is `Into<OwnedHandle>`, and the child gets the handle as it is. One that was opened
/// for overlapped operations (`FILE_FLAG_OVERLAPPED`), as that of a [`ChildStdout`](std::process::ChildStdout) is,
/// cannot be used by most programs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Redirect {
    /// A pipe to this process: the default.
    #[default]
    Pipe,
    /// The null device: a read finds end-of-file, and what is written is discarded.
    Null,
    /// The same stream of this process.
    ///
    /// A child that is to read from the terminal must not be in a process group of its own, or the system stops it: see
    /// [`process_group`](crate::Builder::process_group).
    ///
    /// The section on [shared descriptors](Redirect#shared-descriptors) applies to it too. If the stream of this process
    /// is closed, so is the child's.
    Inherit,
    /// A file, a pipe or a socket (a [`File`] owns any descriptor), used by the child directly, from and at the
    /// descriptor's own position.
    ///
    /// The child gets it as this stream only: from the call on that sets it, no process that is started has it under
    /// its original number, whether or not it was opened to be closed at `execve(2)` (on Windows: not to be inherited).
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
/// It is set by [`Builder::input`](crate::Builder::input). Bytes and strings convert into it. A reader or stream is
/// read as the child takes its input, so an endless source is fine.
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
    /// Creates an input of everything that `reader` yields until its end-of-file.
    ///
    /// If the reader fails, the child sees end-of-file, and the run ends in an error of the kind
    /// [`Input`](crate::ErrorKind::Input).
    ///
    /// A read from `tokio::io::stdin()` is made on a thread of its own and cannot be cancelled: when the run is over,
    /// or this is dropped, the thread still waits for the next input, takes it, and keeps the runtime from shutting
    /// down until then. The same holds for any reader of tokio's blocking pool on a terminal or a pipe. To pass the
    /// stdin of this process to the child use [`Redirect::Inherit`]; otherwise end with
    /// [`shutdown_background`](tokio::runtime::Runtime::shutdown_background) or [`exit`](std::process::exit).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Input, ProcessIo};
    /// use tokio::fs::File;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("list");
    /// # std::fs::write(&path, "b\na\n")?;
    /// let file = File::open(&path).await?;
    /// let output = ProcessIo::command("sort").input(Input::reader(file)).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn reader<R: AsyncRead + Send + 'static>(reader: R) -> Self {
        Self::boxed(Box::pin(ReaderStream::with_capacity(
            reader,
            OUTBOX_HIGH_WATER,
        )))
    }

    fn boxed(stream: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>) -> Self {
        Self(Feed::Stream(SyncWrapper::new(stream)))
    }

    /// Creates an input of every item of a stream that cannot fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::stream;
    /// use process_io::{Input, ProcessIo};
    ///
    /// let lines = stream::iter(["b\n", "a\n"]);
    /// let output = ProcessIo::command("sort").input(Input::stream(lines)).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stream<S>(stream: S) -> Self
    where
        S: Stream<Item: Into<Bytes>> + Send + 'static,
    {
        Self::boxed(Box::pin(stream.map(|item| Ok(item.into()))))
    }

    /// Creates an input of every item of a stream that can fail.
    ///
    /// If an item is an error, the child sees end-of-file, and the run ends in an error of the kind
    /// [`Input`](crate::ErrorKind::Input), as with [`reader`](Input::reader).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::io;
    /// use futures::stream;
    /// use process_io::{ErrorKind, Input, ProcessIo};
    ///
    /// let items = stream::iter([Ok("a\n"), Err(io::Error::other("connection lost"))]);
    /// let error = ProcessIo::command("cat").input(Input::try_stream(items)).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Input);
    /// # }
    /// # Ok(()) }
    /// ```
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
