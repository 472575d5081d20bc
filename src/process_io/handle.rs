//! [`ProcessIo`] itself: how it is made, asked and let go.

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

/// A running child: feed its stdin, read its stdout and stderr, wait for it, all at the same time.
///
/// Whatever you await, all three pipes move, so nothing deadlocks: while you wait in [`wait`](Self::wait) or
/// [`send`](Self::send) for a child that is itself waiting for its output to be read, the output is read and
/// kept for you, up to its [limit](Limits).
///
/// | to | use |
/// |---|---|
/// | run it to the end | `.await`, or [`output`](Self::output) |
/// | see everything as it comes | it is a `Stream` of [`Event`](crate::Event)s |
/// | send | [`send`](Self::send), [`send_line`](Self::send_line), [`send_timeout`](Self::send_timeout), [`send_nowait`](Self::send_nowait), or it is a `Sink` of `Bytes` |
/// | receive | [`recv`](Self::recv), [`recv_timeout`](Self::recv_timeout), [`recv_for`](Self::recv_for), [`recv_until_quiet`](Self::recv_until_quiet), [`recv_nowait`](Self::recv_nowait) |
/// | do both for a while | [`exchange`](Self::exchange) |
/// | stop it | [`shutdown`](Self::shutdown), or drop it; in time: [when to stop](Builder#when-to-stop) |
/// | copy its output | [`copy_to`](Self::copy_to), [`splice_to`](Self::splice_to) |
/// | connect it to others | [`Pipeline`](crate::Pipeline), [`take_stdout`](Self::take_stdout) |
/// | use it as a file | [`ProcessIOWrapper`](crate::ProcessIOWrapper) |
/// | send and receive in different tasks | [`into_split`](Self::into_split) |
/// | signal it from anywhere | [`control`](Self::control) |
///
/// Dropping it kills the child, with its process group and its live descendants, before its pipes are closed, and has it
/// reaped; see [`on_drop`](Builder::on_drop) for other ways. What a child that has exited by itself has started and not
/// ended lives on, see [`kill_leftovers`](Builder::kill_leftovers).
///
/// Every future of this crate can be dropped at any point without losing a byte: what was received stays in
/// the handle for the next call, and what was queued is sent by it.
///
/// # Runtimes
///
/// It needs a tokio runtime with I/O and time enabled (`enable_all`), and belongs to the one it was started in: that has to run
/// (a current-thread runtime does so within its `block_on` only) for anything to be awaited here, in whichever runtime this is
/// polled. If it only idles, what is awaited waits on.
///
/// When that runtime has shut down, the handle goes on in the runtime that it is polled in next, and nothing that the child has
/// written is lost. Where it is polled outside of any, it hands over what is there, and fails where it would have to wait: an
/// error of the kind [`NoRuntime`](crate::ErrorKind::NoRuntime), and never the end of a stream. Where a time was set, and
/// is still to come, it may panic there instead, as tokio's timers do.
pub struct ProcessIo {
    pub(crate) pump: Pump,
    wakers: Arc<Wakers>,
}

impl ProcessIo {
    /// Starts to describe a run of `program`, which is looked up in `PATH` if it has no separator.
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

    /// Starts to describe a run of `script` by the system's shell: `sh -c`, on Windows `cmd /D /S /C`.
    ///
    /// The shell runs whatever is in the script, so nothing that comes from elsewhere may be put into it. On Unix such text can
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

    /// Starts to describe a run of `command`: a [`tokio::process::Command`] or a [`std::process::Command`]. What it says of the
    /// three standard streams is overridden by the [`Builder`]: a stream that this does not set is a pipe, whatever the command
    /// has for it.
    pub fn builder(command: impl Into<Command>) -> Builder {
        Builder::new(command.into(), Origin::Command)
    }

    /// Starts `command` with the default options: `ProcessIo::builder(command).spawn()`.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`].
    pub fn spawn(command: impl Into<Command>) -> Result<Self> {
        Self::builder(command).spawn()
    }

    /// Drives a child that this crate did not start, such as a [`tokio::process::Child`], which converts into [`Parts`].
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

    /// The child's process, to be asked and signalled from anywhere, while this handle is in use.
    pub fn control(&self) -> Control {
        self.pump.guard.control.clone()
    }

