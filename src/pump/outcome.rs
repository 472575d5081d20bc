//! How it ended: is the run over, and what is left of it.

use std::{process::ExitStatus, task::Poll};

use bytes::Bytes;

use super::{Pump, Turn, Want, Wants, read::Reader};
use crate::{
    error::{Error, Result},
    event::Source,
    output::Output,
    shutdown::Cause,
};

/// The run is over, or the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back the rest of its output.
pub(crate) fn poll_wait(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<ExitStatus>> {
    pump.drive(turn, Wants::ALL, |pump, _| {
        if !pump.is_over() && !is_blocked_at_end(pump) {
            return None;
        }
        let error = match pump.stop_error() {
            None if pump.is_over() => pump.side_error(),
            error => error,
        };
        Some(error.map_or_else(|| pump.status(), Err))
    })
}

/// The run is over, and this is what it left.
pub(crate) fn poll_output(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<Output>> {
    let over = pump.drive(turn, Wants::both(Want::WHOLE), |pump, _| {
        (pump.is_over()).then(|| run_error(pump).map_or(Ok(()), Err))
    });
    over.map(|over| match over {
        Ok(()) => Ok(take(pump)),
        Err(error) => Err(error.with_output(take(pump))),
    })
}

/// What makes a run that is over a failed one, whatever the child's status.
fn run_error(pump: &mut Pump) -> Option<Error> {
    if let Some(error) = pump.bare_stop_error() {
        return Some(error);
    }
    if let Some(error) = pump.limit_error(Wants::ALL) {
        return Some(error);
    }
    for source in Source::BOTH {
        if let Some(error) = pump.take_error(source) {
            return Some(error);
        }
    }
    pump.side_error().or_else(|| pump.status().err())
}

/// [`Overflow::Block`](crate::Overflow::Block) holds back the rest of what a child wrote that has exited. While it is being
/// stopped it is not known how that ends.
fn is_blocked_at_end(pump: &Pump) -> bool {
    let is_blocked = || pump.streams.readers().any(Reader::is_blocked);
    !pump.is_running() && !pump.stop.is_stopping() && is_blocked()
}

/// Takes all that has been kept.
pub(crate) fn take(pump: &mut Pump) -> Output {
    let kept = (pump.streams.readers_mut()).map(|reader| reader.inbox.take_limited());
    let kept = kept.collect();
    output_of(pump, kept)
}

/// A copy of all that has been kept.
pub(super) fn peek(pump: &Pump) -> Output {
    let kept = (pump.streams.readers()).map(|reader| reader.inbox.last(usize::MAX));
    output_of(pump, kept.collect())
}

/// `kept` is of all that is read, in turn.
fn output_of(pump: &Pump, kept: Vec<Bytes>) -> Output {
    let mut kept = kept.into_iter();
    let [stdout, stderr] = [(); 2].map(|()| kept.next().unwrap_or_default());
    let (started, seen) = (pump.guard.started, pump.exit.seen);
    let first = pump.streams.readers().filter_map(Reader::first).min();
    Output {
        status: pump.exit.status,
        stages: pump.streams.outputs(kept.collect(), &stderr),
        stdout,
        stderr,
        stdout_omitted: pump.omitted(Source::Stdout),
        stderr_omitted: pump.omitted(Source::Stderr),
        pipes_held: pump.pipes_held,
        stdin_written: pump.writer.written(),
        timed_out: matches!(
            pump.stop.cause,
            Some(Cause::Deadline(_) | Cause::Silence(_))
        ),
        elapsed: (pump.elapsed).unwrap_or_else(|| started.elapsed()),
        ran: seen.map_or_else(|| started.elapsed(), |seen| seen - started),
        first_byte: first.map(|first| first - started),
        usage: pump.guard.control.usage(),
        command: pump.guard.control.command().cloned(),
        secrets: pump.guard.control.secrets().clone(),
    }
}
