//! [`Outbox`]: what is to be written to the child, in order, without copying it.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

use crate::limits::MAX_TRANSFER;

/// Most pieces in one vectored write. Linux takes 1024; past a few dozen nothing is gained.
pub(crate) const MAX_SLICES: usize = 16;

/// Bytes queued for the child's stdin.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// None of them is empty.
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.pieces.push_back(bytes);
        }
    }

    /// The pieces at the front, ready for one vectored write.
    pub(crate) fn slices(&self) -> ([IoSlice<'_>; MAX_SLICES], usize) {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut filled = 0;
        let mut room = MAX_TRANSFER;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let part = &piece[..piece.len().min(room)];
            if part.is_empty() {
                break;
            }
            *slice = IoSlice::new(part);
            room -= part.len();
            filled += 1;
        }
        (slices, filled)
    }

    /// The first `n` bytes have been written.
    pub(crate) fn advance(&mut self, mut n: usize) {
        debug_assert!(n <= self.len);
        self.len -= n;
        while let Some(front) = self.pieces.front_mut() {
            if n < front.len() {
                front.advance(n);
                break;
            }
            n -= front.len();
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() && self.pieces.capacity() > MAX_SLICES {
            self.pieces = VecDeque::new();
        }
    }

    /// Takes back `n` bytes, behind which `behind` others are queued.
    pub(crate) fn retract(&mut self, n: usize, behind: usize) {
        debug_assert!(n + behind <= self.len);
        let rest = self.take_back(behind);
        self.take_back(n);
        for piece in rest.into_iter().rev() {
            self.push(piece);
        }
    }

    /// Takes the last `n` bytes; the last piece is first.
    fn take_back(&mut self, mut n: usize) -> Vec<Bytes> {
        self.len -= n;
        let mut taken = Vec::new();
        while n > 0 {
            let Some(mut back) = self.pieces.pop_back() else {
                break;
            };
            let from = back.len().saturating_sub(n);
            let last = back.split_off(from);
            n -= last.len();
            taken.push(last);
            if !back.is_empty() {
                self.pieces.push_back(back);
            }
        }
        taken
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(outbox: &Outbox) -> Vec<u8> {
        let (slices, n) = outbox.slices();
        slices[..n].iter().flat_map(|s| s.to_vec()).collect()
    }

    #[test]
    fn partial_writes_resume_and_the_end_can_be_taken_back() {
        let mut outbox = Outbox::default();
        for piece in ["abc", "", "def", "ghi"] {
            outbox.push(Bytes::from_static(piece.as_bytes()));
        }
        outbox.advance(4);
        assert_eq!(content(&outbox), b"efghi");
        outbox.retract(3, 1);
        assert_eq!(content(&outbox), b"ei");
        assert_eq!(outbox.len(), 2);
        outbox.retract(1, 0);
        assert_eq!(content(&outbox), b"e");
        outbox.advance(1);
        assert!(outbox.is_empty());
    }
}
