//! [`Ladder`]: the steps by which a child is stopped.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    error::Result,
    limits::{DEFAULT_STDIN_GRACE, DEFAULT_TERM_GRACE, KILL_GRACE},
    report::Step,
    signal::Signal,
    transport::Control,
};

/// The steps by which a child is stopped, each with a time for the child and its tree to exit by themselves.
///
/// It is finished as soon as the child has exited and no process of its tree is running: no member of its process
/// group, and no descendant that existed when a signal was sent to the tree. So the time applies to a program that
/// a shell has started too, although the shell itself ends at the signal. Whatever the steps are, the last one is
/// `SIGKILL` to the whole tree.
///
/// After `SIGHUP`, `SIGINT` and `SIGTERM` a `SIGCONT` is sent to the same processes, because one that is stopped
/// could not act on them. A step that cannot be carried out, such as closing a stdin that is closed already, is
/// skipped without waiting.
///
/// It is used by [`shutdown`](crate::ProcessIo::shutdown), [`Builder::ladder`](crate::Builder::ladder) and
/// [`Builder::on_drop`](crate::Builder::on_drop).
///
/// ```
/// use std::time::Duration;
/// use process_io::{Ladder, Signal};
///
/// let gentle = Ladder::default(); // close stdin, 1 s, SIGTERM, 5 s, SIGKILL
/// let at_once = Ladder::kill();
/// let own = Ladder::new()
///     .signal(Signal::INT, Duration::from_millis(500))
///     .signal(Signal::TERM, Duration::from_secs(2));
/// let ffmpeg = Ladder::new()
///     .send("q", Duration::from_secs(5))
///     .signal(Signal::TERM, Duration::from_secs(5));
/// ```
///
/// # Platform-specific behavior
///
/// On Linux the members of a group are determined by its leader's pidfd (Linux 6.9) or by `/proc`; on macOS and
/// FreeBSD by the system's list of processes; on Windows by the number of processes in the Job Object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    steps: Vec<(Action, Duration)>,
}

/// What is done in a step.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Action {
    CloseStdin,
    Send(Bytes),
    Signal(Signal),
    SignalChild(Signal),
    Call(Callback),
}

/// What is sent may be secret.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(data) => write!(f, "Send({} bytes)", data.len()),
            Self::Call(_) => f.write_str("Call"),
            _ => fmt::Debug::fmt(&self.step(), f),
        }
    }
}

impl Action {
    /// What is told of it.
    pub(crate) fn step(&self) -> Step {
        match *self {
            Self::CloseStdin => Step::CloseStdin,
            Self::Send(_) => Step::Send,
            Self::Signal(signal) => Step::Signal(signal),
            Self::SignalChild(signal) => Step::SignalChild(signal),
            Self::Call(_) => Step::Call,
        }
    }
}

/// A function of the user's.
#[derive(Clone)]
pub(crate) struct Callback(Arc<Ask>);

type Ask = dyn Fn(&Control) -> Result<()> + Send + Sync;

impl Callback {
    pub(crate) fn call(&self, control: &Control) -> Result<()> {
        (self.0)(control)
    }
}

/// Equal is only what was cloned from the same one.
impl PartialEq for Callback {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Callback {}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

impl Ladder {
    /// Creates a ladder whose only step is the last one, `SIGKILL`.
    ///
    /// Steps before it are added by [`close_stdin`](Self::close_stdin), [`send`](Self::send), [`signal`](Self::signal),
    /// [`signal_child`](Self::signal_child) and [`call`](Self::call).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Signal};
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// let ladder = Ladder::new()
    ///     .signal(Signal::INT, Duration::from_millis(100))
    ///     .signal(Signal::TERM, Duration::from_secs(5));
    /// assert!(sleep.shutdown(ladder).await?.steps.len() <= 2);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Creates a ladder whose only step is the last one, `SIGKILL`. It is the same as [`new`](Self::new).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Ladder, ProcessIo, Signal, Step};
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// let report = sleep.shutdown(Ladder::kill()).await?;
    /// assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn kill() -> Self {
        Self::new()
    }

