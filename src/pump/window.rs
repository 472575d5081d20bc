//! Waiting for a time, and for all that comes in it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{Pump, Want, again, only};
use crate::{error::Result, event::Source, limits::STEPS_PER_POLL};

/// The point in time `duration` from now; `None` if that is beyond what the clock can say.
pub(crate) fn after(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

/// What `poll` comes to, or `None` when the deadline has passed. The deadline is hard: it holds
/// also when `poll` is busy all the time.
pub(crate) async fn until<T>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let mut timer = pin!(deadline.map(sleep_until));
    poll_fn(|cx| {
        if let Poll::Ready(value) = poll(cx) {
            return Poll::Ready(Some(value));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) if timer.deadline() <= Instant::now() => Poll::Ready(None),
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

impl Pump<'_> {
    /// Receives and keeps what comes of the streams of which a [`Want::Window`] is wanted, until they have all
    /// ended or one has reached its limit. A limit of 0 bytes would be reached at once: there it is as [`Want::Fill`].
    pub(crate) fn poll_window(
        &mut self,
        cx: &mut Context<'_>,
        want: [Want; 2],
    ) -> Poll<Result<()>> {
        let windows = [0, 1].map(|at| want[at] == Want::Window);
        let want = [0, 1].map(|at| {
            let nothing = self.driver.limit(Source::BOTH[at]).bytes == 0;
            if windows[at] && nothing {
                Want::Fill
            } else {
                want[at]
            }
        });
        for _ in 0..STEPS_PER_POLL {
            let moved = self.pass(cx, want, false);
            let driver = &*self.driver;
            let all = || (0..2).map(|at| (Source::BOTH[at], want[at], windows[at]));
            let full =
                |(source, want, _)| want == Want::Window && driver.reader(source).is_full(want);
            if all().any(full)
                || all().all(|(source, _, window)| !window || driver.is_ended(source))
            {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return self.stuck(want);
            }
        }
        again(cx)
    }

    /// As [`poll_window`](Pump::poll_window) of one stream; `last` is when something last came.
    pub(crate) fn poll_quiet(
        &mut self,
        cx: &mut Context<'_>,
        source: Source,
        last: &mut Option<Instant>,
    ) -> Poll<Result<()>> {
        let before = self.driver.reader(source).inbox.len();
        let window = self.poll_window(cx, only(source, Want::Window));
        let after = self.driver.reader(source).inbox.len();
        if after > before || (last.is_none() && after > 0) {
            *last = Some(Instant::now());
        }
        window
    }
}
