//! Reaps children whose handle was dropped before they had exited.
//!
//! Nobody polls for them any more and no runtime can be relied on, so a thread does. It starts with the
//! first such child, sleeps until one of them exits, and ends with the last.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{ioctl_fionbio, read, write},
};

use super::{process::Process, spawn::pipe};

/// Between two looks at children that have no descriptor to wait on: from, up to.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

static REAPER: Mutex<Reaper> = Mutex::new(Reaper {
    adopted: Vec::new(),
    running: false,
    bell: None,
});

struct Reaper {
    /// Not yet seen by the thread.
    adopted: Vec<Arc<Process>>,
    running: bool,
    /// Wakes the thread. Without it, as when descriptors have run out, the thread looks from time to time.
    bell: Option<OwnedFd>,
}

/// Has the child reaped when it exits.
pub(super) fn adopt(process: Arc<Process>) {
    let mut reaper = lock();
    reaper.adopted.push(process);
    if reaper.running {
        if let Some(bell) = &reaper.bell {
            // A full pipe wakes the thread just as well.
            let _ = write(bell, &[0]);
        }
        return;
    }
    let (ear, bell) = bell().unzip();
    // Where there is no thread to be had the child stays in the list for the next attempt.
    reaper.running = thread::Builder::new()
        .name("process-io-reaper".into())
        .spawn(move || run(ear))
        .is_ok();
    reaper.bell = bell;
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
        orphans.retain(|orphan: &Arc<Process>| !orphan.reap());
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

fn take_adopted() -> Vec<Arc<Process>> {
    std::mem::take(&mut lock().adopted)
}

fn lock() -> MutexGuard<'static, Reaper> {
    REAPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until a child exits or the bell rings; no longer than `pause` where one of them has no descriptor.
fn sleep(orphans: &[Arc<Process>], ear: Option<&OwnedFd>, pause: Duration) {
    let mut fds: Vec<PollFd<'_>> = (orphans.iter())
        .filter_map(|orphan| orphan.descriptor())
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
