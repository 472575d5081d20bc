//! Output line by line: `recv_line`, and [`Lines`] as a stream.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, stream::FusedStream};

use crate::{
    error::Result,
    event::Source,
    lines::{Line, LineOptions},
    process_io::{Handle, ProcessIo, Receive, RecvHalf},
    pump::{poll_any_line, poll_line, take_plain_line, take_plain_line_of_any},
};

/// A stream of the lines of a child's output; created by [`lines`](ProcessIo::lines),
/// [`stdout_lines`](ProcessIo::stdout_lines) and [`into_lines`](ProcessIo::into_lines).
///
/// It ends when the streams it reads have ended; [`wait`](ProcessIo::wait) then returns how the child ended. A line that
/// has not ended stays in the handle, so dropping this loses nothing. If a pipe
/// cannot be read, the line before that comes first, then the error.
///
/// While lines are read the handle can still send: through [`get_mut`](Self::get_mut).
///
/// However fast the lines come, the task yields to others after some thousands of them, or 256 KiB: they count in its
/// [cooperative budget](tokio::task::coop).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use futures::{StreamExt, TryStreamExt};
/// use process_io::ProcessIo;
///
/// let mut io = ProcessIo::command("seq").arg("100").spawn()?;
/// let nines: Vec<String> = io
///     .stdout_lines()
///     .map_ok(|line| line.to_string())
///     .try_filter(|line| futures::future::ready(line.ends_with('9')))
///     .take(3)
///     .try_collect()
///     .await?;
/// assert_eq!(nines, ["9", "19", "29"]);
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Lines<T> {
    io: T,
    /// The one stream that is read; both if there is none.
    source: Option<Source>,
    ended: bool,
}

impl<T: Receive> Lines<T> {
    fn new(io: T, source: Option<Source>) -> Self {
        Self {
            io,
            source,
            ended: false,
        }
    }

    /// Sets how output is split into lines, from here on. The options belong to the handle and stay set.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{LineOptions, ProcessIo, Terminator};
    ///
    /// let mut io = ProcessIo::shell(r"printf 'a\000b\000'").spawn()?;
    /// let options = LineOptions::default().terminator(Terminator::Byte(0));
    /// let lines: Vec<_> = io.stdout_lines().with_options(options).try_collect().await?;
    /// assert_eq!(lines[1].as_bytes(), b"b");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn with_options(mut self, options: LineOptions) -> Self {
        self.io.with(|io| io.set_line_options(options));
        self
    }

    /// Returns a reference to the handle.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Returns a mutable reference to the handle, to send, or to see what is [pending](ProcessIo::pending).
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Returns the handle, with all that has not been returned as a line.
    pub fn into_inner(self) -> T {
        self.io
    }
}

impl<T: Receive> Stream for Lines<T> {
    type Item = Result<Line>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let source = self.source;
        let line = self.io.with(|io| match source {
            Some(source) => take_plain_line(&mut io.pump, source),
            None => take_plain_line_of_any(&mut io.pump),
        });
        match line {
            Some(line) => Poll::Ready(Some(Ok(line))),
            None => self.poll_other(cx),
        }
    }
}

impl<T: Receive> Lines<T> {
    /// Kept out of the way of nearly every line, which is to be short.
    #[inline(never)]
    fn poll_other(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Line>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let source = self.source;
        let line = self.io.poll(cx, |pump, turn| match source {
            Some(source) => poll_line(pump, turn, source),
            None => poll_any_line(pump, turn),
        });
        self.ended = matches!(line, Poll::Ready(None));
        line
    }
}

impl<T: Receive> FusedStream for Lines<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// # Lines
impl ProcessIo {
    /// Receives the next line of `source`, or `None` at its end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut seq = ProcessIo::command("seq").arg("3").spawn()?;
    /// let mut sum = 0;
    /// while let Some(line) = seq.recv_line(Source::Stdout).await? {
    ///     sum += line.to_str().unwrap().parse::<u32>().unwrap();
    /// }
    /// assert_eq!(sum, 6);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`is_limit`](crate::Error::is_limit) for a line that is longer than
    /// [`max_line_length`](crate::LineOptions::max_line_length), 16 MiB unless set: see [`LongLine::Fail`](crate::LongLine::Fail)
    /// for how to receive it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a line that has not ended stays in the handle.
    pub async fn recv_line(&mut self, source: Source) -> Result<Option<Line>> {
        let line = poll_fn(|cx| poll_recv_line(self, cx, source)).await;
        line.transpose()
    }

