//! [`Group`]: a process group of our own making.

use std::io;

use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};

use super::{
    group_of,
    guardian::Guardian,
    reaper::{self, Orphan},
    send,
};

/// A process group, held by each child of ours that was started in it until that child has been reaped. So it is
/// dropped when no process in it is waited for elsewhere.
#[derive(Debug)]
pub(super) struct Group {
    id: Pid,
    guardian: Option<Guardian>,
}

impl Group {
    /// The group that the child `id` leads.
    pub(super) fn led_by(id: Pid) -> Self {
        Self { id, guardian: None }
    }

    /// A new group that dies with this process.
    pub(super) fn guarded() -> io::Result<Self> {
        let guardian = Guardian::start()?;
        Ok(Self {
            id: guardian.id(),
            guardian: Some(guardian),
        })
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    /// The process id of the guardian, which leads the group, and is a member of it, until this is dropped.
    pub(super) fn guardian(&self) -> Option<Pid> {
        self.guardian.as_ref().map(Guardian::id)
    }

    /// Whether the id is surely still the group's, by a child that was started in it and has not been reaped: an id is not used
    /// again while its leader has not been reaped either, which may be this child or the guardian, or while any process is in it.
    pub(super) fn keeps_id(&self, child: Pid) -> bool {
        child == self.id || self.guardian.is_some() || group_of(child) == Some(self.id)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(guardian) = self.guardian.take() {
            guardian.end();
        }
        reaper::adopt(Members(self.id));
    }
}

/// The members of a group that became children of ours when their parent ended, as they do if this process is the first of
/// its PID namespace or a subreaper (`PR_SET_CHILD_SUBREAPER`). No child that we have started may be in the group any more.
struct Members(Pid);

impl Orphan for Members {
    fn reap(&mut self) -> bool {
        let members = WaitId::Pgid(Some(self.0));
        let exited = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        loop {
            // Nearly always.
            if waitid(members.clone(), exited | WaitIdOptions::NOWAIT).is_err() {
                return true;
            }
            // A number that a process has is no longer that of a group whose leader has been reaped.
            if send::to_process(self.0, 0) != Err(Errno::SRCH) {
                // Unless it is the guardian, which is a child of ours that has been killed and not been reaped yet.
                return waitid(WaitId::Pid(self.0), exited | WaitIdOptions::NOWAIT).is_err();
            }
            match waitid(members.clone(), exited) {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }
}
