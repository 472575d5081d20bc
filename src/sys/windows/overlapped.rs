//! [`Overlapped`]: our end of a pipe, with at most one operation in flight whose end is waited for.
//!
//! Not `tokio::net::windows::named_pipe`: mio keeps a read in flight into a buffer of its own, and what that read took out of
//! the pipe is seen only once the reactor has run. So a loop of `recv_nowait` that does not yield would see nothing,
//! it could not be told how much is in the pipe, and an idle child would hold a buffer. Here the wait for input is a
//! read of *zero* bytes, as in libuv: it ends when there is something, and takes nothing. All else asks the kernel.
//!
//! The end of an operation is told by the system's own thread pool, which wakes the task. A pipe that waits costs no thread,
//! and works in any runtime and in none.

use std::{
    ffi::c_void,
    io,
    mem::ManuallyDrop,
    os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle},
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use windows_sys::Win32::{
    Foundation::{ERROR_IO_PENDING, HANDLE},
    Storage::FileSystem::{ReadFile, SetFileCompletionNotificationModes, WriteFile},
    System::{
        IO::{CancelIoEx, OVERLAPPED},
        Threading::{
            CancelThreadpoolIo, CloseThreadpoolIo, CreateThreadpoolIo, PTP_CALLBACK_INSTANCE,
            PTP_IO, StartThreadpoolIo,
        },
        WindowsProgramming::FILE_SKIP_COMPLETION_PORT_ON_SUCCESS,
    },
};

use super::{check, code};

/// A handle of ours, opened for overlapped operations.
#[derive(Debug)]
pub(super) struct Overlapped {
    /// Closed before `io`, as that asks for.
    handle: ManuallyDrop<OwnedHandle>,
    io: PTP_IO,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: bool,
    /// To be woken when it is not any more.
    waker: Option<Waker>,
    /// How the last operation failed that was in flight, until it is taken.
    failed: Option<u32>,
}

/// What happened to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Submitted {
    Done,
    /// Whoever waits will be woken at its end.
    InFlight,
}

/// An operation that the kernel knows of. It is the kernel's from its start to its end.
#[repr(C)]
struct Operation {
    /// First, for it is what the kernel gives back.
    overlapped: OVERLAPPED,
    pipe: Arc<Overlapped>,
    data: Vec<u8>,
}

impl Overlapped {
    pub(super) fn new(handle: OwnedHandle) -> io::Result<Arc<Self>> {
        let raw = handle.as_raw_handle();
        // What is done at once needs no telling.
        let skip = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS as u8;
        // SAFETY: the handle is open and ours.
        check(unsafe { SetFileCompletionNotificationModes(raw, skip) })?;
        // SAFETY: the handle is open, for overlapped operations, and bound to nothing else; `completed` asks nothing of its
        // context.
        let io = unsafe { CreateThreadpoolIo(raw, Some(completed), ptr::null_mut(), ptr::null()) };
        check((io != 0).into())?;
        Ok(Arc::new(Self {
            handle: ManuallyDrop::new(handle),
            io,
            state: Mutex::default(),
        }))
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }

    pub(super) fn descriptor(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    /// Whether an operation is in flight. If so, `waker` is what will be woken at its end.
    pub(super) fn is_in_flight(&self, waker: Option<&Waker>) -> bool {
        let mut state = self.state();
        if let Some(waker) = waker.filter(|_| state.in_flight) {
            match &mut state.waker {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        state.in_flight
    }

    /// How the last operation failed that was in flight, once.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        let code = self.state().failed.take()?;
        Some(io::Error::from_raw_os_error(code as i32))
    }

    /// Waits for input, by a read of no bytes. None may be in flight.
    pub(super) fn await_input(self: &Arc<Self>, waker: &Waker) -> io::Result<Submitted> {
        self.submit(Vec::new(), Some(waker), |operation| {
            let nowhere = operation.cast();
            // SAFETY: the handle is open, `submit` answers for the operation, and no byte is read.
            unsafe { ReadFile(self.raw(), nowhere, 0, ptr::null_mut(), operation) }
        })
    }

    /// Writes all of `data`, which the kernel may do later. None may be in flight.
    pub(super) fn write(self: &Arc<Self>, data: Vec<u8>) -> io::Result<Submitted> {
        let (bytes, len) = (data.as_ptr(), data.len() as u32);
        self.submit(data, None, |operation| {
            // SAFETY: the handle is open, and `submit` answers for the operation, which owns the bytes.
            unsafe { WriteFile(self.raw(), bytes, len, ptr::null_mut(), operation) }
        })
    }

    /// Hands an operation to the kernel. `start` is given where it is, valid until its end.
    fn submit(
        self: &Arc<Self>,
        data: Vec<u8>,
        waker: Option<&Waker>,
        start: impl FnOnce(*mut OVERLAPPED) -> i32,
    ) -> io::Result<Submitted> {
        let operation = Box::into_raw(Box::new(Operation {
            overlapped: OVERLAPPED::default(),
            pipe: Arc::clone(self),
            data,
        }));
        // Held until the state says what is true, for the end may be told at any moment.
        let mut state = self.state();
        // SAFETY: `self.io` is open.
        unsafe { StartThreadpoolIo(self.io) };
        let error = match start(operation.cast()) {
            0 => Some(io::Error::last_os_error()),
            _ => None,
        };
        if let Some(ERROR_IO_PENDING) = error.as_ref().and_then(code) {
            state.in_flight = true;
            state.waker = waker.cloned();
            return Ok(Submitted::InFlight);
        }
        // SAFETY: no end will be told of an operation that failed or was done at once, see `new`.
        unsafe { CancelThreadpoolIo(self.io) };
        // SAFETY: for the same reason it is ours again, and it came from a box.
        let operation = unsafe { Box::from_raw(operation) };
        drop(state);
        drop(operation);
        error.map_or(Ok(Submitted::Done), Err)
    }

    /// Ends what is in flight, soon.
    pub(super) fn cancel(&self) {
        if self.state().in_flight {
            // SAFETY: the handle is open and ours. If there is nothing to cancel any more, that is as well.
            unsafe { CancelIoEx(self.raw(), ptr::null()) };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Overlapped {
    fn drop(&mut self) {
        // SAFETY: the handle is not used after this.
        unsafe { ManuallyDrop::drop(&mut self.handle) };
        // SAFETY: nothing is in flight, for each operation keeps its pipe. It may be called by its own callback.
        unsafe { CloseThreadpoolIo(self.io) };
    }
}

/// An operation that was in flight has ended.
unsafe extern "system" fn completed(
    _: PTP_CALLBACK_INSTANCE,
    _: *mut c_void,
    operation: *mut c_void,
    result: u32,
    _: usize,
    _: PTP_IO,
) {
    // SAFETY: it is one that `submit` handed over, its `OVERLAPPED` comes first, and the kernel has given it back.
    let operation = unsafe { Box::from_raw(operation.cast::<Operation>()) };
    let Operation { pipe, data, .. } = *operation;
    drop(data);
    let waker = {
        let mut state = pipe.state();
        state.in_flight = false;
        state.failed = (result != 0).then_some(result);
        state.waker.take()
    };
    // The handle closes here if its owner is gone.
    drop(pipe);
    if let Some(waker) = waker {
        waker.wake();
    }
}
