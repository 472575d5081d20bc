//! [`Inbox`]: what has been received from one stream and not yet been taken, within its limit.

use bytes::{Bytes, BytesMut};

use super::{front::Front, head_tail::HeadTail};
use crate::{
    limits::{Limit, MAX_COPY, Overflow},
    lines::{Cut, LineBlock, LineEnd, LineOptions, Splitter},
    sys::Slice,
};

/// Received, untaken bytes of one stream.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Comes before everything else: given back by a consumer, or a block of lines that is being taken apart.
    front: Front,
    kept: HeadTail,
    limit: Limit,
    splitter: Splitter,
}

impl Inbox {
    pub(crate) fn new(limit: Limit) -> Self {
        let (head, tail) = caps(limit);
        Self {
            front: Front::new(),
            kept: HeadTail::new(head, tail),
            limit,
            splitter: Splitter::default(),
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
        self.front.len() + self.kept.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No block of lines is being taken apart.
    pub(crate) fn has_no_front(&self) -> bool {
        self.front.is_empty()
    }

    /// Bytes dropped at the limit so far.
    pub(crate) fn omitted(&self) -> u64 {
        self.kept.omitted()
    }

    /// Where in all that is there something was dropped.
    pub(crate) fn gap(&self) -> Option<usize> {
        self.kept.gap_at().map(|at| self.front.len() + at)
    }

    /// How many bytes may be read into [`buffer`](Inbox::buffer) next; 0 when reading has to stop.
    pub(crate) fn room(&self) -> usize {
        let kept = self.len();
        match self.limit.overflow {
            // One byte more, to tell a stream that ends at the limit from one that goes on.
            Overflow::Block | Overflow::Fail => {
                self.limit.bytes.saturating_add(1).saturating_sub(kept)
            }
            Overflow::KeepHead | Overflow::KeepTail | Overflow::KeepBoth => self.kept.room(),
        }
    }

    /// Room to the limit, whatever is to happen there, or to `floor` if that is more.
    pub(crate) fn room_to_limit(&self, floor: usize) -> usize {
        self.limit.bytes.max(floor).saturating_sub(self.len())
    }

    /// Where the next bytes are read to; to be followed by [`received`](Inbox::received).
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.kept.buffer()
    }

    /// Applies the limit after a read.
    pub(crate) fn received(&mut self) {
        if self.kept.trim() {
            self.splitter.recheck();
        }
    }

    /// More than the limit came, and the limit is [`Overflow::Fail`].
    pub(crate) fn is_over(&self) -> bool {
        self.limit.overflow == Overflow::Fail && self.len() > self.limit.bytes
    }

    /// Takes what there is, at most `max` bytes: a slice of the buffer it was read into, unless it is little.
    pub(crate) fn take(&mut self, max: usize) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        self.splitter.reset();
        if !self.front.is_empty() {
            let max = max.min(self.front.len());
            return Some(self.front.split_to(max));
        }
        Some(match self.kept.len() <= max.min(MAX_COPY) {
            true => self.kept.take_copy(),
            false => self.kept.take(max),
        })
    }

    /// Takes everything as one piece.
    pub(crate) fn take_all(&mut self) -> Bytes {
        self.take_joined(usize::MAX)
    }

    /// Takes as one piece as much as the limit allows, whatever is to happen there; everything, if that is nothing.
    pub(crate) fn take_to_limit(&mut self) -> Bytes {
        match self.limit.bytes {
            0 => self.take_all(),
            bytes => self.take_joined(bytes),
        }
    }

    /// Takes as one piece what the limit lets us keep; what is over an [`Overflow::Fail`] limit stays.
    pub(crate) fn take_limited(&mut self) -> Bytes {
        match self.limit.overflow {
            Overflow::Fail => self.take_joined(self.limit.bytes),
            _ => self.take_joined(usize::MAX),
        }
    }

    /// Takes at most `max` bytes as one piece.
    pub(crate) fn take_joined(&mut self, max: usize) -> Bytes {
        if self.is_empty() {
            return Bytes::new();
        }
        self.splitter.reset();
        if self.front.len() > max {
            return self.front.split_to(max);
        }
        let kept = self.kept.take_joined(max - self.front.len());
        if self.front.is_empty() {
            return kept;
        }
        let mut all = BytesMut::from(self.front.replace(Bytes::new()));
        all.extend_from_slice(&kept);
        all.freeze()
    }

    /// Puts bytes back in front.
    pub(crate) fn give_back(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.splitter.reset();
        if self.front.is_empty() {
            self.front.replace(bytes);
        } else {
            let mut joined = BytesMut::from(bytes);
            joined.extend_from_slice(&self.front);
            self.front.replace(joined.freeze());
        }
    }

