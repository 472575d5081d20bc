//! [`Reader`]: fills one inbox from one of the child's output streams.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    buffer::Inbox,
    limits::{
        FULL_PIPE, GROWN_PIPE, Limit, MAX_TRANSFER, MIN_READ, MIN_SEARCH, OWED_UNTOLD, Overflow,
    },
    line::LineOptions,
    sys::{BorrowedDescriptor, Outlet},
    transport::ReadEnd,
};

/// How much is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// One piece, if there is none yet: it is handed out at once, so no limit applies.
    Piece,
    /// All that comes until the limit, where reading stops whatever the limit says: somebody waits for it.
    Window,
    /// As `Window`, but to [`MIN_SEARCH`] bytes at least.
    Search,
    /// Nothing: it has just been asked, and there was nothing.
    Nothing,
    /// Nothing yet: what came before has not been passed on.
    Later,
    /// Another piece, whatever there is: somebody takes apart what came, and has a bound of his own.
    More,
    /// All that comes; the limit decides.
    Fill,
    /// All that comes, but a limit that is an error holds back, as if it were [`Overflow::Block`].
    Hold,
}

/// What one read did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something came, the end of the stream perhaps.
    Moved,
    /// Nothing there now; the task will be woken unless there is nothing for ever.
    Quiet,
    /// Not tried: there is no room, or enough for now.
    Held,
}

/// The way out of the child.
pub(crate) struct Reader {
    /// Gone at end-of-file.
    end: Option<ReadEnd>,
    pub(super) inbox: Inbox,
    /// Grows while reads are filled, so that an idle stream needs little and a busy one few calls.
    next_read: usize,
    /// Bytes that were in the pipe when the child's exit was seen and have not been read yet, those may be
    /// the child's own, and one more for the look that finds what is behind them. [`OWED_UNTOLD`] where that
    /// cannot be told.
    owed: u64,
    error: Option<io::Error>,
    /// Bytes read so far, and when the first was.
    received: u64,
    first: Option<Instant>,
    /// The run was cut short before the end of the stream, and nobody has been told here.
    cut: bool,
}

impl Reader {
    pub(super) fn new(end: Option<ReadEnd>, limit: Limit) -> Self {
        Self {
            end,
            inbox: Inbox::new(limit),
            next_read: MIN_READ,
            owed: 0,
            error: None,
            received: 0,
            first: None,
            cut: false,
        }
    }

    /// Bytes read so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// When the first byte was read.
    pub(super) fn first(&self) -> Option<Instant> {
        self.first
    }

    /// The run is cut short.
    pub(super) fn cut(&mut self) {
        self.cut = self.end.is_some();
    }

    /// The run was cut short before the end of the stream, and nobody has been told here.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether the run was cut short before the end of the stream, once, when it has been read to where it is cut.
    pub(super) fn take_cut(&mut self) -> bool {
        self.is_closed() && std::mem::take(&mut self.cut)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.end.is_none()
    }

    pub(super) fn is_owed(&self) -> bool {
        self.end.is_some() && self.owed > 0
    }

    /// As much is kept as [`Want::Window`] or [`Want::Search`] asks for.
    pub(crate) fn is_full(&self, want: Want) -> bool {
        self.room(want) == 0
    }

    /// Reading has stopped to hold the child back.
    pub(super) fn is_blocked(&self) -> bool {
        self.end.is_some()
            && self.inbox.limit().overflow == Overflow::Block
            && self.inbox.room() == 0
    }

    /// Reading has stopped to hold the child back, and as much as the limit allows is wanted.
    pub(super) fn is_held_back(&self, want: Want) -> bool {
        matches!(want, Want::Fill | Want::Hold) && self.is_blocked()
    }

    /// Reading has stopped as [`Want::Hold`] says.
    pub(super) fn is_held(&self) -> bool {
        self.end.is_some() && self.room(Want::Hold) == 0
    }

