//! [`Job`]: a job object, what a process group is elsewhere.

use std::{
    io, mem,
    os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use windows_sys::Win32::{
    Foundation::{HANDLE, NTSTATUS, RtlNtStatusToDosError},
    System::JobObjects::{
        AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_BASIC_ACCOUNTING_INFORMATION,
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
        JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
        TerminateJobObject,
    },
};

use super::{KILLED, check, opened};

// What resumes a process as a whole, for std does not give away its first thread. It has been there since Windows XP.
#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// All descendants of a child, but those that were started to break away (`CREATE_BREAKAWAY_FROM_JOB`), as they may leave a
/// process group.
#[derive(Debug)]
pub(super) struct Job {
    handle: Arc<OwnedHandle>,
    /// The system kills what is in it when the last handle is closed, and is not to do so when this is dropped.
    lift_limit: AtomicBool,
}

impl Job {
    pub(super) fn new(kill_on_close: bool) -> io::Result<Self> {
        // SAFETY: it opens a handle, and neither security attributes nor a name are needed.
        let handle = unsafe { opened(CreateJobObjectW(ptr::null(), ptr::null())) }?;
        let job = Self {
            handle: Arc::new(handle),
            lift_limit: kill_on_close.into(),
        };
        job.limit(kill_on_close)?;
        Ok(job)
    }

    fn limit(&self, kill_on_close: bool) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_BREAKAWAY_OK;
        if kill_on_close {
            limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        }
        // SAFETY: the handle is open, and the limits are of the kind and size that is said.
        check(unsafe {
            SetInformationJobObject(
                self.raw(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size_of_val(&limits) as u32,
            )
        })
    }

    /// Puts a process in, and all that it will start.
    pub(super) fn add(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both handles are open.
        check(unsafe { AssignProcessToJobObject(self.raw(), process.as_raw_handle()) })
    }

    /// Kills all that is in it.
    pub(super) fn kill(&self) -> io::Result<()> {
        // SAFETY: the handle is open.
        check(unsafe { TerminateJobObject(self.raw(), KILLED) })?;
        self.lift_limit.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a process in it is known to be running.
    pub(super) fn has_members(&self) -> bool {
        let mut accounting = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the handle is open, and `accounting` is of the kind and size that is said and outlives the call; the length
        // may be null.
        let told = check(unsafe {
            QueryInformationJobObject(
                self.raw(),
                JobObjectBasicAccountingInformation,
                ptr::from_mut(&mut accounting).cast(),
                size_of_val(&accounting) as u32,
                ptr::null_mut(),
            )
        });
        told.is_ok() && accounting.ActiveProcesses > 0
    }

    /// A child in it may live on, until this process ends if that was asked for.
    pub(super) fn let_go(&self) {
        if self.lift_limit.swap(false, Ordering::Relaxed) {
            // The system closes it when this process ends.
            mem::forget(Arc::clone(&self.handle));
        }
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if *self.lift_limit.get_mut() {
            // Its children have exited by themselves: what they have left lives on. If the limit cannot be taken away it is
            // killed.
            let _ = self.limit(false);
        }
    }
}

/// Lets a process run that was started suspended.
pub(super) fn resume(process: BorrowedHandle<'_>) -> io::Result<()> {
    // SAFETY: the handle is open.
    match unsafe { NtResumeProcess(process.as_raw_handle()) } {
        0.. => Ok(()),
        status => {
            // SAFETY: it only looks the status up.
            let code = unsafe { RtlNtStatusToDosError(status) };
            Err(io::Error::from_raw_os_error(code as i32))
        }
    }
}
