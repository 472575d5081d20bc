//! [`Escalation`]: where on a [`Ladder`] a run is.

use std::{io, process::ExitStatus, time::Duration};

use tokio::time::Instant;

use super::{Ladder, ladder::Action};
use crate::{
    limits::{KILL_GRACE, SURVIVOR_GRACE},
    report::{Report, Taken},
};

/// A child that is being stopped.
///
/// | state | `due` |
/// |---|---|
/// | the time of the last step is not up | nothing |
/// | it is up, and there is another step | that step |
/// | it is up after the last step | failure, once |
/// | ended | nothing |
///
/// The time after the last step, the kill, is real time where it is the system that is waited for, so that a paused clock does
/// not end it.
#[derive(Debug)]
pub(crate) struct Escalation {
    rest: std::vec::IntoIter<(Action, Duration)>,
    taken: Vec<Taken>,
    began: Instant,
    /// When the last step was taken, and until when it is waited for; `None` in time's far reaches.
    step_began: Instant,
    until: Option<Instant>,
    /// When the kill was sent, by either clock.
    killed: Option<(Instant, std::time::Instant)>,
    is_of_system: bool,
    ended: bool,
    survivors: bool,
}

/// What an escalation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// This step is to be taken now.
    Step(Action),
    /// Not yet, or never again.
    Nothing,
    /// Even the last step did not help.
    Failure,
}

impl Escalation {
    /// `is_of_system`: the child is a process of this machine.
    pub(crate) fn new(ladder: Ladder, is_of_system: bool, now: Instant) -> Self {
        Self {
            rest: ladder.into_steps(),
            taken: Vec::new(),
            began: now,
            step_began: now,
            until: Some(now),
            killed: None,
            is_of_system,
            ended: false,
            survivors: false,
        }
    }

    /// What is due at `now`; `exited` is whether the child itself has exited, and only its tree is waited for.
    pub(crate) fn due(&mut self, now: Instant, exited: bool) -> Due {
        let waiting = match (self.left_after_kill(now, exited), self.until) {
            (Some(left), _) => !left.is_zero(),
            (None, Some(until)) => now < until,
            (None, None) => true,
        };
        if self.ended || waiting {
            return Due::Nothing;
        }
        self.conclude_step(now);
        let Some((action, grace)) = self.rest.next() else {
            self.ended = true;
            self.survivors = true;
            return Due::Failure;
        };
        self.until = now.checked_add(grace);
        if self.rest.len() == 0 {
            self.killed = Some((now, std::time::Instant::now()));
        }
        self.taken.push(Taken {
            step: action.step(),
            took: Duration::ZERO,
            error: None,
        });
        Due::Step(action)
    }

    /// When something may be due, as far as time tells.
    pub(crate) fn next(&self, now: Instant, exited: bool) -> Option<Instant> {
        if self.ended {
            return None;
        }
        match self.left_after_kill(now, exited) {
            Some(left) => now.checked_add(left),
            None => self.until,
        }
    }

    /// How long it is still waited after the kill, once that has been sent.
    fn left_after_kill(&self, now: Instant, exited: bool) -> Option<Duration> {
        let (at, really_at) = self.killed?;
        if self.refusal().is_some() && !exited {
            return Some(Duration::ZERO);
        }
        let grace = if exited { SURVIVOR_GRACE } else { KILL_GRACE };
        let passed = match self.is_of_system {
            true => really_at.elapsed(),
            false => now - at,
        };
        Some(grace.saturating_sub(passed))
    }

    /// The step that was due could not be delivered.
    pub(crate) fn undeliverable(&mut self, error: io::ErrorKind) {
        if let Some(last) = self.taken.last_mut() {
            last.error = Some(error);
        }
        self.until = Some(self.step_began);
    }

    /// Why the last step could not be delivered.
    pub(crate) fn refusal(&self) -> Option<io::ErrorKind> {
        self.taken.last()?.error
    }

    /// Goes on with the last step of all at once.
    pub(crate) fn hurry(&mut self) {
        let before = self.rest.len().saturating_sub(1);
        self.rest.by_ref().take(before).for_each(drop);
        if self.rest.len() > 0 {
            self.until = Some(self.began);
        }
    }

