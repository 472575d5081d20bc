//! [`Descent`]: where on a [`Ladder`] a run is.

use std::{io, process::ExitStatus, task::Context, time::Duration};

use tokio::time::Instant;

use super::{Alarm, Ladder, Report, Step, Taken};

/// A child that is being stopped.
#[derive(Debug)]
pub(crate) struct Descent {
    rest: std::vec::IntoIter<(Step, Duration)>,
    taken: Vec<Taken>,
    began: Instant,
    /// When the last step was taken, and until when it is waited for; `None` in time's far reaches.
    step_began: Instant,
    until: Option<Instant>,
    ended: bool,
    alarm: Alarm,
}

/// What a descent asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// This step is to be taken now.
    Step(Step),
    /// Not yet, or never again.
    Nothing,
    /// Even the last step did not help.
    Failure,
}

impl Descent {
    pub(crate) fn new(ladder: Ladder) -> Self {
        let now = Instant::now();
        Self {
            rest: ladder.into_steps(),
            taken: Vec::new(),
            began: now,
            step_began: now,
            until: Some(now),
            ended: false,
            alarm: Alarm::default(),
        }
    }

    /// What is due. The task is woken for what comes next, unless `wake` is false.
    pub(crate) fn due(&mut self, cx: &mut Context<'_>, wake: bool) -> Due {
        let waiting = match self.until {
            Some(until) => !self.alarm.rings(cx, until, wake),
            None => true,
        };
        if self.ended || waiting {
            return Due::Nothing;
        }
        self.conclude_step();
        match self.rest.next() {
            Some((step, grace)) => {
                self.until = self.step_began.checked_add(grace);
                self.taken.push(Taken {
                    step,
                    took: Duration::ZERO,
                    error: None,
                });
                Due::Step(step)
            }
            None => {
                self.ended = true;
                Due::Failure
            }
        }
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

    /// The child has exited.
    pub(crate) fn end(&mut self) {
        if !self.ended {
            self.conclude_step();
            self.ended = true;
        }
    }

    pub(crate) fn report(&self, status: ExitStatus) -> Report {
        Report {
            status,
            steps: self.taken.clone(),
            elapsed: self.step_began - self.began,
        }
    }

    fn conclude_step(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.taken.last_mut() {
            last.took = now - self.step_began;
        }
        self.step_began = now;
    }
}
