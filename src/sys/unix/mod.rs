//! Unix: pipes on the reactor, `posix_spawn`, process groups, exit seen by pidfd or SIGCHLD.

mod child;
mod fault;
mod foreign;
mod fork;
mod format;
mod group;
mod grown;
mod guardian;
mod names;
mod outlet;
mod pipe;
mod populate;
mod process;
mod reaper;
mod send;
mod siblings;
mod signals;
mod spawn;
mod tree;
mod usage;
mod writers;

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd, retry_on_intr},
    process::Pid,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Command,
    runtime::Handle,
};

use crate::{
    error::{Error, Kind},
    stdio::Redirect,
};

pub(crate) use fault::fault;
pub(crate) use foreign::Foreign;
pub(crate) use fork::{FIRST_GENERATION, generation};
pub(crate) use grown::{Grown as PipeGrowth, set_pipe_budget};
pub(crate) use names::{SIGNALS, realtime_signals};
pub(crate) use outlet::Outlet;
pub(crate) use pipe::{PipeReader, PipeWriter, stage_pipe};
pub(crate) use process::Process;
pub(crate) use siblings::Siblings;
pub(crate) use spawn::spawn;

/// Between two looks at what the system does not tell of: from, up to.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Whether what `events` asks for is so now. A signal that has a handler interrupts `poll(2)` even if that is not to wait.
fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, events)];
    retry_on_intr(|| poll(&mut fds, Some(&Timespec::default()))) == Ok(1)
}

/// What runs `script` as the system's shell does.
pub(crate) fn shell(script: &OsStr) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script);
    shell
}

/// A borrowed file descriptor.
pub type BorrowedDescriptor<'a> = BorrowedFd<'a>;

/// An owned file descriptor.
pub type OwnedDescriptor = OwnedFd;

/// A file, a socket, an end of a pipe: whatever owns a file descriptor.
impl<T: Into<OwnedFd>> From<T> for Redirect {
    fn from(descriptor: T) -> Self {
        Self::Descriptor(descriptor.into().into())
    }
}

/// The status of a child that ended by itself with `code`, of which Unix keeps the low eight bits.
pub(crate) fn exit_status(code: i32) -> ExitStatus {
    ExitStatus::from_raw((code & 0xff) << 8)
}

/// The signal that ended the child.
pub(crate) fn exit_signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// The status of a child that was ended by a signal.
fn signal_status(signal: i32, core_dumped: bool) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    ExitStatus::from_raw(if core_dumped {
        signal | CORE_DUMPED
    } else {
        signal
    })
}

/// The child was ended by a write to a pipe without a reader (`SIGPIPE`).
pub(crate) fn is_broken_pipe_signal(status: ExitStatus) -> bool {
    status.signal() == Some(rustix::process::Signal::PIPE.as_raw())
}

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// The process group of a process; none for one of another PID namespace, which the system calls 0.
fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: it takes a number and touches no memory of ours.
    Pid::from_raw(unsafe { libc::getpgid(raw(pid)) }.max(0))
}

/// The session of a process, or ours; 0 for one of another PID namespace.
fn session_of(pid: Option<Pid>) -> Option<i32> {
    // SAFETY: it takes a number and touches no memory of ours.
    let session = unsafe { libc::getsid(pid.map_or(0, raw)) };
    (session >= 0).then_some(session)
}

/// Makes sure that a child gets a file as its stream alone, and not under the file's own number too.
pub(crate) fn close_on_exec(redirect: &Redirect) {
    let Redirect::Descriptor(file) = redirect else {
        return;
    };
    // Neither call fails on a descriptor that is open.
    if let Ok(flags) = fcntl_getfd(file) {
        if !flags.contains(FdFlags::CLOEXEC) {
            let _ = fcntl_setfd(file, flags | FdFlags::CLOEXEC);
        }
    }
}

/// The lowest number that is not one of stdin, stdout and stderr.
const ABOVE_STDIO: i32 = 3;

/// The same descriptor under a number above those of stdin, stdout and stderr. In a process that has closed one of these a new
/// descriptor takes its number, and with it all that is read or written there.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    Ok(match fd.as_raw_fd() {
        ABOVE_STDIO.. => fd,
        _ => fcntl_dupfd_cloexec(&fd, ABOVE_STDIO)?,
    })
}

/// Nothing can be waited for outside a runtime.
fn check_runtime() -> io::Result<()> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(Kind::NoRuntimeToWait).into()),
    }
}

/// A descriptor that is open, and stays the same, until the value is dropped.
trait Owned: AsRawFd + Sized {
    /// Another descriptor to the same.
    fn duplicate(&self) -> io::Result<Self>;
}

impl Owned for OwnedFd {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(fcntl_dupfd_cloexec(self, ABOVE_STDIO)?)
    }
}

/// Puts a descriptor whose runtime has shut down on the reactor of the one that this is called in.
fn move_here<T: Owned>(fd: &mut AsyncFd<T>, interest: Interest) -> io::Result<()> {
    check_runtime()?;
    // A copy, for the `AsyncFd` keeps its own until it is dropped.
    *fd = register(fd.get_ref().duplicate()?, interest)?;
    Ok(())
}

/// Puts a descriptor on the reactor of the runtime that this is called in.
fn register<T: Owned>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: an `Owned` is open, and stays the same descriptor until it is dropped. Nothing here takes it
    // out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

// Here, because what the README runs are programs of Unix.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
