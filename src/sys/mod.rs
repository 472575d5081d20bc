//! What differs by platform, under the same names in each file. The only place with `cfg` and `unsafe`.
//!
//! # The contract
//!
//! | name | what every platform gives |
//! |---|---|
//! | `spawn(&mut Command, Ends)` | starts the child with its ends connected; on failure nothing is left, neither a child nor a descriptor |
//! | `stage_pipe()` | a pipe from one child to another: what is written, what is read, and what it took of the pipe budget |
//! | `is_broken_pipe_signal(status)` | the child was ended by a write to a pipe without a reader |
//! | `PipeReader` | our end of stdout or stderr. `poll_read`: as `AsyncRead`, into a `BytesMut`, allocating only when there is something to read. `try_read`: what the kernel has *now*, whatever the reactor knows. `buffered`: how many bytes are in the pipe, where that can be told |
//! | `poll_splice(&Outlet, max)`, of a `PipeReader` | moves bytes on without copying them here; `Unsupported` where that cannot be done |
//! | `Outlet` | a file, pipe or socket of the caller's, to be written to |
//! | `to_blocking`, of both | the same end for a process that reads or writes it without a reactor; `Unsupported` where that is not possible |
//! | `PipeWriter` | our end of stdin. `poll_write` and `try_write` likewise, vectored; `poll_flush` passes on what is held back; dropping it closes the descriptor |
//! | `grow`, of both | makes a pipe larger that was seen full, within `set_pipe_budget`, where that can be done |
//! | `Process` | `exited`: resolves at the child's exit, for any number of waiters, without reaping. `observe`: the same without waiting. `signal`: never to a pid that is not ours any more. `is_tree_alive`: whether something of its tree is, when it has exited. `stopped`, `may_be_stopped`, `wait_stopped`: by what signal it is stopped, and when its terminal does that. `usage`: what it used, once it has been reaped. `release`: kills it if asked to and if it runs, and reaps without ever blocking |
//! | `Foreign` | a child that tokio started. `signal`: never to a pid that is not its own any more |
//! | `SIGNALS`, `realtime_signals()` | their names and numbers, and the numbers of those that have none |
//! | `fault(&Command, &Secrets, &io::Error)` | why it could not be started, as far as that can be told; names of files without secrets |
//! | `close_on_exec(&Redirect)` | a file is not passed on to any child but as the stream that it is given as |
//! | `generation()`, `FIRST_GENERATION` | a number for this process that a copy made by `fork(2)` does not have |
//! | `Siblings` | the children that were started at the same time as another. `may_hold`: whether one of them may still have copies of its pipes |
//! | `equal_to(&[u8; 64], u8)` | where that byte is, as fast as the processor tells |
//! | `Sliced`, `Slice` | bytes, and parts of them that are counted together; the same everywhere |
//! | `exit_signal(status)` | the signal that ended the child |
//! | `exit_status(code)` | the status of a child that ended by itself |
//! | `BorrowedDescriptor`, `OwnedDescriptor` | the platform's file descriptor or handle |
//! | `From<T> for Redirect` | of all that owns a descriptor |
//!
//! Reads and writes report a closed pipe as POSIX does: end-of-file is `Ok(0)`, a reader that is gone
//! is [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).

use std::{fmt, io, str::FromStr};

use crate::{
    output::Output,
    signal::{ParseSignalError, Signal},
    stdio::Redirect,
};

#[allow(unsafe_code)]
mod equal_to;
pub(crate) use equal_to::equal_to;

#[allow(unsafe_code)]
mod sliced;
pub(crate) use sliced::{Slice, Sliced};

#[cfg(unix)]
#[allow(unsafe_code)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(unix)]
pub use unix::{BorrowedDescriptor, OwnedDescriptor};

#[cfg(windows)]
#[allow(unsafe_code)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
#[cfg(windows)]
pub use windows::{BorrowedDescriptor, OwnedDescriptor};

#[cfg(not(any(unix, windows)))]
compile_error!("process-io needs processes: Unix or Windows");

