//! [`Output`]: what a finished run left.

use std::{borrow::Cow, process::ExitStatus, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{report::Report, secrets::Secrets};

/// What a run left: how the child ended, what it wrote, and what is worth knowing about how.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let output = ProcessIo::command("sort").arg("-r").input("a\nc\nb\n").await?.check()?;
/// assert_eq!(output.stdout, "c\nb\na\n");
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Output {
    /// How the child ended. `None` only in the partial output of an error, when the child was still
    /// running or had not been started.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard output, within the limit.
    pub stdout: Bytes,
    /// What it wrote to standard error, within the limit.
    pub stderr: Bytes,
    /// Bytes of standard output that were dropped at the limit.
    pub stdout_omitted: u64,
    /// Bytes of standard error that were dropped at the limit.
    pub stderr_omitted: u64,
    /// A descendant held a pipe open after the child's exit, and reading stopped before its
    /// end-of-file, as [`Drain`](crate::Drain) says. What the child itself wrote is complete.
    pub pipes_held: bool,
    /// Bytes of input that the child's stdin pipe took. A child may succeed without reading all its input.
    pub stdin_written: u64,
    /// The run was stopped because its time was up; only in the partial output of an error.
    pub timed_out: bool,
    /// From the start of the child until the run was over.
    pub elapsed: Duration,
    /// From the start of the child until the first byte of its output was received; `None` if it wrote none.
    pub first_byte: Option<Duration>,
    /// What the child used, with those of its descendants that it waited for. `None` where the platform does not tell,
    /// and while the child is running.
    pub usage: Option<Usage>,
    /// How each stage of a [`Pipeline`](crate::Pipeline) did, in order; empty for a single child.
    pub stages: Vec<StageOutput>,
    /// How the child was stopped, if it was: by a [`shutdown`](crate::ProcessIo::shutdown), a time-out or a cancellation.
    pub report: Option<Report>,
    pub(crate) command: Option<Arc<str>>,
    /// What an error is not to show of stderr.
    pub(crate) secrets: Secrets,
    /// From the start of the child until its exit was seen.
    pub(crate) ran: Duration,
}

/// What a child used, with those of its descendants that it waited for: `getrusage(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time in the program itself.
    pub user: Duration,
    /// Processor time in the system on its behalf.
    pub system: Duration,
    /// The most memory that one of them had resident, in bytes.
    ///
    /// On Linux a child starts out with its parent's own peak in this account, for it shares the parent's memory until
    /// its `execve(2)`. So this is `None` for a child that stayed below that: what it had itself is not known.
    pub max_resident: Option<u64>,
}

/// How one stage of a pipeline did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageOutput {
    /// The command line of the stage.
    pub command: Arc<str>,
    /// How it ended. `None` only in the partial output of an error, when it was still running, or when the run was cut
    /// short before all stages had been started.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard error, within the limit, which holds for each stage.
    pub stderr: Bytes,
    /// Bytes of standard error that were dropped at the limit.
    pub stderr_omitted: u64,
    /// What it used.
    pub usage: Option<Usage>,
}

impl Usage {
    /// For one's own [`Process`](crate::transport::Process).
    pub fn new(user: Duration, system: Duration, max_resident: Option<u64>) -> Self {
        Self {
            user,
            system,
            max_resident,
        }
    }
}

impl Output {
    /// The child ended by itself, with exit code 0.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The exit code, if it ended by itself.
    pub fn code(&self) -> Option<i32> {
        self.status?.code()
    }

    /// Standard output as text, with U+FFFD for what is not UTF-8.
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text, with U+FFFD for what is not UTF-8.
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}
