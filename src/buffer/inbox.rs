//! [`Inbox`]: what has been received from one stream and not yet been taken, within its limit.

use bytes::{Bytes, BytesMut};

use super::head_tail::HeadTail;
use crate::limits::{Limit, MAX_READ, Overflow};

/// Received, untaken bytes of one stream.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Given back by a consumer; comes before everything else.
    returned: Bytes,
    kept: HeadTail,
    limit: Limit,
}

impl Inbox {
    pub(crate) fn new(limit: Limit) -> Self {
        let (head, tail) = caps(limit);
        Self {
            returned: Bytes::new(),
            kept: HeadTail::new(head, tail),
            limit,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: Limit) {
        let (head, tail) = caps(limit);
        self.kept.set_caps(head, tail);
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    pub(crate) fn len(&self) -> usize {
        self.returned.len() + self.kept.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes dropped at the limit so far.
    pub(crate) fn omitted(&self) -> u64 {
        self.kept.omitted()
    }

    /// How many bytes may be read into [`buffer`](Inbox::buffer) next; 0 when reading has to stop.
    pub(crate) fn room(&self) -> usize {
        let kept = self.kept.len();
        match self.limit.overflow {
            Overflow::Block => self.limit.bytes.max(1).saturating_sub(kept),
            // One byte more, to tell a stream that ends at the limit from one that goes on.
            Overflow::Fail => self.limit.bytes.saturating_add(1).saturating_sub(kept),
            Overflow::KeepHead | Overflow::KeepTail | Overflow::KeepBoth => self.kept.room(),
        }
    }

    /// Room to the limit, whatever is to happen there, but for one large read at least: somebody is waiting
    /// to take it.
    pub(crate) fn room_to_limit(&self) -> usize {
        self.limit
            .bytes
            .max(MAX_READ)
            .saturating_sub(self.kept.len())
    }

    /// Where the next bytes are read to; to be followed by [`received`](Inbox::received).
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.kept.buffer()
    }

    /// Applies the limit after a read.
    pub(crate) fn received(&mut self) {
        self.kept.trim();
    }

    /// More than the limit came, and the limit is [`Overflow::Fail`].
    pub(crate) fn is_over(&self) -> bool {
        self.limit.overflow == Overflow::Fail && self.kept.len() > self.limit.bytes
    }

    /// Takes what there is, at most `max` bytes, as a slice of the buffer it was read into.
    pub(crate) fn take(&mut self, max: usize) -> Option<Bytes> {
        if !self.returned.is_empty() {
            let max = max.min(self.returned.len());
            return Some(self.returned.split_to(max));
        }
        Some(self.kept.take(max)).filter(|bytes| !bytes.is_empty())
    }

    /// Takes everything as one piece.
    pub(crate) fn take_all(&mut self) -> Bytes {
        self.take_joined(usize::MAX)
    }

    /// Takes as one piece what the limit lets us keep; more can only be there with [`Overflow::Fail`], or
    /// after the limit was lowered.
    pub(crate) fn take_limited(&mut self) -> Bytes {
        self.take_joined(self.limit.bytes)
    }

    fn take_joined(&mut self, max: usize) -> Bytes {
        let kept = self.kept.take_joined(max);
        if self.returned.is_empty() {
            return kept;
        }
        let mut all = BytesMut::from(std::mem::take(&mut self.returned));
        all.extend_from_slice(&kept);
        all.freeze()
    }

    /// Puts bytes back in front.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        if self.returned.is_empty() {
            self.returned = bytes;
        } else if !bytes.is_empty() {
            let mut joined = BytesMut::from(bytes);
            joined.extend_from_slice(&self.returned);
            self.returned = joined.freeze();
        }
    }

    /// Frees the buffers if nothing is in them: an idle stream holds no memory.
    pub(crate) fn release(&mut self) {
        self.kept.release();
    }

    /// A copy of the last `max` bytes.
    pub(crate) fn last(&self, max: usize) -> Bytes {
        self.kept.last(max)
    }
}

/// How much a limit keeps from the start, and how much from the end.
fn caps(limit: Limit) -> (usize, usize) {
    match limit.overflow {
        Overflow::Block | Overflow::Fail => (usize::MAX, 0),
        Overflow::KeepHead => (limit.bytes, 0),
        Overflow::KeepTail => (0, limit.bytes),
        Overflow::KeepBoth => (limit.bytes / 2, limit.bytes - limit.bytes / 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inbox(bytes: usize, overflow: Overflow) -> Inbox {
        Inbox::new(Limit { bytes, overflow })
    }

    /// Feeds `data` as reads of at most `chunk` bytes, as the pump does; how much was taken in.
    fn feed(inbox: &mut Inbox, mut data: &[u8], chunk: usize) -> usize {
        let all = data.len();
        while !data.is_empty() {
            let n = inbox.room().min(chunk).min(data.len());
            if n == 0 {
                break;
            }
            inbox.buffer().extend_from_slice(&data[..n]);
            inbox.received();
            data = &data[n..];
        }
        all - data.len()
    }

    #[test]
    fn exactly_the_limit_is_not_over_it() {
        let mut inbox = inbox(4, Overflow::Fail);
        assert_eq!(feed(&mut inbox, b"abcd", 3), 4);
        assert!(!inbox.is_over());
        assert_eq!(feed(&mut inbox, b"efgh", 3), 1);
        assert!(inbox.is_over());
        assert_eq!(inbox.take_limited(), "abcd");
        assert!(!inbox.is_over());
        assert_eq!(inbox.take_all(), "e");
    }

    #[test]
    fn what_is_taken_is_a_slice_of_the_read_buffer() {
        let mut inbox = inbox(100, Overflow::Fail);
        feed(&mut inbox, b"abcdef", 10);
        let address = inbox.buffer().as_ptr();
        let taken = inbox.take(usize::MAX).unwrap();
        assert_eq!(taken.as_ptr(), address);
    }

    #[test]
    fn returned_bytes_come_first() {
        let mut inbox = inbox(100, Overflow::Fail);
        feed(&mut inbox, b"cd", 10);
        inbox.give_back(Bytes::from_static(b"b"));
        inbox.give_back(Bytes::from_static(b"a"));
        assert_eq!(inbox.len(), 4);
        assert_eq!(inbox.take_all(), "abcd");
    }

    proptest! {
        #[test]
        fn keeps_what_it_says_and_counts_the_rest(
            data in proptest::collection::vec(any::<u8>(), 0..300),
            limit in 0usize..120,
            chunk in 1usize..50,
            way in 0..3,
        ) {
            let overflow = [Overflow::KeepHead, Overflow::KeepTail, Overflow::KeepBoth][way as usize];
            let mut inbox = inbox(limit, overflow);
            prop_assert_eq!(feed(&mut inbox, &data, chunk), data.len());
            let (head, tail) = caps(inbox.limit());
            let expected = if data.len() <= limit {
                data.clone()
            } else {
                [&data[..head], &data[data.len() - tail..]].concat()
            };
            prop_assert_eq!(inbox.omitted() as usize, data.len() - expected.len());
            let last = inbox.last(10);
            prop_assert_eq!(&last[..], &expected[expected.len().saturating_sub(10)..]);
            prop_assert_eq!(&inbox.take_all()[..], &expected[..]);
        }
    }
}
