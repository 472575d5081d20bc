//! [`Stop`]: a run that is cut short, or shut down.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{Pump, Turn, Wants, after, read::Reader, tee::Tee};
use crate::{
    error::Result,
    shutdown::{Cause, Descent, Due, Ladder, Report, Step, Watch},
    signal::Signal,
    transport::Process,
};

/// Whether the run is to end early, and how far that is.
///
/// | state | `watch` | `descent` | `cause` |
/// |---|---|---|---|
/// | nothing is to end it, or only in time | as the user wants | none | none |
/// | its time was up, and the child ran | none | on the ladder, and then at its end | why |
/// | its time was up, the child had exited, and there was no room for what it wrote | none | none | why |
/// | it is or was shut down | none | as above; none if the child had exited | none |
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// Gone once it has done its work.
    pub(super) watch: Option<Box<Watch>>,
    descent: Option<Box<Descent>>,
    /// Why it was cut short.
    pub(super) cause: Option<Cause>,
    pub(super) shut_down: bool,
    /// The signal that the child was stopped by when its time was up.
    pub(super) stopped: Option<Signal>,
    pub(super) look: TreeLook,
}

impl Stop {
    /// The child or its tree is on a ladder.
    pub(super) fn is_stopping(&self) -> bool {
        (self.descent.as_ref()).is_some_and(|descent| !descent.is_ended())
    }

    /// The run is or was stopped. Nothing is waited for that there is no room for.
    pub(super) fn is_cut(&self) -> bool {
        self.cause.is_some() || self.descent.is_some()
    }

    pub(super) fn has_survivors(&self) -> bool {
        (self.descent.as_ref()).is_some_and(|descent| descent.has_survivors())
    }
}

/// Looks from time to time whether something of a tree is alive when the child itself has exited: the system does not tell of
/// the end of those that are not our children.
#[derive(Debug, Default)]
pub(super) struct TreeLook {
    next: Option<Instant>,
    pause: Duration,
}

impl TreeLook {
    const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
    /// Where a look takes long, as among very many processes, this share of the time goes into it: a tenth.
    const SHARE: u32 = 10;

    /// Whether it is alive, as far as has been looked. The task is woken for the next look.
    pub(super) fn is_tree_alive(&mut self, turn: &mut Turn<'_, '_>, process: &dyn Process) -> bool {
        if self.next.is_some_and(|next| !turn.is_due(next)) {
            return true;
        }
        let began = std::time::Instant::now();
        if !process.is_tree_alive() {
            return false;
        }
        let took = began.elapsed();
        self.pause = (self.pause * 2).clamp(Self::PAUSE.0, Self::PAUSE.1);
        self.next = after(self.pause.max(took * Self::SHARE));
        if let Some(next) = self.next {
            turn.wake_at(next);
        }
        true
    }
}

/// Cuts the run short when it is time, after a last look at what the kernel has. Cheap when there is nothing to see to.
#[inline]
pub(super) fn in_time(pump: &mut Pump, turn: &mut Turn<'_, '_>, wants: Wants) {
    if pump.stop.watch.is_some() {
        cut_in_time(pump, turn, wants);
    }
}

