//! [`Pipeline`]: several commands, the output of each the input of the next.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    future::IntoFuture,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{process::Command, runtime::Handle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{stage::Stage, started::Started};
use crate::{
    command::{Builder, Origin, may_start, not_started, touch_timer},
    error::{Error, Kind, Result},
    event::Source,
    limits::{Drain, Limits},
    output::Output,
    process_io::{Collect, ProcessIo, spawn_elsewhere},
    secrets::Secrets,
    shutdown::{Ladder, OnDrop},
    stdio::{Input, Redirect},
    sys::{self, Ends},
    transport::Parts,
};

/// Several commands that run at the same time, the output of each the input of the next.
///
/// It is created by [`Builder::pipe`] or [`from_stages`](Pipeline::from_stages). [`spawn`](Pipeline::spawn) starts
/// it. `.await` starts it and collects its [`Output`].
///
/// The pipes between the stages are the kernel's, and larger than a shell's: the data of one stage goes to the next
/// without being copied through this process, unless it is to be [copied](Stage::tee). What a shell does with `a |
/// b | c` and `set -o pipefail`, this does for one [`ProcessIo`]: its stdin is that of the first stage, its stdout
/// that of the last, and its stderr that of the last too. What the other stages write to stderr is in
/// [`Output::stages`](crate::Output::stages) and among the events, see [`stage_events`](ProcessIo::stage_events).
///
/// All stages are in one process group, and time-outs, [`shutdown`](ProcessIo::shutdown),
/// [`Control`](crate::Control) and drop apply to them all; [`stage_controls`](ProcessIo::stage_controls) has one
/// for each. The options of the [`Builder`] are those of the whole, except its `stderr`, directory and environment,
/// which are those of the first stage. Most can be set here too. What is [secret](Builder::secret) for one stage is
/// hidden in all of them.
///
/// It fails with the first stage that fails, unless that [may](Stage::may_fail). A stage that was ended by
/// `SIGPIPE`, because the next one had read all that it needed, did not fail, unless it is the last.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIo};
///
/// let output = ProcessIo::command("yes")
///     .pipe(Command::new("head"))
///     .pipe(Command::new("wc"))
///     .await?
///     .check()?;
/// assert_eq!(output.stdout_lossy().split_whitespace().next(), Some("10"));
/// # }
/// # Ok(()) }
/// ```
///
/// # Platform-specific behavior
///
/// Windows has no `SIGPIPE`: there the stage finds its pipe closed, and if it treats that as an error, it has
/// failed.
#[must_use = "nothing runs until `spawn` or `.await`"]
pub struct Pipeline {
    /// Of the whole; the command in it is none of the stages'.
    options: Builder,
    /// At least one.
    stages: Vec<Stage>,
    shared: Shared,
}

/// What holds for the commands of all stages that do not say otherwise.
#[derive(Debug, Default)]
struct Shared {
    directory: Option<PathBuf>,
    /// The environment starts empty.
    clear: bool,
    /// `None`: the variable is left out.
    variables: BTreeMap<OsString, Option<OsString>>,
}

impl Shared {
    fn apply(&self, command: &mut Command) {
        if let (Some(directory), None) = (&self.directory, command.as_std().get_current_dir()) {
            command.current_dir(directory);
        }
        let own = command.as_std().get_envs();
        let own: Vec<_> = own
            .map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)))
            .collect();
        if self.clear {
            command.env_clear();
        }
        for (name, value) in self.variables.clone().into_iter().chain(own) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

/// # Pipelines
impl Builder {
    /// Creates a [`Pipeline`] of which this is the first stage: its stdout becomes the stdin of `next`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let output = ProcessIo::command("sort").input("b\na\nb\n").pipe(Command::new("uniq")).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn pipe(mut self, next: impl Into<Stage>) -> Pipeline {
        let first = Stage {
            command: std::mem::replace(&mut self.command, no_command()),
            stderr: self.stderr.as_mut().map(std::mem::take),
            secrets: std::mem::take(&mut self.secrets),
            tee: None,
            may_fail: false,
        };
        Pipeline::new(self, vec![first]).pipe(next)
    }
}

impl Pipeline {
    fn new(options: Builder, stages: Vec<Stage>) -> Self {
        Self {
            options,
            stages,
            shared: Shared::default(),
        }
    }

