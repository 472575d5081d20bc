//! [`Writer`]: empties the outbox into the child's stdin.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures::Stream;

use super::{again, read::Step};
use crate::{
    buffer::Outbox,
    error::{Error, Kind},
    limits::{OUTBOX_HIGH_WATER, STEPS_PER_POLL},
    shutdown::Hold,
    stdio::{Feed, Input},
    sys::BorrowedDescriptor,
    transport::WriteEnd,
};

/// The way into the child.
pub(crate) struct Writer {
    /// Before the pipe, which is closed after the process is let go.
    guard: Hold,
    /// Gone once stdin is closed, from either side.
    end: Option<WriteEnd>,
    outbox: Outbox,
    feed: Option<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    /// stdin is to be closed once all that is queued has been written.
    closing: bool,
    /// The end may hold back some of what it took.
    unflushed: bool,
    broken: Option<Broken>,
    /// Of the task that waits.
    waker: Waker,
    feed_error: Option<io::Error>,
}

/// How to write when the reactor knows of no room.
type TryWrite = fn(&mut WriteEnd, &mut Context<'_>, &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

fn no_room(_: &mut WriteEnd, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    Poll::Pending
}

/// Why nothing more can be written.
struct Broken {
    /// The child closed its end, as it may. Anything else is an error of the run.
    closed: bool,
    error: Option<io::Error>,
    /// Queued bytes were dropped or the run has failed, and nobody has been told.
    untold: bool,
}

/// A message that has been queued.
pub(crate) struct Sending {
    pub(crate) len: usize,
    /// The count of written bytes at which the message begins.
    start: u64,
}

impl Writer {
    pub(crate) fn new(end: Option<WriteEnd>, guard: Hold) -> Self {
        Self {
            end,
            outbox: Outbox::default(),
            feed: None,
            closing: false,
            unflushed: false,
            guard,
            broken: None,
            waker: Waker::noop().clone(),
            feed_error: None,
        }
    }

    /// All that the child is to be given, and then end-of-file.
    pub(crate) fn set_input(&mut self, input: Input) {
        match input.0 {
            Feed::Bytes(bytes) => self.outbox.push(bytes),
            Feed::Stream(stream) => self.feed = Some(stream),
        }
        self.closing = true;
    }

    /// Whether something can still be queued.
    pub(crate) fn is_open(&self) -> bool {
        self.end.is_some() && !self.closing
    }

    /// Bytes queued and not yet written.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Bytes the child's stdin has taken.
    pub(crate) fn written(&self) -> u64 {
        self.guard.written()
    }

    pub(crate) fn guard(&self) -> &Hold {
        &self.guard
    }

    pub(crate) fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        match &self.end {
            Some(WriteEnd::Pipe(pipe)) => Some(pipe.descriptor()),
            _ => None,
        }
    }

    /// Queues bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check_open()?;
        self.guard.note_queued(bytes.len());
        self.outbox.push(bytes);
        Ok(())
    }

    /// Queues a message of which it is to be told how much was written.
    pub(crate) fn begin(&mut self, bytes: Bytes) -> Result<Sending, Error> {
        let sending = Sending {
            len: bytes.len(),
            start: self.written() + self.queued() as u64,
        };
        self.push(bytes)?;
        Ok(sending)
    }

    /// How many bytes of a message have been written.
    fn written_of(&self, sending: &Sending) -> usize {
        let written = self.written().saturating_sub(sending.start);
        usize::try_from(written).map_or(sending.len, |n| n.min(sending.len))
    }

    /// Takes back what has not been written of the last message; how much has.
    pub(crate) fn retract(&mut self, sending: &Sending) -> usize {
        let written = self.written_of(sending);
        self.outbox
            .retract((sending.len - written).min(self.outbox.len()));
        written
    }

    /// Adds to an error how much of the message was written, if it is certain that no more will be.
    pub(crate) fn count(&self, error: Error, sending: &Sending) -> Error {
        match self.broken {
            Some(_) => error.with_written(self.written_of(sending)),
            None => error,
        }
    }

    /// Closes stdin as soon as all that is queued has been written.
    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.flush_now();
    }

    /// Ends the input here, whatever its source would still give; what is queued is written first. Whether there was
    /// anything to close.
    pub(crate) fn close_early(&mut self) -> bool {
        let open = self.end.is_some();
        self.feed = None;
        self.close();
        open
    }

    /// The run is over: nobody will read any more. Whether there was anything to close.
    pub(crate) fn abandon(&mut self) -> bool {
        let open = self.end.is_some();
        if open {
            self.fail(None);
        }
        open
    }

    /// Why stdin failed, once, if that was not the child's choice.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        let broken = self.broken.as_mut()?;
        (broken.untold && !broken.closed).then(|| broken.tell())
    }

    /// Why the source of the input failed, once.
    pub(crate) fn take_feed_error(&mut self) -> Option<io::Error> {
        self.feed_error.take()
    }

    /// Writes what is queued until it is all gone, or stdin is.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.clone_from(cx.waker());
        self.poll_flush_or(cx, no_room)
    }

    /// Writes what the pipe takes now of what is queued, also if the reactor does not know that there is room.
    pub(crate) fn flush_now(&mut self) {
        // A pipe forgets the waker it had when it is polled with another.
        let waker = self.waker.clone();
        let _ = self.poll_flush_or(&mut Context::from_waker(&waker), WriteEnd::try_write);
    }

    /// Writes once, if there is room; whether it did.
    pub(super) fn step(&mut self, cx: &mut Context<'_>) -> bool {
        self.waker.clone_from(cx.waker());
        self.poll_step(cx, no_room) == Poll::Ready(Step::Moved)
    }

    fn poll_flush_or(&mut self, cx: &mut Context<'_>, or_else: TryWrite) -> Poll<()> {
        for _ in 0..STEPS_PER_POLL {
            if ready!(self.poll_step(cx, or_else)) == Step::Quiet {
                return Poll::Ready(());
            }
        }
        again(cx)
    }

    /// `or_else` writes when the reactor knows of no room.
    fn poll_step(&mut self, cx: &mut Context<'_>, or_else: TryWrite) -> Poll<Step> {
        self.poll_feed(cx);
        let Some(end) = &mut self.end else {
            return Poll::Ready(Step::Quiet);
        };
        let result = if !self.outbox.is_empty() {
            let (slices, n) = self.outbox.slices();
            let mut written = end.poll_write(cx, &slices[..n]);
            if written.is_pending() {
                written = or_else(end, cx, &slices[..n]);
            }
            if written.is_pending() && self.outbox.len() >= OUTBOX_HIGH_WATER {
                end.grow();
            }
            ready!(written).map(|n| self.wrote(n))
        } else if self.unflushed {
            ready!(end.poll_flush(cx)).map(|()| self.unflushed = false)
        } else if self.feed.is_some() {
            return Poll::Pending;
        } else if self.closing {
            let closed = ready!(end.poll_close(cx));
            self.end = None;
            closed
        } else {
            return Poll::Ready(Step::Quiet);
        };
        if let Err(error) = result {
            self.fail(Some(error));
        }
        Poll::Ready(Step::Moved)
    }

    /// All that was queued has been written; an error if some of it cannot be.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_flush(cx));
        Poll::Ready(self.check_loss())
    }

    /// There is room in the queue.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = self.poll_flush(cx);
        self.check_open()?;
        match flushed {
            Poll::Pending if self.outbox.len() >= OUTBOX_HIGH_WATER => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Writes straight from `slices`, once all that was queued before is gone.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let flushed = self.poll_flush(cx);
        self.check_open()?;
        ready!(flushed);
        let Some(end) = &mut self.end else {
            return Poll::Ready(Err(Error::new(Kind::StdinClosed)));
        };
        let result = ready!(end.poll_write(cx, slices));
        Poll::Ready(self.conclude(result))
    }

    /// Writes what the pipe takes now, once all that was queued before is gone; 0 if it is full.
    pub(crate) fn try_write(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.flush_now();
        if !self.outbox.is_empty() {
            return Ok(0);
        }
        self.check_open()?;
        let Some(end) = self.end.as_mut().filter(|_| !data.is_empty()) else {
            return Ok(0);
        };
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        match end.try_write(cx, &[IoSlice::new(data)]) {
            Poll::Ready(result) => {
                let sent = self.conclude(result);
                self.flush_now();
                sent
            }
            Poll::Pending => Ok(0),
        }
    }

    /// Fails if nothing can be queued, and says why. Of what was to be queued nothing was written.
    fn check_open(&mut self) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        let error = match &mut self.broken {
            Some(broken) => broken.tell(),
            None => Error::new(Kind::StdinClosed),
        };
        Err(error.with_written(0))
    }

    /// Fails, once, if queued bytes were dropped or stdin has failed.
    fn check_loss(&mut self) -> Result<(), Error> {
        match &mut self.broken {
            Some(broken) if broken.untold => Err(broken.tell()),
            _ => Ok(()),
        }
    }

    fn conclude(&mut self, result: io::Result<usize>) -> Result<usize, Error> {
        match result {
            Ok(n) => {
                self.guard.note_written(n);
                self.unflushed = true;
                Ok(n)
            }
            Err(error) => {
                self.fail(Some(error));
                self.check_open().map(|()| 0)
            }
        }
    }

    /// Tops up the queue from the source of the input.
    fn poll_feed(&mut self, cx: &mut Context<'_>) {
        for _ in 0..STEPS_PER_POLL {
            if self.outbox.len() >= OUTBOX_HIGH_WATER {
                return;
            }
            let Some(feed) = &mut self.feed else { return };
            match feed.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.outbox.push(bytes),
                Poll::Ready(Some(Err(error))) => {
                    self.feed_error = Some(error);
                    self.feed = None;
                }
                Poll::Ready(None) => self.feed = None,
                Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }

    fn wrote(&mut self, n: usize) {
        self.outbox.advance(n);
        self.guard.note_written(n);
        self.unflushed = true;
    }

    fn fail(&mut self, error: Option<io::Error>) {
        let closed = (error.as_ref()).is_none_or(|e| e.kind() == io::ErrorKind::BrokenPipe);
        self.broken = Some(Broken {
            closed,
            error,
            untold: !closed || !self.outbox.is_empty(),
        });
        self.end = None;
        self.feed = None;
        self.outbox.clear();
    }
}

impl Broken {
    fn tell(&mut self) -> Error {
        self.untold = false;
        let error = Error::new(match self.closed {
            true => Kind::BrokenPipe,
            false => Kind::Stdin,
        });
        match self.error.take() {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("control", &self.guard.control)
            .field("open", &self.is_open())
            .field("queued", &self.queued())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}
