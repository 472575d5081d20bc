//! [`Builder`]: how a child is to be run.

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    path::Path,
    time::Duration,
};

use tokio::{io::AsyncWrite, process::Command, time::Instant};
use tokio_util::sync::CancellationToken;

use super::line::line;
use crate::{
    event::Source,
    limits::{Drain, Limits},
    lines::LineOptions,
    secrets::Secrets,
    shutdown::{Ladder, OnDrop, Watch},
    stdio::{Input, Redirect},
    sys,
    transport::WriteEnd,
};

/// How a child is to be run: made by [`ProcessIo::command`](crate::ProcessIo::command),
/// [`shell`](crate::ProcessIo::shell) or [`builder`](crate::ProcessIo::builder), started by [`spawn`](Builder::spawn), or by
/// `.await`, which starts it and collects its [`Output`](crate::Output).
///
/// The three standard streams are set here, whatever the [`Command`] of [`builder`](crate::ProcessIo::builder) says of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let output = ProcessIo::shell("echo out; echo err >&2").merge_stderr().await?;
/// assert_eq!(output.stdout, "out\nerr\n");
/// # }
/// # Ok(()) }
/// ```
#[must_use = "nothing runs until `spawn` or `.await`"]
pub struct Builder {
    pub(crate) command: Command,
    origin: Origin,
    /// The environment of this process is left out, which the command does not tell.
    env_cleared: bool,
    pub(crate) stdin: Redirect,
    /// `None`: merged into the other.
    pub(crate) stdout: Option<Redirect>,
    pub(crate) stderr: Option<Redirect>,
    pub(crate) input: Option<Input>,
    /// What stdout and stderr are copied to.
    pub(crate) copies: [Option<WriteEnd>; 2],
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    pub(crate) line_options: LineOptions,
    pub(crate) group: bool,
    pub(crate) on_drop: OnDrop,
    pub(crate) kill_leftovers: bool,
    pub(crate) die_with_parent: bool,
    pub(crate) inherit_signals: bool,
    pub(crate) creation_flags: u32,
    pub(crate) retry_busy: bool,
    pub(crate) pipe_capacity: Option<usize>,
    pub(crate) secrets: Vec<OsString>,
    /// Boxed, for most runs have none. `None` means that nothing ends the run early.
    pub(crate) watch: Option<Box<Watch>>,
}

/// What a command was made of, and so whether all of it is known.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Program,
    Script(OsString),
    /// A `Command`, which does not tell all that has been set.
    Command,
}

impl Builder {
    pub(crate) fn new(command: Command, origin: Origin) -> Self {
        Self {
            command,
            origin,
            env_cleared: false,
            stdin: Redirect::Pipe,
            stdout: Some(Redirect::Pipe),
            stderr: Some(Redirect::Pipe),
            input: None,
            copies: [None, None],
            limits: Limits::default(),
            drain: Drain::default(),
            line_options: LineOptions::default(),
            group: true,
            on_drop: OnDrop::Kill,
            kill_leftovers: false,
            die_with_parent: false,
            inherit_signals: false,
            creation_flags: 0,
            retry_busy: true,
            pipe_capacity: None,
            secrets: Vec::new(),
            watch: None,
        }
    }

