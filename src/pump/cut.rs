//! What is done to a run that is cut short, or shut down; see [`Stop`](super::stop::Stop).

use std::{io, sync::Arc};

use tokio::time::Instant;

use super::{Pump, Turn, Wants, read::Reader, tee::Tee};
use crate::shutdown::{Action, Cause, Due, Escalation, Ladder};

/// Cuts the run short when it is time, after a last look at what the kernel has. Cheap when there is nothing to see to.
#[inline]
pub(super) fn in_time(pump: &mut Pump, turn: &mut Turn<'_, '_>, wants: Wants) {
    if pump.stop.watch.is_some() {
        cut_in_time(pump, turn, wants);
    }
}

fn cut_in_time(pump: &mut Pump, turn: &mut Turn<'_, '_>, wants: Wants) {
    let moved = pump.moved();
    if pump.is_over() || pump.stop.escalation.is_some() {
        pump.stop.watch = None;
    }
    let Some(watch) = &mut pump.stop.watch else {
        return;
    };
    let cancelled = !turn.is_now() && watch.poll_cancelled(turn.cx).is_ready();
    let cause = match watch.cause(Instant::now(), moved) {
        _ if cancelled => Cause::Cancelled,
        Ok(cause) => cause,
        Err(None) => return,
        Err(Some(next)) => return turn.wake_at(next),
    };
    // The reactor may be behind, as when the task has not been polled for long.
    pump.step(&mut turn.asking(), wants.not_later());
    if matches!(cause, Cause::Silence(_)) && pump.moved() != moved {
        // Only the reactor was silent. The clock is set again with the next look at it.
        return turn.wake();
    }
    let ladder = (pump.stop.watch.take()).map_or_else(Ladder::kill, |watch| watch.ladder);
    if pump.exit.is_running() {
        cut_short(pump, cause);
        escalate_by(pump, ladder);
        escalate(pump, turn);
    } else {
        pump.kill_leftovers();
        // The child has done its part, unless there is no room for what it wrote.
        if is_held_back(pump, wants) {
            cut_short(pump, cause);
        }
        pump.exit.hurry();
    }
}

fn cut_short(pump: &mut Pump, cause: Cause) {
    pump.guard.span.stopping(&cause);
    pump.stop.stopped = pump.guard.control.stopped();
    pump.stop.cause = Some(cause);
    (pump.untold).cut(|source| !pump.streams.get(source).is_closed());
}

/// What a child that has exited wrote is waited for, and there is no room for it.
fn is_held_back(pump: &Pump, wants: Wants) -> bool {
    let is_held_back =
        |(reader, want): (&Reader, _)| reader.is_held_back(want) || reader.is_put_off(want);
    let mut streams = pump.streams.readers().zip(wants.of_all());
    streams.any(is_held_back)
        || pump.streams.tees().any(Tee::is_unfinished)
        || pump.streams.is_copy_unfinished()
}

pub(super) fn escalate_by(pump: &mut Pump, ladder: Ladder) {
    pump.guard.stopping = true;
    let is_of_system = pump.guard.control.id().is_some();
    let escalation = Escalation::new(ladder, is_of_system, Instant::now());
    pump.stop.escalation = Some(Box::new(escalation));
}

/// Takes the steps that are due, until the child has exited and nothing of its tree is alive; whether anything changed.
pub(super) fn escalate(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> bool {
    let mut changed = false;
    while pump.stop.is_stopping() {
        let exited = !pump.exit.is_running();
        let process = Arc::clone(pump.guard.control.process());
        if exited && !pump.stop.look.is_tree_alive(turn, &*process) {
            end(pump);
            changed = true;
            break;
        }
        let Some(escalation) = &mut pump.stop.escalation else {
            break;
        };
        let now = Instant::now();
        match escalation.due(now, exited) {
            Due::Nothing => {
                match escalation.next(now, exited) {
                    // It has become time meanwhile.
                    Some(next) if turn.is_due(next) => continue,
                    _ => break,
                }
            }
            Due::Step(action) => {
                if let Err(error) = take_step(pump, turn, action) {
                    if let Some(escalation) = &mut pump.stop.escalation {
                        escalation.undeliverable(error);
                    }
                }
            }
            Due::Failure => {
                match exited {
                    true => end_after_all(pump),
                    false => give_up(pump, turn),
                }
                // Another task may be waiting for what will not come.
                turn.wake();
            }
        }
        changed = true;
    }
    pump.news |= changed;
    changed
}

fn take_step(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    action: Action,
) -> Result<(), io::ErrorKind> {
    pump.guard.span.stopping(&action.step());
    let control = &pump.guard.control;
    let sent = match action {
        Action::CloseStdin => {
            let open = pump.writer.close_early();
            pump.writer.step(&mut turn.asking(), &mut pump.untold);
            return open.then_some(()).ok_or(io::ErrorKind::NotConnected);
        }
        Action::Send(data) => {
            let open = pump.writer.push_last(data);
            pump.writer.step(&mut turn.asking(), &mut pump.untold);
            return match open {
                true if pump.writer.is_broken() => Err(io::ErrorKind::BrokenPipe),
                true => Ok(()),
                false => Err(io::ErrorKind::NotConnected),
            };
        }
        Action::Signal(signal) => control.process().signal_tree(signal),
        Action::SignalChild(signal) => control.process().signal(signal),
        Action::Call(callback) => callback.call(control).map_err(io::Error::from),
    };
    sent.map_err(|error| error.kind())
}

/// The child has exited, and nothing of its tree is left, or nothing that can be killed.
fn end(pump: &mut Pump) {
    if let Some(escalation) = &mut pump.stop.escalation {
        escalation.end(Instant::now());
    }
    pump.guard.stopping = false;
    // There is no reader any more. Not every platform says so of a write that is under way.
    pump.writer.abandon();
    match pump.stop.cause {
        // What the child itself wrote is read, and no more: its time is up.
        Some(_) => pump.exit.hurry(),
        None => pump.exit.bound_drain(),
    }
}

/// The time after the kill is up. The last look at the tree may have been long ago.
fn end_after_all(pump: &mut Pump) {
    let alive = pump.guard.control.process().is_tree_alive();
    if let Some(escalation) = &mut pump.stop.escalation {
        escalation.set_survivors(alive);
    }
    end(pump);
}

/// The child cannot be killed. It is left to the reaper.
fn give_up(pump: &mut Pump, turn: &mut Turn<'_, '_>) {
    // It is asked for once more: the time may have been up for a task that was not polled.
    let process = pump.guard.control.process();
    if pump.exit.poll_seen(&mut turn.asking(), process) {
        pump.streams.readers_mut().for_each(Reader::note_exit);
        return end_after_all(pump);
    }
    let refused = (pump.stop.escalation.as_ref()).and_then(|escalation| escalation.refusal());
    pump.exit.give_up(match refused {
        Some(kind) => io::Error::new(kind, "it could not be killed"),
        None => io::Error::other("it was killed, and has not exited"),
    });
    pump.guard.stopping = false;
    pump.finish();
    pump.pipes_held = false;
}
