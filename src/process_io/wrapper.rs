//! [`ProcessIOWrapper`]: a running child used like a file.

use std::{
    fmt,
    future::{Future, poll_fn},
    io::{self, SeekFrom},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    process::Command,
    time::{Sleep, sleep},
};

use super::ProcessIo;
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::{DEFAULT_DRAIN_IDLE, Limit, Overflow},
    lines::Line,
    pump::{Pump, Role, Turn, poll_any, poll_any_line, poll_line, poll_recv, poll_wait},
    sys::BorrowedDescriptor,
};

/// The output streams that a [`ProcessIOWrapper`] reads, or [`expect_from`](ProcessIo::expect_from) receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReadSource {
    /// Standard output: the default.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Both, in the order in which the pieces arrive. To have them in the order in which the child wrote them
    /// [merge](crate::Builder::merge_stderr) them at the spawn.
    Both,
}

impl ReadSource {
    /// The stream that is not read.
    fn unread(self) -> Option<Source> {
        match self {
            Self::Stdout => Some(Source::Stderr),
            Self::Stderr => Some(Source::Stdout),
            Self::Both => None,
        }
    }
}

/// A running child as a file: writes go to its stdin, reads come from its stdout, its stderr, or both.
///
/// It is `AsyncRead`, `AsyncBufRead` and `AsyncWrite` (vectored too), for all that tokio and tokio-util
/// make of those: `copy_bidirectional`, `lines`, `Framed`, `ReaderStream`, `StreamReader`, `SyncIoBridge`.
///
/// While a read or a write waits, all the pipes move: a stream that is not read is received and its last bytes are
/// kept, see [`take_unread`](Self::take_unread). Output that arrives while a write waits is kept up to its
/// [limit](crate::Limits) and read later.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIOWrapper};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut file = ProcessIOWrapper::new(Command::new("sort"))?;
/// file.write_all(b"b\na\n").await?;
/// file.shutdown().await?; // closes the child's stdin
/// let mut sorted = String::new();
/// file.read_to_string(&mut sorted).await?;
/// assert_eq!(sorted, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
///
/// # From PEP 3145
///
/// | PEP 3145's file wrapper | here |
/// |---|---|
/// | `ProcessIOWrapper(Popen(...))` | [`new`](Self::new), or [`from`](Self::from) a [`ProcessIo`] |
/// | `ProcessIOWrapperStdErr(...)` | `.read_from(ReadSource::Stderr)` |
/// | `ProcessIOWrapper2(...)` | `.read_from(ReadSource::Both)` |
/// | `read(n)`, `read()` | `AsyncReadExt::{read, read_exact, read_to_end, read_to_string}` |
/// | `readline()` | `AsyncBufReadExt::read_line`, or `read_until` for bytes |
/// | `readlines()`, iteration | `AsyncBufReadExt::lines`, or [`next_line`](Self::next_line) for universal newlines |
/// | `readinto(b)` | `AsyncReadExt::read` |
/// | `write(data)` | `AsyncWriteExt::write_all` |
/// | `writelines(lines)` | `AsyncWriteExt::write_vectored`, `tokio_util::io::write_all_vectored` |
/// | `flush()` | `AsyncWriteExt::flush` (writes are not buffered, so it has nothing to do) |
/// | `close()` | `AsyncWriteExt::shutdown`: the child reads end-of-file |
/// | `closed` | [`closed`](Self::closed) |
/// | `tell()` | [`position`](Self::position) |
/// | `seek(n, 1)`, forward | [`seek`](Self::seek), [`skip`](Self::skip) |
/// | `truncate()` | none: a pipe cannot be truncated |
/// | `name` | [`name`](Self::name) |
/// | `isatty()` | [`is_terminal`](Self::is_terminal) |
/// | `fileno()` | [`read_descriptor`](Self::read_descriptor), [`write_descriptor`](Self::write_descriptor) |
/// | `mode`, `encoding`, `newlines`, `softspace` | always bytes, `rb+`: decode what you read |
/// | synchronous code | `tokio_util::io::SyncIoBridge` |
///
/// # Cancel safety
///
/// As with any `AsyncRead` and `AsyncWrite`: `read`, `read_until` into the same buffer, `fill_buf`, `write`,
/// `flush` and `shutdown` are cancel safe; `read_exact` and `write_all` lose count when they are dropped.
pub struct ProcessIOWrapper {
    pub(super) io: ProcessIo,
    source: ReadSource,
    check_exit: bool,
    /// The limit that the stream which is not read had before.
    limit: Option<(Source, Limit)>,
    /// The piece that is being read, and where it came from.
    pub(super) piece: (Source, Bytes),
    position: u64,
    pub(super) closed: bool,
    /// A write has failed, and until when to wait for the exit that explains it.
    failing: Option<(Error, Pin<Box<Sleep>>)>,
    /// What is read is parsed by a codec.
    pub(super) in_frames: bool,
}

