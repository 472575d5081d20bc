//! Sends signals by number, those of real time too, which rustix leaves to the libc.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::{io::Errno, process::Pid};

use super::raw;

pub(super) fn to_process(pid: Pid, number: i32) -> Result<(), Errno> {
    kill(raw(pid), number)
}

pub(super) fn to_group(group: Pid, number: i32) -> Result<(), Errno> {
    kill(-raw(group), number)
}

/// Safe even if somebody else reaps the child at this moment.
#[cfg(target_os = "linux")]
pub(super) fn to_pidfd(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open, and for a null pointer the kernel fills in what `kill(2)` would.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            number,
            no_info,
            0,
        )
    })
}

fn kill(target: i32, number: i32) -> Result<(), Errno> {
    // SAFETY: it takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(target, number) })
}

fn check(result: impl Into<i64>) -> Result<(), Errno> {
    match result.into() {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}
