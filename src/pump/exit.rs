//! [`Exit`]: watches the process, and decides when the run is over.
//!
//! 1. The child runs until its exit is seen (without reaping it).
//! 2. What it wrote is then in the pipes, and is read however long the consumer takes. A pipe that is
//!    still open after that is held by a descendant; [`Drain`] says for how long to go on with it.
//! 3. When both streams have ended, or that time is up, the run is over.

use std::{
    io,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use sync_wrapper::SyncWrapper;
use tokio::time::Instant;

use super::{Turn, turn::after};
use crate::{
    limits::{DEFAULT_DRAIN_CAP, Drain, SIBLINGS_PAUSE},
    signal::Signal,
    sys::Siblings,
    transport::{Control, Process},
};

pub(crate) struct Exit {
    phase: Phase,
    pub(super) drain: Drain,
    pub(super) status: Option<ExitStatus>,
    /// When the exit was seen.
    pub(super) seen: Option<Instant>,
    /// Who may hold the pipes for a moment.
    siblings: Vec<Siblings>,
    /// Why there is no status.
    pub(super) error: Option<io::Error>,
    /// Resolves when the terminal stops the child, where it can; and whether it has been told that it did.
    stopped: Option<SyncWrapper<BoxFuture<'static, Signal>>>,
}

enum Phase {
    Running(SyncWrapper<BoxFuture<'static, io::Result<ExitStatus>>>),
    Draining { since: Instant, last_data: Instant },
    Over,
}

/// What comes of the streams after the child's exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// All have ended.
    Closed,
    /// Something that the child itself wrote may still be in a pipe.
    Unread,
    /// Something just came, or could have come if there had been room.
    Busy,
    /// Nothing there.
    Silent,
}

impl Exit {
    pub(super) fn new(control: &Control, drain: Drain, siblings: Vec<Siblings>) -> Self {
        Self {
            phase: Phase::Running(SyncWrapper::new(control.process().clone().wait())),
            drain,
            status: None,
            seen: None,
            siblings,
            error: None,
            stopped: control
                .process()
                .clone()
                .wait_stopped()
                .map(SyncWrapper::new),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether the exit has just been seen.
    pub(super) fn poll_seen(
        &mut self,
        turn: &mut Turn<'_, '_>,
        process: &Arc<dyn Process>,
    ) -> bool {
        let Phase::Running(exited) = &mut self.phase else {
            return false;
        };
        let mut result = exited.get_mut().poll_unpin(turn.cx);
        if result.is_pending() && turn.is_now() {
            result = match Arc::clone(process).try_wait().transpose() {
                Some(result) => Poll::Ready(result),
                None => Poll::Pending,
            };
        }
        match result {
            Poll::Pending => return false,
            Poll::Ready(Ok(status)) => self.status = Some(status),
            Poll::Ready(Err(error)) => self.error = Some(error),
        }
        let now = Instant::now();
        self.seen = Some(now);
        self.phase = Phase::Draining {
            since: now,
            last_data: now,
        };
        true
    }

    /// The signal by which the terminal has just stopped the child, told once.
    pub(super) fn poll_stopped(
        &mut self,
        cx: &mut Context<'_>,
        process: &Arc<dyn Process>,
    ) -> Option<Signal> {
        if !self.is_running() {
            self.stopped = None;
        }
        let Poll::Ready(signal) = self.stopped.as_mut()?.get_mut().poll_unpin(cx) else {
            return None;
        };
        self.stopped = Arc::clone(process).wait_stopped().map(SyncWrapper::new);
        Some(signal)
    }

    /// Reads on no longer than for what the child itself wrote.
    pub(super) fn hurry(&mut self) {
        self.drain = Drain::Immediate;
    }

    /// Does not wait for ever for a descendant that is out of reach.
    pub(super) fn bound_drain(&mut self) {
        self.drain = match self.drain {
            Drain::UntilEof => Drain::default(),
            Drain::Linger { idle, cap } if after(cap).is_none() => Drain::Linger {
                idle,
                cap: DEFAULT_DRAIN_CAP,
            },
            bounded => bounded,
        };
    }

    /// The child does not exit.
    pub(super) fn give_up(&mut self, error: io::Error) {
        self.error = Some(error);
    }

    /// The run is over.
    pub(super) fn finish(&mut self) {
        self.phase = Phase::Over;
    }

    /// Whether a pipe that is still open may be held by a sibling of the child that is just being started, and not by a descendant.
    /// To be asked before the pipes are read; the task is woken when they are to be read for the last time.
    pub(super) fn is_held_by_siblings(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        if self.siblings.is_empty() || !matches!(self.phase, Phase::Draining { .. }) {
            return false;
        }
        self.siblings.retain(Siblings::may_hold);
        let held = !self.siblings.is_empty();
        if let (true, Some(next)) = (held, after(SIBLINGS_PAUSE)) {
            turn.wake_at(next);
        }
        held
    }

    /// Whether all has been read that is to be.
    pub(super) fn is_drained(&mut self, turn: &mut Turn<'_, '_>, flow: Flow) -> bool {
        let Phase::Draining { since, last_data } = &mut self.phase else {
            return false;
        };
        match (flow, self.drain) {
            (Flow::Closed, _) => true,
            (Flow::Unread, _) | (_, Drain::UntilEof) => false,
            (_, Drain::Immediate) => true,
            (_, Drain::Linger { idle, cap }) => {
                if flow == Flow::Busy {
                    *last_data = Instant::now();
                }
                let deadline = earlier(*since, cap, *last_data, idle);
                deadline.is_some_and(|deadline| turn.is_due(deadline))
            }
        }
    }
}

/// The earlier of two points in time; none for durations that reach beyond what the clock can say.
fn earlier(since: Instant, cap: Duration, last: Instant, idle: Duration) -> Option<Instant> {
    match (since.checked_add(cap), last.checked_add(idle)) {
        (Some(cap), Some(idle)) => Some(cap.min(idle)),
        (cap, idle) => cap.or(idle),
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, task::Waker};

    use super::*;
    use crate::{secrets::Secrets, sys::exit_status};

    struct Exits(Option<ExitStatus>);

    impl Process for Exits {
        fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
            ready(self.0.ok_or_else(|| io::ErrorKind::Other.into())).boxed()
        }

        fn signal(&self, _: Signal) -> io::Result<()> {
            Ok(())
        }
    }

    /// A child whose exit has been seen, and whether all has been read for each kind of flow.
    fn drained(drain: Drain) -> [bool; 4] {
        let mut cx = Context::from_waker(Waker::noop());
        let mut turn = Turn::new(&mut cx);
        let process: Arc<dyn Process> = Arc::new(Exits(Some(exit_status(3))));
        let control = Control::new(Arc::clone(&process), None, Secrets::default());
        let mut exit = Exit::new(&control, drain, Vec::new());
        let flows = [Flow::Closed, Flow::Unread, Flow::Busy, Flow::Silent];
        assert!(exit.is_running());
        assert_eq!(
            flows.map(|flow| exit.is_drained(&mut turn, flow)),
            [false; 4]
        );
        assert!(exit.poll_seen(&mut turn, &process) && !exit.is_running());
        assert!(!exit.poll_seen(&mut turn, &process));
        assert_eq!(exit.status, Some(exit_status(3)));
        let drained = flows.map(|flow| exit.is_drained(&mut turn, flow));
        assert!(!exit.is_over());
        exit.finish();
        assert!(exit.is_over());
        drained
    }

    #[test]
    fn what_a_drain_waits_for() {
        const HOUR: Duration = Duration::from_secs(3600);
        let linger = |idle, cap| Drain::Linger { idle, cap };
        for (drain, expected) in [
            (Drain::UntilEof, [true, false, false, false]),
            (Drain::Immediate, [true, false, true, true]),
            (linger(HOUR, HOUR), [true, false, false, false]),
            (linger(Duration::ZERO, HOUR), [true, false, true, true]),
            (linger(HOUR, Duration::ZERO), [true, false, true, true]),
            (
                linger(Duration::MAX, Duration::MAX),
                [true, false, false, false],
            ),
        ] {
            assert_eq!(drained(drain), expected, "{drain:?}");
        }
    }

    #[test]
    fn an_exit_that_cannot_be_waited_for_is_one() {
        let mut cx = Context::from_waker(Waker::noop());
        let process: Arc<dyn Process> = Arc::new(Exits(None));
        let control = Control::new(Arc::clone(&process), None, Secrets::default());
        let mut exit = Exit::new(&control, Drain::default(), Vec::new());
        assert!(exit.poll_seen(&mut Turn::new(&mut cx), &process));
        assert!(exit.status.is_none() && exit.error.is_some());
    }

    #[test]
    fn a_drain_without_end_can_be_bounded() {
        let process: Arc<dyn Process> = Arc::new(Exits(None));
        let control = Control::new(process, None, Secrets::default());
        for endless in [
            Drain::UntilEof,
            Drain::Linger {
                idle: Duration::MAX,
                cap: Duration::MAX,
            },
        ] {
            let mut exit = Exit::new(&control, endless, Vec::new());
            exit.bound_drain();
            let Drain::Linger { cap, .. } = exit.drain else {
                panic!("{:?}", exit.drain);
            };
            assert_eq!(cap, DEFAULT_DRAIN_CAP);
        }
    }
}
