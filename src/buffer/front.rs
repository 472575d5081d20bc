//! [`Front`]: bytes that are being taken apart from their beginning.

use std::{mem, ops::Deref};

use bytes::{Buf, Bytes};

use crate::{
    limits::{LINE_COST, LINES_AT_ONCE},
    lines::{Ends, LineOptions, Terminator},
    sys::{Slice, Sliced},
};

/// The bytes at the front of an inbox.
///
/// What has been taken as lines is only counted: moving the start of a `Bytes` for each would cost more
/// than the line itself. The buffer is let go when something else takes its place.
#[derive(Debug)]
pub(super) struct Front {
    bytes: Bytes,
    /// So many bytes of `bytes` have been taken.
    taken: usize,
    /// As long as nothing but lines is taken.
    lines: Option<PlainLines>,
}

/// Lines that end with a terminator and are not too long.
#[derive(Debug)]
struct PlainLines {
    /// The same bytes as the front's, those that were taken included.
    sliced: Sliced,
    /// Of these, those that have not been taken.
    ends: Ends,
    max_line_length: usize,
    /// So many were granted, and so much of the bytes had been taken by then.
    granted: usize,
    granted_at: usize,
}

impl Front {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Bytes::new(),
            taken: 0,
            lines: None,
        }
    }

    /// Puts something else in its place, and returns what is left of it.
    pub(super) fn replace(&mut self, bytes: Bytes) -> Bytes {
        self.end_lines();
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

    /// From here on [`take_line`](Front::take_line) takes each line that ends with a terminator and is not too long. The first
    /// `rest` bytes belong to the terminator of the line before.
    pub(super) fn begin_lines(&mut self, rest: usize, options: &LineOptions) {
        self.lines = (!self.is_empty()).then(|| {
            let sliced = Sliced::new(self.bytes.clone());
            PlainLines {
                sliced,
                ends: Ends::after(self.taken + rest, options.terminator),
                max_line_length: options.max_line_length,
                granted: 0,
                granted_at: self.taken,
            }
        });
        self.grant_lines();
    }

    /// Lets [`LINES_AT_ONCE`] lines be taken.
    pub(super) fn grant_lines(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.granted = LINES_AT_ONCE;
            lines.sliced.grant(LINES_AT_ONCE);
        }
    }

    /// Lets no line be taken until some are granted again; what those cost that were taken since the last time.
    pub(super) fn revoke_lines(&mut self) -> usize {
        let Some(lines) = &mut self.lines else {
            return 0;
        };
        let taken = mem::take(&mut lines.granted) - lines.sliced.granted();
        lines.sliced.grant(0);
        let bytes = self.taken - mem::replace(&mut lines.granted_at, self.taken);
        taken * LINE_COST + bytes
    }

    /// From here on it takes none. What has been taken since it did, and by what terminator.
    pub(super) fn end_lines(&mut self) -> Option<(&[u8], Terminator)> {
        let lines = self.lines.take().filter(|_| self.taken > 0)?;
        Some((&self.bytes[..self.taken], lines.ends.terminator))
    }

    /// The way of nearly every line. `None` if the next one is something else, or so many have been taken that more have
    /// to be [granted](Front::grant_lines).
    #[inline(always)]
    pub(super) fn take_line(&mut self) -> Option<Slice> {
        let lines = self.lines.as_mut()?;
        let at = lines.ends.peek(&self.bytes)?;
        let line = lines.ends.strip(&self.bytes[self.taken..at]);
        if line.len() > lines.max_line_length {
            return None;
        }
        let line = lines.sliced.try_slice(line)?;
        lines.ends.pass();
        self.taken = at + 1;
        Some(line)
    }
}

impl Deref for Front {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}
