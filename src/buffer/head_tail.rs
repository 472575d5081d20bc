//! [`HeadTail`]: bytes in order, of which only so many from the start and so many from the end are kept.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::MAX_TRANSFER;

/// Up to `head_cap` first bytes and up to `tail_cap` last bytes; what falls between is counted, not kept.
///
/// Bytes are read straight into [`buffer`](HeadTail::buffer), so that a captured byte is never copied.
#[derive(Debug)]
pub(super) struct HeadTail {
    head: BytesMut,
    tail: BytesMut,
    head_cap: usize,
    tail_cap: usize,
    omitted: u64,
    /// Something was dropped behind the head.
    gap: bool,
    /// Something was dropped just before [`front`](HeadTail::front).
    cut_before: bool,
}

impl HeadTail {
    pub(super) fn new(head_cap: usize, tail_cap: usize) -> Self {
        Self {
            head: BytesMut::new(),
            tail: BytesMut::new(),
            head_cap,
            tail_cap,
            omitted: 0,
            gap: false,
            cut_before: false,
        }
    }

    /// Sets new bounds. What is already kept stays, until more arrives.
    pub(super) fn set_caps(&mut self, head_cap: usize, tail_cap: usize) {
        self.head_cap = head_cap;
        self.tail_cap = tail_cap;
        if head_cap == 0 && self.tail.is_empty() && !self.gap {
            self.tail = std::mem::take(&mut self.head);
        }
        if tail_cap == 0 && self.head.is_empty() {
            self.head = std::mem::take(&mut self.tail);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Where something was dropped: before which byte of head and tail.
    pub(super) fn gap_at(&self) -> Option<usize> {
        match self.gap {
            true => Some(self.head.len()),
            false => self.cut_before.then_some(0),
        }
    }

    /// The bytes up to the first gap, which is where something was dropped; to be [joined](HeadTail::join) before.
    pub(super) fn front(&self) -> &[u8] {
        if self.head.is_empty() {
            &self.tail
        } else {
            &self.head
        }
    }

    /// Something was dropped behind [`front`](HeadTail::front).
    pub(super) fn has_gap(&self) -> bool {
        self.gap && !self.head.is_empty()
    }

    /// Makes one piece of head and tail if nothing was dropped between them.
    pub(super) fn join(&mut self) {
        if !self.gap && !self.head.is_empty() && !self.tail.is_empty() {
            self.head.extend_from_slice(&self.tail);
            self.tail.clear();
        }
    }

    /// Puts bytes back in front of everything, in one piece with what is there.
    pub(super) fn push_front(&mut self, bytes: Bytes) {
        let front = self.front_mut();
        let mut joined = BytesMut::from(bytes);
        joined.extend_from_slice(front);
        *front = joined;
    }

    /// Appends bytes that are kept whatever the bounds say.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// Drops at most `n` bytes of [`front`](HeadTail::front), and counts them.
    pub(super) fn omit(&mut self, n: usize) {
        let dropped = self.take(n).len();
        self.count(dropped);
        self.cut_before |= dropped > 0;
    }

    /// Counts bytes that were dropped elsewhere.
    pub(super) fn count(&mut self, dropped: usize) {
        self.omitted += dropped as u64;
    }

    /// How many bytes may be read into [`buffer`](HeadTail::buffer) next.
    pub(super) fn room(&self) -> usize {
        if self.filling_head() {
            self.head_cap - self.head.len()
        } else {
            usize::MAX
        }
    }

    /// Where the next bytes go; to be followed by [`trim`](HeadTail::trim).
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        if self.filling_head() {
            return &mut self.head;
        }
        // `BytesMut` moves what is left to the start of its buffer, and does not grow, if as much has been
        // dropped in front of it: so the buffer has to be twice what is kept, and a little more.
        let spare = self.tail.capacity() - self.tail.len();
        let large = self.tail_cap >= MAX_TRANSFER && self.tail.len() >= self.tail_cap / 2;
        if large && spare < MAX_TRANSFER {
            let enough = self.tail_cap.saturating_add(MAX_TRANSFER).saturating_mul(2);
            self.tail.reserve(enough.saturating_sub(self.tail.len()));
        }
        &mut self.tail
    }

    /// Drops what is over the bound after a read; whether anything was.
    pub(super) fn trim(&mut self) -> bool {
        let excess = self.tail.len().saturating_sub(self.tail_cap);
        if excess > 0 {
            self.tail.advance(excess);
            self.gap = !self.head.is_empty();
            self.cut_before |= self.head.is_empty();
            self.omitted += excess as u64;
        }
        excess > 0
    }

    /// Takes at most `max` bytes from the front: a slice of the buffer they were read into.
    pub(super) fn take(&mut self, max: usize) -> Bytes {
        let front = self.front_mut();
        let taken = if front.len() <= max {
            front.split().freeze()
        } else {
            front.split_to(max).freeze()
        };
        if !taken.is_empty() {
            self.front_taken();
        }
        taken
    }

    /// Takes what is at the front by copying it; the buffer is used again.
    pub(super) fn take_copy(&mut self) -> Bytes {
        let front = self.front_mut();
        let copy = Bytes::copy_from_slice(front);
        front.clear();
        self.front_taken();
        copy
    }

    /// What was at the front has been taken, or the beginning of it.
    fn front_taken(&mut self) {
        self.cut_before = self.gap && self.head.is_empty();
        self.gap &= !self.head.is_empty();
    }

    /// Takes at most `max` bytes as one piece, copying only where head and tail have to be joined.
    pub(super) fn take_joined(&mut self, max: usize) -> Bytes {
        if max > self.head.len() && !self.tail.is_empty() && !self.head.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.head.extend_from_slice(&tail);
            // What is left comes right after what is taken.
            self.gap = false;
        }
        self.take(max)
    }

    /// Frees the buffers if nothing is in them.
    pub(super) fn release(&mut self) {
        for buffer in [&mut self.head, &mut self.tail] {
            if buffer.is_empty() && buffer.capacity() > 0 {
                *buffer = BytesMut::new();
            }
        }
    }

    /// A copy of the last `max` bytes.
    pub(super) fn last(&self, max: usize) -> Bytes {
        let from_tail = self.tail.len().min(max);
        let from_head = self.head.len().min(max - from_tail);
        let mut last = BytesMut::with_capacity(from_head + from_tail);
        last.extend_from_slice(&self.head[self.head.len() - from_head..]);
        last.extend_from_slice(&self.tail[self.tail.len() - from_tail..]);
        last.freeze()
    }

    fn front_mut(&mut self) -> &mut BytesMut {
        if self.head.is_empty() {
            &mut self.tail
        } else {
            &mut self.head
        }
    }

    fn filling_head(&self) -> bool {
        !self.gap && self.tail.is_empty() && self.head.len() < self.head_cap
    }
}
