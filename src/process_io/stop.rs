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
/// The [`Builder`](crate::Builder#when-to-stop) has the same options for the whole run, and describes how a run ends that is cut
/// short.
impl ProcessIo {
    /// Stops the child by the steps of `ladder`, and returns a [`Report`] of them once it has been reaped.
    ///
    /// The steps of [`Ladder::default`] are: close stdin, wait 1 s, `SIGTERM` to the tree, wait 5 s, `SIGKILL` to the tree. It ends as
    /// soon as the child has exited and nothing of its tree is left. A child that has exited by itself needs no step, and the processes
    /// that it has started and that still run are left running, unless [`kill_leftovers`](crate::Builder::kill_leftovers) is set.
    ///
    /// Meanwhile its output is received and kept up to its [limit](crate::Limits), where the child has to wait; later calls
    /// return it. [`Drain::UntilEof`](crate::Drain::UntilEof) counts as the default [`Drain`](crate::Drain) from here on.
    /// [Time-outs](crate::Builder#when-to-stop) that were set have no effect any more.
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
    /// If the exit status is unavailable: because the child could not be killed (at once if the system refuses that, else
    /// after 10 s), or as [`Control::wait`](crate::Control::wait).
    ///
    /// # Panics
    ///
    /// If it has to wait and is polled outside a tokio runtime with [time enabled](tokio::runtime::Builder::enable_time).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the child and its tree are killed at once. Nothing of the output is lost, and
    /// [`wait`](Self::wait) returns how the child ended.
    pub async fn shutdown(&mut self, ladder: Ladder) -> Result<Report> {
        shutdown(self, ladder).await
    }

    /// Sets how long the run may take, counted from the spawn, before it is stopped; `None` removes the time-out.
    ///
    /// See [`Builder::timeout`](crate::Builder::timeout).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.set_timeout(Duration::from_millis(100));
    /// assert!(sleep.wait().await.unwrap_err().is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.watch().timeout = timeout.into();
    }

    /// Sets the point in time at which the run is stopped; `None` removes it.
    ///
    /// See [`Builder::deadline`](crate::Builder::deadline).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    /// use tokio::time::Instant;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.set_deadline(Instant::now() + Duration::from_millis(100));
    /// assert!(sleep.wait().await.unwrap_err().is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_deadline(&mut self, deadline: impl Into<Option<Instant>>) {
        self.watch().deadline = deadline.into();
    }

    /// Sets how long no byte may move before the run is stopped; `None` removes the time-out.
    ///
    /// See [`Builder::inactivity_timeout`](crate::Builder::inactivity_timeout).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo started; sleep 60").spawn()?;
    /// assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "started\n");
    /// io.set_inactivity_timeout(Duration::from_millis(100));
    /// assert!(io.wait().await.unwrap_err().is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_inactivity_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.watch().set_silence(timeout.into());
    }

    /// Sets a token that stops the run when it is cancelled.
    ///
    /// See [`Builder::cancel_on`](crate::Builder::cancel_on).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{CancellationToken, ProcessIo};
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// let token = CancellationToken::new();
    /// sleep.set_cancel_on(token.clone());
    /// token.cancel();
    /// assert!(sleep.wait().await.unwrap_err().is_cancelled());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_cancel_on(&mut self, token: CancellationToken) {
        self.watch().cancel_on(token);
    }

    /// Sets the steps by which a run that is cut short is stopped.
    ///
    /// See [`Builder::ladder`](crate::Builder::ladder).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Signal, Source, Step};
    ///
    /// let mut io = ProcessIo::shell("trap 'exit 0' TERM; sleep 60 & echo ready; wait").spawn()?;
    /// assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "ready\n");
    /// io.set_ladder(Ladder::new().signal(Signal::TERM, Duration::from_secs(10)));
    /// io.set_timeout(Duration::ZERO);
    /// let error = io.wait().await.unwrap_err();
    /// assert_eq!(error.report().unwrap().ended_by(), Some(Step::Signal(Signal::TERM)));
    /// # }
    /// # Ok(()) }
    /// ```
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
