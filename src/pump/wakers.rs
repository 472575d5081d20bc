//! [`Wakers`]: two tasks that wait on one handle, one reading and one writing.

use std::{
    sync::Arc,
    task::{Context, Wake, Waker},
};

use futures::task::AtomicWaker;

/// In what role a task waits.
#[allow(unreachable_pub)] // Public only in name: a sealed trait has it.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    Read,
    Write,
}

/// `StreamExt::split` and `tokio::io::split` let two tasks poll one handle in turn, and either moves all the
/// pipes. A pipe remembers one waker only, so it gets one that wakes both.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    read: AtomicWaker,
    write: AtomicWaker,
}

impl Wakers {
    /// Remembers the task of `cx` in its role; what to poll the pipes with.
    pub(crate) fn register(self: &Arc<Self>, role: Role, cx: &Context<'_>) -> Waker {
        match role {
            Role::Read => self.read.register(cx.waker()),
            Role::Write => self.write.register(cx.waker()),
        }
        Waker::from(Arc::clone(self))
    }

    /// Wakes the task that waits in the other role.
    pub(crate) fn wake_other(&self, role: Role) {
        match role {
            Role::Read => self.write.wake(),
            Role::Write => self.read.wake(),
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.read.wake();
        self.write.wake();
    }
}
