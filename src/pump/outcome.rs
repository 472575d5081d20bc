//! How it ended: is the run over, what is left of it, has it been shut down.

use std::{
    process::ExitStatus,
    task::{Context, Poll, Waker},
};

use super::{Pump, Turn, Want, Wants, cut, drive, read::Reader};
use crate::{
    error::{Error, Result},
    event::Source,
    output::Output,
    report::Report,
    shutdown::Ladder,
};

/// The run is over, or the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back the rest of its output.
pub(crate) fn poll_wait(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<ExitStatus>> {
    drive(pump, turn, Wants::ALL, |pump, _| {
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

/// The run is over, whatever has to be told. A limit that is an error holds the child back.
pub(crate) fn poll_over(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<()>> {
    drive(pump, turn, Wants::both(Want::HOLD), |pump, _| {
        pump.is_over().then_some(Ok(()))
    })
}

/// The run is over, and this is what it left.
pub(crate) fn poll_output(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> Poll<Result<Output>> {
    let over = drive(pump, turn, Wants::both(Want::WHOLE), |pump, _| {
        (pump.is_over()).then(|| run_error(pump).map_or(Ok(()), Err))
    });
    over.map(|over| match over {
        Ok(()) => Ok(pump.take_output()),
        Err(error) => Err(error.with_output(pump.take_output())),
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

/// The child has been stopped by the steps of `ladder`, which is taken by the first poll, and what it wrote has been received
/// as far as there is room.
pub(crate) fn poll_shutdown(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    ladder: &mut Option<Ladder>,
) -> Poll<Result<Report>> {
    if let Some(ladder) = ladder.take() {
        // A child that has exited needs no ladder, also if the reactor does not know it yet.
        pump.step(&mut turn.asking(), Wants::ALL);
        pump.stop.watch = None;
        pump.stop.shut_down = true;
        if pump.exit.is_running() {
            cut::escalate_by(pump, ladder);
        } else {
            pump.exit.bound_drain();
        }
    }
    drive(pump, turn, Wants::ALL, |pump, _| {
        if !pump.is_settled() {
            return None;
        }
        let report = pump.status().map(|status| match &pump.stop.escalation {
            Some(escalation) => escalation.report(status),
            None => Report::new(status),
        });
        if pump.stop.escalation.is_none() {
            pump.kill_leftovers();
        }
        // Also if there is no room for what is left: it may never be received.
        pump.guard.release();
        Some(report)
    })
}

/// Goes to the last step of a shutdown at once.
pub(crate) fn abort_shutdown(pump: &mut Pump) {
    if let Some(escalation) = &mut pump.stop.escalation {
        escalation.hurry();
    }
    cut::escalate(
        pump,
        &mut Turn::now(&mut Context::from_waker(Waker::noop())),
    );
}
