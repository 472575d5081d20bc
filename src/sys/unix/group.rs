//! [`Group`]: a process group of our own making.

use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};

use super::{guardian::Guardian, reaper, send};

/// A process group, held by each child of ours that was started in it until that child has been reaped. So it is
/// dropped when nobody in it is waited for by anyone else.
#[derive(Debug)]
pub(super) struct Group {
    id: Pid,
    guardian: Option<Guardian>,
}

impl Group {
    /// The group that the child `id` leads, or its guardian.
    pub(super) fn new(id: Pid, guardian: Option<Guardian>) -> Self {
        Self { id, guardian }
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    /// The guardian leads the group, and is a member of it, until this is dropped.
    pub(super) fn is_guarded(&self) -> bool {
        self.guardian.is_some()
    }

    /// The process id of the guardian.
    pub(super) fn guardian(&self) -> Option<Pid> {
        self.guardian.as_ref().map(|_| self.id)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.guardian.take());
        if !reap_adopted(self.id) {
            reaper::adopt_group(self.id);
        }
    }
}

/// Reaps those members that became children of ours when their parent ended, as they do if this process is the first of
/// its PID namespace or a subreaper (`PR_SET_CHILD_SUBREAPER`); whether none is left.
///
/// No child that we have started may be in the group any more.
pub(super) fn reap_adopted(group: Pid) -> bool {
    let members = WaitId::Pgid(Some(group));
    let exited = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    loop {
        // Nearly always.
        if waitid(members.clone(), exited | WaitIdOptions::NOWAIT).is_err() {
            return true;
        }
        // A number that a process has is no longer that of a group whose leader has been reaped.
        if send::to_process(group, 0) != Err(Errno::SRCH) {
            // Unless it is the guardian, which is a child of ours that has been killed and not been reaped yet.
            return waitid(WaitId::Pid(group), exited | WaitIdOptions::NOWAIT).is_err();
        }
        match waitid(members.clone(), exited) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}
