//! How it ended: is the run over, and what is left of it.

use std::{
    process::ExitStatus,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{Driver, Pump, Want, again, read::Reader};
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::STEPS_PER_POLL,
    output::Output,
    shutdown::Cause,
};

impl Pump<'_> {
    /// The run is over, or the child has exited and [`Overflow::Block`](crate::Overflow::Block) holds back
    /// the rest of its output.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<ExitStatus>> {
        for _ in 0..STEPS_PER_POLL {
            let want = [Want::Fill; 2];
            let moved = self.pass(cx, want, false);
            if self.driver.is_stuck_at_end() || self.driver.is_over() {
                let error = match self.driver.stop_error() {
                    None if self.driver.is_over() => self.side_error(),
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
            if self.driver.is_over() {
                return Poll::Ready(self.conclude());
            }
            if !moved && self.driver.is_stuck_at_end() {
                // Nothing will make room, for nobody else can take anything.
                let error = self.driver.bare_stop_error();
                let error = error.unwrap_or_else(|| self.driver.blocked_error());
                return Poll::Ready(Err(error.with_output(self.partial())));
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
        if let Some(error) = self.driver.bare_stop_error() {
            return Some(error);
        }
        if let Poll::Ready(Err(error)) = self.stuck::<()>([Want::Fill; 2]) {
            return Some(error);
        }
        for source in Source::BOTH {
            if let Some(error) = self.driver.take_error(source) {
                return Some(error);
            }
        }
        self.side_error().or_else(|| self.driver.status().err())
    }

    /// Why what is beside the child failed, once: the source of its input, our end of its stdin, or what its output is copied to.
    pub(super) fn side_error(&mut self) -> Option<Error> {
        if let Some(writer) = self.writer.as_deref_mut() {
            if let Some(source) = writer.take_feed_error() {
                return Some(self.driver.error(Kind::Input).with_source(source));
            }
            if let Some(error) = writer.take_error() {
                return Some(self.driver.annotate(error));
            }
        }
        let (stage, source) = self.driver.stages.take_error()?;
        let error = self.driver.error(Kind::Output(Source::Stdout));
        Some(error.with_stage(Some(stage)).with_source(source))
    }

    /// What there is so far.
    pub(crate) fn partial(&mut self) -> Output {
        self.driver.take_output()
    }
}

impl Driver {
    /// [`Overflow::Block`](crate::Overflow::Block) holds back the rest of what a child wrote that has exited. While it is being
    /// stopped it is not known how that ends.
    fn is_stuck_at_end(&self) -> bool {
        self.is_blocked() && !self.exit.is_running() && !self.stop.is_stopping()
    }

    /// [`Overflow::Block`](crate::Overflow::Block) holds back what the child wrote.
    fn blocked_error(&self) -> Error {
        let source = match self.stdout.is_blocked() {
            true => Source::Stdout,
            false => Source::Stderr,
        };
        self.error(Kind::Limit(source, self.limit(source).bytes))
    }

    /// Takes all that has been kept.
    pub(super) fn take_output(&mut self) -> Output {
        let stdout = self.stdout.inbox.take_limited();
        let stderr = self.stderr.inbox.take_limited();
        let stages = (self.stages.all.iter_mut())
            .map(|stage| stage.stderr.inbox.take_limited())
            .collect();
        self.output_of(stdout, stderr, stages)
    }

    /// A copy of all that has been kept.
    pub(super) fn peek_output(&self) -> Output {
        let stdout = self.stdout.inbox.last(usize::MAX);
        let stderr = self.stderr.inbox.last(usize::MAX);
        let stages = (self.stages.all.iter())
            .map(|stage| stage.stderr.inbox.last(usize::MAX))
            .collect();
        self.output_of(stdout, stderr, stages)
    }

    fn output_of(&self, stdout: Bytes, stderr: Bytes, stages: Vec<Bytes>) -> Output {
        let started = self.guard().started;
        let first = self.readers().filter_map(Reader::first).min();
        Output {
            status: self.exit.status,
            stages: (self.stages).outputs(stages, (&stderr, self.stderr.inbox.omitted())),
            stdout,
            stderr,
            stdout_omitted: self.stdout.inbox.omitted(),
            stderr_omitted: self.stderr.inbox.omitted(),
            pipes_held: self.pipes_held,
            stdin_written: self.guard().written(),
            timed_out: matches!(
                self.stop.cause,
                Some(Cause::Deadline(_) | Cause::Silence(_))
            ),
            elapsed: (self.elapsed).unwrap_or_else(|| started.elapsed()),
            ran: (self.exit.seen).map_or_else(|| started.elapsed(), |seen| seen - started),
            first_byte: first.map(|first| first - started),
            usage: self.guard().control.usage(),
            command: self.guard().control.command().cloned(),
            secrets: self.guard().control.secrets().clone(),
        }
    }
}
