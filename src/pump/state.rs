//! [`Pump`]: all there is to move of one child.

use std::{
    process::ExitStatus,
    task::{Context, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Role, Turn, Want, Wants, Writer,
    charge::Charge,
    exit::{Exit, Flow},
    read::{Reader, Step},
    stop::Stop,
    streams::{Kept, Streams},
    tee::Tee,
    untold::Untold,
};
use crate::{
    error::{Error, Kind, Result},
    event::{Recv, Source},
    limits::{DEFAULT_DRAIN_IDLE, Drain, Limit, Limits, MAX_FAST_READS, STEPS_PER_POLL},
    lines::LineOptions,
    output::Output,
    report::Report,
    shutdown::{Alarm, Cause, Guard, Watch},
    signal::Signal,
    stdio::Input,
    transport::{Control, Parts, WriteEnd},
};

/// Owns all there is to move of one child: its input, its streams, its exit, and its stop.
#[allow(unreachable_pub, missing_debug_implementations)] // Public only in name: a sealed trait has it.
pub struct Pump {
    /// Before the pipes, which are closed after the process is let go.
    pub(crate) guard: Guard,
    pub(super) writer: Writer,
    pub(super) streams: Streams,
    pub(super) exit: Exit,
    pub(super) stop: Stop,
    pub(super) untold: Untold,
    pub(crate) line_options: LineOptions,
    /// Of all that is taken apart, of both streams.
    pub(crate) charge: Charge,
    /// Something moved that the reactor will not tell another task that waits for it.
    pub(super) news: bool,
    /// A task waits for room where output is kept.
    pub(super) waits_for_room: bool,
    /// How many pieces were received in a row without a look at anything else, and which stream has just been found empty so.
    fast_reads: u8,
    empty: Option<Source>,
    /// A pipe was still open when the run was over.
    pub(super) pipes_held: bool,
    pub(super) elapsed: Option<Duration>,
    /// Of the task that waits. A pipe forgets the waker it had when it is polled with another: a call that does not wait must
    /// not take it away.
    pub(super) waker: Waker,
    /// For all that has a time.
    pub(super) alarm: Alarm,
}

impl Pump {
    pub(crate) fn new(parts: Parts, limits: Limits, drain: Drain) -> Self {
        let control = Control::new(parts.process, parts.command, parts.secrets);
        let guard = Guard::new(control, parts.started);
        Self {
            writer: Writer::new(parts.stdin),
            streams: Streams::new(
                parts.stdout,
                parts.stderr,
                parts.stages,
                limits,
                guard.control.stderr(),
            ),
            exit: Exit::new(&guard.control, drain, parts.siblings),
            stop: Stop::default(),
            untold: Untold::default(),
            line_options: LineOptions::default(),
            charge: Charge::default(),
            news: false,
            waits_for_room: false,
            fast_reads: 0,
            empty: None,
            pipes_held: false,
            elapsed: None,
            waker: Waker::noop().clone(),
            alarm: Alarm::default(),
            guard,
        }
    }

    // What moves it.

    /// A turn that does not wait, on behalf of the task that does.
    pub(super) fn now<T>(&mut self, act: impl FnOnce(&mut Self, &mut Turn<'_, '_>) -> T) -> T {
        let waker = self.waker.clone();
        act(self, &mut Turn::now(&mut Context::from_waker(&waker)))
    }

    /// Moves everything once, as far as is wanted of the streams; whether anything moved.
    pub(super) fn step(&mut self, turn: &mut Turn<'_, '_>, wants: Wants) -> bool {
        self.fast_reads = 0;
        let mut moved = self.writer.step(turn, &mut self.untold) == Step::Moved;
        if !self.exit.is_over() {
            moved |= self.receive(turn, wants);
        }
        if self.exit.is_over() {
            moved |= self.writer.abandon();
        }
        moved
    }

    /// Watches the exit and reads each stream once; whether anything moved.
    fn receive(&mut self, turn: &mut Turn<'_, '_>, wants: Wants) -> bool {
        let process = self.guard.control.process();
        let seen = self.exit.poll_seen(turn, process);
        if seen {
            self.streams.readers_mut().for_each(Reader::note_exit);
        }
        let stopped = self.exit.poll_stopped(turn.cx, process);
        if stopped.is_some() {
            self.untold.stopped = stopped;
        }
        // What is in the pipe of a dead child will raise no further event; that of one that has been stopped is read before the
        // stop is told.
        let ask = turn.is_now() || !self.exit.is_running() || self.untold.stopped.is_some();
        let held = self.exit.is_held_by_siblings(turn);
        let empty = self.empty.take();
        self.give_up_late_copies(turn);
        let untold = &mut self.untold;
        let step = self.streams.step(turn, wants, empty, ask, untold);
        let flow = if self.has_unread(wants) {
            Flow::Unread
        } else if self.streams.is_closed() {
            Flow::Closed
        } else if step == Step::Quiet {
            Flow::Silent
        } else {
            Flow::Busy
        };
        let is_drained = self.exit.is_drained(turn, flow) && !(held && flow != Flow::Closed);
        // Whether or not: those that are left may be who holds the pipes.
        let is_rid = self.is_rid_of_leftovers(turn);
        let over = is_drained && is_rid && !self.stop.is_stopping();
        if over {
            self.finish();
            // Another task may be waiting for room in stdin, which will not come.
            turn.cx.waker().wake_by_ref();
        }
        let moved = seen || stopped.is_some() || over || step == Step::Moved;
        // What was read before the reactor knew of it raises no event.
        self.news |= moved && ask;
        moved
    }

    /// Something that the child wrote is still in a pipe, and will be read. When the run was cut short nothing is waited for
    /// that there is no room for.
    fn has_unread(&self, wants: Wants) -> bool {
        let cut = self.stop.is_cut();
        let copied = cut || self.stop.shut_down || !self.streams.tees().any(Tee::is_unfinished);
        let read = (self.streams.readers().zip(wants.of_all()))
            .all(|(reader, want)| !reader.has_unread() || (cut && reader.is_held_back(want)));
        !(copied && read) || self.streams.is_copy_unfinished()
    }

    /// A run that was cut short, or shut down, waits for what its output is copied to for a moment after the exit only.
    fn give_up_late_copies(&mut self, turn: &mut Turn<'_, '_>) {
        let ended = self.stop.is_cut() || self.stop.shut_down;
        if !ended || self.exit.is_running() || !self.streams.is_copy_unfinished() {
            return;
        }
        let until = (self.exit.seen).and_then(|seen| seen.checked_add(DEFAULT_DRAIN_IDLE));
        if until.is_none_or(|until| turn.is_due(until)) {
            self.streams.readers_mut().for_each(Reader::give_up_copy);
        }
    }

    /// What the child has left is dead, if it is to be, or has had its time to become a daemon and is killed now.
    fn is_rid_of_leftovers(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        if self.exit.is_running() || self.stop.is_cut() || !self.guard.kill_leftovers {
            return true;
        }
        let until = (self.exit.seen).and_then(|seen| seen.checked_add(DEFAULT_DRAIN_IDLE));
        let waits = until.is_some_and(|until| Instant::now() < until);
        if waits && (self.stop.look).is_tree_alive(turn, &**self.guard.control.process()) {
            return false;
        }
        self.kill_leftovers();
        true
    }

    /// Kills what a child that has exited by itself has left, if that is wanted and has not been done.
    pub(super) fn kill_leftovers(&mut self) {
        if self.guard.kill_leftovers {
            let _ = self.guard.control.process().signal_tree(Signal::KILL);
            self.guard.kill_leftovers = false;
        }
    }

    /// The run is over: lets go of the pipes and of the process.
    pub(super) fn finish(&mut self) {
        self.exit.finish();
        self.pipes_held = !self.streams.is_closed();
        if self.exit.status.is_none() {
            // It could not be waited for, and may be running: its pipes are closed after that.
            self.guard.let_go();
        }
        self.streams.close();
        self.elapsed = Some(self.guard.started.elapsed());
        self.guard.release();
        self.record();
        self.guard.span.exited(self.exit.status);
    }

    fn record(&self) {
        let span = &self.guard.span;
        span.written(self.writer.written());
        span.received(Source::Stdout, self.streams.stdout.received());
        let others = self.streams.readers().skip(1);
        span.received(Source::Stderr, others.map(Reader::received).sum());
    }

    /// How many bytes of `source` have been taken, or dropped at its limit.
    pub(crate) fn taken(&self, source: Source) -> u64 {
        let reader = self.reader(source);
        reader.received() - reader.inbox.len() as u64
    }

    /// How many bytes have moved in all.
    pub(super) fn moved(&self) -> u64 {
        self.writer.moved() + self.streams.moved()
    }

    /// Whether something was done in this role that a task in the other one is to be woken for.
    #[inline]
    pub(crate) fn take_news(&mut self, role: Role) -> bool {
        let room = self.waits_for_room && matches!(role, Role::Read) && !self.is_held();
        self.waits_for_room &= !room;
        std::mem::take(&mut self.news) || room
    }

    // What it is asked.

    pub(crate) fn reader(&self, source: Source) -> &Reader {
        self.streams.get(source)
    }

    pub(crate) fn reader_mut(&mut self, source: Source) -> &mut Reader {
        self.streams.get_mut(source)
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn writer_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }

    pub(crate) fn limit(&self, source: Source) -> Limit {
        self.reader(source).inbox.limit()
    }

    pub(crate) fn set_limit(&mut self, source: Source, limit: Limit) {
        self.streams.set_limit(source, limit);
    }

    /// All that comes of `source` is written to `to` as well.
    pub(crate) fn set_copy(&mut self, source: Source, to: WriteEnd) {
        self.streams.set_copy(source, to);
    }

    pub(crate) fn set_drain(&mut self, drain: Drain) {
        self.exit.drain = drain;
    }

    /// All that the child is to be given, and then end-of-file.
    pub(crate) fn set_input(&mut self, input: Input) {
        self.writer.set_input(input);
    }

    /// Closes stdin as soon as all that is queued has been written.
    pub(crate) fn close_stdin(&mut self) {
        self.writer.close();
        self.flush_now();
    }

    /// Writes what stdin takes now of what is queued.
    pub(crate) fn flush_now(&mut self) {
        self.now(|pump, turn| {
            for _ in 0..STEPS_PER_POLL {
                if pump.writer.step(turn, &mut pump.untold) != Step::Moved {
                    break;
                }
            }
        });
    }

    /// Drops the output that has been received, and closes the pipes.
    pub(crate) fn close_outputs(&mut self) {
        for reader in self.streams.readers_mut() {
            reader.close();
            drop(reader.take_all());
        }
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

    pub(crate) fn set_line_options(&mut self, options: LineOptions) {
        let max_line_length = options.max_line_length.max(1);
        self.line_options = LineOptions {
            max_line_length,
            ..options
        };
        for reader in self.streams.readers_mut() {
            reader.inbox.line_options_changed();
        }
    }

    pub(crate) fn omitted(&self, source: Source) -> u64 {
        self.reader(source).inbox.omitted()
    }

    /// Of each stage of a pipeline; of the child itself, if it is none.
    pub(crate) fn stage_controls(&self) -> Vec<Control> {
        let control = &self.guard.control;
        let stages = self.streams.stages.iter();
        let controls: Vec<_> = stages
            .map(|stage| stage.control(control.secrets()))
            .collect();
        match controls.is_empty() {
            true => vec![control.clone()],
            false => controls,
        }
    }

    /// The child's exit has not been seen.
    pub(crate) fn is_running(&self) -> bool {
        self.exit.is_running()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.exit.is_over()
    }

    /// The event stream has given its last item.
    pub(crate) fn is_terminated(&self) -> bool {
        self.untold.exits.1
    }

    pub(crate) fn pipes_held(&self) -> bool {
        self.pipes_held
    }

    /// Nothing more will be read from `source`, and if that is because the run was cut short, it is known how the child
    /// ended.
    pub(crate) fn is_ended(&self, source: Source) -> bool {
        self.reader(source).is_closed() && (!self.untold.is_cut(source) || self.is_settled())
    }

    /// Nothing more will ever come from `source`, not even from what is kept.
    pub(crate) fn is_eof(&self, source: Source) -> bool {
        self.is_ended(source) && self.reader(source).inbox.is_empty()
    }

    /// The run is over, or would be if there were room.
    pub(super) fn is_settled(&self) -> bool {
        self.is_over() || (!self.exit.is_running() && !self.stop.is_stopping() && self.is_held())
    }

    /// Reading has stopped because there is no room.
    pub(super) fn is_held(&self) -> bool {
        self.streams.readers().any(Reader::is_held)
    }

    /// Takes what has been received from `source`, or says that nothing will come any more.
    fn take(&mut self, source: Source, max: usize) -> Option<Result<Recv>> {
        if let Some(data) = self.reader_mut(source).take(max) {
            return Some(Ok(Recv::Data(data)));
        }
        (self.is_ended(source)).then(|| self.end(source).map(|()| Recv::Eof))
    }

    /// Takes what has been received from `source`, or is there to be read ahead of all else.
    pub(super) fn take_or_read(
        &mut self,
        turn: &mut Turn<'_, '_>,
        source: Source,
        max: usize,
    ) -> Option<Result<Recv>> {
        if let Some(taken) = self.take(source, max) {
            return Some(taken);
        }
        match self.read_ahead(turn, source) {
            true => self.take(source, max),
            false => None,
        }
    }

    /// Reads a piece of `source` and leaves all else alone, for that has to move only when there is nothing to read here; whether
    /// anything came. Not for ever, though: the exit has to be seen also while a descendant keeps writing.
    fn read_ahead(&mut self, turn: &mut Turn<'_, '_>, source: Source) -> bool {
        if self.fast_reads == MAX_FAST_READS
            || !self.exit.is_running()
            || self.untold.stopped.is_some()
        {
            return false;
        }
        self.fast_reads += 1;
        let reader = self.streams.get_mut(source);
        match reader.poll_step(turn.cx, Want::PIECE, turn.is_now()) {
            Ok(Step::Moved) => true,
            Ok(_) => {
                self.empty = Some(source);
                false
            }
            Err(error) => {
                self.untold.read[source as usize] = Some(error);
                true
            }
        }
    }

    /// Lets the stream whose turn it is have it, also while the task never has to wait.
    pub(crate) fn give_turn(&mut self) {
        self.streams.give_turn(&mut self.untold);
    }

    /// Puts what has been received from stderr behind what has been received from stdout.
    pub(crate) fn merge_stderr(&mut self) {
        while let Some(piece) = self.streams.stderr.take(usize::MAX) {
            self.streams.stdout.inbox.push(&piece);
        }
    }

    // What it tells, in the order of `Untold`.

    /// An error, with the command, the status and the end of stderr.
    pub(crate) fn error(&self, kind: Kind) -> Error {
        self.annotate(Error::new(kind))
    }

    pub(crate) fn annotate(&self, error: Error) -> Error {
        let control = &self.guard.control;
        let tail = (self.streams.stderr.inbox).last(Error::tail_len(control.secrets()));
        error
            .with_command(control.command().cloned())
            .with_status(self.exit.status)
            .with_elapsed(self.exit.seen.map(|seen| seen - self.guard.started))
            .with_stderr_tail(tail, control.secrets().clone())
    }

    /// Nothing moves: that is an error if it is because of a limit that applies to what is wanted, or because the terminal
    /// has stopped the child.
    pub(super) fn why_stuck(&mut self, wants: Wants) -> Option<Error> {
        if let Some(error) = self.take_stopped_error() {
            return Some(error);
        }
        // Nearly always.
        if !self.streams.readers().any(Reader::is_full_or_over) {
            return None;
        }
        match (self.stop.is_cut() || self.stop.shut_down) && !self.is_settled() {
            // What has been begun is finished first.
            true => None,
            false => self.limit_error(wants),
        }
    }

    /// A limit that is an error has been reached.
    pub(super) fn limit_error(&self, wants: Wants) -> Option<Error> {
        let mut readers = self.streams.readers().zip(wants.of_all()).enumerate();
        let is_over = |at, reader: &Reader, want: Want| {
            reader.inbox.is_over() && (want.is_strict() || (at >= 2 && want != Want::HOLD))
        };
        let is_blocked =
            |reader: &Reader, want| want == Want::WHOLE && reader.is_blocked() && self.is_settled();
        let (at, (reader, _)) = readers.find(|(at, (reader, want))| {
            is_over(*at, reader, *want) || is_blocked(reader, *want)
        })?;
        let source = *Source::BOTH.get(at).unwrap_or(&Source::Stderr);
        let error = self.error(Kind::Limit(source, reader.inbox.limit().bytes));
        match reader.is_blocked() {
            true => Some(self.stop_error().unwrap_or(error)),
            false => Some(error),
        }
    }

    /// The terminal has stopped the child, told once.
    fn take_stopped_error(&mut self) -> Option<Error> {
        // What is being stopped for good is continued, or killed.
        let untold = self.untold.stopped.take();
        let signal = untold.filter(|_| self.exit.is_running() && !self.stop.is_cut())?;
        let error = self.error(Kind::Stopped(signal));
        Some(
            error
                .with_stopped(Some(signal))
                .with_output(self.peek_output()),
        )
    }

    /// Why a stream ended early, once.
    pub(crate) fn take_error(&mut self, source: Source) -> Option<Error> {
        (self.take_read_error(source)).or_else(|| self.take_cut(&[source]))
    }

    /// Fails, once, if a stream has ended early, or has never been one.
    pub(crate) fn end(&mut self, source: Source) -> Result<()> {
        if let Some(error) = self.take_error(source) {
            return Err(error);
        }
        match std::mem::take(&mut self.reader_mut(source).absent_untold) {
            true => Err(self.error(Kind::NotPiped(source))),
            false => Ok(()),
        }
    }

    /// Why a stream could not be read, once.
    pub(crate) fn take_read_error(&mut self, source: Source) -> Option<Error> {
        let error = self.untold.read[source as usize].take()?;
        Some(self.error(Kind::Io).with_source(error))
    }

    /// A stream has ended, and the stream of events has not said so: which it is, and of which stage.
    pub(super) fn take_end(&mut self, staged: bool) -> Option<(usize, Source)> {
        let Self {
            streams, untold, ..
        } = self;
        streams.take_end(staged, |source| untold.is_cut(source))
    }

    /// Why those of these streams that have ended did so early, once.
    pub(crate) fn take_cut(&mut self, sources: &[Source]) -> Option<Error> {
        let mut cut = false;
        for &source in sources {
            // One that is still read will have its end.
            if self.reader(source).is_closed() && self.untold.take_cut(source) {
                self.reader_mut(source).end_untold = false;
                cut = true;
            }
        }
        if cut { self.stop_error() } else { None }
    }

    /// Fails if nothing is kept of `source` and its pipe could not be read.
    pub(crate) fn check(&mut self, source: Source) -> Result<()> {
        match self.reader(source).inbox.is_empty() {
            true => self.take_error(source).map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    /// Why the run was cut short, with a copy of what has been collected and not been taken.
    pub(crate) fn stop_error(&self) -> Option<Error> {
        Some(self.bare_stop_error()?.with_output(self.peek_output()))
    }

    /// Why the run was cut short.
    pub(super) fn bare_stop_error(&self) -> Option<Error> {
        let error = self.error(self.stop.cause?.kind());
        Some(
            error
                .with_stopped(self.stop.stopped)
                .with_survivors(self.stop.has_survivors()),
        )
    }

    /// What there is, with all that has been kept.
    pub(crate) fn take_output(&mut self) -> Output {
        let kept = (self.streams.readers_mut()).map(|reader| Kept {
            gap: reader.inbox.gap(),
            bytes: reader.inbox.take_limited(),
        });
        let kept = kept.collect();
        self.output(kept)
    }

    /// The same, with a copy of it.
    fn peek_output(&self) -> Output {
        let kept = (self.streams.readers()).map(|reader| Kept {
            gap: reader.inbox.gap(),
            bytes: reader.inbox.last(usize::MAX),
        });
        self.output(kept.collect())
    }

    /// `kept` is of all that is read, in turn.
    fn output(&self, kept: Vec<Kept>) -> Output {
        let mut kept = kept.into_iter();
        let [stdout, stderr] = [(); 2].map(|()| kept.next().unwrap_or_default());
        let (started, seen) = (self.guard.started, self.exit.seen);
        let first = self.streams.readers().filter_map(Reader::first).min();
        Output {
            status: self.exit.status,
            stages: self.streams.outputs(kept.collect(), &stderr),
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            stdout_gap: stdout.gap,
            stderr_gap: stderr.gap,
            stdout_omitted: self.omitted(Source::Stdout),
            stderr_omitted: self.omitted(Source::Stderr),
            pipes_held: self.pipes_held,
            stdin_written: self.writer.written(),
            timed_out: matches!(
                self.stop.cause,
                Some(Cause::Deadline(_) | Cause::Silence(_))
            ),
            elapsed: (self.elapsed).unwrap_or_else(|| started.elapsed()),
            ran: seen.map_or_else(|| started.elapsed(), |seen| seen - started),
            first_byte: first.map(|first| first - started),
            usage: self.guard.control.usage(),
            report: self.report(),
            command: self.guard.control.command().cloned(),
            secrets: self.guard.control.secrets().clone(),
        }
    }

    /// How the child was stopped, if it was and that is over.
    pub(super) fn report(&self) -> Option<Report> {
        let status = self.exit.status?;
        match &self.stop.escalation {
            Some(escalation) => (escalation.is_ended()).then(|| escalation.report(status)),
            None => (self.stop.cause.is_some() || self.stop.shut_down).then(|| Report::new(status)),
        }
    }

    /// Why what is beside the child failed, once: the source of its input, our end of its stdin, or what its output is copied to.
    pub(super) fn side_error(&mut self) -> Option<Error> {
        if let Some(source) = self.untold.input.take() {
            return Some(self.error(Kind::Input).with_source(source));
        }
        if let Some(error) = self.writer.take_error() {
            return Some(self.annotate(error));
        }
        if let Some((stage, source, error)) = self.streams.take_copy_error() {
            let failed = self.error(Kind::Output(source)).with_stage(stage);
            return Some(failed.with_source(error));
        }
        let (stage, source) = self.untold.copies.pop_front()?;
        let error = self.error(Kind::Output(Source::Stdout));
        Some(error.with_stage(Some(stage)).with_source(source))
    }

    /// The status, once the run is over.
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

    /// What a failure to write comes to: a child that is being stopped takes no more input.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let stopped = match error.is_broken_pipe() {
            true => self.stop_error(),
            false => None,
        };
        match (stopped, error.written()) {
            (Some(stopped), Some(written)) => stopped.with_written(written),
            (Some(stopped), None) => stopped,
            (None, _) => self.annotate(error),
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        if !self.exit.is_over() {
            self.record();
        }
    }
}
