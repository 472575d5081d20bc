//! [`ProcessIo`] itself: how it is created, queried and dropped.

use std::{
    ffi::OsStr,
    fmt,
    future::poll_fn,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Wake},
};

use tokio::process::Command;

use super::Handle;
use crate::{
    command::{Builder, Origin},
    error::Result,
    event::Source,
    limits::{Drain, Limits},
    output::Output,
    pump::{Pump, Role, Turn, Wakers, poll_output, poll_wait},
    shutdown::OnDrop,
    signal::Signal,
    sys,
    transport::{Control, Parts},
};

/// A running child process with pipes to its stdin, stdout and stderr.
///
/// Whatever is awaited, all three pipes are read and written, so nothing deadlocks: while [`wait`](Self::wait) or
/// [`send`](Self::send) waits for a child that is itself waiting for its output to be read, the output is read and
/// kept, up to its [limit](Limits).
///
/// | to | use |
/// |---|---|
/// | run it to the end | `.await`, or [`output`](Self::output) |
/// | receive all events as they come | it is a `Stream` of [`Event`](crate::Event)s; [`stage_events`](Self::stage_events) for a pipeline |
/// | send | [`send`](Self::send), [`send_line`](Self::send_line), [`send_timeout`](Self::send_timeout), [`send_nowait`](Self::send_nowait), or it is a `Sink` of `Bytes` |
/// | receive | [`recv`](Self::recv), [`recv_max`](Self::recv_max), [`recv_exact`](Self::recv_exact), [`recv_timeout`](Self::recv_timeout), [`recv_for`](Self::recv_for), [`recv_until_quiet`](Self::recv_until_quiet), [`recv_nowait`](Self::recv_nowait), [`bytes`](Self::bytes) as a `Stream` |
/// | send and receive at the same time | [`exchange`](Self::exchange), [`exchange_until_quiet`](Self::exchange_until_quiet) |
/// | receive lines, wait for a prompt, use a codec | [`recv_line`](Self::recv_line), [`lines`](Self::lines), [`line_blocks`](Self::line_blocks); [`expect`](Self::expect); [`framed`](Self::framed) |
/// | close a pipe | [`close_stdin`](Self::close_stdin), [`close_output`](Self::close_output); [`stdin_closed`](Self::stdin_closed) waits until the child does |
/// | stop it | [`shutdown`](Self::shutdown), or drop it; in time: [when to stop](Builder#when-to-stop) |
/// | copy its output | [`copy_to`](Self::copy_to), [`copy_both_to`](Self::copy_both_to), [`splice_to`](Self::splice_to), [`tee_stdout`](Builder::tee_stdout) |
/// | connect it to others | [`Pipeline`](crate::Pipeline), [`take_stdout`](Self::take_stdout) |
/// | use it as a file | [`ProcessIOWrapper`](crate::ProcessIOWrapper) |
/// | send and receive in different tasks | [`into_split`](Self::into_split) |
/// | keep its pipes moving while it is not used | [`into_background`](Self::into_background) |
/// | signal it from any task | [`control`](Self::control), [`stage_controls`](Self::stage_controls) |
///
/// Dropping it kills the child, with its process group and its live descendants, before its pipes are closed, and has it
/// reaped; see [`on_drop`](Builder::on_drop) for alternatives. Processes that a child has started and that still run when it exits by
/// itself are left running, see [`kill_leftovers`](Builder::kill_leftovers).
///
/// Every future of this crate can be dropped at any point without losing a byte: what was received stays in
/// the handle for the next call, and what was queued is sent by it.
///
/// # Runtimes
///
/// It needs a tokio runtime with I/O and time enabled (`enable_all`), and belongs to the one it was started in: that has to run
/// (a current-thread runtime does so within its `block_on` only) for anything to be awaited here, in whichever runtime this is
/// polled. While that runtime exists and does not run, what is awaited here does not complete.
///
/// When that runtime has shut down, the handle goes on in the runtime that it is polled in next, and nothing that the child has
/// written is lost. Polled outside of any runtime, it returns what is there, and where it would have to wait it fails with
/// [`NoRuntime`](crate::ErrorKind::NoRuntime); it never reports the end of a stream instead. Where a time was set, and
/// has not come yet, it may panic there instead, as tokio's timers do.
pub struct ProcessIo {
    pub(crate) pump: Pump,
    wakers: Arc<Wakers>,
}

