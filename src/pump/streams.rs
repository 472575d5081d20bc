//! [`Streams`]: all that comes out of a child, and out of the stages of a pipeline.

use std::{io, process::ExitStatus, sync::Arc};

use bytes::Bytes;

use super::{
    Turn, Wants,
    read::{Reader, Step},
    tee::Tee,
    untold::Untold,
};
use crate::{
    buffer::Tail,
    event::Source,
    limits::{Limit, Limits, MAX_MISSED_TURNS},
    output::StageOutput,
    secrets::Secrets,
    transport::{Control, Process, ReadEnd, StageParts, WriteEnd, is_failure},
};

/// All that is read. They take turns: stdout, stderr, and the stderr of each stage but the last.
pub(crate) struct Streams {
    pub(super) stdout: Reader,
    pub(super) stderr: Reader,
    /// The stages of a pipeline, in order; none, if it is a single child.
    pub(super) stages: Vec<Stage>,
    /// Whose turn it is when several have something.
    turn: usize,
    /// How many times in a row the one whose turn it was had nothing.
    missed_turns: u8,
}

/// What is kept of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub(super) bytes: Bytes,
    /// Where in it something was dropped.
    pub(super) gap: Option<usize>,
}

/// A stage of a pipeline. What is read of the last one is not here, and its `stderr` is closed.
pub(super) struct Stage {
    pub(super) stderr: Reader,
    /// The end of its stderr. That of the last stage is the pipeline's.
    tail: Tail,
    process: Arc<dyn Process>,
    command: Arc<str>,
    /// Its output for the next stage, if that is copied.
    tee: Option<Tee>,
    may_fail: bool,
}

impl Stage {
    pub(super) fn control(&self, secrets: &Secrets) -> Control {
        let (process, command) = (Arc::clone(&self.process), Arc::clone(&self.command));
        Control::new(process, Some(command), secrets.clone()).with_stderr(self.tail.clone())
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        Arc::clone(&self.process).try_wait().ok().flatten()
    }
}

impl Streams {
    pub(super) fn new(
        stdout: Option<ReadEnd>,
        stderr: Option<ReadEnd>,
        stages: Vec<StageParts>,
        limits: Limits,
        tail: &Tail,
    ) -> Self {
        let limit = limits.get(Source::Stderr);
        let last = stages.len().saturating_sub(1);
        let stage = |(at, parts): (usize, StageParts)| {
            let tail = match at == last {
                true => tail.clone(),
                false => Tail::default(),
            };
            Stage {
                stderr: Reader::new(parts.stderr, limit).with_tail(tail.clone()),
                tail,
                process: parts.process,
                command: parts.command,
                tee: parts.tee.map(Tee::new),
                may_fail: parts.may_fail,
            }
        };
        Self {
            stdout: Reader::new(stdout, limits.get(Source::Stdout)),
            stderr: Reader::new(stderr, limit).with_tail(tail.clone()),
            stages: stages.into_iter().enumerate().map(stage).collect(),
            turn: 0,
            missed_turns: 0,
        }
    }

    pub(super) fn get(&self, source: Source) -> &Reader {
        match source {
            Source::Stdout => &self.stdout,
            Source::Stderr => &self.stderr,
        }
    }

    pub(super) fn get_mut(&mut self, source: Source) -> &mut Reader {
        match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }

    pub(super) fn set_limit(&mut self, source: Source, limit: Limit) {
        self.get_mut(source).inbox.set_limit(limit);
        if source == Source::Stderr {
            for stage in &mut self.stages {
                stage.stderr.inbox.set_limit(limit);
            }
        }
    }

    /// All that comes of `source` is written to `to` as well. Of a pipeline it is the last stage's stdout, and the first one's
    /// stderr.
    pub(super) fn set_copy(&mut self, source: Source, to: WriteEnd) {
        match (source, &mut self.stages[..]) {
            (Source::Stderr, [first, .., _]) => first.stderr.set_copy(to),
            _ => self.get_mut(source).set_copy(to),
        }
    }

    /// A copy does not have all that has been read.
    pub(super) fn is_copy_unfinished(&self) -> bool {
        self.readers().any(Reader::is_copy_unfinished)
    }

    /// Why something could not be copied, once: of which stage it was if that is not the last, of which stream, and why.
    pub(super) fn take_copy_error(&mut self) -> Option<(Option<Arc<str>>, Source, io::Error)> {
        for source in Source::BOTH {
            if let Some(error) = self.get_mut(source).take_copy_error() {
                return Some((None, source, error));
            }
        }
        self.stages.iter_mut().find_map(|stage| {
            let error = stage.stderr.take_copy_error()?;
            Some((Some(Arc::clone(&stage.command)), Source::Stderr, error))
        })
    }

    /// All that is read, in turn.
    pub(super) fn readers(&self) -> impl Iterator<Item = &Reader> {
        let stages = self.stages.iter().map(|stage| &stage.stderr);
        [&self.stdout, &self.stderr].into_iter().chain(stages)
    }

