//! [`Writer`]: empties the outbox into the child's stdin.

use std::{
    io::{self, IoSlice},
    task::Poll,
};

use bytes::Bytes;
use futures::StreamExt;

use super::{Turn, read::Step, untold::Untold};
use crate::{
    buffer::Outbox,
    error::{Error, Kind},
    limits::{OUTBOX_HIGH_WATER, STEPS_PER_POLL},
    stdio::{Feed, Input, InputStream},
    sys::{BorrowedDescriptor, OwnedDescriptor},
    transport::{WriteEnd, no_pipe},
};

/// Writes the child's input.
pub(crate) struct Writer {
    /// Gone once stdin is closed, from either side.
    end: Option<WriteEnd>,
    outbox: Outbox,
    feed: Option<InputStream>,
    /// stdin is to be closed once all that is queued has been written.
    closing: bool,
    /// The end may hold back some of what it took.
    unflushed: bool,
    broken: Option<Broken>,
    /// Bytes of messages queued so far, and bytes written.
    queued: u64,
    written: u64,
}

/// Why nothing more can be written.
struct Broken {
    /// The child closed its end, as it may. Anything else is an error of the run.
    closed: bool,
    error: Option<io::Error>,
    /// Queued bytes were dropped or the run has failed, and no call has told so.
    untold: bool,
}

/// A message that has been queued.
pub(crate) struct Sending {
    pub(crate) len: usize,
    /// The count of written bytes at which the message begins.
    start: u64,
}

impl Writer {
    pub(super) fn new(end: Option<WriteEnd>) -> Self {
        Self {
            end,
            outbox: Outbox::default(),
            feed: None,
            closing: false,
            unflushed: false,
            broken: None,
            queued: 0,
            written: 0,
        }
    }

    /// All that the child is to be given, and then end-of-file.
    pub(super) fn set_input(&mut self, input: Input) {
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
        self.written
    }

    /// Grows with all that the user or the child does here.
    pub(super) fn moved(&self) -> u64 {
        self.queued + self.written
    }

