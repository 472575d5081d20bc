//! How much is kept, how long is waited: [`Limits`], [`Overflow`], [`Drain`] and every default.

use std::time::Duration;

use crate::event::Source;

/// Default [limit](Limits) of unread bytes of stdout: 64 MiB.
pub const DEFAULT_STDOUT_LIMIT: usize = 64 << 20;
/// Default [limit](Limits) of unread bytes of stderr: 16 MiB.
pub const DEFAULT_STDERR_LIMIT: usize = 16 << 20;
/// Default `idle` of [`Drain::Linger`], the longest silence of a pipe that a descendant holds after the child's
/// exit: 200 ms.
pub const DEFAULT_DRAIN_IDLE: Duration = Duration::from_millis(200);
/// Default `cap` of [`Drain::Linger`], the longest time for which such a pipe is read after the child's exit: 5 s.
pub const DEFAULT_DRAIN_CAP: Duration = Duration::from_secs(5);

/// Default time for a child to exit after its stdin was closed, see [`Ladder`](crate::Ladder): 1 s.
pub const DEFAULT_STDIN_GRACE: Duration = Duration::from_secs(1);
/// Default time for a child to exit after `SIGTERM`, see [`Ladder`](crate::Ladder): 5 s.
pub const DEFAULT_TERM_GRACE: Duration = Duration::from_secs(5);

/// Default total capacity of those pipes of this process that were made larger, see
/// [`set_pipe_budget`](crate::set_pipe_budget): 16 MiB.
pub const DEFAULT_PIPE_BUDGET: usize = 16 << 20;

/// How long it is waited for a child that was killed: 10 s. Only one that the system cannot end now, or one of another
/// machine, takes that long.
pub(crate) const KILL_GRACE: Duration = Duration::from_secs(10);
/// How long it is waited for the rest of a tree that was killed, when the child itself has exited: 200 ms.
pub(crate) const SURVIVOR_GRACE: Duration = Duration::from_millis(200);
/// The size of a pipe that has been seen full: measured to be as fast as 1 MiB, at a quarter of the price.
#[allow(dead_code)] // Not everywhere can a pipe be made larger.
pub(crate) const GROWN_PIPE: usize = 256 << 10;
/// How much a dead child may still have in a pipe that cannot tell: 16 MiB, read whatever [`Drain`] says as long
/// as it comes without waiting.
pub(crate) const ASSUMED_UNREAD_AT_EXIT: u64 = 16 << 20;
/// Queued input from which [`Sink::poll_ready`](futures::Sink::poll_ready) waits, and up to which an
/// [`Input`](crate::Input) is read ahead: 64 KiB, what a pipe holds on Linux.
pub(crate) const OUTBOX_HIGH_WATER: usize = 64 << 10;
/// The first read of an idle stream, and the smallest: enough for a line of talk, and what `malloc` has at hand.
pub(crate) const MIN_READ: usize = 1 << 10;
/// Up to so many bytes are copied out of the read buffer, which costs less than to share it.
pub(crate) const MAX_COPY: usize = 512;
/// A read of so much has found the pipe full. In the worst case one of 64 KiB is full with less than half of that: a write of
/// up to a page is never split, so that 15 of 2,049 bytes and the rest of one that has been read in part take all 16 pages.
pub(crate) const FULL_PIPE: usize = 30 << 10;
/// The largest read, and the largest write. As much as programs write at a time, and half of a grown pipe: the other
/// half keeps the child busy. The kernel locks a pipe while it copies, so fewer and larger reads wait less often for
/// the child's writes.
pub(crate) const MAX_TRANSFER: usize = 128 << 10;
/// As much as [`expect`](crate::ProcessIo::expect) may keep, however low the limit is.
pub(crate) const MIN_SEARCH: usize = 64 << 10;
/// Pieces received in a row without a look at the other pipes and the exit.
pub(crate) const MAX_FAST_READS: u8 = 16;
/// Pieces received in a row from one stream before the kernel is asked about the other.
pub(crate) const MAX_MISSED_TURNS: u8 = 4;
/// Reads or writes done in one poll before the task lets others run.
pub(crate) const STEPS_PER_POLL: usize = 32;
/// What one unit of tokio's cooperative budget, of which a task has 128 until it yields, pays for: so many bytes that are
/// handed out in small parts, such as lines. tokio's own `lines` take a unit for a read of 8 KiB.
pub(crate) const BUDGET_UNIT: usize = 2 << 10;
/// A line costs as much as so many bytes, besides its own.
pub(crate) const LINE_COST: usize = 32;
/// Lines handed out before it is looked what they cost: few enough that no other task waits long for them, and so many that it costs
/// nothing to look.
pub(crate) const LINES_AT_ONCE: usize = 256;
/// Between two looks whether the pipes of a child that has exited may be held by siblings.
pub(crate) const SIBLINGS_PAUSE: Duration = Duration::from_millis(10);
/// For so long the half of a handle that is left may be dropped after the one that closes stdin, before it is closed.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(10);
/// How much of stderr an error carries.
pub(crate) const ERROR_TAIL: usize = 4 << 10;

