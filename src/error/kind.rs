//! [`Kind`]: the cause of an error, and what that is called.

use std::{fmt, io, time::Duration};

use super::ErrorKind;
use crate::{event::Source, signal::Signal};

/// The id of the user that a child was to be started as, if that is not ours.
type User = Option<u32>;

/// The cause, with what is known of it. [`ErrorKind`] is what of it is public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(dead_code)] // Some causes exist on some platforms only.
pub(crate) enum Kind {
    /// Names of files are as they are to be shown. This one is not known where the program was looked for in several places.
    ProgramNotFound(Option<String>),
    DirectoryNotFound(String),
    NotExecutable(String, User),
    ProgramIsDirectory(String),
    BadFormat(String),
    TextFileBusy(String),
    /// What there is instead of a directory to start in.
    NotDirectory(String),
    DirectoryClosed(String, User),
    /// It may exist, in a directory that is closed.
    ProgramHidden(String, User),
    /// What is wrong with its interpreter or loader.
    BadInterpreter(String),
    /// What is wrong with the group that it was to be put in.
    Group(String),
    /// Something was refused to it as the leader of a process group.
    Leader,
    NullDevice,
    ArgumentListTooLong,
    NulByte,
    NoRuntime,
    NoRuntimeToWait,
    TooManyFiles,
    TooManyProcesses,
    Spawn,
    Timeout,
    Deadline(Duration),
    Silence(Duration),
    Cancelled,
    Stopped(Signal),
    Limit(Source, usize),
    LongLine(Source, usize),
    BrokenPipe,
    /// A stream that is to be read goes elsewhere.
    NotPiped(Source),
    StdinClosed,
    /// It could not be written to, though the child would take more.
    Stdin,
    Eof,
    /// What a needle says that it found, from where to where.
    Needle(usize, usize),
    Failed,
    Input,
    Output(Source),
    Wait,
    Signal,
    #[default]
    Io,
}

impl Kind {
    /// What users are told.
    pub(super) fn public(&self) -> ErrorKind {
        match self {
            Self::ProgramNotFound(_) => ErrorKind::ProgramNotFound,
            Self::DirectoryNotFound(_) | Self::NotDirectory(_) | Self::DirectoryClosed(..) => {
                ErrorKind::DirectoryNotFound
            }
            Self::NotExecutable(..)
            | Self::ProgramHidden(..)
            | Self::ProgramIsDirectory(_)
            | Self::BadFormat(_) => ErrorKind::NotExecutable,
            Self::BadInterpreter(_) => ErrorKind::BadInterpreter,
            Self::TextFileBusy(_) => ErrorKind::ExecutableFileBusy,
            Self::ArgumentListTooLong => ErrorKind::ArgumentListTooLong,
            Self::NulByte => ErrorKind::NulByte,
            Self::TooManyFiles => ErrorKind::TooManyFiles,
            Self::TooManyProcesses => ErrorKind::TooManyProcesses,
            Self::Group(_) | Self::Leader | Self::NullDevice | Self::Spawn => ErrorKind::Spawn,
            Self::Timeout | Self::Deadline(_) | Self::Silence(_) => ErrorKind::Timeout,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Stopped(_) => ErrorKind::Stopped,
            Self::Limit(..) => ErrorKind::Limit,
            Self::LongLine(..) => ErrorKind::LongLine,
            Self::BrokenPipe => ErrorKind::BrokenPipe,
            Self::StdinClosed => ErrorKind::StdinClosed,
            Self::NotPiped(_) => ErrorKind::NotPiped,
            Self::Stdin => ErrorKind::Stdin,
            Self::Input => ErrorKind::Input,
            Self::Eof => ErrorKind::Eof,
            Self::Needle(..) => ErrorKind::Needle,
            Self::Output(_) => ErrorKind::Output,
            Self::Io => ErrorKind::Io,
            Self::Failed => ErrorKind::Failed,
            Self::Wait => ErrorKind::StatusUnavailable,
            Self::Signal => ErrorKind::Signal,
            Self::NoRuntime | Self::NoRuntimeToWait => ErrorKind::NoRuntime,
        }
    }

    /// The program never ran.
    pub(super) fn is_spawn(&self) -> bool {
        matches!(self, Self::NoRuntime)
            || matches!(
                self.public(),
                ErrorKind::ProgramNotFound
                    | ErrorKind::DirectoryNotFound
                    | ErrorKind::NotExecutable
                    | ErrorKind::BadInterpreter
                    | ErrorKind::ExecutableFileBusy
                    | ErrorKind::ArgumentListTooLong
                    | ErrorKind::NulByte
                    | ErrorKind::TooManyFiles
                    | ErrorKind::TooManyProcesses
                    | ErrorKind::Spawn
            )
    }

