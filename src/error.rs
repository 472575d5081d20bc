//! [`Error`]: one opaque error for everything, which tells the cause, the command and how far it got.

use std::{error, fmt, io, process::ExitStatus, sync::Arc};

use bytes::Bytes;

use crate::{event::Source, output::Output};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which command, and what is known of the child by then.
///
/// The kinds are told apart by the `is_*` methods; more may come. Where it is known the error
/// carries the [command line](Error::command), the [exit status](Error::status), the
/// [end of stderr](Error::stderr_tail) and, where a run was cut short, the
/// [partial output](Error::output).
///
/// It converts into [`io::Error`] with a fitting [`io::ErrorKind`], and back without loss.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    command: Option<Arc<str>>,
    status: Option<ExitStatus>,
    stderr_tail: Bytes,
    output: Option<Output>,
    written: Option<usize>,
    source: Option<io::Error>,
}

/// The cause. Private, so that a new one is not a breaking change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    ProgramNotFound,
    DirectoryNotFound,
    NotExecutable,
    ProgramIsDirectory,
    BadInterpreter(Option<String>),
    BadFormat,
    ArgumentListTooLong,
    NulByte,
    NoRuntime,
    TooManyFiles,
    Spawn,
    Timeout,
    Limit(Source, usize),
    LongLine(Source, usize),
    BrokenPipe,
    StdinClosed,
    Eof,
    Failed,
    Input,
    Wait,
    Signal,
    Io,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            command: None,
            status: None,
            stderr_tail: Bytes::new(),
            output: None,
            written: None,
            source: None,
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

    pub(crate) fn with_status(mut self, status: Option<ExitStatus>) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn with_stderr_tail(mut self, tail: Bytes) -> Self {
        self.0.stderr_tail = tail;
        self
    }

    pub(crate) fn with_output(mut self, output: Output) -> Self {
        self.0.output = Some(output);
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

    /// How the child ended, if it had by then.
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status
    }

    /// The last bytes (at most 4 KiB) that are known of the child's stderr. Unless the error carries the
    /// [output](Error::output) they were not consumed: a later read still delivers them.
    pub fn stderr_tail(&self) -> &[u8] {
        &self.0.stderr_tail
    }

    /// What had been collected when a run was cut short.
    pub fn output(&self) -> Option<&Output> {
        self.0.output.as_ref()
    }

    /// As [`output`](Error::output), by value.
    pub fn into_output(self) -> Option<Output> {
        self.0.output
    }

    /// How many bytes of the message the pipe had taken when
    /// [`send_timeout`](crate::ProcessIo::send_timeout) ran out of time.
    pub fn written(&self) -> Option<usize> {
        self.0.written
    }

    /// There is no such program.
    pub fn is_not_found(&self) -> bool {
        self.0.kind == Kind::ProgramNotFound
    }

    /// The directory in which the child was to start does not exist or cannot be entered.
    pub fn is_directory_not_found(&self) -> bool {
        self.0.kind == Kind::DirectoryNotFound
    }

    /// The program is there, but it is a directory or must not be executed.
    pub fn is_not_executable(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::NotExecutable | Kind::ProgramIsDirectory | Kind::BadFormat
        )
    }

    /// The program is a script, or a binary, whose interpreter or loader does not exist.
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

    /// There was no tokio runtime to spawn in. No child was started.
    pub fn is_no_runtime(&self) -> bool {
        self.0.kind == Kind::NoRuntime
    }

    /// The process or the system has no descriptor left (`EMFILE`, `ENFILE`). No child was left behind.
    pub fn is_too_many_files(&self) -> bool {
        self.0.kind == Kind::TooManyFiles
    }

    /// Time ran out.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
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

    fn io_kind(&self) -> io::ErrorKind {
        match &self.0.kind {
            Kind::ProgramNotFound | Kind::DirectoryNotFound | Kind::BadInterpreter(_) => {
                io::ErrorKind::NotFound
            }
            Kind::NotExecutable | Kind::ProgramIsDirectory => io::ErrorKind::PermissionDenied,
            Kind::ArgumentListTooLong => io::ErrorKind::ArgumentListTooLong,
            Kind::NulByte => io::ErrorKind::InvalidInput,
            Kind::Timeout => io::ErrorKind::TimedOut,
            Kind::Limit(..) | Kind::LongLine(..) => io::ErrorKind::FileTooLarge,
            Kind::BrokenPipe | Kind::StdinClosed => io::ErrorKind::BrokenPipe,
            Kind::Eof => io::ErrorKind::UnexpectedEof,
            _ => (self.0.source.as_ref()).map_or(io::ErrorKind::Other, io::Error::kind),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramNotFound => f.write_str("no such program"),
            Self::DirectoryNotFound => f.write_str("no such directory to start in"),
            Self::NotExecutable => f.write_str("not executable"),
            Self::ProgramIsDirectory => f.write_str("is a directory, not a program"),
            Self::BadInterpreter(Some(path)) => write!(f, "its interpreter {path} does not exist"),
            Self::BadInterpreter(None) => f.write_str("its interpreter or loader does not exist"),
            Self::BadFormat => f.write_str("not a program this system can execute"),
            Self::ArgumentListTooLong => f.write_str("argument list too long"),
            Self::NulByte => f.write_str("a NUL byte in the command, its arguments or variables"),
            Self::NoRuntime => f.write_str("no tokio runtime to spawn in"),
            Self::TooManyFiles => f.write_str("no file descriptor left to spawn with"),
            Self::Spawn => f.write_str("cannot be started"),
            Self::Timeout => f.write_str("timed out"),
            Self::Limit(source, bytes) => {
                write!(f, "wrote more to {source} than the limit of {bytes} bytes")
            }
            Self::LongLine(source, bytes) => {
                write!(f, "wrote a line to {source} longer than {bytes} bytes")
            }
            Self::BrokenPipe => f.write_str("takes no more input"),
            Self::StdinClosed => f.write_str("its stdin was already closed, or is not a pipe"),
            Self::Eof => f.write_str("ended before what was waited for"),
            Self::Failed => f.write_str("failed"),
            Self::Input => f.write_str("the source of its input failed"),
            Self::Wait => f.write_str("its exit status cannot be had"),
            Self::Signal => f.write_str("cannot be signalled"),
            Self::Io => f.write_str("input/output error"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(command) = &inner.command {
            write!(f, "`{command}`: ")?;
        }
        // The platform's own words add nothing where the kind says it all.
        match (&inner.kind, &inner.source) {
            (Kind::Spawn | Kind::Input | Kind::Wait | Kind::Signal, Some(source)) => {
                write!(f, "{}: {source}", inner.kind)?
            }
            (Kind::Io, Some(source)) => write!(f, "{source}")?,
            (kind, _) => write!(f, "{kind}")?,
        }
        if let Some(status) = inner.status {
            write!(f, " ({status})")?;
        }
        let tail = inner.stderr_tail.trim_ascii_end();
        if matches!(inner.kind, Kind::Failed | Kind::Eof) && !tail.is_empty() {
            write!(f, "; stderr:\n{}", String::from_utf8_lossy(tail))?;
        }
        Ok(())
    }
}

/// As [`Display`](fmt::Display), which is what `fn main() -> Result<()>` shows; `{:#?}` shows the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` shows errors by `Debug`.
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("command", &self.0.command)
            .field("status", &self.0.status)
            .field("stderr_tail", &self.0.stderr_tail)
            .field("written", &self.0.written)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(error.io_kind(), error)
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

    #[test]
    fn goes_through_io_error_and_back_unchanged() {
        let error = Error::new(Kind::Limit(Source::Stdout, 7)).with_command(Some("yes".into()));
        let io = io::Error::from(error);
        assert_eq!(io.kind(), io::ErrorKind::FileTooLarge);
        let back = Error::from(io);
        assert!(back.is_limit());
        assert_eq!(back.command(), Some("yes"));
    }

    #[test]
    fn a_failure_reads_like_a_command_line_tools() {
        let error = Error::new(Kind::Failed)
            .with_command(Some("sort -n x".into()))
            .with_stderr_tail(Bytes::from_static(b"sort: x: No such file\n"));
        assert_eq!(
            error.to_string(),
            "`sort -n x`: failed; stderr:\nsort: x: No such file"
        );
    }
}
