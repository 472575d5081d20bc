//! [`Untold`]: what has to be told once.

use std::{collections::VecDeque, io, sync::Arc};

use crate::{event::Source, signal::Signal};

/// What has happened and has to be told once. Of several the one that comes first here:
///
/// | what | who is told |
/// |---|---|
/// | the terminal has stopped the child | whoever finds that nothing moves |
/// | a stream could not be read | who asks for that stream, or for the output of the run |
/// | the run was cut short | who asks for a stream that ended early by it; who asks how the run ended, every time |
/// | the source of the input failed, or our end of stdin; what the child, or a stage, writes could not be copied | who asks how the run ended |
/// | the status is not known | who asks for it |
///
/// A stdin that failed is in the [`Writer`](super::Writer), which tells it to whoever writes; why there is no status in the
/// [`Exit`](super::exit::Exit); why what a child writes could not be copied, in the [`Reader`](super::read::Reader).
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// The signal by which the terminal has stopped the child.
    pub(super) stopped: Option<Signal>,
    /// Why a stream could not be read.
    pub(super) read: [Option<io::Error>; 2],
    /// The run was cut short while these streams were open.
    pub(super) cut: [bool; 2],
    /// The run was cut short, and the stream of events has not said so.
    pub(super) cut_event: bool,
    pub(super) input: Option<io::Error>,
    /// Which stages' output could not be copied.
    pub(super) copies: VecDeque<(Arc<str>, io::Error)>,
    /// How many exits the stream of events has told, and whether that was the last.
    pub(super) exits: (usize, bool),
}

impl Untold {
    /// The run has been cut short; of which streams is there more?
    pub(super) fn cut(&mut self, is_open: impl Fn(Source) -> bool) {
        self.cut = Source::BOTH.map(is_open);
        self.cut_event = true;
    }

    pub(super) fn is_cut(&self, source: Source) -> bool {
        self.cut[source as usize]
    }

    /// Whether a stream was cut short, once.
    pub(super) fn take_cut(&mut self, source: Source) -> bool {
        let cut = std::mem::take(&mut self.cut[source as usize]);
        self.cut_event &= !cut;
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_told_once_of_each_stream_that_was_open() {
        let mut untold = Untold::default();
        assert!(!untold.take_cut(Source::Stdout));
        untold.cut(|source| source == Source::Stdout);
        assert!(untold.is_cut(Source::Stdout) && !untold.is_cut(Source::Stderr));
        assert!(!untold.take_cut(Source::Stderr) && untold.cut_event);
        assert!(untold.take_cut(Source::Stdout) && !untold.cut_event);
        assert!(!untold.take_cut(Source::Stdout));
    }
}
