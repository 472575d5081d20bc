//! What has gone: is it all sent, is there room.

use std::{io::IoSlice, task::Poll};

use bytes::Bytes;

use super::{Pump, Sending, Turn, Want, Wants, Writer, drive, untold::Untold};
use crate::error::Result;

/// Queues bytes.
pub(crate) fn push(pump: &mut Pump, data: Bytes) -> Result<()> {
    let pushed = pump.writer.push(data);
    pushed.map_err(|error| pump.explain(error))
}

/// Queues a message of which it is to be told how much was written.
pub(crate) fn begin(pump: &mut Pump, data: Bytes) -> Result<Sending> {
    let begun = pump.writer.begin(data);
    begun.map_err(|error| pump.explain(error))
}

/// All that was queued is in the pipe. While that is waited for, output is read up to its limit, and then the call fails.
pub(crate) fn poll_sent(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    poll_writer(pump, turn, Wants::ALL, Writer::sent)
}

/// The same, but output that is not received is back-pressure, as with any `Sink` or `AsyncWrite`.
pub(crate) fn poll_flush(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    poll_writer(pump, turn, Wants::both(Want::HOLD), Writer::sent)
}

/// There is room in the queue. Output that is not received is back-pressure.
pub(crate) fn poll_room(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    poll_writer(pump, turn, Wants::both(Want::HOLD), Writer::room)
}

/// The child has closed its stdin, or has exited. Output that is not received is back-pressure.
pub(crate) fn poll_closed(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    let closed = drive(pump, turn, Wants::both(Want::HOLD), |pump, turn| {
        if pump.is_over() && pump.exit.status.is_none() {
            return Some(pump.status().map(drop));
        }
        (pump.writer.is_closed(turn) || pump.is_settled()).then_some(Ok(()))
    });
    note_held(pump, closed.is_pending());
    closed
}

/// Writes straight from `slices`, once all that was queued before is gone. Output that is not received is back-pressure.
pub(crate) fn poll_write(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    slices: &[IoSlice<'_>],
) -> Poll<Result<usize>> {
    let write = |writer: &mut Writer, turn: &mut Turn<'_, '_>, untold: &mut Untold| {
        writer.write(turn, untold, slices)
    };
    poll_writer(pump, turn, Wants::both(Want::HOLD), write)
}

/// Writes what the pipe takes now. When it takes nothing the rest moves, so that a loop of such calls cannot deadlock.
pub(crate) fn try_send(pump: &mut Pump, data: &[u8], wants: Wants) -> Result<usize> {
    let slices = [IoSlice::new(data)];
    let write = |writer: &mut Writer, turn: &mut Turn<'_, '_>, untold: &mut Untold| {
        writer.write(turn, untold, &slices)
    };
    match pump.now(|pump, turn| poll_writer(pump, turn, wants, write)) {
        Poll::Ready(sent) => sent,
        Poll::Pending => Ok(0),
    }
}

fn poll_writer<T>(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    wants: Wants,
    mut ask: impl FnMut(&mut Writer, &mut Turn<'_, '_>, &mut Untold) -> Option<Result<T>>,
) -> Poll<Result<T>> {
    let answer = drive(pump, turn, wants, |pump, turn| {
        if pump.stop.cause.is_some() {
            // What is being stopped takes no more input.
            return pump.stop_error().filter(|_| pump.is_settled()).map(Err);
        }
        let answer = ask(&mut pump.writer, turn, &mut pump.untold)?;
        Some(answer.map_err(|error| pump.annotate(error)))
    });
    note_held(pump, answer.is_pending());
    answer
}

/// A task that waits while reading is held up is woken when there is room again.
fn note_held(pump: &mut Pump, waits: bool) {
    pump.waits_for_room = waits && pump.is_held();
}