    pub(crate) fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        match &self.end {
            Some(WriteEnd::Pipe(pipe)) => Some(pipe.descriptor()),
            _ => None,
        }
    }

    /// Our end, to be written to from elsewhere: stdin is closed here then.
    pub(crate) fn take_end(&mut self) -> io::Result<OwnedDescriptor> {
        let end = self.end.as_ref().ok_or_else(no_pipe)?;
        if self.closing || !self.outbox.is_empty() {
            let text = "some of what is queued for stdin, or its end, has not been written";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        let end = end.to_blocking()?;
        self.end = None;
        Ok(end)
    }

    /// Queues bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check_open()?;
        self.queued += bytes.len() as u64;
        self.outbox.push(bytes);
        Ok(())
    }

    /// Queues a message of which it is to be told how much was written.
    pub(crate) fn begin(&mut self, bytes: Bytes) -> Result<Sending, Error> {
        let sending = Sending {
            len: bytes.len(),
            start: self.written + self.queued() as u64,
        };
        self.push(bytes)?;
        Ok(sending)
    }

    /// How many bytes of a message have been written.
    fn written_of(&self, sending: &Sending) -> usize {
        let written = self.written.saturating_sub(sending.start);
        usize::try_from(written).map_or(sending.len, |n| n.min(sending.len))
    }

    /// Takes back what has not been written of the last message; how much has. If the child is being stopped, what it is to
    /// read last may be behind that.
    pub(crate) fn retract(&mut self, sending: &Sending) -> usize {
        let written = self.written_of(sending);
        let end = self.written + self.queued() as u64;
        let behind = end.saturating_sub(sending.start + sending.len as u64);
        let behind = usize::try_from(behind)
            .unwrap_or(usize::MAX)
            .min(self.queued());
        let left = (sending.len - written).min(self.queued() - behind);
        self.outbox.retract(left, behind);
        written
    }

    /// Adds to an error how much of the message was written, if it is certain that no more will be.
    pub(crate) fn count(&self, error: Error, sending: &Sending) -> Error {
        match self.broken {
            Some(_) => error.with_written(self.written_of(sending)),
            None => error,
        }
    }

    /// Closes stdin with the step that has written all that is queued.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Ends the input here, whatever its source would still give. Whether there was anything to close.
    pub(super) fn close_early(&mut self) -> bool {
        self.feed = None;
        self.closing = true;
        self.end.is_some()
    }

    /// Queues what the child is to read last, instead of what the source of its input would still give. Whether there is a
    /// stdin.
    pub(super) fn push_last(&mut self, data: Bytes) -> bool {
        let open = self.end.is_some();
        if open {
            self.feed = None;
            self.outbox.push(data);
        }
        open
    }

    /// stdin takes no more, and it was not closed here.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The run is over, and there is no reader any more. Whether there was anything to close.
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

    /// Writes once what is queued, and when that is all, has it passed on and closes stdin if that is to be.
    pub(super) fn step(&mut self, turn: &mut Turn<'_, '_>, untold: &mut Untold) -> Step {
        self.poll_feed(turn, untold);
        match self.poll_step(turn) {
            Ok(step) => step,
            Err(error) => {
                self.fail(Some(error));
                Step::Moved
            }
        }
    }

    fn poll_step(&mut self, turn: &mut Turn<'_, '_>) -> io::Result<Step> {
        let Some(end) = &mut self.end else {
            return Ok(Step::Quiet);
        };
        let mut step = Step::Quiet;
        if !self.outbox.is_empty() {
            let (slices, n) = self.outbox.slices();
            let mut written = end.poll_write(turn.cx, &slices[..n]);
            if written.is_pending() && turn.is_now() {
                written = end.try_write(turn.cx, &slices[..n]);
            }
            let Poll::Ready(written) = written else {
                if self.outbox.len() >= OUTBOX_HIGH_WATER {
                    end.grow();
                }
                return Ok(Step::Quiet);
            };
            let n = written?;
            self.outbox.advance(n);
            self.written += n as u64;
            turn.note_written();
            self.unflushed = true;
            step = Step::Moved;
            if !self.outbox.is_empty() {
                return Ok(step);
            }
        }
        if self.unflushed {
            let Poll::Ready(flushed) = end.poll_flush(turn.cx) else {
                return Ok(step);
            };
            flushed?;
            self.unflushed = false;
            step = Step::Moved;
        }
        if self.closing && self.feed.is_none() {
            let Poll::Ready(closed) = end.poll_close(turn.cx) else {
                return Ok(step);
            };
            self.end = None;
            closed?;
            step = Step::Moved;
        }
        Ok(step)
    }

    /// All that was queued has been written, and has been passed on.
    fn is_idle(&self) -> bool {
        let busy = !self.outbox.is_empty() || self.unflushed || self.closing;
        self.end.is_none() || !busy
    }

    /// All that was queued has been written; an error if some of it cannot be.
    pub(super) fn sent(
        &mut self,
        turn: &mut Turn<'_, '_>,
        untold: &mut Untold,
    ) -> Option<Result<(), Error>> {
        self.step(turn, untold);
        self.is_idle().then(|| self.check_loss())
    }

    /// The child reads no more, or stdin has been closed here.
    pub(super) fn is_closed(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        (self.end.as_mut()).is_none_or(|end| end.poll_closed(turn.cx).is_ready())
    }

    /// There is room in the queue.
    pub(super) fn room(
        &mut self,
        turn: &mut Turn<'_, '_>,
        untold: &mut Untold,
    ) -> Option<Result<(), Error>> {
        self.step(turn, untold);
        if let Err(error) = self.check_open() {
            return Some(Err(error));
        }
        (self.outbox.len() < OUTBOX_HIGH_WATER).then_some(Ok(()))
    }

    /// Writes straight from `slices`, once all that was queued before is gone.
    pub(super) fn write(
        &mut self,
        turn: &mut Turn<'_, '_>,
        untold: &mut Untold,
        slices: &[IoSlice<'_>],
    ) -> Option<Result<usize, Error>> {
        self.step(turn, untold);
        if let Err(error) = self.check_open() {
            return Some(Err(error));
        }
        // A system writes only so many slices at once, which may all be empty.
        let Some(from) = slices.iter().position(|slice| !slice.is_empty()) else {
            return Some(Ok(0));
        };
        let slices = &slices[from..];
        let end = (self.end.as_mut()).filter(|_| self.outbox.is_empty() && !self.unflushed)?;
        let written = match turn.is_now() {
            true => end.try_write(turn.cx, slices),
            false => end.poll_write(turn.cx, slices),
        };
        let Poll::Ready(written) = written else {
            return None;
        };
        Some(match written {
            Ok(n) => {
                self.written += n as u64;
                self.unflushed = true;
                if turn.is_now() {
                    // There may be no further poll to flush it.
                    self.step(turn, untold);
                }
                Ok(n)
            }
            Err(error) => {
                self.fail(Some(error));
                self.check_open().map(|()| 0)
            }
        })
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

    /// Tops up the queue from the source of the input.
    fn poll_feed(&mut self, turn: &mut Turn<'_, '_>, untold: &mut Untold) {
        for _ in 0..STEPS_PER_POLL {
            if self.outbox.len() >= OUTBOX_HIGH_WATER {
                return;
            }
            let Some(feed) = &mut self.feed else { return };
            match feed.get_mut().poll_next_unpin(turn.cx) {
                Poll::Ready(Some(Ok(bytes))) => self.outbox.push(bytes),
                Poll::Ready(Some(Err(error))) => {
                    untold.input = Some(error);
                    self.feed = None;
                }
                Poll::Ready(None) => self.feed = None,
                Poll::Pending => return,
            }
        }
        turn.cx.waker().wake_by_ref();
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
            .field("open", &self.is_open())
            .field("queued", &self.queued())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}
