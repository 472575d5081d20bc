//! Is it time: a run that is cut short, or shut down.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{Driver, Pump, Want, Writer, after, again, read::Reader, tee::Tee};
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::STEPS_PER_POLL,
    shutdown::{Alarm, Cause, Descent, Due, Ladder, Report, Step, Watch},
    signal::Signal,
    transport::Process,
};

/// Whether the run is to end early, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// Gone once it has done its work.
    pub(super) watch: Option<Box<Watch>>,
    pub(super) descent: Option<Box<Descent>>,
    /// Why it was cut short; none when it was shut down.
    pub(super) cause: Option<Cause>,
    /// Nobody has been told of the cause by the stream of events.
    pub(super) untold: bool,
    /// It was shut down; there is no descent if the child had exited by then.
    pub(super) shut_down: bool,
    /// The signal that the child was stopped by when its time was up.
    stopped: Option<Signal>,
    /// The signal by which the terminal has stopped it, which nobody has been told.
    untold_stop: Option<Signal>,
    pub(super) look: TreeLook,
    alarm: Alarm,
}

impl Stop {
    /// The child or its tree is on a ladder.
    pub(super) fn is_stopping(&self) -> bool {
        (self.descent.as_ref()).is_some_and(|descent| !descent.is_ended())
    }

    /// The terminal has stopped the child, and nobody has been told.
    pub(super) fn has_untold_stop(&self) -> bool {
        self.untold_stop.is_some()
    }

    /// The run is or was stopped. Nothing is waited for that there is no room for.
    pub(super) fn is_cut(&self) -> bool {
        self.cause.is_some() || self.descent.is_some()
    }
}

/// Looks from time to time whether something of a tree is alive when the child itself has exited: the system does not tell of
/// the end of those that are not our children.
#[derive(Debug, Default)]
pub(super) struct TreeLook {
    next: Option<Instant>,
    pause: Duration,
    alarm: Alarm,
}

impl TreeLook {
    const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
    /// Where a look takes long, as among very many processes, this share of the time goes into it: a tenth.
    const SHARE: u32 = 10;

    /// Whether it is alive, as far as has been looked. The task is woken for the next look, unless `wake` is false.
    pub(super) fn is_tree_alive(
        &mut self,
        cx: &mut Context<'_>,
        process: &dyn Process,
        wake: bool,
    ) -> bool {
        if let Some(next) = self.next {
            if !self.alarm.rings(cx, next, wake) {
                return true;
            }
        }
        let began = std::time::Instant::now();
        if !process.is_tree_alive() {
            return false;
        }
        let took = began.elapsed();
        self.pause = (self.pause * 2).clamp(Self::PAUSE.0, Self::PAUSE.1);
        self.next = after(self.pause.max(took * Self::SHARE));
        if self
            .next
            .is_some_and(|next| self.alarm.rings(cx, next, wake))
        {
            cx.waker().wake_by_ref();
        }
        true
    }
}