fn cut_in_time(pump: &mut Pump, turn: &mut Turn<'_, '_>, wants: Wants) {
    let moved = pump.moved();
    let Some(watch) = (pump.stop.watch.as_mut()).filter(|_| !pump.exit.is_over()) else {
        pump.stop.watch = None;
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
    pump.pass(&mut turn.asking(), wants.not_later());
    if matches!(cause, Cause::Silence(_)) && pump.moved() != moved {
        // Only the reactor was silent. The clock is set again with the next look at it.
        return turn.wake();
    }
    let ladder = (pump.stop.watch.take()).map_or_else(Ladder::kill, |watch| watch.ladder);
    if pump.exit.is_running() {
        cut_short(pump, cause);
        descend_by(pump, ladder);
        descend(pump, turn);
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
    streams.any(is_held_back) || pump.streams.tees().any(Tee::is_owed)
}

fn descend_by(pump: &mut Pump, ladder: Ladder) {
    pump.guard.stopping = true;
    let is_of_system = pump.guard.control.id().is_some();
    let descent = Descent::new(ladder, is_of_system, Instant::now());
    pump.stop.descent = Some(Box::new(descent));
}

/// Takes the steps that are due, until the child has exited and nothing of its tree is alive; whether anything changed.
pub(super) fn descend(pump: &mut Pump, turn: &mut Turn<'_, '_>) -> bool {
    let mut changed = false;
    while pump.stop.is_stopping() {
        let exited = !pump.exit.is_running();
        let process = Arc::clone(pump.guard.control.process());
        if exited && !pump.stop.look.is_tree_alive(turn, &*process) {
            end(pump);
            return true;
        }
        let Some(descent) = &mut pump.stop.descent else {
            break;
        };
        let now = Instant::now();
        match descent.due(now, exited) {
            Due::Nothing => {
                match descent.next(now, exited) {
                    // It has become time meanwhile.
                    Some(next) if turn.is_due(next) => continue,
                    _ => break,
                }
            }
            Due::Step(step) => {
                if let Err(error) = take_step(pump, turn, step) {
                    if let Some(descent) = &mut pump.stop.descent {
                        descent.undeliverable(error);
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
    changed
}

fn take_step(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    step: Step,
) -> std::result::Result<(), io::ErrorKind> {
    pump.guard.span.stopping(&step);
    let process = pump.guard.control.process();
    let sent = match step {
        Step::CloseStdin => {
            let open = pump.writer.close_early();
            pump.writer.step(&mut turn.asking(), &mut pump.untold);
            return open.then_some(()).ok_or(io::ErrorKind::NotConnected);
        }
        Step::Signal(signal) => process.signal_tree(signal),
        Step::SignalChild(signal) => process.signal(signal),
    };
    sent.map_err(|error| error.kind())
}

/// The child has exited, and nothing of its tree is left, or nothing that can be killed.
fn end(pump: &mut Pump) {
    if let Some(descent) = &mut pump.stop.descent {
        descent.end(Instant::now());
    }
    pump.guard.stopping = false;
    match pump.stop.cause {
        // What the child itself wrote is read, and no more: its time is up.
        Some(_) => pump.exit.hurry(),
        None => pump.exit.bound_drain(),
    }
}

/// The time after the kill is up. The last look at the tree may have been long ago.
fn end_after_all(pump: &mut Pump) {
    let alive = pump.guard.control.process().is_tree_alive();
    if let Some(descent) = &mut pump.stop.descent {
        descent.set_survivors(alive);
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
    let refused = (pump.stop.descent.as_ref()).and_then(|descent| descent.refusal());
    pump.exit.give_up(match refused {
        Some(kind) => io::Error::new(kind, "it could not be killed"),
        None => io::Error::other("it was killed, and has not exited"),
    });
    pump.guard.stopping = false;
    pump.finish();
    pump.pipes_held = false;
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
        pump.pass(&mut turn.asking(), Wants::ALL);
        pump.stop.watch = None;
        pump.stop.shut_down = true;
        if pump.exit.is_running() {
            descend_by(pump, ladder);
        } else {
            pump.exit.bound_drain();
        }
    }
    pump.drive(turn, Wants::ALL, |pump, _| {
        if !pump.is_settled() {
            return None;
        }
        let report = pump.status().map(|status| match &pump.stop.descent {
            Some(descent) => descent.report(status),
            None => Report::new(status),
        });
        if pump.stop.descent.is_none() {
            pump.kill_leftovers();
        }
        // Also if there is no room for what is left: nobody may come for it.
        pump.guard.release();
        Some(report)
    })
}

/// Goes to the last step of a shutdown at once.
pub(crate) fn abort_shutdown(pump: &mut Pump) {
    if let Some(descent) = &mut pump.stop.descent {
        descent.hurry();
    }
    descend(
        pump,
        &mut Turn::now(&mut Context::from_waker(Waker::noop())),
    );
}
