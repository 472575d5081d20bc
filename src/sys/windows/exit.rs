//! [`Exit`]: resolves when a process has ended.
//!
//! Not `tokio::process::Child::wait`: its drop waits for the system's thread pool, and under Wine 8 the two meet on a null
//! pointer when the process ends at that moment (`UnregisterWaitEx` of a wait with `WT_EXECUTEINWAITTHREAD`).

use std::{
    ffi::c_void,
    future::Future,
    io,
    os::windows::{
        io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle},
        process::ExitStatusExt,
    },
    pin::Pin,
    process::ExitStatus,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use windows_sys::Win32::{
    Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT},
    System::Threading::{
        CloseThreadpoolWait, CreateThreadpoolWait, DisassociateCurrentThreadFromCallback,
        GetExitCodeProcess, PTP_CALLBACK_INSTANCE, PTP_WAIT, SetThreadpoolWait,
        WaitForSingleObject, WaitForThreadpoolWaitCallbacks,
    },
};

use super::check;

/// Waits by the system's own thread pool, in any runtime and in none, from when it is first polled.
#[derive(Debug)]
pub(super) struct Exit {
    process: OwnedHandle,
    /// 0 before the first poll.
    wait: PTP_WAIT,
    /// In a box, so that it stays where the wait knows it to be.
    told: Box<Told>,
}

/// What the callback leaves.
#[derive(Debug, Default)]
struct Told {
    ended: AtomicBool,
    waker: AtomicWaker,
}

impl Exit {
    pub(super) fn of(process: OwnedHandle) -> Self {
        Self {
            process,
            wait: 0,
            told: Box::default(),
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let told = ptr::from_ref(&*self.told).cast_mut().cast();
        // SAFETY: `told` is where it is until `drop` has seen that `ended` uses it no more.
        self.wait = unsafe { CreateThreadpoolWait(Some(ended), told, ptr::null()) };
        check((self.wait != 0).into())?;
        // SAFETY: the wait and the handle are open, the handle until the wait is closed. No time limit is asked for.
        unsafe { SetThreadpoolWait(self.wait, self.process.as_raw_handle(), ptr::null()) };
        Ok(())
    }
}

impl Future for Exit {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.told.waker.register(cx.waker());
        // The kernel is asked only at the beginning and at the end, for this is polled often.
        if self.wait == 0 || self.told.ended.load(Ordering::Acquire) {
            if let Some(status) = status(self.process.as_handle())? {
                return Poll::Ready(Ok(status));
            }
        }
        if self.wait == 0 {
            self.start()?;
        }
        Poll::Pending
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        if self.wait != 0 {
            // SAFETY: the wait is open, and is not used after this. What is waited for is only that a callback has taken
            // the waker.
            unsafe {
                SetThreadpoolWait(self.wait, ptr::null_mut(), ptr::null());
                WaitForThreadpoolWaitCallbacks(self.wait, 1);
                CloseThreadpoolWait(self.wait);
            }
        }
    }
}

unsafe extern "system" fn ended(
    instance: PTP_CALLBACK_INSTANCE,
    told: *mut c_void,
    _: PTP_WAIT,
    _: u32,
) {
    // SAFETY: it is what `start` gave, and `drop` waits for us.
    let told = unsafe { &*told.cast::<Told>() };
    told.ended.store(true, Ordering::Release);
    let waker = told.waker.take();
    // Else it would wait for itself, if this is where the last waker is dropped that keeps the future.
    // SAFETY: the instance is that of this callback.
    unsafe { DisassociateCurrentThreadFromCallback(instance) };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The status of a process, if it has ended.
pub(super) fn status(process: BorrowedHandle<'_>) -> io::Result<Option<ExitStatus>> {
    let process = process.as_raw_handle();
    // SAFETY: the handle is open.
    match unsafe { WaitForSingleObject(process, 0) } {
        WAIT_OBJECT_0 => {}
        WAIT_TIMEOUT => return Ok(None),
        _ => return Err(io::Error::last_os_error()),
    }
    let mut code = 0;
    // SAFETY: the handle is open, and `code` outlives the call.
    check(unsafe { GetExitCodeProcess(process, &mut code) })?;
    Ok(Some(ExitStatus::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, process};

    use futures::FutureExt;
    use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION};

    use super::{super::opened, *};

    /// A process that cannot be waited for does not count as running: no task would ever be woken.
    #[test]
    fn a_wait_that_fails_is_an_error() {
        let access = PROCESS_QUERY_LIMITED_INFORMATION;
        // SAFETY: it only takes numbers, and opens a handle.
        let process = unsafe { opened(OpenProcess(access, 0, process::id())) }.unwrap();
        let error = status(process.as_handle()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let exited = Exit::of(process).now_or_never();
        assert!(exited.is_some_and(|exited| exited.is_err()));
    }
}
