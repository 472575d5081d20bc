//! `.await` on a [`Builder`] or a [`ProcessIo`]: run it to the end.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll},
};

use super::ProcessIo;
use crate::{command::Builder, error::Result, output::Output, transport::Parts};

impl Builder {
    /// Starts the child.
    ///
    /// It takes the `posix_spawn(3)` path of the standard library unless the command itself needs `fork(2)`. On Unix the threads
    /// of a process start children one at a time, or each would hold the others' pipes for a moment; none waits for longer
    /// than 100 ms for that.
    ///
    /// # Errors
    ///
    /// If it cannot be started: the error tells no such [program](crate::Error::is_not_found), no such
    /// [directory](crate::Error::is_directory_not_found), [not executable](crate::Error::is_not_executable), bad
    /// [interpreter](crate::Error::is_bad_interpreter), [arguments too
    /// long](crate::Error::is_argument_list_too_long) and more apart. Outside a tokio runtime
    /// [`is_no_runtime`](crate::Error::is_no_runtime). In no case is a child or a descriptor left behind.
    ///
    /// # Panics
    ///
    /// If the runtime was built without I/O; no child is left behind then either.
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows the child's ends of its pipes are inheritable while the standard library creates the process; it creates one
    /// at a time. What other code creates at that moment by `CreateProcess`, with `bInheritHandles` and without a list of the
    /// handles to be inherited, gets them too, and keeps the pipes open until it ends: after the child's exit that is bounded by
    /// the [`Drain`](crate::Drain). The standard library gives no such list: that is not stable yet.
    pub fn spawn(mut self) -> Result<ProcessIo> {
        let parts = self.start()?;
        Ok(self.assemble(parts))
    }

    /// Applies the options that concern what has been started.
    pub(crate) fn assemble(self, parts: Parts) -> ProcessIo {
        let mut io = ProcessIo::assemble(parts, self.limits, self.drain);
        io.recv.driver.guard().set_on_drop(self.on_drop);
        io.recv.driver.set_kill_leftovers(self.kill_leftovers);
        io.recv.driver.set_watch(self.watch);
        if let Some(input) = self.input {
            io.send.writer.set_input(input);
        }
        io
    }
}

/// The future behind `.await` on a [`Builder`], a [`ProcessIo`] or a [`Pipeline`](crate::Pipeline): spawns, feeds,
/// collects.
///
/// It owns the child: dropping it kills the child, as dropping the handle does.
/// [`ProcessIo::output`] does the same by reference.
#[must_use = "futures do nothing unless polled"]
pub struct Collect {
    /// What is still to be done.
    spawn: Option<Box<dyn FnOnce() -> Result<ProcessIo> + Send>>,
    /// Boxed, to keep futures that hold this one small.
    io: Option<Box<ProcessIo>>,
}

impl Collect {
    /// Starts with the first poll.
    pub(crate) fn new(spawn: impl FnOnce() -> Result<ProcessIo> + Send + 'static) -> Self {
        Self {
            spawn: Some(Box::new(spawn)),
            io: None,
        }
    }
}

impl Future for Collect {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(spawn) = self.spawn.take() {
            self.io = Some(Box::new(spawn()?));
        }
        match &mut self.io {
            Some(io) => io.as_pump().poll_output(cx),
            None => panic!("`Collect` polled again after it failed to spawn"),
        }
    }
}

impl fmt::Debug for Collect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}

/// Starts the child and collects what it writes until the end. Without [`input`](Builder::input) the child
/// finds end-of-file on its stdin at once.
///
/// See [`ProcessIo::output`] for the errors. Dropping the future kills the child.
impl IntoFuture for Builder {
    type Output = Result<Output>;
    type IntoFuture = Collect;

    fn into_future(mut self) -> Collect {
        self.close_unused_stdin();
        Collect::new(move || self.spawn())
    }
}

/// Closes stdin and collects what the child writes until the end; what is queued is written first.
///
/// See [`ProcessIo::output`] for the errors. Dropping the future kills the child.
impl IntoFuture for ProcessIo {
    type Output = Result<Output>;
    type IntoFuture = Collect;

    fn into_future(mut self) -> Collect {
        self.close_stdin();
        Collect {
            spawn: None,
            io: Some(Box::new(self)),
        }
    }
}
