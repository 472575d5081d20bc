//! [`Pipeline`]: several commands, the output of each the input of the next.

use std::{
    ffi::OsString,
    fmt,
    future::IntoFuture,
    io, iter,
    sync::{Arc, atomic::AtomicUsize},
};

use tokio::{io::AsyncWrite, process::Command, runtime::Handle, time::Instant};

use super::process::Stages;
use crate::{
    command::{Builder, command_line, may_start, not_started, touch_timer},
    error::{Error, Kind, Result},
    output::Output,
    process_io::{Collect, ProcessIo, spawn_elsewhere},
    secrets::Secrets,
    stdio::Redirect,
    sys::{self, Ends, Group, PipeGrowth, Siblings, Spawned},
    transport::{Parts, Process, ReadEnd, StageParts, TeeParts, WriteEnd},
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
/// concern them all. The options of the [`Builder`] are those of the whole, but for its `stderr`, which is the first
/// stage's. What is [secret](Builder::secret) for one stage is hidden in all of them.
///
/// It fails with the first stage that fails. A stage that was ended by `SIGPIPE`, because the next one had read all it
/// wanted, did not fail, unless it is the last. Windows has no such signal: there the stage finds its pipe closed, and if it
/// takes that for an error, it has failed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIo};
///
/// let mut head = Command::new("head");
/// head.arg("-3");
/// let output = ProcessIo::command("yes")
///     .pipe(head)
///     .pipe(Command::new("wc"))
///     .await?
///     .check()?;
/// assert_eq!(output.stdout_lossy().split_whitespace().next(), Some("3"));
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs until `spawn` or `.await`"]
pub struct Pipeline {
    first: Builder,
    rest: Vec<Stage>,
}

/// A command in a [`Pipeline`], after the first.
pub struct Stage {
    command: Command,
    stderr: Option<Redirect>,
    secrets: Vec<OsString>,
    tee: Option<WriteEnd>,
}

impl Stage {
    /// A stage whose stderr is ours.
    pub fn new(command: impl Into<Command>) -> Self {
        Self {
            command: command.into(),
            stderr: Some(Redirect::Pipe),
            secrets: Vec::new(),
            tee: None,
        }
    }

    /// What its stderr is connected to: a pipe to us by default.
    pub fn stderr(mut self, stderr: impl Into<Redirect>) -> Self {
        let stderr = stderr.into();
        sys::close_on_exec(&stderr);
        self.stderr = Some(stderr);
        self
    }

    /// Connects its stderr to wherever its stdout goes: `|&` in a shell.
    pub fn merge_stderr(mut self) -> Self {
        self.stderr = None;
        self
    }

    /// Copies what it is given to read into `writer` too, as `tee` does in a shell: a file, or what somebody else reads from.
    ///
    /// The data comes by this process then, and moves only while the pipeline is awaited or read from, as fast as the slower of
    /// the two takes it. `writer` is shut down at the end. It gets every byte until this stage reads no more; then the
    /// stage before is told, as it would be without this. If `writer` fails the pipeline goes on without it, and at its
    /// end there is an error of the kind [`Output`](crate::ErrorKind::Output).
    ///
    /// A pipeline that is let go of ([`detach`](ProcessIo::detach)) ends here: nobody is left to move the data.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo, Stage};
    ///
    /// let log = tempfile::NamedTempFile::new()?;
    /// let file = tokio::fs::File::from_std(log.reopen()?);
    /// let output = ProcessIo::command("sort")
    ///     .input("b\nc\na\nb\n")
    ///     .pipe(Stage::new(Command::new("uniq")).tee(file))
    ///     .await?;
    /// assert_eq!(output.stdout, "a\nb\nc\n");
    /// assert_eq!(std::fs::read(log)?, b"a\nb\nb\nc\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn tee(mut self, writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        self.tee = Some(WriteEnd::any(writer));
        self
    }

    /// As [`Builder::secret`], for all the stages of the pipeline.
    pub fn secret(mut self, text: impl Into<OsString>) -> Self {
        self.secrets.push(text.into());
        self
    }

    fn line(&self) -> Arc<str> {
        command_line(self.command.as_std(), &Secrets::new(&self.secrets))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("command", &self.line())
            .field("stderr", &self.stderr)
            .field("tee", &self.tee.is_some())
            .finish_non_exhaustive()
    }
}

