//! [`OnDrop`]: what becomes of a running child whose handle is dropped.

use super::Ladder;

/// What becomes of a child that is running when its handle is dropped: see [`Builder::on_drop`](crate::Builder::on_drop).
///
/// A child that has exited by itself by then needs nothing, and nothing that it left is signalled, unless
/// [`kill_leftovers`](crate::Builder::kill_leftovers) is set: then that is killed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDrop {
    /// It is killed, with its process group and all its live descendants, before its pipes are closed, and reaped. The
    /// default.
    #[default]
    Kill,
    /// Its pipes are closed and it runs on; it is reaped when it ends.
    Leave,
    /// It is stopped by the steps of a [`Ladder`], which a small thread carries out, without a runtime. Its pipes are closed
    /// at the drop, so it sees the end of its input then, and nobody reads what it still writes. A first step that
    /// is a signal is sent before that. Nothing can be [sent](Ladder::send) to it any more, and such a step is passed over.
    ///
    /// Where no thread can be had it is killed at once.
    Shutdown(Ladder),
}

impl From<Ladder> for OnDrop {
    fn from(ladder: Ladder) -> Self {
        Self::Shutdown(ladder)
    }
}
