//! Sends signals by number, those of real time too, which rustix leaves to the libc.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::{io, os::fd::BorrowedFd};

use rustix::{io::Errno, process::Pid};

use super::raw;

pub(super) fn to_process(pid: Pid, number: i32) -> Result<(), Errno> {
    kill(raw(pid), number)
}

pub(super) fn to_group(group: Pid, number: i32) -> Result<(), Errno> {
    kill(-raw(group), number)
}

/// Safe even if other code reaps the child at this moment.
pub(super) fn to_pidfd(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    by_pidfd(pidfd, number, 0)
}

/// To the group that the process leads or has led, also when it has been reaped and its number is another's. `INVAL` before
/// Linux 6.9.
pub(super) fn to_group_of_pidfd(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
    by_pidfd(pidfd, number, PIDFD_SIGNAL_PROCESS_GROUP)
}

#[cfg(target_os = "linux")]
fn by_pidfd(pidfd: BorrowedFd<'_>, number: i32, flags: libc::c_uint) -> Result<(), Errno> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open, and for a null pointer the kernel fills in what `kill(2)` would.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            number,
            no_info,
            flags,
        )
    })
}

/// There is no such call here.
#[cfg(not(target_os = "linux"))]
fn by_pidfd(_: BorrowedFd<'_>, _: i32, _: libc::c_uint) -> Result<(), Errno> {
    Err(Errno::NOSYS)
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
