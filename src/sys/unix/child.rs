//! [`Child`]: whom system calls about a child of ours are to mean.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid},
};

use super::{send, usage};
use crate::output::Usage;

/// A pidfd is never another child's, as a number may be if other code has reaped this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) pid: Pid,
    pub(super) pidfd: Option<BorrowedFd<'a>>,
}

/// Readable when the child has exited; none where the kernel (before 5.3, or a sandbox) has no such thing.
#[cfg(target_os = "linux")]
pub(super) fn open_pidfd(pid: Pid) -> Option<OwnedFd> {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    super::above_stdio(pidfd).ok()
}

/// No such descriptor here.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

impl Child<'_> {
    /// Asks without waiting.
    pub(super) fn waitid(self, options: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
        let options = options | WaitIdOptions::NOHANG;
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = self.pidfd {
            match waitid(WaitId::PidFd(pidfd), options) {
                // Linux 5.3 has pidfds, but does not wait by them.
                Err(Errno::INVAL) => {}
                status => return status,
            }
        }
        waitid(WaitId::Pid(self.pid), options)
    }

    /// Its status if it has exited, without reaping it.
    pub(super) fn observe(self) -> Result<Option<WaitIdStatus>, Errno> {
        self.waitid(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    }

    /// Waits a moment for an exit that is sure to come.
    pub(super) fn await_exit(self, limit: Duration) {
        let Some(pidfd) = self.pidfd else {
            let end = Instant::now() + limit;
            while matches!(self.observe(), Ok(None)) && Instant::now() < end {
                thread::sleep(limit / 20);
            }
            return;
        };
        let mut exited = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        let limit = Timespec::try_from(limit).ok();
        let _ = retry_on_intr(|| poll(&mut exited, limit.as_ref()));
    }

    /// Reaps it if it has exited.
    pub(super) fn reap(self) -> Result<Option<(ExitStatus, Usage)>, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = self.pidfd {
            match usage::reap_by_pidfd(pidfd) {
                Err(Errno::INVAL) => {}
                reaped => return reaped,
            }
        }
        usage::reap(self.pid)
    }

    pub(super) fn signal(self, number: i32) -> Result<(), Errno> {
        match self.pidfd.map(|pidfd| send::to_pidfd(pidfd, number)) {
            // A sandbox may forbid what the other call may do.
            None | Some(Err(Errno::NOSYS | Errno::PERM)) => send::to_process(self.pid, number),
            Some(sent) => sent,
        }
    }

    /// To the group that it leads.
    pub(super) fn signal_group(self, number: i32) -> Result<(), Errno> {
        match self.signal_group_by_pidfd(number) {
            None | Some(Err(Errno::INVAL | Errno::NOSYS | Errno::PERM)) => {
                send::to_group(self.pid, number)
            }
            Some(sent) => sent,
        }
    }

    /// To the group that it leads or has led, also when its number may be another's: that needs Linux 6.9.
    pub(super) fn signal_group_by_pidfd(self, number: i32) -> Option<Result<(), Errno>> {
        self.pidfd
            .map(|pidfd| send::to_group_of_pidfd(pidfd, number))
    }
}
