//! [`drive`]: the loop that moves a pump until a question is answered.

use std::task::Poll;

use super::{Pump, Turn, Wants, cut};
use crate::{error::Result, limits::STEPS_PER_POLL};

/// Moves everything, as far as is wanted of the streams, until `ready` has an answer, or nothing moves any more. The error is why
/// nothing does, if it is not the child that is waited for.
#[inline]
pub(crate) fn drive<T>(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    wants: Wants,
    mut ready: impl FnMut(&mut Pump, &mut Turn<'_, '_>) -> Option<Result<T>>,
) -> Poll<Result<T>> {
    cut::in_time(pump, turn, wants);
    match ready(pump, turn) {
        Some(answer) => Poll::Ready(answer),
        None => drive_on(pump, turn, wants, ready),
    }
}

/// There is no answer yet. Kept out of the way of what is answered at once, such as the next line of many.
#[inline(never)]
fn drive_on<T>(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    wants: Wants,
    mut ready: impl FnMut(&mut Pump, &mut Turn<'_, '_>) -> Option<Result<T>>,
) -> Poll<Result<T>> {
    if !turn.is_now() {
        pump.waker.clone_from(turn.cx.waker());
    }
    for _ in 0..STEPS_PER_POLL {
        let mut moved = pump.step(turn, wants);
        moved |= cut::escalate(pump, turn);
        // What `ready` has written is a sign of life too.
        moved |= turn.take_wrote() && pump.stop.watch.is_some();
        if !moved {
            if let Some(error) = pump.why_stuck(wants) {
                return Poll::Ready(Err(error));
            }
            return match turn.take_wake_at() {
                // It has become time meanwhile.
                Some(at) if pump.alarm.is_elapsed(turn.cx, at) => turn.again(),
                _ => Poll::Pending,
            };
        }
        cut::in_time(pump, turn, wants);
        if let Some(answer) = ready(pump, turn) {
            return Poll::Ready(answer);
        }
    }
    turn.again()
}
