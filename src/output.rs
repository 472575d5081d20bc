//! [`Output`]: what a finished run left.

use std::{
    borrow::Cow,
    process::ExitStatus,
    str::{Utf8Error, from_utf8},
    sync::Arc,
    time::Duration,
};

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
    /// Where in `stdout` bytes are missing that were dropped at the limit: at its start with
    /// [`Overflow::KeepTail`](crate::Overflow::KeepTail), at its end with [`KeepHead`](crate::Overflow::KeepHead), between what
    /// is kept from the start and what is kept from the end with [`KeepBoth`](crate::Overflow::KeepBoth). `None` if it is in one
    /// piece.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo};
    ///
    /// let run = ProcessIo::command("printf").arg("0123456789");
    /// let output = run.limits(Limits::default().stdout(4, Overflow::KeepBoth)).await?;
    /// let (start, end) = output.stdout.split_at(output.stdout_gap.unwrap());
    /// assert_eq!((start, output.stdout_omitted, end), (&b"01"[..], 6, &b"89"[..]));
    /// # }
    /// # Ok(()) }
    /// ```
    pub stdout_gap: Option<usize>,
    /// Where in `stderr` bytes are missing, as [`stdout_gap`](Self::stdout_gap).
    pub stderr_gap: Option<usize>,
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
    /// Where in `stderr` bytes are missing, as [`Output::stdout_gap`].
    pub stderr_gap: Option<usize>,
    /// What it used.
    pub usage: Option<Usage>,
    /// The pipeline does not fail because of it.
    pub(crate) may_fail: bool,
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

    /// Standard output as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn stdout_str(&self) -> Result<&str, Utf8Error> {
        from_utf8(&self.stdout)
    }

    /// Standard error as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn stderr_str(&self) -> Result<&str, Utf8Error> {
        from_utf8(&self.stderr)
    }

    /// Standard output as text without the newlines at its end, `\r\n` too, as `$(...)` in a shell.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("basename").arg("/usr/bin/env").await?.check()?;
    /// assert_eq!(output.stdout_trimmed()?, "env");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn stdout_trimmed(&self) -> Result<&str, Utf8Error> {
        let mut text = self.stdout_str()?;
        while let Some(line) = text.strip_suffix('\n') {
            text = line.strip_suffix('\r').unwrap_or(line);
        }
        Ok(text)
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
