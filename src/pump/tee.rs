//! [`Tee`]: what one stage of a pipeline writes for the next, and is copied on the way.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};

use super::read::Step;
use crate::{
    limits::{FULL_PIPE, MAX_TRANSFER},
    transport::{ReadEnd, TeeParts, WriteEnd},
};

/// Takes a piece from a stage, and no other before both the next stage and the copy have it.
pub(super) struct Tee {
    /// Gone at end-of-file, and when the next stage reads no more, so that the one before it is told.
    from: Option<ReadEnd>,
    buffer: BytesMut,
    next: Destination,
    copy: Destination,
    /// Bytes taken so far.
    taken: u64,
}

/// One of the ways on.
pub(super) struct Destination {
    /// Gone once all is through, or when no more is taken.
    end: Option<WriteEnd>,
    left: Bytes,
    /// The end may hold back some of what it took.
    unflushed: bool,
}

impl Tee {
    pub(super) fn new(parts: TeeParts) -> Self {
        Self {
            from: Some(parts.from),
            buffer: BytesMut::new(),
            next: Destination::new(parts.next),
            copy: Destination::new(parts.copy),
            taken: 0,
        }
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Nothing more will come.
    pub(super) fn is_closed(&self) -> bool {
        self.from.is_none()
    }

    /// The copy does not have all that has been taken.
    pub(super) fn is_unfinished(&self) -> bool {
        self.copy.is_unfinished(!self.is_closed())
    }

    /// The run is over.
    pub(super) fn close(&mut self) {
        self.from = None;
        self.next.give_up();
        self.copy.give_up();
    }

    /// Moves a piece on; the error, if the copy, or what the next stage is given, will not be whole. With `ask` the kernel is
    /// asked when the reactor knows of nothing.
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>, ask: bool) -> io::Result<Step> {
        let read = self.poll_read(cx, ask)?;
        let mut moved = read.is_ready();
        let more = self.from.is_some();
        if let Poll::Ready(result) = self.next.poll_step(cx, more) {
            if let Err(error) = result {
                self.from = None;
                self.next.give_up();
                // That the next stage reads no more is its own affair.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    return Err(error);
                }
            }
            moved = true;
        }
        if let Poll::Ready(result) = self.copy.poll_step(cx, more) {
            result.inspect_err(|_| self.copy.give_up())?;
            moved = true;
        }
        Ok(match moved {
            true => Step::Moved,
            false => Step::Quiet,
        })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, ask: bool) -> io::Result<Poll<()>> {
        let taken = !self.next.is_behind() && !self.copy.is_behind();
        let Some(from) = self.from.as_mut().filter(|_| taken) else {
            return Ok(Poll::Pending);
        };
        let read = match ask {
            true => from.poll_read_now(cx, &mut self.buffer, MAX_TRANSFER),
            false => from.poll_read(cx, &mut self.buffer, MAX_TRANSFER),
        };
        match read {
            Poll::Ready(Ok(0)) => self.from = None,
            Poll::Ready(Ok(n)) => {
                if n >= FULL_PIPE {
                    from.grow();
                }
                self.taken += n as u64;
                let piece = self.buffer.split().freeze();
                self.next.give(&piece);
                self.copy.give(&piece);
            }
            Poll::Ready(Err(error)) => {
                self.from = None;
                return Err(error);
            }
            Poll::Pending => {
                self.buffer = BytesMut::new();
                return Ok(Poll::Pending);
            }
        }
        Ok(Poll::Ready(()))
    }
}

impl Destination {
    pub(super) fn new(end: WriteEnd) -> Self {
        Self {
            end: Some(end),
            left: Bytes::new(),
            unflushed: false,
        }
    }

    pub(super) fn give(&mut self, piece: &Bytes) {
        if self.end.is_some() {
            self.left = piece.clone();
        }
    }

    pub(super) fn give_up(&mut self) {
        self.end = None;
        self.left = Bytes::new();
    }

    /// Some of what was given has not been taken.
    pub(super) fn is_behind(&self) -> bool {
        !self.left.is_empty()
    }

    /// It does not have all that was given, nor, unless there will be `more`, its end.
    pub(super) fn is_unfinished(&self, more: bool) -> bool {
        self.end.is_some() && (!more || self.unflushed || self.is_behind())
    }

    /// Writes what is left, has it passed on, and closes unless there will be `more`; `Pending` also when there is nothing
    /// to be done.
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>, more: bool) -> Poll<io::Result<()>> {
        let Some(end) = &mut self.end else {
            return Poll::Pending;
        };
        if !self.left.is_empty() {
            let written = end.poll_write(cx, &[IoSlice::new(&self.left)]);
            if written.is_pending() {
                end.grow();
            }
            self.left.advance(ready!(written)?);
            self.unflushed = true;
        } else if self.unflushed {
            ready!(end.poll_flush(cx))?;
            self.unflushed = false;
        } else if !more {
            ready!(end.poll_close(cx))?;
            self.end = None;
        } else {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures::future::poll_fn;
    use tokio::io::AsyncWrite;

    use super::*;

    /// The end of a stage that fails so.
    struct Fails(io::ErrorKind);

    impl AsyncWrite for Fails {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(self.0.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn only_a_stage_that_reads_no_more_may_fail() {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            let mut tee = Tee::new(TeeParts {
                from: ReadEnd::any(&b"data"[..]),
                next: WriteEnd::any(Fails(kind)),
                copy: WriteEnd::any(tokio::io::sink()),
            });
            let mut told = Vec::new();
            poll_fn(|cx| {
                loop {
                    match tee.poll_step(cx, false) {
                        Ok(Step::Moved) => {}
                        Ok(_) => return Poll::Ready(()),
                        Err(error) => told.push(error.kind()),
                    }
                }
            })
            .await;
            assert!(tee.is_closed() && !tee.is_unfinished());
            let expected = Some(kind).filter(|kind| *kind != io::ErrorKind::BrokenPipe);
            assert_eq!(told, Vec::from_iter(expected));
        }
    }
}