    /// Creates a pipeline of any number of stages; `None` if there are none.
    ///
    /// One stage is a pipeline too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, Pipeline};
    ///
    /// let stages = ["sort", "uniq"].map(Command::new);
    /// let run = Pipeline::from_stages(stages).expect("two stages");
    /// assert_eq!(run.input("b\na\nb\n").await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn from_stages(stages: impl IntoIterator<Item: Into<Stage>>) -> Option<Self> {
        let stages: Vec<Stage> = stages.into_iter().map(Into::into).collect();
        (!stages.is_empty()).then(|| Self::new(Builder::new(no_command(), Origin::Command), stages))
    }

    /// Adds a stage: the stdout of the last one becomes the stdin of `next`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).pipe(Command::new("cat"));
    /// assert_eq!(run.input("b\na\nb\n").await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn pipe(mut self, next: impl Into<Stage>) -> Self {
        self.stages.push(next.into());
        self
    }

    /// What is secret for one stage is secret for all: another may write it.
    fn secrets(&self) -> Vec<OsString> {
        let stages = self.stages.iter().flat_map(|stage| &stage.secrets);
        let mut all: Vec<_> = stages.chain(&self.options.secrets).cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// Starts all stages.
    ///
    /// It blocks the thread until all stages run their programs, as [`Builder::spawn`] does for one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let mut io = ProcessIo::command("sort").pipe(Command::new("uniq")).spawn()?;
    /// io.send("b\na\nb\n").await?;
    /// assert_eq!(io.output().await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Builder::spawn`]. [`Error::stage`] is the stage that could not be started. Those that had been
    /// started are killed and reaped.
    ///
    /// # Panics
    ///
    /// As [`Builder::spawn`]: if the runtime was built without I/O or without time.
    pub fn spawn(self) -> Result<ProcessIo> {
        // The stages may be well under way by the time this thread goes on.
        self.spawn_since(Instant::now())
    }

    /// Starts all stages as [`spawn`](Pipeline::spawn) does, on a thread of the runtime's pool for blocking work: see
    /// [`Builder::start`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let mut io = ProcessIo::command("sort").pipe(Command::new("uniq")).start().await?;
    /// io.send("b\na\nb\n").await?;
    /// assert_eq!(io.output().await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Pipeline::spawn), and as [`Builder::start`].
    ///
    /// # Panics
    ///
    /// As [`Builder::start`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped no stage is left, as with [`Builder::start`].
    pub async fn start(self) -> Result<ProcessIo> {
        let since = Instant::now();
        let expiry = self.options.watch.as_ref().map(|watch| {
            let (expiry, lines) = (watch.expiry(since), self.lines());
            async move { not_started(expiry.await, since, &whole(&lines), &lines) }
        });
        spawn_elsewhere(move || self.spawn_since(since), expiry).await
    }

    fn spawn_since(mut self, since: Instant) -> Result<ProcessIo> {
        let parts = self.spawn_parts(since)?;
        Ok(self.options.assemble(parts))
    }

    /// The command line of each stage.
    fn lines(&self) -> Vec<Arc<str>> {
        let secrets = Secrets::new(&self.secrets());
        self.stages
            .iter()
            .map(|stage| stage.line(&secrets))
            .collect()
    }

    fn spawn_parts(&mut self, since: Instant) -> Result<Parts> {
        let lines = self.lines();
        let whole = whole(&lines);
        let secrets = Secrets::new(&self.secrets());
        let options = &mut self.options;
        let error = |kind| Error::new(kind).with_command(Some(whole.clone()));
        if Handle::try_current().is_err() {
            return Err(error(Kind::NoRuntime));
        }
        if let Err((of, source)) = options.check_pipes(&self.stages[0].stderr) {
            let of_last = of == Some(Source::Stdout);
            let stage = (if of_last { lines.last() } else { lines.first() }).cloned();
            return Err(error(Kind::Spawn).with_stage(stage).with_source(source));
        }
        touch_timer();

        let mut started = Started::new(since, options.group);
        let watch = options.watch.as_deref();
        let may_start = || may_start(watch, since, &whole, &lines);
        may_start()?;
        let mut stdin = std::mem::take(&mut options.stdin);
        let mut stdout = Some(options.stdout.take());
        let mut copies: Vec<_> = (self.stages.iter_mut().map(|stage| stage.tee.take())).collect();
        copies.push(None);
        let mut copies = copies.into_iter();
        let fail = |at: usize, kind, source| {
            let stage = Some(lines[at].clone());
            Err(error(kind).with_stage(stage).with_source(source))
        };
        if copies.next().flatten().is_some() {
            return fail(0, Kind::Spawn, nothing_to_copy());
        }
        for (at, (stage, copy)) in self.stages.iter_mut().zip(copies).enumerate() {
            let is_last = at + 1 == lines.len();
            let (write, read) = match stdout.take_if(|_| is_last) {
                Some(stdout) => (stdout, Redirect::Null),
                None if copy.is_some() => (Some(Redirect::Pipe), Redirect::Pipe),
                None => match started.pipe() {
                    Ok((write, read)) => (Some(write), read),
                    Err(source) => return fail(at, Kind::Spawn, source),
                },
            };
            let ends = Ends {
                stdin: std::mem::replace(&mut stdin, read),
                stdout: write,
                stderr: stage.stderr.take(),
                group: started.group(),
                pipe_capacity: options.pipe_capacity,
                die_with_parent: options.die_with_parent && at == 0,
                inherit_signals: options.inherit_signals,
                creation_flags: options.creation_flags,
                retry_busy: options.retry_busy,
                may_start: &|| Ok(may_start()?),
            };
            self.shared.apply(&mut stage.command);
            match sys::spawn(&mut stage.command, ends) {
                Ok(spawned) => started.add(spawned, lines[at].clone(), copy, stage.may_fail),
                Err(source) => match source.downcast::<Error>() {
                    Ok(error) => return Err(error),
                    Err(source) => {
                        let kind = sys::fault(stage.command.as_std(), &secrets, &source);
                        return fail(at, kind, source);
                    }
                },
            }
        }
        Ok(started.into_parts(whole, secrets))
    }
}

