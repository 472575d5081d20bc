//! [`Splitter`]: where in the received bytes the next line ends. Never looks twice for what is not there.

use super::{Ends, LineEnd, LineOptions, LongLine, Terminator};

/// What is known of the line at the front.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Splitter {
    /// So many bytes hold no terminator.
    clean: usize,
    /// The front is the rest of a line that was too long: it is dropped up to its terminator.
    skipping: bool,
    /// The front is a line that is too long, and that has been told.
    refused: bool,
    /// A `\n` at the front is the second half of a `\r\n` whose `\r` has ended the line.
    after_return: bool,
}

/// What to do with the bytes at the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So many bytes are a line, and so many after them are its terminator.
    Line(usize, usize, LineEnd),
    /// So many bytes belong to a line that was too long.
    Drop(usize),
    /// So many bytes belong to a terminator.
    SkipTerminator(usize),
    /// A line is too long, and that is an error. It is not taken.
    TooLong,
    /// More is needed.
    More,
}

impl Splitter {
    /// Forgets all it knows: the front has changed under it.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// What holds none of one kind of terminator may hold one of another.
    pub(crate) fn terminator_changed(&mut self) {
        self.clean = 0;
    }

    /// The front was dropped: it has to be looked at again.
    pub(crate) fn recheck(&mut self) {
        self.clean = 0;
        self.refused = false;
    }

    /// What `data` begins with. The caller does what it says before it asks again.
    pub(crate) fn next(&mut self, data: &[u8], options: &LineOptions, eof: bool) -> Cut {
        if let n @ 1.. = self.skip_terminator(data) {
            return Cut::SkipTerminator(n);
        }
        let refused = std::mem::take(&mut self.refused);
        let clean = std::mem::take(&mut self.clean);
        let Some(at) = options.terminator.find(&data[clean..]) else {
            if self.skipping && !data.is_empty() {
                return Cut::Drop(data.len());
            }
            if data.len() - half(data, options, eof) > options.max_line_length {
                return self.too_long(data, options, eof, refused);
            }
            if eof && !data.is_empty() {
                return Cut::Line(data.len(), 0, LineEnd::Eof);
            }
            self.clean = data.len();
            return Cut::More;
        };
        let at = clean + at;
        self.after_return = options.terminator.is_half(&data[..=at]);
        if self.skipping {
            self.skipping = false;
            return Cut::Drop(at + 1);
        }
        let len = Ends::after(at, options.terminator).strip(&data[..at]).len();
        if len > options.max_line_length {
            return self.too_long(data, options, eof, refused);
        }
        Cut::Line(len, at + 1 - len, LineEnd::Terminator)
    }

    /// How many bytes of `data` belong to the terminator of the line before; `None` if that line is still being dropped.
    pub(crate) fn rest_of_terminator(&self, data: &[u8]) -> Option<usize> {
        let half = self.after_return && data.starts_with(b"\n");
        (!self.skipping).then_some(usize::from(half))
    }

    /// Lines have been taken up to the end of `taken`.
    pub(crate) fn taken(&mut self, taken: &[u8], terminator: Terminator) {
        self.after_return = terminator.is_half(taken);
    }

    /// How many bytes at the front are whole lines, or a piece of more than `max_line_length` bytes of one, or all there is at
    /// the end; and how many of them belong to the terminator of the line before. The caller takes them.
    pub(crate) fn next_block(
        &mut self,
        data: &[u8],
        options: &LineOptions,
        eof: bool,
    ) -> Option<(usize, usize)> {
        let whole = data.len() - half(data, options, eof);
        let len = match self.last_end(data, options.terminator) {
            Some(end) => end,
            None if eof || whole > options.max_line_length => whole,
            None => return None,
        };
        let block = &data[..len];
        let skipped = self.skip_terminator(block);
        self.reset();
        self.after_return = options.terminator.is_half(block);
        Some((len, skipped)).filter(|_| len > 0)
    }

    /// Where the last line in `data` ends that has a terminator.
    pub(crate) fn last_end(&mut self, data: &[u8], terminator: Terminator) -> Option<usize> {
        let last = terminator.find_last(&data[self.clean..]);
        let clean = std::mem::replace(&mut self.clean, data.len());
        let end = clean + last? + 1;
        self.clean = 0;
        Some(end)
    }

    /// How many bytes at the front belong to a terminator that has already ended a line.
    fn skip_terminator(&mut self, data: &[u8]) -> usize {
        let Some(first) = data.first() else { return 0 };
        let hit = std::mem::take(&mut self.after_return) && *first == b'\n';
        self.clean = self.clean.saturating_sub(usize::from(hit));
        usize::from(hit)
    }

    /// The line at the front is too long; `refused` if that has been told.
    fn too_long(&mut self, data: &[u8], options: &LineOptions, eof: bool, refused: bool) -> Cut {
        self.after_return = false;
        self.refused = options.long_line == LongLine::Fail && !refused;
        if self.refused {
            // It stays: by other rules it can still be had.
            return Cut::TooLong;
        }
        self.skipping = options.long_line != LongLine::Split;
        if options.long_line == LongLine::Fail {
            return self.next(data, options, eof);
        }
        Cut::Line(options.max_line_length, 0, LineEnd::Limit)
    }
}