/// Milliseconds between attempts to execute a file that is open for writing.
const BUSY_PAUSES: [u64; 6] = [1, 2, 4, 8, 16, 32];

/// What is asked for cannot be done in the group of this process.
fn not_its_own_group() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "only a process group of its own can die with its parent",
    )
}

/// Each of stdout and stderr is to go where the other goes.
fn merged_both_ways() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "stdout is merged into stderr, and stderr into stdout",
    )
}

/// Its name, as `SIGTERM` or `SIGRTMIN+3`, or else its number, as `signal 99`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.as_raw();
        if let Some((name, _)) = SIGNALS.iter().find(|(_, known)| *known == number) {
            return f.write_str(name);
        }
        let realtime = realtime_signals();
        if !realtime.contains(&number) {
            return write!(f, "signal {number}");
        }
        match number - realtime.start() {
            0 => f.write_str("SIGRTMIN"),
            offset => write!(f, "SIGRTMIN+{offset}"),
        }
    }
}

/// From a name with or without `SIG`, in upper or lower case, as `SIGTERM`, `term` or `SIGRTMIN+3`, or from a number.
impl FromStr for Signal {
    type Err = ParseSignalError;

    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        // Without a sign.
        let digits = |text: &str| -> Option<i32> {
            (text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
        };
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = || {
            let is_it = |(known, _): &&(&str, i32)| known.strip_prefix("SIG") == Some(name);
            SIGNALS.iter().find(is_it).map(|(_, number)| *number)
        };
        let realtime = || {
            let realtime = realtime_signals();
            let offset: i32 = match name.strip_prefix("RTMIN")? {
                "" => 0,
                offset => digits(offset.strip_prefix('+')?)?,
            };
            let number = realtime.start().checked_add(offset)?;
            realtime.contains(&number).then_some(number)
        };
        let number = || digits(&upper).filter(|number| *number > 0);
        let number = known().or_else(realtime).or_else(number);
        number.map(Self::from_raw).ok_or(ParseSignalError(()))
    }
}

impl Output {
    /// The signal that ended the child, if one did. `None` on Windows, which has none.
    pub fn signal(&self) -> Option<Signal> {
        self.status.and_then(exit_signal).map(Signal::from_raw)
    }
}

/// What the child's ends are to be connected to.
pub(crate) struct Ends<'a> {
    pub(crate) stdin: Redirect,
    /// `None`, of one of the two: the same as the other, through the same open file, so that order is kept.
    pub(crate) stdout: Option<Redirect>,
    pub(crate) stderr: Option<Redirect>,
    /// Which process group it is in.
    pub(crate) group: Group<'a>,
    /// How large its pipes to us are to be; if nothing is said they grow when that is worth it. Nothing where a pipe cannot
    /// be resized.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) pipe_capacity: Option<usize>,
    /// The child's group is killed when this process ends, however it ends.
    pub(crate) die_with_parent: bool,
    /// The child starts with the signals blocked that this thread blocks, rather than with none.
    #[cfg_attr(windows, allow(dead_code))]
    pub(crate) inherit_signals: bool,
    /// What Windows is to be told of how to create the process; nothing elsewhere.
    #[cfg_attr(not(windows), allow(dead_code))]
    pub(crate) creation_flags: u32,
    /// To try again for a moment while the program's file is open for writing.
    pub(crate) retry_busy: bool,
    /// Asked immediately before every attempt to start the child, which its error prevents.
    pub(crate) may_start: &'a dyn Fn() -> io::Result<()>,
}

/// A process group, or what a platform has instead.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Group<'a> {
    /// The one that the command puts it in, usually ours.
    Shared,
    /// One of its own.
    Own,
    /// That of another child, which has one of its own and has not been released.
    Of(&'a Process),
}

/// A started child and our ends of its pipes.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: Process,
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
    /// Those that were started at the same time, and may hold its pipes for a moment.
    pub(crate) siblings: Option<Siblings>,
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The child alone.
    Child,
    /// Every member of the child's own group, and the live descendants that have left it; if it has none the child and its
    /// live descendants.
    Tree,
    /// Those of its tree that are not in the group that it was started in.
    LeftGroup,
}
