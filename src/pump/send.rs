//! What has gone: is it all sent, is there room.

use std::task::{Context, Poll, Waker};

use super::{Pump, Want, Writer, again};
use crate::{
    error::{Kind, Result},
    limits::STEPS_PER_POLL,
};

impl Pump<'_> {
    /// All that was queued is in the pipe.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_writer(cx, true, |writer, cx| writer.poll_sent(cx))
    }

    /// As `ask` says of the writer. While it waits, output is read up to the limit; then the call fails
    /// if `strict`, and else holds back: in the traits that streams are made of, an output nobody takes
    /// is back-pressure.
    pub(crate) fn poll_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        strict: bool,
        mut ask: impl FnMut(&mut Writer, &mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let want = [if strict { Want::Fill } else { Want::Hold }; 2];
        // A writer that never has to wait makes no pass.
        self.mind(cx, want, false);
        for _ in 0..STEPS_PER_POLL {
            if self.driver.stop.cause.is_some() {
                return self.poll_stopped(cx, false).map(Err);
            }
            let Some(writer) = self.writer.as_deref_mut() else {
                return Poll::Ready(Err(self.driver.error(Kind::StdinClosed)));
            };
            if let Poll::Ready(answer) = ask(writer, cx) {
                return Poll::Ready(answer.map_err(|error| self.driver.annotate(error)));
            }
            if !self.pass(cx, want, false) {
                return self.stuck(want);
            }
        }
        again(cx)
    }

    /// Writes what the pipe takes now. When it takes nothing the rest moves, so that a loop of such calls cannot
    /// deadlock.
    pub(crate) fn try_send(&mut self, data: &[u8]) -> Result<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        let want = [Want::Fill; 2];
        self.mind(&mut cx, want, true);
        for _ in 0..STEPS_PER_POLL {
            if self.driver.stop.cause.is_some() {
                return match self.poll_stopped(&mut cx, true) {
                    Poll::Ready(error) => Err(error),
                    Poll::Pending => Ok(0),
                };
            }
            let Some(writer) = self.writer.as_deref_mut() else {
                return Err(self.driver.error(Kind::StdinClosed));
            };
            match writer.try_write(data) {
                Ok(0) if !data.is_empty() => {}
                sent => return sent.map_err(|error| self.explain(error)),
            }
            if !self.pass(&mut cx, want, true) {
                return match self.stuck(want) {
                    Poll::Ready(stuck) => stuck,
                    Poll::Pending => Ok(0),
                };
            }
        }
        Ok(0)
    }
}
