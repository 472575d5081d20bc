//! [`Reader`]: fills one inbox from one of the child's output streams.

use std::{
    io,
    iter::repeat,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Instant;

use super::tee::Destination;
use crate::{
    buffer::{Inbox, Tail},
    event::Source,
    limits::{
        ASSUMED_UNREAD_AT_EXIT, FULL_PIPE, GROWN_PIPE, Limit, MAX_TRANSFER, MIN_READ, MIN_SEARCH,
        Overflow,
    },
    lines::{LineBlock, LineOptions},
    sys::{BorrowedDescriptor, Outlet, OwnedDescriptor},
    transport::{ReadEnd, WriteEnd, no_pipe},
};

/// What is wanted of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    when: When,
    bound: Bound,
}

/// Whether to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// If nothing is kept yet.
    Empty,
    /// Not yet: what came before has not been passed on.
    Later,
}

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// Whatever comes: it is handed out at once, or who takes it apart has a bound of their own.
    None,
    /// As the limit says.
    Limit,
    /// The same, and nothing else will be taken: a limit that holds back for ever is an error too.
    Whole,
    /// The same, but a limit that is an error holds back, as if it were [`Overflow::Block`].
    Hold,
    /// As many bytes as the limit has, and so many at least: reading stops there whatever the limit says.
    Stop(usize),
}

impl Want {
    /// One piece, if there is none yet.
    pub(crate) const PIECE: Self = Self::new(When::Empty, Bound::None);
    /// Another piece, whatever there is.
    pub(crate) const MORE: Self = Self::new(When::Always, Bound::None);
    /// All that comes.
    pub(crate) const ALL: Self = Self::new(When::Always, Bound::Limit);
    /// All that comes, and all of it.
    pub(crate) const WHOLE: Self = Self::new(When::Always, Bound::Whole);
    /// All that comes, as long as there is room.
    pub(crate) const HOLD: Self = Self::new(When::Always, Bound::Hold);
    /// All that comes until the limit.
    pub(crate) const WINDOW: Self = Self::new(When::Always, Bound::Stop(0));
    /// The same, and enough to be searched.
    pub(crate) const SEARCH: Self = Self::new(When::Always, Bound::Stop(MIN_SEARCH));
    pub(crate) const LATER: Self = Self::new(When::Later, Bound::Limit);

    const fn new(when: When, bound: Bound) -> Self {
        Self { when, bound }
    }

    /// All that comes, until so many bytes are kept.
    pub(super) const fn at_least(bytes: usize) -> Self {
        Self::new(When::Always, Bound::Stop(bytes))
    }

    /// A limit that is reached is an error.
    pub(super) fn is_strict(self) -> bool {
        matches!(self, Self::ALL | Self::WHOLE)
    }
}

/// What is wanted of stdout and stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants(pub(crate) [Want; 2]);

impl Wants {
    pub(crate) const ALL: Self = Self::both(Want::ALL);

    /// `want` of `source`, and all that comes of the other.
    pub(crate) fn only(source: Source, want: Want) -> Self {
        match source {
            Source::Stdout => Self([want, Want::ALL]),
            Source::Stderr => Self([Want::ALL, want]),
        }
    }

    pub(crate) fn of(self, source: Source) -> Want {
        self.0[source as usize]
    }

    pub(crate) const fn both(want: Want) -> Self {
        Self([want; 2])
    }

    /// Of all that is read, in turn.
    pub(super) fn of_all(self) -> impl Iterator<Item = Want> {
        self.0.into_iter().chain(repeat(self.of_stages()))
    }

    /// Of the stderr of the stages of a pipeline: what is wanted of everything.
    pub(super) fn of_stages(self) -> Want {
        match self.0 {
            [Want::PIECE, Want::PIECE] => Want::PIECE,
            [Want::HOLD, Want::HOLD] => Want::HOLD,
            [Want::WHOLE, Want::WHOLE] => Want::WHOLE,
            _ => Want::ALL,
        }
    }