impl ProcessIo {
    /// Creates a [`Builder`] that runs `program`, which is searched in `PATH` if it contains no separator.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("sort").arg("-r").input("a\nb\n").await?.check()?;
    /// assert_eq!(output.stdout, "b\na\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn command(program: impl AsRef<OsStr>) -> Builder {
        Builder::new(Command::new(program), Origin::Program)
    }

    /// Creates a [`Builder`] that runs `script` by the system's shell: `sh -c`, on Windows `cmd /D /S /C`.
    ///
    /// The shell executes all that is in the script, so untrusted text must not be part of it. On Unix such text can
    /// be an argument: the first one after the script is `$0`, the next `$1`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let name = "; rm -rf /";
    /// let output = ProcessIo::shell("printf %s \"$1\" | tr a-z A-Z").args(["sh", name]).await?.check()?;
    /// assert_eq!(output.stdout, "; RM -RF /");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn shell(script: impl AsRef<OsStr>) -> Builder {
        let script = script.as_ref();
        Builder::new(sys::shell(script), Origin::Script(script.into()))
    }

    /// Creates a [`Builder`] that runs `command`: a [`tokio::process::Command`] or a [`std::process::Command`].
    ///
    /// The [`Builder`] overrides the three standard streams of the command: a stream that is not set there is a pipe, whatever the
    /// command has for it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo $GREETING"]).env("GREETING", "hello");
    /// let output = ProcessIo::builder(command).merge_stderr().await?;
    /// assert_eq!(output.stdout, "hello\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn builder(command: impl Into<Command>) -> Builder {
        Builder::new(command.into(), Origin::Command)
    }

    /// Starts `command` with the default options: `ProcessIo::builder(command).spawn()`.
    ///
    /// The thread is blocked until the child runs its program, see [`Builder::spawn`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let mut cat = ProcessIo::spawn(Command::new("cat"))?;
    /// cat.send("hello").await?;
    /// assert_eq!(cat.output().await?.stdout, "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`].
    ///
    /// # Panics
    ///
    /// As [`Builder::spawn`].
    pub fn spawn(command: impl Into<Command>) -> Result<Self> {
        Self::builder(command).spawn()
    }

    /// Creates a handle to a child that this crate did not start, such as a [`tokio::process::Child`], which converts into [`Parts`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::process::Stdio;
    /// use process_io::{Command, ProcessIo, transport::Parts};
    ///
    /// let child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let mut sort = ProcessIo::from_parts(Parts::from(child));
    /// sort.send("b\na\n").await?;
    /// assert_eq!(sort.output().await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn from_parts(parts: Parts) -> Self {
        Self::assemble(parts, Limits::default(), Drain::default())
    }

    pub(super) fn assemble(parts: Parts, limits: Limits, drain: Drain) -> Self {
        Self {
            pump: Pump::new(parts, limits, drain),
            wakers: Arc::default(),
        }
    }

    /// Polls for a task in its role: another one may wait in the other.
    pub(super) fn poll_as<T>(
        &mut self,
        role: Role,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        let both = self.wakers.register(role, cx);
        let mut cx = Context::from_waker(&both);
        let answer = poll(&mut self.pump, &mut Turn::new(&mut cx));
        self.pass_on(role);
        answer
    }

    /// Wakes the task that waits in the other role, if something was done in this one that the other may wait for, and that the
    /// reactor will not tell.
    #[inline]
    pub(super) fn pass_on(&mut self, role: Role) {
        if self.pump.take_news(role) {
            self.wakers.wake_other(role);
        }
    }

    /// Wakes the tasks that wait, in either role.
    pub(super) fn wake(&self) {
        self.wakers.wake_by_ref();
    }

    /// Returns a [`Control`] of the child's process, to query and signal it from any task while this handle is in use.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Signal};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// let control = cat.control();
    /// let (status, killed) = tokio::join!(cat.wait(), async { control.signal(Signal::KILL) });
    /// killed?;
    /// assert!(!status?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn control(&self) -> Control {
        self.pump.guard.control.clone()
    }

    /// Returns the process id, or `None` if the child is not a process of this machine.
    ///
    /// It is the same after the child's end, unlike [`tokio::process::Child::id`]: the system may have given the number to another
    /// process by then. [`signal`](Self::signal) and [`control`](Self::control) never reach that one. A
    /// [`tokio::process::Child`] that was made into [`Parts`] has no id once it has been reaped. Of a
    /// [`Pipeline`](crate::Pipeline) it is the id of the first stage.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("echo $$").spawn()?;
    /// let id = io.id().expect("a process of this machine");
    /// let output = io.output().await?;
    /// assert_eq!(output.stdout_trimmed().unwrap(), id.to_string());
    /// assert_eq!(io.id(), Some(id));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn id(&self) -> Option<u32> {
        self.control().id()
    }

    /// Sets how much unread output is kept. Bytes that are kept already stay.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo, Source};
    ///
    /// let mut seq = ProcessIo::command("seq").arg("1000").spawn()?;
    /// seq.set_limits(Limits::default().stdout(9, Overflow::KeepTail));
    /// assert_eq!(seq.output().await?.stdout, "999\n1000\n");
    /// assert_eq!(seq.omitted(Source::Stdout), 3884);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        for source in Source::BOTH {
            self.pump.set_limit(source, limits.get(source));
        }
    }

    /// Sets how long output is read after the exit of the child while a descendant keeps its pipes open.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Drain, ProcessIo};
    ///
    /// let mut io = ProcessIo::shell("sleep 60 & echo done").kill_leftovers(true).spawn()?;
    /// io.set_drain(Drain::Immediate);
    /// assert_eq!(io.output().await?.stdout, "done\n");
    /// assert!(io.pipes_held());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn set_drain(&mut self, drain: Drain) {
        self.pump.set_drain(drain);
    }

    /// Returns the exit status if the child has exited, without waiting; see [`Control::try_wait`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// assert!(cat.try_wait()?.is_none());
    /// cat.close_stdin();
    /// let status = cat.wait().await?;
    /// assert_eq!(cat.try_wait()?, Some(status));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Control::try_wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.pump.guard.control.try_wait()
    }

    /// Sends a signal to the child alone; see [`Control::signal`]. If the child has exited, it sends nothing and succeeds.
    ///
    /// [`Control::signal_tree`] sends it to the child's descendants too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Signal, Source};
    ///
    /// let mut io = ProcessIo::shell("trap 'echo reloaded' HUP; sleep 60 & echo ready; wait; wait").spawn()?;
    /// assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "ready\n");
    /// io.signal(Signal::HUP)?;
    /// assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "reloaded\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows most signals are an error, see [`Signal`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.pump.guard.control.signal(signal)
    }

    /// Sends `SIGTERM` to the child alone; see [`Control::signal`].
    ///
    /// [`shutdown`](Self::shutdown) sends it to the child's tree, waits for the end, and kills what does not end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.terminate()?;
    /// assert!(!sleep.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows it sends a Ctrl-Break to the child and to all processes of its console group, see [`Signal`].
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends `SIGKILL` to the child alone; see [`Control::signal`].
    ///
    /// [`Control::kill_tree`] kills its descendants too, as dropping the handle does. This does not wait for the end:
    /// [`wait`](Self::wait) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.kill()?;
    /// assert!(!sleep.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows it ends the process.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Waits until the child has exited and all its output has been received, and returns the exit status.
    ///
    /// The output is kept for later calls. stdin stays open: a child that reads until end-of-file needs
    /// [`close_stdin`](Self::close_stdin) first. May be called again, and returns the same status.
    ///
    /// With the default [`Drain`] it returns when the child has exited, or 200 ms to 5 s later if a descendant keeps its pipes open. With
    /// [`Overflow::Block`](crate::Overflow::Block), where the limit holds back the rest of the output, it returns when the child has
    /// exited. [`Control::wait`] waits for the exit only.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo out; exit 3").spawn()?;
    /// assert_eq!(io.wait().await?.code(), Some(3));
    /// assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "out\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If unread output reaches a limit with [`Overflow::Fail`](crate::Overflow::Fail): receive some,
    /// and call it again. If the [input](Builder::input) source failed (reported once). If the exit status is unavailable, see
    /// [`Control::wait`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost, call it again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        poll_fn(|cx| self.poll(cx, poll_wait)).await
    }

    /// Closes stdin, waits until the run is over, and returns all the output that has not been received yet.
    ///
    /// What is queued for stdin is written first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sort = ProcessIo::command("sort").spawn()?;
    /// for line in ["c", "a", "b"] {
    ///     sort.send_line(line).await?;
    /// }
    /// let output = sort.output().await?.check()?;
    /// assert_eq!(output.stdout, "a\nb\nc\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If a stream reaches a limit with [`Overflow::Fail`](crate::Overflow::Fail), if the input source
    /// fails, if a pipe cannot be read, if the exit status is unavailable. Each error carries what
    /// was collected. If the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back the rest of what it
    /// wrote, that is an error of the limit too, because no room would ever be made. It is no error that the child failed, or did
    /// not read its input: see [`Output::check`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been collected stays in the handle, call it again.
    pub async fn output(&mut self) -> Result<Output> {
        self.close_stdin();
        poll_fn(|cx| self.poll(cx, poll_output)).await
    }

    /// Closes the child's stdin, so that it reads end-of-file.
    ///
    /// This happens at once, or when all that is [queued](Self::queued) has been written, which the next call does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut wc = ProcessIo::command("wc").arg("-c").spawn()?;
    /// wc.send("12345").await?;
    /// wc.close_stdin();
    /// let count = wc.recv_line(Source::Stdout).await?.unwrap();
    /// assert_eq!(count.to_string().trim(), "5");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn close_stdin(&mut self) {
        self.pump.close_stdin();
    }

    /// Closes this process's end of a stream, so that the child's next write to it fails (`EPIPE`, and `SIGPIPE` on Unix).
    ///
    /// The other stream goes on. What has been received from the closed one can still be received here.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut yes = ProcessIo::command("yes").spawn()?;
    /// assert_eq!(yes.recv_exact(Source::Stdout, 4).await?.data().unwrap(), "y\ny\n");
    /// yes.close_output(Source::Stdout);
    /// assert!(!yes.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn close_output(&mut self, source: Source) {
        self.pump.reader_mut(source).end();
    }

    /// Returns how many bytes are queued for stdin and not yet in the pipe: those of a [`send`](Self::send) that was
    /// dropped before it completed, or of the `Sink`.
    pub fn queued(&self) -> usize {
        self.pump.writer().queued()
    }

    /// Returns how many bytes the child's stdin has taken.
    pub fn written(&self) -> u64 {
        self.pump.writer().written()
    }

    /// Returns how many bytes of `source` were dropped at its [limit](Limits).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo, Source};
    ///
    /// let limits = Limits::default().stdout(2, Overflow::KeepHead);
    /// let mut io = ProcessIo::shell("printf 12345").limits(limits).spawn()?;
    /// assert_eq!(io.output().await?.stdout, "12");
    /// assert_eq!(io.omitted(Source::Stdout), 3);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn omitted(&self, source: Source) -> u64 {
        self.pump.omitted(source)
    }

    /// Returns whether reading stopped, after the child's exit, before the end of a stream, because a descendant
    /// kept its pipe open; see [`Drain`].
    pub fn pipes_held(&self) -> bool {
        self.pump.pipes_held()
    }

    /// Closes the pipes and leaves the child running, and returns its [`Control`].
    ///
    /// The child's next read from stdin finds end-of-file, its next write to stdout or stderr fails. It is reaped when it ends. A child
    /// that is being [stopped](Self::shutdown) is killed all the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut daemon = ProcessIo::shell("echo ready; exec >&- 2>&-; sleep 60").spawn()?;
    /// assert_eq!(daemon.recv(Source::Stdout).await?.data().unwrap(), "ready\n");
    /// let control = daemon.detach();
    /// assert!(control.try_wait()?.is_none()); // it still runs
    /// control.kill_tree()?;
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn detach(mut self) -> Control {
        self.pump.guard.on_drop = OnDrop::Leave;
        self.pump.guard.kill_leftovers = false;
        self.control()
    }
}

impl fmt::Debug for ProcessIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessIo")
            .field("control", &self.control())
            .field("queued", &self.queued())
            .field("written", &self.written())
            .field("over", &self.pump.is_over())
            .finish_non_exhaustive()
    }
}
