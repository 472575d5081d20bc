//! By the system's own lists. A process is held by the time of its start: there is nothing like a pidfd here.

use rustix::process::Pid;

use super::{super::raw, super::send, Entry};

/// A process, told from another that has its number later by when it was started.
#[derive(Debug)]
pub(super) struct Hold {
    pid: Pid,
    started: Started,
}

/// Seconds and microseconds.
type Started = (i64, i64);

impl Hold {
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let (_, started) = system::info(pid)?;
        Some(Self { pid, started })
    }

    pub(super) fn is_alive(&self) -> bool {
        system::info(self.pid)
            .is_some_and(|(entry, started)| started == self.started && !entry.is_zombie)
    }

    pub(super) fn signal(&self, number: i32) {
        if self.is_alive() {
            let _ = send::to_process(self.pid, number);
        }
    }

    /// No descendant becomes a child of ours.
    pub(super) fn reap_adopted(&self) -> bool {
        true
    }

    /// Its members are signalled one by one.
    pub(super) fn signal_group(&self, _: i32) {}
}

/// Who is whose child.
#[derive(Debug, Default)]
pub(super) struct Lists {}

impl Lists {
    pub(super) fn children(&mut self, parent: Pid) -> Vec<Pid> {
        system::children(parent)
    }
}

/// The members of a group.
pub(super) fn members(group: Pid) -> Option<Vec<(Pid, Entry)>> {
    let members = system::members(group).into_iter();
    let members = members.filter_map(|pid| Some((pid, entry(pid)?)));
    Some(
        members
            .filter(|(_, entry)| entry.group == raw(group))
            .collect(),
    )
}

pub(super) fn entry(pid: Pid) -> Option<Entry> {
    Some(system::info(pid)?.0)
}

#[cfg(target_vendor = "apple")]
mod system {
    use std::mem::MaybeUninit;

    use super::{Entry, Pid, Started, raw};

    pub(super) fn children(parent: Pid) -> Vec<Pid> {
        // SAFETY: it writes at most as many bytes as it is told.
        list(|buffer, size| unsafe { libc::proc_listchildpids(raw(parent), buffer, size) })
    }

    pub(super) fn members(group: Pid) -> Vec<Pid> {
        // SAFETY: it writes at most as many bytes as it is told.
        list(|buffer, size| unsafe { libc::proc_listpgrppids(raw(group), buffer, size) })
    }

    /// `call` gives how many numbers it has written.
    fn list(call: impl Fn(*mut libc::c_void, i32) -> i32) -> Vec<Pid> {
        let mut numbers = vec![0_i32; 64];
        loop {
            let size = i32::try_from(size_of_val(&numbers[..])).unwrap_or(i32::MAX);
            let written = usize::try_from(call(numbers.as_mut_ptr().cast(), size)).unwrap_or(0);
            // A list that fills the buffer may be longer.
            if written < numbers.len() {
                let written = &numbers[..written];
                return written.iter().filter_map(|n| Pid::from_raw(*n)).collect();
            }
            numbers.resize(numbers.len() * 4, 0);
        }
    }

    pub(super) fn info(pid: Pid) -> Option<(Entry, Started)> {
        let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
        let size = size_of::<libc::proc_bsdinfo>() as i32;
        let flavor = libc::PROC_PIDTBSDINFO;
        // SAFETY: it writes at most `size` bytes, and the buffer has as many.
        let written =
            unsafe { libc::proc_pidinfo(raw(pid), flavor, 0, info.as_mut_ptr().cast(), size) };
        if written != size {
            return None;
        }
        // SAFETY: it has been written in full, and any bytes are a valid `proc_bsdinfo`.
        let info = unsafe { info.assume_init() };
        let entry = Entry {
            parent: info.pbi_ppid as i32,
            group: info.pbi_pgid as i32,
            is_zombie: info.pbi_status == libc::SZOMB,
            may_fork: ![libc::SSTOP, libc::SZOMB].contains(&info.pbi_status),
        };
        let started = (info.pbi_start_tvsec as i64, info.pbi_start_tvusec as i64);
        Some((entry, started))
    }
}

#[cfg(target_os = "freebsd")]
mod system {
    use std::ptr;

    use super::{Entry, Pid, Started, raw};

    pub(super) fn children(parent: Pid) -> Vec<Pid> {
        let all = processes(libc::KERN_PROC_PROC, 0);
        let children = all.iter().filter(|info| info.ki_ppid == raw(parent));
        children
            .filter_map(|info| Pid::from_raw(info.ki_pid))
            .collect()
    }

    pub(super) fn members(group: Pid) -> Vec<Pid> {
        let members = processes(libc::KERN_PROC_PGRP, raw(group));
        let pids = members.iter().map(|info| info.ki_pid);
        pids.filter_map(Pid::from_raw).collect()
    }

    pub(super) fn info(pid: Pid) -> Option<(Entry, Started)> {
        let processes = processes(libc::KERN_PROC_PID, raw(pid));
        let info = processes.first()?;
        let entry = Entry {
            parent: info.ki_ppid,
            group: info.ki_pgid,
            is_zombie: info.ki_stat == libc::SZOMB,
            may_fork: ![libc::SSTOP, libc::SZOMB].contains(&info.ki_stat),
        };
        #[allow(clippy::unnecessary_cast)] // 32 bits on some.
        let started = (info.ki_start.tv_sec as i64, info.ki_start.tv_usec as i64);
        Some((entry, started))
    }

    fn processes(which: i32, number: i32) -> Vec<libc::kinfo_proc> {
        const SIZE: usize = size_of::<libc::kinfo_proc>();
        let name = [libc::CTL_KERN, libc::KERN_PROC, which, number];
        // The list of all processes takes no number.
        let length = if which == libc::KERN_PROC_PROC { 3 } else { 4 };
        let mut list: Vec<libc::kinfo_proc> = Vec::with_capacity(16);
        loop {
            let mut size = list.capacity() * SIZE;
            // SAFETY: the name has at least `length` numbers, and at most `size` bytes are written, which is the capacity.
            let failed = unsafe {
                libc::sysctl(
                    name.as_ptr(),
                    length,
                    list.as_mut_ptr().cast(),
                    &mut size,
                    ptr::null(),
                    0,
                )
            };
            if failed == 0 {
                // SAFETY: so many have been written, and any bytes are a valid `kinfo_proc`.
                unsafe { list.set_len(size / SIZE) };
                return list;
            }
            let more = std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOMEM);
            if !more || list.capacity() > 1 << 20 {
                return Vec::new();
            }
            list.reserve(list.capacity() * 4);
        }
    }
}
