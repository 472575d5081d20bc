//! [`Report`]: how a child was stopped.

use std::{fmt, io, process::ExitStatus, time::Duration};

use crate::signal::Signal;

/// How a child was stopped: by a [`shutdown`](crate::ProcessIo::shutdown), or because its run was [cut
/// short](crate::Builder#when-to-stop).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use std::time::Duration;
/// use process_io::{Ladder, ProcessIo, Signal, Step};
///
/// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
/// let ladder = Ladder::new().signal(Signal::TERM, Duration::from_secs(5));
/// let report = sleep.shutdown(ladder).await?;
/// assert_eq!(report.steps[0].step, Step::Signal(Signal::TERM));
/// assert!(!report.survivors);
/// println!("{report}"); // signal: 15 (SIGTERM), 1.2ms after SIGTERM
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How the child ended.
    pub status: ExitStatus,
    /// The steps that were taken, in order, by this shutdown or one before. Empty if the child had exited by itself.
    pub steps: Vec<Taken>,
    /// Time from the first step until the end of the child and its tree.
    pub elapsed: Duration,
    /// Whether a process of the child's tree is still running although `SIGKILL` was sent to it, or refused, as for one
    /// that runs as another user.
    pub survivors: bool,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// What was done in it.
    pub step: Step,
    /// Time until the end of the child and its tree, or until the next step.
    pub took: Duration,
    /// Why the step could not be carried out; the shutdown then went to the next step without waiting.
    pub error: Option<io::ErrorKind>,
}

/// What was done in a step of a [`Ladder`](crate::Ladder).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The child's stdin was closed: [`Ladder::close_stdin`](crate::Ladder::close_stdin).
    CloseStdin,
    /// Bytes were sent to the child's stdin: [`Ladder::send`](crate::Ladder::send).
    Send,
    /// A signal was sent to the child and its tree: [`Ladder::signal`](crate::Ladder::signal).
    Signal(Signal),
    /// A signal was sent to the child alone: [`Ladder::signal_child`](crate::Ladder::signal_child).
    SignalChild(Signal),
    /// A function was called: [`Ladder::call`](crate::Ladder::call).
    Call,
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

    /// Returns the last step that was taken, after which the child and its tree had ended; `None` if none was needed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Ladder, ProcessIo, Step};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// let report = cat.shutdown(Ladder::default()).await?;
    /// assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn ended_by(&self) -> Option<Step> {
        self.steps.last().map(|taken| taken.step)
    }
}

impl fmt::Display for Report {
    /// Formats the report as `exit status: 0, 12.3ms after SIGTERM`.
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseStdin => f.write_str("closing stdin"),
            Self::Send => f.write_str("sending to stdin"),
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::SignalChild(signal) => write!(f, "{signal} to the child alone"),
            Self::Call => f.write_str("calling a function"),
        }
    }
}