impl Pump<'_> {
    /// Sees to it that the run ends in time, and goes on with ending it; whether that changed anything. Cheap when
    /// there is nothing to see to.
    #[inline]
    pub(super) fn mind(&mut self, cx: &mut Context<'_>, want: [Want; 2], direct: bool) -> bool {
        let stop = &self.driver.stop;
        if stop.watch.is_none() && !stop.is_stopping() {
            return false;
        }
        let before = self.progress();
        self.mind_now(cx, want, direct);
        self.progress() != before
    }

    fn mind_now(&mut self, cx: &mut Context<'_>, want: [Want; 2], direct: bool) {
        if self.driver.is_over() || self.driver.stop.descent.is_some() {
            self.driver.stop.watch = None;
        }
        if let Some(cause) = self.cause(cx, direct) {
            let moved = self.moved();
            self.look(cx, want);
            if matches!(cause, Cause::Silence(_)) && self.moved() != moved {
                // Only the reactor was silent. The clock is set again with the next pass.
                cx.waker().wake_by_ref();
                return;
            }
            let watch = self.driver.stop.watch.take();
            let ladder = watch.map_or_else(Ladder::kill, |watch| watch.ladder);
            if self.driver.exit.is_running() {
                self.driver.cut_short(cause);
                self.descend_by(ladder);
            } else {
                self.driver.kill_leftovers();
                // The child has done its part, unless there is no room for what it wrote.
                if self.is_held_back(want) {
                    self.driver.cut_short(cause);
                }
                self.driver.exit.hurry();
            }
            if !self.driver.exit.is_running() {
                self.driver.pass(cx, want, direct);
            }
        }
        self.descend(cx, direct);
    }

    fn cause(&mut self, cx: &mut Context<'_>, direct: bool) -> Option<Cause> {
        let moved = self.moved();
        (self.driver.stop.watch.as_mut()?).cause(cx, moved, !direct)
    }

    /// Moves all the pipes once by what the kernel knows: the reactor may be behind, as when the task has not been polled
    /// for long.
    fn look(&mut self, cx: &mut Context<'_>, want: [Want; 2]) {
        if let Some(writer) = self.writer.as_deref_mut() {
            writer.flush_now();
        }
        let want = want.map(|want| match want {
            Want::Nothing | Want::Later => Want::Piece,
            want => want,
        });
        self.driver.pass(cx, want, true);
    }

    /// What a child that has exited wrote is waited for, and there is no room for it.
    fn is_held_back(&self, want: [Want; 2]) -> bool {
        let streams = Source::BOTH.into_iter().zip(want);
        let is_held_back = |(source, want)| {
            let reader = self.driver.reader(source);
            reader.is_held_back(want) || (want == Want::Later && reader.is_owed())
        };
        (streams.map(is_held_back))
            .chain((self.driver.stages.all.iter()).map(|stage| stage.stderr.is_blocked()))
            .chain(self.driver.stages.tees().map(Tee::is_owed))
            .any(|held_back| held_back)
    }

    /// How many bytes have moved in all.
    fn moved(&self) -> u64 {
        let received: u64 = self.driver.readers().map(Reader::received).sum();
        let copied: u64 = self.driver.stages.tees().map(Tee::taken).sum();
        self.driver.guard().sent() + received + copied
    }

    fn progress(&self) -> (u64, bool, bool, bool) {
        let driver = &self.driver;
        let stopping = driver.stop.is_stopping();
        (
            self.moved(),
            driver.exit.is_running(),
            driver.is_over(),
            stopping,
        )
    }

    fn descend_by(&mut self, ladder: Ladder) {
        self.driver.guard().set_stopping(true);
        let is_of_system = self.driver.guard().control.id().is_some();
        self.driver.stop.descent =
            Some(Box::new(Descent::new(ladder, is_of_system, Instant::now())));
    }

    /// Takes the steps that are due, until the child has exited and nothing of its tree is alive.
    fn descend(&mut self, cx: &mut Context<'_>, direct: bool) {
        while self.driver.stop.is_stopping() {
            let exited = !self.driver.exit.is_running();
            if exited && !self.driver.is_tree_alive(cx, direct) {
                return self.driver.end_stop();
            }
            let Stop {
                descent: Some(descent),
                alarm,
                ..
            } = &mut self.driver.stop
            else {
                return;
            };
            let now = Instant::now();
            match descent.due(now, exited) {
                Due::Nothing => match descent.next(now, exited) {
                    // It has become time meanwhile.
                    Some(next) if alarm.rings(cx, next, !direct) => {}
                    _ => return,
                },
                Due::Step(step) => {
                    if let Err(error) = self.take_step(step) {
                        if let Some(descent) = &mut self.driver.stop.descent {
                            descent.undeliverable(error);
                        }
                    }
                }
                Due::Failure => {
                    match exited {
                        true => self.driver.end_stop_after_all(),
                        false => self.driver.give_up(cx),
                    }
                    // Another task may be waiting for what will not come.
                    cx.waker().wake_by_ref();
                }
            }
        }
    }

    fn take_step(&mut self, step: Step) -> Result<(), io::ErrorKind> {
        let guard = self.driver.guard();
        guard.span.stopping(&step);
        let process = guard.control.process();
        let sent = match step {
            Step::CloseStdin => {
                let closed = self.writer.as_deref_mut().is_some_and(Writer::close_early);
                return closed.then_some(()).ok_or(io::ErrorKind::NotConnected);
            }
            Step::Signal(signal) => process.signal_tree(signal),
            Step::SignalChild(signal) => process.signal(signal),
        };
        sent.map_err(|error| error.kind())
    }

    /// The child has been stopped by the steps of `ladder`, which is taken by the first poll, and what it wrote has
    /// been received as far as there is room.
    pub(crate) fn poll_shutdown(
        &mut self,
        cx: &mut Context<'_>,
        ladder: &mut Option<Ladder>,
    ) -> Poll<Result<Report>> {
        // A limit that is reached must not end the descent, and so is not asked for.
        let want = [Want::Fill; 2];
        if let Some(ladder) = ladder.take() {
            // A child that has exited needs no ladder, also if the reactor does not know it yet.
            self.driver.pass(cx, want, true);
            self.driver.stop.watch = None;
            self.driver.stop.shut_down = true;
            if self.driver.exit.is_running() {
                self.descend_by(ladder);
            } else {
                self.driver.exit.bound_drain();
            }
        }
        for _ in 0..STEPS_PER_POLL {
            let moved = self.pass(cx, want, false);
            if self.driver.is_settled() {
                let report = self.driver.report();
                if self.driver.stop.descent.is_none() {
                    self.driver.kill_leftovers();
                }
                // Also if there is no room for what is left: nobody may come for it.
                self.driver.guard().release();
                return Poll::Ready(report);
            }
            if !moved {
                return Poll::Pending;
            }
        }
        again(cx)
    }

    /// The run was cut short, and this is how it ended.
    pub(super) fn poll_stopped(&mut self, cx: &mut Context<'_>, direct: bool) -> Poll<Error> {
        for _ in 0..STEPS_PER_POLL {
            let moved = self.pass(cx, [Want::Hold; 2], direct);
            if let Some(error) = self.driver.settled_error() {
                return Poll::Ready(error);
            }
            if !moved {
                return Poll::Pending;
            }
        }
        again(cx)
    }

    /// Goes to the last step of a shutdown at once.
    pub(crate) fn abort_shutdown(&mut self) {
        if let Some(descent) = &mut self.driver.stop.descent {
            descent.hurry();
        }
        self.descend(&mut Context::from_waker(Waker::noop()), true);
    }

    /// What a failure to write comes to: a child that is being stopped takes no more input.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let stopped = match error.is_broken_pipe() {
            true => self.driver.stop_error(),
            false => None,
        };
        stopped.unwrap_or_else(|| self.driver.annotate(error))
    }
}

