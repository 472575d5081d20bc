//! Reaps a child and learns what it used: `wait4(2)`, which rustix does not have.

use std::{
    io, mem::MaybeUninit, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration,
};

use rustix::process::Pid;

use super::raw;
use crate::output::Usage;

/// What the system counts resident memory in.
const UNIT: u64 = if cfg!(target_vendor = "apple") {
    1
} else {
    1024
};

/// Reaps the child if it has exited.
pub(super) fn reap(pid: Pid) -> io::Result<Option<(ExitStatus, Usage)>> {
    let mut status = 0;
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to memory of ours, as large as they say, that outlives the call.
    let reaped = unsafe { libc::wait4(raw(pid), &mut status, libc::WNOHANG, used.as_mut_ptr()) };
    match reaped {
        0 => Ok(None),
        ..0 => Err(io::Error::last_os_error()),
        // SAFETY: all zeros are a valid `rusage`, whatever the call has written of it.
        _ => Ok(Some((
            ExitStatus::from_raw(status),
            usage(unsafe { used.assume_init_ref() }),
        ))),
    }
}

/// The most memory that this process has had resident, in bytes.
pub(super) fn own_max_resident() -> u64 {
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of ours that is as large as a `rusage`.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, used.as_mut_ptr()) };
    // SAFETY: all zeros are a valid `rusage`, whatever the call has written of it.
    resident(unsafe { used.assume_init_ref() })
}

fn usage(used: &libc::rusage) -> Usage {
    Usage {
        user: duration(used.ru_utime),
        system: duration(used.ru_stime),
        max_resident: Some(resident(used)),
    }
}

fn resident(used: &libc::rusage) -> u64 {
    u64::try_from(used.ru_maxrss).unwrap_or_default() * UNIT
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = time.tv_sec.try_into().unwrap_or_default();
    let micros = time.tv_usec.try_into().unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
