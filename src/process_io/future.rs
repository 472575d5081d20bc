//! `.await` on a [`Builder`] or a [`ProcessIo`]: run it to the end.

use std::{
    fmt,
    future::{Future, IntoFuture, pending},
    panic::resume_unwind,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use futures::future::{Either, select};
use sync_wrapper::SyncWrapper;
use tokio::{runtime, task::JoinHandle, time::Instant};

use super::{Handle, ProcessIo};
use crate::{
    command::{Builder, command_line, not_started, spawn_parts},
    error::{Error, Kind, Result},
    event::Source,
    output::Output,
    pump::poll_output,
    secrets::Secrets,
    shutdown::OnDrop,
    transport::Parts,
};

impl Builder {
    /// Starts the child.
    ///
    /// It uses `posix_spawn(3)` as the standard library does, unless the command itself needs `fork(2)`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut cat = ProcessIo::command("cat").spawn()?;
    /// cat.send("hello").await?;
    /// assert_eq!(cat.recv(Source::Stdout).await?.data().unwrap(), "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Blocking
    ///
    /// The thread is blocked until the child runs its program, which usually takes a millisecond or less, but has no bound: a
    /// program on a network file system that does not answer, or a slow `pre_exec` of the command, blocks the thread for
    /// as long, and with it all other tasks of a current-thread runtime. No [`timeout`](Builder::timeout) and no
    /// [`cancel_on`](Builder::cancel_on) can end that. [`start`](Builder::start) does not block.
    ///
    /// To [try again](Builder::retry_busy) a program that is busy takes up to 63 ms.
    ///
    /// # Errors
    ///
    /// If it cannot be started: the error distinguishes no such [program](crate::ErrorKind::ProgramNotFound), no such
    /// [directory](crate::ErrorKind::DirectoryNotFound), [not executable](crate::ErrorKind::NotExecutable), bad
    /// [interpreter](crate::ErrorKind::BadInterpreter), [arguments too
    /// long](crate::ErrorKind::ArgumentListTooLong) and more. Outside a tokio runtime
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime). In no case is a child or a descriptor left behind.
    ///
    /// # Panics
    ///
    /// If the runtime was built without I/O or without time (see [`enable_all`](tokio::runtime::Builder::enable_all)); no child
    /// is left behind then either.
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows the child's ends of its pipes are inheritable while the standard library creates the process; it creates one
    /// at a time. What other code creates at that moment by `CreateProcess`, with `bInheritHandles` and without a list of the
    /// handles to be inherited, gets them too, and keeps the pipes open until it ends: after the child's exit that is bounded by
    /// the [`Drain`](crate::Drain). The standard library gives no such list: that is not stable yet.
    pub fn spawn(self) -> Result<ProcessIo> {
        // The child may be well under way by the time this thread goes on.
        self.spawn_since(Instant::now())
    }

    fn spawn_since(mut self, since: Instant) -> Result<ProcessIo> {
        let parts = spawn_parts(&mut self, since)?;
        Ok(self.assemble(parts))
    }

    /// Starts the child as [`spawn`](Builder::spawn) does, on a thread of the runtime's pool for blocking work.
    ///
    /// However long the start takes, other tasks of this thread run meanwhile, and the time-outs of this run are kept.
    ///
    /// A [`timeout`](Builder::timeout) counts from the first poll. When the time has elapsed, or the run is cancelled, this fails
    /// at once. If the thread is starting the child at that moment, the child is killed and reaped as soon as it has been
    /// started.
    ///
    /// The hand-over to another thread and back takes some 10 µs: prefer [`spawn`](Builder::spawn) where the program is on
    /// a local disk and the command has no slow `pre_exec`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::command("cat").start().await?;
    /// io.send("hello").await?;
    /// assert_eq!(io.output().await?.stdout, "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn). If the runtime is shut down meanwhile,
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime).
    ///
    /// # Panics
    ///
    /// As [`spawn`](Builder::spawn), and if the run has a time-out and the runtime was built without time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped no child is left, whatever [`kill_on_drop`](Builder::kill_on_drop) says: it is not started,
    /// or it is killed and reaped as soon as it has been.
    pub async fn start(self) -> Result<ProcessIo> {
        let since = Instant::now();
        let expiry = self.watch.as_ref().map(|watch| {
            let (expiry, command) = (
                watch.expiry(since),
                command_line(self.command.as_std(), &Secrets::new(&self.secrets)),
            );
            async move { not_started(expiry.await, since, &command, &[]) }
        });
        spawn_elsewhere(move || self.spawn_since(since), expiry).await
    }

    /// Applies the options that concern what has been started.
    pub(crate) fn assemble(self, parts: Parts) -> ProcessIo {
        let mut io = ProcessIo::assemble(parts, self.limits, self.drain);
        io.pump.guard.on_drop = self.on_drop;
        io.pump.guard.kill_leftovers = self.kill_leftovers;
        io.pump.set_line_options(self.line_options);
        io.pump.set_watch(self.watch);
        for (source, copy) in Source::BOTH.into_iter().zip(self.copies) {
            if let Some(copy) = copy {
                io.pump.set_copy(source, copy);
            }
        }
        if let Some(input) = self.input {
            io.pump.set_input(input);
        }
        io
    }
}