impl Driver {
    /// The run is to end early.
    fn cut_short(&mut self, cause: Cause) {
        self.guard().span.stopping(&cause);
        self.stop.stopped = self.guard().control.stopped();
        self.stop.cause = Some(cause);
        self.stop.untold = true;
        self.stdout.cut();
        self.stderr.cut();
    }

    fn is_tree_alive(&mut self, cx: &mut Context<'_>, direct: bool) -> bool {
        let process = Arc::clone(self.guard().control.process());
        self.stop.look.is_tree_alive(cx, &*process, !direct)
    }

    /// The child has exited, and nothing of its tree is left, or nothing that can be killed.
    fn end_stop(&mut self) {
        if let Some(descent) = &mut self.stop.descent {
            descent.end(Instant::now());
        }
        self.guard().set_stopping(false);
        match self.stop.cause {
            // What the child itself wrote is read, and no more: its time is up.
            Some(_) => self.exit.hurry(),
            None => self.exit.bound_drain(),
        }
    }

    /// The time after the kill is up. The last look at the tree may have been long ago.
    fn end_stop_after_all(&mut self) {
        let alive = self.guard().control.process().is_tree_alive();
        if let Some(descent) = &mut self.stop.descent {
            descent.set_survivors(alive);
        }
        self.end_stop();
    }

