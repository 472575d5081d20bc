//! Reaps a child and learns what it used: `wait4(2)`, and `waitid(2)` with its fifth argument, which rustix does not have.

#[cfg(target_os = "linux")]
use std::{
    fs,
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{AtomicU64, Ordering},
};
use std::{
    io, mem::MaybeUninit, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration,
};

use rustix::{io::Errno, process::Pid};

use super::raw;
use crate::output::Usage;

/// What the system counts resident memory in.
const UNIT: u64 = if cfg!(target_vendor = "apple") {
    1
} else {
    1024
};

/// Reaps the child if it has exited.
pub(super) fn reap(pid: Pid) -> Result<Option<(ExitStatus, Usage)>, Errno> {
    let mut status = 0;
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to memory of ours, as large as they say, that outlives the call.
    let reaped = unsafe { libc::wait4(raw(pid), &mut status, libc::WNOHANG, used.as_mut_ptr()) };
    match reaped {
        0 => Ok(None),
        ..0 => Err(last_error()),
        // SAFETY: all zeros are a valid `rusage`, whatever the call has written of it.
        _ => Ok(Some((
            ExitStatus::from_raw(status),
            usage(unsafe { used.assume_init_ref() }),
        ))),
    }
}

/// Reaps the child if it has exited, and never another one to which its number was given meanwhile.
#[cfg(target_os = "linux")]
pub(super) fn reap_by_pidfd(pidfd: BorrowedFd<'_>) -> Result<Option<(ExitStatus, Usage)>, Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut used = KernelUsage::default();
    // The libc's `waitid(2)` leaves out the last argument.
    // SAFETY: both pointers are to memory of ours, as large as the kernel takes it to be, that outlives the call.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOHANG,
            &raw mut used,
        )
    };
    if failed != 0 {
        return Err(last_error());
    }
    // SAFETY: all zeros are a valid `siginfo_t`, and the call has written one of `SIGCHLD`, or left it.
    let (pid, status, code) = unsafe {
        let info = info.assume_init_ref();
        (info.si_pid(), info.si_status(), info.si_code)
    };
    if pid == 0 {
        return Ok(None);
    }
    let status = match code {
        libc::CLD_EXITED => super::exit_status(status),
        libc::CLD_DUMPED => super::signal_status(status, true),
        _ => super::signal_status(status, false),
    };
    Ok(Some((status, used.into())))
}

/// The kernel's own `struct rusage`: the libc's may have wider times.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct KernelUsage {
    user: [libc::c_long; 2],
    system: [libc::c_long; 2],
    max_resident: libc::c_long,
    rest: [libc::c_long; 13],
}

#[cfg(target_os = "linux")]
impl From<KernelUsage> for Usage {
    #[allow(clippy::useless_conversion)] // `c_long` has 32 or 64 bits.
    fn from(used: KernelUsage) -> Self {
        let time = |[seconds, micros]: [libc::c_long; 2]| duration(seconds.into(), micros.into());
        let resident = resident(used.max_resident.into());
        Self {
            user: time(used.user),
            system: time(used.system),
            max_resident: Some(resident).filter(|bytes| is_own(*bytes)),
        }
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Whether a child that had so many bytes resident can have had them itself.
///
/// On Linux a child shares its parent's memory until its `execve(2)`, and the peak of that is then in its account.
/// (That of `getrusage(2)` is no measure of it: it is handed down from program to program.)
#[cfg(target_os = "linux")]
fn is_own(bytes: u64) -> bool {
    /// A peak only rises, so it is read again only by a child that was above it.
    static OUR_PEAK: AtomicU64 = AtomicU64::new(0);
    if bytes <= OUR_PEAK.load(Ordering::Relaxed) {
        return false;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    let peak = kib.map_or(u64::MAX, |kib: u64| kib * UNIT);
    // The kernel counts in lots, one for each processor, so the two differ by a little.
    let peak = peak.saturating_add((peak / 16).max(4 << 20));
    OUR_PEAK.fetch_max(peak, Ordering::Relaxed);
    bytes > peak
}

#[cfg(not(target_os = "linux"))]
fn is_own(_: u64) -> bool {
    true
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // The types differ by platform.
fn usage(used: &libc::rusage) -> Usage {
    let time = |time: libc::timeval| duration(time.tv_sec as i64, time.tv_usec as i64);
    Usage {
        user: time(used.ru_utime),
        system: time(used.ru_stime),
        max_resident: Some(resident(used.ru_maxrss as i64)).filter(|bytes| is_own(*bytes)),
    }
}

fn resident(units: i64) -> u64 {
    u64::try_from(units).unwrap_or_default() * UNIT
}

fn duration(seconds: i64, micros: i64) -> Duration {
    let seconds = seconds.try_into().unwrap_or_default();
    let micros = micros.try_into().unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
