//! Many lines at a time: [`LineBlocks`], for those who count every cycle.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{Stream, stream::FusedStream};

use crate::{
    buffer::{Newlines, find},
    error::Result,
    event::Source,
    line::Terminator,
    process_io::{ProcessIo, Receive, RecvHalf},
    pump::{Pump, Turn, Want, Wants, drive},
};

/// Whole lines of one stream in one piece, to be iterated as `&[u8]` without a reference count for each.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use futures::TryStreamExt;
/// use process_io::ProcessIo;
///
/// let mut io = ProcessIo::command("seq").arg("1000").spawn()?;
/// let mut blocks = io.line_blocks(process_io::Source::Stdout);
/// let mut sum = 0;
/// while let Some(block) = blocks.try_next().await? {
///     for line in &block {
///         sum += std::str::from_utf8(line).unwrap().parse::<u32>().unwrap();
///     }
/// }
/// assert_eq!(sum, 500_500);
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBlock {
    bytes: Bytes,
    /// So many bytes at the front belong to the terminator of the line before.
    swallowed: usize,
    terminator: Terminator,
}

impl LineBlock {
    /// The lines, with their terminators: put together, the blocks are the output, byte for byte.
    ///
    /// With [`Terminator::CarriageReturn`] a block may begin with the `\n` of a `\r\n` that was read in two pieces.
    /// It belongs to the block before, and is no line of this one.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines, with their terminators, by value.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The lines, without their terminators.
    pub fn iter(&self) -> BlockLines<'_> {
        BlockLines {
            bytes: &self.bytes,
            taken: self.swallowed,
            newlines: Newlines::after(self.swallowed),
            terminator: self.terminator,
        }
    }
}

impl<'a> IntoIterator for &'a LineBlock {
    type Item = &'a [u8];
    type IntoIter = BlockLines<'a>;

    fn into_iter(self) -> BlockLines<'a> {
        self.iter()
    }
}

/// The lines of a [`LineBlock`].
#[derive(Debug, Clone)]
pub struct BlockLines<'a> {
    bytes: &'a [u8],
    taken: usize,
    newlines: Newlines,
    terminator: Terminator,
}

impl<'a> Iterator for BlockLines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.terminator != Terminator::Newline {
            return self.next_other();
        }
        let Some(at) = self.newlines.peek(self.bytes) else {
            return self.last();
        };
        self.newlines.pass();
        let line = &self.bytes[self.taken..at];
        self.taken = at + 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl<'a> BlockLines<'a> {
    fn next_other(&mut self) -> Option<&'a [u8]> {
        let Some(at) = find(&self.bytes[self.taken..], self.terminator) else {
            return self.last();
        };
        let (line, rest) = self.bytes[self.taken..].split_at(at);
        let crlf = self.terminator == Terminator::CarriageReturn && rest.starts_with(b"\r\n");
        self.taken += at + 1 + usize::from(crlf);
        Some(line)
    }

    /// What has no terminator.
    fn last(&mut self) -> Option<&'a [u8]> {
        let line = &self.bytes[self.taken..];
        self.taken = self.bytes.len();
        Some(line).filter(|line| !line.is_empty())
    }
}

impl std::iter::FusedIterator for BlockLines<'_> {}

/// The lines of one stream in [`LineBlock`]s; made by [`line_blocks`](ProcessIo::line_blocks).
///
/// A block ends with a terminator, but for the last one, and those of a line that is longer than
/// [`max_line_length`](crate::LineOptions::max_line_length), which comes in several blocks.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct LineBlocks<T> {
    io: T,
    source: Source,
    ended: bool,
}

impl ProcessIo {
    /// The lines of `source` in blocks, as they were read. Takes as much as [`lines`](Self::lines), for less.
    pub fn line_blocks(&mut self, source: Source) -> LineBlocks<&mut Self> {
        LineBlocks {
            io: self,
            source,
            ended: false,
        }
    }
}

impl RecvHalf {
    /// Many lines of `source` at a time; see [`ProcessIo::line_blocks`].
    pub fn line_blocks(&mut self, source: Source) -> LineBlocks<&mut Self> {
        LineBlocks {
            io: self,
            source,
            ended: false,
        }
    }
}

impl<T: Receive> LineBlocks<T> {
    /// The handle inside.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The handle inside.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Gives the handle back.
    pub fn into_inner(self) -> T {
        self.io
    }
}

impl<T: Receive> Stream for LineBlocks<T> {
    type Item = Result<LineBlock>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let source = self.source;
        let block = (self.io).poll(cx, |pump, turn| poll_block(pump, turn, source));
        self.ended = matches!(block, Poll::Ready(None));
        block
    }
}

impl<T: Receive> FusedStream for LineBlocks<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

fn poll_block(
    pump: &mut Pump,
    turn: &mut Turn<'_, '_>,
    source: Source,
) -> Poll<Option<Result<LineBlock>>> {
    ready!(pump.charge.poll(turn.cx()));
    let block = drive(pump, turn, Wants::only(source, Want::MORE), |pump, _| {
        let options = pump.line_options;
        if let Some((bytes, swallowed)) = pump.reader_mut(source).take_block(&options) {
            // Its lines are not counted: as if each had as many bytes as it costs besides.
            pump.charge.add(2 * bytes.len());
            let terminator = options.terminator;
            return Some(Ok(Some(LineBlock {
                bytes,
                swallowed,
                terminator,
            })));
        }
        (pump.is_ended(source)).then(|| pump.end(source).map(|()| None))
    });
    block.map(Result::transpose)
}
