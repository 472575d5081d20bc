//! [`Driver`]: both ways out of a child, and its end.

use std::{
    process::ExitStatus,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Want,
    charge::Charge,
    exit::{Exit, Streams},
    read::{Reader, Step},
    stages::Stages,
    stop::Stop,
    tee::Tee,
    wakers::waker_for,
};
use crate::{
    error::{Error, Kind, Result},
    event::Source,
    limits::{DEFAULT_DRAIN_IDLE, Drain, Limit, Limits, MAX_HASTY, MAX_PASSED_OVER},
    line::LineOptions,
    shutdown::{Hold, Watch},
    signal::Signal,
    transport::{ReadEnd, StageParts},
};

/// Both ways out of the child, and its end.
pub(crate) struct Driver {
    /// Before the pipes, which are closed after the process is let go.
    guard: Hold,
    pub(super) stdout: Reader,
    pub(super) stderr: Reader,
    pub(super) stages: Stages,
    pub(super) exit: Exit,
    /// Whose turn it is when both streams have something.
    pub(super) turn: Source,
    /// A pipe was still open when the run was over.
    pub(super) pipes_held: bool,
    pub(super) elapsed: Option<Duration>,
    pub(super) stop: Stop,
    pub(super) line_options: LineOptions,
    /// Of all that is taken apart, of both streams.
    pub(crate) charge: Charge,
    /// Of the task that waits.
    waker: Waker,
    /// How many times in a row the stream whose turn it was had nothing.
    passed_over: u8,
    /// How many pieces were received in a row without a look at anything else.
    hasty: u8,
    /// The last item of the event stream has been handed out.
    pub(super) told_exit: bool,
}

impl Driver {
    pub(crate) fn new(
        stdout: Option<ReadEnd>,
        stderr: Option<ReadEnd>,
        stages: Vec<StageParts>,
        limits: Limits,
        drain: Drain,
        guard: Hold,
    ) -> Self {
        Self {
            stdout: Reader::new(stdout, limits.get(Source::Stdout)),
            stderr: Reader::new(stderr, limits.get(Source::Stderr)),
            stages: Stages::new(stages, limits.get(Source::Stderr)),
            exit: Exit::new(&guard.control, drain),
            turn: Source::Stdout,
            pipes_held: false,
            elapsed: None,
            stop: Stop::default(),
            line_options: LineOptions::default(),
            charge: Charge::default(),
            waker: Waker::noop().clone(),
            passed_over: 0,
            hasty: 0,
            told_exit: false,
            guard,
        }
    }

    pub(crate) fn guard(&self) -> &Hold {
        &self.guard
    }

    pub(crate) fn reader(&self, source: Source) -> &Reader {
        match source {
            Source::Stdout => &self.stdout,
            Source::Stderr => &self.stderr,
        }
    }

    pub(crate) fn reader_mut(&mut self, source: Source) -> &mut Reader {
        match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }

    pub(crate) fn limit(&self, source: Source) -> Limit {
        self.reader(source).inbox.limit()
    }

    pub(crate) fn set_limit(&mut self, source: Source, limit: Limit) {
        self.reader_mut(source).inbox.set_limit(limit);
        if source == Source::Stderr {
            for stage in &mut self.stages.all {
                stage.stderr.inbox.set_limit(limit);
            }
        }
    }

    /// All that is read.
    pub(super) fn readers(&self) -> impl Iterator<Item = &Reader> {
        let stages = self.stages.all.iter().map(|stage| &stage.stderr);
        [&self.stdout, &self.stderr].into_iter().chain(stages)
    }