    /// The same, and something of each.
    pub(super) fn not_later(self) -> Self {
        let now = |want: Want| match want.when {
            When::Later => Want::PIECE,
            _ => want,
        };
        Self(self.0.map(now))
    }
}

/// What one read did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Nothing there now; the task will be woken unless there is nothing for ever.
    Quiet,
    /// Not tried: there is no room, or enough for now.
    Held,
    /// Something came, the end of the stream perhaps.
    Moved,
}

/// Reads one of the child's streams.
pub(crate) struct Reader {
    /// Gone at end-of-file.
    end: Option<ReadEnd>,
    /// There was an end, and the stream of events has not said that it is gone.
    pub(super) end_untold: bool,
    /// There never was one, and who receives from it has not been told.
    pub(super) absent_untold: bool,
    pub(super) inbox: Inbox,
    /// Where its last bytes are noted.
    tail: Option<Tail>,
    /// Grows while reads are filled, so that an idle stream needs little and a busy one few calls.
    next_read: usize,
    /// Bytes that were in the pipe when the child's exit was seen and have not been read yet, those may be
    /// the child's own, and one more for the look that finds what is behind them. [`ASSUMED_UNREAD_AT_EXIT`] where that
    /// cannot be told.
    unread_at_exit: u64,
    /// Bytes read so far, and when the first was.
    received: u64,
    first: Option<Instant>,
    /// Where all that is read is written too, if it is. No other piece is read before it has the last one.
    copy: Option<Box<Destination>>,
    /// Why that failed, until it is told.
    copy_error: Option<io::Error>,
}

impl Reader {
    pub(super) fn new(end: Option<ReadEnd>, limit: Limit) -> Self {
        Self {
            end_untold: end.is_some(),
            absent_untold: end.is_none(),
            end,
            inbox: Inbox::new(limit),
            tail: None,
            next_read: MIN_READ,
            unread_at_exit: 0,
            received: 0,
            first: None,
            copy: None,
            copy_error: None,
        }
    }

    pub(super) fn with_tail(mut self, tail: Tail) -> Self {
        self.tail = Some(tail);
        self
    }

    /// All that is read is written to `to` as well.
    pub(super) fn set_copy(&mut self, to: WriteEnd) {
        self.copy = Some(Box::new(Destination::new(to)));
    }

    /// The copy does not have all that has been read.
    pub(super) fn is_copy_unfinished(&self) -> bool {
        (self.copy.as_ref()).is_some_and(|copy| copy.is_unfinished(self.end.is_some()))
    }

    /// The copy gets no more.
    pub(super) fn give_up_copy(&mut self) {
        self.copy = None;
    }

    /// Why the copy failed, once.
    pub(super) fn take_copy_error(&mut self) -> Option<io::Error> {
        self.copy_error.take()
    }

