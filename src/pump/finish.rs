//! How it ended: is the run over, and what is left of it.

use std::{
    process::ExitStatus,
    task::{Context, Poll},
};

use super::{Pump, Want, again};
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::STEPS_PER_POLL,
    output::Output,
};

impl Pump<'_> {
    /// The run is over, or the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back
    /// the rest of its output.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<ExitStatus>> {
        for _ in 0..STEPS_PER_POLL {
            let want = [Want::Fill; 2];
            let moved = self.pass(cx, want, false);
            let blocked = self.driver.is_blocked() && !self.driver.exit.is_running();
            if blocked || self.driver.is_over() {
                let error = match self.driver.stop_error() {
                    None if self.driver.is_over() => self.input_error(),
                    error => error,
                };
                return Poll::Ready(error.map_or_else(|| self.driver.status(), Err));
            }
            if !moved {
                return self.stuck(want);
            }
        }
        again(cx)
    }

    /// The run is over, and this is what it left.
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<Output>> {
        for _ in 0..STEPS_PER_POLL {
            let want = [Want::Fill; 2];
            let moved = self.pass(cx, want, false);
            if self.driver.is_over() || self.is_stopped_and_blocked() {
                return Poll::Ready(self.conclude());
            }
            if !moved {
                return match self.stuck::<()>(want) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error.with_output(self.partial()))),
                    _ => Poll::Pending,
                };
            }
        }
        again(cx)
    }

    fn conclude(&mut self) -> Result<Output> {
        match self.run_error() {
            Some(error) => Err(error.with_output(self.partial())),
            None => Ok(self.partial()),
        }
    }

    /// A child that was stopped needs no more room.
    fn is_stopped_and_blocked(&self) -> bool {
        let driver = &self.driver;
        driver.stop.descent.is_some() && !driver.exit.is_running() && driver.is_blocked()
    }

    /// What makes a run that is over a failed one, whatever the child's status.
    fn run_error(&mut self) -> Option<Error> {
        if let Some(error) = self.driver.stop_error() {
            return Some(error);
        }
        if let Poll::Ready(Err(error)) = self.stuck::<()>([Want::Fill; 2]) {
            return Some(error);
        }
        for source in [Source::Stdout, Source::Stderr] {
            if let Some(error) = self.driver.take_error(source) {
                return Some(error);
            }
        }
        self.input_error().or_else(|| self.driver.status().err())
    }

    /// Why the source of the input failed, once.
    pub(super) fn input_error(&mut self) -> Option<Error> {
        let source = self.writer.as_deref_mut()?.take_feed_error()?;
        Some(self.driver.error(Kind::Input).with_source(source))
    }

    /// What there is so far.
    pub(crate) fn partial(&mut self) -> Output {
        self.note_written();
        self.driver.take_output()
    }
}
