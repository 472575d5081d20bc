//! [`Turn`]: one poll of a pump.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

/// One poll of a [`Pump`](super::Pump), on behalf of the task of `cx`.
#[allow(unreachable_pub, missing_debug_implementations)] // Public only in name: a sealed trait has it.
pub struct Turn<'a, 'b> {
    pub(super) cx: &'a mut Context<'b>,
    mode: Mode,
    /// When the task is to be woken, whatever moves.
    wake_at: Option<Instant>,
    /// Something was written since this was last asked for.
    wrote: bool,
}

/// Whether what the reactor has told is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It is, and the task is woken when there is more.
    Wait,
    /// The kernel is asked where the reactor knows of nothing, and nothing is waited for.
    Now,
}

impl<'a, 'b> Turn<'a, 'b> {
    pub(crate) fn new(cx: &'a mut Context<'b>) -> Self {
        Self::of(cx, Mode::Wait)
    }

    /// A turn that does not wait.
    pub(super) fn now(cx: &'a mut Context<'b>) -> Self {
        Self::of(cx, Mode::Now)
    }

    fn of(cx: &'a mut Context<'b>, mode: Mode) -> Self {
        Self {
            cx,
            mode,
            wake_at: None,
            wrote: false,
        }
    }

    /// The same turn, which asks the kernel for once.
    pub(super) fn asking(&mut self) -> Turn<'_, 'b> {
        Turn::of(self.cx, Mode::Now)
    }

    pub(super) fn is_now(&self) -> bool {
        self.mode == Mode::Now
    }

    pub(super) fn note_written(&mut self) {
        self.wrote = true;
    }

    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Whether it is `at`. If not, the task is woken then.
    pub(super) fn is_due(&mut self, at: Instant) -> bool {
        // Not asked of a timer: that knows only what the runtime has told it, and a busy task never lets it.
        let is_due = Instant::now() >= at;
        if !is_due {
            self.wake_at(at);
        }
        is_due
    }

    /// The task is woken then, if not before.
    pub(super) fn wake_at(&mut self, at: Instant) {
        self.wake_at = self.wake_at.map_or(Some(at), |next| Some(next.min(at)));
    }

    /// The first of the times at which the task is to be woken.
    pub(super) fn take_wake_at(&mut self) -> Option<Instant> {
        self.wake_at.take().filter(|_| !self.is_now())
    }

    /// The task is polled again.
    pub(super) fn wake(&self) {
        self.cx.waker().wake_by_ref();
    }

    /// Lets other tasks run, and is polled again.
    pub(super) fn again<T>(&self) -> Poll<T> {
        self.wake();
        Poll::Pending
    }

    pub(crate) fn cx(&mut self) -> &mut Context<'b> {
        self.cx
    }
}

/// The point in time `duration` from now; `None` if that is beyond what the clock can say.
pub(crate) fn after(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn the_first_of_the_times_to_come_is_kept() {
        let mut cx = Context::from_waker(Waker::noop());
        let (now, hour) = (Instant::now(), Duration::from_secs(3600));
        let mut turn = Turn::new(&mut cx);
        assert!(turn.is_due(now));
        assert_eq!(turn.take_wake_at(), None);
        assert!(!turn.is_due(now + 2 * hour) && !turn.is_due(now + hour));
        turn.wake_at(now + 3 * hour);
        assert_eq!(turn.take_wake_at(), Some(now + hour));
        assert_eq!(turn.take_wake_at(), None);
        // Who does not wait is not woken.
        let mut asking = turn.asking();
        assert!(asking.is_now() && !asking.is_due(now + hour));
        assert_eq!(asking.take_wake_at(), None);
    }
}
