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

/// A child process that has not been started, with its options.
///
/// It is created by [`ProcessIo::command`](crate::ProcessIo::command), [`shell`](crate::ProcessIo::shell) or
/// [`builder`](crate::ProcessIo::builder). [`spawn`](Builder::spawn) starts the child. `.await` starts it and
/// collects its [`Output`](crate::Output).
///
/// The three standard streams are set by this type; those that are set in the [`Command`] of
/// [`builder`](crate::ProcessIo::builder) are ignored.
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

    /// Adds an argument.
    ///
    /// It is passed to the program unchanged, and not interpreted by a shell.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("printf").arg("%s").arg("$HOME is not expanded").await?;
    /// assert_eq!(output.stdout, "$HOME is not expanded");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    ///
    /// Each is passed to the program unchanged, as with [`arg`](Builder::arg).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("printf").args(["%s+", "a", "b"]).await?;
    /// assert_eq!(output.stdout, "a+b+");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable of the child.
    ///
    /// The child inherits all variables of this process that are not set, [removed](Builder::env_remove) or
    /// [cleared](Builder::env_clear) here.
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

    /// Sets several environment variables of the child.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let variables = [("FROM", "a"), ("TO", "b")];
    /// let output = ProcessIo::shell("echo $FROM-$TO").envs(variables).await?;
    /// assert_eq!(output.stdout, "a-b\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn envs<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.command.envs(variables);
        self
    }

    /// Removes an environment variable, so that the child does not inherit it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("echo ${LANG-not set}").env_remove("LANG").await?;
    /// assert_eq!(output.stdout, "not set\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Clears the environment of the child: it inherits no variable of this process.
    ///
    /// Variables that were set before this call are removed too. Those that are set after it are passed to the child.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("/usr/bin/env").env("A", "1").env_clear().env("B", "2").await?;
    /// assert_eq!(output.stdout, "B=2\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self.env_cleared = true;
        self
    }

    /// Sets the working directory of the child.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("pwd").current_dir("/").await?;
    /// assert_eq!(output.stdout, "/\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// Whether a relative path of the program is resolved against this directory or against that of this process
    /// differs by platform: use an absolute path.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Returns a second builder of the same run, as for another attempt.
    ///
    /// It is `None` where the run cannot be copied:
    ///
    /// - The builder was created from a `Command` by [`builder`](crate::ProcessIo::builder). Not all that can be set in
    ///   a `Command` can be read back, such as a `pre_exec`.
    /// - The [`input`](Builder::input) is a reader or a stream.
    /// - The output is [copied](Builder::tee_stdout) to a writer.
    /// - A descriptor that a stream is [redirected](Redirect::Descriptor) to cannot be duplicated, because this process
    ///   has none left.
    ///
    /// The duplicates of a descriptor share one position.
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

    /// Sets the child's whole input: bytes, or a reader or stream by way of [`Input`].
    ///
    /// It is written as the child takes it, while output is read. The child's stdin is closed after it.
    ///
    /// It needs the pipe that stdin is by default: with [`stdin`](Builder::stdin) connected to anything else the spawn
    /// fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("wc").arg("-l").input("one\ntwo\n").await?;
    /// assert_eq!(output.stdout_trimmed().unwrap().trim(), "2");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn input(mut self, input: impl Into<Input>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Sets what the child's stdin is connected to: a pipe by default.
    ///
    /// With an [`input`](Builder::input) it must be a pipe, or the spawn fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::fs::File;
    /// use process_io::ProcessIo;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("list");
    /// # std::fs::write(&path, "b\na\n")?;
    /// let output = ProcessIo::command("sort").stdin(File::open(&path)?).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stdin(mut self, stdin: impl Into<Redirect>) -> Self {
        self.stdin = stdin.into();
        sys::close_on_exec(&self.stdin);
        self
    }

    /// Sets what the child's stdout is connected to: a pipe by default.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::fs::{self, File};
    /// use process_io::ProcessIo;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("sorted");
    /// let output = ProcessIo::command("sort").input("b\na\n").stdout(File::create(&path)?).await?;
    /// assert_eq!(output.stdout, "");
    /// assert_eq!(fs::read_to_string(&path)?, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stdout(mut self, stdout: impl Into<Redirect>) -> Self {
        let stdout = stdout.into();
        sys::close_on_exec(&stdout);
        self.stdout = Some(stdout);
        self
    }

    /// Sets what the child's stderr is connected to: a pipe by default.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Redirect};
    ///
    /// let output = ProcessIo::shell("echo out; echo err >&2").stderr(Redirect::Null).await?;
    /// assert_eq!(output.stdout, "out\n");
    /// assert_eq!(output.stderr, "");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stderr(mut self, stderr: impl Into<Redirect>) -> Self {
        let stderr = stderr.into();
        sys::close_on_exec(&stderr);
        self.stderr = Some(stderr);
        self
    }

    /// Connects the child's stderr to whatever its stdout is connected to.
    ///
    /// Both share one pipe, so what the child writes arrives in the order in which it was written, all of it as stdout.
    /// It is what `2>&1` is in a shell.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("echo 1; echo 2 >&2; echo 3").merge_stderr().await?;
    /// assert_eq!(output.stdout, "1\n2\n3\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn merge_stderr(mut self) -> Self {
        self.stderr = None;
        self
    }

    /// Connects the child's stdout to whatever its stderr is connected to.
    ///
    /// It is the opposite of [`merge_stderr`](Builder::merge_stderr), with which it cannot be combined. All that the
    /// child writes arrives as stderr, with the [limit](Limits) of stderr. In a [`Pipeline`](crate::Pipeline) it
    /// applies to the last stage.
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

    /// Copies all that is read from the child's stdout to `writer` as well, as `tee(1)` does.
    ///
    /// The data moves while a call on the handle is awaited, and as fast as `writer` accepts it: no more is read before
    /// the last piece has been written. `writer` gets what is read before any of it is dropped at a [limit](Limits). It
    /// is flushed after each piece, and shut down at the end of the stream.
    ///
    /// A run is over when `writer` has all of the output. One that is cut short, or [shut
    /// down](crate::ProcessIo::shutdown), waits for it up to 200 ms after the exit. If `writer` fails the run continues
    /// without it, and ends in an error of the kind [`Output`](crate::ErrorKind::Output), which carries all that was
    /// collected.
    ///
    /// It needs the pipe that stdout is by default: if stdout is connected to anything else, or merged into stderr, the
    /// spawn fails. In a [`Pipeline`](crate::Pipeline) it is the stdout of the last stage.
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

    /// Copies all that is read from the child's stderr to `writer` as well: see [`tee_stdout`](Builder::tee_stdout).
    ///
    /// In a [`Pipeline`](crate::Pipeline) it is the stderr of the first stage, as with [`stderr`](Builder::stderr).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let log = tempfile::NamedTempFile::new()?;
    /// let file = tokio::fs::File::from_std(log.reopen()?);
    /// let output = ProcessIo::shell("echo out; echo err >&2").tee_stderr(file).await?;
    /// assert_eq!(output.stderr, "err\n");
    /// assert_eq!(std::fs::read(log)?, b"err\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn tee_stderr(self, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.tee(Source::Stderr, writer)
    }

    fn tee(mut self, of: Source, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.copies[of as usize] = Some(WriteEnd::any(writer));
        self
    }

    /// Sets how many unread bytes of each output stream are kept, and what happens to more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Limits, Overflow, ProcessIo};
    ///
    /// let limits = Limits::default().stdout(4, Overflow::KeepTail);
    /// let output = ProcessIo::command("printf").arg("0123456789").limits(limits).await?;
    /// assert_eq!(output.stdout, "6789");
    /// assert_eq!(output.stdout_omitted, 6);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long output is read after the child's exit while a descendant holds its pipes open.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Drain, ProcessIo};
    ///
    /// let output = ProcessIo::shell("sleep 5 & echo started").drain(Drain::Immediate).await?;
    /// assert_eq!(output.stdout, "started\n");
    /// assert!(output.pipes_held);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// Sets how output is split into lines, as by [`lines`](crate::ProcessIo::lines).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Line, LineOptions, ProcessIo, Source, Terminator};
    ///
    /// let mut options = LineOptions::default();
    /// options.terminator = Terminator::Byte(0);
    /// let mut io = ProcessIo::command("printf").arg("a\\nb\\0c\\0").line_options(options).spawn()?;
    /// let first: Option<Line> = io.recv_line(Source::Stdout).await?;
    /// assert_eq!(first.unwrap().as_bytes(), b"a\nb");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn line_options(mut self, options: LineOptions) -> Self {
        self.line_options = options;
        self
    }

    /// Sets whether the child leads a process group of its own (`setpgid(2)`): `true` by default.
    ///
    /// With `true`, a kill and dropping the handle reach all members of the group, including those whose parent has
    /// exited, and the child's live descendants that have left the group. Ctrl-C at a terminal does not reach the
    /// child: it reaches this process, and the child ends if this process drops its handle because of it. A process
    /// that is killed by a signal drops nothing, so its children continue to run, unless they [die with
    /// it](Builder::die_with_parent). See [Ctrl-C](crate#ctrl-c).
    ///
    /// With `false`, the child stays in the group that the command puts it in, by default that of this process: Ctrl-C
    /// at a terminal reaches it, and it may use the terminal. A kill reaches the child and its live descendants; it
    /// cannot reach descendants whose parent has exited, and on Windows no descendants. A command that starts a session
    /// of its own (`setsid(2)` in a `pre_exec`) needs `false`, because a group leader cannot do that; a kill then
    /// reaches the group that the child leads.
    ///
    /// A child in a group of its own may not use the terminal of this process: when it reads from it, as a program does
    /// that asks for a password, the system stops it with `SIGTTIN` or `SIGTTOU`. The call that is awaited then fails
    /// with an error of the kind [`Stopped`](crate::ErrorKind::Stopped).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Redirect};
    ///
    /// // May ask for a password at the terminal, and is reached by Ctrl-C.
    /// let login = ProcessIo::command("true").stdin(Redirect::Inherit).process_group(false);
    /// login.await?.check()?;
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows it is a Job Object of its own, which holds all descendants from the first instruction on, and a
    /// process group of the console: Ctrl-C does not reach it, and [`Signal::TERM`](crate::Signal::TERM) is a
    /// Ctrl-Break to it. It needs process creation flags of its own, see [`creation_flags`](Builder::creation_flags).
    pub fn process_group(mut self, own: bool) -> Self {
        self.group = own;
        self
    }

    /// Sets what happens to the child when the handle is dropped while the child is running: [`OnDrop::Kill`] by
    /// default.
    ///
    /// By default the child is killed, with its process group and all its live descendants. A [`Ladder`] stops it step
    /// by step instead, without a runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Ladder, ProcessIo};
    ///
    /// // When the handle is dropped, the server sees end-of-file and has time to save its state.
    /// let server = ProcessIo::command("cat").on_drop(Ladder::default()).spawn()?;
    /// drop(server);
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// A handle that is dropped while its run is being stopped, by a time-out or a
    /// [`shutdown`](crate::ProcessIo::shutdown), kills the child in any case. If the child has already exited, dropping
    /// the handle sends nothing.
    pub fn on_drop(mut self, on_drop: impl Into<OnDrop>) -> Self {
        self.on_drop = on_drop.into();
        self
    }

    /// Sets whether the child is killed when the handle is dropped while the child is running: `true` by default.
    ///
    /// It is [`on_drop`](Builder::on_drop) with [`OnDrop::Kill`] or [`OnDrop::Leave`]. The setting of the same name in
    /// a `tokio` command is ignored.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let job = ProcessIo::shell("sleep 0.1; exit 3").kill_on_drop(false).spawn()?;
    /// let control = job.control();
    /// drop(job);
    /// assert_eq!(control.wait().await?.code(), Some(3));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn kill_on_drop(self, kill: bool) -> Self {
        self.on_drop(if kill { OnDrop::Kill } else { OnDrop::Leave })
    }

    /// Sets whether the members of the child's process group that are still running after it has exited by itself are
    /// killed: `false` by default.
    ///
    /// With `false` a daemon that the child has started, as `git gc --auto` or a build server, continues to run, as
    /// with the standard library.
    ///
    /// With `true` the run is over when no member of the group is left. Those that are left 200 ms after the exit are
    /// killed, also while they hold the pipes, whatever [`drain`](Builder::drain) is set to. A process that has become
    /// a daemon by then is no longer in the group, and continues to run. A handle that is dropped in that time kills at
    /// once.
    ///
    /// With [`process_group(false)`](Builder::process_group) there is no such group, and nothing is killed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("sleep 60 & echo done").kill_leftovers(true).await?;
    /// assert_eq!(output.stdout, "done\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows the processes in the child's Job Object take the place of the group. With
    /// [`process_group(false)`](Builder::process_group) there is none either.
    pub fn kill_leftovers(mut self, kill: bool) -> Self {
        self.kill_leftovers = kill;
        self
    }

    /// Sets whether the child's process group is killed when this process ends, however it ends: `false` by default.
    ///
    /// That includes an end by `SIGKILL` or by Ctrl-C at the terminal. It cannot be combined with
    /// [`process_group(false)`](Builder::process_group): then the spawn fails.
    ///
    /// A child that is released by [`detach`](crate::ProcessIo::detach) or
    /// [`kill_on_drop(false)`](Builder::kill_on_drop) is still killed when this process ends.
    ///
    /// When this process ends, the system closes its ends of the child's pipes at that moment, and the child is killed
    /// a moment later. So the child may find end-of-file on its stdin, and act on it, before it is killed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("sort").die_with_parent(true).input("b\na\n").await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix a small `/bin/sh` is started with the child, and leads the child's group. It learns of the end of this
    /// process by a pipe, and then kills the group it is in. So it reaches all descendants that stay in the group, does
    /// not depend on the thread that spawns (as `PR_SET_PDEATHSIG` does), and keeps the `posix_spawn` fast path. It
    /// blocks all signals that can be blocked: only `SIGSTOP` to the group keeps it from acting, and `SIGKILL` ends it
    /// with all the others.
    ///
    /// The child does not lead its group then: the group's id is not its process id. A child that leaves the group
    /// (`setsid(2)`, `setpgid(2)`) is not reached by the shell, but is by a kill, a drop or a time-out.
    ///
    /// The shell takes about 110 KiB of memory of its own and 1 ms of processor time or less. It has no descriptor of
    /// this process but the one that it reads.
    ///
    /// An `execve(2)` in this process counts as its end: a program that replaces itself, as for a restart without a
    /// pause, loses the children that were started with this. A copy of this process that `fork(2)` makes does not
    /// count as this process, and does not keep them alive.
    ///
    /// On Windows the child's Job Object does it, which the system closes when this process ends. What a child that has
    /// exited by itself has left is not killed then, unless the child was released before its exit.
    pub fn die_with_parent(mut self, die: bool) -> Self {
        self.die_with_parent = die;
        self
    }

    /// Sets whether the child inherits the signal mask of the spawning thread (`sigprocmask(2)`): `false` by default.
    ///
    /// With `false` the child starts with no signal blocked, so that `SIGTERM` ends it as it expects. If the thread
    /// does block signals, that takes `fork(2)` instead of the faster `posix_spawn(3)`, and overrides a mask that a
    /// `pre_exec` of the command sets.
    ///
    /// Signals that this process ignores (`SIG_IGN`) are ignored by the child in either case, as `SIGHUP` is below
    /// `nohup(1)`. `SIGPIPE` is the exception: the standard library sets it to its default. A `pre_exec` of the command
    /// can do the same for others.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// ProcessIo::command("true").inherit_signals(true).await?.check()?;
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// Windows has no signals, and this has no effect there.
    pub fn inherit_signals(mut self, inherit: bool) -> Self {
        self.inherit_signals = inherit;
        self
    }

    /// Sets the process creation flags on Windows, such as `CREATE_NO_WINDOW`: none by default.
    ///
    /// Flags that are set in the command itself (`CommandExt::creation_flags`) cannot be read back. They are lost when
    /// these are set, or when the child leads a [process group](Builder::process_group), which is done by such flags.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    ///
    /// let output = ProcessIo::command("sort").creation_flags(CREATE_NO_WINDOW).input("b\na\n").await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// This has no effect on other platforms.
    pub fn creation_flags(mut self, flags: u32) -> Self {
        self.creation_flags = flags;
        self
    }

    /// Sets whether a spawn is retried, for up to 63 ms in all, while the program's file is open for writing
    /// (`ETXTBSY`): `true` by default.
    ///
    /// A program that has just been written and closed is often still open for a moment, in a child that another thread
    /// is starting. The thread sleeps between the attempts, and so blocks.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// // Fails at once if the program is still being written.
    /// let output = ProcessIo::command("sort").retry_busy(false).input("b\na\n").await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// On Linux there are three attempts at most if it can be determined that no process has the file open, as when a
    /// `pre_exec` of the command fails with that error.
    pub fn retry_busy(mut self, retry: bool) -> Self {
        self.retry_busy = retry;
        self
    }

    /// Sets the capacity of the pipes to the child in bytes, on Linux.
    ///
    /// By default a pipe holds 64 KiB, and 256 KiB once it has been seen full. A pipe whose capacity is set here does
    /// not grow.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::command("cat").pipe_capacity(1 << 20).input("hello").await?;
    /// assert_eq!(output.stdout, "hello");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// Linux rounds the capacity up to a power of two, and leaves a pipe as it is if that is more than it allows
    /// (`/proc/sys/fs/pipe-max-size`). Such a pipe takes nothing of the budget of
    /// [`set_pipe_budget`](crate::set_pipe_budget). This has no effect on other platforms.
    pub fn pipe_capacity(mut self, bytes: usize) -> Self {
        self.pipe_capacity = Some(bytes);
        self
    }

    /// Marks a text as secret, so that errors, traces and debug output show `***` instead of it.
    ///
    /// It is replaced in the program's name and its arguments, in the working directory, and in the end of stderr that
    /// an error shows. This may be called several times. A text that is secret for one stage of a
    /// [`Pipeline`](crate::Pipeline) is secret for all.
    ///
    /// Output is not changed: [`stderr_tail`](crate::Error::stderr_tail), [`Output`](crate::Output) and all that is
    /// received are as the child wrote them.
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
/// A run that is cut short is stopped by the steps of its [`ladder`](Builder::ladder). The calls that are awaited
/// then end as they do when the child exits: reads deliver what there is, and where they would find the end of the
/// stream they fail once instead; [`wait`](crate::ProcessIo::wait) and [`output`](crate::ProcessIo::output) fail.
/// The [`Error`](crate::Error) carries what had been collected and not been taken.
///
/// All that is over by the moment of the stop and the time of the ladder, plus 200 ms where a descendant cannot be
/// killed, or 10 s for the child itself. After that only what the child itself has written is read, whatever the
/// [`Drain`] is.
///
/// The whole tree is stopped: the process group, and the live descendants that have left it.
/// [`Error::has_survivors`](crate::Error::has_survivors) returns whether a process could not be killed, because it
/// runs as another user.
///
/// The times are those of the runtime's clock. With that paused (`tokio::time::pause`) a child of this machine
/// still takes real time, so that any time-out is up before it has done anything: test with [a child in
/// memory](crate::transport::memory) then. The wait for a child that has been killed is in real time in any case.
///
/// No child is started for a run that is cancelled, or whose time is up, before the start:
/// [`spawn`](Builder::spawn) and `.await` fail with the same kind of error, which carries an empty output without a
/// status. A time of zero is up at once. No further stage of a pipeline is started then, and those that run are
/// killed and reaped.
///
/// The clock is checked while a call on the handle is awaited, or tried; a handle that is not polled does not stop
/// its child. When the time is up after the child's exit, while its pipes are still being read because a descendant
/// holds them, only the reading is cut short: the run counts as complete.
impl Builder {
    /// Sets the longest time that the run may take, counted from the spawn, after which it is stopped.
    ///
    /// [`is_timeout`](crate::Error::is_timeout) holds for the error. Feeding the input counts, and so does reading
    /// after the exit.
    ///
    /// Starting the child counts too, but [`spawn`](Builder::spawn) and `.await` cannot be cut short during that: a
    /// program that is slow to load, or a slow `pre_exec`, blocks the thread, and the time-out takes effect afterwards.
    /// [`start`](Builder::start) keeps the time.
    ///
    /// [`spawn`](Builder::spawn) panics if the runtime was built without time.
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

