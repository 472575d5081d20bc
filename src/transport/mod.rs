//! The interface between this crate and any child: three pipes, and a process to wait for and to kill.
//!
//! A child that this crate did not start, over SSH, in a container or in memory, is driven by the same code as a local one.
//! Create [`Parts`] from an `AsyncWrite`, two `AsyncRead` and a [`Process`], and pass them to
//! [`ProcessIo::from_parts`](crate::ProcessIo::from_parts). A [`tokio::process::Child`] converts into [`Parts`].
//! [`memory`] is such a child, for tests.

mod child;
mod control;
mod local;
pub mod memory;
mod parts;

pub use control::{Control, Process};
pub use local::set_pipe_budget;
pub use parts::Parts;

pub(crate) use local::local;
pub(crate) use parts::{ReadEnd, StageParts, TeeParts, WriteEnd, no_pipe};

/// Whether a stage of a pipeline has failed. One that was ended by `SIGPIPE` has not: the next one had read all it wanted. That is no
/// excuse for the last.
pub(crate) fn is_failure(status: std::process::ExitStatus, is_last: bool) -> bool {
    !status.success() && (is_last || !crate::sys::is_broken_pipe_signal(status))
}

/// Returns the [`ExitStatus`](std::process::ExitStatus) of a child that exited by itself with `code`, for an
/// implementation of [`Process`].
///
/// ```
/// use process_io::transport::exit_status;
///
/// assert_eq!(exit_status(3).code(), Some(3));
/// assert!(exit_status(0).success());
/// ```
///
/// # Platform-specific behavior
///
/// On Unix only the low eight bits are kept, as by `exit(3)`.
pub fn exit_status(code: i32) -> std::process::ExitStatus {
    crate::sys::exit_status(code)
}
