//! By `/proc` and pidfds.

use std::{
    fs::{self, File},
    io::Read,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, WaitId, WaitIdOptions, child_subreaper, getpid, pidfd_open, waitid,
    },
};

use super::{super::send, Entry};

/// A process that cannot be mistaken for another, nor can its group, which it leads.
#[derive(Debug)]
pub(super) struct Hold {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Hold {
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        Some(Self { pid, pidfd })
    }

    pub(super) fn is_alive(&self) -> bool {
        let mut exited = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut exited, Some(&Timespec::default())) == Ok(0)
    }

    pub(super) fn signal(&self, number: i32) {
        let sent = send::to_pidfd(self.pidfd.as_fd(), number);
        // A sandbox may forbid what the other call may do. The number is its own as long as it is alive.
        if matches!(sent, Err(Errno::NOSYS | Errno::PERM)) && self.is_alive() {
            let _ = send::to_process(self.pid, number);
        }
    }

    /// Reaps it if it has become a child of ours; whether it needs no reaping by us any more.
    pub(super) fn reap_adopted(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
            Ok(status) => status.is_some(),
            // It is another's, and may become ours as long as it exists.
            Err(Errno::CHILD) => {
                !adopts() || send::to_pidfd(self.pidfd.as_fd(), 0) == Err(Errno::SRCH)
            }
            Err(_) => true,
        }
    }

    /// Before Linux 6.9 it reaches nobody.
    pub(super) fn signal_group(&self, number: i32) {
        let _ = send::to_group_of_pidfd(self.pidfd.as_fd(), number);
    }
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
        let Ok(threads) = fs::read_dir(folder(parent).join("task")) else {
            return Vec::new();
        };
        let mut children = Vec::new();
        for thread in threads.flatten() {
            match fs::read_to_string(thread.path().join("children")) {
                Ok(list) => children.extend(list.split_whitespace().filter_map(pid)),
                // The thread has ended.
                Err(_) if !thread.path().exists() => {}
                // Only a kernel with `CONFIG_PROC_CHILDREN` has these lists.
                Err(_) => return children_among(self.all.insert(all().collect()), parent),
            }
        }
        children
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
    Some(Entry {
        is_zombie: matches!(fields.next()?, "Z" | "X"),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
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
    fs::read_link("/proc/self").is_ok_and(|pid| pid == Path::new(&process::id().to_string()))
}

fn folder(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", super::super::raw(pid)))
}

fn pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}
