//! [`Front`]: bytes that are being taken apart from their beginning.

use std::ops::Deref;

use bytes::{Buf, Bytes};

/// The bytes at the front of an inbox.
///
/// What has been taken as lines is only counted: moving the start of a `Bytes` for each would cost more
/// than the line itself. The buffer is let go when something else takes its place.
#[derive(Debug)]
pub(super) struct Front {
    bytes: Bytes,
    /// So many bytes of `bytes` have been taken.
    taken: usize,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Bytes::new(),
            taken: 0,
        }
    }

    /// Puts something else in its place, and returns what is left of it.
    pub(super) fn replace(&mut self, bytes: Bytes) -> Bytes {
        let taken = std::mem::take(&mut self.taken);
        let mut old = std::mem::replace(&mut self.bytes, bytes);
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

    /// Takes the first `len` bytes and drops `skip` more: the way of every line.
    #[inline(always)]
    pub(super) fn take_line(&mut self, len: usize, skip: usize) -> Bytes {
        let start = self.taken;
        self.taken += len + skip;
        self.bytes.slice(start..start + len)
    }
}

impl Deref for Front {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}
