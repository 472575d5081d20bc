//! [`Guardian`]: sees to it that a process group does not outlive us, however we end.
//!
//! `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that spawned ends, it reaches the child alone, it needs
//! `fork(2)`, and only Linux has it. So a shell leads the child's group and reads from a pipe whose other end only we
//! hold. The kernel closes that when we end, even by `SIGKILL`; the shell reads end-of-file and kills the group it is in.
//! It is there before the child is, and no group can be mistaken for another: the shell itself is a member.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Command, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal};

use super::{super::Scope, Process, raw, spawn::pipe};

/// What is sent to the group must not end its guardian; nothing can be done about `KILL` and `STOP`.
const SCRIPT: &str =
    "trap '' HUP INT QUIT USR1 USR2 PIPE ALRM TERM TSTP TTIN TTOU XCPU XFSZ VTALRM PROF
read -r line
kill -KILL 0";

#[derive(Debug)]
pub(super) struct Guardian {
    process: Arc<Process>,
    group: Pid,
    _lifeline: OwnedFd,
}

impl Guardian {
    pub(super) fn start() -> io::Result<Self> {
        let (theirs, lifeline) = pipe()?;
        let spawned = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let group = Pid::from_child(&spawned);
        Ok(Self {
            process: Arc::new(Process::new(group, Some(group), None)?),
            group,
            _lifeline: lifeline,
        })
    }

    /// The id of the group that it leads.
    pub(super) fn group(&self) -> i32 {
        raw(self.group)
    }

    /// Ends it, and it alone. Then the group's id is free.
    pub(super) fn dismiss(&self) {
        // A child of ours can always be killed; if not, the closed pipe ends it.
        let _ = self.process.signal(Signal::KILL.as_raw(), Scope::Child);
        Arc::clone(&self.process).release(false);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.dismiss();
    }
}
