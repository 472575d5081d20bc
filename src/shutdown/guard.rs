//! [`Guard`]: nobody survives the handle, and nothing is left to reap.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use crate::{trace::Span, transport::Control};

/// Lets go of the process exactly once: when the run is over, or when the last half of the handle is
/// dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) control: Control,
    pub(crate) started: Instant,
    pub(crate) span: Span,
    kill: AtomicBool,
    released: AtomicBool,
}

impl Guard {
    pub(crate) fn new(control: Control) -> Self {
        Self {
            span: Span::new(control.id(), control.command()),
            control,
            started: Instant::now(),
            kill: AtomicBool::new(true),
            released: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_kill(&self, kill: bool) {
        self.kill.store(kill, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        if !self.released.swap(true, Ordering::Relaxed) {
            Arc::clone(self.control.process()).release(self.kill.load(Ordering::Relaxed));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
    }
}
