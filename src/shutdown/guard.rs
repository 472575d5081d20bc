//! [`Guard`]: releases the process exactly once, stopping it first if it is to be stopped.

use std::sync::Arc;

use tokio::time::Instant;

use super::{OnDrop, background};
use crate::{
    signal::Signal,
    trace::Span,
    transport::{Control, Process},
};

/// Releases the process when the run is over, or when the handle is dropped.
///
/// Whoever owns the pipes to the child drops this first: a child that is to be killed must not see the end of its input before.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) control: Control,
    pub(crate) started: Instant,
    pub(crate) span: Span,
    pub(crate) on_drop: OnDrop,
    /// What is left of the tree of a child that has exited by itself is still to be killed.
    pub(crate) kill_leftovers: bool,
    /// The child is being stopped. A drop goes on with that.
    pub(crate) stopping: bool,
    released: bool,
}

impl Guard {
    pub(crate) fn new(control: Control, started: Option<Instant>) -> Self {
        Self {
            span: Span::new(control.id(), control.command()),
            control,
            started: started.unwrap_or_else(Instant::now),
            on_drop: OnDrop::Kill,
            kill_leftovers: false,
            stopping: false,
            released: false,
        }
    }

    /// The run is over: a process that still runs may go on.
    pub(crate) fn release(&mut self) {
        if let Some(process) = self.take() {
            process.release(false);
        }
    }

    /// Nobody is interested in the run any more.
    pub(crate) fn let_go(&mut self) {
        let Some(process) = self.take() else { return };
        if self.stopping {
            // The child may have exited already, and left others that were to go with it.
            let _ = process.signal_tree(Signal::KILL);
            return process.release(true);
        }
        if self.kill_leftovers && !matches!(Arc::clone(&process).try_wait(), Ok(None)) {
            let _ = process.signal_tree(Signal::KILL);
            return process.release(false);
        }
        match std::mem::take(&mut self.on_drop) {
            OnDrop::Kill => process.release(true),
            OnDrop::Leave => process.release(false),
            OnDrop::Shutdown(ladder) => background::shut_down(self.control.clone(), ladder),
        }
    }

    fn take(&mut self) -> Option<Arc<dyn Process>> {
        let released = std::mem::replace(&mut self.released, true);
        (!released).then(|| Arc::clone(self.control.process()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.let_go();
    }
}
