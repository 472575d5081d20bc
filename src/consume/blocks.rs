//! Many lines at a time: [`LineBlocks`], for those who count every cycle.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};

use crate::{
    error::Result,
    event::Source,
    lines::LineBlock,
    process_io::{ProcessIo, Receive, RecvHalf},
    pump::{Pump, Turn, Want, Wants, drive},
};

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
        LineBlocks::new(self, source)
    }
}

impl RecvHalf {
    /// Many lines of `source` at a time; see [`ProcessIo::line_blocks`].
    pub fn line_blocks(&mut self, source: Source) -> LineBlocks<&mut Self> {
        LineBlocks::new(self, source)
    }
}

impl<T: Receive> LineBlocks<T> {
    fn new(io: T, source: Source) -> Self {
        let ended = false;
        Self { io, source, ended }
    }

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
        if let Some(block) = pump.reader_mut(source).take_block(&options) {
            // Its lines are not counted: as if each had as many bytes as it costs besides.
            pump.charge.add(2 * block.as_bytes().len());
            return Some(Ok(Some(block)));
        }
        (pump.is_ended(source)).then(|| pump.end(source).map(|()| None))
    });
    block.map(Result::transpose)
}