    /// All that is read.
    pub(super) fn readers_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        let stages = self.stages.all.iter_mut().map(|stage| &mut stage.stderr);
        [&mut self.stdout, &mut self.stderr]
            .into_iter()
            .chain(stages)
    }

    pub(crate) fn set_drain(&mut self, drain: Drain) {
        self.exit.drain = drain;
    }

    /// What ends the run early.
    pub(crate) fn set_watch(&mut self, watch: Option<Box<Watch>>) {
        self.stop.watch = watch.map(|mut watch| {
            watch.set_started(self.guard.started);
            watch
        });
    }

    pub(crate) fn watch(&mut self) -> &mut Watch {
        if self.stop.watch.is_none() {
            self.set_watch(Some(Box::default()));
        }
        self.stop.watch.get_or_insert_default()
    }

    pub(crate) fn omitted(&self, source: Source) -> u64 {
        self.reader(source).inbox.omitted()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.exit.is_over()
    }

    /// The event stream has given its last item.
    pub(crate) fn is_terminated(&self) -> bool {
        self.told_exit
    }

    pub(crate) fn pipes_held(&self) -> bool {
        self.pipes_held
    }

    /// Nothing more will ever come from `source`, not even from what is kept.
    pub(crate) fn is_eof(&self, source: Source) -> bool {
        self.is_ended(source) && self.reader(source).inbox.is_empty()
    }

    pub(crate) fn error(&self, kind: Kind) -> Error {
        self.annotate(Error::new(kind))
    }

    /// Adds the command, the status and the end of stderr.
    pub(crate) fn annotate(&self, error: Error) -> Error {
        let control = &self.guard.control;
        let tail = self.stderr.inbox.last(Error::tail_len(control.secrets()));
        error
            .with_command(control.command().cloned())
            .with_status(self.exit.status)
            .with_elapsed(self.exit.seen.map(|seen| seen - self.guard.started))
            .with_stderr_tail(tail, control.secrets().clone())
    }

    /// Why a stream ended early, once.
    pub(crate) fn take_error(&mut self, source: Source) -> Option<Error> {
        self.take_io_error(source)
            .or_else(|| self.take_cut(&[source]))
    }

    /// Why a stream could not be read, once.
    pub(crate) fn take_io_error(&mut self, source: Source) -> Option<Error> {
        let error = self.reader_mut(source).take_error()?;
        Some(self.error(Kind::Io).with_source(error))
    }

    /// Fails if nothing is kept of `source` and its pipe could not be read.
    pub(crate) fn check(&mut self, source: Source) -> Result<()> {
        match self.reader(source).inbox.is_empty() {
            true => self.take_error(source).map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    /// Takes what has been received from `source`, or says that nothing will come any more.
    pub(super) fn take(&mut self, source: Source, max: usize) -> Option<Result<Option<Bytes>>> {
        if let Some(data) = self.reader_mut(source).take(max) {
            return Some(Ok(Some(data)));
        }
        if !self.is_ended(source) {
            return None;
        }
        Some(self.take_error(source).map_or(Ok(None), Err))
    }

    /// Puts what has been received from stderr behind what has been received from stdout.
    pub(crate) fn merge_stderr(&mut self) {
        while let Some(piece) = self.stderr.take(usize::MAX) {
            self.stdout.inbox.push(&piece);
        }
    }

    /// Whose turn it is when both streams may have something.
    pub(crate) fn whose_turn(&mut self) -> Source {
        if self.passed_over >= MAX_PASSED_OVER {
            // A task that never has to wait keeps the reactor from telling about the other stream.
            self.reader_mut(self.turn).try_piece();
            self.passed_over = 0;
        }
        self.turn
    }

    /// `source` has had something: next it is the other's turn.
    pub(super) fn end_turn(&mut self, source: Source) {
        self.passed_over = match source == self.turn {
            true => 0,
            false => self.passed_over + 1,
        };
        self.turn = source.other();
    }

    /// Reads a piece of `source` and leaves all else alone, for that has to move only when there is nothing to
    /// read here. Not for ever, though: the exit has to be seen also while a descendant keeps writing.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>, source: Source) -> Option<bool> {
        if self.hasty == MAX_HASTY || !self.exit.is_running() || self.stop.has_untold_stop() {
            self.hasty = 0;
            return None;
        }
        self.hasty += 1;
        self.waker.clone_from(cx.waker());
        Some(self.reader_mut(source).poll_step(cx, Want::Piece, false) == Step::Moved)
    }

    /// Polls with the waker that is to be woken, see [`waker_for`].
    pub(super) fn pass(&mut self, cx: &mut Context<'_>, want: [Want; 2], direct: bool) -> bool {
        if self.exit.is_over() {
            return false;
        }
        if !direct {
            self.waker.clone_from(cx.waker());
            return self.pass_once(cx, want, false);
        }
        let waker = waker_for(&mut self.waker, cx);
        self.pass_once(&mut Context::from_waker(&waker), want, true)
    }

    /// Watches the exit and reads each stream once, as `want`ed of stdout and stderr; whether anything moved.
    fn pass_once(&mut self, cx: &mut Context<'_>, want: [Want; 2], direct: bool) -> bool {
        let seen = self.exit.poll_seen(cx, &self.guard.control, direct);
        if seen {
            self.readers_mut().for_each(Reader::note_exit);
        }
        let stopped = self.exit.poll_stopped(cx, &self.guard.control);
        if let Some(signal) = stopped {
            self.note_stopped(signal);
        }
        // What is in the pipe of a dead child will raise no further event; that of one that has been stopped is read before the
        // stop is told.
        let ask = direct || !self.exit.is_running() || self.stop.has_untold_stop();
        let steps = [
            self.stdout.poll_step(cx, want[0], ask),
            self.stderr.poll_step(cx, want[1], ask),
            self.stages.poll_step(cx, want, ask),
        ];
        let streams = if self.is_owed(want) {
            Streams::Owing
        } else if self.is_closed() {
            Streams::Closed
        } else if steps == [Step::Quiet; 3] {
            Streams::Silent
        } else {
            Streams::Busy
        };
        let is_drained = self.exit.is_drained(cx, streams, !direct);
        // Whether or not: those that are left may be who holds the pipes.
        let is_rid = self.is_rid_of_leftovers(cx, direct);
        let over = is_drained && is_rid && !self.stop.is_stopping();
        if over {
            self.finish();
            // Another task may be waiting for room in stdin, which will not come.
            cx.waker().wake_by_ref();
        }
        seen || stopped.is_some() || over || steps.contains(&Step::Moved)
    }

    /// Nothing more will come of anything.
    fn is_closed(&self) -> bool {
        self.readers().all(Reader::is_closed) && self.stages.tees().all(Tee::is_closed)
    }

    /// Something that the child wrote is still in a pipe, and will be read. When the run was cut short nothing is waited for
    /// that there is no room for.
    fn is_owed(&self, want: [Want; 2]) -> bool {
        let wants = want.into_iter().chain(std::iter::repeat(Want::Fill));
        let cut = self.stop.is_cut();
        let copied = cut || self.stop.shut_down || !self.stages.tees().any(Tee::is_owed);
        let read = (self.readers().zip(wants))
            .all(|(reader, want)| !reader.is_owed() || (cut && reader.is_held_back(want)));
        !(copied && read)
    }

    /// What the child has left is dead, if it is to be, or has had its time to become a daemon and is killed now.
    fn is_rid_of_leftovers(&mut self, cx: &mut Context<'_>, direct: bool) -> bool {
        if self.exit.is_running() || self.stop.is_cut() || !self.guard.kills_leftovers() {
            return true;
        }
        let process = self.guard.control.process();
        let until = (self.exit.seen).and_then(|seen| seen.checked_add(DEFAULT_DRAIN_IDLE));
        let waits = until.is_some_and(|until| Instant::now() < until);
        if waits && self.stop.look.is_tree_alive(cx, &**process, !direct) {
            return false;
        }
        self.kill_leftovers();
        true
    }

    /// Kills what a child that has exited by itself has left, if that is wanted and has not been done.
    pub(super) fn kill_leftovers(&self) {
        if self.guard.kills_leftovers() {
            let _ = self.guard.control.process().signal_tree(Signal::KILL);
            self.guard.set_kill_leftovers(false);
        }
    }

    /// The run is over: lets go of the pipes and of the process.
    pub(super) fn finish(&mut self) {
        self.exit.finish();
        self.pipes_held = !self.is_closed();
        if self.exit.status.is_none() {
            // It could not be waited for, and may be running: its pipes are closed after that.
            self.guard.let_go();
        }
        self.stdout.close();
        self.stderr.close();
        self.stages.close();
        self.elapsed = Some(self.guard.started.elapsed());
        self.guard.release();
        self.record();
        self.guard.span.exited(self.exit.status);
    }

    fn record(&self) {
        let span = &self.guard.span;
        span.written(self.guard.written());
        span.received(Source::Stdout, self.stdout.received());
        let stages = self.stages.all.iter().map(|stage| stage.stderr.received());
        span.received(Source::Stderr, self.stderr.received() + stages.sum::<u64>());
    }

    /// Reading has stopped to hold the child back.
    pub(super) fn is_blocked(&self) -> bool {
        self.readers().any(Reader::is_blocked)
    }

    pub(super) fn status(&mut self) -> Result<ExitStatus> {
        match self.exit.status {
            Some(status) => Ok(status),
            None => {
                let error = self.error(Kind::Wait);
                Err(match self.exit.error.take() {
                    Some(source) => error.with_source(source),
                    None => error,
                })
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.exit.is_over() {
            self.record();
        }
    }
}
