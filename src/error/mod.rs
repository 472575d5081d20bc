//! [`Error`]: one opaque error for everything, which tells the cause, the command and how far it got.

mod check;
mod error_kind;
mod kind;
mod show;

use std::{error, io, process::ExitStatus, sync::Arc, time::Duration};

use bytes::Bytes;

pub use error_kind::ErrorKind;
pub(crate) use kind::Kind;

use crate::{limits::ERROR_TAIL, output::Output, report::Report, secrets::Secrets, signal::Signal};

/// A [`Result`](std::result::Result) with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of every operation of this crate.
///
/// [`kind`](Error::kind) returns the cause, and a few `is_*` methods test for the most common ones. Where it is
/// known the error carries the [command line](Error::command), the [exit status](Error::status), the [end of
/// stderr](Error::stderr_tail) and, where a run was cut short, the [partial output](Error::output).
///
/// It converts into [`io::Error`] with the [`io::ErrorKind`] that fits best, and back without loss.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let error = ProcessIo::shell("echo 'no such host' >&2; exit 2").await?.check().unwrap_err();
/// let text = error.to_string(); // `sh -c '...'`: failed with exit code 2 after 1.2ms; stderr: ...
/// assert!(text.contains("exit code 2"));
/// assert!(text.ends_with("no such host"));
/// # }
/// # Ok(()) }
/// ```
pub struct Error(Box<Inner>);

