//! A child of this machine as [`Parts`].

use std::{io, process::ExitStatus, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use super::{Parts, Process, ReadEnd, WriteEnd};
use crate::{
    output::Usage,
    secrets::Secrets,
    signal::Signal,
    sys::{self, Scope, Spawned},
};

/// Sets the largest total capacity, in bytes, of those pipes of this process that were made larger.
///
/// It is [`DEFAULT_PIPE_BUDGET`](crate::DEFAULT_PIPE_BUDGET) by default. With 0 no pipe is made larger.
///
/// ```
/// process_io::set_pipe_budget(64 << 20);
/// ```
///
/// # Platform-specific behavior
///
/// On Linux a pipe of 64 KiB that is seen full is made larger (256 KiB), which makes bulk transfer several times
/// faster on an idle machine. All that the pipes of a user have beyond their first size counts against
/// `/proc/sys/fs/pipe-user-pages-soft` (64 MiB); beyond that the system gives new pipes of the same user two pages
/// only (`pipe(7)`), hence the budget. On other platforms pipes cannot be resized, and this has no effect.
pub fn set_pipe_budget(bytes: usize) {
    sys::set_pipe_budget(bytes);
}

/// The parts of a child that has just been started.
pub(crate) fn local(spawned: Spawned) -> Parts {
    Parts {
        stdin: spawned.stdin.map(WriteEnd::Pipe),
        stdout: spawned.stdout.map(ReadEnd::Pipe),
        stderr: spawned.stderr.map(ReadEnd::Pipe),
        process: Arc::new(spawned.process),
        command: None,
        secrets: Secrets::default(),
        started: None,
        siblings: spawned.siblings.into_iter().collect(),
        stages: Vec::new(),
    }
}

impl Process for sys::Process {
    fn id(&self) -> Option<u32> {
        Some(self.id())
    }

    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        self.exited().boxed()
    }

    fn try_wait(self: Arc<Self>) -> io::Result<Option<ExitStatus>> {
        self.observe()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signal(signal.as_raw(), Scope::Child)
    }

    fn signal_tree(&self, signal: Signal) -> io::Result<()> {
        self.signal(signal.as_raw(), Scope::Tree)
    }

    fn stopped(&self) -> Option<Signal> {
        self.stopped().map(Signal::from_raw)
    }

    fn wait_stopped(self: Arc<Self>) -> Option<BoxFuture<'static, Signal>> {
        let may_be = self.may_be_stopped();
        may_be.then(|| self.wait_stopped().map(Signal::from_raw).boxed())
    }

    fn is_tree_alive(&self) -> bool {
        self.is_tree_alive()
    }

    fn usage(&self) -> Option<Usage> {
        self.usage()
    }

    fn release(self: Arc<Self>, kill: bool) {
        self.release(kill);
    }
}