    pub(super) fn readers_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        let stages = self.stages.iter_mut().map(|stage| &mut stage.stderr);
        [&mut self.stdout, &mut self.stderr]
            .into_iter()
            .chain(stages)
    }

    /// What is copied between the stages.
    pub(super) fn tees(&self) -> impl Iterator<Item = &Tee> {
        self.stages.iter().filter_map(|stage| stage.tee.as_ref())
    }

    /// Nothing more will come of anything.
    pub(super) fn is_closed(&self) -> bool {
        self.readers().all(Reader::is_closed) && self.tees().all(Tee::is_closed)
    }

    /// How many bytes have come in all.
    pub(super) fn moved(&self) -> u64 {
        let read: u64 = self.readers().map(Reader::received).sum();
        read + self.tees().map(Tee::taken).sum::<u64>()
    }

    pub(super) fn close(&mut self) {
        self.readers_mut().for_each(Reader::close);
        for stage in &mut self.stages {
            stage.tee.iter_mut().for_each(Tee::close);
        }
    }

    /// Moves each but `empty` once, as far as is wanted; what all of them did. With `ask` the kernel is asked where the reactor
    /// knows of nothing.
    pub(super) fn step(
        &mut self,
        turn: &mut Turn<'_, '_>,
        wants: Wants,
        empty: Option<Source>,
        ask: bool,
        untold: &mut Untold,
    ) -> Step {
        let mut all = Step::Quiet;
        for source in Source::BOTH {
            if empty == Some(source) {
                continue;
            }
            let step = (self.get_mut(source)).poll_step(turn.cx, wants.of(source), ask);
            all = all.max(step.unwrap_or_else(|error| {
                untold.read[source as usize] = Some(error);
                Step::Moved
            }));
        }
        let want = wants.of_stages();
        for stage in &mut self.stages {
            // A stage's stderr that cannot be read is no error: no answer depends on it.
            let step = stage.stderr.poll_step(turn.cx, want, ask);
            all = all.max(step.unwrap_or(Step::Moved));
            let Some(tee) = &mut stage.tee else { continue };
            all = all.max(tee.poll_step(turn.cx, ask).unwrap_or_else(|error| {
                (untold.copies).push_back((Arc::clone(&stage.command), error));
                Step::Moved
            }));
        }
        all
    }

    fn reader_mut(&mut self, at: usize) -> &mut Reader {
        match at.checked_sub(2) {
            None if at == Source::Stdout as usize => &mut self.stdout,
            None => &mut self.stderr,
            Some(stage) => &mut self.stages[stage].stderr,
        }
    }

    /// A task that never has to wait keeps the reactor from telling about the stream whose turn it is: it is asked now and then.
    pub(super) fn give_turn(&mut self, untold: &mut Untold) {
        if self.missed_turns >= MAX_MISSED_TURNS {
            self.missed_turns = 0;
            if let (Err(error), 0..2) = (self.reader_mut(self.turn).try_piece(), self.turn) {
                untold.read[self.turn] = Some(error);
            }
        }
    }

    /// Of stdout and stderr, whose turn it is.
    pub(super) fn turn_of_both(&self) -> [Source; 2] {
        let first = match self.turn {
            1 => Source::Stderr,
            _ => Source::Stdout,
        };
        [first, first.other()]
    }

    /// The stream `at` has had something: next it is another's turn.
    pub(super) fn end_turn(&mut self, at: usize) {
        self.missed_turns = match at == self.turn {
            true => 0,
            false => self.missed_turns + 1,
        };
        self.turn = (at + 1) % (2 + self.stages.len());
    }

    /// Takes a piece of the first in turn that has one; of which stage it is, and of which of its streams.
    pub(super) fn take_any(&mut self) -> Option<(usize, Source, Bytes)> {
        let n = 2 + self.stages.len();
        let in_turn = (self.turn..n).chain(0..self.turn);
        let (at, data) = (in_turn.into_iter())
            .find_map(|at| Some((at, self.reader_mut(at).take(usize::MAX)?)))?;
        self.end_turn(at);
        let last = self.stages.len().saturating_sub(1);
        Some(match at.checked_sub(2) {
            None => (last, Source::BOTH[at], data),
            Some(stage) => (stage, Source::Stderr, data),
        })
    }

    /// Which stream has just ended, and of which stage. Unless `staged`, the stderr of all stages is one stream.
    pub(super) fn take_end(
        &mut self,
        staged: bool,
        is_cut: impl Fn(Source) -> bool,
    ) -> Option<(usize, Source)> {
        let last = self.stages.len().saturating_sub(1);
        let mut stages = self.stages.iter_mut().map(|stage| &mut stage.stderr);
        if staged {
            if let Some(stage) = stages.position(Reader::take_eof) {
                return Some((stage, Source::Stderr));
            }
        } else if !stages.all(|stderr| stderr.is_eof()) {
            return (!is_cut(Source::Stdout) && self.stdout.take_eof())
                .then_some((last, Source::Stdout));
        }
        (Source::BOTH.into_iter())
            .find(|source| !is_cut(*source) && self.get_mut(*source).take_eof())
            .map(|source| (last, source))
    }

    /// How each stage did. What was collected of its stderr is in `stderr`; of the last one, that is ours.
    pub(super) fn outputs(&self, mut stderr: Vec<Kept>, of_last: &Kept) -> Vec<StageOutput> {
        if let Some(kept) = stderr.last_mut() {
            *kept = of_last.clone();
        }
        let last = self.stages.len().saturating_sub(1);
        let failed = |at, stage: &Stage, status| !stage.may_fail && is_failure(status, at == last);
        let mut outputs: Vec<_> = (self.stages.iter().zip(stderr).enumerate())
            .map(|(at, (stage, kept))| StageOutput {
                command: Arc::clone(&stage.command),
                status: stage.status(),
                failed: stage
                    .status()
                    .is_some_and(|status| failed(at, stage, status)),
                stderr: kept.bytes,
                stderr_gap: kept.gap,
                stderr_omitted: stage.stderr.inbox.omitted(),
                usage: stage.process.usage(),
            })
            .collect();
        if let Some(output) = outputs.last_mut() {
            output.stderr_omitted = self.stderr.inbox.omitted();
        }
        outputs
    }
}