#[derive(Default)]
struct Inner {
    kind: Kind,
    command: Option<Arc<str>>,
    /// Which stage of the pipeline it is about.
    stage: Option<Arc<str>>,
    status: Option<ExitStatus>,
    /// The end of stderr, with as much before the [`ERROR_TAIL`] as it takes to know how that is to be shown.
    stderr_tail: Bytes,
    /// What is not to be shown of it.
    secrets: Secrets,
    output: Option<Output>,
    written: Option<usize>,
    elapsed: Option<Duration>,
    /// The signal that the child was stopped by.
    stopped: Option<Signal>,
    /// It or something that it started could not be killed.
    survivors: bool,
    /// Nothing had been started, or not all stages of a pipeline.
    before_the_start: bool,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            ..Inner::default()
        }))
    }

    pub(crate) fn with_source(mut self, source: io::Error) -> Self {
        self.0.source = Some(source);
        self
    }

    pub(crate) fn with_command(mut self, command: Option<Arc<str>>) -> Self {
        self.0.command = command;
        self
    }

    pub(crate) fn with_stage(mut self, stage: Option<Arc<str>>) -> Self {
        self.0.stage = stage;
        self
    }

    pub(crate) fn with_status(mut self, status: Option<ExitStatus>) -> Self {
        self.0.status = status;
        self
    }

    /// `tail` is as long as [`tail_len`](Error::tail_len) says, if there is so much.
    pub(crate) fn with_stderr_tail(mut self, tail: Bytes, secrets: Secrets) -> Self {
        self.0.stderr_tail = tail;
        self.0.secrets = secrets;
        self
    }

    /// How much of the end of stderr it takes to show it.
    pub(crate) fn tail_len(secrets: &Secrets) -> usize {
        ERROR_TAIL + secrets.longest().max(1)
    }

    pub(crate) fn with_output(mut self, output: Output) -> Self {
        self.0.output = Some(output);
        self
    }

    /// How long the child has run.
    pub(crate) fn with_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.0.elapsed = elapsed;
        self
    }

    pub(crate) fn with_stopped(mut self, signal: Option<Signal>) -> Self {
        self.0.stopped = signal;
        self
    }

    pub(crate) fn with_survivors(mut self, survivors: bool) -> Self {
        self.0.survivors = survivors;
        self
    }

    /// The run was cut short before its child was started.
    pub(crate) fn before_the_start(mut self) -> Self {
        self.0.before_the_start = true;
        self
    }

    pub(crate) fn with_written(mut self, written: usize) -> Self {
        self.0.written = Some(written);
        self
    }

    /// Returns the command line, quoted as for a shell, without [secrets](crate::Builder::secret).
    ///
    /// It is `None` where there is no command, as for a child that was created from [`Parts`](crate::transport::Parts)
    /// without a [name](crate::transport::Parts::name).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::command("no-such-program").arg("a b").await.unwrap_err();
    /// assert_eq!(error.command(), Some("no-such-program 'a b'"));
    /// # Ok(()) }
    /// ```
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// Returns the command line of the stage of a [`Pipeline`](crate::Pipeline) that the error is about, if it is about
    /// one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::command("true").pipe(Command::new("false"));
    /// let error = run.await?.check().unwrap_err();
    /// assert_eq!(error.command(), Some("true | false"));
    /// assert_eq!(error.stage(), Some("false"));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stage(&self) -> Option<&str> {
        self.0.stage.as_deref()
    }

    /// Returns how the child ended, if it had ended when the error occurred.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::shell("exit 3").await?.check().unwrap_err();
    /// assert_eq!(error.status().unwrap().code(), Some(3));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status
    }

    /// Returns the end of the child's stderr, as far as it is known: at most 4 KiB.
    ///
    /// These bytes were not consumed, except by a call that takes the whole output: a later read still delivers them.
    ///
    /// They are as the child wrote them. `Display` and `Debug` show them without [secrets](crate::Builder::secret),
    /// with control characters other than tabs and newlines escaped, and from the start of a line on, or at least of a
    /// character.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::shell("echo oops >&2; false").await?.check().unwrap_err();
    /// assert_eq!(error.stderr_tail(), b"oops\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stderr_tail(&self) -> &[u8] {
        let tail = &self.0.stderr_tail;
        &tail[tail.len().saturating_sub(ERROR_TAIL)..]
    }

    /// Returns what had been collected when a run was cut short, or the output that [`check`](Output::check) rejected.
    ///
    /// [`ProcessIo::output`](crate::ProcessIo::output), [`expect`](crate::ProcessIo::expect) at the end of the output,
    /// and `.await` hand it over. With an error of any other call it is a copy, and the same bytes can still be
    /// received.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let run = ProcessIo::shell("echo so far; sleep 60; true").timeout(Duration::from_secs(1));
    /// let error = run.await.unwrap_err();
    /// assert_eq!(error.output().unwrap().stdout, "so far\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn output(&self) -> Option<&Output> {
        self.0.output.as_ref()
    }

    /// Returns the same as [`output`](Error::output), by value.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::shell("echo result; false").await?.check().unwrap_err();
    /// assert_eq!(error.into_output().unwrap().stdout, "result\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn into_output(self) -> Option<Output> {
        self.0.output
    }

    /// Returns how many bytes of a message were written to the pipe before [`send`](crate::ProcessIo::send) or a
    /// similar call failed and no more of the message will be written.
    ///
    /// That is so when stdin is [broken](Error::is_broken_pipe), closed or [failed](ErrorKind::Stdin), when the run is
    /// over, or when [`send_timeout`](crate::ProcessIo::send_timeout) ran out of time. It is `None` where the rest is
    /// still queued, and for an error of anything else.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// cat.close_stdin();
    /// let error = cat.send("too late").await.unwrap_err();
    /// assert_eq!(error.written(), Some(0));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn written(&self) -> Option<usize> {
        self.0.written
    }

    /// Returns how the child was stopped when the run was cut short by a time-out or a cancellation.
    ///
    /// It is `None` if the run was not cut short, or if its exit status is unavailable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Signal, Step};
    ///
    /// let run = ProcessIo::command("sleep").arg("60").timeout(Duration::from_millis(100));
    /// let error = run.await.unwrap_err();
    /// assert_eq!(error.report().unwrap().ended_by(), Some(Step::Signal(Signal::KILL)));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn report(&self) -> Option<&Report> {
        self.output()?.report.as_ref()
    }

    /// Returns the signal that the child was stopped by, in the sense of job control, when a run was cut short or the
    /// terminal [stopped](ErrorKind::Stopped) the child.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Signal};
    ///
    /// let run = ProcessIo::shell("kill -STOP $$").timeout(Duration::from_secs(1));
    /// let error = run.await.unwrap_err();
    /// assert_eq!(error.stopped().unwrap().to_string(), "SIGSTOP");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stopped(&self) -> Option<Signal> {
        self.0.stopped
    }

    /// Returns whether the run was cut short and the child, or a process that it started, could not be killed and is
    /// still running.
    ///
    /// It may run as another user, or the system may not be able to end it now.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let run = ProcessIo::shell("sleep 60; true").timeout(Duration::from_millis(100));
    /// assert!(!run.await.unwrap_err().has_survivors());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn has_survivors(&self) -> bool {
        self.0.survivors
    }

    /// Returns the cause of the error.
    ///
    /// For a child that could not be started the cause is determined after the fact. Where none was found it is
    /// [`ErrorKind::Spawn`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::{ErrorKind, ProcessIo};
    ///
    /// let error = ProcessIo::command("no-such-program").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    /// # Ok(()) }
    /// ```
    pub fn kind(&self) -> ErrorKind {
        let source = self.0.source.as_ref();
        let is_unsupported = source.is_some_and(|e| e.kind() == io::ErrorKind::Unsupported);
        let cause = || source?.get_ref()?.downcast_ref::<Self>();
        match self.0.kind.public() {
            ErrorKind::Spawn | ErrorKind::Signal | ErrorKind::Io if is_unsupported => {
                ErrorKind::Unsupported
            }
            _ if cause().is_some_and(|cause| cause.kind() == ErrorKind::NoRuntime) => {
                ErrorKind::NoRuntime
            }
            kind => kind,
        }
    }

    /// Returns whether the child could not be started: its program never ran. [`kind`](Error::kind) returns why.
    ///
    /// It is `false` for a run that was cancelled, or whose time was up, before its start.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::command("no-such-program").spawn().unwrap_err();
    /// assert!(error.is_spawn());
    /// # Ok(()) }
    /// ```
    pub fn is_spawn(&self) -> bool {
        self.0.kind.is_spawn()
    }

    /// Returns whether a time-out of the call or of the run elapsed: [`ErrorKind::Timeout`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let run = ProcessIo::command("sleep").arg("60").timeout(Duration::from_millis(100));
    /// assert!(run.await.unwrap_err().is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns whether the run was [cancelled](crate::Builder::cancel_on): [`ErrorKind::Cancelled`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{CancellationToken, ProcessIo};
    ///
    /// let token = CancellationToken::new();
    /// token.cancel();
    /// let error = ProcessIo::command("sleep").arg("60").cancel_on(token).await.unwrap_err();
    /// assert!(error.is_cancelled());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Returns whether a stream or a line reached its limit: [`ErrorKind::Limit`] or [`ErrorKind::LongLine`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo};
    ///
    /// let limits = Limits::default().stdout(1024, Overflow::Fail);
    /// assert!(ProcessIo::command("yes").limits(limits).await.unwrap_err().is_limit());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn is_limit(&self) -> bool {
        matches!(self.kind(), ErrorKind::Limit | ErrorKind::LongLine)
    }

    /// Returns whether the child accepts no more input: [`ErrorKind::BrokenPipe`] or [`ErrorKind::StdinClosed`].
    ///
    /// The child closed its stdin or ended, or stdin was closed by this process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut child = ProcessIo::command("true").spawn()?;
    /// child.wait().await?;
    /// assert!(child.send("hello").await.unwrap_err().is_broken_pipe());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self.kind(), ErrorKind::BrokenPipe | ErrorKind::StdinClosed)
    }

    /// Error of the input source, of the pipe to stdin or of a tee writer, not of the child.
    pub(crate) fn is_beside_the_child(&self) -> bool {
        matches!(self.0.kind, Kind::Input | Kind::Stdin | Kind::Output(_))
    }

    /// The run was cut short.
    pub(crate) fn is_of_a_stop(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Deadline(_) | Kind::Silence(_) | Kind::Cancelled
        )
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let source = || (error.0.source.as_ref()).map_or(io::ErrorKind::Other, io::Error::kind);
        io::Error::new(error.0.kind.io_kind().unwrap_or_else(source), error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error
            .downcast::<Error>()
            .unwrap_or_else(|error| Error::new(Kind::Io).with_source(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;

    #[test]
    fn goes_through_io_error_and_back_unchanged() {
        let error = Error::new(Kind::Limit(Source::Stdout, 7)).with_command(Some("yes".into()));
        let io = io::Error::from(error);
        assert_eq!(io.kind(), io::ErrorKind::FileTooLarge);
        let back = Error::from(io);
        assert!(back.is_limit());
        assert_eq!(back.command(), Some("yes"));
    }
}
