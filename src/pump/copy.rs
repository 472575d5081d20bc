//! What is passed on by whoever copies: one stream without a look at it, and meanwhile all the rest.

use std::{
    io,
    task::{Context, Poll},
};

use super::{Pump, Want, again, only};
use crate::{
    error::{Error, Result},
    event::Source,
    limits::STEPS_PER_POLL,
    sys::Outlet,
};

impl Pump<'_> {
    /// Moves what `source` says on without copying it here: how many bytes, 0 if that cannot be done or there will be no more.
    pub(crate) fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        source: Source,
        to: &mut Outlet,
    ) -> Poll<Result<u64, io::Error>> {
        // What a dead child left is little, and is told apart from what its descendants write.
        if !self.is_running() || self.driver.stop.cause.is_some() {
            return Poll::Ready(Ok(0));
        }
        match self.driver.reader_mut(source).poll_splice(cx, to) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Poll::Ready(Ok(0))
            }
            moved => moved,
        }
    }

    /// The child's exit has not been seen.
    pub(crate) fn is_running(&self) -> bool {
        self.driver.exit.is_running()
    }

    /// All but `source` moves. The error, if the run has been cut short meanwhile or a limit was reached.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>, source: Source) -> Poll<Error> {
        let want = only(source, Want::Later);
        for _ in 0..STEPS_PER_POLL {
            let moved = self.pass(cx, want, false);
            // What is left in the pipe stays there: nobody takes it.
            if !self.driver.exit.is_running() && !self.driver.stop.is_stopping() {
                if let Some(error) = self.driver.stop_error() {
                    return Poll::Ready(error);
                }
            }
            if !moved {
                return match self.stuck::<()>(want) {
                    Poll::Ready(Err(error)) => Poll::Ready(error),
                    _ => Poll::Pending,
                };
            }
        }
        again(cx)
    }
}
