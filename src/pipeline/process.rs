//! [`Stages`]: the processes of a pipeline as one.

use std::{
    io,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all, select_all},
};

use crate::{
    output::Usage,
    signal::Signal,
    sys::{self, PipeGrowth, Scope},
    transport::{Process, is_failure},
};

pub(super) struct Stages {
    /// Of which the first leads the group of all, if they have one of their own.
    pub(super) processes: Vec<Arc<sys::Process>>,
    /// Which of them may fail.
    pub(super) may_fail: Vec<bool>,
    pub(super) own_group: bool,
    /// The stage whose stop by the terminal has been told last; none of them at first.
    pub(super) told_stop: AtomicUsize,
    /// What the pipes between them took of the budget.
    pub(super) _pipes: Vec<PipeGrowth>,
}

/// How a pipeline ended: as the first stage that failed and may not, or else as the last stage.
fn pipefail(statuses: &[ExitStatus], may_fail: &[bool]) -> Option<ExitStatus> {
    let last = statuses.len().checked_sub(1)?;
    let failed =
        |&(at, status): &(usize, &ExitStatus)| !may_fail[at] && is_failure(*status, at == last);
    let first = statuses.iter().enumerate().find(failed);
    Some(match first {
        Some((_, status)) => *status,
        None if may_fail[last] => sys::exit_status(0),
        None => statuses[last],
    })
}

fn no_stage() -> io::Error {
    io::Error::other("a pipeline without a stage")
}

impl Process for Stages {
    /// Of the first stage, whose number is that of the group.
    fn id(&self) -> Option<u32> {
        self.processes.first().map(|process| process.id())
    }

    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        async move {
            let exits = (self.processes.iter()).map(|process| Arc::clone(process).exited());
            // A status that is lost is told when the other stages have ended too.
            let statuses: io::Result<Vec<_>> = join_all(exits).await.into_iter().collect();
            pipefail(&statuses?, &self.may_fail).ok_or_else(no_stage)
        }
        .boxed()
    }

    fn try_wait(self: Arc<Self>) -> io::Result<Option<ExitStatus>> {
        let exits: Vec<_> = (self.processes.iter())
            .map(|process| process.observe().transpose())
            .collect();
        if exits.iter().any(Option::is_none) {
            return Ok(None);
        }
        let statuses: io::Result<Vec<_>> = exits.into_iter().flatten().collect();
        pipefail(&statuses?, &self.may_fail)
            .ok_or_else(no_stage)
            .map(Some)
    }

    /// To each stage.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        let send = |process: &Arc<sys::Process>| Process::signal(&**process, signal);
        self.processes
            .iter()
            .map(send)
            .fold(Ok(()), io::Result::and)
    }

    /// To the group by way of one stage, for each is to get it once, and to those that have left it. The first stage may have
    /// been reaped, if the pipeline has been let go.
    fn signal_tree(&self, signal: Signal) -> io::Result<()> {
        let send = |process: &sys::Process, scope| process.signal(signal.as_raw(), scope);
        if !self.own_group {
            let send = |process: &Arc<sys::Process>| send(process, Scope::Tree);
            return (self.processes.iter().map(send)).fold(Ok(()), io::Result::and);
        }
        let way = (self.processes.iter()).position(|process| process.keeps_group());
        let way = way.unwrap_or_default();
        // The group comes last: whoever has left it is known by the stages that are still alive.
        let (mut sent, others) = (Ok(()), self.processes.iter().enumerate());
        for (_, process) in others.filter(|(at, _)| *at != way) {
            sent = sent.and(send(process, Scope::LeftGroup));
        }
        match self.processes.get(way) {
            Some(process) => sent.and(send(process, Scope::Tree)),
            None => sent,
        }
    }

    fn stopped(&self) -> Option<Signal> {
        let mut stages = self.processes.iter();
        stages.find_map(|process| Process::stopped(&**process))
    }

    /// The terminal stops the whole group. So the stop of a stage is that of another which has been told, if that one has not gone
    /// on.
    fn wait_stopped(self: Arc<Self>) -> Option<BoxFuture<'static, Signal>> {
        let wait = |(at, process): (usize, &Arc<sys::Process>)| {
            let stopped = Process::wait_stopped(Arc::clone(process))?;
            Some(stopped.map(move |signal| (at, signal)).boxed())
        };
        let mut stages: Vec<_> = self.processes.iter().enumerate().filter_map(wait).collect();
        if stages.is_empty() {
            return None;
        }
        let stopped = async move {
            loop {
                let ((at, signal), _, others) = select_all(stages).await;
                let told = self.told_stop.load(Ordering::Relaxed);
                let is_told = (self.processes.get(told).filter(|_| told != at))
                    .is_some_and(|process| process.stopped().is_some());
                if !is_told {
                    self.told_stop.store(at, Ordering::Relaxed);
                    return signal;
                }
                stages = others;
                stages.extend(wait((at, &self.processes[at])));
            }
        };
        Some(stopped.boxed())
    }

    /// The first stage leads the group, and is asked last.
    fn is_tree_alive(&self) -> bool {
        self.processes
            .iter()
            .rev()
            .any(|process| process.is_tree_alive())
    }

    /// Of all stages together; the memory is that of the largest.
    fn usage(&self) -> Option<Usage> {
        let all = self.processes.iter().map(|process| process.usage());
        all.reduce(|all, one| {
            let (all, one) = (all?, one?);
            Some(Usage {
                user: all.user + one.user,
                system: all.system + one.system,
                max_resident: all.max_resident.max(one.max_resident),
            })
        })?
    }

    fn release(self: Arc<Self>, kill: bool) {
        if kill && matches!(Arc::clone(&self).try_wait(), Ok(None)) {
            // There is no caller to report it to.
            let _ = self.signal_tree(Signal::KILL);
        }
        // The id of the group is safe from reuse only until its leader is reaped, so that comes last.
        for process in self.processes.iter().rev() {
            Arc::clone(process).release(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::exit_status;

    #[test]
    fn the_first_failure_counts() {
        let of = |codes: &[i32]| {
            let statuses: Vec<_> = codes.iter().map(|code| exit_status(*code)).collect();
            let may_fail = vec![false; codes.len()];
            pipefail(&statuses, &may_fail).and_then(|status| status.code())
        };
        assert_eq!(of(&[0, 0, 0]), Some(0));
        assert_eq!(of(&[0, 2, 3]), Some(2));
        assert_eq!(of(&[0, 0, 3]), Some(3));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_stage_that_may_fail_does_not_count() {
        let of = |codes: &[i32], may_fail: &[bool]| {
            let statuses: Vec<_> = codes.iter().map(|code| exit_status(*code)).collect();
            pipefail(&statuses, may_fail).and_then(|status| status.code())
        };
        assert_eq!(of(&[2, 0], &[true, false]), Some(0));
        assert_eq!(of(&[2, 3], &[true, false]), Some(3));
        assert_eq!(of(&[2, 3], &[false, true]), Some(2));
        assert_eq!(of(&[0, 3], &[false, true]), Some(0));
    }
}
