//! What has come: a piece of one stream, of either, an event.

use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;

use super::{Pump, Want, again, only};
use crate::{
    error::Result,
    event::{Event, Source},
    limits::STEPS_PER_POLL,
};

impl Pump<'_> {
    /// A piece of `source`; `None` at its end.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        source: Source,
    ) -> Poll<Result<Option<Bytes>>> {
        for _ in 0..STEPS_PER_POLL {
            if let Some(taken) = self.driver.take(source, usize::MAX) {
                return Poll::Ready(taken);
            }
            let want = match self.driver.poll_piece(cx, source) {
                Some(true) => continue,
                Some(false) => only(source, Want::Nothing),
                None => only(source, Want::Piece),
            };
            if !self.pass(cx, want, false) {
                return self.stuck(want);
            }
        }
        again(cx)
    }

    /// A piece of either stream; `None` when both have ended.
    pub(crate) fn poll_any(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Source, Bytes)>>> {
        for _ in 0..STEPS_PER_POLL {
            let turn = self.driver.whose_turn();
            let moved = self.pass(cx, [Want::Piece; 2], false);
            for source in [turn, turn.other()] {
                if let Some(data) = self.driver.reader_mut(source).take(usize::MAX) {
                    self.driver.end_turn(source);
                    return Poll::Ready(Some(Ok((source, data))));
                }
                if let Some(error) = self.driver.take_io_error(source) {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if Source::BOTH
                .iter()
                .all(|&source| self.driver.is_ended(source))
            {
                return Poll::Ready(self.driver.take_cut(&Source::BOTH).map(Err));
            }
            if !moved {
                return Poll::Pending;
            }
        }
        again(cx)
    }

    /// The next event, and `None` for ever after the exit.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        if self.driver.told_exit {
            return Poll::Ready(None);
        }
        if let Some(piece) = ready!(self.poll_any(cx)) {
            return Poll::Ready(Some(piece.map(|(source, data)| source.event(data))));
        }
        while !self.driver.is_over() {
            if !self.pass(cx, [Want::Piece; 2], false) {
                return Poll::Pending;
            }
        }
        let untold = std::mem::take(&mut self.driver.stop.untold);
        if let Some(error) = self.driver.stop_error().filter(|_| untold) {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(error) = self.input_error() {
            return Poll::Ready(Some(Err(error)));
        }
        self.driver.told_exit = true;
        Poll::Ready(Some(self.driver.status().map(Event::Exit)))
    }

    /// What can be had of `source` without waiting: `None` if that is nothing now.
    pub(crate) fn try_recv(&mut self, source: Source, max: usize) -> Result<Option<Option<Bytes>>> {
        if max == 0 {
            return Ok(self.driver.is_eof(source).then_some(None));
        }
        let mut cx = Context::from_waker(Waker::noop());
        self.mind(&mut cx, only(source, Want::Piece), true);
        if self.driver.exit.is_running() {
            self.driver.reader_mut(source).try_piece();
        }
        for _ in 0..STEPS_PER_POLL {
            if let Some(taken) = self.driver.take(source, max) {
                return taken.map(Some);
            }
            // There is nothing to give: let the rest move, so that a loop of such calls cannot deadlock.
            let want = only(source, Want::Piece);
            if !self.pass(&mut cx, want, true) {
                return match self.stuck(want) {
                    Poll::Ready(stuck) => stuck,
                    Poll::Pending => Ok(None),
                };
            }
        }
        Ok(None)
    }
}