/// What happens to unread output when it reaches its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Stop reading: the child waits until output is taken (back-pressure). A call that meanwhile waits for something
    /// else can then wait forever.
    Block,
    /// The call that moves the pipes fails with an error for which [`is_limit`](crate::Error::is_limit) holds. No
    /// output is lost: what was kept can still be read, which makes room again.
    Fail,
    /// Keep the first bytes; drop and count the rest.
    KeepHead,
    /// Keep the last bytes; drop and count those before.
    KeepTail,
    /// Keep half of the limit from the start and half from the end; drop and count the middle.
    KeepBoth,
}

/// How many unread bytes of one stream are kept, and what happens to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Most bytes that are kept. The buffer that holds them may be up to twice as large.
    pub bytes: usize,
    /// What happens to more.
    pub overflow: Overflow,
}

impl Limit {
    /// The same, but where it is an error to reach it, the last bytes are kept.
    pub(crate) fn or_keep_tail(self) -> Self {
        match self.overflow {
            Overflow::Fail => Self {
                overflow: Overflow::KeepTail,
                ..self
            },
            _ => self,
        }
    }
}

/// The [`Limit`] of each output stream.
///
/// They bound what is *kept*: output that was received but not yet taken by the caller. A reader that takes each
/// piece as it comes never reaches them. They are set by [`Builder::limits`](crate::Builder::limits).
///
/// ```
/// use process_io::{Limits, Overflow};
///
/// let limits = Limits::default()
///     .stdout(1 << 30, Overflow::Fail)
///     .stderr(64 << 10, Overflow::KeepBoth);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    stdout: Limit,
    stderr: Limit,
}

impl Default for Limits {
    /// stdout: [`DEFAULT_STDOUT_LIMIT`], [`Overflow::Fail`]; stderr: [`DEFAULT_STDERR_LIMIT`],
    /// [`Overflow::KeepTail`].
    fn default() -> Self {
        Self {
            stdout: Limit {
                bytes: DEFAULT_STDOUT_LIMIT,
                overflow: Overflow::Fail,
            },
            stderr: Limit {
                bytes: DEFAULT_STDERR_LIMIT,
                overflow: Overflow::KeepTail,
            },
        }
    }
}

impl Limits {
    /// Sets how many bytes of stdout are kept, and what happens to more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo};
    ///
    /// let limits = Limits::default().stdout(1024, Overflow::Fail);
    /// let error = ProcessIo::shell("yes").limits(limits).await.unwrap_err();
    /// assert!(error.is_limit());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stdout(mut self, bytes: usize, overflow: Overflow) -> Self {
        self.stdout = Limit { bytes, overflow };
        self
    }

    /// Sets how many bytes of stderr are kept, and what happens to more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo};
    ///
    /// let limits = Limits::default().stderr(6, Overflow::KeepHead);
    /// let output = ProcessIo::shell("echo first >&2; echo second >&2").limits(limits).await?;
    /// assert_eq!(output.stderr, "first\n");
    /// assert_eq!(output.stderr_omitted, 7);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stderr(mut self, bytes: usize, overflow: Overflow) -> Self {
        self.stderr = Limit { bytes, overflow };
        self
    }

    /// Returns the limit of one stream.
    ///
    /// ```
    /// use process_io::{DEFAULT_STDERR_LIMIT, Limits, Source};
    ///
    /// assert_eq!(Limits::default().get(Source::Stderr).bytes, DEFAULT_STDERR_LIMIT);
    /// ```
    pub fn get(&self, source: Source) -> Limit {
        match source {
            Source::Stdout => self.stdout,
            Source::Stderr => self.stderr,
        }
    }
}

/// How long output is read after the child's exit while a pipe stays open, because a descendant of the child holds
/// it.
///
/// What the child itself wrote is always delivered first: it is in the pipe when the child has exited. This is
/// about what comes after that. It is set by [`Builder::drain`](crate::Builder::drain).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Drain, ProcessIo};
///
/// let run = ProcessIo::shell("(sleep 0.5; echo late) & echo early");
/// let output = run.drain(Drain::UntilEof).await?;
/// assert_eq!(output.stdout, "early\nlate\n");
/// assert!(!output.pipes_held);
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drain {
    /// Read until end-of-file, however long the descendants live.
    UntilEof,
    /// Read while data still comes: until the pipes have been silent for `idle`, and never longer than `cap` after the
    /// exit was seen.
    Linger {
        /// Longest silence.
        idle: Duration,
        /// Longest time in all.
        cap: Duration,
    },
    /// Read what is in the pipes at the exit, and no more.
    ///
    /// On Unix any child that another thread is starting holds all pipes of this process for a moment, until its
    /// `execve(2)`. With this variant, such a moment can look like a pipe that a descendant holds.
    Immediate,
}

impl Default for Drain {
    /// [`Drain::Linger`] with [`DEFAULT_DRAIN_IDLE`] and [`DEFAULT_DRAIN_CAP`].
    fn default() -> Self {
        Self::Linger {
            idle: DEFAULT_DRAIN_IDLE,
            cap: DEFAULT_DRAIN_CAP,
        }
    }
}
