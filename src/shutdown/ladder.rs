//! [`Ladder`]: the steps by which a child is stopped, and [`Report`]: how that went.

use std::{fmt, io, process::ExitStatus, time::Duration};

use crate::{
    limits::{DEFAULT_STDIN_GRACE, DEFAULT_TERM_GRACE, KILL_GRACE},
    signal::Signal,
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
/// ```
///
/// # Platform-specific behavior
///
/// On Linux the members of a group are told by its leader's pidfd (Linux 6.9) or by `/proc`; on macOS and FreeBSD by the system's
/// list of processes; on Windows the Job Object tells how many are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    steps: Vec<(Step, Duration)>,
}

/// A step of a [`Ladder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Closes the child's stdin, which sees end-of-file once it has read what was queued. The rest of an
    /// [`input`](crate::Builder::input) is left out.
    CloseStdin,
    /// Sends a signal to the child, its process group if it leads one, and its live descendants; see
    /// [`signal_tree`](crate::Control::signal_tree).
    Signal(Signal),
    /// Sends a signal to the child alone.
    SignalChild(Signal),
}

impl Ladder {
    /// No step before the last one: to be followed by [`close_stdin`](Self::close_stdin), [`signal`](Self::signal),
    /// [`step`](Self::step).
    pub fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Nothing but the last step: `SIGKILL` at once. The same as [`new`](Self::new).
    pub fn kill() -> Self {
        Self::new()
    }

    /// Then: close stdin, and give the child and its tree so much time.
    pub fn close_stdin(self, grace: Duration) -> Self {
        self.step(Step::CloseStdin, grace)
    }

    /// Then: send a signal to the child and its tree, and give them so much time.
    pub fn signal(self, signal: Signal, grace: Duration) -> Self {
        self.step(Step::Signal(signal), grace)
    }

    /// Then: `step`, and give the child and its tree so much time.
    pub fn step(mut self, step: Step, grace: Duration) -> Self {
        self.steps.push((step, grace));
        self
    }

    /// All steps, the last one too.
    pub(super) fn into_steps(mut self) -> std::vec::IntoIter<(Step, Duration)> {
        self.steps.push((Step::Signal(Signal::KILL), KILL_GRACE));
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseStdin => f.write_str("closing stdin"),
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::SignalChild(signal) => write!(f, "{signal} to the child alone"),
        }
    }
}

/// How a [`shutdown`](crate::ProcessIo::shutdown) went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How the child ended.
    pub status: ExitStatus,
    /// The steps that were taken, in order, by this shutdown or one before. Empty if the child had exited by itself.
    pub steps: Vec<Taken>,
    /// From the first step until the end of the child and its tree.
    pub elapsed: Duration,
    /// Something of the child's tree is still running although `SIGKILL` was sent to it, or refused, as what runs as another
    /// user may be.
    pub survivors: bool,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// What was done.
    pub step: Step,
    /// How long it was waited after it: until the end of the child and its tree, or the next step.
    pub took: Duration,
    /// Why it could not be delivered; then it was passed over.
    pub error: Option<io::ErrorKind>,
}

impl Report {
    /// Of a child that needed no step.
    pub(crate) fn new(status: ExitStatus) -> Self {
        Self {
            status,
            steps: Vec::new(),
            elapsed: Duration::ZERO,
            survivors: false,
        }
    }

    /// The last step that was taken, after which the child and its tree had ended; `None` if none was needed.
    pub fn ended_by(&self) -> Option<Step> {
        self.steps.last().map(|taken| taken.step)
    }
}

impl fmt::Display for Report {
    /// As in `exit status: 0, 12.3ms after SIGTERM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.steps.last() {
            Some(last) => write!(f, ", {:.1?} after {}", last.took, last.step)?,
            None => f.write_str(", before the first step")?,
        }
        match self.survivors {
            true => {
                f.write_str("; something that it started could not be killed, and is still running")
            }
            false => Ok(()),
        }
    }
}
