//! [`Guard`]: releases the process exactly once, stopping it first if it is to be stopped.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{OnDrop, background};
use crate::{
    signal::Signal,
    trace::Span,
    transport::{Control, Process},
};

/// Releases the process when the run is over, or when the handle is dropped; of a handle that was split when the last
/// half is.
///
/// Whoever owns a pipe to the child holds a [`Hold`], and drops that first: a child that is to be killed must not see the end
/// of its input before.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) control: Control,
    pub(crate) started: Instant,
    pub(crate) span: Span,
    /// Bytes that have been queued for stdin, and that it has taken. The halves of a handle share nothing else.
    queued: AtomicU64,
    written: AtomicU64,
    on_drop: Mutex<OnDrop>,
    /// What is left of the tree of a child that has exited by itself is still to be killed.
    kill_leftovers: AtomicBool,
    /// The child is being stopped. A drop goes on with that.
    stopping: AtomicBool,
    /// How many halves of the handle there are that can be dropped apart; 0 while it is whole.
    halves: AtomicUsize,
    released: AtomicBool,
}

/// What the owner of a pipe holds of a [`Guard`].
#[derive(Debug)]
pub(crate) struct Hold(Arc<Guard>);

impl Guard {
    pub(crate) fn new(control: Control, started: Option<Instant>) -> Self {
        Self {
            span: Span::new(control.id(), control.command()),
            control,
            started: started.unwrap_or_else(Instant::now),
            queued: AtomicU64::new(0),
            written: AtomicU64::new(0),
            on_drop: Mutex::new(OnDrop::Kill),
            kill_leftovers: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            halves: AtomicUsize::new(0),
            released: AtomicBool::new(false),
        }
    }

    /// Bytes that stdin has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Rises whenever something is sent, or has gone.
    pub(crate) fn sent(&self) -> u64 {
        self.queued.load(Ordering::Relaxed) + self.written()
    }

    pub(crate) fn note_queued(&self, bytes: usize) {
        self.queued.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What becomes of a child that is running when the handle is dropped.
    pub(crate) fn set_on_drop(&self, on_drop: OnDrop) {
        *self.on_drop.lock().unwrap_or_else(PoisonError::into_inner) = on_drop;
    }

    pub(crate) fn set_kill_leftovers(&self, kill: bool) {
        self.kill_leftovers.store(kill, Ordering::Relaxed);
    }

    pub(crate) fn kills_leftovers(&self) -> bool {
        self.kill_leftovers.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stopping(&self, stopping: bool) {
        self.stopping.store(stopping, Ordering::Relaxed);
    }

    /// The handle is whole, or in two halves.
    pub(crate) fn set_split(&self, split: bool) {
        self.halves
            .store(if split { 2 } else { 0 }, Ordering::Relaxed);
    }

    /// The run is over, and what was to be stopped has been: the process is only reaped.
    pub(crate) fn release(&self) {
        if let Some(process) = self.take() {
            process.release(false);
        }
    }

    /// The process is given up, as it is when the handle is dropped.
    pub(crate) fn let_go(&self) {
        let Some(process) = self.take() else { return };
        if self.stopping.load(Ordering::Relaxed) {
            // The child may have exited already, and left others that were to go with it.
            let _ = process.signal_tree(Signal::KILL);
            return process.release(true);
        }
        if self.kills_leftovers() && !matches!(Arc::clone(&process).try_wait(), Ok(None)) {
            let _ = process.signal_tree(Signal::KILL);
            return process.release(false);
        }
        let mut on_drop = self.on_drop.lock().unwrap_or_else(PoisonError::into_inner);
        let on_drop = std::mem::take(&mut *on_drop);
        match on_drop {
            OnDrop::Kill => process.release(true),
            OnDrop::Leave => process.release(false),
            OnDrop::Shutdown(ladder) => background::shut_down(process, ladder),
        }
    }

    fn take(&self) -> Option<Arc<dyn Process>> {
        let released = self.released.swap(true, Ordering::Relaxed);
        (!released).then(|| Arc::clone(self.control.process()))
    }
}

impl Hold {
    /// Two, for the two directions of a handle.
    pub(crate) fn pair(guard: Guard) -> [Self; 2] {
        let guard = Arc::new(guard);
        [Self(Arc::clone(&guard)), Self(guard)]
    }

    /// Both are of the same child.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::ops::Deref for Hold {
    type Target = Guard;

    fn deref(&self) -> &Guard {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let halves = &self.0.halves;
        // A half that is dropped while the other one lives closes its own pipes, and no more.
        let one_less = |halves: usize| halves.checked_sub(1);
        let before = halves.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
        if before.unwrap_or(1) == 1 {
            self.0.let_go();
        }
    }
}
