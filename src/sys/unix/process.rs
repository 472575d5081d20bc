//! A child: its exit is seen without reaping it, so that its pid and its group stay ours until the end.

use std::{
    io,
    os::{fd::BorrowedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, waitid},
};
#[cfg(target_os = "linux")]
use tokio::io::{Interest, unix::AsyncFd};
use tokio::signal::unix::{SignalKind, signal};

use super::{super::Scope, guardian::Guardian, reaper, send, usage};
use crate::output::Usage;

/// A child that we started and that nobody else waits for.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// The group that is its own. It leads it, or its guardian does.
    group: Option<Pid>,
    /// Kept until the last child that it guards is reaped.
    guardian: Mutex<Option<Arc<Guardian>>>,
    #[cfg(target_os = "linux")]
    pidfd: Option<AsyncFd<OwnedFd>>,
    /// Held while a signal is sent, so that the pid cannot be freed under it.
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Running,
    /// A zombie. Its pid, and the id of its group, cannot be reused yet.
    Exited(ExitStatus),
    Reaped(ExitStatus, Usage),
    /// Somebody else reaped it; its status is not to be had, and its pid is not ours.
    Lost,
}

impl Process {
    /// Takes over a child that has just been started.
    ///
    /// Where its exit could not be observed it is killed and reaped, and the error returned.
    pub(super) fn new(
        pid: Pid,
        group: Option<Pid>,
        guardian: Option<Arc<Guardian>>,
    ) -> io::Result<Self> {
        let process = Self {
            pid,
            group,
            guardian: Mutex::new(guardian),
            #[cfg(target_os = "linux")]
            pidfd: watch(pid),
            state: Mutex::new(State::Running),
        };
        if process.descriptor().is_none() {
            // The first listener needs descriptors, and those may have run out.
            if let Err(error) = signal(SignalKind::child()) {
                Arc::new(process).release(true);
                return Err(error);
            }
        }
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The group that is its own.
    pub(super) fn group(&self) -> Option<Pid> {
        self.group
    }

    pub(super) fn guardian(&self) -> Option<Arc<Guardian>> {
        let guardian = self.guardian.lock();
        guardian.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the child has exited, for any number of waiters. Does not reap.
    pub(crate) async fn exited(self: Arc<Self>) -> io::Result<ExitStatus> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            // An error means that the runtime it is registered with is gone; another one may be here.
            while let Ok(mut guard) = pidfd.readable().await {
                match self.observe()? {
                    Some(status) => return Ok(status),
                    None => guard.clear_ready(),
                }
            }
        }
        if let Some(status) = self.observe()? {
            return Ok(status);
        }
        super::check_runtime()?;
        // Listen before looking, or an exit in between would be missed.
        let mut children = signal(SignalKind::child())?;
        loop {
            if let Some(status) = self.observe()? {
                return Ok(status);
            }
            children.recv().await;
        }
    }

    /// The status, if the child has exited.
    pub(crate) fn observe(&self) -> io::Result<Option<ExitStatus>> {
        let mut state = self.state();
        self.look(&mut state)?;
        match *state {
            State::Running => Ok(None),
            State::Exited(status) | State::Reaped(status, _) => Ok(Some(status)),
            State::Lost => Err(io::Error::other(
                "something else in this process has waited for the child, or SIGCHLD is ignored",
            )),
        }
    }