    /// The [`io::ErrorKind`] that fits best; `None` if that is the business of the source.
    pub(super) fn io_kind(&self) -> Option<io::ErrorKind> {
        Some(match self {
            Self::ProgramNotFound(_) | Self::DirectoryNotFound(_) | Self::NotDirectory(_) => {
                io::ErrorKind::NotFound
            }
            Self::NotExecutable(..)
            | Self::ProgramIsDirectory(_)
            | Self::ProgramHidden(..)
            | Self::DirectoryClosed(..) => io::ErrorKind::PermissionDenied,
            Self::ArgumentListTooLong => io::ErrorKind::ArgumentListTooLong,
            Self::NulByte | Self::Needle(..) | Self::NotPiped(_) => io::ErrorKind::InvalidInput,
            Self::Timeout | Self::Deadline(_) | Self::Silence(_) => io::ErrorKind::TimedOut,
            Self::TextFileBusy(_) => io::ErrorKind::ExecutableFileBusy,
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
            Self::ProgramNotFound(None) => f.write_str("no such program"),
            Self::ProgramNotFound(Some(path)) => write!(f, "no such program: {path}"),
            Self::DirectoryNotFound(path) => write!(f, "no such directory to start in: {path}"),
            Self::NotDirectory(path) => write!(f, "no directory to start in: {path}"),
            Self::DirectoryClosed(path, user) => {
                if let Some(user) = user {
                    write!(f, "user {user} ")?;
                }
                write!(f, "may not enter the directory to start in: {path}")
            }
            Self::NotExecutable(path, user) | Self::ProgramHidden(path, user) => {
                f.write_str("not executable")?;
                if let Some(user) = user {
                    write!(f, " for user {user}")?;
                }
                write!(f, ": {path}")
            }
            Self::ProgramIsDirectory(path) => write!(f, "is a directory, not a program: {path}"),
            Self::BadFormat(path) => write!(f, "not a program this system can execute: {path}"),
            Self::BadInterpreter(why) | Self::Group(why) => f.write_str(why),
            Self::Leader => f.write_str(
                "failed before the program ran, as the leader of a process group of its own, \
                 which cannot start a session (see `process_group`)",
            ),
            Self::NullDevice => f.write_str("/dev/null cannot be opened"),
            Self::ArgumentListTooLong => f.write_str("argument list too long"),
            Self::NulByte => f.write_str("a NUL byte in the command, its arguments or variables"),
            Self::NoRuntime => f.write_str("no tokio runtime to spawn in"),
            Self::NoRuntimeToWait => f.write_str("no tokio runtime to wait in"),
            Self::TooManyFiles => f.write_str("no file descriptor left to spawn with"),
            Self::TooManyProcesses => f.write_str("too many processes to start another"),
            Self::TextFileBusy(path) => write!(f, "its file is open for writing: {path}"),
            Self::Spawn => f.write_str("failed before the program ran"),
            Self::Timeout => f.write_str("timed out"),
            Self::Deadline(time) => write!(f, "timed out after {time:.1?}"),
            Self::Silence(time) => write!(f, "timed out after {time:.1?} of silence"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Stopped(signal) => {
                write!(
                    f,
                    "stopped by {signal}: it wants the terminal; see `process_group`"
                )
            }
            Self::Limit(source, bytes) => {
                write!(f, "wrote more to {source} than the limit of {bytes} bytes")
            }
            Self::LongLine(source, bytes) => {
                write!(
                    f,
                    "wrote a line to {source} longer than {bytes} bytes; \
                     `set_line_options` with `LongLine::Cut` or `LongLine::Split` takes it"
                )
            }
            Self::BrokenPipe => f.write_str("takes no more input"),
            Self::NotPiped(source) => write!(f, "its {source} is not a pipe: it goes elsewhere"),
            Self::StdinClosed => f.write_str("its stdin was already closed, or is not a pipe"),
            Self::Stdin => f.write_str("its stdin cannot be written to"),
            Self::Needle(start, end) => write!(
                f,
                "the needle found bytes {start} to {end}, or captures in them, that are not in the output"
            ),
            Self::Eof => f.write_str("ended before what was waited for"),
            Self::Failed => f.write_str("failed"),
            Self::Input => f.write_str("the source of its input failed"),
            Self::Output(source) => write!(f, "its {source} could not be forwarded"),
            Self::Wait => f.write_str("its exit status is unavailable"),
            Self::Signal => f.write_str("cannot be signalled"),
            Self::Io => f.write_str("input/output error"),
        }
    }
}
