//! A child: its exit is seen without reaping it, so that its pid and its group stay ours until the end.

use std::{
    future::{pending, poll_fn},
    io, mem,
    os::fd::{AsFd, BorrowedFd},
    pin::pin,
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Poll,
    thread,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, select},
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitIdOptions, WaitIdStatus},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::{Handle, Id},
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::{
    super::Scope,
    LOOK, check_runtime,
    child::{Child, open_pidfd},
    exit_status,
    fork::{self, Private},
    group::Group,
    group_of, raw,
    reaper::{self, Orphan},
    register, send, signal_status,
    tree::{self, Tree},
};
use crate::output::Usage;

/// Looks for descendants in one kill: those of another user cannot be stopped, and may start others without end.
const MAX_PASSES: u32 = 32;
/// Between two looks at whether all that was stopped has stopped: a processor that is busy gets to it later.
const STOP_LOOK: Duration = Duration::from_micros(200);

/// A child of this process that no other code waits for.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// It was started as the leader of a group.
    leads: bool,
    pidfd: Option<AsyncFd<Private>>,
    /// The terminal of this process may stop it.
    may_be_stopped: bool,
    /// Of the process that started it: a copy of that, made by `fork(2)`, is not its parent.
    generation: u32,
    /// Held while a signal is sent, so that the pid cannot be freed under it.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The group that it was started in, if that is of our making: until it is reaped.
    group: Option<Arc<Group>>,
    /// Nothing more is asked of it, and no signal is sent any more.
    released: bool,
    /// Who has been found when a signal was sent to its tree.
    tree: Tree,
    /// The signal of the last stop that [`wait_stopped`](Process::wait_stopped) has taken from the system.
    taken_stop: Option<i32>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// A zombie. Its pid, and the id of its group, cannot be reused until it is reaped.
    Exited(ExitStatus),
    Reaped(ExitStatus, Usage),
    /// Other code reaped it: its status is unavailable, and its pid may be another process's.
    Lost,
}

impl State {
    /// Its pid, and the id of its group, may be another's.
    fn is_reaped(&self) -> bool {
        matches!(self.phase, Phase::Reaped(..) | Phase::Lost)
    }

    /// The id of the group of the child `pid`, if that is surely still the group's.
    fn kept_group(&self, pid: Pid) -> Option<Pid> {
        let group = self.group.as_ref().filter(|_| !self.is_reaped())?;
        group.keeps_id(pid).then(|| group.id())
    }

    fn guardian(&self) -> Option<Pid> {
        self.group.as_ref()?.guardian()
    }
}

impl Process {
    /// Takes over a child that has just been started.
    ///
    /// Where its exit could not be observed it is killed and reaped, and the error returned.
    pub(super) fn new(pid: Pid, group: Option<Arc<Group>>) -> io::Result<Self> {
        // A copy of this process that drops its own would take ours off the reactor, which the two share.
        let watch = |pidfd| register(Private::new(pidfd), Interest::READABLE).ok();
        let process = Self {
            pid,
            may_be_stopped: group.is_some() && has_terminal(),
            generation: fork::generation(),
            leads: group.as_ref().is_some_and(|group| group.id() == pid),
            pidfd: open_pidfd(pid).and_then(watch),
            state: Mutex::new(State {
                phase: Phase::Running,
                group,
                released: false,
                tree: Tree::default(),
                taken_stop: None,
            }),
        };
        if process.pidfd.is_none() {
            // The first listener needs descriptors, and those may have run out.
            if let Err(error) = signal(SignalKind::child()) {
                Arc::new(process).release(true);
                return Err(error);
            }
        }
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        raw(self.pid).unsigned_abs()
    }

    /// The group that it was started in, if that is of our making; none once it has been reaped.
    pub(super) fn group(&self) -> Option<Arc<Group>> {
        self.state().group.clone()
    }

