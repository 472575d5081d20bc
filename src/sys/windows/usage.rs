//! What a child used, told by its handle.

use std::{
    mem::size_of,
    os::windows::io::{AsRawHandle, BorrowedHandle},
    time::Duration,
};

use windows_sys::Win32::{
    Foundation::FILETIME,
    System::{
        ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS},
        Threading::GetProcessTimes,
    },
};

use super::check;
use crate::output::Usage;

/// Nanoseconds in what a `FILETIME` counts.
const TICK: u64 = 100;

/// Of a process that has exited.
pub(super) fn usage(process: BorrowedHandle<'_>) -> Option<Usage> {
    let process = process.as_raw_handle();
    let [mut created, mut exited, mut system, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open, and the times outlive the call.
    check(unsafe { GetProcessTimes(process, &mut created, &mut exited, &mut system, &mut user) })
        .ok()?;
    let mut memory = PROCESS_MEMORY_COUNTERS::default();
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    // SAFETY: the handle is open, and `memory` is as large as is said and outlives the call.
    let known = check(unsafe { K32GetProcessMemoryInfo(process, &mut memory, size) });
    Some(Usage {
        user: duration(user),
        system: duration(system),
        max_resident: (known.ok())
            .map(|()| memory.PeakWorkingSetSize as u64)
            .filter(|&bytes| bytes > 0),
    })
}

fn duration(time: FILETIME) -> Duration {
    let ticks = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(ticks.saturating_mul(TICK))
}