    /// Adds an argument. It reaches the child as it stands: no shell sees it.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the child's environment, which is else that of this process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let sorted = ProcessIo::command("sort").env("LC_ALL", "C").input("b\nB\na\n").await?;
    /// assert_eq!(sorted.stdout, "B\na\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets several variables of the child's environment.
    pub fn envs<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.command.envs(variables);
        self
    }

    /// Leaves a variable of this process's environment out of the child's.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Starts from an empty environment: what was set before is dropped as well.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self.env_cleared = true;
        self
    }

    /// Sets the child's working directory. Whether a relative path of the program is looked up there or in that of this process
    /// differs by platform: use an absolute one.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Another builder of the same run, as for a second attempt.
    ///
    /// `None` if that cannot be: it was made of a `Command` by [`builder`](crate::ProcessIo::builder), which does not tell all that
    /// has been set, such as a `pre_exec`; its [`input`](Builder::input) is a reader or a stream; its output is [copied](Builder::tee_stdout) to a writer; or a descriptor that it is
    /// [redirected](Redirect::Descriptor) to cannot be duplicated, for there is none left. The copies of such a descriptor share
    /// one position.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let sort = ProcessIo::command("sort").env("LC_ALL", "C").input("b\na\n");
    /// let again = sort.try_clone().expect("its input is bytes");
    /// assert_eq!(sort.await?.stdout, again.await?.stdout);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn try_clone(&self) -> Option<Self> {
        if self.copies.iter().any(Option::is_some) {
            return None;
        }
        let output = |to: &Option<Redirect>| match to {
            Some(to) => to.try_clone().ok().map(Some),
            None => Some(None),
        };
        let input = match &self.input {
            Some(input) => Some(input.try_clone()?),
            None => None,
        };
        Some(Self {
            command: self.clone_command()?,
            origin: self.origin.clone(),
            env_cleared: self.env_cleared,
            stdin: self.stdin.try_clone().ok()?,
            stdout: output(&self.stdout)?,
            stderr: output(&self.stderr)?,
            input,
            copies: [None, None],
            limits: self.limits,
            drain: self.drain,
            line_options: self.line_options,
            group: self.group,
            on_drop: self.on_drop.clone(),
            kill_leftovers: self.kill_leftovers,
            die_with_parent: self.die_with_parent,
            inherit_signals: self.inherit_signals,
            creation_flags: self.creation_flags,
            retry_busy: self.retry_busy,
            pipe_capacity: self.pipe_capacity,
            secrets: self.secrets.clone(),
            watch: self.watch.clone(),
        })
    }

    /// The same command, if all of it is known: what the methods of this type set.
    fn clone_command(&self) -> Option<Command> {
        let known = self.command.as_std();
        let mut command = match &self.origin {
            Origin::Program => Command::new(known.get_program()),
            Origin::Script(script) => sys::shell(script),
            Origin::Command => return None,
        };
        let of_shell = command.as_std().get_args().len();
        command.args(known.get_args().skip(of_shell));
        if self.env_cleared {
            command.env_clear();
        }
        for (name, value) in known.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = known.get_current_dir() {
            command.current_dir(directory);
        }
        Some(command)
    }

    /// The child's whole input: bytes, or a reader or stream by way of [`Input`]. Its stdin is closed
    /// after it. It is written while output is read, as the child takes it.
    ///
    /// It needs the pipe that stdin is by default: with [`stdin`](Builder::stdin) connected to anything else the spawn fails.
    pub fn input(mut self, input: impl Into<Input>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// What stdin is connected to: a pipe by default. Together with [`input`](Builder::input) it can be nothing else.
    pub fn stdin(mut self, stdin: impl Into<Redirect>) -> Self {
        self.stdin = stdin.into();
        sys::close_on_exec(&self.stdin);
        self
    }

    /// What stdout is connected to: a pipe by default.
    pub fn stdout(mut self, stdout: impl Into<Redirect>) -> Self {
        let stdout = stdout.into();
        sys::close_on_exec(&stdout);
        self.stdout = Some(stdout);
        self
    }

    /// What stderr is connected to: a pipe of its own by default.
    pub fn stderr(mut self, stderr: impl Into<Redirect>) -> Self {
        let stderr = stderr.into();
        sys::close_on_exec(&stderr);
        self.stderr = Some(stderr);
        self
    }

    /// Connects stderr to wherever stdout goes. Both share one pipe, so what the child writes arrives in
    /// the order it was written, all of it as stdout.
    pub fn merge_stderr(mut self) -> Self {
        self.stderr = None;
        self
    }

    /// Connects stdout to wherever stderr goes: the opposite of [`merge_stderr`](Builder::merge_stderr), with which it cannot be
    /// combined. All that the child writes arrives as stderr, and with the [limit](Limits) of that. In a
    /// [`Pipeline`](crate::Pipeline) it concerns the last stage.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("echo out; echo err >&2").merge_stdout().await?;
    /// assert_eq!(output.stderr, "out\nerr\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn merge_stdout(mut self) -> Self {
        self.stdout = None;
        self
    }

    /// Writes all that comes from stdout to `writer` as well, as `tee(1)` does: to capture it and log it at once.
    ///
    /// The data moves while something is awaited on the handle, and as fast as `writer` takes it: no more is read before it has
    /// the last piece. It gets what is read before any [limit](Limits) drops of it, is flushed after each piece, and shut down at
    /// the end of the stream. A run is over when it has all; one that is cut short, or [shut down](crate::ProcessIo::shutdown),
    /// waits for it up to 200 ms after the exit. If `writer` fails the run goes on without it, and at its end there is an error for
    /// which the kind is [`Output`](crate::ErrorKind::Output), with all that was collected.
    ///
    /// It needs the pipe that stdout is by default: if that goes elsewhere, or into stderr, the spawn fails. Of a
    /// [`Pipeline`](crate::Pipeline) it is the stdout of the last stage.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let log = tempfile::NamedTempFile::new()?;
    /// let file = tokio::fs::File::from_std(log.reopen()?);
    /// let output = ProcessIo::command("sort").input("b\na\n").tee_stdout(file).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// assert_eq!(std::fs::read(log)?, b"a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn tee_stdout(self, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.tee(Source::Stdout, writer)
    }

    /// Writes all that comes from stderr to `writer` as well: see [`tee_stdout`](Builder::tee_stdout). Of a
    /// [`Pipeline`](crate::Pipeline) it is the stderr of the first stage, as with [`stderr`](Builder::stderr).
    pub fn tee_stderr(self, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.tee(Source::Stderr, writer)
    }

    fn tee(mut self, of: Source, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.copies[of as usize] = Some(WriteEnd::any(writer));
        self
    }

    /// How much unread output is kept.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long to read on when the child has exited and a descendant holds its pipes.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// By what rules output is taken apart into lines.
    pub fn line_options(mut self, options: LineOptions) -> Self {
        self.line_options = options;
        self
    }

    /// Whether the child leads a process group of its own (`setpgid(2)`). Yes by default: then a kill, and
    /// dropping the handle, reach all that is in the group, also what has lost its parent, and its live descendants that have
    /// left the group. Ctrl-C at a terminal does not reach the child: it reaches this process, and the child ends if this
    /// process drops its handle because of it. A process that is killed by a signal drops nothing, so
    /// its children live on, unless they [die with it](Builder::die_with_parent). See [Ctrl-C](crate#ctrl-c).
    ///
    /// With `false` the child stays in the group the command puts it in, by default ours: Ctrl-C at a
    /// terminal reaches it, and it may use the terminal. A kill reaches it and its live descendants; it cannot reach those that have
    /// lost their parent, and on Windows none. A command that starts a session of its own (`setsid(2)` in a
    /// `pre_exec`) needs `false`, for a group's leader cannot; then a kill reaches the group that the child leads.
    ///
    /// A child in a group of its own may not use the terminal of this process: when it reads from it, as a program does that
    /// asks for a password, the system stops it by `SIGTTIN` or `SIGTTOU`. What is awaited fails then, with an
    /// error of the kind [`Stopped`](crate::ErrorKind::Stopped).
    ///
    /// On Windows it is a Job Object of its own, which holds all descendants from the first instruction on, and a process group
    /// of the console: Ctrl-C does not reach it, and [`Signal::TERM`](crate::Signal::TERM) is a Ctrl-Break to it. It needs
    /// process creation flags of its own, see [`creation_flags`](Builder::creation_flags).
    pub fn process_group(mut self, own: bool) -> Self {
        self.group = own;
        self
    }

    /// What becomes of the child when the handle is dropped while it is running: it is killed, with its process group and all
    /// its live descendants, unless this is called. A [`Ladder`] stops it step by step, without a runtime:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Ladder, ProcessIo};
    ///
    /// // Whoever drops it, the server sees the end of its input and has its time to save what it has.
    /// let server = ProcessIo::command("cat").on_drop(Ladder::default()).spawn()?;
    /// drop(server);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// A handle that is dropped while its run is being stopped, by a time-out or a [`shutdown`](crate::ProcessIo::shutdown), kills in any
    /// case. A child that has exited by itself by then needs nothing.
    pub fn on_drop(mut self, on_drop: impl Into<OnDrop>) -> Self {
        self.on_drop = on_drop.into();
        self
    }

    /// As [`on_drop`](Builder::on_drop) with [`OnDrop::Kill`] or [`OnDrop::Leave`]; `tokio`'s setting of the same name in the
    /// command is not looked at.
    pub fn kill_on_drop(self, kill: bool) -> Self {
        self.on_drop(if kill { OnDrop::Kill } else { OnDrop::Leave })
    }

    /// Whether what a child leaves behind when it exits by itself is killed: the members of its process group. No by default: a
    /// daemon that it has started, as `git gc --auto` or a build server, lives on, as with the standard library.
    ///
    /// With `true` the run is over when nothing is left in the group, or 200 ms after the exit, when what is left is killed, also
    /// while it holds the pipes, whatever [`drain`](Builder::drain) says. What has become a daemon by then is not in the group any
    /// more, and lives on. A handle that is dropped in that time kills at once.
    ///
    /// On Windows it is what is left in the child's Job Object. With [`process_group(false)`](Builder::process_group) there is
    /// neither, and nothing is killed.
    pub fn kill_leftovers(mut self, kill: bool) -> Self {
        self.kill_leftovers = kill;
        self
    }

    /// Whether the child's process group is killed when this process ends, however it ends: by `SIGKILL` or a Ctrl-C at the
    /// terminal too. Off by default.
    ///
    /// On Unix a small `/bin/sh` is started with the child, and leads the child's group. It waits for the end of this
    /// process, which it learns by a pipe, and then kills the group it is in. So it reaches all descendants that
    /// stay in the group, does not depend on the thread that spawns (as `PR_SET_PDEATHSIG` does), and keeps the `posix_spawn`
    /// fast path. It blocks all signals that can be blocked: only `SIGSTOP` to the group keeps it from its work, and `SIGKILL` ends
    /// it with all the others. The child does not lead its group then: the group's
    /// id is not its process id, and a child that leaves the group (`setsid(2)`, `setpgid(2)`) is out of the guard's reach,
    /// though not of a kill, a drop or a time-out. A child that is let go by
    /// [`detach`](crate::ProcessIo::detach) or [`kill_on_drop(false)`](Builder::kill_on_drop) is still killed when this
    /// process ends.
    ///
    /// The shell takes about 110 KiB of memory of its own and 1 ms of processor time or less. It has none of our descriptors
    /// but the one that it reads.
    ///
    /// To this end `execve(2)` in this process counts as its end: a program that replaces itself, as for a restart without a
    /// pause, loses the children that were started with this. A copy that `fork(2)` makes of this process does not count
    /// as this process, and does not keep them alive.
    ///
    /// When this process ends, the system closes its ends of the child's pipes at that moment, and the shell acts a moment later. So
    /// the child may find end-of-file on its stdin, and act on it, before it is killed.
    ///
    /// On Windows the child's Job Object does it, which the system closes when this process ends. What a child that has exited by
    /// itself has left is not killed then, unless the child was let go before its exit.
    ///
    /// It cannot be combined with [`process_group(false)`](Builder::process_group): then the spawn fails.
    pub fn die_with_parent(mut self, die: bool) -> Self {
        self.die_with_parent = die;
        self
    }

    /// Whether the child starts with those signals blocked that the spawning thread blocks (`sigprocmask(2)`). No by default:
    /// then it starts with none blocked, and `SIGTERM` ends it as it expects.
    ///
    /// If the thread does block signals, that takes `fork(2)` instead of the faster `posix_spawn(3)`, and overrides a mask that a
    /// `pre_exec` of the command sets.
    ///
    /// Signals that this process ignores (`SIG_IGN`) are ignored by the child in either case, as `SIGHUP` is below
    /// `nohup(1)`. `SIGPIPE` is the exception: the standard library sets it to its default. A `pre_exec` of the command can do
    /// the same for others.
    ///
    /// Windows has no signals, and there this does nothing.
    pub fn inherit_signals(mut self, inherit: bool) -> Self {
        self.inherit_signals = inherit;
        self
    }

    /// On Windows, flags for the creation of the process, such as `CREATE_NO_WINDOW`: none unless this is called. Elsewhere
    /// this does nothing.
    ///
    /// Flags that are set in the command itself (`CommandExt::creation_flags`) cannot be read back. They get lost when these are
    /// set, or when the child leads a [process group](Builder::process_group), which is done by such flags.
    pub fn creation_flags(mut self, flags: u32) -> Self {
        self.creation_flags = flags;
        self
    }

    /// Whether to try again, for up to 63 ms in all, while the program's file is open for writing (`ETXTBSY`). Yes by
    /// default.
    ///
    /// A program that has just been written and closed is often still open for a moment, in a child that another thread
    /// is starting. The thread sleeps between the attempts. On Linux there are three attempts at most if it can be seen
    /// that no process has the file open, as when a `pre_exec` of the command fails with that error.
    pub fn retry_busy(mut self, retry: bool) -> Self {
        self.retry_busy = retry;
        self
    }

    /// How many bytes the pipes to the child hold, on Linux: the system rounds it up to a power of two, and leaves a pipe as it
    /// is if that is more than it allows (`/proc/sys/fs/pipe-max-size`, and see
    /// [`set_pipe_budget`](crate::set_pipe_budget), of which it takes nothing). Such a pipe does not grow. Elsewhere
    /// this does nothing.
    ///
    /// Unless this is called a pipe has 64 KiB, and 256 KiB once it has been seen full.
    pub fn pipe_capacity(mut self, bytes: usize) -> Self {
        self.pipe_capacity = Some(bytes);
        self
    }

    /// Marks a text as secret: wherever it occurs in the program's name or its arguments, in the directory to start in, or in
    /// the end of stderr that an error shows, errors, traces and debug output show `***` instead. May be called several times.
    /// What is secret for one stage of a [`Pipeline`](crate::Pipeline) is secret for all.
    ///
    /// Output is not changed: [`stderr_tail`](crate::Error::stderr_tail), [`Output`](crate::Output) and all that is received are
    /// as the child wrote them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::command("no-such-program").arg("--password=hunter2").secret("hunter2").await.unwrap_err();
    /// assert_eq!(error.command(), Some("no-such-program --password=***"));
    /// # Ok(()) }
    /// ```
    pub fn secret(mut self, text: impl Into<OsString>) -> Self {
        self.secrets.push(text.into());
        self
    }
}

