//! What has come: a piece of one stream, of any, an event.

use std::task::{Poll, ready};

use super::{Pump, Turn, Want, Wants, drive, read::Reader};
use crate::{
    error::{Error, Kind, Result},
    event::{Event, Recv, Source},
};

/// A piece of `source`, of at most `max` bytes.
pub(crate) fn poll_recv(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
    max: usize,
) -> Poll<Result<Recv>> {
    drive(
        pump,
        turn,
        Wants::only(source, Want::PIECE),
        |pump, turn| pump.take_or_read(turn, source, max),
    )
}

/// What can be had of `source` without waiting.
pub(crate) fn try_recv(pump: &mut Pump, source: Source, max: usize) -> Result<Recv> {
    if max == 0 {
        return Ok(match pump.is_eof(source) {
            true => Recv::Eof,
            false => Recv::Empty,
        });
    }
    match pump.now(|pump, turn| poll_recv(pump, turn, source, max)) {
        Poll::Ready(received) => received,
        Poll::Pending => Ok(Recv::Empty),
    }
}

/// Exactly `n` bytes of `source`, in one piece.
pub(crate) fn poll_exact(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
    n: usize,
) -> Poll<Result<Recv>> {
    let wants = Wants::only(source, Want::at_least(n));
    drive(pump, turn, wants, |pump, _| {
        let reader = pump.reader_mut(source);
        if reader.inbox.gap().is_some_and(|at| (1..n).contains(&at)) {
            let limit = reader.inbox.limit().bytes;
            return Some(Err(pump.error(Kind::Limit(source, limit))));
        }
        if reader.inbox.len() >= n {
            return Some(Ok(Recv::Data(reader.inbox.take_joined(n))));
        }
        if !pump.is_ended(source) {
            return None;
        }
        Some(
            match (pump.end(source), pump.reader(source).inbox.is_empty()) {
                (Ok(()), false) => Err(pump.error(Kind::Eof)),
                (ended, _) => ended.map(|()| Recv::Eof),
            },
        )
    })
}

/// A piece of any stream, which it is, and of which stage of a pipeline; `None` when all have ended. `end` says what has ended
/// meanwhile.
pub(crate) fn poll_any(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    end: impl Fn(&mut Pump) -> Option<(usize, Source)>,
) -> Poll<Result<Option<(usize, Source, Recv)>>> {
    drive(pump, turn, Wants::both(Want::PIECE), |pump, _| {
        pump.give_turn();
        if let Some((stage, source, data)) = pump.streams.take_any() {
            return Some(Ok(Some((stage, source, Recv::Data(data)))));
        }
        for source in Source::BOTH {
            if let Some(error) = pump.take_read_error(source) {
                return Some(Err(error));
            }
        }
        if let Some((stage, source)) = end(pump) {
            return Some(Ok(Some((stage, source, Recv::Eof))));
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
    match ready!(poll_any(pump, turn, |pump| pump.take_end(staged))) {
        Ok(None) => {}
        Ok(Some((stage, source, received))) => {
            return Poll::Ready(Some(Ok((stage, source.event(received)))));
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