/// # Directory and environment
///
/// They apply to all stages. What the command of a stage sets itself takes precedence.
impl Pipeline {
    /// Sets the working directory of all stages, except those that have one of their own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::command("pwd").pipe(Command::new("cat")).current_dir("/");
    /// assert_eq!(run.await?.stdout, "/\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.shared.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets an environment variable of all stages.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::shell("echo $MODE").pipe(Command::new("cat")).env("MODE", "fast");
    /// assert_eq!(run.await?.stdout, "fast\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set(name.as_ref(), Some(value.as_ref()));
        self
    }

    /// Sets several environment variables of all stages.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::shell("echo $FROM-$TO").pipe(Command::new("cat"));
    /// let output = run.envs([("FROM", "a"), ("TO", "b")]).await?;
    /// assert_eq!(output.stdout, "a-b\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn envs<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        for (name, value) in variables {
            self.set(name.as_ref(), Some(value.as_ref()));
        }
        self
    }

    /// Removes an environment variable, so that no stage inherits it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::shell("echo ${LANG-not set}").pipe(Command::new("cat"));
    /// assert_eq!(run.env_remove("LANG").await?.stdout, "not set\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.set(name.as_ref(), None);
        self
    }

    /// Clears the environment of all stages: they inherit no variable of this process.
    ///
    /// Variables that were set here before this call are removed too. Those that the command of a stage sets are kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let run = ProcessIo::command("/usr/bin/env").pipe(Command::new("/bin/cat"));
    /// assert_eq!(run.env_clear().env("B", "2").await?.stdout, "B=2\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn env_clear(mut self) -> Self {
        self.shared.clear = true;
        self.shared.variables.clear();
        self
    }

    fn set(&mut self, name: &OsStr, value: Option<&OsStr>) {
        let value = value.map(OsStr::to_owned);
        self.shared.variables.insert(name.to_owned(), value);
    }
}

/// Passes options on to the builder.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($arg:ident: $type:ty);)*) => {
        $(
            $(#[$doc])*
            pub fn $name(mut self, $arg: $type) -> Self {
                self.options = self.options.$name($arg);
                self
            }
        )*
    };
}

