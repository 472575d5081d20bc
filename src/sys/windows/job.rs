//! [`Job`]: a job object, what a process group is elsewhere.

use std::{
    io,
    mem::ManuallyDrop,
    os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
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

use super::{KILLED, check};

// What resumes a process as a whole, for std does not give away its first thread. It has been there since Windows XP.
#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// All descendants of a child, but those that were started to break away (`CREATE_BREAKAWAY_FROM_JOB`), as they may leave a
/// process group.
#[derive(Debug)]
pub(super) struct Job {
    handle: ManuallyDrop<OwnedHandle>,
    /// The system kills what is in it when its last handle is closed, which is ours.
    kill_on_close: bool,
    /// A child was let go while it was running.
    let_go: AtomicBool,
    killed: AtomicBool,
}

impl Job {
    pub(super) fn new(kill_on_close: bool) -> io::Result<Self> {
        // SAFETY: neither security attributes nor a name are needed.
        let handle = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        let job = Self {
            // SAFETY: the call has just opened it, and nobody else owns it.
            handle: ManuallyDrop::new(unsafe { OwnedHandle::from_raw_handle(handle) }),
            kill_on_close,
            let_go: AtomicBool::new(false),
            killed: AtomicBool::new(false),
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
        self.killed.store(true, Ordering::Relaxed);
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
        self.let_go.store(true, Ordering::Relaxed);
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.kill_on_close && !*self.killed.get_mut() {
            if *self.let_go.get_mut() {
                // The system closes it when this process ends.
                return;
            }
            // Its children have exited by themselves: what they have left lives on. If the limit cannot be taken away it is
            // killed.
            let _ = self.limit(false);
        }
        // SAFETY: nobody uses the handle after this.
        unsafe { ManuallyDrop::drop(&mut self.handle) };
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
