//! [`Process`], what a transport provides, and [`Control`], what users hold.

use std::{fmt, io, process::ExitStatus, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use tokio::task::unconstrained;

use crate::{
    buffer::Tail,
    error::{Error, Kind, Result},
    output::Usage,
    secrets::Secrets,
    signal::Signal,
};

/// The process behind the pipes, which can be waited for and killed.
///
/// It is implemented for a child that this crate did not start, see [`Parts`](super::Parts) for an example. All
/// methods may be called at any time, from any thread, also after the end.
pub trait Process: Send + Sync + 'static {
    /// Returns the process id, if it is a process of this machine. `None` by default.
    fn id(&self) -> Option<u32> {
        None
    }

    /// Returns a future that completes when the child has exited. It may be called many times; each future yields the
    /// same status.
    ///
    /// By then all that the child wrote must be available to be read; where that cannot be promised, use
    /// [`Drain::UntilEof`](crate::Drain::UntilEof). Of what is available, 16 MiB are read in any case, more as set by
    /// [`Drain`](crate::Drain).
    ///
    /// # Errors
    ///
    /// An error means that the exit status is unavailable. It is the source of an error of the kind
    /// [`StatusUnavailable`](crate::ErrorKind::StatusUnavailable).
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>>;

    /// Returns the exit status, if the child has exited. It must not block.
    ///
    /// By default the future of [`wait`](Process::wait) is polled once.
    ///
    /// # Errors
    ///
    /// As [`wait`](Process::wait).
    fn try_wait(self: Arc<Self>) -> io::Result<Option<ExitStatus>> {
        unconstrained(self.wait()).now_or_never().transpose()
    }

    /// Sends a signal to the child. Succeeds if the child has exited.
    ///
    /// # Errors
    ///
    /// An error is the source of an error of the kind [`Signal`](crate::ErrorKind::Signal).
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// Sends a signal to the child and all its descendants, as far as they can be reached. By default it is sent to the
    /// child alone.
    ///
    /// # Errors
    ///
    /// As [`signal`](Process::signal).
    fn signal_tree(&self, signal: Signal) -> io::Result<()> {
        self.signal(signal)
    }

    /// Returns the signal that the child is stopped by now, if it is. `None` by default.
    fn stopped(&self) -> Option<Signal> {
        None
    }

    /// Returns a future that completes when the child is stopped because it wants a terminal that it may not use
    /// (`SIGTTIN`, `SIGTTOU`), which the call that is awaited returns as an error.
    ///
    /// It is called again after that, and each stop must be reported once. `None`, the default, where that is not
    /// supported.
    fn wait_stopped(self: Arc<Self>) -> Option<BoxFuture<'static, Signal>> {
        None
    }

    /// Returns whether a process of the child's tree is known to be running. `false` by default.
    ///
    /// It is called while the child is stopped by a [`Ladder`](crate::Ladder) and has exited itself. It must not block.
    fn is_tree_alive(&self) -> bool {
        false
    }

    /// Returns the resources that the child used, if they are known. `None` by default.
    fn usage(&self) -> Option<Usage> {
        None
    }

    /// Frees what is held for the child.
    ///
    /// It is called once, after all other calls of this crate. With `kill` a child that is still running must be killed
    /// before, with its tree; the descendants of one that has exited by itself are left. It must not block.
    fn release(self: Arc<Self>, kill: bool) {
        if kill {
            let _ = self.signal_tree(Signal::KILL);
        }
    }
}

/// A handle to the child's process, apart from its pipes: it can be cloned and used anywhere, while another task
/// reads.
///
/// It is returned by [`ProcessIo::control`](crate::ProcessIo::control). It is safe against the reuse of process
/// ids: once the child has been reaped no signal is sent any more, and every call returns at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{ProcessIo, Source};
///
/// let mut yes = ProcessIo::command("yes").spawn()?;
/// let control = yes.control();
/// tokio::spawn(async move { control.terminate() });
/// while yes.recv(Source::Stdout).await?.data().is_some() {}
/// assert!(!yes.wait().await?.success());
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Control {
    process: Arc<dyn Process>,
    command: Option<Arc<str>>,
    secrets: Secrets,
    stderr: Tail,
}

impl Control {
    pub(crate) fn new(
        process: Arc<dyn Process>,
        command: Option<Arc<str>>,
        secrets: Secrets,
    ) -> Self {
        Self {
            process,
            command,
            secrets,
            stderr: Tail::default(),
        }
    }

    pub(crate) fn with_stderr(mut self, tail: Tail) -> Self {
        self.stderr = tail;
        self
    }

    pub(crate) fn process(&self) -> &Arc<dyn Process> {
        &self.process
    }

    /// The command line, as in an error.
    pub(crate) fn command(&self) -> Option<&Arc<str>> {
        self.command.as_ref()
    }

    /// What an error is not to show of the child's stderr.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Where what is received of stderr is noted.
    pub(crate) fn stderr(&self) -> &Tail {
        &self.stderr
    }

