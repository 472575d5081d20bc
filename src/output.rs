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

/// The result of a run: how the child ended, what it wrote, and how long it took.
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
    /// How the child ended. `None` only in the partial output of an error, when the child was still running or had not
    /// been started.
    pub status: Option<ExitStatus>,
    /// What the child wrote to standard output, within the limit.
    pub stdout: Bytes,
    /// What the child wrote to standard error, within the limit.
    pub stderr: Bytes,
    /// Bytes of standard output that were dropped at the limit.
    pub stdout_omitted: u64,
    /// Bytes of standard error that were dropped at the limit.
    pub stderr_omitted: u64,
    /// Offset in `stdout` at which bytes are missing that were dropped at the limit; `None` if it is complete.
    ///
    /// It is at the start with [`Overflow::KeepTail`](crate::Overflow::KeepTail), at the end with
    /// [`KeepHead`](crate::Overflow::KeepHead), and between what is kept from the start and what is kept from the end
    /// with [`KeepBoth`](crate::Overflow::KeepBoth).
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
    /// Offset in `stderr` at which bytes are missing, as [`stdout_gap`](Self::stdout_gap).
    pub stderr_gap: Option<usize>,
    /// Whether a descendant held a pipe open after the child's exit, and reading stopped before its end-of-file, as set
    /// by [`Drain`](crate::Drain). What the child itself wrote is complete.
    pub pipes_held: bool,
    /// Number of bytes of input that were written to the child's stdin pipe. A child may succeed without reading all
    /// its input.
    pub stdin_written: u64,
    /// Whether the run was stopped because its time was up; only in the partial output of an error.
    pub timed_out: bool,
    /// Time from the start of the child until the run was over.
    pub elapsed: Duration,
    /// Time from the start of the child until the first byte of its output was received; `None` if it wrote none.
    pub first_byte: Option<Duration>,
    /// Resources that the child used, with those of its descendants that it waited for. `None` while the child is
    /// running, and where the platform does not provide it.
    pub usage: Option<Usage>,
    /// The result of each stage of a [`Pipeline`](crate::Pipeline), in order; empty for a single child.
    pub stages: Vec<StageOutput>,
    /// How the child was stopped, by a [`shutdown`](crate::ProcessIo::shutdown), a time-out or a cancellation; `None`
    /// if it was not.
    pub report: Option<Report>,
    pub(crate) command: Option<Arc<str>>,
    /// What an error is not to show of stderr.
    pub(crate) secrets: Secrets,
    /// From the start of the child until its exit was seen.
    pub(crate) ran: Duration,
}

/// The resources that a child used, with those of its descendants that it waited for: `getrusage(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel on its behalf.
    pub system: Duration,
    /// Largest resident set of any one of them, in bytes.
    ///
    /// On Linux a child starts out with its parent's own peak in this account, because it shares the parent's memory
    /// until its `execve(2)`. So this is `None` for a child that stayed below that: its own peak is not known.
    pub max_resident: Option<u64>,
}

/// The result of one stage of a [`Pipeline`](crate::Pipeline).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIo};
///
/// let output = ProcessIo::shell("echo a; echo warning >&2").pipe(Command::new("cat")).await?;
/// assert_eq!(output.stages[0].stderr, "warning\n");
/// assert!(output.stages[1].status.unwrap().success());
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageOutput {
    /// The command line of the stage.
    pub command: Arc<str>,
    /// How the stage ended. `None` only in the partial output of an error, when it was still running, or when the run
    /// was cut short before all stages had been started.
    pub status: Option<ExitStatus>,
    /// What the stage wrote to standard error, within the limit, which applies to each stage.
    pub stderr: Bytes,
    /// Bytes of standard error that were dropped at the limit.
    pub stderr_omitted: u64,
    /// Offset in `stderr` at which bytes are missing, as [`Output::stdout_gap`].
    pub stderr_gap: Option<usize>,
    /// Resources that the stage used.
    pub usage: Option<Usage>,
    /// The pipeline fails because of it.
    pub(crate) failed: bool,
}

impl Usage {
    /// Creates a `Usage`, for an implementation of [`Process`](crate::transport::Process).
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_io::Usage;
    ///
    /// let usage = Usage::new(Duration::from_millis(20), Duration::from_millis(5), Some(4 << 20));
    /// assert_eq!(usage.user + usage.system, Duration::from_millis(25));
    /// ```
    pub fn new(user: Duration, system: Duration, max_resident: Option<u64>) -> Self {
        Self {
            user,
            system,
            max_resident,
        }
    }
}

impl Output {
    /// Returns whether the child exited by itself with exit code 0.
    ///
    /// [`check`](Output::check) makes an error of it if it did not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// assert!(ProcessIo::command("true").await?.success());
    /// assert!(!ProcessIo::command("false").await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Returns the exit code; `None` if the child was ended by a signal, or if its [`status`](Output::status) is
    /// `None`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// assert_eq!(ProcessIo::shell("exit 3").await?.code(), Some(3));
    /// assert_eq!(ProcessIo::shell("kill -9 $$").await?.code(), None);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn code(&self) -> Option<i32> {
        self.status?.code()
    }

    /// Returns standard output as text.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("echo").arg("grüezi").await?;
    /// assert_eq!(output.stdout_str().unwrap(), "grüezi\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if it is not UTF-8.
    pub fn stdout_str(&self) -> Result<&str, Utf8Error> {
        from_utf8(&self.stdout)
    }

    /// Returns standard error as text.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("echo warning >&2").await?;
    /// assert_eq!(output.stderr_str().unwrap(), "warning\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if it is not UTF-8.
    pub fn stderr_str(&self) -> Result<&str, Utf8Error> {
        from_utf8(&self.stderr)
    }

    /// Returns standard output as text without the newlines at its end, as `$(...)` does in a shell.
    ///
    /// `\r\n` is removed too.
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
    /// Returns an error if it is not UTF-8.
    pub fn stdout_trimmed(&self) -> Result<&str, Utf8Error> {
        let mut text = self.stdout_str()?;
        while let Some(line) = text.strip_suffix('\n') {
            text = line.strip_suffix('\r').unwrap_or(line);
        }
        Ok(text)
    }

    /// Returns standard output as text, with U+FFFD in place of what is not UTF-8.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("printf").arg("caf\\351").await?; // Latin-1
    /// assert_eq!(output.stdout_lossy(), "caf\u{FFFD}");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Returns standard error as text, with U+FFFD in place of what is not UTF-8.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("printf 'caf\\351' >&2").await?; // Latin-1
    /// assert_eq!(output.stderr_lossy(), "caf\u{FFFD}");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}