    fn child(&self) -> Child<'_> {
        Child {
            pid: self.pid,
            pidfd: self.pidfd.as_ref().map(|pidfd| pidfd.get_ref().as_fd()),
        }
    }

    /// Resolves when the child has exited, for any number of waiters. Does not reap.
    pub(crate) async fn exited(self: Arc<Self>) -> io::Result<ExitStatus> {
        if let Some(pidfd) = &self.pidfd {
            // An error means that the runtime it is registered with is gone; another one may be here.
            let _ = pidfd.readable().await;
            if let Some(status) = self.observe()? {
                return Ok(status);
            }
            // It is a zombie, and its tracer has not been told yet: only then are we. That the descriptor is readable
            // says nothing any more.
        }
        // Boxed, to keep the future small that nearly every child is waited for with. What it waits for belongs to the
        // runtime it was made in, and the handle may be moved to another.
        let mut looking: Option<(Id, BoxFuture<'static, io::Result<ExitStatus>>)> = None;
        poll_fn(|cx| {
            check_runtime()?;
            let here = Handle::current().id();
            let looking = match &mut looking {
                Some(looking) if looking.0 == here => looking,
                looking => looking.insert((here, Arc::clone(&self).look_for_exit().boxed())),
            };
            looking.1.as_mut().poll(cx)
        })
        .await
    }

    async fn look_for_exit(self: Arc<Self>) -> io::Result<ExitStatus> {
        // Listen before looking, or an exit in between would be missed. It may be missed also if something else in this
        // process has blocked the signal, or handles it.
        let mut children = signal(SignalKind::child())?;
        let mut pause = LOOK.0;
        loop {
            if let Some(status) = self.observe()? {
                return Ok(status);
            }
            select(pin!(children.recv()), pin!(sleep(pause))).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    /// The status, if the child has exited.
    pub(crate) fn observe(&self) -> io::Result<Option<ExitStatus>> {
        let mut state = self.state();
        self.look(&mut state)?;
        match state.phase {
            Phase::Running => Ok(None),
            Phase::Exited(status) | Phase::Reaped(status, _) => Ok(Some(status)),
            Phase::Lost => Err(io::Error::other(
                "something else in this process has waited for the child, or SIGCHLD is ignored",
            )),
        }
    }

    /// Brings the state up to date. A zombie is asked for again: other code may have reaped it, and its number may be
    /// another's by now.
    fn look(&self, state: &mut State) -> io::Result<()> {
        if state.is_reaped() {
            return Ok(());
        }
        if fork::is_copy_of(self.generation) {
            state.phase = Phase::Lost;
            return Ok(());
        }
        state.phase = match (self.child().observe(), state.phase) {
            (Ok(None), Phase::Running) => Phase::Running,
            (Ok(Some(status)), _) => Phase::Exited(to_exit_status(&status)),
            // A zombie does not come back to life.
            (Ok(None), _) | (Err(Errno::CHILD), _) => Phase::Lost,
            (Err(error), _) => return Err(error.into()),
        };
        Ok(())
    }

    /// The signal that the child is stopped by.
    pub(crate) fn stopped(&self) -> Option<i32> {
        let mut state = self.state();
        let _ = self.look(&mut state);
        let Phase::Running = state.phase else {
            return None;
        };
        let options = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOWAIT;
        match self.child().waitid(options).ok()? {
            Some(status) => status.stopping_signal(),
            // It has neither gone on since nor been stopped again.
            None => state.taken_stop,
        }
    }

    /// The signal of a stop that has not been taken. The status is taken from the system, which so tells two stops apart also
    /// when the child has gone on between them for a moment only.
    fn take_stop(&self) -> Option<i32> {
        let mut state = self.state();
        let status = self.child().waitid(WaitIdOptions::STOPPED).ok()??;
        state.taken_stop = status.stopping_signal();
        state.taken_stop
    }

    /// Whether [`wait_stopped`](Self::wait_stopped) may ever resolve.
    pub(crate) fn may_be_stopped(&self) -> bool {
        self.may_be_stopped
    }

    /// Resolves when the terminal of this process has stopped the child, because it is in a group of its own and wanted to
    /// read from it or to write to it. Each stop is told once.
    pub(crate) async fn wait_stopped(self: Arc<Self>) -> i32 {
        // It is polled also by what does not wait, and so perhaps outside of a runtime.
        poll_fn(|_| match Handle::try_current() {
            Ok(_) => Poll::Ready(()),
            Err(_) => Poll::Pending,
        })
        .await;
        let Ok(mut children) = signal(SignalKind::child()) else {
            return pending().await;
        };
        loop {
            match self.take_stop() {
                Some(signal) if is_of_terminal(signal) => return signal,
                _ => children.recv().await,
            };
        }
    }

    /// Sends a signal. Succeeds without sending anything when no process is left to receive it.
    ///
    /// After one that asks for an end a stopped process is continued, or it could not act on it.
    pub(crate) fn signal(&self, number: i32, scope: Scope) -> io::Result<()> {
        if number <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut state = self.state();
        self.look(&mut state)?;
        if state.released || fork::is_copy_of(self.generation) {
            return Ok(());
        }
        let sent = self.send(&mut state, number, scope);
        if [Signal::HUP, Signal::INT, Signal::TERM]
            .map(Signal::as_raw)
            .contains(&number)
        {
            let _ = self.send(&mut state, Signal::CONT.as_raw(), scope);
        }
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    fn send(&self, state: &mut State, number: i32, scope: Scope) -> Result<(), Errno> {
        let running = matches!(state.phase, Phase::Running);
        if scope == Scope::Child {
            return match running {
                true => self.child().signal(number),
                false => Ok(()),
            };
        }
        // Found first: once their parent has ended they are no more known as descendants.
        let kill = number == Signal::KILL.as_raw();
        if kill {
            self.stop(state, scope);
        }
        let group = state.kept_group(self.pid);
        for _ in 0..MAX_PASSES {
            let may_fork = kill && state.tree.may_fork(group);
            let grown = state.tree.grow(running.then_some(self.pid));
            if !kill || !(grown || may_fork) {
                break;
            }
            match grown {
                true => state.tree.signal_outside(None, Signal::STOP.as_raw()),
                false => thread::sleep(STOP_LOOK),
            }
        }
        // When the end of a process makes a stopped group an orphan the system sends SIGHUP and SIGCONT to that. So it
        // is killed before. Who is in the group may leave it at this moment, and a kill may come twice.
        if kill {
            state.tree.signal_outside(None, number);
        }
        let sent = match scope {
            Scope::Tree => self.signal_group(state, number),
            _ => self.signal_left_group(state, number),
        };
        if !kill {
            let group = state.kept_group(self.pid);
            state.tree.signal_outside(group, number);
        }
        sent
    }

    /// A process that is stopped starts no other, so that all can be found. A guardian must not be stopped: if this process ended now,
    /// it could not do its work.
    fn stop(&self, state: &State, scope: Scope) {
        let stop = Signal::STOP.as_raw();
        let _ = match (scope, state.phase) {
            (Scope::Tree, _) if state.guardian().is_none() => self.signal_group(state, stop),
            (_, Phase::Running) => self.child().signal(stop),
            _ => Ok(()),
        };
    }

    /// To its group, and to the child if it has left that; to the child alone if it has none of its own.
    fn signal_group(&self, state: &State, number: i32) -> Result<(), Errno> {
        if state.is_reaped() {
            return self.signal_led_group(number);
        }
        let left_group = self.signal_left_group(state, number);
        match state.kept_group(self.pid) {
            Some(group) => self.to_group(group, number, state).and(left_group),
            None => left_group,
        }
    }

    /// A child may have left its group, or share ours, and may lead another, whose id is its own.
    fn signal_left_group(&self, state: &State, number: i32) -> Result<(), Errno> {
        if state.is_reaped() {
            return Ok(());
        }
        let started_in = state.group.as_ref().map(|group| group.id());
        match group_of(self.pid) {
            Some(now) if Some(now) == started_in => Ok(()),
            Some(now) if now == self.pid => self.to_group(now, number, state),
            _ if matches!(state.phase, Phase::Running) => self.child().signal(number),
            _ => Ok(()),
        }
    }

    /// What macOS says of a group in which only zombies are left is no error.
    fn to_group(&self, group: Pid, number: i32, state: &State) -> Result<(), Errno> {
        let sent = match group == self.pid {
            true => self.child().signal_group(number),
            false => send::to_group(group, number),
        };
        match (sent, state.phase) {
            (Err(Errno::PERM), Phase::Exited(_)) => Ok(()),
            (sent, _) => sent,
        }
    }

    /// To the group that it leads or has led, also when its number may be another's.
    fn signal_led_group(&self, number: i32) -> Result<(), Errno> {
        match self.leads {
            true => (self.child().signal_group_by_pidfd(number)).unwrap_or(Err(Errno::SRCH)),
            false => Err(Errno::SRCH),
        }
    }

    /// Whether a signal to its tree reaches its group.
    pub(crate) fn keeps_group(&self) -> bool {
        let mut state = self.state();
        let _ = self.look(&mut state);
        state.kept_group(self.pid).is_some()
    }

    /// Whether something of the child's tree is still running: it or a member of its group, or a descendant that was there
    /// when a signal was sent to the tree.
    ///
    /// A child that has exited may be reaped by this. Of those that were started in the same group it is to be the last.
    pub(crate) fn is_tree_alive(&self) -> bool {
        let mut state = self.state();
        let _ = self.look(&mut state);
        if let Phase::Running = state.phase {
            return true;
        }
        state.tree.grow(None);
        if state.tree.is_alive() {
            return true;
        }
        let guardian = state.guardian();
        if guardian.is_none() && (self.leads || state.group.is_some()) {
            // A zombie counts as a member of its group. The group is reached by the pidfd of its leader as well as before
            // when that has been reaped.
            if !self.leads || state.is_reaped() || self.signal_led_group(0).is_ok() {
                self.reap_locked(&mut state);
                let group = state.group.take();
                drop(state);
                drop(group);
                // The leader is asked for the others. Those that are never reaped, as in a container, count to the end.
                return self.leads
                    && matches!(self.signal_led_group(0), Ok(()) | Err(Errno::PERM))
                    && tree::has_live_members(self.pid, None).unwrap_or(true);
            }
        }
        (state.kept_group(self.pid))
            .is_some_and(|group| tree::has_live_members(group, guardian) == Some(true))
    }

    /// Lets go of the child: kills what is left of its tree if `kill`, unless it has exited by itself; then reaps it, or has
    /// it reaped.
    ///
    /// The order matters. The group's id is safe from reuse only while its leader is not reaped, so
    /// the leader is reaped last.
    pub(crate) fn release(self: Arc<Self>, kill: bool) {
        if fork::is_copy_of(self.generation) {
            return;
        }
        if kill && matches!(self.observe(), Ok(None)) {
            // There is no caller to report it to; what cannot be killed is still reaped when it ends.
            let _ = self.signal(Signal::KILL.as_raw(), Scope::Tree);
        }
        reaper::adopt(self);
    }

    fn reap_locked(&self, state: &mut State) {
        if state.is_reaped() {
            return;
        }
        match self.child().reap() {
            Ok(None) => {}
            Ok(Some((status, usage))) => state.phase = Phase::Reaped(status, usage),
            Err(_) => state.phase = Phase::Lost,
        }
    }

    /// What it used, once it has been reaped.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match self.state().phase {
            Phase::Reaped(_, usage) => Some(usage),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orphan for Arc<Process> {
    fn reap(&mut self) -> bool {
        let mut state = self.state();
        self.reap_locked(&mut state);
        if !state.is_reaped() {
            return false;
        }
        state.released = true;
        // Nothing is sent any more, and each takes a descriptor.
        let (tree, group) = (mem::take(&mut state.tree), state.group.take());
        // Not under the lock: to let go of a group takes a moment.
        drop(state);
        drop(group);
        reaper::adopt(tree);
        true
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.child().pidfd
    }
}

/// What a terminal stops those by that are not in its foreground: `SIGTTIN` who reads, `SIGTTOU` who writes or sets it.
fn is_of_terminal(signal: i32) -> bool {
    [Signal::TTIN, Signal::TTOU]
        .map(Signal::as_raw)
        .contains(&signal)
}

/// Whether this process has a controlling terminal: asked once, for it seldom changes.
pub(super) fn has_terminal() -> bool {
    static HAS_TERMINAL: OnceLock<bool> = OnceLock::new();
    *HAS_TERMINAL.get_or_init(|| std::fs::File::open("/dev/tty").is_ok())
}

/// The status that `wait(2)` would have given.
fn to_exit_status(status: &WaitIdStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => exit_status(code),
        (None, signal) => signal_status(signal.unwrap_or_default(), status.dumped()),
    }
}
