//! How it ended: is the run over, and what is left of it.

use std::{
    process::ExitStatus,
    task::{Context, Poll},
};

use super::{Pump, Want, Writer, driver::again};
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
            let driver = &mut *self.driver;
            let blocked = driver.stdout.is_blocked() || driver.stderr.is_blocked();
            if driver.is_over() {
                return Poll::Ready(self.input_error().map_or_else(|| self.driver.status(), Err));
            }
            if blocked && !driver.exit.is_running() {
                return Poll::Ready(driver.status());
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
            if self.driver.is_over() {
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

    /// What makes a run that is over a failed one, whatever the child's status.
    fn run_error(&mut self) -> Option<Error> {
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
        let written = self.writer.as_deref().map_or(0, Writer::written);
        self.driver.take_output(written)
    }
}
