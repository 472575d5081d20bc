//! [`Front`]: bytes that are being taken apart from their beginning.

use std::{mem, ops::Deref};

use bytes::{Buf, Bytes};

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
    ahead: Option<Bytes>,
    /// So many bytes it takes, with its terminator.
    ahead_len: usize,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Bytes::new(),
            taken: 0,
            ahead: None,
            ahead_len: 0,
        }
    }

    /// Puts something else in its place, and returns what is left of it.
    pub(super) fn replace(&mut self, bytes: Bytes) -> Bytes {
        self.ahead = None;
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

    /// Takes the line that was cut ahead, and cuts the next one, as [`cut_ahead`](Front::cut_ahead) does: the way of
    /// every line.
    #[inline(always)]
    pub(super) fn take_line(
        &mut self,
        find: impl FnOnce(&[u8]) -> Option<(usize, usize)>,
    ) -> Option<Bytes> {
        self.ahead.as_ref()?;
        self.taken += self.ahead_len;
        let next = self.cut(find);
        mem::replace(&mut self.ahead, next)
    }

    /// Cuts the line at the front, of which `find` tells the length and that of its terminator. If it is not taken
    /// next it counts for nothing.
    pub(super) fn cut_ahead(&mut self, find: impl FnOnce(&[u8]) -> Option<(usize, usize)>) {
        self.ahead = self.cut(find);
    }

    /// No line is cut ahead any more.
    pub(super) fn forget_ahead(&mut self) {
        self.ahead = None;
    }

    #[inline(always)]
    fn cut(&mut self, find: impl FnOnce(&[u8]) -> Option<(usize, usize)>) -> Option<Bytes> {
        let (len, skip) = find(self)?;
        self.ahead_len = len + skip;
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
