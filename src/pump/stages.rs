//! [`Stage`]: what the stages of a pipeline have each for itself.

use std::{process::ExitStatus, sync::Arc, task::Context};

use bytes::Bytes;

use super::{
    Driver, Want,
    read::{Reader, Step},
};
use crate::{
    limits::Limit,
    output::StageOutput,
    transport::{Process, StageParts},
};

/// A stage of a pipeline. The stderr of the last one is in the driver, and this one's is closed.
pub(super) struct Stage {
    pub(super) stderr: Reader,
    process: Arc<dyn Process>,
    command: Arc<str>,
}

impl Stage {
    pub(super) fn new(parts: StageParts, limit: Limit) -> Self {
        Self {
            stderr: Reader::new(parts.stderr, limit),
            process: parts.process,
            command: parts.command,
        }
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        Arc::clone(&self.process).try_wait().ok().flatten()
    }
}

impl Driver {
    /// Reads the stderr of each stage but the last once: a piece where pieces are wanted of everything.
    pub(super) fn poll_stages(&mut self, cx: &mut Context<'_>, want: [Want; 2], ask: bool) -> Step {
        let want = match want {
            [Want::Piece, Want::Piece] => Want::Piece,
            [Want::Hold, Want::Hold] => Want::Hold,
            _ => Want::Fill,
        };
        let mut all = Step::Quiet;
        for stage in &mut self.stages {
            match stage.stderr.poll_step(cx, want, ask) {
                Step::Moved => all = Step::Moved,
                Step::Held if all == Step::Quiet => all = Step::Held,
                Step::Held | Step::Quiet => {}
            }
        }
        all
    }

    /// Takes a piece of the stderr of any stage but the last.
    pub(super) fn take_stage(&mut self) -> Option<(usize, Bytes)> {
        let n = self.stages.len();
        let (at, data) = (0..n).find_map(|step| {
            let at = (self.next_stage + step) % n;
            Some((at, self.stages[at].stderr.take(usize::MAX)?))
        })?;
        self.next_stage = at + 1;
        Some((at, data))
    }

    /// How each stage did. What was collected of its stderr is in `stderr`, of the last stage in `last`.
    pub(super) fn stage_outputs(&self, mut stderr: Vec<Bytes>, last: &Bytes) -> Vec<StageOutput> {
        if let Some(bytes) = stderr.last_mut() {
            *bytes = last.clone();
        }
        let mut outputs: Vec<_> = (self.stages.iter().zip(stderr))
            .map(|(stage, bytes)| StageOutput {
                command: Arc::clone(&stage.command),
                status: stage.status(),
                stderr: bytes,
                stderr_omitted: stage.stderr.inbox.omitted(),
                usage: stage.process.usage(),
            })
            .collect();
        if let Some(last) = outputs.last_mut() {
            last.stderr_omitted = self.stderr.inbox.omitted();
        }
        outputs
    }
}
