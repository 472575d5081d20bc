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
    time::Duration,
};

use rustix::{
    io::{Errno, read},
    process::{Pid, Signal},
};

use super::{super::Scope, Process, raw, spawn::pipe};

const SHELL: &str = "/bin/sh";

/// What is sent to the group must not end its guardian. Of the numbers some are no signals, and two cannot be ignored.
/// Then it says that it is ready.
const SCRIPT: &str = "n=1
while [ $n -le 64 ]; do command trap '' $n 2>/dev/null; n=$((n+1)); done
echo
exec >&-
read -r line
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
    /// Starts it, and waits for about a millisecond until it is ready.
    pub(super) fn start() -> io::Result<Self> {
        let (theirs, lifeline) = pipe()?;
        let (ready, says_ready) = pipe()?;
        let spawned = Command::new(SHELL)
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(theirs)
            .stdout(says_ready)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(explain)?;
        let group = Pid::from_child(&spawned);
        let guardian = Self {
            process: Arc::new(Process::new(group, Some(group), None)?),
            group,
            _lifeline: lifeline,
        };
        loop {
            match read(&ready, &mut [0; 1]) {
                Ok(1) => return Ok(guardian),
                Err(Errno::INTR) => {}
                _ => {
                    return Err(io::Error::other(format!(
                        "{SHELL}, its guardian, ended at once"
                    )));
                }
            }
        }
    }

    /// The id of the group that it leads.
    pub(super) fn group(&self) -> i32 {
        raw(self.group)
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

/// The trouble is with the shell and not with the program that was asked for, unless it would be the same with that.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            io::Error::other(format!("{SHELL}, its guardian: {error}"))
        }
        _ => error,
    }
}
