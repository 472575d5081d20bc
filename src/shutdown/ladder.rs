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

/// How a child is stopped: step by step, with time after each for the child and its tree to exit by themselves.
///
/// It ends as soon as the child has exited and nothing of its tree is running: no member of its process group, and no
/// descendant that was there when a signal was sent to the tree. So the time is also that of a program that a shell has
/// started, although the shell ends at the signal. Whatever the steps are, the last one is `SIGKILL` to the whole tree.
///
/// After `SIGHUP`, `SIGINT` and `SIGTERM` a `SIGCONT` is sent to the same processes, for one that is stopped could not act on
/// them. A step that cannot be delivered, such as closing a stdin that is closed already, is passed over without waiting.
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
/// On Linux the members of a group are told by its leader's pidfd (Linux 6.9) or by `/proc`; on macOS and FreeBSD by the system's
/// list of processes; on Windows the Job Object tells how many are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    steps: Vec<(Action, Duration)>,
}

/// What is done in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    CloseStdin,
    Send(Bytes),
    Signal(Signal),
    SignalChild(Signal),
    Call(Callback),
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
    /// No step before the last one: to be followed by [`close_stdin`](Self::close_stdin), [`send`](Self::send),
    /// [`signal`](Self::signal), [`signal_child`](Self::signal_child), [`call`](Self::call).
    pub fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Nothing but the last step: `SIGKILL` at once. The same as [`new`](Self::new).
    pub fn kill() -> Self {
        Self::new()
    }

    /// Then: close the child's stdin, which sees end-of-file once it has read what was queued, and give the child and its tree
    /// so much time. The rest of an [`input`](crate::Builder::input) is left out.
    pub fn close_stdin(self, grace: Duration) -> Self {
        self.then(Action::CloseStdin, grace)
    }

    /// Then: send `data` to the child's stdin, behind what is queued for it, and give the child and its tree so much time. The
    /// rest of an [`input`](crate::Builder::input) is left out. As `q` for `ffmpeg`, or `exit\n` for a shell.
    ///
    /// stdin stays open, unless it was to be closed after what was queued. One that is closed already is passed over: so it is
    /// with `.await` on a [`Builder`](crate::Builder) and [`output`](crate::ProcessIo::output), which close it, and after a
    /// [drop](crate::OnDrop::Shutdown).
    pub fn send(self, data: impl Into<Bytes>, grace: Duration) -> Self {
        self.then(Action::Send(data.into()), grace)
    }

    /// Then: send a signal to the child, its process group if it leads one, and its live descendants (see
    /// [`signal_tree`](crate::Control::signal_tree)), and give them so much time.
    pub fn signal(self, signal: Signal, grace: Duration) -> Self {
        self.then(Action::Signal(signal), grace)
    }

    /// Then: send a signal to the child alone, and give the child and its tree so much time.
    pub fn signal_child(self, signal: Signal, grace: Duration) -> Self {
        self.then(Action::SignalChild(signal), grace)
    }

    /// Then: call `ask`, and give the child and its tree so much time. An error of it is told by the
    /// [report](crate::Taken::error), and the time after it is passed over.
    ///
    /// It is called in the task that moves the pipes, or for a child that was [dropped](crate::OnDrop::Shutdown) in a thread
    /// without a runtime, and so must not block: what takes time can be spawned there as a task or a thread of its own.
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
    /// Close stdin, 1 s, `SIGTERM` to the tree, 5 s, `SIGKILL` to the tree.
    fn default() -> Self {
        Self::new()
            .close_stdin(DEFAULT_STDIN_GRACE)
            .signal(Signal::TERM, DEFAULT_TERM_GRACE)
    }
}
