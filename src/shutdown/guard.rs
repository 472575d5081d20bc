//! [`Guard`]: nobody survives the handle, and nothing is left to reap.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
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
    /// Bytes that have been queued for stdin, and that it has taken. The halves of a handle share nothing else.
    queued: AtomicU64,
    written: AtomicU64,
    kill: AtomicBool,
    released: AtomicBool,
}

impl Guard {
    pub(crate) fn new(control: Control, started: Option<Instant>) -> Self {
        Self {
            span: Span::new(control.id(), control.command()),
            control,
            started: started.unwrap_or_else(Instant::now),
            queued: AtomicU64::new(0),
            written: AtomicU64::new(0),
            kill: AtomicBool::new(true),
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
