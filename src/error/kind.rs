//! [`Kind`]: the cause of an error, and what that is called.

use std::{fmt, io, time::Duration};

use crate::event::Source;

/// The cause. Private, so that a new one is not a breaking change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    ProgramNotFound,
    DirectoryNotFound,
    NotExecutable,
    ProgramIsDirectory,
    #[allow(dead_code)] // Unix alone has interpreters.
    BadInterpreter(Option<String>),
    BadFormat,
    ArgumentListTooLong,
    NulByte,
    NoRuntime,
    #[allow(dead_code)] // On Windows nothing that is waited for needs one.
    NoRuntimeToWait,
    TooManyFiles,
    TooManyProcesses,
    TextFileBusy,
    Spawn,
    Timeout,
    Deadline(Duration),
    Silence(Duration),
    Cancelled,
    Limit(Source, usize),
    LongLine(Source, usize),
    BrokenPipe,
    StdinClosed,
    Eof,
    Failed,
    Input,
    Output(Source),
    Wait,
    Signal,
    Io,
}

impl Kind {
    /// The [`io::ErrorKind`] that fits best; `None` if that is the business of the source.
    pub(super) fn io_kind(&self) -> Option<io::ErrorKind> {
        Some(match self {
            Self::ProgramNotFound | Self::DirectoryNotFound | Self::BadInterpreter(_) => {
                io::ErrorKind::NotFound
            }
            Self::NotExecutable | Self::ProgramIsDirectory => io::ErrorKind::PermissionDenied,
            Self::ArgumentListTooLong => io::ErrorKind::ArgumentListTooLong,
            Self::NulByte => io::ErrorKind::InvalidInput,
            Self::Timeout | Self::Deadline(_) | Self::Silence(_) => io::ErrorKind::TimedOut,
            Self::TextFileBusy => io::ErrorKind::ExecutableFileBusy,
            Self::Limit(..) | Self::LongLine(..) => io::ErrorKind::FileTooLarge,
            Self::BrokenPipe | Self::StdinClosed => io::ErrorKind::BrokenPipe,
            Self::Eof => io::ErrorKind::UnexpectedEof,
            _ => return None,
        })
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
            Self::NoRuntimeToWait => f.write_str("no tokio runtime to wait in"),
            Self::TooManyFiles => f.write_str("no file descriptor left to spawn with"),
            Self::TooManyProcesses => f.write_str("too many processes to start another"),
            Self::TextFileBusy => f.write_str("its file is open for writing"),
            Self::Spawn => f.write_str("cannot be started"),
            Self::Timeout => f.write_str("timed out"),
            Self::Deadline(time) => write!(f, "timed out after {time:.1?}"),
            Self::Silence(time) => write!(f, "timed out after {time:.1?} of silence"),
            Self::Cancelled => f.write_str("cancelled"),
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
            Self::Output(source) => write!(f, "its {source} could not be written on"),
            Self::Wait => f.write_str("its exit status cannot be had"),
            Self::Signal => f.write_str("cannot be signalled"),
            Self::Io => f.write_str("input/output error"),
        }
    }
}
