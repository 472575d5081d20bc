//! [`Error`]: one opaque error for everything, which tells the cause, the command and how far it got.

mod check;
mod kind;
mod show;

use std::{error, io, process::ExitStatus, sync::Arc, time::Duration};

use bytes::Bytes;

pub(crate) use kind::Kind;

use crate::{limits::ERROR_TAIL, output::Output, secrets::Secrets, signal::Signal};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which command, and what is known of the child by then.
///
/// The kinds are told apart by the `is_*` methods; more may come. Of a child that could not be started a cause is told only if
/// it was found to be so afterwards. Otherwise, as for an error of the command's own `pre_exec`, none of them holds, and the
/// [source](std::error::Error::source) has the system's words. Where it is known the error
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
    /// it will be written: stdin is [broken](Error::is_broken_pipe), closed or [failed](Error::is_stdin), the run is over, or
    /// [`send_timeout`](crate::ProcessIo::send_timeout) ran out of time. `None` where the rest is still queued, and for an error
    /// of anything else.
    pub fn written(&self) -> Option<usize> {
        self.0.written
    }

    /// The signal that the child was stopped by, in the sense of job control, when a run was cut short or the terminal
    /// [stopped](Self::is_stopped) it.
    pub fn stopped(&self) -> Option<Signal> {
        self.0.stopped
    }

    /// The run was cut short, and the child or something that it started could not be killed and is still running: it may be
    /// another user's, or the system may not be able to end it now.
    pub fn has_survivors(&self) -> bool {
        self.0.survivors
    }

    /// There is no such program.
    pub fn is_not_found(&self) -> bool {
        matches!(self.0.kind, Kind::ProgramNotFound(_))
    }

    /// The directory in which the child was to start does not exist, is none, or cannot be entered by the user that the child
    /// was to be started as.
    pub fn is_directory_not_found(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::DirectoryNotFound(_) | Kind::NotDirectory(_) | Kind::DirectoryClosed(..)
        )
    }

    /// The program is there, but it is a directory, cannot be executed by the user that the child was to be started as, or is
    /// nothing that this system can execute.
    pub fn is_not_executable(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::NotExecutable(..)
                | Kind::ProgramHidden(..)
                | Kind::ProgramIsDirectory(_)
                | Kind::BadFormat(_)
        )
    }

    /// The program is a script, or a binary, whose interpreter or loader does not exist or cannot be executed.
    pub fn is_bad_interpreter(&self) -> bool {
        matches!(self.0.kind, Kind::BadInterpreter(_))
    }

    /// Arguments and environment together are larger than the system takes.
    pub fn is_argument_list_too_long(&self) -> bool {
        self.0.kind == Kind::ArgumentListTooLong
    }

    /// An argument, a variable or the program's name holds a NUL byte.
    pub fn is_nul_byte(&self) -> bool {
        self.0.kind == Kind::NulByte
    }

    /// There was no tokio runtime: to spawn in, and no child was started; or to wait in, when the one in which the child was
    /// started had shut down.
    pub fn is_no_runtime(&self) -> bool {
        let cause = || self.0.source.as_ref()?.get_ref()?.downcast_ref::<Self>();
        matches!(self.0.kind, Kind::NoRuntime | Kind::NoRuntimeToWait)
            || cause().is_some_and(Self::is_no_runtime)
    }

    /// The process or the system has no descriptor left (`EMFILE`, `ENFILE`). No child was left behind.
    pub fn is_too_many_files(&self) -> bool {
        self.0.kind == Kind::TooManyFiles
    }

    /// The system lets this user start no more processes (`EAGAIN`).
    pub fn is_too_many_processes(&self) -> bool {
        self.0.kind == Kind::TooManyProcesses
    }

    /// The program's file is open for writing (`ETXTBSY`), and stayed so; see
    /// [`Builder::retry_busy`](crate::Builder::retry_busy).
    pub fn is_busy(&self) -> bool {
        matches!(self.0.kind, Kind::TextFileBusy(_))
    }

    /// Time ran out: that of the call, or that of the run, by [`timeout`](crate::Builder::timeout),
    /// [`deadline`](crate::Builder::deadline) or [`inactivity_timeout`](crate::Builder::inactivity_timeout). Only an
    /// error of the run carries the [output](Error::output).
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Timeout | Kind::Deadline(_) | Kind::Silence(_)
        )
    }

    /// The run was [cancelled](crate::Builder::cancel_on).
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == Kind::Cancelled
    }

    /// The terminal stopped the child, by `SIGTTIN` or `SIGTTOU`: it is in a process group of its own, and so may not use the
    /// terminal. It is still there, and may be killed, or continued by `SIGCONT` once it may use the terminal. See
    /// [`Builder::process_group`](crate::Builder::process_group).
    pub fn is_stopped(&self) -> bool {
        matches!(self.0.kind, Kind::Stopped(_))
    }

    /// A stream reached its limit, which was set to [`Overflow::Fail`](crate::Overflow::Fail), or a line its
    /// own, with [`LongLine::Fail`](crate::LongLine::Fail).
    pub fn is_limit(&self) -> bool {
        matches!(self.0.kind, Kind::Limit(..) | Kind::LongLine(..))
    }

    /// The child cannot take input any more: it closed its stdin or ended, or we closed it.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self.0.kind, Kind::BrokenPipe | Kind::StdinClosed)
    }

    /// The child's stdin could not be written to, although it may take more input: the system failed, or the runtime that the
    /// child was started in is gone. The child saw end-of-file there.
    pub fn is_stdin(&self) -> bool {
        self.0.kind == Kind::Stdin
    }

    /// The output ended before what was waited for.
    pub fn is_eof(&self) -> bool {
        self.0.kind == Kind::Eof
    }

    /// The child ran, and ended with something else than success.
    pub fn is_failed(&self) -> bool {
        self.0.kind == Kind::Failed
    }

    /// The source of the child's input failed; the child saw end-of-file there.
    pub fn is_input(&self) -> bool {
        self.0.kind == Kind::Input
    }

    /// What the child's output was to be copied to failed, see [`copy_to`](crate::ProcessIo::copy_to) and
    /// [`Stage::tee`](crate::Stage::tee).
    pub fn is_output(&self) -> bool {
        matches!(self.0.kind, Kind::Output(_))
    }

    /// Error of the input source, of the pipe to stdin or of a tee writer, not of the child.
    pub(crate) fn is_beside_the_child(&self) -> bool {
        self.is_input() || self.is_stdin() || self.is_output()
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
