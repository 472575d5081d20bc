//! [`ErrorKind`]: the cause of an error, to be matched on.

/// The cause of an [`Error`](crate::Error), see [`Error::kind`](crate::Error::kind).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use process_io::{ErrorKind, ProcessIo};
///
/// let error = ProcessIo::command("no-such-program").await.unwrap_err();
/// assert!(error.is_spawn());
/// match error.kind() {
///     ErrorKind::ProgramNotFound => println!("install it first"),
///     ErrorKind::NotExecutable | ErrorKind::BadInterpreter => println!("install it again"),
///     _ => println!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    // It never ran.
    /// There is no such program.
    ProgramNotFound,
    /// The directory in which the child was to start does not exist, is none, or cannot be entered by the user that the child
    /// was to be started as.
    DirectoryNotFound,
    /// The program is there, but it is a directory, cannot be executed by the user that the child was to be started as, or is
    /// nothing that this system can execute.
    NotExecutable,
    /// The program is a script, or a binary, whose interpreter or loader does not exist or cannot be executed.
    BadInterpreter,
    /// The program's file is open for writing (`ETXTBSY`), and stayed so; see
    /// [`Builder::retry_busy`](crate::Builder::retry_busy).
    ExecutableFileBusy,
    /// Arguments and environment together are larger than the system takes.
    ArgumentListTooLong,
    /// An argument, a variable or the program's name holds a NUL byte.
    NulByte,
    /// The process or the system has no descriptor left (`EMFILE`, `ENFILE`). No child was left behind.
    TooManyFiles,
    /// The system lets this user start no more processes (`EAGAIN`).
    TooManyProcesses,
    /// It failed before the program ran, for a reason that is none of those above, as an error of the command's own `pre_exec`.
    /// The [source](std::error::Error::source) has the system's words.
    Spawn,

    // It was cut short.
    /// Time ran out: that of the call, or that of the run, by [`timeout`](crate::Builder::timeout),
    /// [`deadline`](crate::Builder::deadline) or [`inactivity_timeout`](crate::Builder::inactivity_timeout). Only an
    /// error of the run carries the [output](crate::Error::output).
    Timeout,
    /// The run was [cancelled](crate::Builder::cancel_on).
    Cancelled,
    /// The terminal stopped the child, by `SIGTTIN` or `SIGTTOU`: it is in a process group of its own, and so may not use the
    /// terminal. It is still there, and may be killed, or continued by `SIGCONT` once it may use the terminal. See
    /// [`Builder::process_group`](crate::Builder::process_group).
    Stopped,
    /// A stream reached its limit, which was set to [`Overflow::Fail`](crate::Overflow::Fail).
    Limit,
    /// A line was longer than allowed, with [`LongLine::Fail`](crate::LongLine::Fail).
    LongLine,

    // Its input.
    /// The child takes no more input: it closed its stdin or ended.
    BrokenPipe,
    /// The child's stdin was closed here, or is no pipe to us.
    StdinClosed,
    /// The child's stdin could not be written to, although it may take more input: the system failed, or the runtime that the
    /// child was started in is gone. The child saw end-of-file there.
    Stdin,
    /// The source of the child's [input](crate::Builder::input) failed; the child saw end-of-file there.
    Input,

    // Its output.
    /// A stream that was to be received from is no pipe to us: it goes elsewhere.
    NotPiped,
    /// The output ended before what was waited for, see [`expect`](crate::ProcessIo::expect) and
    /// [`recv_exact`](crate::ProcessIo::recv_exact).
    Eof,
    /// A [`Needle`](crate::Needle) found something that is not in the output.
    Needle,
    /// What the child's output was to be copied to failed, see [`copy_to`](crate::ProcessIo::copy_to),
    /// [`Builder::tee_stdout`](crate::Builder::tee_stdout) and
    /// [`Stage::tee`](crate::Stage::tee).
    Output,
    /// Any other error of input or output, as of a pipe that cannot be read, or an [`io::Error`](std::io::Error) that was
    /// converted.
    Io,

    // The process.
    /// The child ran, and ended with something else than success; see [`Output::check`](crate::Output::check).
    Failed,
    /// The exit status is unavailable: something else in this process reaped the child, or the child could not be killed.
    StatusUnavailable,
    /// The system refused to send a signal, as to a child that runs as another user.
    Signal,
    /// There was no tokio runtime: to spawn in, and no child was started; or to wait in, when the one in which the child was
    /// started had shut down.
    NoRuntime,
    /// This platform cannot do what was asked for, or cannot do it with the other options that were set.
    Unsupported,
}