    /// Returns a stream of the lines of stdout. Meanwhile stderr is received and kept up to its [limit](crate::Limits).
    ///
    /// A line that is too long is an error, and does not end the stream; see [`recv_line`](Self::recv_line).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("echo a; echo warning >&2; echo b").spawn()?;
    /// let mut lines = io.stdout_lines();
    /// assert_eq!(lines.try_next().await?.unwrap().as_bytes(), b"a");
    /// assert_eq!(lines.try_next().await?.unwrap().as_bytes(), b"b");
    /// assert!(lines.try_next().await?.is_none());
    /// assert_eq!(io.output().await?.stderr, "warning\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stdout_lines(&mut self) -> Lines<&mut Self> {
        Lines::new(self, Some(Source::Stdout))
    }

    /// Returns a stream of the lines of both streams, each line whole, in the order in which they become complete.
    ///
    /// A large amount of output on one stream does not delay the other.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo out; echo err >&2").spawn()?;
    /// let mut lines = io.lines();
    /// while let Some(line) = lines.try_next().await? {
    ///     match line.source() {
    ///         Source::Stdout => assert_eq!(line.as_bytes(), b"out"),
    ///         Source::Stderr => assert_eq!(line.as_bytes(), b"err"),
    ///     }
    /// }
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn lines(&mut self) -> Lines<&mut Self> {
        Lines::new(self, None)
    }

    /// Converts the handle into a stream of the lines of both streams: [`lines`](Self::lines), by value.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::ProcessIo;
    ///
    /// let lines = ProcessIo::shell("echo out; echo err >&2").spawn()?.into_lines();
    /// let count = lines.try_fold(0, async |n, _line| Ok(n + 1)).await?;
    /// assert_eq!(count, 2);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn into_lines(self) -> Lines<Self> {
        Lines::new(self, None)
    }

    /// Sets how output is split into lines.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{LineOptions, LongLine, ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo 12345; echo 67").spawn()?;
    /// io.set_line_options(LineOptions::default().max_line_length(3, LongLine::Cut));
    /// assert_eq!(io.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"123");
    /// assert_eq!(io.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"67");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_line_options(&mut self, options: LineOptions) {
        self.pump.set_line_options(options);
    }

    /// Returns what has been received from `source` and not been taken: the beginning of a line, such as a prompt, while
    /// lines are being read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo first; printf second").spawn()?;
    /// io.wait().await?;
    /// assert_eq!(io.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"first");
    /// assert_eq!(io.pending(Source::Stdout), b"second");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn pending(&mut self, source: Source) -> &[u8] {
        self.pump.reader_mut(source).pending()
    }
}

/// # Lines
impl RecvHalf {
    /// Receives the next line of `source`, or `None` at its end; see [`ProcessIo::recv_line`].
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::recv_line`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a line that has not ended stays in the handle.
    pub async fn recv_line(&mut self, source: Source) -> Result<Option<Line>> {
        let line = poll_fn(|cx| poll_recv_line(self, cx, source)).await;
        line.transpose()
    }

    /// Returns a stream of the lines of stdout; see [`ProcessIo::stdout_lines`].
    pub fn stdout_lines(&mut self) -> Lines<&mut Self> {
        Lines::new(self, Some(Source::Stdout))
    }

    /// Returns a stream of the lines of both streams; see [`ProcessIo::lines`].
    pub fn lines(&mut self) -> Lines<&mut Self> {
        Lines::new(self, None)
    }

    /// Converts the half into a stream of the lines of both streams; see [`ProcessIo::into_lines`].
    pub fn into_lines(self) -> Lines<Self> {
        Lines::new(self, None)
    }

    /// Sets how output is split into lines; see [`ProcessIo::set_line_options`].
    pub fn set_line_options(&mut self, options: LineOptions) {
        self.with(|io| io.set_line_options(options));
    }
}

#[inline]
fn poll_recv_line(
    io: &mut impl Receive,
    cx: &mut Context<'_>,
    source: Source,
) -> Poll<Option<Result<Line>>> {
    let plain = io.with(|io| take_plain_line(&mut io.pump, source));
    match plain {
        Some(line) => Poll::Ready(Some(Ok(line))),
        None => io.poll(cx, |pump, turn| poll_line(pump, turn, source)),
    }
}