    /// The child cannot be killed. It is left to the reaper.
    fn give_up(&mut self, cx: &mut Context<'_>) {
        let waker = cx.waker().clone();
        let control = self.guard().control.clone();
        // It is asked for once more: the time may have been up for a task that was not polled.
        if self
            .exit
            .poll_seen(&mut Context::from_waker(&waker), &control, true)
        {
            self.readers_mut().for_each(Reader::note_exit);
            return self.end_stop_after_all();
        }
        let refused = (self.stop.descent.as_ref()).and_then(|descent| descent.refusal());
        self.exit.give_up(match refused {
            Some(kind) => io::Error::new(kind, "it could not be killed"),
            None => io::Error::other("it was killed, and has not exited"),
        });
        self.guard().set_stopping(false);
        self.finish();
        self.pipes_held = false;
    }

    /// Remembers that the terminal has stopped the child.
    pub(super) fn note_stopped(&mut self, signal: Signal) {
        self.stop.untold_stop = Some(signal);
    }

    /// Why nothing moves, once: the terminal has stopped the child.
    pub(super) fn take_stopped_error(&mut self) -> Option<Error> {
        // What is being stopped for good is continued, or killed.
        let untold = self.stop.untold_stop.take();
        let signal = untold.filter(|_| self.exit.is_running() && !self.stop.is_cut())?;
        let error = self.error(Kind::Stopped(signal));
        Some(
            error
                .with_stopped(Some(signal))
                .with_output(self.peek_output()),
        )
    }

    /// Reading has stopped because there is no room.
    fn is_held(&self) -> bool {
        self.readers().any(Reader::is_held)
    }

    fn report(&mut self) -> Result<Report> {
        let status = self.status()?;
        let never = || Report::new(status);
        Ok((self.stop.descent.as_ref()).map_or_else(never, |descent| descent.report(status)))
    }

    /// Why the run was cut short, with a copy of what has been collected and not been taken.
    pub(crate) fn stop_error(&self) -> Option<Error> {
        Some(self.bare_stop_error()?.with_output(self.peek_output()))
    }

    /// Why the run was cut short.
    pub(super) fn bare_stop_error(&self) -> Option<Error> {
        let survivors = (self.stop.descent.as_ref()).is_some_and(|descent| descent.has_survivors());
        let error = self.error(self.stop.cause?.kind());
        Some(
            error
                .with_stopped(self.stop.stopped)
                .with_survivors(survivors),
        )
    }

    /// Nothing more will be read from `source`, and if that is because the run was cut short, it is known how the child
    /// ended.
    pub(crate) fn is_ended(&self, source: Source) -> bool {
        let reader = self.reader(source);
        reader.is_closed() && (!reader.is_cut() || self.is_settled())
    }

    /// The run is over, or would be if there were room.
    fn is_settled(&self) -> bool {
        self.is_over() || (!self.exit.is_running() && !self.stop.is_stopping() && self.is_held())
    }

    /// Why the run was cut short, once it is known how that ended.
    pub(super) fn settled_error(&self) -> Option<Error> {
        match self.is_settled() {
            true => self.stop_error(),
            false => None,
        }
    }

    /// Why these streams ended early, once.
    pub(crate) fn take_cut(&mut self, sources: &[Source]) -> Option<Error> {
        let mut cut = false;
        for &source in sources {
            cut |= self.reader_mut(source).take_cut();
        }
        self.stop.untold &= !cut;
        if cut { self.stop_error() } else { None }
    }
}