impl<C: Into<Command>> From<C> for Stage {
    fn from(command: C) -> Self {
        Self::new(command)
    }
}

/// # Pipelines
impl Builder {
    /// Makes it the first stage of a [`Pipeline`]: its stdout becomes the stdin of `next`.
    pub fn pipe(self, next: impl Into<Stage>) -> Pipeline {
        let first = Pipeline {
            first: self,
            rest: Vec::new(),
        };
        first.pipe(next)
    }
}

impl Pipeline {
    /// Adds a stage: the stdout of the last one becomes the stdin of `next`.
    pub fn pipe(mut self, next: impl Into<Stage>) -> Self {
        self.rest.push(next.into());
        self.share_secrets();
        self
    }

    /// One stage may write what is secret for another.
    fn share_secrets(&mut self) {
        let mut all = std::mem::take(&mut self.first.secrets);
        for stage in &mut self.rest {
            all.append(&mut stage.secrets);
        }
        all.sort();
        all.dedup();
        for stage in &mut self.rest {
            stage.secrets.clone_from(&all);
        }
        self.first.secrets = all;
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
        let expiry = self.first.watch.as_ref().map(|watch| {
            let (expiry, lines) = (watch.expiry(since), self.lines());
            async move { not_started(expiry.await, since, &whole(&lines), &lines) }
        });
        spawn_elsewhere(move || self.spawn_since(since), expiry).await
    }

    fn spawn_since(mut self, since: Instant) -> Result<ProcessIo> {
        let parts = self.spawn_parts(since)?;
        Ok(self.first.assemble(parts))
    }

    /// The command line of each stage.
    fn lines(&self) -> Vec<Arc<str>> {
        let secrets = Secrets::new(&self.first.secrets);
        let first = command_line(self.first.command.as_std(), &secrets);
        (iter::once(first).chain(self.rest.iter().map(Stage::line))).collect()
    }

    fn spawn_parts(&mut self, since: Instant) -> Result<Parts> {
        let lines = self.lines();
        let whole = whole(&lines);
        let first = &mut self.first;
        let secrets = Secrets::new(&first.secrets);
        let error = |kind| Error::new(kind).with_command(Some(whole.clone()));
        if Handle::try_current().is_err() {
            return Err(error(Kind::NoRuntime));
        }
        touch_timer();

        let mut started = Started::new(since, first.group);
        let watch = first.watch.as_deref();
        let may_start = || may_start(watch, since, &whole, &lines);
        may_start()?;
        let mut stdin = std::mem::take(&mut first.stdin);
        let mut stdout = Some(std::mem::take(&mut first.stdout));
        let mut stages = vec![(&mut first.command, &mut first.stderr)];
        let mut copies = Vec::new();
        for stage in &mut self.rest {
            stages.push((&mut stage.command, &mut stage.stderr));
            copies.push(stage.tee.take());
        }
        copies.push(None);
        for (at, ((command, stderr), copy)) in stages.into_iter().zip(copies).enumerate() {
            let fail = |kind, source| {
                let stage = Some(lines[at].clone());
                Err(error(kind).with_stage(stage).with_source(source))
            };
            let is_last = at + 1 == lines.len();
            let (write, read) = match stdout.take_if(|_| is_last) {
                Some(stdout) => (stdout, Redirect::Null),
                None if copy.is_some() => (Redirect::Pipe, Redirect::Pipe),
                None => match started.pipe() {
                    Ok(ends) => ends,
                    Err(source) => return fail(Kind::Spawn, source),
                },
            };
            let ends = Ends {
                stdin: std::mem::replace(&mut stdin, read),
                stdout: write,
                stderr: stderr.as_mut().map(std::mem::take),
                group: started.group(),
                pipe_capacity: first.pipe_capacity,
                die_with_parent: first.die_with_parent && at == 0,
                inherit_signals: first.inherit_signals,
                creation_flags: first.creation_flags,
                retry_busy: first.retry_busy,
                may_start: &|| Ok(may_start()?),
            };
            match sys::spawn(command, ends) {
                Ok(spawned) => started.add(spawned, lines[at].clone(), copy),
                Err(source) => match source.downcast::<Error>() {
                    Ok(error) => return Err(error),
                    Err(source) => {
                        let kind = sys::fault(command.as_std(), &secrets, &source);
                        return fail(kind, source);
                    }
                },
            }
        }
        Ok(started.into_parts(whole, secrets))
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
        self.first.close_unused_stdin();
        Collect::new(move || self.spawn())
    }
}

