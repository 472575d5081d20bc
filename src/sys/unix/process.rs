//! A child: its exit is seen without reaping it, so that its pid and its group stay ours until the end.

use std::{
    io,
    os::{fd::AsFd, fd::BorrowedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, kill_process_group, waitid,
};
#[cfg(target_os = "linux")]
use tokio::io::{Interest, unix::AsyncFd};
use tokio::signal::unix::{SignalKind, signal};

use super::{super::Scope, guardian::Guardian, reaper, usage};
use crate::output::Usage;

/// A child that we started and that nobody else waits for.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// The group that is its own. It leads it, or its guardian does.
    group: Option<Pid>,
    guardian: Option<Guardian>,
    /// How much memory this process had had when it started the child.
    parent_resident: u64,
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
        guardian: Option<Guardian>,
    ) -> io::Result<Self> {
        let process = Self {
            pid,
            group,
            guardian,
            parent_resident: usage::own_max_resident(),
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
                Err(rustix::io::Errno::CHILD) => State::Lost,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }

    /// Sends a signal. Succeeds without sending anything when there is nobody left to get it.
    pub(crate) fn signal(&self, number: i32, scope: Scope) -> io::Result<()> {
        let signal = Signal::from_named_raw(number)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut state = self.state();
        // Somebody else may have reaped it, and its number may be another's by now.
        self.look(&mut state)?;
        let sent = match (*state, scope, self.group) {
            (State::Reaped(..) | State::Lost, ..) => Ok(()),
            (_, Scope::Tree, Some(group)) => {
                match kill_process_group(group, signal) {
                    // What macOS says of a group in which only zombies are left.
                    Err(rustix::io::Errno::PERM) if matches!(*state, State::Exited(_)) => Ok(()),
                    sent => sent,
                }
            }
            (State::Exited(_), ..) => Ok(()),
            (State::Running, ..) => self.signal_child(signal),
        };
        match sent {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    #[cfg(target_os = "linux")]
    fn signal_child(&self, signal: Signal) -> rustix::io::Result<()> {
        match self.descriptor() {
            // Safe even if somebody else reaps the child at this moment.
            Some(pidfd) => rustix::process::pidfd_send_signal(pidfd, signal),
            None => kill_process(self.pid, signal),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn signal_child(&self, signal: Signal) -> rustix::io::Result<()> {
        kill_process(self.pid, signal)
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

    /// Reaps the child if it has exited; whether it needs reaping no more.
    pub(super) fn reap(&self) -> bool {
        let mut state = self.state();
        if let State::Running | State::Exited(_) = *state {
            match usage::reap(self.pid) {
                Ok(None) => return false,
                Ok(Some((status, mut usage))) => {
                    usage.max_resident = (usage.max_resident).filter(|&n| n > self.parent_resident);
                    *state = State::Reaped(status, usage);
                }
                Err(_) => *state = State::Lost,
            }
            if let Some(guardian) = &self.guardian {
                guardian.dismiss();
            }
        }
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

/// A pidfd on the reactor; none where the kernel (before 5.3, or a sandbox) has no such thing.
#[cfg(target_os = "linux")]
fn watch(pid: Pid) -> Option<AsyncFd<OwnedFd>> {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    super::register(pidfd, Interest::READABLE).ok()
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
