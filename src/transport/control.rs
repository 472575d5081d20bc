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

/// The process behind the pipes: what waits for it and kills it.
///
/// Implement it for a child that this crate did not start. All methods may be called at any time, from any
/// thread, also after the end.
pub trait Process: Send + Sync + 'static {
    /// The process id, if it is one of this machine.
    fn id(&self) -> Option<u32> {
        None
    }

    /// Resolves when the child has exited. May be called many times; each future gives the same status.
    ///
    /// By then all that the child wrote must be there to be read; where that cannot be promised, use
    /// [`Drain::UntilEof`](crate::Drain::UntilEof). Of what is there, 16 MiB are read in any case, more as
    /// [`Drain`](crate::Drain) says.
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>>;

    /// The status, if the child has exited by now. Must not wait.
    fn try_wait(self: Arc<Self>) -> io::Result<Option<ExitStatus>> {
        unconstrained(self.wait()).now_or_never().transpose()
    }

    /// Sends a signal to the child. Succeeds if the child has exited.
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// Sends a signal to the child and all its descendants, as far as they can be reached.
    fn signal_tree(&self, signal: Signal) -> io::Result<()> {
        self.signal(signal)
    }

    /// The signal that the child is stopped by now, if it is.
    fn stopped(&self) -> Option<Signal> {
        None
    }

    /// Resolves when the child is stopped because it wants a terminal that it may not use (`SIGTTIN`, `SIGTTOU`), which is told
    /// as an error by whatever is awaited. It is called again after that: each stop is to be told once. `None` where that
    /// cannot be.
    fn wait_stopped(self: Arc<Self>) -> Option<BoxFuture<'static, Signal>> {
        None
    }

    /// Whether something of the child's tree is known to be running. It is asked for while the child is stopped by a
    /// [`Ladder`](crate::Ladder) and has exited itself. Must not wait.
    fn is_tree_alive(&self) -> bool {
        false
    }

    /// What it used, if that is known by now.
    fn usage(&self) -> Option<Usage> {
        None
    }

    /// Called once, when nothing more will be asked: frees what is held for the child. With `kill` a child that is still running is
    /// killed before, with its tree; one that has exited by itself leaves what it leaves. Must not wait.
    fn release(self: Arc<Self>, kill: bool) {
        if kill {
            let _ = self.signal_tree(Signal::KILL);
        }
    }
}

/// The child's process, apart from its pipes: to be cloned and used anywhere, while another task reads.
///
/// Safe against the reuse of process ids: once the child has been reaped nothing is sent any more, and
/// every call answers at once.
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

    /// The last bytes (at most 4 KiB) that have been received of the child's stderr, whether or not they have been taken since:
    /// what there is to log about a child whose handle is elsewhere, as in a
    /// [`ProcessIOWrapper`](crate::ProcessIOWrapper) that was given away. Of a pipeline that is the last stage's. They
    /// are as the child wrote them.
    pub fn stderr_tail(&self) -> Bytes {
        self.stderr.get()
    }

    /// The process id; `None` for a child that is not a process of this machine. After the child's end
    /// the system may give the number to another process.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the child's exit, in any number of tasks at once.
    ///
    /// It moves no pipe: the output has to be read elsewhere, or a child that fills its pipes never exits.
    /// [`ProcessIo::wait`](crate::ProcessIo::wait) does both.
    ///
    /// # Errors
    ///
    /// If something else in this process reaped the child, so that its status is not to be had;
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) if the child lives, the runtime in which it was started has shut down, and there is
    /// no other here. While that one exists it must run, or this waits on; see [runtimes](crate::ProcessIo#runtimes).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let status = Arc::clone(&self.process).wait().await;
        status.map_err(|error| self.error(Kind::Wait).with_source(error))
    }

    /// The status, if the child has exited.
    ///
    /// # Errors
    ///
    /// As [`wait`](Control::wait).
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let status = Arc::clone(&self.process).try_wait();
        status.map_err(|error| self.error(Kind::Wait).with_source(error))
    }

    /// Sends a signal to the child alone. Succeeds without sending anything if the child has exited. After `SIGHUP`, `SIGINT` and
    /// `SIGTERM` a `SIGCONT` is sent, for a child that is stopped could not act on them.
    ///
    /// # Errors
    ///
    /// If the system refuses it, as when the child runs as another user; for a number that is no signal; on Windows for most
    /// of them, see [`Signal`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.check(self.process.signal(signal))
    }

    /// Asks the child to end: `SIGTERM`. See [`signal`](Control::signal).
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Kills the child alone: `SIGKILL`. See [`signal`](Control::signal).
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Sends a signal to the child, all that is in its process group, and all its live descendants that have left that.
    /// See [`signal`](Control::signal) and [`kill_tree`](Control::kill_tree).
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn signal_tree(&self, signal: Signal) -> Result<()> {
        self.check(self.process.signal_tree(signal))
    }

    /// Kills the child, all that is in its process group, and all its live descendants that have left that: a job of a shell
    /// with job control, what `timeout(1)` runs. Out of reach is what has left the group and lost its parent, as a daemon
    /// has. A child that shares our group, see [`Builder::process_group`](crate::Builder::process_group), is killed with
    /// its descendants.
    ///
    /// What a child that has exited has left in its group is reached until the run is over.
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows all that is in the child's Job Object is killed: its descendants, but for those that were created with
    /// `CREATE_BREAKAWAY_FROM_JOB`. A child that shares our group has none, and is killed alone.
    ///
    /// # Errors
    ///
    /// As [`signal`](Control::signal).
    pub fn kill_tree(&self) -> Result<()> {
        self.signal_tree(Signal::KILL)
    }

    /// The signal that the child is stopped by now, as by `SIGSTOP` or job control; `None` if it is not, and on Windows.
    pub fn stopped(&self) -> Option<Signal> {
        self.process.stopped()
    }

    /// What the child used. It is known when the run is over, that is when the child has been reaped.
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