/// The command line of a pipeline.
fn whole(lines: &[Arc<str>]) -> Arc<str> {
    lines.join(" | ").into()
}

/// The stages that have been started. They are killed and reaped if the rest cannot be.
struct Started {
    since: Instant,
    processes: Vec<Arc<sys::Process>>,
    own_group: bool,
    pipes: Vec<PipeGrowth>,
    parts: Vec<StageParts>,
    stdin: Option<WriteEnd>,
    stdout: Option<ReadEnd>,
    /// Where the next stage's input comes from and what that is copied to, if it is.
    tee: Option<(ReadEnd, WriteEnd)>,
    siblings: Vec<Siblings>,
}

impl Started {
    fn new(since: Instant, own_group: bool) -> Self {
        Self {
            since,
            processes: Vec::new(),
            own_group,
            pipes: Vec::new(),
            parts: Vec::new(),
            stdin: None,
            stdout: None,
            tee: None,
            siblings: Vec::new(),
        }
    }

    /// The group of the next stage.
    fn group(&self) -> Group<'_> {
        match self.processes.first() {
            _ if !self.own_group => Group::Shared,
            Some(leader) => Group::Of(leader),
            None => Group::Own,
        }
    }

    /// The stdout of the next stage, and the stdin of the one after it.
    fn pipe(&mut self) -> io::Result<(Redirect, Redirect)> {
        let (write, read, growth) = sys::stage_pipe()?;
        self.pipes.push(growth);
        Ok((write.into(), read.into()))
    }

    /// `copy` gets what the stage writes for the next one.
    fn add(&mut self, spawned: Spawned, command: Arc<str>, copy: Option<WriteEnd>) {
        self.siblings.extend(spawned.siblings);
        let process = Arc::new(spawned.process);
        let stdin = spawned.stdin.map(WriteEnd::Pipe);
        match (self.tee.take(), self.parts.last_mut()) {
            (Some((from, copy)), Some(before)) => {
                before.tee = stdin.map(|next| TeeParts { from, next, copy });
            }
            _ => self.stdin = self.stdin.take().or(stdin),
        }
        let stdout = spawned.stdout.map(ReadEnd::Pipe);
        match copy {
            Some(copy) => self.tee = stdout.map(|from| (from, copy)),
            None => self.stdout = stdout,
        }
        self.parts.push(StageParts {
            stderr: spawned.stderr.map(ReadEnd::Pipe),
            process: process.clone(),
            command,
            tee: None,
        });
        self.processes.push(process);
    }

    fn into_parts(mut self, command: Arc<str>, secrets: Secrets) -> Parts {
        Parts {
            stdin: self.stdin.take(),
            stdout: self.stdout.take(),
            stderr: (self.parts.last_mut()).and_then(|last| last.stderr.take()),
            process: Arc::new(self.take_stages()),
            command: Some(command),
            secrets,
            started: Some(self.since),
            siblings: std::mem::take(&mut self.siblings),
            stages: std::mem::take(&mut self.parts),
        }
    }

    fn take_stages(&mut self) -> Stages {
        Stages {
            processes: std::mem::take(&mut self.processes),
            own_group: self.own_group,
            told_stop: AtomicUsize::new(usize::MAX),
            _pipes: std::mem::take(&mut self.pipes),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        Arc::new(self.take_stages()).release(true);
    }
}
