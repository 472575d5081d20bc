//! [`Background`]: a child whose pipes move while its handle is not used.

use std::{
    future::poll_fn,
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::Handle as Runtime,
    task::{AbortHandle, spawn},
};

use super::ProcessIo;
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::Limit,
    pump::{Role, poll_over, poll_wait},
    transport::Control,
};

/// A running child whose pipes are read and written by a task of the runtime while its handle is not used.
///
/// Created by [`into_background`](ProcessIo::into_background). What has been received and not been taken is kept, as
/// [`Limits`](crate::Limits) say; where those say [`Overflow::Fail`](crate::Overflow::Fail), the last bytes are kept instead, as
/// many as the limit allows. [`with`](Self::with) gives access to the handle.
///
/// Dropping it kills the child, as dropping the handle does.
#[derive(Debug)]
pub struct Background {
    shared: Arc<Shared>,
    control: Control,
    /// What the limits were that are an error.
    limits: [Limit; 2],
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Gone when it has been given back.
    io: Option<ProcessIo>,
    /// The error that the task received, for the next `wait`.
    error: Option<Error>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves all pipes until the run is over, or the handle is gone.
    fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let State {
            io: Some(io),
            error,
        } = &mut *state
        else {
            return Poll::Ready(());
        };
        loop {
            match ready!(io.poll_as(Role::Read, cx, poll_over)) {
                Ok(()) => return Poll::Ready(()),
                Err(told) => *error = Some(told),
            }
            io.wake();
        }
    }

    fn poll_wait(&self, cx: &Context<'_>) -> Poll<Result<ExitStatus>> {
        let mut state = self.lock();
        if let Some(error) = state.error.take() {
            return Poll::Ready(Err(error));
        }
        match &mut state.io {
            Some(io) => io.poll_as(Role::Write, cx, poll_wait),
            None => unreachable!("it is given back by value"),
        }
    }
}

/// # In the background
impl ProcessIo {
    /// Spawns a task in the runtime that keeps the child's pipes moving while the handle is not used.
    ///
    /// The output is received and kept as described at [`Background`], so the child never waits because a pipe is full.
    /// [`Background::into_inner`] is the inverse.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut server = ProcessIo::shell("echo ready; yes >&2").spawn()?;
    /// assert_eq!(server.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"ready");
    /// let mut server = server.into_background()?;
    /// // ... much later:
    /// let log = server.with(|io| io.recv_nowait(Source::Stderr))?;
    /// let server = server.into_inner();
    /// # drop((server, log));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) outside of a tokio runtime; the child is killed then.
    pub fn into_background(mut self) -> Result<Background> {
        if Runtime::try_current().is_err() {
            return Err(self.pump.error(Kind::NoRuntime));
        }
        let limits = Source::BOTH.map(|source| self.pump.limit(source));
        for source in Source::BOTH {
            let limit = self.pump.limit(source);
            self.pump.set_limit(source, limit.or_keep_tail());
        }
        let control = self.control();
        let shared = Arc::new(Shared(Mutex::new(State {
            io: Some(self),
            error: None,
        })));
        // Not the owner: what drops the last reference kills the child.
        let moved = Arc::downgrade(&shared);
        let task = spawn(poll_fn(move |cx| {
            (moved.upgrade()).map_or(Poll::Ready(()), |shared| shared.poll_over(cx))
        }));
        Ok(Background {
            shared,
            control,
            limits,
            task: task.abort_handle(),
        })
    }
}

impl Background {
    /// Calls `act` with the handle.
    ///
    /// `act` is for methods that do not wait: [`recv_nowait`](ProcessIo::recv_nowait),
    /// [`pending`](ProcessIo::pending), [`send_nowait`](ProcessIo::send_nowait), [`set_limits`](ProcessIo::set_limits), ...
    /// No pipe is read or written until it returns. It must not put another handle in its place, whose pipes would not move.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo out; echo err >&2").spawn()?.into_background()?;
    /// io.wait().await?;
    /// let out = io.with(|io| io.recv_nowait(Source::Stdout))?;
    /// assert_eq!(out.data().unwrap(), "out\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        let mut state = self.shared.lock();
        let Some(io) = &mut state.io else {
            unreachable!("it is given back by value");
        };
        let done = act(io);
        // There may be something to write now, or room.
        io.wake();
        done
    }

    /// Waits until the child has exited and all its output has been received; see [`ProcessIo::wait`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("seq 100000; exit 3").spawn()?.into_background()?;
    /// assert_eq!(io.wait().await?.code(), Some(3));
    /// let output = io.into_inner().output().await?;
    /// assert!(output.stdout.ends_with(b"100000\n"));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ProcessIo::wait`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost, call it again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        poll_fn(|cx| self.shared.poll_wait(cx)).await
    }

    /// Returns a [`Control`] of the child's process.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops the task and returns the handle, with all that has been kept and the limits it had.
    ///
    /// The inverse of [`into_background`](ProcessIo::into_background).
    pub fn into_inner(self) -> ProcessIo {
        let Some(mut io) = self.shared.lock().io.take() else {
            unreachable!("it is given back by value");
        };
        for (source, limit) in Source::BOTH.into_iter().zip(self.limits) {
            // Unless another one has been set meanwhile.
            if io.pump.limit(source) == limit.or_keep_tail() {
                io.pump.set_limit(source, limit);
            }
        }
        io
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
        // Now, and not when the task has ended, if it is being polled elsewhere.
        let io = self.shared.lock().io.take();
        drop(io);
    }
}