/// # When to stop
///
/// A run that is cut short is stopped as the [`ladder`](Builder::ladder) says. Whatever was awaited then ends as it does
/// when the child exits: reads deliver what there is, and where they would find the end of the stream they fail once
/// instead; [`wait`](crate::ProcessIo::wait) and [`output`](crate::ProcessIo::output) fail. The
/// [`Error`](crate::Error) carries what had been collected and not been taken. All that is over by the moment of the
/// stop and the time of the ladder, and where something cannot be killed 200 ms more, or 10 s for the child itself: after that only what the child itself has written is read, whatever the [`Drain`] says.
///
/// The whole tree goes: the process group, and the live descendants that have left it. What cannot be killed, because it runs as
/// another user, is told by [`Error::has_survivors`](crate::Error::has_survivors).
///
/// The times are those of the runtime's clock. With that paused (`tokio::time::pause`) a child of this machine still takes real
/// time, so that any time-out is up before it has done anything: test with
/// [a child in memory](crate::transport::memory) then. How long it is waited for a child that has been killed is real time in any case.
///
/// Nothing is started for a run that is cancelled, or whose time is up, before the start: [`spawn`](Builder::spawn) and
/// `.await` fail with the same kind of error, which carries an empty output without a status. A time of zero is up at once.
/// Of a pipeline no further stage is started then, and those that run are killed and reaped.
///
/// The clock is looked at while something is awaited on the handle, or tried; a handle that is not polled stops no child.
/// When the time is up after the child's exit, while its pipes are still being read because a descendant holds them, only that
/// is cut short: the run counts as complete.
impl Builder {
    /// Stops the run when it has taken so long, counted from the spawn.
    /// [`is_timeout`](crate::Error::is_timeout) holds for the error. Feeding the input counts, and so does reading on
    /// after the exit.
    ///
    /// So does starting the child, but [`spawn`](Builder::spawn) and `.await` cannot be cut short in the middle of that: a
    /// program that is slow to be loaded, or a slow `pre_exec`, blocks the thread, and the time-out comes
    /// when it is done. [`start`](Builder::start) keeps the time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let error = ProcessIo::shell("echo so far; sleep 60; true").timeout(Duration::from_millis(300)).await.unwrap_err();
    /// assert!(error.is_timeout());
    /// assert_eq!(error.output().unwrap().stdout, "so far\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.watch().timeout = Some(timeout);
        self
    }

    /// Stops the run at this point in time; see [`timeout`](Builder::timeout). If both are set the earlier one
    /// counts.
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        self.watch().deadline = Some(deadline.into());
        self
    }

    /// Stops the run when no byte has moved for so long, neither of its input nor of its outputs, and nothing was sent. A time
    /// in which nothing is awaited counts too, if the child said nothing then.
    /// [`is_timeout`](crate::Error::is_timeout) holds for the error.
    pub fn inactivity_timeout(mut self, timeout: Duration) -> Self {
        self.watch().set_silence(Some(timeout));
        self
    }

    /// Stops the run when the token is cancelled. [`is_cancelled`](crate::Error::is_cancelled) holds for the error.
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.watch().cancel_on(token);
        self
    }

    /// By which steps a run is stopped that is cut short: [`Ladder::kill`] unless this is called, so that the time that
    /// was set is kept.
    pub fn ladder(mut self, ladder: Ladder) -> Self {
        self.watch().ladder = ladder;
        self
    }

    /// Without input the child is to find end-of-file at once, and that takes no pipe.
    pub(crate) fn close_unused_stdin(&mut self) {
        if self.input.is_none() && matches!(self.stdin, Redirect::Pipe) {
            self.stdin = Redirect::Null;
        }
    }

    /// Fails if there is no pipe for what the child is to be given, or for what is to be copied of its output.
    pub(crate) fn check_pipes(&self) -> io::Result<()> {
        let is_pipe = |to: &Option<Redirect>| matches!(to, Some(Redirect::Pipe));
        let [stdout, stderr] = self.copies.each_ref().map(Option::is_some);
        let text = if self.input.is_some() && !matches!(self.stdin, Redirect::Pipe) {
            "it has `input`, and `stdin` connects it to something else than a pipe"
        } else if stdout && !is_pipe(&self.stdout) {
            "it has `tee_stdout`, and its stdout is connected to something else than a pipe of its own"
        } else if stderr && !is_pipe(&self.stderr) {
            "it has `tee_stderr`, and its stderr is connected to something else than a pipe of its own"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    fn watch(&mut self) -> &mut Watch {
        self.watch.get_or_insert_default()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field(
                "command",
                &line(self.command.as_std(), &Secrets::new(&self.secrets)),
            )
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("input", &self.input)
            .field("tee", &self.copies.each_ref().map(Option::is_some))
            .field("limits", &self.limits)
            .field("drain", &self.drain)
            .field("process_group", &self.group)
            .field("on_drop", &self.on_drop)
            .field("kill_leftovers", &self.kill_leftovers)
            .field("die_with_parent", &self.die_with_parent)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}
