//! The lines of either stream, cut where they wait.

use std::task::{Context, Poll, ready};

use super::Driver;
use crate::{
    buffer::Inbox,
    error::{Kind, Result},
    event::Source,
    line::{Line, LineOptions},
};

impl Driver {
    pub(crate) fn line_options(&self) -> LineOptions {
        self.line_options
    }

    pub(crate) fn set_line_options(&mut self, options: LineOptions) {
        let max_line_length = options.max_line_length.max(1);
        self.line_options = LineOptions {
            max_line_length,
            ..options
        };
        for reader in self.readers_mut() {
            reader.inbox.end_plain_lines();
        }
    }

    /// Charges the task for the lines that have been handed out, and lets it have more; to be asked before
    /// [`take_line`](Driver::take_line).
    pub(crate) fn poll_charge_lines(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inboxes = [&mut self.stdout.inbox, &mut self.stderr.inbox];
        for inbox in &mut inboxes {
            self.charge.add(inbox.revoke_plain_lines());
        }
        ready!(self.charge.poll(cx));
        inboxes.into_iter().for_each(Inbox::grant_plain_lines);
        Poll::Ready(())
    }

    /// Takes the next whole line of `source`, if there is one.
    #[inline]
    pub(crate) fn take_line(&mut self, source: Source) -> Option<Result<Line>> {
        match self.take_plain_line(source) {
            Some(line) => Some(Ok(line)),
            None => self.take_any_line(source),
        }
    }

    /// The same, if it is what nearly every line is.
    #[inline(always)]
    pub(crate) fn take_plain_line(&mut self, source: Source) -> Option<Line> {
        let inbox = match source {
            Source::Stdout => &mut self.stdout.inbox,
            Source::Stderr => &mut self.stderr.inbox,
        };
        let line = inbox.take_plain_line()?;
        Some(Line::of_block(line, source))
    }

    /// The same, of either stream: they take turns by pieces that were read and not by lines, so that the lines of a piece are
    /// handed out without looking elsewhere.
    pub(crate) fn take_plain_line_of_any(&mut self) -> Option<Line> {
        let turn = self.turn;
        [turn, turn.other()].into_iter().find_map(|source| {
            let line = self.take_plain_line(source)?;
            self.end_turn_after_block(source);
            Some(line)
        })
    }

    /// A line of `source` was taken: if no more are there, it is the other's turn.
    pub(crate) fn end_turn_after_block(&mut self, source: Source) {
        if self.reader(source).has_no_block() {
            self.end_turn(source);
        }
    }

    fn take_any_line(&mut self, source: Source) -> Option<Result<Line>> {
        let options = self.line_options;
        let reader = self.reader_mut(source);
        let eof = reader.is_closed();
        let line = reader.inbox.take_line(&options, eof)?;
        let len = line.as_ref().map_or(0, |(bytes, _)| bytes.len());
        self.charge.add_part(len);
        Some(match line {
            Ok((bytes, end)) => Ok(Line::new(bytes, source, end)),
            Err(()) => Err(self.error(Kind::LongLine(source, options.max_line_length))),
        })
    }
}
