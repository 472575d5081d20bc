//! [`OnDrop`]: what becomes of a running child whose handle is dropped.

use super::Ladder;

/// What happens to a child that is running when its handle is dropped: see
/// [`Builder::on_drop`](crate::Builder::on_drop).
///
/// If the child has already exited by itself, no signal is sent to it or to its descendants, unless
/// [`kill_leftovers`](crate::Builder::kill_leftovers) is set: then those that are left are killed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{OnDrop, ProcessIo};
///
/// let job = ProcessIo::shell("sleep 0.1; exit 3").on_drop(OnDrop::Leave).spawn()?;
/// let control = job.control();
/// drop(job);
/// assert_eq!(control.wait().await?.code(), Some(3));
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDrop {
    /// The child is killed, with its process group and all its live descendants, before its pipes are closed, and
    /// reaped. The default.
    #[default]
    Kill,
    /// The pipes are closed and the child continues to run. It is reaped when it exits.
    Leave,
    /// The child is stopped by the steps of a [`Ladder`], which a thread carries out, without a runtime.
    ///
    /// Its pipes are closed at the drop, so it sees end-of-file on its stdin then, and what it still writes is not
    /// read. A first step that is a signal is sent before that. Nothing can be [sent](Ladder::send) to its stdin any
    /// more, and such a step is skipped.
    ///
    /// If no thread can be started the child is killed at once.
    Shutdown(Ladder),
}

impl From<Ladder> for OnDrop {
    fn from(ladder: Ladder) -> Self {
        Self::Shutdown(ladder)
    }
}
