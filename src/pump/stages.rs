//! [`Stages`]: what the stages of a pipeline have each for itself.

use std::{io, process::ExitStatus, sync::Arc, task::Context};

use bytes::Bytes;

use super::{
    Want,
    read::{Reader, Step},
    tee::Tee,
};
use crate::{
    limits::Limit,
    output::StageOutput,
    transport::{Process, StageParts},
};

/// The stages of a pipeline, in order; none, if it is a single child.
pub(super) struct Stages {
    pub(super) all: Vec<Stage>,
    /// Whose stderr is to be looked at first, and whether that comes before all else.
    next: usize,
    pub(super) first: bool,
    /// How many exits the stream of stage events has told.
    pub(super) told: usize,
}

/// A stage of a pipeline. The stderr of the last one is in the driver, and this one's is closed.
pub(super) struct Stage {
    pub(super) stderr: Reader,
    process: Arc<dyn Process>,
    command: Arc<str>,
    /// What it writes for the next one, if that comes by here.
    tee: Option<Tee>,
}

impl Stage {
    pub(super) fn new(parts: StageParts, limit: Limit) -> Self {
        Self {
            stderr: Reader::new(parts.stderr, limit),
            process: parts.process,
            command: parts.command,
            tee: parts.tee.map(Tee::new),
        }
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        Arc::clone(&self.process).try_wait().ok().flatten()
    }
}

impl Stages {
    pub(super) fn new(parts: Vec<StageParts>, limit: Limit) -> Self {
        let stage = |parts| Stage::new(parts, limit);
        Self {
            all: parts.into_iter().map(stage).collect(),
            next: 0,
            first: false,
            told: 0,
        }
    }

    /// What is copied between the stages.
    pub(super) fn tees(&self) -> impl Iterator<Item = &Tee> {
        self.all.iter().filter_map(|stage| stage.tee.as_ref())
    }

    /// Why what a stage wrote could not be copied, once.
    pub(super) fn take_error(&mut self) -> Option<(Arc<str>, io::Error)> {
        self.all.iter_mut().find_map(|stage| {
            let error = stage.tee.as_mut()?.take_error()?;
            Some((Arc::clone(&stage.command), error))
        })
    }

    /// The run is over.
    pub(super) fn close(&mut self) {
        for stage in &mut self.all {
            stage.stderr.close();
            stage.tee.iter_mut().for_each(Tee::close);
        }
    }

    /// Moves on what is copied between the stages, and reads the stderr of each but the last once: a piece where pieces are
    /// wanted of everything.
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>, want: [Want; 2], ask: bool) -> Step {
        let want = match want {
            [Want::Piece, Want::Piece] => Want::Piece,
            [Want::Hold, Want::Hold] => Want::Hold,
            _ => Want::Fill,
        };
        let mut all = Step::Quiet;
        for stage in &mut self.all {
            let tee = stage.tee.as_mut();
            let tee = tee.map_or(Step::Quiet, |tee| tee.poll_step(cx, ask));
            for step in [stage.stderr.poll_step(cx, want, ask), tee] {
                match step {
                    Step::Moved => all = Step::Moved,
                    Step::Held if all == Step::Quiet => all = Step::Held,
                    Step::Held | Step::Quiet => {}
                }
            }
        }
        all
    }

    /// Takes a piece of the stderr of any stage but the last.
    pub(super) fn take(&mut self) -> Option<(usize, Bytes)> {
        let n = self.all.len();
        let (at, data) = (0..n).find_map(|step| {
            let at = (self.next + step) % n;
            Some((at, self.all[at].stderr.take(usize::MAX)?))
        })?;
        self.next = at + 1;
        Some((at, data))
    }

    /// How each did. What was collected of its stderr is in `stderr`, of the last stage in `last`, with the bytes that were
    /// omitted there.
    pub(super) fn outputs(&self, mut stderr: Vec<Bytes>, last: (&Bytes, u64)) -> Vec<StageOutput> {
        if let Some(bytes) = stderr.last_mut() {
            *bytes = last.0.clone();
        }
        let mut outputs: Vec<_> = (self.all.iter().zip(stderr))
            .map(|(stage, bytes)| StageOutput {
                command: Arc::clone(&stage.command),
                status: stage.status(),
                stderr: bytes,
                stderr_omitted: stage.stderr.inbox.omitted(),
                usage: stage.process.usage(),
            })
            .collect();
        if let Some(output) = outputs.last_mut() {
            output.stderr_omitted = last.1;
        }
        outputs
    }
}