/// # Options
///
/// They are those of a [`Builder`], and the same whether they are set before the first [`pipe`](Builder::pipe) or
/// here.
impl Pipeline {
    options! {
        /// Sets the whole input of the first stage; see [`Builder::input`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).input("b\na\nb\n");
        /// assert_eq!(run.await?.stdout, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        input(input: impl Into<Input>);
        /// Sets what the stdin of the first stage is connected to; see [`Builder::stdin`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::fs::File;
        /// use process_io::{Command, ProcessIo};
        ///
        /// # let folder = tempfile::tempdir()?;
        /// # let path = folder.path().join("list");
        /// # std::fs::write(&path, "b\na\nb\n")?;
        /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).stdin(File::open(&path)?);
        /// assert_eq!(run.await?.stdout, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        stdin(stdin: impl Into<Redirect>);
        /// Sets what the stdout of the last stage is connected to; see [`Builder::stdout`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::fs::{self, File};
        /// use process_io::{Command, ProcessIo};
        ///
        /// # let folder = tempfile::tempdir()?;
        /// # let path = folder.path().join("sorted");
        /// let run = ProcessIo::command("sort").input("b\na\nb\n").pipe(Command::new("uniq"));
        /// run.stdout(File::create(&path)?).await?.check()?;
        /// assert_eq!(fs::read_to_string(&path)?, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        stdout(stdout: impl Into<Redirect>);
        /// Sets how many unread bytes are kept, of stdout, and of the stderr of each stage; see [`Builder::limits`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, Limits, Overflow, ProcessIo};
        ///
        /// let limits = Limits::default().stdout(4, Overflow::KeepTail);
        /// let run = ProcessIo::command("printf").arg("0123456789").pipe(Command::new("cat"));
        /// assert_eq!(run.limits(limits).await?.stdout, "6789");
        /// # }
        /// # Ok(()) }
        /// ```
        limits(limits: Limits);
        /// Sets how long output is read after the exit of all stages while a descendant holds their pipes open; see
        /// [`Builder::drain`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, Drain, ProcessIo};
        ///
        /// let mut last = Command::new("sh");
        /// last.args(["-c", "cat; (sleep 0.5; echo late) &"]);
        /// let run = ProcessIo::command("echo").arg("early").pipe(last);
        /// assert_eq!(run.drain(Drain::UntilEof).await?.stdout, "early\nlate\n");
        /// # }
        /// # Ok(()) }
        /// ```
        drain(drain: Drain);
        /// Sets the longest time that the run may take, after which it is stopped; see [`Builder::timeout`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::time::Duration;
        /// use process_io::{Command, ProcessIo};
        ///
        /// let run = ProcessIo::command("yes").pipe(Command::new("wc"));
        /// let error = run.timeout(Duration::from_millis(300)).await.unwrap_err();
        /// assert!(error.is_timeout());
        /// # }
        /// # Ok(()) }
        /// ```
        timeout(timeout: Duration);
        /// Sets the point in time at which the run is stopped; see [`Builder::deadline`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::time::Duration;
        /// use process_io::{Command, ProcessIo};
        /// use tokio::time::Instant;
        ///
        /// let deadline = Instant::now() + Duration::from_millis(300);
        /// let run = ProcessIo::command("yes").pipe(Command::new("wc")).deadline(deadline);
        /// assert!(run.await.unwrap_err().is_timeout());
        /// # }
        /// # Ok(()) }
        /// ```
        deadline(deadline: impl Into<Instant>);
        /// Sets the longest time in which no byte of input or output moves, after which the run is stopped; see
        /// [`Builder::inactivity_timeout`].
        ///
        /// What goes from one stage to the next does not pass through this process, and does not count, unless it is
        /// [copied](Stage::tee).
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::time::Duration;
        /// use process_io::{Command, ProcessIo};
        ///
        /// // `wc` writes nothing as long as `yes` runs.
        /// let run = ProcessIo::command("yes").pipe(Command::new("wc"));
        /// let error = run.inactivity_timeout(Duration::from_millis(300)).await.unwrap_err();
        /// assert!(error.is_timeout());
        /// # }
        /// # Ok(()) }
        /// ```
        inactivity_timeout(timeout: Duration);
        /// Sets a token that stops the run when it is cancelled; see [`Builder::cancel_on`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{CancellationToken, Command, ProcessIo};
        ///
        /// let token = CancellationToken::new();
        /// let mut io = ProcessIo::command("yes").pipe(Command::new("wc")).cancel_on(token.clone()).spawn()?;
        /// token.cancel(); // from any task or thread
        /// assert!(io.wait().await.unwrap_err().is_cancelled());
        /// # }
        /// # Ok(()) }
        /// ```
        cancel_on(token: CancellationToken);
        /// Sets the steps by which a run that is cut short is stopped; see [`Builder::ladder`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use std::time::Duration;
        /// use process_io::{Command, Ladder, ProcessIo, Signal};
        ///
        /// let ladder = Ladder::new().signal(Signal::TERM, Duration::from_secs(5));
        /// let run = ProcessIo::command("yes").pipe(Command::new("wc")).ladder(ladder);
        /// let error = run.timeout(Duration::from_millis(100)).await.unwrap_err();
        /// assert_eq!(error.report().unwrap().steps.len(), 1); // SIGTERM was enough
        /// # }
        /// # Ok(()) }
        /// ```
        ladder(ladder: Ladder);
        /// Sets whether the stages have a process group of their own, the same for all of them; see
        /// [`Builder::process_group`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// // Is reached by Ctrl-C at the terminal.
        /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).process_group(false);
        /// assert_eq!(run.input("b\na\nb\n").await?.stdout, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        process_group(own: bool);
        /// Sets what happens to the stages when the handle is dropped while they are running; see [`Builder::on_drop`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, Ladder, ProcessIo};
        ///
        /// let run = ProcessIo::command("cat").pipe(Command::new("cat")).on_drop(Ladder::default());
        /// drop(run.spawn()?); // closes stdin, and all stages end by themselves
        /// # }
        /// # Ok(()) }
        /// ```
        on_drop(on_drop: impl Into<OnDrop>);
        /// Sets whether the stages are killed when the handle is dropped while they are running; see
        /// [`Builder::kill_on_drop`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// let job = ProcessIo::shell("sleep 0.1; exit 3").pipe(Command::new("cat")).kill_on_drop(false).spawn()?;
        /// let first = job.stage_controls().remove(0);
        /// drop(job);
        /// assert_eq!(first.wait().await?.code(), Some(3));
        /// # }
        /// # Ok(()) }
        /// ```
        kill_on_drop(kill: bool);
        /// Sets whether the processes that are left in the group after all stages have exited by themselves are killed; see
        /// [`Builder::kill_leftovers`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// let run = ProcessIo::shell("sleep 60 >&2 & echo done").pipe(Command::new("cat"));
        /// assert_eq!(run.kill_leftovers(true).await?.stdout, "done\n");
        /// # }
        /// # Ok(()) }
        /// ```
        kill_leftovers(kill: bool);
        /// Sets whether the stages are killed when this process ends; see [`Builder::die_with_parent`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).die_with_parent(true);
        /// assert_eq!(run.input("b\na\nb\n").await?.stdout, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        die_with_parent(die: bool);
        /// Sets whether the stages inherit the signal mask of the spawning thread; see [`Builder::inherit_signals`].
        inherit_signals(inherit: bool);
        /// Sets the process creation flags on Windows; see [`Builder::creation_flags`].
        creation_flags(flags: u32);
        /// Sets whether a spawn is retried while the program's file is open for writing; see [`Builder::retry_busy`].
        retry_busy(retry: bool);
        /// Sets the capacity in bytes of the pipes to this process, on Linux; see [`Builder::pipe_capacity`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// # if cfg!(unix) {
        /// use process_io::{Command, ProcessIo};
        ///
        /// let run = ProcessIo::command("sort").pipe(Command::new("uniq")).pipe_capacity(1 << 20);
        /// assert_eq!(run.input("b\na\nb\n").await?.stdout, "a\nb\n");
        /// # }
        /// # Ok(()) }
        /// ```
        pipe_capacity(bytes: usize);
        /// Marks a text as secret, for all stages; see [`Builder::secret`].
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
        /// use process_io::{Command, Pipeline};
        ///
        /// let mut login = Command::new("no-such-program");
        /// login.arg("--password=hunter2");
        /// let run = Pipeline::from_stages([login]).expect("one stage").secret("hunter2");
        /// let error = run.await.unwrap_err();
        /// assert_eq!(error.stage(), Some("no-such-program --password=***"));
        /// # Ok(()) }
        /// ```
        secret(text: impl Into<OsString>);
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("stages", &self.lines())
            .field("limits", &self.options.limits)
            .field("drain", &self.options.drain)
            .field("watch", &self.options.watch)
            .finish_non_exhaustive()
    }
}

/// Starts all stages and collects what the last one writes until the end. Without an [`input`](Builder::input) the
/// first stage finds end-of-file on its stdin at once.
///
/// The future fails as [`Pipeline::spawn`] and [`ProcessIo::output`] do. Dropping it kills all stages.
impl IntoFuture for Pipeline {
    type Output = Result<Output>;
    type IntoFuture = Collect;

    fn into_future(mut self) -> Collect {
        self.options.close_unused_stdin();
        Collect::new(move || self.spawn())
    }
}

/// The command line of a pipeline.
fn whole(lines: &[Arc<str>]) -> Arc<str> {
    lines.join(" | ").into()
}

/// Stands for a command where there is none, or that of another.
fn no_command() -> Command {
    Command::new("")
}

fn nothing_to_copy() -> io::Error {
    let what = "the first stage of a pipeline has none before it to copy from";
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
