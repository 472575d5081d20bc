//! [`LineBlocks`]: many lines at a time.

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

/// A stream of the lines of one output stream in [`LineBlock`]s; created by [`line_blocks`](ProcessIo::line_blocks).
///
/// A block ends with a terminator, except the last one, and those of a line that is longer than
/// [`max_line_length`](crate::LineOptions::max_line_length), which comes in several blocks.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct LineBlocks<T> {
    io: T,
    source: Source,
    ended: bool,
}

impl ProcessIo {
    /// Returns a stream of the lines of `source` in blocks, as they were read.
    ///
    /// Takes the same lines as [`lines`](Self::lines) at less cost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::command("seq").arg("1000").spawn()?;
    /// let mut blocks = io.line_blocks(Source::Stdout);
    /// let mut lines = 0;
    /// while let Some(block) = blocks.try_next().await? {
    ///     lines += block.iter().count();
    /// }
    /// assert_eq!(lines, 1000);
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn line_blocks(&mut self, source: Source) -> LineBlocks<&mut Self> {
        LineBlocks::new(self, source)
    }
}

impl RecvHalf {
    /// Returns a stream of the lines of `source` in blocks; see [`ProcessIo::line_blocks`].
    pub fn line_blocks(&mut self, source: Source) -> LineBlocks<&mut Self> {
        LineBlocks::new(self, source)
    }
}

impl<T: Receive> LineBlocks<T> {
    fn new(io: T, source: Source) -> Self {
        let ended = false;
        Self { io, source, ended }
    }

    /// Returns a reference to the handle.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Returns a mutable reference to the handle.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Returns the handle, with all that has not been returned in a block.
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