impl ProcessIOWrapper {
    /// Starts `command` and creates a wrapper of it.
    ///
    /// The thread is blocked until the child runs its program, see [`Builder::spawn`](crate::Builder::spawn).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIOWrapper};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut command = Command::new("echo");
    /// command.arg("hello");
    /// let mut text = String::new();
    /// ProcessIOWrapper::new(command)?.read_to_string(&mut text).await?;
    /// assert_eq!(text, "hello\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`](crate::Builder::spawn).
    ///
    /// # Panics
    ///
    /// As [`Builder::spawn`](crate::Builder::spawn).
    pub fn new(command: impl Into<Command>) -> Result<Self> {
        ProcessIo::spawn(command).map(Self::from)
    }

    /// Sets which streams are read; stdout by default. Bytes that were received before and not read are still read.
    ///
    /// The stream that is not read gets the limit [`Overflow::KeepTail`], at the size it has.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIOWrapper, ProcessIo, ReadSource};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let io = ProcessIo::shell("echo out; echo err >&2").spawn()?;
    /// let mut file = ProcessIOWrapper::from(io).read_from(ReadSource::Stderr);
    /// let mut text = String::new();
    /// file.read_to_string(&mut text).await?;
    /// assert_eq!(text, "err\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn read_from(mut self, source: ReadSource) -> Self {
        self.give_back();
        self.source = source;
        if let Some(unread) = source.unread() {
            let pump = &mut self.io.pump;
            let limit = pump.limit(unread);
            pump.set_limit(unread, tail_of(limit));
            self.limit = Some((unread, limit));
        }
        self
    }

    /// Sets whether end-of-file is an error when the child failed. Off by default.
    ///
    /// The read that would find end-of-file then waits for the exit, and fails with the
    /// [`Error`] of [`Output::check`](crate::Output::check) inside the [`io::Error`]. A write that fails
    /// because the child takes no more input waits up to 200 ms for the exit, so that the error contains it, or another cause of
    /// the failure of the run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIOWrapper, ProcessIo};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let io = ProcessIo::shell("echo some; exit 3").spawn()?;
    /// let mut file = ProcessIOWrapper::from(io).check_exit(true);
    /// let error = file.read_to_string(&mut String::new()).await.unwrap_err();
    /// let error = process_io::Error::from(error);
    /// assert_eq!(error.status().unwrap().code(), Some(3));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// The write that waits for the exit panics if it is polled outside a tokio runtime with
    /// [time enabled](tokio::runtime::Builder::enable_time).
    pub fn check_exit(mut self, check: bool) -> Self {
        self.check_exit = check;
        self
    }

    /// Returns a reference to the handle.
    pub fn get_ref(&self) -> &ProcessIo {
        &self.io
    }

    /// Returns a mutable reference to the handle, to wait, or to receive from the other stream.
    ///
    /// What it receives is not counted in [`position`](Self::position). The rest of a piece that has been read in part stays in the
    /// wrapper, and is read after that.
    pub fn get_mut(&mut self) -> &mut ProcessIo {
        &mut self.io
    }

    /// Returns the handle, with all that was not read and the limits it had. The inverse of [`from`](Self::from).
    pub fn into_inner(mut self) -> ProcessIo {
        self.give_back();
        self.io
    }

    /// Takes what has been received so far from the stream that is not read: its last bytes, as many as its limit allows.
    ///
    /// Empty if both are read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIOWrapper, ProcessIo};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut file = ProcessIOWrapper::from(ProcessIo::shell("echo warning >&2; echo out").spawn()?);
    /// file.read_to_string(&mut String::new()).await?;
    /// file.get_mut().wait().await?;
    /// assert_eq!(file.take_unread(), "warning\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn take_unread(&mut self) -> Bytes {
        match self.source.unread() {
            Some(unread) => self.io.pump.reader_mut(unread).take_all(),
            None => Bytes::new(),
        }
    }

    /// Returns how many bytes have been read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads and drops the next `n` bytes, and returns how many there were before the end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIOWrapper, ProcessIo};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut file = ProcessIOWrapper::from(ProcessIo::shell("printf 12345").spawn()?);
    /// assert_eq!(file.skip(3).await?, 3);
    /// let mut rest = String::new();
    /// file.read_to_string(&mut rest).await?;
    /// assert_eq!((&rest[..], file.position()), ("45", 5));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As a read.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it completes, [`position`](Self::position) shows how many bytes were skipped.
    pub async fn skip(&mut self, n: u64) -> io::Result<u64> {
        let start = self.position;
        poll_fn(|cx| {
            loop {
                let left = n - (self.position - start);
                if left == 0 {
                    return Poll::Ready(Ok(n));
                }
                let available = ready!(self.poll_piece(cx))?;
                if available == 0 {
                    return Poll::Ready(Ok(self.position - start));
                }
                self.advance(usize::try_from(left).map_or(available, |left| left.min(available)));
            }
        })
        .await
    }

    /// Moves the [position](Self::position) forward, by reading and dropping what is in between, and returns the new one: less than
    /// was asked for if the end comes first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::io::SeekFrom;
    /// use process_io::{ProcessIOWrapper, ProcessIo};
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut file = ProcessIOWrapper::from(ProcessIo::command("seq").arg("100").spawn()?);
    /// assert_eq!(file.seek(SeekFrom::Start(288)).await?, 288);
    /// let mut rest = String::new();
    /// file.read_to_string(&mut rest).await?;
    /// assert_eq!(rest, "100\n");
    /// let error = file.seek(SeekFrom::Start(0)).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotSeekable);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotSeekable`](io::ErrorKind::NotSeekable) for a position that is passed, and for one that is counted from the end, which a
    /// pipe does not tell (`ESPIPE`, `lseek(2)`). Else as a read.
    ///
    /// # Cancel safety
    ///
    /// As [`skip`](Self::skip).
    pub async fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let ahead = match to {
            SeekFrom::Start(position) => position.checked_sub(self.position),
            SeekFrom::Current(n) => u64::try_from(n).ok(),
            SeekFrom::End(_) => None,
        };
        let Some(ahead) = ahead else {
            let text = "a pipe can only be read forward";
            return Err(io::Error::new(io::ErrorKind::NotSeekable, text));
        };
        self.skip(ahead).await?;
        Ok(self.position)
    }

    /// Reads the next line by the [rules](ProcessIo::set_line_options) of the handle, which may be those of universal newlines;
    /// `None` at the end. Of both streams it is the next line that is whole.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{LineOptions, ProcessIOWrapper, ProcessIo, Terminator};
    ///
    /// let universal = LineOptions::default().terminator(Terminator::CarriageReturn);
    /// let run = ProcessIo::shell(r"printf 'unix\ndos\r\nmac\r'").line_options(universal);
    /// let mut file = ProcessIOWrapper::from(run.spawn()?);
    /// let mut lines = Vec::new();
    /// while let Some(line) = file.next_line().await? {
    ///     lines.push(line.to_string());
    /// }
    /// assert_eq!(lines, ["unix", "dos", "mac"]);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As a read, and as [`ProcessIo::recv_line`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a line that has not ended stays in the handle.
    pub async fn next_line(&mut self) -> io::Result<Option<Line>> {
        self.give_piece_back();
        let source = match self.source {
            ReadSource::Stdout => Some(Source::Stdout),
            ReadSource::Stderr => Some(Source::Stderr),
            ReadSource::Both => None,
        };
        let taken = |io: &ProcessIo| match source {
            Some(source) => io.pump.taken(source),
            None => Source::BOTH
                .into_iter()
                .map(|source| io.pump.taken(source))
                .sum(),
        };
        let before = taken(&self.io);
        let line = poll_fn(|cx| {
            (self.io).poll_as(Role::Read, cx, |pump, turn| match source {
                Some(source) => poll_line(pump, turn, source),
                None => poll_any_line(pump, turn),
            })
        });
        let line = line.await.transpose()?;
        if line.is_none() {
            // Where exits are checked it is an error.
            poll_fn(|cx| self.poll_piece(cx)).await?;
        }
        self.position += taken(&self.io) - before;
        Ok(line)
    }

    /// Returns the command line, or an empty string if there is none, as for [`Parts`](crate::transport::Parts) without a name.
    pub fn name(&self) -> &str {
        let control = &self.io.pump.guard.control;
        control.command().map_or("", |line| line)
    }

    /// Returns whether it has been shut down.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Returns whether it is a terminal: always `false`, for a pipe is none.
    pub fn is_terminal(&self) -> bool {
        false
    }

    /// Returns the descriptor that is read, if it is exactly one, of this machine and open.
    pub fn read_descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        let source = match self.source {
            ReadSource::Stdout => Source::Stdout,
            ReadSource::Stderr => Source::Stderr,
            ReadSource::Both => return None,
        };
        self.io.pump.reader(source).descriptor()
    }

    /// Returns the descriptor that is written, if it is of this machine and open.
    pub fn write_descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        self.io.pump.writer().descriptor()
    }

    fn give_back(&mut self) {
        if let Some((unread, limit)) = self.limit.take() {
            let pump = &mut self.io.pump;
            // Unless the user has set another one meanwhile.
            if pump.limit(unread) == tail_of(limit) {
                pump.set_limit(unread, limit);
            }
        }
        self.give_piece_back();
    }

    fn give_piece_back(&mut self) {
        let (source, piece) = &mut self.piece;
        let piece = std::mem::take(piece);
        self.io.pump.reader_mut(*source).give_back(piece);
    }

    /// Makes sure of a piece; how much there is of it, 0 at end-of-file.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.io.pump.charge.poll(cx));
        while self.piece.1.is_empty() {
            let piece = match self.source {
                ReadSource::Stdout => self.poll_source(cx, Source::Stdout),
                ReadSource::Stderr => self.poll_source(cx, Source::Stderr),
                ReadSource::Both => self.poll_both(cx),
            };
            match ready!(piece)? {
                Some(piece) => self.piece = piece,
                None if !self.check_exit => return Poll::Ready(Ok(0)),
                None => {
                    let status = self.io.poll_as(Role::Read, cx, poll_wait);
                    if ready!(status)?.success() {
                        return Poll::Ready(Ok(0));
                    }
                    let error = self.io.pump.error(Kind::Failed);
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
        Poll::Ready(Ok(self.piece.1.len()))
    }

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
        source: Source,
    ) -> Poll<Result<Option<(Source, Bytes)>>> {
        let piece = (self.io).poll_as(Role::Read, cx, |pump, turn| {
            poll_recv(pump, turn, source, usize::MAX)
        });
        piece.map_ok(|piece| Some((source, piece.data()?)))
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<(Source, Bytes)>>> {
        let piece = (self.io).poll_as(Role::Read, cx, |pump, turn| poll_any(pump, turn, |_| None));
        piece.map_ok(|piece| piece.and_then(|(_, source, piece)| Some((source, piece.data()?))))
    }

    /// What `ask` comes to; a broken pipe, if exits are checked, with the exit that explains it.
    pub(super) fn poll_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> Poll<Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.failing.is_none() {
            let error = match ready!(self.io.poll_as(Role::Write, cx, ask)) {
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(error) => error,
            };
            if !(self.check_exit && error.is_broken_pipe()) {
                return Poll::Ready(Err(error.into()));
            }
            self.failing = Some((error, Box::pin(sleep(DEFAULT_DRAIN_IDLE))));
        }
        let exited = self.io.poll_as(Role::Write, cx, poll_wait);
        if let (Poll::Pending, Some((_, grace))) = (&exited, &mut self.failing) {
            ready!(grace.as_mut().poll(cx));
        }
        let broken = self.failing.take().map(|(error, _)| error);
        let error = match exited {
            // Something that is told once, and explains more.
            Poll::Ready(Err(cause)) => cause,
            _ => broken.unwrap_or_else(|| Error::new(Kind::BrokenPipe)),
        };
        Poll::Ready(Err(self.io.pump.annotate(error).into()))
    }

    /// It is read by a codec.
    pub(crate) fn in_frames(mut self) -> Self {
        self.in_frames = true;
        self
    }

    pub(super) fn advance(&mut self, n: usize) {
        self.piece.1.advance(n);
        self.position += n as u64;
        self.io.pump.charge.add_part(n);
    }
}

/// As much, but of the end.
fn tail_of(limit: Limit) -> Limit {
    Limit {
        overflow: Overflow::KeepTail,
        ..limit
    }
}

impl From<ProcessIo> for ProcessIOWrapper {
    /// Creates a wrapper of a handle that reads its stdout.
    fn from(io: ProcessIo) -> Self {
        Self {
            io,
            source: ReadSource::default(),
            check_exit: false,
            limit: None,
            piece: (Source::Stdout, Bytes::new()),
            position: 0,
            closed: false,
            failing: None,
            in_frames: false,
        }
        .read_from(ReadSource::default())
    }
}

impl fmt::Debug for ProcessIOWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessIOWrapper")
            .field("name", &self.name())
            .field("source", &self.source)
            .field("position", &self.position)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
