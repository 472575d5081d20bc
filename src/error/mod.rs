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

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which command, and what is known of the child by then.
///
/// [`kind`](Error::kind) tells the cause, and a few `is_*` methods the most common ones. Where it is known the error
/// carries the [command line](Error::command), the [exit status](Error::status), the
/// [end of stderr](Error::stderr_tail) and, where a run was cut short, the
/// [partial output](Error::output).
///
/// It converts into [`io::Error`] with a fitting [`io::ErrorKind`], and back without loss.
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

    /// The command line, quoted as for a shell; `None` where there is no command, as for a child
    /// made of [`Parts`](crate::transport::Parts).
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The command line of the stage of a [`Pipeline`](crate::Pipeline) that this is about, if it is about one.
    pub fn stage(&self) -> Option<&str> {
        self.0.stage.as_deref()
    }

    /// How the child ended, if it had by then.
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status
    }

    /// The last bytes (at most 4 KiB) that are known of the child's stderr. They were not consumed, unless by a call that
    /// takes the whole output: a later read still delivers them.
    ///
    /// They are as the child wrote them. `Display` and `Debug` show them without [secrets](crate::Builder::secret), with control
    /// characters escaped but for tabs and newlines, and from the beginning of a line on, or at least of a character.
    pub fn stderr_tail(&self) -> &[u8] {
        let tail = &self.0.stderr_tail;
        &tail[tail.len().saturating_sub(ERROR_TAIL)..]
    }

    /// What had been collected when a run was cut short. [`ProcessIo::output`](crate::ProcessIo::output),
    /// [`expect`](crate::ProcessIo::expect) at the end of the output, and `.await` hand it over; with an error of any other call it is
    /// a copy, and the same bytes can still be received.
    pub fn output(&self) -> Option<&Output> {
        self.0.output.as_ref()
    }

    /// As [`output`](Error::output), by value.
    pub fn into_output(self) -> Option<Output> {
        self.0.output
    }

    /// How many bytes of the message the pipe had taken when [`send`](crate::ProcessIo::send) and its kin failed and no more of
    /// it will be written: stdin is [broken](Error::is_broken_pipe), closed or [failed](ErrorKind::Stdin), the run is over, or
    /// [`send_timeout`](crate::ProcessIo::send_timeout) ran out of time. `None` where the rest is still queued, and for an error
    /// of anything else.
    pub fn written(&self) -> Option<usize> {
        self.0.written
    }

    /// How the child was stopped when the run was cut short: by a time-out or a cancellation. `None` if it was not, or if its
    /// exit status is unavailable.
    pub fn report(&self) -> Option<&Report> {
        self.output()?.report.as_ref()
    }

    /// The signal that the child was stopped by, in the sense of job control, when a run was cut short or the terminal
    /// [stopped](ErrorKind::Stopped) it.
    pub fn stopped(&self) -> Option<Signal> {
        self.0.stopped
    }

    /// The run was cut short, and the child or something that it started could not be killed and is still running: it may be
    /// another user's, or the system may not be able to end it now.
    pub fn has_survivors(&self) -> bool {
        self.0.survivors
    }

    /// What the cause is.
    ///
    /// Of a child that could not be started a cause is told only if it was found to be so afterwards, and else
    /// [`ErrorKind::Spawn`].
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

    /// The child could not be started: its program never ran. [`kind`](Error::kind) tells why.
    ///
    /// A run that was cancelled, or whose time was up, before its start is none of these.
    pub fn is_spawn(&self) -> bool {
        self.0.kind.is_spawn()
    }

    /// [`ErrorKind::Timeout`]: time ran out, that of the call or that of the run.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// [`ErrorKind::Cancelled`]: the run was [cancelled](crate::Builder::cancel_on).
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// [`ErrorKind::Limit`] or [`ErrorKind::LongLine`]: a stream reached its limit, or a line its own.
    pub fn is_limit(&self) -> bool {
        matches!(self.kind(), ErrorKind::Limit | ErrorKind::LongLine)
    }

    /// [`ErrorKind::BrokenPipe`] or [`ErrorKind::StdinClosed`]: the child cannot take input any more, because it closed its stdin
    /// or ended, or we closed it.
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
