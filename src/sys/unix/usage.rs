//! Reaps a child and learns what it used: `wait4(2)`, which rustix does not have.

#[cfg(target_os = "linux")]
use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};
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

fn usage(used: &libc::rusage) -> Usage {
    Usage {
        user: duration(used.ru_utime),
        system: duration(used.ru_stime),
        max_resident: Some(resident(used)).filter(|bytes| is_own(*bytes)),
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
