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
    /// The program does not exist.
    ProgramNotFound,
    /// The working directory of the child does not exist, is not a directory, or cannot be entered by the user that the
    /// child was to be started as.
    DirectoryNotFound,
    /// The program exists, but is a directory, cannot be executed by the user that the child was to be started as, or
    /// is not in a format that this system can execute.
    NotExecutable,
    /// The program is a script, or a binary, whose interpreter or loader does not exist or cannot be executed.
    BadInterpreter,
    /// The program's file is open for writing (`ETXTBSY`), and remained so; see
    /// [`Builder::retry_busy`](crate::Builder::retry_busy).
    ExecutableFileBusy,
    /// Arguments and environment together are larger than the system allows.
    ArgumentListTooLong,
    /// An argument, a variable or the program's name contains a NUL byte.
    NulByte,
    /// The process or the system has no descriptor left (`EMFILE`, `ENFILE`). No child is left behind.
    TooManyFiles,
    /// The system allows this user no more processes (`EAGAIN`).
    TooManyProcesses,
    /// The spawn failed before the program ran, for a reason that is none of those above, such as an error of the
    /// command's own `pre_exec`. The [source](std::error::Error::source) is the error of the system.
    Spawn,

    // It was cut short.
    /// A time-out elapsed: that of the call, or that of the run, by [`timeout`](crate::Builder::timeout),
    /// [`deadline`](crate::Builder::deadline) or [`inactivity_timeout`](crate::Builder::inactivity_timeout). Only an
    /// error of the run carries the [output](crate::Error::output).
    Timeout,
    /// The run was [cancelled](crate::Builder::cancel_on).
    Cancelled,
    /// The terminal stopped the child with `SIGTTIN` or `SIGTTOU`, because it is in a process group of its own and so
    /// may not use the terminal. It still exists, and can be killed, or continued with `SIGCONT` once it may use the
    /// terminal. See [`Builder::process_group`](crate::Builder::process_group).
    Stopped,
    /// A stream reached its [limit](crate::Limits), which was set to [`Overflow::Fail`](crate::Overflow::Fail).
    Limit,
    /// A line was longer than allowed, with [`LongLine::Fail`](crate::LongLine::Fail).
    LongLine,

    // Its input.
    /// The child accepts no more input: it closed its stdin or ended.
    BrokenPipe,
    /// The child's stdin was closed by this process, or is not a pipe to it.
    StdinClosed,
    /// The child's stdin could not be written to, although it may accept more input: the system reported an error, or
    /// the runtime that the child was started in has shut down. The child saw end-of-file there.
    Stdin,
    /// The source of the child's [input](crate::Builder::input) failed. The child saw end-of-file there.
    Input,

    // Its output.
    /// The stream that was to be received from is not a pipe to this process, because it is
    /// [redirected](crate::Redirect).
    NotPiped,
    /// The output ended before what was waited for, see [`expect`](crate::ProcessIo::expect) and
    /// [`recv_exact`](crate::ProcessIo::recv_exact).
    Eof,
    /// A [`Needle`](crate::Needle) returned a range that is not in the output.
    Needle,
    /// A writer or descriptor that the child's output is copied to failed, see [`copy_to`](crate::ProcessIo::copy_to),
    /// [`Builder::tee_stdout`](crate::Builder::tee_stdout) and [`Stage::tee`](crate::Stage::tee).
    Output,
    /// Any other error of input or output, such as that of a pipe that cannot be read, or an
    /// [`io::Error`](std::io::Error) that was converted.
    Io,

    // The process.
    /// The child ran, and did not succeed; see [`Output::check`](crate::Output::check).
    Failed,
    /// The exit status is unavailable: something else in this process reaped the child, or the child could not be
    /// killed.
    StatusUnavailable,
    /// The system refused to send a signal, as to a child that runs as another user.
    Signal,
    /// There is no tokio runtime: to spawn in, and no child was started; or to wait in, when the one in which the child
    /// was started has shut down.
    NoRuntime,
    /// The platform does not support what was requested, or not together with the other options that are set.
    Unsupported,
}
