//! A child that tokio started, as [`Parts`].

use std::{
    io,
    pin::pin,
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Either, Shared, poll_fn, select},
};
use tokio::{process::Child, sync::Notify};

use super::{Parts, Process};
use crate::{signal::Signal, sys};

/// Creates the parts of a child that other code has started, such as a library that wraps the spawn, or a sandbox.
/// Those of its streams that are pipes and have not been taken out of it belong to the parts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use std::process::Stdio;
/// use process_io::{Command, ProcessIo, transport::Parts};
///
/// let mut command = Command::new("sort");
/// let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
/// let mut io = ProcessIo::from_parts(Parts::from(child).name("sort"));
/// io.send("b\na\n").await?;
/// assert_eq!(io.output().await?.check()?.stdout, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
///
/// # Limitations
///
/// Of such a child only its process is known, and it is tokio that reaps it. Compared with one that this crate has
/// started:
///
/// - A kill, a drop and a time-out reach the child alone, not its process group and its descendants, and
///   [`kill_leftovers`](crate::Builder::kill_leftovers) has nothing to kill.
/// - Its pipes are tokio's, and are read when tokio's reactor has told that there is something:
///   [`recv_nowait`](crate::ProcessIo::recv_nowait) in a loop that never yields finds nothing. What the child wrote last is lost
///   where it may not be waited for: with [`Drain::Immediate`](crate::Drain::Immediate), when a time is up for a task that was busy,
///   and when the runtime that it was started in has shut down.
/// - A child whose handle is dropped is killed, but reaped only as tokio reaps what is dropped: on a best-effort
///   basis, by a runtime that runs, and not while there is a [`Control`](crate::Control) of it.
/// - [`detach`](crate::ProcessIo::detach) lets it run on only if `kill_on_drop` was not set for tokio.
/// - A stop by the terminal is not noticed, the resources that it used are not known, pipes do not grow, and none
///   can be [taken](crate::ProcessIo#giving-up-a-pipe).
/// - On Windows it can be killed, and any other signal is an error.
impl From<Child> for Parts {
    fn from(mut child: Child) -> Self {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut parts = Self::new(Foreign::new(child));
        if let Some(stdin) = pipes.0 {
            parts = parts.stdin(stdin);
        }
        if let Some(stdout) = pipes.1 {
            parts = parts.stdout(stdout);
        }
        if let Some(stderr) = pipes.2 {
            parts = parts.stderr(stderr);
        }
        parts
    }
}

/// The process of a child that tokio started. It is reaped by whatever sees its exit first, and under the lock alone, so that
/// its number is its own while a signal is sent.
struct Foreign {
    child: Arc<Mutex<Child>>,
    /// It has been reaped by a call that does not wait, of which those that wait learn by this alone.
    reaped: Arc<Notify>,
    exit: Exit,
    to: sys::Foreign,
}

/// Tokio wakes one task at the exit of a child: the others are woken by this.
type Exit = Shared<BoxFuture<'static, Result<ExitStatus, Arc<io::Error>>>>;

impl Foreign {
    fn new(child: Child) -> Self {
        let to = sys::Foreign::of(&child);
        let child = Arc::new(Mutex::new(child));
        let reaped = Arc::new(Notify::new());
        Self {
            exit: exit(Arc::clone(&child), Arc::clone(&reaped))
                .boxed()
                .shared(),
            child,
            reaped,
            to,
        }
    }
}

async fn exit(child: Arc<Mutex<Child>>, reaped: Arc<Notify>) -> Result<ExitStatus, Arc<io::Error>> {
    loop {
        let exited = poll_fn(|cx| pin!(lock(&child).wait()).poll_unpin(cx));
        match select(exited, pin!(reaped.notified())).await {
            Either::Left((status, _)) => return status.map_err(Arc::new),
            // The status is there without waiting now.
            Either::Right(_) => {}
        }
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process for Foreign {
    fn id(&self) -> Option<u32> {
        lock(&self.child).id()
    }

    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        let exit = self.exit.clone();
        exit.map(|status| status.map_err(|error| io::Error::new(error.kind(), error)))
            .boxed()
    }

    fn try_wait(self: Arc<Self>) -> io::Result<Option<ExitStatus>> {
        let status = lock(&self.child).try_wait()?;
        if status.is_some() {
            self.reaped.notify_one();
        }
        Ok(status)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.to.signal(&mut lock(&self.child), signal)
    }
}
