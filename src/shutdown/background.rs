//! Stops children whose handle is gone, step by step.
//!
//! No task polls for them and no runtime can be relied on, so a thread does. It starts with the first such child, and ends
//! with the last.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{Action, Due, Escalation, Ladder};
use crate::{
    signal::Signal,
    sys,
    transport::{Control, Process},
};

/// Between two looks at whether a child has exited: from, up to.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Where that takes long, as for very many children, this share of the time goes into it: a tenth.
const SHARE: u32 = 10;

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    new: Vec::new(),
    running: false,
    generation: sys::FIRST_GENERATION,
});
static CHANGED: Condvar = Condvar::new();

struct Shared {
    /// Not yet seen by the thread.
    new: Vec<Stopping>,
    running: bool,
    /// Of the process that the thread is in: a copy made by `fork(2)` has neither the thread nor the children.
    generation: u32,
}

struct Stopping {
    control: Control,
    process: Arc<dyn Process>,
    escalation: Escalation,
    exited: bool,
}

/// Stops a child by the steps of `ladder`. What is due at once is done before this returns.
pub(super) fn shut_down(control: Control, ladder: Ladder) {
    let process = Arc::clone(control.process());
    let escalation = Escalation::new(ladder, process.id().is_some(), now());
    let mut stopping = Stopping {
        control,
        process,
        escalation,
        exited: false,
    };
    if stopping.is_over_at_once() || stopping.advance() {
        return stopping.process.release(false);
    }
    let mut shared = lock();
    shared.new.push(stopping);
    if !shared.running {
        let thread = thread::Builder::new().name("process-io-stop".into());
        shared.running = thread.spawn(run).is_ok();
    }
    if !shared.running {
        let starved = std::mem::take(&mut shared.new);
        drop(shared);
        for stopping in starved {
            let _ = stopping.process.signal_tree(Signal::KILL);
            stopping.process.release(true);
        }
    }
    CHANGED.notify_one();
}

impl Stopping {
    /// It has exited by itself.
    fn is_over_at_once(&self) -> bool {
        !matches!(Arc::clone(&self.process).try_wait(), Ok(None))
    }

    /// Takes the steps that are due; whether there is no more to be done.
    fn advance(&mut self) -> bool {
        loop {
            let now = now();
            let exited = !matches!(Arc::clone(&self.process).try_wait(), Ok(None));
            self.exited = exited;
            if exited && !self.process.is_tree_alive() {
                return true;
            }
            let sent = match self.escalation.due(now, exited) {
                Due::Nothing => return false,
                Due::Failure => return true,
                // The drop does this.
                Due::Step(Action::CloseStdin) => Ok(()),
                Due::Step(Action::Send(_)) => Err(io::ErrorKind::NotConnected.into()),
                Due::Step(Action::Signal(signal)) => self.process.signal_tree(signal),
                Due::Step(Action::SignalChild(signal)) => self.process.signal(signal),
                Due::Step(Action::Call(callback)) => {
                    // This may be a drop, where a panic could end the program.
                    let call = AssertUnwindSafe(|| callback.call(&self.control));
                    let called = catch_unwind(call)
                        .unwrap_or_else(|_| Err(io::Error::other("it panicked").into()));
                    called.map_err(io::Error::from)
                }
            };
            if let Err(error) = sent {
                self.escalation.undeliverable(error.kind());
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        self.escalation.next(now(), self.exited)
    }
}

/// Real time. The clock of the runtime that the handle was dropped in may be paused.
fn now() -> Instant {
    std::time::Instant::now().into()
}

fn run() {
    let mut all: Vec<Stopping> = Vec::new();
    let mut pause = LOOK.0;
    loop {
        let mut shared = lock();
        if !shared.new.is_empty() {
            all.append(&mut shared.new);
            pause = LOOK.0;
        }
        if all.is_empty() {
            shared.running = false;
            return;
        }
        let due = all.iter().filter_map(Stopping::next).min();
        let until_due = due.map(|due| due.saturating_duration_since(now()));
        let wait = until_due.map_or(pause, |due| due.min(pause));
        drop(CHANGED.wait_timeout(shared, wait));
        let began = std::time::Instant::now();
        // What panics of the user's, its `Drop` too, must not take the others along, nor this thread.
        let advance = AssertUnwindSafe(|| {
            all.retain_mut(|stopping| {
                let advanced = catch_unwind(AssertUnwindSafe(|| stopping.advance()));
                if let Ok(false) = advanced {
                    return true;
                }
                let release = || Arc::clone(&stopping.process).release(advanced.is_err());
                let _ = catch_unwind(AssertUnwindSafe(release));
                false
            });
        });
        let _ = catch_unwind(advance);
        pause = (pause * 2).min(LOOK.1).max(began.elapsed() * SHARE);
    }
}

fn lock() -> MutexGuard<'static, Shared> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let generation = sys::generation();
    if shared.generation != generation {
        *shared = Shared {
            new: Vec::new(),
            running: false,
            generation,
        };
    }
    shared
}
