//! [`Pump`]: all the pipes of one child, moved together.

use std::task::{Context, Poll};

use super::{Driver, Want, Writer};
use crate::{
    error::{Kind, Result},
    event::Source,
};

/// A driver, with the writer where there is one: what consumers ask.
#[allow(unreachable_pub, missing_debug_implementations)] // Public only in name: a sealed trait has it.
pub struct Pump<'a> {
    pub(crate) writer: Option<&'a mut Writer>,
    pub(crate) driver: &'a mut Driver,
}

impl Pump<'_> {
    /// Moves all the pipes once: stdin by a write, stdout and stderr by a read as `want`ed; whether any of them or the
    /// exit moved. With `direct` the kernel is asked when the reactor knows of nothing, and stdin goes as far as it can.
    pub(crate) fn pass(&mut self, cx: &mut Context<'_>, want: [Want; 2], direct: bool) -> bool {
        let mut moved = false;
        if let Some(writer) = self.writer.as_deref_mut() {
            if direct {
                writer.flush_now();
            } else {
                moved = writer.step(cx);
            }
        }
        moved |= self.driver.pass(cx, want, direct);
        moved |= self.mind(cx, want, direct);
        if self.driver.is_over() {
            if let Some(writer) = self.writer.as_deref_mut() {
                moved |= writer.abandon();
            }
        }
        moved
    }

    /// Nothing moved: that is an error if it is because of a limit that applies to what was wanted, or because the terminal
    /// has stopped the child.
    pub(crate) fn stuck<T>(&mut self, want: [Want; 2]) -> Poll<Result<T>> {
        if let Some(error) = self.driver.take_stopped_error() {
            return Poll::Ready(Err(error));
        }
        for (source, want) in Source::BOTH.into_iter().zip(want) {
            let inbox = &self.driver.reader(source).inbox;
            if want == Want::Fill && inbox.is_over() {
                let kind = Kind::Limit(source, inbox.limit().bytes);
                return Poll::Ready(Err(self.driver.error(kind)));
            }
        }
        if (self.driver.stages.all.iter()).any(|stage| stage.stderr.inbox.is_over()) {
            let kind = Kind::Limit(Source::Stderr, self.driver.limit(Source::Stderr).bytes);
            return Poll::Ready(Err(self.driver.error(kind)));
        }
        Poll::Pending
    }
}

/// `want` of `source`, and all that comes of the other.
pub(crate) fn only(source: Source, want: Want) -> [Want; 2] {
    match source {
        Source::Stdout => [want, Want::Fill],
        Source::Stderr => [Want::Fill, want],
    }
}

/// Enough for one poll: lets other tasks run and is polled again.
pub(crate) fn again<T>(cx: &mut Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
