//! [`Builder`]: how a child is to be run.

use tokio::process::Command;

use crate::{
    limits::{Drain, Limits},
    stdio::{Input, Redirect},
};

/// How a child is to be run: made by [`ProcessIo::builder`](crate::ProcessIo::builder), started by
/// [`spawn`](Builder::spawn), or by `.await`, which starts it and collects its [`Output`](crate::Output).
///
/// What the child *is*, its program, arguments, directory and environment, is the [`Command`]'s business.
/// The three standard streams are set here, whatever the command says of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Command, ProcessIo};
///
/// let mut sh = Command::new("sh");
/// sh.args(["-c", "echo out; echo err >&2"]);
/// let output = ProcessIo::builder(sh).merge_stderr().await?;
/// assert_eq!(output.stdout, "out\nerr\n");
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs until `spawn` or `.await`"]
pub struct Builder {
    pub(crate) command: Command,
    pub(crate) stdin: Redirect,
    pub(crate) stdout: Redirect,
    /// `None`: merged into stdout.
    pub(crate) stderr: Option<Redirect>,
    pub(crate) input: Option<Input>,
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    pub(crate) group: bool,
    pub(crate) kill_on_drop: bool,
}

impl Builder {
    pub(crate) fn new(command: Command) -> Self {
        Self {
            command,
            stdin: Redirect::Pipe,
            stdout: Redirect::Pipe,
            stderr: Some(Redirect::Pipe),
            input: None,
            limits: Limits::default(),
            drain: Drain::default(),
            group: true,
            kill_on_drop: true,
        }
    }

    /// The child's whole input: bytes, or a reader or stream by way of [`Input`]. Its stdin is closed
    /// after it. It is written while output is read, as the child takes it.
    pub fn input(mut self, input: impl Into<Input>) -> Self {
        self.input = Some(input.into());
        self.stdin = Redirect::Pipe;
        self
    }

    /// What stdin is connected to: a pipe by default. Anything else replaces [`input`](Builder::input).
    pub fn stdin(mut self, stdin: impl Into<Redirect>) -> Self {
        self.stdin = stdin.into();
        if !matches!(self.stdin, Redirect::Pipe) {
            self.input = None;
        }
        self
    }

    /// What stdout is connected to: a pipe by default.
    pub fn stdout(mut self, stdout: impl Into<Redirect>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// What stderr is connected to: a pipe of its own by default.
    pub fn stderr(mut self, stderr: impl Into<Redirect>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// Connects stderr to wherever stdout goes. Both share one pipe, so what the child writes arrives in
    /// the order it was written, all of it as stdout.
    pub fn merge_stderr(mut self) -> Self {
        self.stderr = None;
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

    /// Whether the child leads a process group of its own (`setpgid(2)`). Yes by default: then a kill, and
    /// dropping the handle, reach all of its descendants that stay in the group.
    ///
    /// With `false` the child stays in the group the command puts it in, by default ours: Ctrl-C at a
    /// terminal reaches it, it may read from the terminal, and only the child itself can be killed. A
    /// command that starts a session of its own (`setsid(2)` in a `pre_exec`) needs `false`, for a
    /// group's leader cannot.
    ///
    /// On Windows this has no effect yet.
    pub fn process_group(mut self, own: bool) -> Self {
        self.group = own;
        self
    }

    /// Whether the child, and its group if it leads one, is killed when the handle is dropped or the run
    /// is over. Yes by default; `tokio`'s setting of the same name in the command is not looked at.
    ///
    /// With `false` it runs on; it is reaped when it ends in either case.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.kill_on_drop = kill;
        self
    }
}