    /// The process id; see [`Control::id`].
    pub fn id(&self) -> Option<u32> {
        self.control().id()
    }

    /// Sets how much unread output is kept. What is kept already stays.
    pub fn set_limits(&mut self, limits: Limits) {
        for source in Source::BOTH {
            self.pump.set_limit(source, limits.get(source));
        }
    }

    /// Sets how long to read on when the child has exited and a descendant holds its pipes.
    pub fn set_drain(&mut self, drain: Drain) {
        self.pump.set_drain(drain);
    }

    /// The status, if the child has exited; see [`Control::try_wait`].
    ///
    /// # Errors
    ///
    /// As [`Control::try_wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.pump.guard.control.try_wait()
    }

    /// Sends a signal to the child alone; see [`Control::signal`]. [`control`](Self::control) has those for its tree too.
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.pump.guard.control.signal(signal)
    }

    /// Asks the child to end: `SIGTERM`. [`shutdown`](Self::shutdown) does so too, and waits for it.
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Kills the child alone: `SIGKILL`. [`Control::kill_tree`] kills what it has started too, as dropping the handle does.
    ///
    /// # Errors
    ///
    /// As [`Control::signal`].
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Waits until the child has exited and all its output has been received, and keeps that for later
    /// calls. stdin stays open: a child that reads until end-of-file needs [`close_stdin`](Self::close_stdin)
    /// first. May be called again, and gives the same answer.
    ///
    /// With [`Overflow::Block`](crate::Overflow::Block) it is content with the exit, if the limit holds back the rest.
    /// With [`Drain`] as it is by default this is when the child has exited, or 200 ms to 5 s later when a
    /// descendant holds its pipes. [`Control::wait`] waits for nothing but the exit.
    ///
    /// # Errors
    ///
    /// If unread output reaches a limit that says [`Overflow::Fail`](crate::Overflow::Fail): receive some,
    /// and call it again. If the source of the [input](Builder::input) failed, once. If the exit status is not to be had, see [`Control::wait`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost, call it again.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        poll_fn(|cx| self.poll(cx, poll_wait)).await
    }

    /// Closes stdin, waits until the run is over, and takes all the output that has not been received yet.
    /// What is queued for stdin is written first.
    ///
    /// # Errors
    ///
    /// If a stream reaches a limit that says [`Overflow::Fail`](crate::Overflow::Fail), if the source of the
    /// input fails, if a pipe cannot be read, if the exit status is not to be had. Each carries what
    /// was collected. If the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back the rest of what it
    /// wrote, that is an error of the limit too, for no room would ever be made. That the child failed, or did not read its input, is no error: see
    /// [`Output::check`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been collected stays in the handle, call it again.
    pub async fn output(&mut self) -> Result<Output> {
        self.close_stdin();
        poll_fn(|cx| self.poll(cx, poll_output)).await
    }

    /// Closes the child's stdin, which sees end-of-file: at once, or as soon as what is queued for
    /// it has been written, by whatever is called next.
    pub fn close_stdin(&mut self) {
        self.pump.close_stdin();
    }

    /// Closes our end of a stream: the child's next write to it fails (`EPIPE`, and `SIGPIPE` on Unix), as of a process whose
    /// reader has gone. The other stream goes on. What has been received of it is still there.
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

    /// Bytes that are queued for stdin and not yet in the pipe: those of a [`send`](Self::send) that was
    /// dropped half-way, or of the `Sink`.
    pub fn queued(&self) -> usize {
        self.pump.writer().queued()
    }

    /// Bytes that the child's stdin has taken.
    pub fn written(&self) -> u64 {
        self.pump.writer().written()
    }

    /// Bytes of `source` that were dropped at its limit.
    pub fn omitted(&self, source: Source) -> u64 {
        self.pump.omitted(source)
    }

    /// Whether reading stopped, after the child's exit, before the end of a stream, because a descendant
    /// held its pipe open; see [`Drain`].
    pub fn pipes_held(&self) -> bool {
        self.pump.pipes_held()
    }

    /// Lets the child run on by itself, without its pipes; one that is being [stopped](Self::shutdown) is killed all the same. Its
    /// next read finds end-of-file, its next write
    /// fails. It is reaped when it ends.
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
