//! Unix: pipes on the reactor, `posix_spawn`, process groups, exit seen by pidfd or SIGCHLD.

mod fault;
mod fork;
mod format;
mod group;
mod grown;
mod guardian;
mod outlet;
mod pipe;
mod populate;
mod process;
mod reaper;
mod send;
mod signals;
mod spawn;
mod tree;
mod usage;
mod writers;

use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
};

use rustix::process::Pid;
use tokio::io::{Interest, unix::AsyncFd};

pub(crate) use fault::fault;
pub(crate) use grown::{Grown as PipeGrowth, set_pipe_budget};
pub(crate) use outlet::Outlet;
pub(crate) use pipe::{PipeReader, PipeWriter};
pub(crate) use process::Process;
pub(crate) use send::signal_name;
pub(crate) use spawn::{spawn, stage_pipe};

/// A borrowed file descriptor.
pub type BorrowedDescriptor<'a> = BorrowedFd<'a>;

/// The status of a child that ended by itself with `code`, of which Unix keeps the low eight bits.
pub(crate) fn exit_status(code: i32) -> ExitStatus {
    ExitStatus::from_raw((code & 0xff) << 8)
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

/// The child was ended because nobody read its output any more.
pub(crate) fn is_broken_pipe_signal(status: ExitStatus) -> bool {
    status.signal() == Some(rustix::process::Signal::PIPE.as_raw())
}

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// A descriptor that is open, and stays the same, until the value is dropped.
trait Owned: AsRawFd {}

impl Owned for OwnedFd {}

/// Puts a descriptor on the reactor.
fn register<T: Owned>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: an `Owned` is open, and stays the same descriptor until it is dropped. Nothing here takes it
    // out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

// Here, because what the README runs are programs of Unix.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
