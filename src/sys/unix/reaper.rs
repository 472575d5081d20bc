//! Reaps children whose handle was dropped before they had exited.
//!
//! Nobody polls for them any more and no runtime can be relied on, so a thread does. It starts with the
//! first such child, sleeps until one of them exits, and ends with the last.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{ioctl_fionbio, read, write},
    process::Pid,
};

use super::{
    fork,
    group::reap_adopted,
    is_ready,
    process::{LOOK, Process},
    spawn::pipe,
    tree::Tree,
};

static REAPER: Mutex<Reaper> = Mutex::new(Reaper::new(fork::FIRST_GENERATION));

/// There was no thread to be had for what has been adopted.
static STARVED: AtomicBool = AtomicBool::new(false);

struct Reaper {
    /// Not yet seen by the thread.
    adopted: Vec<Orphan>,
    running: bool,
    /// Wakes the thread. Without it, as when descriptors have run out, the thread looks from time to time.
    bell: Option<OwnedFd>,
    /// Of the process that the thread is in: a copy made by `fork(2)` has neither the thread nor the children.
    generation: u32,
}

/// What is to be reaped.
enum Orphan {
    Child(Arc<Process>),
    /// The members of a group that became children of ours; see [`reap_adopted`].
    Group(Pid),
    /// Descendants that may become children of ours.
    Tree(Tree),
}

impl Orphan {
    /// Whether it needs reaping no more.
    fn reap(&mut self) -> bool {
        match self {
            Self::Child(process) => process.reap(),
            Self::Group(group) => reap_adopted(*group),
            Self::Tree(tree) => tree.reap_adopted(),
        }
    }

    /// What tells of its exit. That of a child whose tracer has not been told of its exit is readable, though it cannot be
    /// reaped: then it has to be looked at from time to time, as what has none.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let Self::Child(process) = self else {
            return None;
        };
        let descriptor = process.descriptor()?;
        (!is_ready(descriptor, PollFlags::IN)).then_some(descriptor)
    }
}

/// Reaps the child, now or when it exits.
pub(super) fn release(process: Arc<Process>) {
    if !process.reap() {
        adopt(Orphan::Child(process));
    }
    retry();
}

/// Has the members of a group reaped that became children of ours.
pub(super) fn adopt_group(group: Pid) {
    adopt(Orphan::Group(group));
}

/// Has descendants of a child reaped that became children of ours, or may do so.
pub(super) fn adopt_tree(tree: Tree) {
    adopt(Orphan::Tree(tree));
}

/// Tries again to get a thread for what is waiting for one.
pub(super) fn retry() {
    if STARVED.load(Ordering::Relaxed) {
        lock().start();
    }
}

fn adopt(orphan: Orphan) {
    let mut reaper = lock();
    reaper.adopted.push(orphan);
    if let (true, Some(bell)) = (reaper.running, &reaper.bell) {
        // A full pipe wakes the thread just as well.
        let _ = write(bell, &[0]);
    }
    reaper.start();
}

impl Reaper {
    const fn new(generation: u32) -> Self {
        Self {
            adopted: Vec::new(),
            running: false,
            bell: None,
            generation,
        }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        let (ear, bell) = bell().unzip();
        // Where there is no thread to be had what was adopted stays in the list for the next attempt.
        self.running = thread::Builder::new()
            .name("process-io-reaper".into())
            .spawn(move || run(ear))
            .is_ok();
        self.bell = bell.filter(|_| self.running);
        STARVED.store(!self.running, Ordering::Relaxed);
    }
}

fn run(ear: Option<OwnedFd>) {
    let mut orphans = Vec::new();
    let mut pause = LOOK.0;
    loop {
        let adopted = take_adopted();
        if !adopted.is_empty() {
            pause = LOOK.0;
            orphans.extend(adopted);
        }
        // Not under the lock: to reap a child can mean to adopt its guardian.
        orphans.retain_mut(|orphan: &mut Orphan| !orphan.reap());
        if orphans.is_empty() {
            let mut reaper = lock();
            if reaper.adopted.is_empty() {
                reaper.running = false;
                reaper.bell = None;
                return;
            }
            continue;
        }
        sleep(&orphans, ear.as_ref(), pause);
        pause = (pause * 2).min(LOOK.1);
    }
}

fn take_adopted() -> Vec<Orphan> {
    std::mem::take(&mut lock().adopted)
}

fn lock() -> MutexGuard<'static, Reaper> {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if fork::is_copy_of(reaper.generation) {
        *reaper = Reaper::new(fork::generation());
    }
    reaper
}

/// Until a child exits or the bell rings; no longer than `pause` where one of them has no descriptor.
fn sleep(orphans: &[Orphan], ear: Option<&OwnedFd>, pause: Duration) {
    let mut fds: Vec<PollFd<'_>> = (orphans.iter())
        .filter_map(Orphan::descriptor)
        .chain(ear.map(AsFd::as_fd))
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    let pause = Timespec::try_from(pause).ok();
    let complete = fds.len() == orphans.len() + 1;
    if poll(&mut fds, if complete { None } else { pause.as_ref() }).is_err() {
        thread::sleep(LOOK.0);
    }
    if let Some(ear) = ear {
        let _ = read(ear, &mut [0; 64]);
    }
}

fn bell() -> Option<(OwnedFd, OwnedFd)> {
    let open = || -> io::Result<_> {
        let (ear, bell) = pipe()?;
        ioctl_fionbio(&ear, true)?;
        ioctl_fionbio(&bell, true)?;
        Ok((ear, bell))
    };
    open().ok()
}
