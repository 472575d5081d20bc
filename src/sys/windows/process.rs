//! A child: its handle keeps its id from being used again, so nothing needs to be reaped.

use std::{
    future::pending,
    io,
    os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Shared},
};
use tokio::process::Child;
use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, HANDLE},
    System::{
        Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent},
        Threading::TerminateProcess,
    },
};

use super::{
    super::Scope,
    KILLED, check, code,
    exit::{self, Exit},
    job::{self, Job},
    usage,
};
use crate::{output::Usage, signal::Signal};

/// A child that we started.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    handle: OwnedHandle,
    /// With others in it, if it was started in the group of another child.
    job: Option<Arc<Job>>,
    leads: bool,
    /// It leads a group of our console.
    console_group: bool,
    /// Nothing more will be asked of it.
    released: AtomicBool,
    exited: Shared<BoxFuture<'static, Result<ExitStatus, Arc<io::Error>>>>,
}

impl Process {
    pub(super) fn new(
        child: &Child,
        job: Option<Arc<Job>>,
        leads: bool,
        console_group: bool,
    ) -> io::Result<Self> {
        let (Some(id), Some(raw)) = (child.id(), child.raw_handle()) else {
            return Err(io::Error::other("the child has no handle"));
        };
        // SAFETY: the handle is open, for `child` owns it and outlives the borrow.
        let handle = unsafe { BorrowedHandle::borrow_raw(raw) }.try_clone_to_owned()?;
        let exited = Exit::of(handle.try_clone()?).map_err(Arc::new);
        Ok(Self {
            id,
            handle,
            job,
            leads,
            console_group,
            released: AtomicBool::new(false),
            exited: exited.boxed().shared(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Puts it in its job, suspended as it is, and then lets it run if `resume`.
    pub(super) fn enter_job(&self, resume: bool) -> io::Result<()> {
        let Some(job) = &self.job else { return Ok(()) };
        job.add(self.handle.as_handle())?;
        match resume {
            true => job::resume(self.handle.as_handle()),
            false => Ok(()),
        }
    }

    /// What it is in, with all its descendants.
    pub(super) fn job(&self) -> Option<Arc<Job>> {
        self.job.clone()
    }

    /// Resolves when the child has exited, for any number of waiters.
    pub(crate) async fn exited(self: Arc<Self>) -> io::Result<ExitStatus> {
        let exited = self.exited.clone().await;
        exited.map_err(|error| io::Error::new(error.kind(), error))
    }

    /// The status, if the child has exited.
    pub(crate) fn observe(&self) -> io::Result<Option<ExitStatus>> {
        exit::status(self.handle.as_handle())
    }

    /// `KILL` ends the child or all that is in its job, `TERM` is Ctrl-Break to its group of the console, and there is
    /// nothing else. Succeeds without doing anything when no process is left.
    pub(crate) fn signal(&self, number: i32, scope: Scope) -> io::Result<()> {
        if self.is_over()? {
            return Ok(());
        }
        // No process leaves a job, but each child leads a group of the console.
        let left_group = scope == Scope::LeftGroup && self.job.is_some();
        if left_group && (self.leads || number == Signal::KILL.as_raw()) {
            return Ok(());
        }
        match Signal::from_raw(number) {
            Signal::KILL => match (&self.job, scope) {
                (Some(job), Scope::Tree) => job.kill(),
                _ => self.kill(),
            },
            Signal::TERM if self.observe()?.is_some() => Ok(()),
            Signal::TERM if self.console_group => {
                // SAFETY: it only takes numbers. The child's id is that of its group, and is ours while its handle is open.
                check(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.id) })
            }
            Signal::TERM => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "only a child that leads a group of our console can be asked to end",
            )),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Kills the child alone.
    fn kill(&self) -> io::Result<()> {
        // SAFETY: the handle is open and ours.
        match check(unsafe { TerminateProcess(self.raw(), KILLED) }) {
            // What it says of a process that has already ended, or is about to.
            Err(error) if code(&error) == Some(ERROR_ACCESS_DENIED) => Ok(()),
            ended => ended,
        }
    }

    /// Whether a signal to its tree reaches its job.
    pub(crate) fn keeps_group(&self) -> bool {
        self.job.is_some() && !matches!(self.is_over(), Ok(true))
    }

    /// It has exited and been released: what it has left is not ours any more.
    fn is_over(&self) -> io::Result<bool> {
        Ok(self.released.load(Ordering::Relaxed) && self.observe()?.is_some())
    }

    /// Whether something of the child's tree is still running: it or what is in its job.
    pub(crate) fn is_tree_alive(&self) -> bool {
        let exited = matches!(self.observe(), Ok(Some(_)));
        !exited || self.job.as_ref().is_some_and(|job| job.has_members())
    }

    /// Nothing is stopped here in the sense of job control.
    pub(crate) fn stopped(&self) -> Option<i32> {
        None
    }

    /// See [`stopped`](Self::stopped).
    pub(crate) fn may_be_stopped(&self) -> bool {
        false
    }

    /// Never resolves: see [`stopped`](Self::stopped).
    pub(crate) async fn wait_stopped(self: Arc<Self>) -> i32 {
        pending().await
    }

    /// What it used, once it has exited.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.observe().ok()??;
        usage::usage(self.handle.as_handle())
    }

    /// Lets go of the child: kills what is left of its tree if `kill`, unless it has exited by itself.
    pub(crate) fn release(self: Arc<Self>, kill: bool) {
        if !matches!(self.observe(), Ok(Some(_))) {
            if kill {
                // There is no caller to report it to.
                let _ = self.signal(Signal::KILL.as_raw(), Scope::Tree);
            } else if let Some(job) = &self.job {
                job.let_go();
            }
        }
        self.released.store(true, Ordering::Relaxed);
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}
