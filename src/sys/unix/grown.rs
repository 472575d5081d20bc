//! [`Grown`]: larger pipes, within a budget.
//!
//! A larger pipe makes wake-ups rare. But the pages of all pipes that a user has grown count against
//! `/proc/sys/fs/pipe-user-pages-soft` (64 MiB by default), and past it every new pipe of that user shrinks
//! to two pages (`pipe(7)`), hence the budget.

use std::{
    os::fd::OwnedFd,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::limits::{DEFAULT_PIPE_BUDGET, GROWN_PIPE};

static BUDGET: AtomicUsize = AtomicUsize::new(DEFAULT_PIPE_BUDGET);
static SPENT: AtomicUsize = AtomicUsize::new(0);

/// Sets how many bytes the grown pipes of this process may have together.
pub(crate) fn set_pipe_budget(bytes: usize) {
    BUDGET.store(bytes, Ordering::Relaxed);
}

/// What a pipe took from the budget: given back on drop.
#[derive(Debug)]
pub(crate) struct Grown(usize);

impl Grown {
    /// Grows a pipe; where it cannot be grown it stays as it is, and takes nothing.
    pub(super) fn grow(pipe: &OwnedFd) -> Self {
        let budget = BUDGET.load(Ordering::Relaxed);
        let spend = |spent: usize| spent.checked_add(GROWN_PIPE).filter(|sum| *sum <= budget);
        if SPENT
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_err()
        {
            return Self(0);
        }
        let grown = Self(GROWN_PIPE);
        if set_size(pipe, GROWN_PIPE) {
            grown
        } else {
            Self(0)
        }
    }

    /// Gives a pipe the size that the user wants, which takes nothing of the budget.
    pub(super) fn fixed(pipe: &OwnedFd, capacity: usize) -> Self {
        set_fixed_size(pipe, capacity);
        Self(0)
    }
}

impl Drop for Grown {
    fn drop(&mut self) {
        SPENT.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// EPERM, past the user's or the system's limit, and EBUSY are no harm.
#[cfg(target_os = "linux")]
fn set_size(pipe: &OwnedFd, size: usize) -> bool {
    use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
    // With pages of 64 KiB a pipe is larger from the start.
    fcntl_getpipe_size(pipe).is_ok_and(|now| now < size) && fcntl_setpipe_size(pipe, size).is_ok()
}

#[cfg(target_os = "linux")]
fn set_fixed_size(pipe: &OwnedFd, size: usize) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, size);
}

#[cfg(not(target_os = "linux"))]
fn set_size(_: &OwnedFd, _: usize) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn set_fixed_size(_: &OwnedFd, _: usize) {}