    pub(crate) fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        match &self.end {
            Some(ReadEnd::Pipe(pipe)) => Some(pipe.descriptor()),
            _ => None,
        }
    }

    pub(super) fn close(&mut self) {
        self.end = None;
        self.owed = 0;
    }

    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Takes what has been received, at most `max` bytes.
    pub(crate) fn take(&mut self, max: usize) -> Option<Bytes> {
        self.inbox.take(max)
    }

    /// Takes whole lines, with their terminators; see [`Inbox::take_block`].
    pub(crate) fn take_block(&mut self, options: &LineOptions) -> Option<(Bytes, usize)> {
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
            self.owed = end.buffered().map_or(OWED_UNTOLD, |bytes| bytes + 1);
        }
    }

    /// Reads once. With `direct` the kernel is asked when the reactor knows of nothing.
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>, want: Want, direct: bool) -> Step {
        match want {
            Want::Nothing => return Step::Quiet,
            // What may be there is left there, and that is no silence.
            Want::Later if self.end.is_some() => return Step::Held,
            Want::Later => return Step::Quiet,
            _ => {}
        }
        let room = self.room(want);
        let Some(end) = &mut self.end else {
            return Step::Quiet;
        };
        if room == 0 {
            return Step::Held;
        }
        let max = self.next_read.min(room);
        let result = if direct {
            end.poll_read_now(cx, self.inbox.buffer(), max)
        } else {
            end.poll_read(cx, self.inbox.buffer(), max)
        };
        match result {
            Poll::Ready(result) => {
                self.conclude(result, max, want);
                Step::Moved
            }
            Poll::Pending => {
                self.owed = 0;
                self.inbox.release();
                Step::Quiet
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
        let Some(end) = self.end.as_mut().filter(|_| self.inbox.is_empty()) else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let moved = ready!(end.poll_splice(cx, to, GROWN_PIPE))?;
        if moved >= FULL_PIPE {
            end.grow();
        }
        self.conclude(Ok(moved), usize::MAX, Want::Piece);
        Poll::Ready(Ok(moved as u64))
    }

    /// Reads a piece that the kernel has now, if there is none yet.
    pub(super) fn try_piece(&mut self) {
        let Some(end) = self.end.as_mut().filter(|_| self.inbox.is_empty()) else {
            return;
        };
        let max = self.next_read;
        match end.try_read(self.inbox.buffer(), max) {
            Poll::Ready(result) => self.conclude(result, max, Want::Piece),
            Poll::Pending => self.inbox.release(),
        }
    }

    /// How much may be read.
    fn room(&self, want: Want) -> usize {
        match want {
            Want::Nothing | Want::Later => 0,
            Want::Piece if !self.inbox.is_empty() => 0,
            Want::Piece | Want::More => usize::MAX,
            Want::Window => self.inbox.room_to_limit(0),
            Want::Search => self.inbox.room_to_limit(MIN_SEARCH),
            Want::Hold if self.inbox.limit().overflow == Overflow::Fail => {
                self.inbox.room().saturating_sub(1)
            }
            Want::Fill | Want::Hold => self.inbox.room(),
        }
    }

    fn conclude(&mut self, result: io::Result<usize>, max: usize, want: Want) {
        match result {
            Ok(0) => self.close(),
            Ok(n) => {
                if self.received == 0 {
                    self.first = Some(Instant::now());
                }
                self.received += n as u64;
                self.owed = self.owed.saturating_sub(n as u64);
                if let (FULL_PIPE.., Some(end)) = (n, &mut self.end) {
                    end.grow();
                }
                if n == max {
                    self.next_read = (self.next_read * 2).min(MAX_TRANSFER);
                } else if n < self.next_read / 4 {
                    self.next_read = (self.next_read / 2).max(MIN_READ);
                }
                if matches!(want, Want::Fill | Want::Hold) {
                    self.inbox.received();
                }
            }
            Err(error) => {
                self.error = Some(error);
                self.close();
            }
        }
    }
}
