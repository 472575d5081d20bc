//! What has come: a piece of one stream, of either, an event.

use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;

use super::{Pump, Want, again, only, read::Reader, stages::Stage};
use crate::{
    error::{Error, Result},
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
        self.poll_staged(cx)
            .map_ok(|(_, source, data)| (source, data))
    }

    /// A piece of either stream or of the stderr of any stage, and which stage it is of; `None` when all have ended.
    fn poll_staged(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(usize, Source, Bytes)>>> {
        let last = self.driver.stages.all.len().saturating_sub(1);
        let of_stage = |(stage, data)| Poll::Ready(Some(Ok((stage, Source::Stderr, data))));
        for _ in 0..STEPS_PER_POLL {
            let turn = self.driver.whose_turn();
            let moved = self.pass(cx, [Want::Piece; 2], false);
            if std::mem::take(&mut self.driver.stages.first) {
                if let Some(piece) = self.driver.stages.take() {
                    return of_stage(piece);
                }
            }
            for source in [turn, turn.other()] {
                if let Some(data) = self.driver.reader_mut(source).take(usize::MAX) {
                    self.driver.end_turn(source);
                    self.driver.stages.first = last > 0;
                    return Poll::Ready(Some(Ok((last, source, data))));
                }
                if let Some(error) = self.driver.take_io_error(source) {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if let Some(piece) = self.driver.stages.take() {
                return of_stage(piece);
            }
            let ended = |&source: &Source| self.driver.is_ended(source);
            if Source::BOTH.iter().all(ended) && self.driver.readers().all(Reader::is_closed) {
                return Poll::Ready(self.driver.take_cut(&Source::BOTH).map(Err));
            }
            if !moved {
                return match self.driver.take_stopped_error() {
                    Some(error) => Poll::Ready(Some(Err(error))),
                    None => Poll::Pending,
                };
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
        if let Some(error) = ready!(self.poll_end(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        self.driver.told_exit = true;
        Poll::Ready(Some(self.driver.status().map(Event::Exit)))
    }

    /// As [`poll_event`](Pump::poll_event), and the stage of a pipeline that the event is of. Each stage has an exit.
    pub(crate) fn poll_stage_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(usize, Event)>>> {
        if self.driver.told_exit {
            return Poll::Ready(None);
        }
        if let Some(piece) = ready!(self.poll_staged(cx)) {
            let event = piece.map(|(stage, source, data)| (stage, source.event(data)));
            return Poll::Ready(Some(event));
        }
        if let Some(error) = ready!(self.poll_end(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let stage = self.driver.stages.told;
        self.driver.stages.told += 1;
        self.driver.told_exit = self.driver.stages.told >= self.driver.stages.all.len();
        let status = match self.driver.stages.all.get(stage).and_then(Stage::status) {
            Some(status) => Ok(status),
            None => self.driver.status(),
        };
        Poll::Ready(Some(status.map(|status| (stage, Event::Exit(status)))))
    }

    /// The run is over; the error, if there is one that has not been told.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        while !self.driver.is_over() {
            if !self.pass(cx, [Want::Piece; 2], false) {
                return self.stuck_end();
            }
        }
        let untold = std::mem::take(&mut self.driver.stop.untold);
        let stopped = self.driver.stop_error().filter(|_| untold);
        Poll::Ready(stopped.or_else(|| self.side_error()))
    }

    /// The streams have ended and the child has not exited: that is an error if the terminal has stopped it.
    fn stuck_end(&mut self) -> Poll<Option<Error>> {
        match self.driver.take_stopped_error() {
            Some(error) => Poll::Ready(Some(error)),
            None => Poll::Pending,
        }
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
