//! [`Stage`]: a command in a pipeline.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    sync::Arc,
};

use tokio::{io::AsyncWrite, process::Command};

use crate::{command::command_line, secrets::Secrets, stdio::Redirect, sys, transport::WriteEnd};

/// A command in a [`Pipeline`](crate::Pipeline), with the options of its own.
///
/// A [`Command`] converts into it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIo, Redirect, Stage};
///
/// let quiet = Stage::new(Command::new("sort")).stderr(Redirect::Null);
/// let output = ProcessIo::command("printf").arg("b\\na\\n").pipe(quiet).await?;
/// assert_eq!(output.stdout, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
pub struct Stage {
    pub(super) command: Command,
    /// `None`: merged into stdout.
    pub(super) stderr: Option<Redirect>,
    pub(super) secrets: Vec<OsString>,
    pub(super) tee: Option<WriteEnd>,
    pub(super) may_fail: bool,
}

impl Stage {
    /// Creates a stage whose stderr is a pipe to this process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo, Stage};
    ///
    /// let output = ProcessIo::command("sort").input("b\na\n").pipe(Stage::new(Command::new("cat"))).await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn new(command: impl Into<Command>) -> Self {
        Self {
            command: command.into(),
            stderr: Some(Redirect::Pipe),
            secrets: Vec::new(),
            tee: None,
            may_fail: false,
        }
    }

    /// Creates a stage that runs `program`, which is looked up in `PATH` if it has no separator.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Stage};
    ///
    /// let sort = Stage::command("sort").arg("-r").env("LC_ALL", "C");
    /// let output = ProcessIo::command("seq").arg("3").pipe(sort).await?.check()?;
    /// assert_eq!(output.stdout, "3\n2\n1\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn command(program: impl AsRef<OsStr>) -> Self {
        Self::new(Command::new(program))
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets its working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets what the stderr of the stage is connected to: a pipe to this process by default.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use std::process::Command;
    /// use process_io::{ProcessIo, Redirect, Stage};
    ///
    /// let mut grep = Command::new("grep");
    /// grep.args(["-h", "b", "/no/such/file", "-"]); // complains on stderr, and fails
    /// let stage = Stage::new(grep).stderr(Redirect::Null).may_fail();
    /// let output = ProcessIo::command("printf").arg("a\\nb\\n").pipe(stage).await?.check()?;
    /// assert_eq!(output.stdout, "b\n");
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

    /// Connects the stderr of the stage to whatever its stdout is connected to, as `|&` does in a shell.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, Pipeline, Stage};
    ///
    /// let mut sh = Command::new("sh");
    /// sh.args(["-c", "echo b; echo a >&2"]);
    /// let stages = [Stage::new(sh).merge_stderr(), Stage::new(Command::new("sort"))];
    /// let output = Pipeline::from_stages(stages).expect("two stages").await?;
    /// assert_eq!(output.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn merge_stderr(mut self) -> Self {
        self.stderr = None;
        self
    }

    /// Copies what the stage is given to read into `writer` as well, as `tee(1)` does in a shell.
    ///
    /// The data then passes through this process, and moves only while the pipeline is awaited or read from, as fast as
    /// the slower of the two accepts it. `writer` is shut down at the end. It gets every byte until this stage reads no
    /// more; then the stage before finds its pipe closed, as it would without this. If `writer` fails the pipeline
    /// continues without it, and ends in an error of the kind [`Output`](crate::ErrorKind::Output).
    ///
    /// The data of a pipeline that is [detached](crate::ProcessIo::detach) no longer moves, so it ends there. The first
    /// stage has none before it to copy from: then the spawn fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Stage};
    ///
    /// let log = tempfile::NamedTempFile::new()?;
    /// let file = tokio::fs::File::from_std(log.reopen()?);
    /// let output = ProcessIo::command("sort")
    ///     .input("b\nc\na\nb\n")
    ///     .pipe(Stage::command("uniq").tee(file))
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

    /// Allows the stage to fail: however it ends, the pipeline does not fail because of it.
    ///
    /// It is `|| true` in a shell, except that its own status is still in [`Output::stages`](crate::Output::stages). If
    /// it is the last stage, and it fails, the status of the pipeline is that of success.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Stage};
    ///
    /// // `grep` fails if it finds nothing.
    /// let grep = Stage::command("grep").arg("error").may_fail();
    /// let run = ProcessIo::command("echo").arg("all is well").pipe(grep);
    /// let output = run.await?.check()?;
    /// assert_eq!(output.stages[1].status.unwrap().code(), Some(1));
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }

    /// Marks a text as secret, for all stages of the pipeline; see [`Builder::secret`](crate::Builder::secret).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::{Command, Pipeline, Stage};
    ///
    /// let mut login = Command::new("no-such-program");
    /// login.arg("--password=hunter2");
    /// let stage = Stage::new(login).secret("hunter2");
    /// let error = Pipeline::from_stages([stage]).expect("one stage").await.unwrap_err();
    /// assert_eq!(error.stage(), Some("no-such-program --password=***"));
    /// # Ok(()) }
    /// ```
    pub fn secret(mut self, text: impl Into<OsString>) -> Self {
        self.secrets.push(text.into());
        self
    }

    /// Its command line, as in an error.
    pub(super) fn line(&self, secrets: &Secrets) -> Arc<str> {
        command_line(self.command.as_std(), secrets)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("command", &self.line(&Secrets::new(&self.secrets)))
            .field("stderr", &self.stderr)
            .field("tee", &self.tee.is_some())
            .field("may_fail", &self.may_fail)
            .finish_non_exhaustive()
    }
}

impl<C: Into<Command>> From<C> for Stage {
    fn from(command: C) -> Self {
        Self::new(command)
    }
}
