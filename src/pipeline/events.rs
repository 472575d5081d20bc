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