    /// All that is there in one piece, up to where something was dropped.
    pub(crate) fn pending(&mut self) -> &[u8] {
        self.join();
        first(&self.front, &self.kept)
    }

    /// Drops and counts what is before a gap, if there is one; whether there was.
    pub(crate) fn skip_gap(&mut self) -> bool {
        let gap = self.front.is_empty() && self.kept.has_gap();
        if gap {
            self.splitter.reset();
            self.kept.omit(usize::MAX);
        }
        gap
    }

    /// Appends bytes from elsewhere.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.kept.push(bytes);
    }

    /// Takes the next line if it is what nearly every line is: whole, in a block of them, and
    /// [granted](Inbox::grant_plain_lines). Otherwise [`take_line`](Inbox::take_line) knows.
    #[inline(always)]
    pub(crate) fn take_plain_line(&mut self) -> Option<Slice> {
        self.front.take_line()
    }

    /// Lets some plain lines be taken.
    pub(crate) fn grant_plain_lines(&mut self) {
        self.front.grant_lines();
    }

    /// Lets no plain line be taken until some are granted again; what those cost that were taken since the last time.
    pub(crate) fn revoke_plain_lines(&mut self) -> usize {
        self.front.revoke_lines()
    }

    /// Lines are to be taken by other rules from here on.
    pub(crate) fn line_options_changed(&mut self) {
        self.end_plain_lines();
        self.splitter.terminator_changed();
    }

    fn end_plain_lines(&mut self) {
        if let Some((taken, terminator)) = self.front.end_lines() {
            self.splitter.taken(taken, terminator);
        }
    }

    /// Takes the next line; `None` if there is no whole one and more may come. The error is a line that
    /// is too long, with [`LongLine::Fail`](crate::LongLine::Fail).
    pub(crate) fn take_line(
        &mut self,
        options: &LineOptions,
        eof: bool,
    ) -> Option<Result<(Bytes, LineEnd), ()>> {
        self.end_plain_lines();
        loop {
            self.kept.join();
            if self.front.is_empty() {
                let end = (self.splitter).last_end(self.kept.front(), options.terminator);
                let lines = end.map_or_else(Bytes::new, |end| self.kept.take(end));
                self.front.replace(lines);
            }
            let in_front = !self.front.is_empty();
            let more_behind = in_front && self.kept.len() > 0;
            let gap = self.kept.has_gap();
            let ended = (eof || gap) && !more_behind;
            let data = first(&self.front, &self.kept);
            match self.splitter.next(data, options, ended) {
                Cut::Line(len, skip, end) => {
                    let line = self.cut(len);
                    self.cut(skip);
                    let rest = self.splitter.rest_of_terminator(&self.front);
                    if let (LineEnd::Terminator, Some(rest)) = (end, rest) {
                        self.front.begin_lines(rest, options);
                    }
                    let is_cut = gap && end == LineEnd::Eof;
                    let end = if is_cut { LineEnd::Limit } else { end };
                    return Some(Ok((line, end)));
                }
                Cut::Drop(n) => {
                    self.cut(n);
                    self.kept.count(n);
                }
                Cut::SkipTerminator(n) => drop(self.cut(n)),
                Cut::TooLong => return Some(Err(())),
                Cut::More if more_behind => self.join(),
                Cut::More => return None,
            }
        }
    }

    /// Takes all whole lines with their terminators, or a piece of more than `max_line_length` bytes of a line;
    /// at the end of the stream all there is.
    pub(crate) fn take_block(&mut self, options: &LineOptions, eof: bool) -> Option<LineBlock> {
        self.end_plain_lines();
        self.join();
        let ended = eof || self.kept.has_gap();
        let data = first(&self.front, &self.kept);
        let (len, skipped) = self.splitter.next_block(data, options, ended)?;
        Some(LineBlock::new(self.cut(len), skipped, options.terminator))
    }

    fn cut(&mut self, n: usize) -> Bytes {
        if self.front.is_empty() {
            self.kept.take(n)
        } else {
            self.front.split_to(n)
        }
    }

    /// Makes one piece of what was given back and what came after it.
    fn join(&mut self) {
        self.kept.join();
        if !self.front.is_empty() && self.kept.len() > 0 {
            self.end_plain_lines();
            let front = self.front.replace(Bytes::new());
            self.kept.push_front(front);
        }
    }

    /// Frees the buffers if nothing is in them: an idle stream holds no memory.
    pub(crate) fn release(&mut self) {
        if self.front.is_empty() {
            self.end_plain_lines();
            self.front.replace(Bytes::new());
        }
        self.kept.release();
    }

    /// A copy of the last `max` bytes.
    pub(crate) fn last(&self, max: usize) -> Bytes {
        let from_front = self.front.len().min(max.saturating_sub(self.kept.len()));
        if from_front == 0 {
            return self.kept.last(max);
        }
        let mut last = BytesMut::from(&self.front[self.front.len() - from_front..]);
        last.extend_from_slice(&self.kept.last(max));
        last.freeze()
    }
}

