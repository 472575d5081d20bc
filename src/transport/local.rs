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

/// Sets how many bytes the pipes of this process may have together that were made larger:
/// [`DEFAULT_PIPE_BUDGET`](crate::DEFAULT_PIPE_BUDGET) unless this is called, 0 to leave every pipe as it is.
///
/// On Linux a pipe of 64 KiB that is seen full is made larger (256 KiB), which makes bulk transfer
/// several times faster on an idle machine. All that a user's pipes have beyond their first size counts against
/// `/proc/sys/fs/pipe-user-pages-soft` (64 MiB); past that the system gives the same user's new pipes
/// two pages only (`pipe(7)`), hence the budget. Elsewhere pipes cannot be resized and this does nothing.
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