    /// Sets the point in time at which the run is stopped; see [`timeout`](Builder::timeout).
    ///
    /// If both are set the earlier one counts. Several runs can share a deadline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    /// use tokio::time::Instant;
    ///
    /// let deadline = Instant::now() + Duration::from_millis(300);
    /// let error = ProcessIo::command("sleep").arg("60").deadline(deadline).await.unwrap_err();
    /// assert!(error.is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        self.watch().deadline = Some(deadline.into());
        self
    }

    /// Sets the longest time in which no byte of input or output moves and nothing is sent, after which the run is
    /// stopped.
    ///
    /// A time in which nothing is awaited counts too, if the child wrote nothing then.
    /// [`is_timeout`](crate::Error::is_timeout) holds for the error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::ProcessIo;
    ///
    /// let run = ProcessIo::shell("echo hello; sleep 60; true").inactivity_timeout(Duration::from_millis(300));
    /// let error = run.await.unwrap_err();
    /// assert!(error.is_timeout());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn inactivity_timeout(mut self, timeout: Duration) -> Self {
        self.watch().set_silence(Some(timeout));
        self
    }

    /// Sets a token that stops the run when it is cancelled.
    ///
    /// [`is_cancelled`](crate::Error::is_cancelled) holds for the error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{CancellationToken, ProcessIo};
    ///
    /// let token = CancellationToken::new();
    /// let mut io = ProcessIo::command("sleep").arg("60").cancel_on(token.clone()).spawn()?;
    /// token.cancel(); // from any task or thread
    /// assert!(io.wait().await.unwrap_err().is_cancelled());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn cancel_on(mut self, token: CancellationToken) -> Self {
        self.watch().cancel_on(token);
        self
    }

    /// Sets the steps by which a run that is cut short is stopped: [`Ladder::kill`] by default, so that the time that
    /// was set is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::time::Duration;
    /// use process_io::{Ladder, ProcessIo, Signal};
    ///
    /// let ladder = Ladder::new().signal(Signal::TERM, Duration::from_secs(5));
    /// let run = ProcessIo::command("sleep").arg("60").timeout(Duration::from_millis(100)).ladder(ladder);
    /// let error = run.await.unwrap_err();
    /// assert!(error.is_timeout());
    /// assert_eq!(error.report().unwrap().steps.len(), 1); // SIGTERM was enough
    /// # }
    /// # Ok(()) }
    /// ```
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
    pub(crate) fn check_pipes(
        &self,
        stderr: &Option<Redirect>,
    ) -> Result<(), (Option<Source>, io::Error)> {
        let is_pipe = |to: &Option<Redirect>| matches!(to, Some(Redirect::Pipe));
        let [copies_stdout, copies_stderr] = self.copies.each_ref().map(Option::is_some);
        let (of, text) = if self.input.is_some() && !matches!(self.stdin, Redirect::Pipe) {
            (
                None,
                "it has `input`, and `stdin` connects it to something else than a pipe",
            )
        } else if copies_stdout && !is_pipe(&self.stdout) {
            (
                Some(Source::Stdout),
                "it has `tee_stdout`, and its stdout is connected to something else than a pipe of its own",
            )
        } else if copies_stderr && !is_pipe(stderr) {
            (
                Some(Source::Stderr),
                "it has `tee_stderr`, and its stderr is connected to something else than a pipe of its own",
            )
        } else {
            return Ok(());
        };
        Err((of, io::Error::new(io::ErrorKind::InvalidInput, text)))
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
