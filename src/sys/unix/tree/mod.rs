//! [`Tree`]: the live descendants of a child, wherever they are.
//!
//! A process group misses those who have left it: a job of a shell with job control, what `timeout(1)` runs, a child that
//! Node has detached. They are found by their ancestry. A number alone may be another process's by the time it is used,
//! so each is held: on Linux by a pidfd, elsewhere by the time of its start, and it is taken for a descendant only if it
//! was still its parent's child, and the parent still alive, when it was held. Out of reach is who has lost its parent
//! before it was found, as a daemon has that forked twice.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
mod bsd;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use bsd as system;

#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd")))]
mod none;
#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd")))]
use none as system;

use rustix::process::{Pid, Signal};

use super::reaper::Orphan;
use system::Hold;

/// What is known of a process.
#[derive(Debug, Clone, Copy)]
struct Entry {
    parent: i32,
    group: i32,
    is_zombie: bool,
    /// It is neither dead, nor stopped, nor held in the system.
    may_fork: bool,
}

/// The descendants of a child that have been found so far: those that are alive, or may need to be reaped by this process.
#[derive(Debug, Default)]
pub(super) struct Tree {
    found: Vec<Descendant>,
}

#[derive(Debug)]
struct Descendant {
    pid: Pid,
    hold: Hold,
}

impl Tree {
    /// Looks for descendants of `root`, an unreaped child of ours, and of those found before; whether there are new ones.
    pub(super) fn grow(&mut self, root: Option<Pid>) -> bool {
        self.found
            .retain(|found| found.hold.is_alive() || !found.hold.reap_adopted());
        let before = self.found.len();
        let mut lists = system::Lists::default();
        if let Some(root) = root {
            self.add_children(&mut lists, root, |_| true);
        }
        let mut at = 0;
        while let Some(parent) = self.found.get(at) {
            self.add_children(&mut lists, parent.pid, |tree| {
                tree.found[at].hold.is_alive()
            });
            at += 1;
        }
        self.found.len() > before
    }

    fn add_children(
        &mut self,
        lists: &mut system::Lists,
        parent: Pid,
        is_alive: impl Fn(&Self) -> bool,
    ) {
        for pid in lists.children(parent) {
            if self.found.iter().any(|known| known.pid == pid) {
                continue;
            }
            let Some(hold) = Hold::of(pid) else { continue };
            // In this order: what is held is the process that the entry tells of, and its parent has not been
            // replaced by another with the same number.
            let is_child = system::entry(pid)
                .is_some_and(|entry| entry.parent == super::raw(parent))
                && hold.is_alive()
                && is_alive(self);
            if is_child {
                self.found.push(Descendant { pid, hold });
            }
        }
    }

    /// Whether one of those that were found is still alive.
    pub(super) fn is_alive(&self) -> bool {
        self.found.iter().any(|found| found.hold.is_alive())
    }

    /// Whether one of those that were found and are not in `group` may be in the middle of starting another. A signal for it alone,
    /// `SIGSTOP` too, waits until its `fork(2)` is done, and the new process does not get it; one for a group reaches that too.
    pub(super) fn may_fork(&self, group: Option<Pid>) -> bool {
        self.found.iter().any(|Descendant { pid, hold }| {
            let is_outside = || group.is_none() || super::group_of(*pid) != group;
            system::entry(*pid).is_some_and(|entry| entry.may_fork)
                && is_outside()
                && hold.is_alive()
        })
    }

    /// Sends a signal to all that were found and are not in `group`, to children before their parents. What cannot be
    /// delivered is left.
    pub(super) fn signal_outside(&self, group: Option<Pid>, number: i32) {
        for Descendant { pid, hold } in self.found.iter().rev() {
            let its_group = super::group_of(*pid);
            if group.is_some() && its_group == group {
                continue;
            }
            // A child that it is about to start is in its group already.
            if number == Signal::KILL.as_raw() && its_group == Some(*pid) {
                hold.signal_group(number);
            }
            hold.signal(number);
        }
    }
}

/// Reaps those that became children of ours when their parent ended.
impl Orphan for Tree {
    fn reap(&mut self) -> bool {
        self.found.retain(|found| !found.hold.reap_adopted());
        self.found.is_empty()
    }
}

/// Whether `group` has a member that is not a zombie, apart from `except`; `None` where that cannot be told.
pub(super) fn has_live_members(group: Pid, except: Option<Pid>) -> Option<bool> {
    let mut members = system::members(group)?.into_iter();
    Some(members.any(|(pid, entry)| Some(pid) != except && !entry.is_zombie))
}
