//! [`ProcessIo`] as a `Stream` of events and a `Sink` of bytes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Sink, Stream, stream::FusedStream};

use super::ProcessIo;
use crate::{
    error::{Error, Result},
    event::Event,
    pump::{Role, poll_event, poll_flush, poll_room, push},
};

/// Everything the child says, as it comes, and in the end how it ended.
///
/// [`Event::Exit`] is the last item and comes exactly once; after it the stream is over for good. Both streams are
/// served in turn, so that a flood on one does not starve the other. An error is not the end: what is left
/// follows.
///
/// A stream that is not polled is back-pressure: the child waits when its pipe is full.
impl Stream for ProcessIo {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_as(Role::Read, cx, |pump, turn| {
            poll_event(pump, turn, false).map_ok(|(_, event)| event)
        })
    }
}

impl FusedStream for ProcessIo {
    fn is_terminated(&self) -> bool {
        self.pump.is_terminated()
    }
}

/// Bytes for the child's stdin. Some 64 KiB are queued before [`poll_ready`](Sink::poll_ready) waits; flush to
/// have them written, close to close the child's stdin.
///
/// While it waits, output is received and kept up to its [limit](crate::Limits). There it
/// stops, whatever the limit says, until the stream is polled: that is back-pressure.
impl Sink<Bytes> for ProcessIo {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_as(Role::Write, cx, poll_room)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<()> {
        push(&mut self.pump, item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_as(Role::Write, cx, poll_flush)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.close_stdin();
        self.poll_as(Role::Write, cx, poll_flush)
    }
}