/// What `spawn` comes to on a thread for blocking work, unless `expiry` comes first.
pub(crate) async fn spawn_elsewhere(
    spawn: impl FnOnce() -> Result<ProcessIo> + Send + 'static,
    expiry: Option<impl Future<Output = Error>>,
) -> Result<ProcessIo> {
    let Ok(runtime) = runtime::Handle::try_current() else {
        // That is an error before anything is started.
        return spawn();
    };
    let job = runtime.spawn_blocking(|| spawn().map(|io| Unclaimed(Some(io))));
    let mut job = AbortOnDrop(job);
    let expiry = async {
        match expiry {
            Some(expiry) => expiry.await,
            None => pending().await,
        }
    };
    match select(&mut job.0, pin!(expiry)).await {
        Either::Left((Ok(spawned), _)) => spawned?.claim(),
        Either::Left((Err(failed), _)) => match failed.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Error::new(Kind::NoRuntime)),
        },
        Either::Right((error, _)) => Err(error),
    }
}

/// What has not begun when this is dropped never will.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A child that has not been handed over yet. Dropping it kills the child, whatever the handle is to do later.
struct Unclaimed(Option<ProcessIo>);

impl Unclaimed {
    fn claim(mut self) -> Result<ProcessIo> {
        self.0.take().ok_or_else(|| Error::new(Kind::NoRuntime))
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(io) = &mut self.0 {
            io.pump.guard.on_drop = OnDrop::Kill;
        }
    }
}

type Spawn = dyn FnOnce() -> Result<ProcessIo> + Send;

/// The future of `.await` on a [`Builder`], a [`ProcessIo`] or a [`Pipeline`](crate::Pipeline): starts the child, writes its input,
/// and collects its [`Output`].
///
/// It owns the child: dropping it kills the child, as dropping the handle does.
/// [`ProcessIo::output`] does the same by reference.
///
/// # Panics
///
/// If it is polled again after it failed to start the child.
#[must_use = "futures do nothing unless polled"]
pub struct Collect {
    /// What is still to be done.
    spawn: Option<SyncWrapper<Box<Spawn>>>,
    /// Boxed, to keep futures that hold this one small.
    io: Option<Box<ProcessIo>>,
}

impl Collect {
    /// Starts with the first poll.
    pub(crate) fn new(spawn: impl FnOnce() -> Result<ProcessIo> + Send + 'static) -> Self {
        Self {
            spawn: Some(SyncWrapper::new(Box::new(spawn))),
            io: None,
        }
    }
}

impl Future for Collect {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(spawn) = self.spawn.take() {
            self.io = Some(Box::new(spawn.into_inner()()?));
        }
        match &mut self.io {
            Some(io) => io.poll(cx, poll_output),
            None => panic!("`Collect` polled again after it failed to spawn"),
        }
    }
}

impl fmt::Debug for Collect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}

/// Starts the child and collects its output until the end.
///
/// Without [`input`](Builder::input) the child reads end-of-file from its stdin at once.
///
/// See [`spawn`](Builder::spawn), which may block the thread, and [`ProcessIo::output`] for the errors. Dropping the future does what
/// dropping the handle does, see [`on_drop`](Builder::on_drop).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let output = ProcessIo::command("sort").input("b\na\n").await?;
/// assert!(output.success());
/// assert_eq!(output.stdout, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
impl IntoFuture for Builder {
    type Output = Result<Output>;
    type IntoFuture = Collect;

    fn into_future(mut self) -> Collect {
        self.close_unused_stdin();
        Collect::new(move || self.spawn())
    }
}

/// Closes stdin and collects the child's output until the end. What is queued for stdin is written first.
///
/// See [`ProcessIo::output`] for the errors. Dropping the future does what dropping the handle does, see
/// [`on_drop`](Builder::on_drop).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let mut sort = ProcessIo::command("sort").spawn()?;
/// sort.send("b\na\n").await?;
/// assert_eq!(sort.await?.stdout, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
impl IntoFuture for ProcessIo {
    type Output = Result<Output>;
    type IntoFuture = Collect;

    fn into_future(mut self) -> Collect {
        self.close_stdin();
        Collect {
            spawn: None,
            io: Some(Box::new(self)),
        }
    }
}
