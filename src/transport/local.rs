//! A child of this machine as [`Parts`].

use std::{io, process::ExitStatus, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use super::{Parts, Process, ReadEnd, WriteEnd};
use crate::{
    signal::Signal,
    sys::{self, Scope, Spawned},
};

/// The parts of a child that has just been started.
pub(crate) fn local(spawned: Spawned) -> Parts {
    Parts {
        stdin: spawned.stdin.map(WriteEnd::Pipe),
        stdout: spawned.stdout.map(ReadEnd::Pipe),
        stderr: spawned.stderr.map(ReadEnd::Pipe),
        process: Arc::new(spawned.process),
        command: None,
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

    fn release(self: Arc<Self>, kill: bool) {
        self.release(kill);
    }
}