    /// Writes to the copy once; whether anything moved.
    fn step_copy(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(copy) = &mut self.copy else {
            return false;
        };
        match copy.poll_step(cx, self.end.is_some()) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.copy = None;
                self.copy_error = Some(error);
                true
            }
            Poll::Pending => false,
        }
    }

    fn is_copy_behind(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.is_behind())
    }

    /// Bytes read so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// When the first byte was read.
    pub(super) fn first(&self) -> Option<Instant> {
        self.first
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.end.is_none()
    }

    /// Nothing will come of it any more, not even from what is kept.
    pub(super) fn is_eof(&self) -> bool {
        self.is_closed() && self.inbox.is_empty()
    }

    /// It has ended, and that is to be said.
    pub(super) fn take_eof(&mut self) -> bool {
        self.is_eof() && std::mem::take(&mut self.end_untold)
    }

    pub(super) fn has_unread(&self) -> bool {
        self.end.is_some() && self.unread_at_exit > 0
    }

    /// As much is kept as is wanted.
    pub(crate) fn is_full(&self, want: Want) -> bool {
        self.room(want) == 0
    }

    /// Reading has stopped to hold the child back.
    pub(super) fn is_blocked(&self) -> bool {
        self.end.is_some()
            && self.inbox.limit().overflow == Overflow::Block
            && self.inbox.room() == 0
    }

    /// There is more than the limit allows, or reading has stopped to hold the child back.
    #[inline]
    pub(super) fn is_full_or_over(&self) -> bool {
        self.inbox.is_over() || self.is_blocked()
    }

    /// Reading has stopped to hold the child back, and as much as the limit allows is wanted.
    pub(super) fn is_held_back(&self, want: Want) -> bool {
        want.when != When::Later
            && matches!(want.bound, Bound::Limit | Bound::Whole | Bound::Hold)
            && self.is_blocked()
    }

    /// Something that the child wrote stays in the pipe, for it is not wanted yet.
    pub(super) fn is_put_off(&self, want: Want) -> bool {
        want.when == When::Later && self.has_unread()
    }

    /// Reading has stopped because there is no room.
    pub(super) fn is_held(&self) -> bool {
        self.end.is_some() && self.room(Want::HOLD) == 0
    }

    pub(crate) fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        match &self.end {
            Some(ReadEnd::Pipe(pipe)) => Some(pipe.descriptor()),
            _ => None,
        }
    }

    /// Our end, to be read from elsewhere: the stream has ended here then.
    pub(crate) fn take_end(&mut self) -> io::Result<OwnedDescriptor> {
        let end = self.end.as_ref().ok_or_else(no_pipe)?;
        if !self.inbox.is_empty() {
            let text = "some of what was read from the stream has not been received";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        let end = end.to_blocking()?;
        self.end();
        // It goes on elsewhere.
        self.end_untold = false;
        Ok(end)
    }

    /// Nothing more is read, and the copy gets its end.
    pub(crate) fn end(&mut self) {
        self.end = None;
        self.unread_at_exit = 0;
    }

    /// Nothing more is read, nor copied.
    pub(super) fn close(&mut self) {
        self.end();
        self.give_up_copy();
    }

    /// Takes what has been received, at most `max` bytes.
    pub(crate) fn take(&mut self, max: usize) -> Option<Bytes> {
        self.inbox.take(max)
    }

    /// Takes whole lines, with their terminators; see [`Inbox::take_block`].
    pub(crate) fn take_block(&mut self, options: &LineOptions) -> Option<LineBlock> {
        self.inbox.take_block(options, self.end.is_none())
    }

    /// No line is there that was received together with the last one.
    pub(super) fn has_no_block(&self) -> bool {
        self.inbox.has_no_front()
    }

    /// Drops what is before a gap, if there is one; whether there was.
    pub(crate) fn skip_gap(&mut self) -> bool {
        self.inbox.skip_gap()
    }

    /// All that has been received, in one piece.
    pub(crate) fn pending(&mut self) -> &[u8] {
        self.inbox.pending()
    }

    /// Takes what has been received, as one piece, as far as the limit allows.
    pub(crate) fn take_to_limit(&mut self) -> Bytes {
        self.inbox.take_to_limit()
    }

    /// Takes all that has been received, as one piece.
    pub(crate) fn take_all(&mut self) -> Bytes {
        self.inbox.take_all()
    }

    /// Puts bytes back in front of all that has been received.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        self.inbox.give_back(bytes);
    }

    /// The child has exited: remembers how much of its output is still in the pipe.
    pub(super) fn note_exit(&mut self) {
        if let Some(end) = &self.end {
            self.unread_at_exit = end
                .buffered()
                .map_or(ASSUMED_UNREAD_AT_EXIT, |bytes| bytes + 1);
        }
    }

    /// Reads once; the error, if the stream cannot be read and so has ended. With `ask` the kernel is asked when the reactor
    /// knows of nothing.
    pub(super) fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        want: Want,
        ask: bool,
    ) -> io::Result<Step> {
        // Whether or not there is room.
        if self.step_copy(cx) {
            return Ok(Step::Moved);
        }
        let room = self.room(want);
        let is_copy_behind = self.is_copy_behind();
        let Some(end) = &mut self.end else {
            return Ok(Step::Quiet);
        };
        if room == 0 || is_copy_behind {
            return Ok(Step::Held);
        }
        let max = self.next_read.min(room);
        let buffer = self.inbox.buffer();
        let before = buffer.len();
        let result = if ask {
            end.poll_read_now(cx, buffer, max)
        } else {
            end.poll_read(cx, buffer, max)
        };
        copy(&mut self.copy, self.tail.as_ref(), &buffer[before..]);
        match result {
            Poll::Ready(result) => {
                self.conclude(result, max, want)?;
                Ok(Step::Moved)
            }
            Poll::Pending => {
                self.unread_at_exit = 0;
                self.inbox.release();
                Ok(Step::Quiet)
            }
        }
    }

    /// Moves what is in the pipe on without copying it here, if nothing has been received that comes before it. The error
    /// is `Unsupported` where that cannot be done, or one of the other side.
    pub(super) fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Outlet,
    ) -> Poll<io::Result<u64>> {
        let can_be = self.inbox.is_empty() && self.copy.is_none();
        let Some(end) = self.end.as_mut().filter(|_| can_be) else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let moved = ready!(end.poll_splice(cx, to, GROWN_PIPE))?;
        if moved >= FULL_PIPE {
            end.grow();
        }
        let _ = self.conclude(Ok(moved), usize::MAX, Want::PIECE);
        Poll::Ready(Ok(moved as u64))
    }

    /// Reads a piece that the kernel has now, if there is none yet.
    pub(super) fn try_piece(&mut self) -> io::Result<()> {
        let is_wanted = self.inbox.is_empty() && !self.is_copy_behind();
        let Some(end) = self.end.as_mut().filter(|_| is_wanted) else {
            return Ok(());
        };
        let max = self.next_read;
        let buffer = self.inbox.buffer();
        let before = buffer.len();
        let result = end.try_read(buffer, max);
        copy(&mut self.copy, self.tail.as_ref(), &buffer[before..]);
        match result {
            Poll::Ready(result) => self.conclude(result, max, Want::PIECE),
            Poll::Pending => {
                self.inbox.release();
                Ok(())
            }
        }
    }

    /// How much may be read.
    fn room(&self, want: Want) -> usize {
        match want.when {
            When::Later => return 0,
            When::Empty if !self.inbox.is_empty() => return 0,
            When::Empty | When::Always => {}
        }
        match want.bound {
            Bound::None => usize::MAX,
            Bound::Stop(floor) => self.inbox.room_to_limit(floor),
            Bound::Hold if self.inbox.limit().overflow == Overflow::Fail => {
                self.inbox.room().saturating_sub(1)
            }
            Bound::Limit | Bound::Whole | Bound::Hold => self.inbox.room(),
        }
    }

    fn conclude(&mut self, result: io::Result<usize>, max: usize, want: Want) -> io::Result<()> {
        let Ok(n @ 1..) = result else {
            self.end();
            self.end_untold &= result.is_ok();
            return result.map(drop);
        };
        if self.received == 0 {
            self.first = Some(Instant::now());
        }
        self.received += n as u64;
        self.unread_at_exit = self.unread_at_exit.saturating_sub(n as u64);
        if let (FULL_PIPE.., Some(end)) = (n, &mut self.end) {
            end.grow();
        }
        if n == max {
            self.next_read = (self.next_read * 2).min(MAX_TRANSFER);
        } else if n < self.next_read / 4 {
            self.next_read = (self.next_read / 2).max(MIN_READ);
        }
        if matches!(want.bound, Bound::Limit | Bound::Whole | Bound::Hold) {
            self.inbox.received();
        }
        Ok(())
    }
}

/// Gives a piece that has just been read to the copy, and to the tail, if there are such.
fn copy(copy: &mut Option<Box<Destination>>, tail: Option<&Tail>, piece: &[u8]) {
    if piece.is_empty() {
        return;
    }
    if let Some(copy) = copy {
        copy.give(&Bytes::copy_from_slice(piece));
    }
    if let Some(tail) = tail {
        tail.push(piece);
    }
}
