//! [`Siblings`]: the children that were started at the same time as another.
//!
//! From its clone to its `execve(2)` a child has copies of all descriptors of this process, also of the pipes of a sibling that is
//! being started then. If that has exited by then its pipes seem to be held by a descendant. The `execve` closes the copies
//! (`FD_CLOEXEC`), but who has called `vfork(2)` goes on a moment before that.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::limits::DEFAULT_DRAIN_CAP;

/// One that takes longer to get to its `execve` hangs, as on a network that is down, and is waited for no more.
const HANGS: Duration = DEFAULT_DRAIN_CAP;
/// So long after a spawn the child may still have its copies: it may have to wait for a processor in the middle of its `execve`.
const CLOSES: Duration = Duration::from_millis(100);

static SPAWNS: Mutex<Spawns> = Mutex::new(Spawns {
    begun: 0,
    recent: Vec::new(),
});

struct Spawns {
    begun: u64,
    /// Those whose children may have copies.
    recent: Vec<Spawn>,
}

struct Spawn {
    number: u64,
    began: Instant,
    ended: Option<Instant>,
}

impl Spawn {
    fn may_have_copies(&self, now: Instant) -> bool {
        match self.ended {
            None => now.duration_since(self.began) < HANGS,
            Some(ended) => now.duration_since(ended) < CLOSES,
        }
    }
}

fn lock() -> MutexGuard<'static, Spawns> {
    SPAWNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From before the child's ends of the pipes are made until they are closed here.
pub(super) struct Starting {
    number: u64,
    began: Instant,
}

impl Starting {
    pub(super) fn begin() -> Self {
        let mut spawns = lock();
        let began = Instant::now();
        spawns.recent.retain(|spawn| spawn.may_have_copies(began));
        spawns.begun += 1;
        let number = spawns.begun;
        spawns.recent.push(Spawn {
            number,
            began,
            ended: None,
        });
        Self { number, began }
    }

    /// Those that have been under way at the same time, if any.
    pub(super) fn siblings(&self) -> Option<Siblings> {
        let siblings = Siblings {
            of: self.number,
            since: self.began,
            last: lock().begun,
        };
        siblings.may_hold().then_some(siblings)
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let mut spawns = lock();
        for spawn in &mut spawns.recent {
            if spawn.number == self.number {
                spawn.ended = Some(Instant::now());
            }
        }
    }
}

/// Those that were started at the same time as a child.
#[derive(Debug)]
pub(crate) struct Siblings {
    of: u64,
    since: Instant,
    last: u64,
}

impl Siblings {
    /// Whether one of them may still have copies of the child's pipes.
    pub(crate) fn may_hold(&self) -> bool {
        let now = Instant::now();
        lock().recent.iter().any(|spawn| {
            let is_one = spawn.number != self.of && spawn.number <= self.last;
            let was_here = spawn.ended.is_none_or(|ended| ended >= self.since);
            is_one && was_here && spawn.may_have_copies(now)
        })
    }
}

/// Without `pipe2(2)` there is a moment in which a new pipe would be inherited by a child, for as long as that lives. So no pipe is
/// made while a child is being cloned, and no child cloned while a pipe is made.
#[cfg(target_vendor = "apple")]
pub(super) mod clones {
    use std::{
        sync::{Condvar, Mutex, PoisonError},
        time::Duration,
    };

    /// An `execve` that hangs, as on a network that is down, must not stop all others.
    const PATIENCE: Duration = Duration::from_millis(100);

    static STATE: Mutex<State> = Mutex::new(State {
        clones: 0,
        pipes: 0,
    });
    static CHANGED: Condvar = Condvar::new();

    struct State {
        clones: usize,
        /// Also those that are waited with. They come first, or they might never come.
        pipes: usize,
    }

    pub(in super::super) fn run<T>(clone: impl FnOnce() -> T) -> T {
        let state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = CHANGED
            .wait_timeout_while(state, PATIENCE, |state| state.pipes > 0)
            .unwrap_or_else(PoisonError::into_inner);
        state.clones += 1;
        drop(state);
        let cloned = clone();
        STATE.lock().unwrap_or_else(PoisonError::into_inner).clones -= 1;
        CHANGED.notify_all();
        cloned
    }

    pub(in super::super) fn keep_off<T>(act: impl FnOnce() -> T) -> T {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        state.pipes += 1;
        let (mut state, _) = CHANGED
            .wait_timeout_while(state, PATIENCE, |state| state.clones > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let acted = act();
        state.pipes -= 1;
        drop(state);
        CHANGED.notify_all();
        acted
    }
}

#[cfg(not(target_vendor = "apple"))]
pub(super) mod clones {
    pub(in super::super) fn run<T>(clone: impl FnOnce() -> T) -> T {
        clone()
    }
}