/// What comes first.
fn first<'a>(front: &'a Front, kept: &'a HeadTail) -> &'a [u8] {
    match front.is_empty() {
        true => kept.front(),
        false => front,
    }
}

/// How much a limit keeps from the start, and how much from the end.
fn caps(limit: Limit) -> (usize, usize) {
    match limit.overflow {
        // Not dropped here: reading stops.
        Overflow::Block | Overflow::Fail => (usize::MAX, usize::MAX),
        Overflow::KeepHead => (limit.bytes, 0),
        Overflow::KeepTail => (0, limit.bytes),
        Overflow::KeepBoth => (limit.bytes / 2, limit.bytes - limit.bytes / 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::lines::{LongLine, Terminator};

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
        let mut inbox = inbox(10_000, Overflow::Fail);
        feed(&mut inbox, &[b'a'; 1000], 1000);
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

    #[test]
    fn half_a_terminator_does_not_make_a_block_too_long() {
        let options = LineOptions::default().max_line_length(3, LongLine::Split);
        let mut inbox = inbox(100, Overflow::Fail);
        let take =
            |inbox: &mut Inbox, eof| inbox.take_block(&options, eof).map(LineBlock::into_bytes);
        feed(&mut inbox, b"abc\r", 1);
        assert_eq!(take(&mut inbox, false), None);
        feed(&mut inbox, b"\n", 1);
        assert_eq!(take(&mut inbox, false).unwrap(), "abc\r\n");
        feed(&mut inbox, b"abcd\r", 1);
        assert_eq!(take(&mut inbox, false).unwrap(), "abcd");
        assert_eq!(take(&mut inbox, true).unwrap(), "\r");
    }

    #[test]
    fn a_tail_that_moves_on_is_looked_through_again() {
        let options = LineOptions::default();
        let mut inbox = inbox(8, Overflow::KeepTail);
        feed(&mut inbox, b"abcdefgh", 8);
        assert!(inbox.take_line(&options, false).is_none());
        feed(&mut inbox, b"1\n2", 8);
        let line = |inbox: &mut Inbox| inbox.take_line(&options, true).unwrap().unwrap().0;
        assert_eq!(line(&mut inbox), "defgh1");
        assert_eq!(line(&mut inbox), "2");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Line by line, in blocks, and with a look in between.
        #[test]
        fn lines_are_the_same_in_whatever_way_they_are_taken(
            pieces in vec(vec(select(&b"\r\n\r\na"[..]), 0..20), 0..6),
            ways in vec(0..7, 0..60),
            terminator in select(vec![
                Terminator::Newline,
                Terminator::CarriageReturn,
                Terminator::Byte(b'a'),
            ]),
        ) {
            let options = LineOptions::default().terminator(terminator);
            let whole = LineBlock::new(pieces.concat().into(), 0, terminator);
            let mut inbox = inbox(1000, Overflow::Fail);
            let mut lines = Vec::new();
            let take_line = |inbox: &mut Inbox, lines: &mut Vec<_>, eof| {
                inbox.grant_plain_lines();
                let line = match inbox.take_plain_line() {
                    Some(line) => line.to_bytes(),
                    None => inbox.take_line(&options, eof)?.unwrap().0,
                };
                lines.push(line.to_vec());
                Some(())
            };
            let mut pieces = pieces.iter();
            for way in ways {
                match way {
                    0 => _ = feed(&mut inbox, pieces.next().map_or(b"", |piece| piece), 30),
                    1 => inbox.release(),
                    2 => _ = inbox.pending(),
                    3 => {
                        let block = inbox.take_block(&options, false);
                        lines.extend(block.iter().flatten().map(<[u8]>::to_vec));
                    }
                    _ => _ = take_line(&mut inbox, &mut lines, false),
                }
            }
            pieces.for_each(|piece| _ = feed(&mut inbox, piece, 30));
            while take_line(&mut inbox, &mut lines, true).is_some() {}
            prop_assert_eq!(lines, whole.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn keeps_what_it_says_and_counts_the_rest(
            data in vec(any::<u8>(), 0..300),
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
            let gap = match data.len() > limit {
                true => Some(head),
                false => None,
            };
            prop_assert_eq!(inbox.gap(), gap);
            let last = inbox.last(10);
            prop_assert_eq!(&last[..], &expected[expected.len().saturating_sub(10)..]);
            prop_assert_eq!(&inbox.take_all()[..], &expected[..]);
        }
    }
}
