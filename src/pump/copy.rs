//! What is passed on by whoever copies: one stream without a look at it, and meanwhile all the rest.

use std::{convert::Infallible, io, task::Poll};

use super::{Pump, Turn, Want, Wants, drive};
use crate::{error::Result, event::Source, sys::Outlet};

/// Moves what `source` says on without copying it here: how many bytes, 0 if that cannot be done or there will be no more.
pub(crate) fn poll_splice(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
    to: &mut Outlet,
) -> Poll<Result<u64, io::Error>> {
    // What a dead child left is little, and is told apart from what its descendants write.
    if !pump.is_running() || pump.stop.cause.is_some() {
        return Poll::Ready(Ok(0));
    }
    match pump.reader_mut(source).poll_splice(turn.cx, to) {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Unsupported => Poll::Ready(Ok(0)),
        moved => moved,
    }
}

/// All but `source` moves. The error, if the run has been cut short meanwhile or a limit was reached.
pub(crate) fn poll_rest(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
) -> Poll<Result<Infallible>> {
    drive(pump, turn, Wants::only(source, Want::LATER), |pump, _| {
        // What is left in the pipe stays there: nobody takes it.
        if pump.is_running() || pump.stop.is_stopping() {
            return None;
        }
        pump.stop_error().map(Err)
    })
}