    /// Nobody is left to be stopped.
    pub(crate) fn end(&mut self, now: Instant) {
        if !self.ended {
            self.conclude_step(now);
            self.ended = true;
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn set_survivors(&mut self, survivors: bool) {
        self.survivors = survivors;
    }

    /// The child or a member of its tree was still running at the end.
    pub(crate) fn has_survivors(&self) -> bool {
        self.survivors
    }

    pub(crate) fn report(&self, status: ExitStatus) -> Report {
        Report {
            status,
            steps: self.taken.clone(),
            elapsed: self.step_began - self.began,
            survivors: self.survivors,
        }
    }

    fn conclude_step(&mut self, now: Instant) {
        if let Some(last) = self.taken.last_mut() {
            last.took = now - self.step_began;
        }
        self.step_began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{signal::Signal, sys::exit_status};

    const SECOND: Duration = Duration::from_secs(1);

    fn begin(ladder: Ladder) -> (Escalation, Instant) {
        let now = Instant::now();
        (Escalation::new(ladder, false, now), now)
    }

    fn asks() -> Ladder {
        Ladder::new()
            .close_stdin(SECOND)
            .signal(Signal::TERM, 2 * SECOND)
    }

    const KILL: Due = Due::Step(Action::Signal(Signal::KILL));

    #[test]
    fn each_step_has_its_time() {
        let (mut escalation, start) = begin(asks());
        let at = |seconds| start + seconds * SECOND;
        assert_eq!(escalation.due(at(0), false), Due::Step(Action::CloseStdin));
        assert_eq!(escalation.due(at(0), false), Due::Nothing);
        assert_eq!(escalation.next(at(0), false), Some(at(1)));
        assert_eq!(
            escalation.due(at(1), false),
            Due::Step(Action::Signal(Signal::TERM))
        );
        assert_eq!(escalation.due(at(2), false), Due::Nothing);
        assert_eq!(escalation.due(at(3), false), KILL);
        assert_eq!(escalation.next(at(3), false), Some(at(3) + KILL_GRACE));
        escalation.end(at(4));
        assert_eq!(escalation.due(at(100), false), Due::Nothing);
        let report = escalation.report(exit_status(0));
        let took: Vec<_> = report.steps.iter().map(|step| step.took).collect();
        assert_eq!(took, [SECOND, 2 * SECOND, SECOND]);
        assert_eq!(report.elapsed, 4 * SECOND);
        assert!(!report.survivors);
    }

    #[test]
    fn a_step_that_cannot_be_taken_has_no_time() {
        let (mut escalation, start) = begin(asks());
        assert_eq!(escalation.due(start, false), Due::Step(Action::CloseStdin));
        escalation.undeliverable(io::ErrorKind::NotConnected);
        let next = escalation.due(start, false);
        assert_eq!(next, Due::Step(Action::Signal(Signal::TERM)));
        assert_eq!(
            escalation.report(exit_status(0)).steps[0].error,
            Some(io::ErrorKind::NotConnected)
        );
    }

    #[test]
    fn what_outlives_the_kill_is_a_failure_once() {
        for (exited, grace) in [(false, KILL_GRACE), (true, SURVIVOR_GRACE)] {
            let (mut escalation, start) = begin(Ladder::kill());
            assert_eq!(escalation.due(start, exited), KILL);
            assert_eq!(escalation.due(start, exited), Due::Nothing);
            assert_eq!(escalation.due(start + grace, exited), Due::Failure);
            assert!(escalation.is_ended() && escalation.has_survivors());
            assert_eq!(escalation.due(start + 2 * grace, exited), Due::Nothing);
        }
    }

    #[test]
    fn a_kill_that_is_refused_is_not_waited_for() {
        let (mut escalation, start) = begin(Ladder::kill());
        assert_eq!(escalation.due(start, false), KILL);
        escalation.undeliverable(io::ErrorKind::PermissionDenied);
        assert_eq!(escalation.due(start, false), Due::Failure);
        assert_eq!(escalation.refusal(), Some(io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn who_hurries_takes_the_last_step() {
        let (mut escalation, start) = begin(asks());
        assert_eq!(escalation.due(start, false), Due::Step(Action::CloseStdin));
        escalation.hurry();
        assert_eq!(escalation.due(start, false), KILL);
        escalation.hurry();
        assert_eq!(escalation.due(start, false), Due::Nothing);
    }
}