    /// Returns the last bytes, at most 4 KiB, that have been received of the child's stderr, whether or not they have
    /// been taken since.
    ///
    /// They can be logged for a child whose handle is elsewhere, as in a [`ProcessIOWrapper`](crate::ProcessIOWrapper)
    /// that was given away. In a [`Pipeline`](crate::Pipeline) they are those of the last stage. They are as the child
    /// wrote them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut child = ProcessIo::shell("echo warning >&2").spawn()?;
    /// let control = child.control();
    /// child.output().await?;
    /// assert_eq!(control.stderr_tail(), "warning\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stderr_tail(&self) -> Bytes {
        self.stderr.get()
    }

    /// Returns the process id; `None` for a child that is not a process of this machine.
    ///
    /// After the child's end the system may give the id to another process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut child = ProcessIo::shell("echo $$").spawn()?;
    /// let id = child.control().id().unwrap();
    /// assert_eq!(child.output().await?.stdout_trimmed().unwrap(), id.to_string());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the child's exit, in any number of tasks at once.
    ///
    /// It does not move data through the pipes: the output has to be read elsewhere, or a child that fills its pipes
    /// never exits. [`ProcessIo::wait`](crate::ProcessIo::wait) does both.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let child = ProcessIo::shell("exit 3").spawn()?;
    /// let control = child.control();
    /// let waiter = tokio::spawn(async move { control.wait().await });
    /// assert_eq!(waiter.await.unwrap()?.code(), Some(3));
    /// # drop(child);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the exit status is [unavailable](crate::ErrorKind::StatusUnavailable), because something
    /// else in this process reaped the child. It is [`NoRuntime`](crate::ErrorKind::NoRuntime) if the child is running,
    /// the runtime in which it was started has shut down, and this is called outside of any other. While the runtime in
    /// which it was started exists it must run, or this does not complete; see [runtimes](crate::ProcessIo#runtimes).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: call it again.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let status = Arc::clone(&self.process).wait().await;
        status.map_err(|error| self.error(Kind::Wait).with_source(error))
    }

    /// Returns the exit status, if the child has exited, without waiting.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// let control = cat.control();
    /// assert_eq!(control.try_wait()?, None);
    /// cat.close_stdin();
    /// cat.wait().await?;
    /// assert!(control.try_wait()?.unwrap().success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait`](Control::wait).
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let status = Arc::clone(&self.process).try_wait();
        status.map_err(|error| self.error(Kind::Wait).with_source(error))
    }

    /// Sends a signal to the child alone.
    ///
    /// Succeeds without sending anything if the child has exited. After `SIGHUP`, `SIGINT` and `SIGTERM` a `SIGCONT` is
    /// sent, because a child that is stopped could not act on them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Signal};
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.control().signal(Signal::TERM)?;
    /// assert!(!sleep.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Signal`](crate::ErrorKind::Signal) if the system refuses to send it, as when the
    /// child runs as another user, and for a number that is no signal; on Windows for most signals, see [`Signal`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.check(self.process.signal(signal))
    }

    /// Sends `SIGTERM` to the child alone, which asks it to end. See [`signal`](Control::signal).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.control().terminate()?;
    /// assert!(!sleep.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends `SIGKILL` to the child alone. See [`signal`](Control::signal).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut sleep = ProcessIo::command("sleep").arg("60").spawn()?;
    /// sleep.control().kill()?;
    /// assert!(!sleep.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Sends a signal to the child, all members of its process group, and all its live descendants that have left the
    /// group.
    ///
    /// See [`signal`](Control::signal) and [`kill_tree`](Control::kill_tree).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Signal};
    ///
    /// let mut tree = ProcessIo::shell("sleep 60; true").spawn()?;
    /// tree.control().signal_tree(Signal::TERM)?;
    /// assert!(!tree.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn signal_tree(&self, signal: Signal) -> Result<()> {
        self.check(self.process.signal_tree(signal))
    }

    /// Sends `SIGKILL` to the child, all members of its process group, and all its live descendants that have left the
    /// group.
    ///
    /// Such descendants are the jobs of a shell with job control, and what `timeout(1)` runs. A process that has left
    /// the group and whose parent has exited, such as a daemon, is not reached. A child that shares the group of this
    /// process, see [`Builder::process_group`](crate::Builder::process_group), is killed with its descendants.
    ///
    /// What a child that has exited has left in its group is reached until the run is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut tree = ProcessIo::shell("sleep 60 & wait").spawn()?;
    /// tree.control().kill_tree()?;
    /// assert!(!tree.wait().await?.success());
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows all that is in the child's Job Object is killed: its descendants, except those that were created with
    /// `CREATE_BREAKAWAY_FROM_JOB`. A child that shares the group of this process has no Job Object, and is killed
    /// alone.
    pub fn kill_tree(&self) -> Result<()> {
        self.signal_tree(Signal::KILL)
    }

    /// Returns the signal that the child is stopped by now, as by `SIGSTOP` or job control.
    ///
    /// It is `None` if the child is not stopped, and always on Windows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Signal};
    ///
    /// let cat = ProcessIo::command("cat").spawn()?;
    /// let control = cat.control();
    /// assert_eq!(control.stopped(), None);
    /// control.kill()?;
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stopped(&self) -> Option<Signal> {
        self.process.stopped()
    }

    /// Returns the resources that the child used. They are known when the run is over, that is when the child has been
    /// reaped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut child = ProcessIo::shell("i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); done").spawn()?;
    /// let control = child.control();
    /// child.output().await?;
    /// if let Some(usage) = control.usage() {
    ///     println!("{:?} of processor time", usage.user + usage.system);
    /// }
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        self.process.usage()
    }

    fn check(&self, sent: io::Result<()>) -> Result<()> {
        sent.map_err(|error| self.error(Kind::Signal).with_source(error))
    }

    fn error(&self, kind: Kind) -> Error {
        Error::new(kind).with_command(self.command.clone())
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("id", &self.id())
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}