    /// Adds a step that closes the child's stdin, and then waits up to `grace` for the child and its tree to exit.
    ///
    /// The child sees end-of-file once it has read what was queued. The rest of an [`input`](crate::Builder::input) is
    /// not written.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Step};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// let ladder = Ladder::new().close_stdin(Duration::from_secs(5));
    /// assert_eq!(cat.shutdown(ladder).await?.ended_by(), Some(Step::CloseStdin));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn close_stdin(self, grace: Duration) -> Self {
        self.then(Action::CloseStdin, grace)
    }

    /// Adds a step that sends `data` to the child's stdin, after what is queued for it, and then waits up to `grace`
    /// for the child and its tree to exit.
    ///
    /// It is for a program that ends at a command, as `ffmpeg` does at `q`, or a shell at `exit\n`. The rest of an
    /// [`input`](crate::Builder::input) is not written.
    ///
    /// stdin stays open, unless it was to be closed after what was queued. The step is skipped if stdin is closed
    /// already. That is so with `.await` on a [`Builder`](crate::Builder) and [`output`](crate::ProcessIo::output),
    /// which close it, and after a [drop](crate::OnDrop::Shutdown).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Step};
    ///
    /// let mut sh = ProcessIo::command("sh").spawn()?;
    /// let ladder = Ladder::new().send("exit\n", Duration::from_secs(5));
    /// assert_eq!(sh.shutdown(ladder).await?.ended_by(), Some(Step::Send));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn send(self, data: impl Into<Bytes>, grace: Duration) -> Self {
        self.then(Action::Send(data.into()), grace)
    }

    /// Adds a step that sends a signal to the child's tree, and then waits up to `grace` for the child and its tree to
    /// exit.
    ///
    /// The tree is the child, its process group if it leads one, and its live descendants, see
    /// [`signal_tree`](crate::Control::signal_tree).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Signal, Step};
    ///
    /// let mut tree = ProcessIo::shell("sleep 60; true").spawn()?;
    /// let ladder = Ladder::new().signal(Signal::TERM, Duration::from_secs(5));
    /// assert_eq!(tree.shutdown(ladder).await?.ended_by(), Some(Step::Signal(Signal::TERM)));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn signal(self, signal: Signal, grace: Duration) -> Self {
        self.then(Action::Signal(signal), grace)
    }

    /// Adds a step that sends a signal to the child alone, and then waits up to `grace` for the child and its tree to
    /// exit.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Signal, Step};
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// let ladder = Ladder::new().signal_child(Signal::TERM, Duration::from_secs(5));
    /// assert_eq!(sleep.shutdown(ladder).await?.ended_by(), Some(Step::SignalChild(Signal::TERM)));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn signal_child(self, signal: Signal, grace: Duration) -> Self {
        self.then(Action::SignalChild(signal), grace)
    }

    /// Adds a step that calls `ask`, and then waits up to `grace` for the child and its tree to exit.
    ///
    /// If `ask` returns an error it is in the [report](crate::Taken::error), and the time after it is skipped.
    ///
    /// It is called in the task that moves the pipes, or for a child that was [dropped](crate::OnDrop::Shutdown) in a
    /// thread without a runtime, and so must not block: what takes time can be spawned there as a task or a thread of
    /// its own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::{fs::File, time::Duration};
    /// use process_io::{Ladder, ProcessIo, Step};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let stop = folder.path().join("stop");
    /// let server = "while ! [ -e \"$0\" ]; do sleep 0.01; done";
    /// let mut server = ProcessIo::shell(server).arg(&stop).spawn()?;
    ///
    /// let ladder = Ladder::new().call(
    ///     move |_| {
    ///         File::create(&stop)?;
    ///         Ok(())
    ///     },
    ///     Duration::from_secs(5),
    /// );
    /// assert_eq!(server.shutdown(ladder).await?.ended_by(), Some(Step::Call));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn call(
        self,
        ask: impl Fn(&Control) -> Result<()> + Send + Sync + 'static,
        grace: Duration,
    ) -> Self {
        self.then(Action::Call(Callback(Arc::new(ask))), grace)
    }

    fn then(mut self, action: Action, grace: Duration) -> Self {
        self.steps.push((action, grace));
        self
    }

    /// All steps, the last one too.
    pub(super) fn into_steps(mut self) -> std::vec::IntoIter<(Action, Duration)> {
        let kill = Action::Signal(Signal::KILL);
        self.steps.push((kill, KILL_GRACE));
        self.steps.into_iter()
    }
}

impl Default for Ladder {
    /// Creates a ladder that closes stdin, waits 1 s, sends `SIGTERM` to the tree, waits 5 s, and sends `SIGKILL` to
    /// the tree.
    fn default() -> Self {
        Self::new()
            .close_stdin(DEFAULT_STDIN_GRACE)
            .signal(Signal::TERM, DEFAULT_TERM_GRACE)
    }
}
