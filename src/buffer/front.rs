//! [`Front`]: bytes that are being taken apart from their beginning.

use std::{mem, ops::Deref};

use bytes::{Buf, Bytes};

use super::Newlines;

/// The bytes at the front of an inbox.
///
/// What has been taken as lines is only counted: moving the start of a `Bytes` for each would cost more
/// than the line itself. The buffer is let go when something else takes its place.
///
/// Lines are cut one ahead. A line that was made a moment ago is in memory as four words, each on its way from a
/// register; whoever gets it moves it by two words at a time, for which the processor has to wait until they have arrived.
/// That took as long as all the rest.
#[derive(Debug)]
pub(super) struct Front {
    bytes: Bytes,
    /// So many bytes of `bytes` have been taken.
    taken: usize,
    /// The next line, as long as nothing but lines is taken.
    ahead: Ahead,
    /// So many bytes it takes, with its terminator.
    ahead_len: usize,
    /// How long a line may be that is cut ahead.
    longest: usize,
    /// Of `bytes`, those behind the line that was cut ahead.
    newlines: Newlines,
}

/// In one cache line: two words at a time are slow across the end of one.
#[derive(Debug)]
#[repr(align(32))]
struct Ahead(Option<Bytes>);

impl Front {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Bytes::new(),
            taken: 0,
            ahead: Ahead(None),
            ahead_len: 0,
            longest: 0,
            newlines: Newlines::after(0),
        }
    }

    /// Puts something else in its place, and returns what is left of it.
    pub(super) fn replace(&mut self, bytes: Bytes) -> Bytes {
        self.ahead.0 = None;
        let taken = mem::take(&mut self.taken);
        let mut old = mem::replace(&mut self.bytes, bytes);
        old.advance(taken);
        old
    }

    /// Takes the first `n` bytes.
    pub(super) fn split_to(&mut self, n: usize) -> Bytes {
        let mut rest = self.replace(Bytes::new());
        let first = rest.split_to(n);
        self.bytes = rest;
        first
    }

    /// Drops the first `n` bytes.
    pub(super) fn advance(&mut self, n: usize) {
        drop(self.split_to(n));
    }

    /// Takes the line that was cut ahead, and cuts the next one: the way of every line.
    #[inline(always)]
    pub(super) fn take_line(&mut self) -> Option<Bytes> {
        self.ahead.0.as_ref()?;
        self.taken += self.ahead_len;
        let next = self.cut();
        mem::replace(&mut self.ahead.0, next)
    }

    /// Cuts the line at the front if it ends with a newline and has at most `longest` bytes, and so on with each one that
    /// follows. A line that is not taken next counts for nothing.
    pub(super) fn cut_ahead(&mut self, longest: usize) {
        self.longest = longest;
        self.newlines = Newlines::after(self.taken);
        self.ahead.0 = self.cut();
    }

    /// No line is cut ahead any more.
    pub(super) fn forget_ahead(&mut self) {
        self.ahead.0 = None;
    }

    #[inline(always)]
    fn cut(&mut self) -> Option<Bytes> {
        let at = self.newlines.peek(&self.bytes)?;
        let line = &self.bytes[self.taken..at];
        let len = line.strip_suffix(b"\r").unwrap_or(line).len();
        if len > self.longest {
            return None;
        }
        self.newlines.pass();
        self.ahead_len = at + 1 - self.taken;
        Some(self.bytes.slice(self.taken..self.taken + len))
    }
}

impl Deref for Front {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}
