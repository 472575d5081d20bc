//! Ending a run: now, step by step, or when it is time.

use std::{future::poll_fn, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Handle, ProcessIo};
use crate::{
    error::Result,
    pump::{abort_shutdown, poll_shutdown},
    report::Report,
    shutdown::{Ladder, Watch},
};

/// # Stopping
///
/// What these set can be set for the whole run by the [`Builder`](crate::Builder#when-to-stop), which tells how a run ends
/// that is cut short.
impl ProcessIo {
    /// Stops the child by the steps of `ladder`, usually [`Ladder::default`]: close stdin, 1 s, `SIGTERM` to the tree, 5 s,
    /// `SIGKILL` to the tree. It ends as soon as the child has exited and nothing of its tree is left; the child is reaped. A
    /// child that has exited by itself needs no step, and what it has left is left, unless
    /// [`kill_leftovers`](crate::Builder::kill_leftovers) is set.
    ///
    /// Meanwhile its output is received, and kept up to its [limit](crate::Limits), where the child has to wait; it
    /// is there for later calls. A [`Drain`](crate::Drain) without end counts as the default from here on. [Time-outs](crate::Builder#when-to-stop) that
    /// were set have no effect any more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Ladder, ProcessIo, Source, Step};
    ///
    /// let mut sort = ProcessIo::command("sort").spawn()?;
    /// sort.send("b\na\n").await?;
    /// let report = sort.shutdown(Ladder::default()).await?;
    /// assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    /// assert_eq!(sort.recv(Source::Stdout).await?.data().unwrap(), "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If the exit status is not to be had: because the child could not be killed: at once if the system refuses that, else
    /// when it lives on after 10 s more; or see
    /// [`Control::wait`](crate::Control::wait).
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way it kills the child and its tree at once. Nothing of the output is lost, and
    /// [`wait`](Self::wait) tells how the child ended.
    pub async fn shutdown(&mut self, ladder: Ladder) -> Result<Report> {
        shutdown(self, ladder).await
    }

    /// Stops the run when it has taken so long, counted from the spawn; `None` takes that back. See
    /// [`Builder::timeout`](crate::Builder::timeout).
    pub fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.watch().timeout = timeout.into();
    }

    /// Stops the run at this point in time; `None` takes that back. See [`Builder::deadline`](crate::Builder::deadline).
    pub fn set_deadline(&mut self, deadline: impl Into<Option<Instant>>) {
        self.watch().deadline = deadline.into();
    }

    /// Stops the run when no byte has moved for so long; `None` takes that back. See
    /// [`Builder::inactivity_timeout`](crate::Builder::inactivity_timeout).
    pub fn set_inactivity_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.watch().set_silence(timeout.into());
    }

    /// Stops the run when the token is cancelled; see [`Builder::cancel_on`](crate::Builder::cancel_on).
    pub fn set_cancel_on(&mut self, token: CancellationToken) {
        self.watch().cancel_on(token);
    }

    /// By which steps a run is stopped that is cut short; see [`Builder::ladder`](crate::Builder::ladder).
    pub fn set_ladder(&mut self, ladder: Ladder) {
        self.watch().ladder = ladder;
    }

    fn watch(&mut self) -> &mut Watch {
        self.pump.watch()
    }
}

pub(super) async fn shutdown(io: &mut impl Handle, ladder: Ladder) -> Result<Report> {
    let mut ladder = Some(ladder);
    let mut shutdown = Shutdown { io, done: false };
    let report =
        poll_fn(|cx| (shutdown.io).poll(cx, |pump, turn| poll_shutdown(pump, turn, &mut ladder)));
    let report = report.await;
    shutdown.done = true;
    report
}

/// A shutdown that is dropped half-way goes to its last step.
struct Shutdown<'a, H: Handle> {
    io: &'a mut H,
    done: bool,
}

impl<H: Handle> Drop for Shutdown<'_, H> {
    fn drop(&mut self) {
        if !self.done {
            self.io.with(|io| abort_shutdown(&mut io.pump));
        }
    }
}
