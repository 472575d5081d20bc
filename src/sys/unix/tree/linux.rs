//! By `/proc`, and pidfds as far as there are enough descriptors.

use std::{
    fs::{self, File},
    io::Read,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    event::PollFlags,
    io::Errno,
    process::{
        Pid, PidfdFlags, Resource, WaitId, WaitIdOptions, child_subreaper, getpid, getrlimit,
        pidfd_open, waitid,
    },
};

use super::{
    super::{is_ready, send},
    Entry,
};

/// A process that is not mistaken for another that has its number later.
#[derive(Debug)]
pub(super) enum Hold {
    /// Nor is its group, if it leads one.
    Pidfd(Pid, OwnedFd),
    /// Told by when it was started, in ticks of the clock.
    Started(Pid, u64),
}

impl Hold {
    pub(super) fn of(pid: Pid) -> Option<Self> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) if is_affordable(&pidfd) => return Some(Self::Pidfd(pid, pidfd)),
            Err(Errno::SRCH) => return None,
            // There may be none at all, as in a sandbox.
            Ok(_) | Err(_) => {}
        }
        let (entry, started) = stat(pid)?;
        (!entry.is_zombie).then_some(Self::Started(pid, started))
    }

    pub(super) fn is_alive(&self) -> bool {
        match self {
            Self::Pidfd(_, pidfd) => !is_ready(pidfd.as_fd(), PollFlags::IN),
            Self::Started(pid, then) => {
                stat(*pid).is_some_and(|(entry, started)| started == *then && !entry.is_zombie)
            }
        }
    }

    pub(super) fn signal(&self, number: i32) {
        let pid = match self {
            Self::Pidfd(pid, pidfd) => match send::to_pidfd(pidfd.as_fd(), number) {
                // A sandbox may forbid what the other call may do. The number is its own as long as it is alive.
                Err(Errno::NOSYS | Errno::PERM) => pid,
                _ => return,
            },
            Self::Started(pid, _) => pid,
        };
        if self.is_alive() {
            let _ = send::to_process(*pid, number);
        }
    }

    /// Reaps it if it has become a child of ours; whether it needs no reaping by us any more.
    pub(super) fn reap_adopted(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let (status, exists) = match self {
            Self::Pidfd(_, pidfd) => (
                waitid(WaitId::PidFd(pidfd.as_fd()), options),
                send::to_pidfd(pidfd.as_fd(), 0) != Err(Errno::SRCH),
            ),
            Self::Started(pid, then) => match stat(*pid) {
                Some((_, started)) if started == *then => {
                    (waitid(WaitId::Pid(*pid), options), true)
                }
                _ => return true,
            },
        };
        match status {
            Ok(status) => status.is_some(),
            // It is another's, and may become ours as long as it exists.
            Err(Errno::CHILD) => !adopts() || !exists,
            Err(_) => true,
        }
    }

    /// To the group that it leads. By a pidfd it reaches no process before Linux 6.9.
    pub(super) fn signal_group(&self, number: i32) {
        let _ = match self {
            Self::Pidfd(_, pidfd) => send::to_group_of_pidfd(pidfd.as_fd(), number),
            Self::Started(pid, _) if self.is_alive() => send::to_group(*pid, number),
            Self::Started(..) => Ok(()),
        };
    }
}

/// A large tree must not take all the descriptors that this process may have. The system gives the lowest number that is free.
fn is_affordable(fd: &OwnedFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current;
    let number = u64::try_from(fd.as_raw_fd()).unwrap_or(u64::MAX);
    limit.is_none_or(|limit| number < limit / 2)
}

/// Whether descendants that lose their parent become children of this process.
fn adopts() -> bool {
    getpid() == Pid::INIT || matches!(child_subreaper(), Ok(Some(_)))
}

/// Who is whose child.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// All processes, where each has no list of its children.
    all: Option<Vec<(Pid, Entry)>>,
}

impl Lists {
    /// The children of a process. Those of each of its threads are listed apart.
    pub(super) fn children(&mut self, parent: Pid) -> Vec<Pid> {
        if self.all.is_none() && !is_ours() {
            return Vec::new();
        }
        if let Some(all) = &self.all {
            return children_among(all, parent);
        }
        let mut children = Vec::new();
        for thread in threads(parent) {
            match fs::read_to_string(thread.join("children")) {
                Ok(list) => children.extend(list.split_whitespace().filter_map(pid)),
                // The thread has ended.
                Err(_) if !thread.exists() => {}
                // Only a kernel with `CONFIG_PROC_CHILDREN` has these lists.
                Err(_) => return children_among(self.all.insert(all().collect()), parent),
            }
        }
        children
    }
}

/// A folder for each thread. That nearly every process has only one is told by the number of links, without a listing.
fn threads(process: Pid) -> Vec<PathBuf> {
    const OF_ONE_THREAD: u64 = 3;
    let all = folder(process).join("task");
    match fs::metadata(&all) {
        Ok(folder) if folder.nlink() == OF_ONE_THREAD => {
            vec![all.join(super::super::raw(process).to_string())]
        }
        _ => {
            let threads = fs::read_dir(all).into_iter().flatten().flatten();
            threads.map(|thread| thread.path()).collect()
        }
    }
}

fn children_among(all: &[(Pid, Entry)], parent: Pid) -> Vec<Pid> {
    let parent = super::super::raw(parent);
    let children = all.iter().filter(|(_, entry)| entry.parent == parent);
    children.map(|(pid, _)| *pid).collect()
}

/// The members of a group.
pub(super) fn members(group: Pid) -> Option<Vec<(Pid, Entry)>> {
    let group = super::super::raw(group);
    is_ours().then(|| all().filter(|(_, entry)| entry.group == group).collect())
}

pub(super) fn entry(pid: Pid) -> Option<Entry> {
    Some(stat(pid)?.0)
}

/// With when it was started.
fn stat(pid: Pid) -> Option<(Entry, u64)> {
    // One read has all of it at once, and more than is asked for here.
    let mut buffer = [0; 512];
    let length = (File::open(folder(pid).join("stat")).ok()?)
        .read(&mut buffer)
        .ok()?;
    let stat = &buffer[..length];
    // The name, in parentheses, may hold anything.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let entry = Entry {
        is_zombie: matches!(state, "Z" | "X"),
        may_fork: matches!(state, "R" | "S"),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    };
    // `starttime`, the 22nd field of proc_pid_stat(5); the fifth was the last one so far.
    let started = fields.nth(16)?.parse().ok()?;
    Some((entry, started))
}

fn all() -> impl Iterator<Item = (Pid, Entry)> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| {
        let pid = pid(folder.file_name().to_str()?)?;
        Some((pid, entry(pid)?))
    })
}

/// In a PID namespace of its own a process may still see the `/proc` of another one, whose numbers are not ours.
fn is_ours() -> bool {
    /// The process that has seen that it is. It stays so; a copy of it, made by `fork(2)`, may be in another namespace.
    static SEEN_BY: AtomicU32 = AtomicU32::new(0);
    let own = process::id();
    if SEEN_BY.load(Ordering::Relaxed) == own {
        return true;
    }
    let is_ours = fs::read_link("/proc/self").is_ok_and(|pid| pid == Path::new(&own.to_string()));
    if is_ours {
        SEEN_BY.store(own, Ordering::Relaxed);
    }
    is_ours
}

fn folder(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", super::super::raw(pid)))
}

fn pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}
