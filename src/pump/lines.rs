//! The lines of either stream, cut where they wait.

use std::task::{Poll, ready};

use super::{Pump, Turn, Want, Wants, drive};
use crate::{
    buffer::Inbox,
    error::{Kind, Result},
    event::Source,
    lines::Line,
};

/// The next line of `source`; `None` at its end.
#[inline(never)]
pub(crate) fn poll_line(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
) -> Poll<Option<Result<Line>>> {
    ready!(poll_charge(pump, turn));
    let line = drive(pump, turn, Wants::only(source, Want::MORE), |pump, _| {
        if let Some(line) = take_line(pump, source) {
            return Some(line.map(Some));
        }
        (pump.is_ended(source)).then(|| pump.end(source).map(|()| None))
    });
    line.map(Result::transpose)
}

/// The next line of either stream; `None` when both have ended.
pub(crate) fn poll_any_line(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
) -> Poll<Option<Result<Line>>> {
    ready!(poll_charge(pump, turn));
    if let Some(line) = take_plain_line_of_any(pump) {
        return Poll::Ready(Some(Ok(line)));
    }
    let line = drive(pump, turn, Wants::both(Want::MORE), |pump, _| {
        pump.give_turn();
        let turn = pump.streams.turn_of_both();
        for source in turn {
            if let Some(line) = take_line(pump, source) {
                end_turn_after_block(pump, source);
                return Some(line.map(Some));
            }
        }
        for source in turn {
            if let Some(error) = pump.take_read_error(source) {
                return Some(Err(error));
            }
        }
        let ended = turn.iter().all(|source| pump.is_ended(*source));
        ended.then(|| pump.take_cut(&Source::BOTH).map_or(Ok(None), Err))
    });
    line.map(Result::transpose)
}

/// Charges the task for the lines that have been handed out, and lets it have more.
fn poll_charge(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<()> {
    let streams = &mut pump.streams;
    let mut inboxes = [&mut streams.stdout.inbox, &mut streams.stderr.inbox];
    for inbox in &mut inboxes {
        pump.charge.add(inbox.revoke_plain_lines());
    }
    ready!(pump.charge.poll(turn.cx));
    inboxes.into_iter().for_each(Inbox::grant_plain_lines);
    Poll::Ready(())
}

/// Takes the next whole line of `source`, if it is what nearly every line is.
#[inline(always)]
pub(crate) fn take_plain_line(pump: &mut Pump, source: Source) -> Option<Line> {
    // The code is there twice, so that nothing is computed from `source`: 7 of 145 instructions a line.
    let line = match source {
        Source::Stdout => pump.streams.stdout.inbox.take_plain_line(),
        Source::Stderr => pump.streams.stderr.inbox.take_plain_line(),
    };
    Some(Line::of_block(line?, source))
}

/// The same, of either stream: they take turns by pieces that were read and not by lines, so that the lines of a piece are
/// handed out without looking elsewhere.
pub(crate) fn take_plain_line_of_any(pump: &mut Pump) -> Option<Line> {
    (pump.streams.turn_of_both().into_iter()).find_map(|source| {
        let line = take_plain_line(pump, source)?;
        end_turn_after_block(pump, source);
        Some(line)
    })
}

/// A line of `source` was taken: if no more are there, it is the other's turn.
fn end_turn_after_block(pump: &mut Pump, source: Source) {
    if pump.reader(source).has_no_block() {
        pump.streams.end_turn(source as usize);
    }
}

/// Takes the next whole line of `source`, if there is one.
fn take_line(pump: &mut Pump, source: Source) -> Option<Result<Line>> {
    if let Some(line) = take_plain_line(pump, source) {
        return Some(Ok(line));
    }
    let options = pump.line_options;
    let reader = pump.reader_mut(source);
    let eof = reader.is_closed();
    let line = reader.inbox.take_line(&options, eof)?;
    let len = line.as_ref().map_or(0, |(bytes, _)| bytes.len());
    pump.charge.add_part(len);
    Some(match line {
        Ok((bytes, end)) => Ok(Line::new(bytes, source, end)),
        Err(()) => Err(pump.error(Kind::LongLine(source, options.max_line_length))),
    })
}
