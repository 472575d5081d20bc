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

/// The events of a pipeline, each with the number of its stage, from 0.
///
/// It is created by [`stage_events`](ProcessIo::stage_events). When all outputs have ended there is an
/// [`Event::Exit`] of each stage, in order; that of the last stage is the last item.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct StageEvents<'a> {
    io: &'a mut ProcessIo,
}

/// # Pipelines
impl ProcessIo {
    /// Returns a [`Control`] of each stage, in order.
    ///
    /// Each is used to query one stage and to signal it while the others continue: its [exit
    /// status](Control::try_wait), its [end](Control::wait), its [process id](Control::id). A child that is not a
    /// pipeline is the only stage.
    ///
    /// What is sent to the tree of a stage goes to the process group, in which all stages are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{Command, ProcessIo};
    ///
    /// let mut io = ProcessIo::command("cat").pipe(Command::new("cat")).spawn()?;
    /// let stages = io.stage_controls();
    /// assert_eq!(stages.len(), 2);
    /// stages[0].kill()?; // this stage only: the other one sees end-of-file
    /// io.wait().await?;
    /// assert!(stages[1].try_wait()?.unwrap().success());
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn stage_controls(&self) -> Vec<Control> {
        self.pump.stage_controls()
    }

    /// Returns a stream of the events of all stages, each with the number of its stage.
    ///
    /// They are the events of this handle's own stream, and the exit of each stage. A child that is not a pipeline is
    /// stage 0.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{Command, Event, ProcessIo};
    ///
    /// let mut io = ProcessIo::shell("echo warning >&2; exit 3").pipe(Command::new("cat")).spawn()?;
    /// let mut events = io.stage_events();
    /// while let Some((stage, event)) = events.try_next().await? {
    ///     match event {
    ///         Event::Stderr(bytes) => assert_eq!((stage, bytes.as_ref()), (0, &b"warning\n"[..])),
    ///         Event::Exit(status) => assert_eq!(status.code(), Some([3, 0][stage])),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// # Ok(()) }
    /// ```
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
