//! Windows: overlapped pipes whose waits the system's thread pool ends, job objects, exit seen by a wait of that pool.

mod exit;
mod fault;
mod job;
mod outlet;
mod overlapped;
mod pipe;
mod process;
mod program;
mod security;
mod spawn;
mod usage;

use std::{
    ffi::OsStr,
    io,
    ops::RangeInclusive,
    os::windows::{
        io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle},
        process::ExitStatusExt,
    },
    process::ExitStatus,
};

use tokio::process::{Child, Command};
use windows_sys::Win32::Foundation::{
    HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
};

use crate::{signal::Signal, stdio::Redirect};

pub(crate) use fault::fault;
pub(crate) use outlet::Outlet;
pub(crate) use pipe::{PipeGrowth, PipeReader, PipeWriter, stage_pipe};
pub(crate) use process::Process;
pub(crate) use spawn::spawn;

/// What runs `script` as the system's shell does.
pub(crate) fn shell(script: &OsStr) -> Command {
    let mut shell = Command::new("cmd");
    // Without the commands that the registry has it run first. What is between the outer quotes is taken as it stands: `cmd /?`.
    shell.raw_arg("/D /S /C \"").raw_arg(script).raw_arg("\"");
    shell
}

/// A child is given the handles that are its own, and no other's.
#[derive(Debug)]
pub(crate) enum Siblings {}

impl Siblings {
    pub(crate) fn may_hold(&self) -> bool {
        match *self {}
    }
}

/// A borrowed handle.
pub type BorrowedDescriptor<'a> = BorrowedHandle<'a>;

/// An owned handle.
pub type OwnedDescriptor = OwnedHandle;

/// A file, an end of a pipe: whatever owns a handle.
impl<T: Into<OwnedHandle>> From<T> for Redirect {
    fn from(handle: T) -> Self {
        Self::Descriptor(handle.into().into())
    }
}

/// The exit code of a child that was killed, as the task manager gives.
const KILLED: u32 = 1;

/// The status of a child that ended by itself with `code`: a code above `i32::MAX` is the same as a negative one.
pub(crate) fn exit_status(code: i32) -> ExitStatus {
    ExitStatus::from_raw(code as u32)
}

/// There are no signals here.
pub(crate) fn exit_signal(_: ExitStatus) -> Option<i32> {
    None
}

/// There are no signals here: how a child ends whose output is not read is its own affair.
pub(crate) fn is_broken_pipe_signal(_: ExitStatus) -> bool {
    false
}

/// A child that tokio has started: its handle tells it apart.
#[derive(Debug)]
pub(crate) struct Foreign;

impl Foreign {
    pub(crate) fn of(_: &Child) -> Self {
        Self
    }

    /// It can be killed, and no more.
    #[allow(clippy::unused_self)] // As on Unix.
    pub(crate) fn signal(&self, child: &mut Child, signal: Signal) -> io::Result<()> {
        match signal {
            _ if child.id().is_none() => Ok(()),
            Signal::KILL => child.start_kill(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// By name, those that have a constant: the system itself has none.
pub(crate) const SIGNALS: &[(&str, i32)] = &[
    ("SIGHUP", Signal::HUP.as_raw()),
    ("SIGINT", Signal::INT.as_raw()),
    ("SIGQUIT", Signal::QUIT.as_raw()),
    ("SIGKILL", Signal::KILL.as_raw()),
    ("SIGTERM", Signal::TERM.as_raw()),
];

/// There are none.
#[allow(clippy::reversed_empty_ranges)]
pub(crate) fn realtime_signals() -> RangeInclusive<i32> {
    1..=0
}

/// Pipes have a fixed size here.
pub(crate) fn set_pipe_budget(_: usize) {}

/// Makes sure that a child gets a file as its stream alone, and not as a handle of its own too.
pub(crate) fn close_on_exec(redirect: &Redirect) {
    if let Redirect::Descriptor(file) = redirect {
        // SAFETY: the handle is open. If the call fails the child has one handle more.
        unsafe { SetHandleInformation(file.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) };
    }
}

/// What most calls return: 0 if they failed.
fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The raw code of a system error.
fn code(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(|code| code as u32)
}

/// The handle that a call has returned.
///
/// # Safety
///
/// If the call succeeded it has just opened the handle, and this is its only owner.
unsafe fn opened(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the caller answers for it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The number of a process that is no copy.
pub(crate) const FIRST_GENERATION: u32 = 0;

/// There are no copies of a process here.
pub(crate) fn generation() -> u32 {
    FIRST_GENERATION
}
