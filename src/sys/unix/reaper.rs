//! Reaps children whose handle was dropped before they had exited.
//!
//! No runtime can be relied on then, so a thread does it. It starts with the first that cannot be reaped at once, sleeps until
//! one of them exits, and ends with the last.

use std::{
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{ioctl_fionbio, read, write},
};

use super::{LOOK, fork, is_ready, pipe::pipe};

static REAPER: Mutex<Reaper> = Mutex::new(Reaper::new(fork::FIRST_GENERATION));

/// There was no thread to be had for what has been adopted.
static STARVED: AtomicBool = AtomicBool::new(false);

struct Reaper {
    /// Not yet seen by the thread.
    adopted: Vec<Box<dyn Orphan>>,
    running: bool,
    /// Wakes the thread. Without it, as when descriptors have run out, the thread looks from time to time.
    wake_tx: Option<OwnedFd>,
    /// Of the process that the thread is in: a copy made by `fork(2)` has neither the thread nor the children.
    generation: u32,
}

/// What is to be reaped.
pub(super) trait Orphan: Send {
    /// Reaps what of it has exited; whether it needs reaping no more.
    fn reap(&mut self) -> bool;

    /// What becomes readable with its exit.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Reaps it, now or when it exits.
pub(super) fn adopt(mut orphan: impl Orphan + 'static) {
    if orphan.reap() {
        return retry();
    }
    let mut reaper = lock();
    reaper.adopted.push(Box::new(orphan));
    if let (true, Some(wake_tx)) = (reaper.running, &reaper.wake_tx) {
        // A full pipe wakes the thread just as well.
        let _ = write(wake_tx, &[0]);
    }
    reaper.start();
}

/// Tries again to get a thread for what is waiting for one.
pub(super) fn retry() {
    if STARVED.load(Ordering::Relaxed) {
        lock().start();
    }
}

impl Reaper {
    const fn new(generation: u32) -> Self {
        Self {
            adopted: Vec::new(),
            running: false,
            wake_tx: None,
            generation,
        }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        let (wake_rx, wake_tx) = wake_tx().unzip();
        // Where there is no thread to be had what was adopted stays in the list for the next attempt.
        self.running = thread::Builder::new()
            .name("process-io-reaper".into())
            .spawn(move || run(wake_rx))
            .is_ok();
        self.wake_tx = wake_tx.filter(|_| self.running);
        STARVED.store(!self.running, Ordering::Relaxed);
    }
}

fn run(wake_rx: Option<OwnedFd>) {
    let mut orphans = Vec::new();
    let mut pause = LOOK.0;
    loop {
        let adopted = mem::take(&mut lock().adopted);
        if !adopted.is_empty() {
            pause = LOOK.0;
            orphans.extend(adopted);
        }
        // Not under the lock: to reap a child can mean to adopt its guardian.
        orphans.retain_mut(|orphan: &mut Box<dyn Orphan>| !orphan.reap());
        if orphans.is_empty() {
            let mut reaper = lock();
            if reaper.adopted.is_empty() {
                reaper.running = false;
                reaper.wake_tx = None;
                return;
            }
            continue;
        }
        sleep(&orphans, wake_rx.as_ref(), pause);
        pause = (pause * 2).min(LOOK.1);
    }
}

fn lock() -> MutexGuard<'static, Reaper> {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    if fork::is_copy_of(reaper.generation) {
        *reaper = Reaper::new(fork::generation());
    }
    reaper
}

/// Until a child exits or the wake_tx rings; no longer than `pause` where one of them has no descriptor.
fn sleep(orphans: &[Box<dyn Orphan>], wake_rx: Option<&OwnedFd>, pause: Duration) {
    let mut fds: Vec<PollFd<'_>> = (orphans.iter())
        .filter_map(|orphan| orphan.descriptor())
        // That of a child whose tracer has not been told of its exit is readable, though it cannot be reaped: then it has to be
        // looked at from time to time, as what has none.
        .filter(|fd| !is_ready(*fd, PollFlags::IN))
        .chain(wake_rx.map(AsFd::as_fd))
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    let pause = Timespec::try_from(pause).ok();
    let complete = fds.len() == orphans.len() + 1;
    if poll(&mut fds, if complete { None } else { pause.as_ref() }).is_err() {
        thread::sleep(LOOK.0);
    }
    if let Some(wake_rx) = wake_rx {
        let _ = read(wake_rx, &mut [0; 64]);
    }
}

fn wake_tx() -> Option<(OwnedFd, OwnedFd)> {
    let (wake_rx, wake_tx) = pipe().ok()?;
    ioctl_fionbio(&wake_rx, true).ok()?;
    ioctl_fionbio(&wake_tx, true).ok()?;
    Some((wake_rx, wake_tx))
}
