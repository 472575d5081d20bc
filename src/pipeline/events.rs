//! [`StageEvents`]: which stage of a pipeline says what.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, stream::FusedStream};

use crate::{
    error::Result,
    event::Event,
    process_io::{Handle, ProcessIo},
    pump::poll_event,
    transport::Control,
};

/// The events of a pipeline, each with the number of its stage, from 0; made by
/// [`stage_events`](ProcessIo::stage_events).
///
/// When all outputs have ended there is an [`Event::Exit`] of each stage, in order; that of the last stage is the last item.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct StageEvents<'a> {
    io: &'a mut ProcessIo,
}

/// # Pipelines
impl ProcessIo {
    /// A [`Control`] of each stage, in order, to ask how it is and to signal it while the others go on: its
    /// [exit status](Control::try_wait), its [end](Control::wait), its [process id](Control::id). A child that is no pipeline is
    /// the only stage.
    ///
    /// What is sent to the tree of a stage goes to the process group, in which all stages are.
    pub fn stage_controls(&self) -> Vec<Control> {
        self.pump.stage_controls()
    }

    /// The same events as this stream's own, each with the number of the stage that it is of, and the exit of each stage.
    /// A child that is no pipeline is stage 0.
    pub fn stage_events(&mut self) -> StageEvents<'_> {
        StageEvents { io: self }
    }
}

impl Stream for StageEvents<'_> {
    type Item = Result<(usize, Event)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.io.poll(cx, |pump, turn| poll_event(pump, turn, true))
    }
}

impl FusedStream for StageEvents<'_> {
    fn is_terminated(&self) -> bool {
        self.io.is_terminated()
    }
}
