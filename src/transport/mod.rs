//! The one seam between this crate and any child: three pipes and something that waits and kills.
//!
//! A child that tokio did not start, over SSH, in a container, in memory, is driven by exactly the same
//! code as a local one. Make [`Parts`] of an `AsyncWrite`, two `AsyncRead` and a [`Process`], and hand them
//! to [`ProcessIo::from_parts`](crate::ProcessIo::from_parts). A [`tokio::process::Child`] converts into [`Parts`].
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

/// The [`ExitStatus`](std::process::ExitStatus) of a child that ended by itself with `code`, for one's own
/// [`Process`]. On Unix only the low eight bits are kept, as `exit(3)` does.
pub fn exit_status(code: i32) -> std::process::ExitStatus {
    crate::sys::exit_status(code)
}
