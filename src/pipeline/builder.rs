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
    limits::{Drain, Limits},
    output::Output,
    process_io::{Collect, ProcessIo, spawn_elsewhere},
    secrets::Secrets,
    shutdown::{Ladder, OnDrop},
    stdio::{Input, Redirect},
    sys::{self, Ends},
    transport::Parts,
};

/// Several commands that run at the same time, the output of each the input of the next; made by
/// [`Builder::pipe`]. `.await` runs it to the end, [`spawn`](Pipeline::spawn) starts it.
///
/// The pipes between the stages are the kernel's, and larger than a shell's: the data of one stage goes to the next without
/// coming by here, unless it is to be [copied](Stage::tee). What a shell does with `a | b | c` and `set -o pipefail`, this does
/// for one [`ProcessIo`]: its stdin is that of the first stage, its stdout that of the last, and its stderr that of the last
/// too. What the other stages write to stderr is in [`Output::stages`](crate::Output::stages) and among the events, see
/// [`stage_events`](ProcessIo::stage_events).
///
/// All stages are in one process group, and time-outs, [`shutdown`](ProcessIo::shutdown), [`Control`](crate::Control) and drop
/// concern them all; [`stage_controls`](ProcessIo::stage_controls) has one for each. The options of the [`Builder`] are those of
/// the whole, but for its `stderr`, directory and environment, which are the first stage's. Most can be set here too. What is
/// [secret](Builder::secret) for one stage is hidden in all of them.
///
/// It fails with the first stage that fails, unless that [may](Stage::may_fail). A stage that was ended by `SIGPIPE`, because the next one had read all it
/// wanted, did not fail, unless it is the last. Windows has no such signal: there the stage finds its pipe closed, and if it
/// takes that for an error, it has failed.
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
    /// Makes it the first stage of a [`Pipeline`]: its stdout becomes the stdin of `next`.
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

    /// Makes one of any number of stages; `None` if there are none. One stage is a pipeline too.
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
    /// # Errors
    ///
    /// As [`Builder::spawn`], and [`Error::stage`] tells which one could not be started. Those that had been started are
    /// killed and reaped.
    ///
    /// # Panics
    ///
    /// As [`Builder::spawn`].
    pub fn spawn(self) -> Result<ProcessIo> {
        // The stages may be well under way by the time this thread goes on.
        self.spawn_since(Instant::now())
    }

    /// Starts all stages as [`spawn`](Pipeline::spawn) does, on a thread of the runtime's pool for blocking work: see
    /// [`Builder::start`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Pipeline::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn`](Pipeline::spawn).
    ///
    /// # Cancel safety
    ///
    /// As [`Builder::start`]: if the future is dropped, no stage is left.
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
        if let Err(source) = options.check_pipes() {
            let stage = Some(lines[0].clone());
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
/// Those of all stages. What the command of a stage says itself comes first.
impl Pipeline {
    /// Sets the working directory of all stages, but of those that have one of their own.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.shared.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets a variable in the environment of all stages.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set(name.as_ref(), Some(value.as_ref()));
        self
    }

    /// Sets several variables in the environment of all stages.
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

    /// Leaves a variable of this process's environment out of that of all stages.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.set(name.as_ref(), None);
        self
    }

    /// Has all stages start from an empty environment: what was set here before is dropped as well.
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
/// As those of a [`Builder`], and the same whether they are set before the first [`pipe`](Builder::pipe) or here.
impl Pipeline {
    options! {
        /// The whole input of the first stage; see [`Builder::input`].
        input(input: impl Into<Input>);
        /// What stdin of the first stage is connected to; see [`Builder::stdin`].
        stdin(stdin: impl Into<Redirect>);
        /// What stdout of the last stage is connected to; see [`Builder::stdout`].
        stdout(stdout: impl Into<Redirect>);
        /// How much unread output is kept, of stdout, and of the stderr of each stage; see [`Builder::limits`].
        limits(limits: Limits);
        /// How long to read on when all stages have exited and a descendant holds their pipes; see [`Builder::drain`].
        drain(drain: Drain);
        /// Stops the run when it has taken so long; see [`Builder::timeout`].
        timeout(timeout: Duration);
        /// Stops the run at this point in time; see [`Builder::deadline`].
        deadline(deadline: impl Into<Instant>);
        /// Stops the run when no byte has moved for so long; see [`Builder::inactivity_timeout`]. What goes from one stage to the
        /// next does not come by here, and does not count, unless it is [copied](Stage::tee).
        inactivity_timeout(timeout: Duration);
        /// Stops the run when the token is cancelled; see [`Builder::cancel_on`].
        cancel_on(token: CancellationToken);
        /// By which steps a run is stopped that is cut short; see [`Builder::ladder`].
        ladder(ladder: Ladder);
        /// Whether the stages have a process group of their own, all of them the same; see [`Builder::process_group`].
        process_group(own: bool);
        /// What becomes of the stages when the handle is dropped while they are running; see [`Builder::on_drop`].
        on_drop(on_drop: impl Into<OnDrop>);
        /// Whether the stages are killed when the handle is dropped while they are running; see [`Builder::kill_on_drop`].
        kill_on_drop(kill: bool);
        /// Whether what the stages leave behind when they exit by themselves is killed; see [`Builder::kill_leftovers`].
        kill_leftovers(kill: bool);
        /// Whether the stages are killed when this process ends; see [`Builder::die_with_parent`].
        die_with_parent(die: bool);
        /// Whether the stages start with those signals blocked that the spawning thread blocks; see
        /// [`Builder::inherit_signals`].
        inherit_signals(inherit: bool);
        /// On Windows, flags for the creation of the processes; see [`Builder::creation_flags`].
        creation_flags(flags: u32);
        /// Whether to try again while a program's file is open for writing; see [`Builder::retry_busy`].
        retry_busy(retry: bool);
        /// How many bytes the pipes to us hold, on Linux; see [`Builder::pipe_capacity`].
        pipe_capacity(bytes: usize);
        /// Marks a text as secret, for all stages; see [`Builder::secret`].
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

/// Starts all stages and collects what the last one writes until the end. Without [`input`](Builder::input) the first finds
/// end-of-file on its stdin at once.
///
/// See [`ProcessIo::output`] for the errors. Dropping the future kills all stages.
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