    /// Brings the state up to date.
    fn look(&self, state: &mut State) -> io::Result<()> {
        if let State::Running = *state {
            *state = match self.waitid(WaitIdOptions::NOWAIT) {
                Ok(None) => State::Running,
                Ok(Some(status)) => State::Exited(status),
                Err(Errno::CHILD) => State::Lost,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }

    /// Sends a signal. Succeeds without sending anything when there is nobody left to get it.
    pub(crate) fn signal(&self, number: i32, scope: Scope) -> io::Result<()> {
        if number <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut state = self.state();
        // Somebody else may have reaped it, and its number may be another's by now.
        self.look(&mut state)?;
        let running = matches!(*state, State::Running);
        if !running && !matches!(*state, State::Exited(_)) {
            return Ok(());
        }
        let sent = match (scope, self.group) {
            (Scope::Tree, Some(group)) => {
                let strayed = self.signal_strayed(group, number, running);
                match self.keeps(group) {
                    true => no_zombies(send::to_group(group, number), running).and(strayed),
                    false => strayed,
                }
            }
            (Scope::Strayed, Some(group)) => self.signal_strayed(group, number, running),
            _ if running => self.signal_child(number),
            _ => Ok(()),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Whether a signal to its tree reaches its group: the id of that is surely still the group's.
    pub(crate) fn keeps_group(&self) -> bool {
        let state = self.state();
        let reaped = matches!(*state, State::Reaped(..) | State::Lost);
        !reaped && self.group.is_some_and(|group| self.keeps(group))
    }

    /// Of a child that has not been reaped: a group's id is not used again while its leader has not been reaped either, which
    /// may be this child or its guardian, or while anybody is in it.
    fn keeps(&self, group: Pid) -> bool {
        group == self.pid || self.guardian().is_some() || getpgid(Some(self.pid)) == Ok(group)
    }

    /// A child may have left its group, and may lead another, whose id is its own.
    fn signal_strayed(&self, group: Pid, number: i32, running: bool) -> Result<(), Errno> {
        match getpgid(Some(self.pid)) {
            Ok(now) if now == group => Ok(()),
            Ok(now) if now == self.pid => no_zombies(send::to_group(now, number), running),
            _ if running => self.signal_child(number),
            _ => Ok(()),
        }
    }

    #[cfg(target_os = "linux")]
    fn signal_child(&self, number: i32) -> Result<(), Errno> {
        match self.descriptor() {
            Some(pidfd) => send::to_pidfd(pidfd, number),
            None => send::to_process(self.pid, number),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn signal_child(&self, number: i32) -> Result<(), Errno> {
        send::to_process(self.pid, number)
    }

    /// Lets go of the child: kills what is left of its tree if `kill`, then reaps it, or has it reaped.
    ///
    /// The order matters. The group's id is safe from reuse only while its leader is not reaped, so
    /// the leader is reaped last.
    pub(crate) fn release(self: Arc<Self>, kill: bool) {
        if kill {
            // Nobody is there to be told; what cannot be killed is still reaped when it ends.
            let _ = self.signal(Signal::KILL.as_raw(), Scope::Tree);
        }
        if !self.reap() {
            reaper::adopt(self);
        }
    }

    /// Waits a moment for an exit that is sure to come.
    pub(super) fn await_exit(&self, limit: Duration) {
        let Some(descriptor) = self.descriptor() else {
            return thread::sleep(limit);
        };
        let mut exited = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        // If it did not come by then the reaper waits for it.
        let _ = poll(&mut exited, Timespec::try_from(limit).ok().as_ref());
    }

    /// Reaps the child if it has exited; whether it needs reaping no more.
    pub(super) fn reap(&self) -> bool {
        let mut state = self.state();
        if let State::Running | State::Exited(_) = *state {
            match usage::reap(self.pid) {
                Ok(None) => return false,
                Ok(Some((status, usage))) => *state = State::Reaped(status, usage),
                Err(_) => *state = State::Lost,
            }
        }
        drop(state);
        // It may be adopted by the reaper, which asks for its own state: not under a lock.
        drop(
            self.guardian
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        true
    }

    /// What it used, once it has been reaped.
    pub(crate) fn usage(&self) -> Option<Usage> {
        match *self.state() {
            State::Reaped(_, usage) => Some(usage),
            _ => None,
        }
    }

    /// Readable when the child has exited.
    #[cfg(target_os = "linux")]
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(|pidfd| pidfd.get_ref().as_fd())
    }

    /// No such descriptor here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn waitid(&self, options: WaitIdOptions) -> rustix::io::Result<Option<ExitStatus>> {
        let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::Pid(self.pid), options)?.map(|status| exit_status(&status)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What macOS says of a group in which only zombies are left is no error.
fn no_zombies(sent: Result<(), Errno>, running: bool) -> Result<(), Errno> {
    match sent {
        Err(Errno::PERM) if !running => Ok(()),
        sent => sent,
    }
}

/// A pidfd on the reactor; none where the kernel (before 5.3, or a sandbox) has no such thing.
#[cfg(target_os = "linux")]
fn watch(pid: Pid) -> Option<AsyncFd<OwnedFd>> {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    super::register(super::above_stdio(pidfd).ok()?, Interest::READABLE).ok()
}

/// Puts together the raw status that `wait(2)` would have given.
fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) if status.dumped() => signal | CORE_DUMPED,
        (None, signal) => signal.unwrap_or_default(),
    })
}
