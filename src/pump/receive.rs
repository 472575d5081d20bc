//! What has come: a piece of one stream, of any, an event.

use std::task::{Poll, ready};

use bytes::Bytes;

use super::{Pump, Turn, Want, Wants, drive, read::Reader};
use crate::{
    error::{Error, Result},
    event::{Event, Source},
};

/// A piece of `source`; `None` at its end.
pub(crate) fn poll_recv(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
) -> Poll<Result<Option<Bytes>>> {
    poll_recv_max(pump, turn, source, usize::MAX)
}

fn poll_recv_max(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
    max: usize,
) -> Poll<Result<Option<Bytes>>> {
    drive(
        pump,
        turn,
        Wants::only(source, Want::PIECE),
        |pump, turn| {
            if let Some(taken) = pump.take(source, max) {
                return Some(taken);
            }
            match pump.read_ahead(turn, source) {
                true => pump.take(source, max),
                false => None,
            }
        },
    )
}

/// What can be had of `source` without waiting: `None` if that is nothing now.
pub(crate) fn try_recv(
    pump: &mut Pump,
    source: Source,
    max: usize,
) -> Result<Option<Option<Bytes>>> {
    if max == 0 {
        return Ok(pump.is_eof(source).then_some(None));
    }
    match pump.now(|pump, turn| poll_recv_max(pump, turn, source, max)) {
        Poll::Ready(received) => received.map(Some),
        Poll::Pending => Ok(None),
    }
}

/// A piece of any stream, which it is, and of which stage of a pipeline; `None` when all have ended.
pub(crate) fn poll_any(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
) -> Poll<Result<Option<(usize, Source, Bytes)>>> {
    drive(pump, turn, Wants::both(Want::PIECE), |pump, _| {
        pump.give_turn();
        if let Some(piece) = pump.streams.take_any() {
            return Some(Ok(Some(piece)));
        }
        for source in Source::BOTH {
            if let Some(error) = pump.take_read_error(source) {
                return Some(Err(error));
            }
        }
        let ended = Source::BOTH.iter().all(|source| pump.is_ended(*source));
        (ended && pump.streams.readers().all(Reader::is_closed))
            .then(|| pump.take_cut(&Source::BOTH).map_or(Ok(None), Err))
    })
}

/// The next event, and the stage of a pipeline that it is of; `None` for ever after the exit, with `staged` that of each stage.
pub(crate) fn poll_event(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    staged: bool,
) -> Poll<Option<Result<(usize, Event)>>> {
    if pump.is_terminated() {
        return Poll::Ready(None);
    }
    match ready!(poll_any(pump, turn)) {
        Ok(None) => {}
        Ok(Some((stage, source, data))) => {
            return Poll::Ready(Some(Ok((stage, source.event(data)))));
        }
        Err(error) => return Poll::Ready(Some(Err(error))),
    }
    if let Err(error) = ready!(poll_end(pump, turn)) {
        return Poll::Ready(Some(Err(error)));
    }
    let (told, last) = &mut pump.untold.exits;
    let stage = *told;
    *told += 1;
    *last = !staged || *told >= pump.streams.stages.len();
    let of_stage = pump.streams.stages.get(stage).filter(|_| staged);
    let status = match of_stage.and_then(|stage| stage.status()) {
        Some(status) => Ok(status),
        None => pump.status(),
    };
    Poll::Ready(Some(status.map(|status| (stage, Event::Exit(status)))))
}

/// The run is over; the error, if there is one that the stream of events has not told.
fn poll_end(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    drive(pump, turn, Wants::both(Want::PIECE), |pump, _| {
        if !pump.is_over() {
            return None;
        }
        let error: Option<Error> = match std::mem::take(&mut pump.untold.cut_event) {
            true => pump.stop_error(),
            false => None,
        };
        let error = error.or_else(|| pump.side_error());
        Some(error.map_or(Ok(()), Err))
    })
}
