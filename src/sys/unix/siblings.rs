//! [`Starting`]: a spawn, and whether there were others at the same time.
//!
//! From its clone to its `execve(2)` a child has copies of all descriptors of this process, also of the pipes of a sibling that is
//! being started then. They are closed by the `execve` (`FD_CLOEXEC`), shortly after the one who spawns goes on. Until then the
//! sibling's pipes seem to be held by a descendant of it, if it has exited already.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

static BEGUN: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// From before the child's ends of the pipes are made until they are closed here.
pub(super) struct Starting {
    number: u64,
    alone: bool,
}

impl Starting {
    pub(super) fn begin() -> Self {
        // In this order, and the other one below: of two at the same time each sees the other.
        let alone = RUNNING.fetch_add(1, Ordering::SeqCst) == 0;
        let number = BEGUN.fetch_add(1, Ordering::SeqCst);
        Self { number, alone }
    }

    /// Whether another one was under way at the same time.
    pub(super) fn has_siblings(&self) -> bool {
        !self.alone || BEGUN.load(Ordering::SeqCst) != self.number + 1
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Without `pipe2(2)` there is a moment in which a new pipe would be inherited by a child, for as long as that lives. So no pipe is
/// made while a child is being cloned.
#[cfg(target_vendor = "apple")]
pub(super) mod clones {
    use std::{
        sync::{Condvar, Mutex, PoisonError},
        time::Duration,
    };

    /// An `execve` that hangs, as on a network that is down, must not stop all others.
    const PATIENCE: Duration = Duration::from_millis(100);

    static RUNNING: Mutex<usize> = Mutex::new(0);
    static ENDED: Condvar = Condvar::new();

    pub(in super::super) fn run<T>(clone: impl FnOnce() -> T) -> T {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let cloned = clone();
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_all();
        cloned
    }

    pub(in super::super) fn keep_off<T>(act: impl FnOnce() -> T) -> T {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let _none = ENDED.wait_timeout_while(running, PATIENCE, |running| *running > 0);
        act()
    }
}

#[cfg(not(target_vendor = "apple"))]
pub(super) mod clones {
    pub(in super::super) fn run<T>(clone: impl FnOnce() -> T) -> T {
        clone()
    }
}
