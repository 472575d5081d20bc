//! [`Guardian`]: sees to it that a process group does not outlive us, however we end.
//!
//! `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that spawned ends, it reaches the child alone, it needs
//! `fork(2)`, and only Linux has it. So a shell leads the child's group and reads from a pipe whose other end only we
//! hold. The kernel closes that when we end, even by `SIGKILL`; the shell reads end-of-file and kills the group it is in.
//! It is there before the child is, and no group can be mistaken for another: the shell itself is a member.

use std::{
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use super::{super::Scope, Process, spawn::pipe};

const SHELL: &str = "/bin/sh";

const SCRIPT: &str = "read -r line
kill -KILL 0";

/// How long it is waited for the end of a guardian that has been killed, before that is left to the reaper.
const END: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Guardian {
    process: Arc<Process>,
    group: Pid,
    _lifeline: OwnedFd,
}

impl Guardian {
    pub(super) fn start() -> io::Result<Self> {
        let (theirs, lifeline) = pipe()?;
        let mut shell = Command::new(SHELL);
        shell
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let spawned = with_signals_blocked(|| shell.spawn()).map_err(explain)?;
        let group = Pid::from_child(&spawned);
        Ok(Self {
            process: Arc::new(Process::new(group, None)?),
            group,
            _lifeline: lifeline,
        })
    }

    /// The id of the group that it leads.
    pub(super) fn group(&self) -> Pid {
        self.group
    }
}

/// Ends it, and it alone. Then the group's id is free.
impl Drop for Guardian {
    fn drop(&mut self) {
        // A child of ours can always be killed; if not, the closed pipe ends it.
        let _ = self.process.signal(Signal::KILL.as_raw(), Scope::Child);
        self.process.await_exit(END);
        Arc::clone(&self.process).release(false);
    }
}

/// A child inherits the mask of the thread that spawns it. So what is sent to the group cannot end its guardian, from its first
/// instruction on; but nothing can be done about `KILL` and `STOP`.
fn with_signals_blocked<T>(run: impl FnOnce() -> T) -> T {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the first call makes the set that the second one reads; both write what they are given in full.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = run();
    // SAFETY: the call above has written the set that was in force.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    result
}

/// The trouble is with the shell and not with the program that was asked for, unless it would be the same with that.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            io::Error::other(format!("{SHELL}, its guardian: {error}"))
        }
        _ => error,
    }
}
