//! [`Scan`]: where in the received bytes the next line ends. Never looks twice for what is not there.

use memchr::{memchr, memchr2, memrchr, memrchr2};

use crate::line::{LineEnd, LineOptions, LongLine, Terminator};

/// What is known of the line at the front.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    /// So many bytes hold no terminator.
    clean: usize,
    /// Of this kind.
    terminator: Terminator,
    /// The front is the rest of a line that was too long: it is dropped up to its terminator.
    skipping: bool,
    /// The front is a line that is too long, and that has been told.
    refused: bool,
    /// A `\n` at the front is the second half of a `\r\n` whose `\r` has ended the line.
    after_return: bool,
}

/// What to do with the bytes at the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The first `len` bytes are a line, and `skip` bytes after them are its terminator.
    Line {
        len: usize,
        skip: usize,
        end: LineEnd,
    },
    /// So many bytes belong to a line that was too long.
    Drop(usize),
    /// So many bytes belong to a terminator.
    Swallow(usize),
    /// A line is too long, and that is an error. It is not taken.
    TooLong,
    /// More is needed.
    More,
}

impl Scan {
    /// Forgets all it knows: the front has changed under it.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The front was dropped: it has to be looked at again.
    pub(super) fn recheck(&mut self) {
        self.clean = 0;
        self.refused = false;
    }

    /// What `data` begins with. The caller does what it says before it asks again.
    pub(super) fn next(&mut self, data: &[u8], options: &LineOptions, eof: bool) -> Cut {
        if let n @ 1.. = self.swallow(data) {
            return Cut::Swallow(n);
        }
        let refused = std::mem::take(&mut self.refused);
        self.look_for(options.terminator);
        let found = find(&data[self.clean..], options.terminator).map(|at| self.clean + at);
        self.clean = 0;
        let Some(at) = found else {
            return self.unterminated(data, options, eof, refused);
        };
        self.after_return = options.terminator == Terminator::CarriageReturn && data[at] == b'\r';
        if self.skipping {
            self.skipping = false;
            return Cut::Drop(at + 1);
        }
        let crlf = options.terminator == Terminator::Newline && at > 0 && data[at - 1] == b'\r';
        let len = at - usize::from(crlf);
        if len > options.max_line_length {
            return self.too_long(data, options, eof, refused);
        }
        Cut::Line {
            len,
            skip: at + 1 - len,
            end: LineEnd::Terminator,
        }
    }

    /// The next line begins where the last one ended, and ends with a newline.
    pub(super) fn is_plain(&self, options: &LineOptions) -> bool {
        !self.skipping && !self.after_return && options.terminator == Terminator::Newline
    }

    /// What holds none of one kind of terminator may hold one of another.
    fn look_for(&mut self, terminator: Terminator) {
        if self.terminator != terminator {
            self.terminator = terminator;
            self.clean = 0;
        }
    }

    /// How many bytes at the front belong to a terminator that has already ended a line.
    pub(super) fn swallow(&mut self, data: &[u8]) -> usize {
        let Some(first) = data.first() else { return 0 };
        let hit = std::mem::take(&mut self.after_return) && *first == b'\n';
        self.clean = self.clean.saturating_sub(usize::from(hit));
        usize::from(hit)
    }

    /// There is no terminator in `data`.
    fn unterminated(
        &mut self,
        data: &[u8],
        options: &LineOptions,
        eof: bool,
        refused: bool,
    ) -> Cut {
        if self.skipping && !data.is_empty() {
            return Cut::Drop(data.len());
        }
        if data.len() - half(data, options, eof) > options.max_line_length {
            return self.too_long(data, options, eof, refused);
        }
        if eof && !data.is_empty() {
            return Cut::Line {
                len: data.len(),
                skip: 0,
                end: LineEnd::Eof,
            };
        }
        self.clean = data.len();
        Cut::More
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
        Cut::Line {
            len: options.max_line_length,
            skip: 0,
            end: LineEnd::Limit,
        }
    }

    /// Where the last line in `data` ends that has a terminator.
    pub(super) fn last_end(&mut self, data: &[u8], terminator: Terminator) -> Option<usize> {
        self.look_for(terminator);
        let fresh = &data[self.clean..];
        let last = match terminator {
            Terminator::Newline => memrchr(b'\n', fresh),
            Terminator::CarriageReturn => memrchr2(b'\r', b'\n', fresh),
            Terminator::Byte(byte) => memrchr(byte, fresh),
        };
        match last {
            Some(at) => Some(std::mem::take(&mut self.clean) + at + 1),
            None => {
                self.clean = data.len();
                None
            }
        }
    }

    /// A block of whole lines has been taken.
    pub(super) fn block_taken(&mut self, block: &[u8], terminator: Terminator) {
        self.clean = 0;
        self.skipping = false;
        self.refused = false;
        self.after_return = terminator == Terminator::CarriageReturn && block.ends_with(b"\r");
    }
}

/// How many bytes at the end of `data`, which holds no terminator, may be the first half of one: a `\r`.
pub(super) fn half(data: &[u8], options: &LineOptions, eof: bool) -> usize {
    let half = !eof && options.terminator == Terminator::Newline && data.ends_with(b"\r");
    usize::from(half)
}

/// Where the first terminator is.
pub(crate) fn find(data: &[u8], terminator: Terminator) -> Option<usize> {
    match terminator {
        Terminator::Newline => memchr(b'\n', data),
        Terminator::CarriageReturn => memchr2(b'\r', b'\n', data),
        Terminator::Byte(byte) => memchr(byte, data),
    }
}
