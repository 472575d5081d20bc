//! Waiting for a time, and for all that comes in it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, sleep_until};

use super::{Pump, Turn, Want, Wants, drive};
use crate::{error::Result, event::Source};

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

/// Receives and keeps what comes of `sources`, until they have all ended or one has reached its limit. A limit of 0 bytes would
/// be reached at once: there all that comes is read, as ever.
pub(crate) fn poll_window(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    sources: &[Source],
) -> Poll<Result<()>> {
    let wants = Wants(Source::BOTH.map(|source| {
        match sources.contains(&source) && pump.limit(source).bytes > 0 {
            true => Want::WINDOW,
            false => Want::ALL,
        }
    }));
    drive(pump, turn, wants, |pump, _| {
        let is_full = |source: &Source| {
            wants.of(*source) == Want::WINDOW && pump.reader(*source).is_full(Want::WINDOW)
        };
        let is_ended = |source: &Source| pump.is_ended(*source);
        (sources.iter().any(is_full) || sources.iter().all(is_ended)).then_some(Ok(()))
    })
}

/// The same; `last` is when something last came, or was there already, if `kept_counts`.
pub(crate) fn poll_quiet(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    sources: &[Source],
    kept_counts: bool,
    last: &mut Option<Instant>,
) -> Poll<Result<()>> {
    let kept = |pump: &Pump| -> usize {
        let kept = sources
            .iter()
            .map(|source| pump.reader(*source).inbox.len());
        kept.sum()
    };
    let before = kept(pump);
    let window = poll_window(pump, turn, sources);
    let after = kept(pump);
    if after > before || (kept_counts && last.is_none() && after > 0) {
        *last = Some(Instant::now());
    }
    window
}
