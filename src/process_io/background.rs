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

/// A child that runs on while its handle is not used: a task of the runtime keeps all its pipes moving. Made by
/// [`into_background`](ProcessIo::into_background).
///
/// What has been received and is not taken is kept, as [`Limits`](crate::Limits) say; where those say
/// [`Overflow::Fail`](crate::Overflow::Fail), the last so many bytes are kept instead. What is asked for here is done [on the handle](Self::with), at once.
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
    /// What the task was told once, for whoever waits.
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
    /// Lets the child run on in the background: its pipes move, and what it says is kept as [`Background`] tells, so that it is
    /// never held up by a pipe that is full. This spawns one task in the runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut server = ProcessIo::shell("echo ready; yes >&2").spawn()?;
    /// assert_eq!(server.recv_line(Source::Stdout).await?.unwrap(), "ready");
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
    /// Does something with the handle that does not wait: [`recv_nowait`](ProcessIo::recv_nowait),
    /// [`pending`](ProcessIo::pending), [`send_nowait`](ProcessIo::send_nowait), [`set_limits`](ProcessIo::set_limits), ...
    /// The pipes stand still as long as it takes.
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

    /// Waits for the end of the run; see [`ProcessIo::wait`].
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

    /// The child's process.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Gives the handle back, with all that has been kept and the limits it had. The inverse of
    /// [`into_background`](ProcessIo::into_background).
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