/// How many bytes at the end of `data`, which holds no terminator, may be the first half of one: a `\r`.
fn half(data: &[u8], options: &LineOptions, eof: bool) -> usize {
    let half = !eof && options.terminator == Terminator::Newline && data.ends_with(b"\r");
    usize::from(half)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::lines::LineBlock;

    /// The lines, `None` for one that is too long, and how many bytes were dropped.
    type Lines = (Vec<Option<(Vec<u8>, LineEnd)>>, usize);

    /// What all of `data` comes to.
    fn naive(mut data: &[u8], options: &LineOptions) -> Lines {
        let max = options.max_line_length;
        let is_end = |byte: &u8| match options.terminator {
            Terminator::Newline => *byte == b'\n',
            Terminator::CarriageReturn => b"\r\n".contains(byte),
            Terminator::Byte(end) => *byte == end,
        };
        let (mut lines, mut dropped) = (Vec::new(), 0);
        while !data.is_empty() {
            let at = data.iter().position(is_end);
            let (whole, mut rest) = data.split_at(at.map_or(data.len(), |at| at + 1));
            let mut line = at.map_or(data, |at| &data[..at]);
            if options.terminator == Terminator::Newline && at.is_some() {
                line = line.strip_suffix(b"\r").unwrap_or(line);
            }
            if options.terminator == Terminator::CarriageReturn && whole.ends_with(b"\r") {
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            let head = &line[..line.len().min(max)];
            let end = match at {
                _ if line.len() > max => LineEnd::Limit,
                Some(_) => LineEnd::Terminator,
                None => LineEnd::Eof,
            };
            let fails = end == LineEnd::Limit && options.long_line == LongLine::Fail;
            lines.push((!fails).then(|| (head.to_vec(), end)));
            data = match options.long_line {
                LongLine::Split if end == LineEnd::Limit => &data[max..],
                _ if end != LineEnd::Limit => rest,
                _ => {
                    dropped += whole.len() - if fails { 0 } else { max };
                    rest
                }
            };
        }
        (lines, dropped)
    }

    /// What `data` comes to that arrives in these pieces.
    fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>, options: &LineOptions) -> Lines {
        let (mut splitter, mut data) = (Splitter::default(), Vec::new());
        let (mut lines, mut dropped) = (Vec::new(), 0);
        for piece in pieces.map(Some).chain([None]) {
            data.extend_from_slice(piece.unwrap_or_default());
            loop {
                let taken = match splitter.next(&data, options, piece.is_none()) {
                    Cut::Line(len, skip, end) => {
                        lines.push(Some((data[..len].to_vec(), end)));
                        len + skip
                    }
                    Cut::Drop(n) => {
                        dropped += n;
                        n
                    }
                    Cut::SkipTerminator(n) => n,
                    Cut::TooLong => {
                        lines.push(None);
                        0
                    }
                    Cut::More => break,
                };
                data.drain(..taken);
            }
        }
        assert!(data.is_empty());
        (lines, dropped)
    }

    /// The same in blocks, of which each is as long as it can be.
    fn blocks<'a>(pieces: impl Iterator<Item = &'a [u8]>, options: &LineOptions) -> Vec<LineBlock> {
        let (mut splitter, mut data) = (Splitter::default(), Vec::new());
        let mut blocks = Vec::new();
        for piece in pieces.map(Some).chain([None]) {
            data.extend_from_slice(piece.unwrap_or_default());
            while let Some((len, half)) = splitter.next_block(&data, options, piece.is_none()) {
                let bytes = data.drain(..len).collect::<Vec<_>>();
                blocks.push(LineBlock::new(bytes.into(), half, options.terminator));
            }
        }
        assert!(data.is_empty());
        blocks
    }

    /// `data` cut before each byte that `cuts` has a bit for.
    fn pieces(data: &[u8], cuts: u32) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        (1..=data.len()).filter_map(move |end| {
            let ends = end == data.len() || cuts & (1 << (end - 1)) != 0;
            ends.then(|| &data[std::mem::replace(&mut at, end)..end])
        })
    }

    proptest! {
        /// However it is cut in pieces.
        #[test]
        fn splits_as_if_all_were_there(
            data in vec(select(&b"\r\n\r\nab\0"[..]), 0..10),
            terminator in select(vec![
                Terminator::Newline,
                Terminator::CarriageReturn,
                Terminator::Byte(0),
                Terminator::Byte(b'\n'),
            ]),
            max in 1usize..6,
            long_line in select(vec![LongLine::Cut, LongLine::Split, LongLine::Fail]),
        ) {
            let options = LineOptions::default().terminator(terminator);
            let all = naive(&data, &options).0.into_iter().flatten().map(|(line, _)| line);
            let all: Vec<_> = all.collect();
            let short = options.max_line_length(max, long_line);
            let expected = naive(&data, &short);
            for cuts in 0..1 << data.len().saturating_sub(1) {
                prop_assert_eq!(&split(pieces(&data, cuts), &short), &expected, "{:b}", cuts);
                let blocks = blocks(pieces(&data, cuts), &options);
                let bytes: Vec<_> = blocks.iter().map(LineBlock::as_bytes).collect();
                prop_assert_eq!(bytes.concat(), &data[..], "{:b}", cuts);
                let lines: Vec<_> = blocks.iter().flatten().collect();
                prop_assert_eq!(&lines, &all, "{:b}", cuts);
            }
        }
    }
}
