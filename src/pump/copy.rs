//! What is passed on by whoever copies: one stream without a look at it, and meanwhile all the rest.

use std::{io, task::Poll};

use super::{Pump, Turn, Want, Wants, drive};
use crate::{
    error::Result,
    event::{Recv, Source},
    sys::Outlet,
};

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

/// A piece of a stream of which one is wanted; all that is to come later stays where it is. The error, if the run has been cut
/// short meanwhile or a limit was reached.
pub(crate) fn poll_copied(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    wants: Wants,
    first: Source,
) -> Poll<Result<(Source, Recv)>> {
    drive(pump, turn, wants, |pump, turn| {
        let mut later = false;
        for source in [first, first.other()] {
            if wants.of(source) == Want::LATER {
                later = true;
            } else if wants.of(source) == Want::PIECE {
                if let Some(taken) = pump.take_or_read(turn, source, usize::MAX) {
                    return Some(taken.map(|received| (source, received)));
                }
            }
        }
        // What is left in the pipe stays there: it is not waited for.
        match later && !pump.is_running() && !pump.stop.is_stopping() {
            true => pump.stop_error().map(Err),
            false => None,
        }
    })
}
