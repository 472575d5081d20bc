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

/// The output of the child as it comes, and at last its exit status.
///
/// [`Event::Exit`] is the last item and comes exactly once; after it the stream returns `None`. Both streams are
/// received in turn, so that a large amount of output on one does not delay the other. An error does not end the stream: the
/// items that are left follow.
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

/// Queues bytes for the child's stdin.
///
/// Some 64 KiB are queued before [`poll_ready`](Sink::poll_ready) waits. Flushing writes them, closing closes the child's stdin.
///
/// While it waits, output is received and kept up to its [limit](crate::Limits). Where that says
/// [`Fail`](crate::Overflow::Fail) or [`Block`](crate::Overflow::Block), receiving stops there until the stream is polled: that is
/// back-pressure.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use bytes::Bytes;
/// use futures::SinkExt;
/// use process_io::ProcessIo;
///
/// let mut sort = ProcessIo::command("sort").spawn()?;
/// sort.feed(Bytes::from("b\n")).await?;
/// sort.feed(Bytes::from("a\n")).await?;
/// sort.close().await?;
/// assert_eq!(sort.output().await?.stdout, "a\nb\n");
/// # }
/// # Ok(()) }
/// ```
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
