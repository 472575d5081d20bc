//! Our ends of the child's pipes.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io::{self, IoSlice},
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, OwnedHandle},
    },
    process, ptr,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::task::coop::poll_proceed;
use windows_sys::Win32::{
    Foundation::{ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED},
    Security::SECURITY_ATTRIBUTES,
    Storage::FileSystem::{
        FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_INBOUND,
        PIPE_ACCESS_OUTBOUND, ReadFile,
    },
    System::{
        IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED},
        Pipes::{
            CreateNamedPipeW, CreatePipe, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_TYPE_BYTE, PIPE_WAIT, PeekNamedPipe,
        },
        Threading::CreateEventW,
    },
};

use super::{
    BorrowedDescriptor, Outlet, OwnedDescriptor, check, code, opened,
    overlapped::{Overlapped, Submitted},
    security::for_this_user,
};

/// How much a pipe holds, and the most that one write takes. Measured under Wine 8: with 4 KiB it takes five times as long to
/// feed a child, and 256 KiB are no faster.
const PIPE_SIZE: usize = 64 * 1024;
/// How often a wait for input may end at once without any, as when the child writes nothing by a write of no bytes.
const FALSE_ALARMS: usize = 16;

/// The read end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeReader {
    pipe: Arc<Overlapped>,
    /// For reads that are waited for at once.
    event: OwnedHandle,
    next: Next,
}

/// What [`PipeReader::poll_read`] does next. Every look at a pipe is a system call.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// Look whether there is something, and read it.
    Look,
    /// Wait: the last read has emptied the pipe.
    Wait,
    /// Read: it has been waited for.
    Read,
}

impl PipeReader {
    /// A pipe: our end, and the one that the child writes to, which no child inherits by itself.
    pub(super) fn pair() -> io::Result<(Self, OwnedHandle)> {
        let (ours, theirs) = pair(PIPE_ACCESS_INBOUND, OpenOptions::new().write(true))?;
        let reader = Self {
            pipe: Overlapped::new(ours)?,
            // SAFETY: it opens a handle, and neither security attributes nor a name are needed.
            event: unsafe { opened(CreateEventW(ptr::null(), 1, 0, ptr::null())) }?,
            next: Next::Look,
        };
        Ok((reader, theirs))
    }

    /// Appends at most `max` bytes to `buffer`; 0 at end-of-file.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let coop = ready!(poll_proceed(cx));
        if self.pipe.is_in_flight(Some(cx.waker())) {
            return Poll::Pending;
        }
        for _ in 0..FALSE_ALARMS {
            let read = match self.next {
                Next::Look => self.try_read(buffer, max),
                Next::Read => self.read(buffer, max),
                Next::Wait => Err(io::ErrorKind::WouldBlock.into()),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    coop.made_progress();
                    return Poll::Ready(read);
                }
            }
            self.next = Next::Read;
            match self.pipe.await_input(cx.waker()) {
                Ok(Submitted::InFlight) => return Poll::Pending,
                // Something has just come, the end of the file perhaps.
                Ok(Submitted::Done) => {}
                Err(error) if is_closed(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// As [`poll_read`](PipeReader::poll_read), of what is there now; `WouldBlock` if nothing is.
    pub(crate) fn try_read(&mut self, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
        match self.available() {
            Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => {}
            Err(error) if is_closed(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
        self.read(buffer, max)
    }

    /// As [`try_read`](PipeReader::try_read), when there should be something.
    fn read(&mut self, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
        self.next = Next::Look;
        // Half of what is wanted is good enough to go on in the same allocation.
        if buffer.capacity() - buffer.len() < max.div_ceil(2) {
            buffer.reserve(max);
        }
        let len = buffer.len();
        let spare = buffer.spare_capacity_mut();
        let asked = spare.len().min(max).try_into().unwrap_or(u32::MAX);
        let n = match self.read_now(spare.as_mut_ptr().cast(), asked) {
            Err(error) if is_closed(&error) => 0,
            // That is not the end: the child has written nothing, by a write of no bytes.
            Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
            read => read?,
        };
        // SAFETY: the kernel has initialised the first `n` bytes of the spare capacity.
        unsafe { buffer.set_len(len + n) };
        if 0 < n && n < asked as usize {
            self.next = Next::Wait;
        }
        Ok(n)
    }

    /// Reads what is in the pipe; `WouldBlock` if nothing is.
    fn read_now(&mut self, into: *mut u8, asked: u32) -> io::Result<usize> {
        let (pipe, mut n) = (self.pipe.raw(), 0);
        let mut overlapped = OVERLAPPED {
            // The low bit keeps the thread pool out of it.
            hEvent: (self.event.as_raw_handle() as usize | 1) as _,
            ..OVERLAPPED::default()
        };
        // SAFETY: the handle is open, there is room for so much, and neither that nor `overlapped` goes away before the
        // end of the read, which is waited for below.
        let error = match unsafe { ReadFile(pipe, into, asked, &mut n, &mut overlapped) } {
            0 => io::Error::last_os_error(),
            _ => return Ok(n as usize),
        };
        if code(&error) != Some(ERROR_IO_PENDING) {
            return Err(error);
        }
        // There was nothing.
        // SAFETY: the read is in flight, or has just ended.
        unsafe { CancelIoEx(pipe, &overlapped) };
        // SAFETY: as above; it waits for the end.
        match check(unsafe { GetOverlappedResult(pipe, &overlapped, &mut n, 1) }) {
            Err(error) if code(&error) == Some(ERROR_OPERATION_ABORTED) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            read => read.map(|()| n as usize),
        }
    }

    /// There is no such call here.
    pub(crate) fn poll_splice(
        &mut self,
        _: &mut Context<'_>,
        _: &Outlet,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// How many bytes are in the pipe.
    pub(crate) fn buffered(&self) -> Option<u64> {
        match self.available() {
            Err(error) if is_closed(&error) => Some(0),
            available => available.ok().map(u64::from),
        }
    }

    fn available(&self) -> io::Result<u32> {
        let none: *mut u32 = ptr::null_mut();
        let (pipe, mut available) = (self.pipe.raw(), 0);
        // SAFETY: the handle is open, and `available` outlives the call; the others may be null.
        check(unsafe { PeekNamedPipe(pipe, none.cast(), 0, none, &mut available, none) })?;
        Ok(available)
    }

    /// Pipes have a fixed size here.
    pub(crate) fn grow(&mut self) {}

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        self.pipe.descriptor()
    }

    /// Our end is opened for overlapped operations, which most programs cannot use.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.pipe.cancel();
    }
}

/// The write end of a pipe.
///
/// A write that the pipe has no room for is the kernel's until the child has read it, also after this is dropped: the child
/// then sees end-of-file behind it. While there is one the pipe counts as full.
#[derive(Debug)]
pub(crate) struct PipeWriter(Arc<Overlapped>);

impl PipeWriter {
    /// A pipe: our end, and the one that the child reads from, which no child inherits by itself.
    pub(super) fn pair() -> io::Result<(Self, OwnedHandle)> {
        let (ours, theirs) = pair(PIPE_ACCESS_OUTBOUND, OpenOptions::new().read(true))?;
        Ok((Self(Overlapped::new(ours)?), theirs))
    }

    /// Only a write tells that there is no reader.
    #[allow(clippy::unused_self)] // As on Unix.
    pub(crate) fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Writes what the pipe takes, at least one byte.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let coop = ready!(poll_proceed(cx));
        if self.0.is_in_flight(Some(cx.waker())) {
            return Poll::Pending;
        }
        coop.made_progress();
        Poll::Ready(self.write(slices))
    }

    /// What is held back, the kernel holds: it needs no help.
    pub(crate) fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Writes what the pipe takes now; `WouldBlock` if it is full.
    pub(crate) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.0.is_in_flight(None) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.write(slices)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(error) = self.0.take_failure() {
            return Err(as_broken(error));
        }
        let len = slices.iter().map(|slice| slice.len()).sum::<usize>();
        let mut data = Vec::with_capacity(len.min(PIPE_SIZE));
        for slice in slices {
            let room = PIPE_SIZE - data.len();
            data.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        let n = data.len();
        self.0.write(data).map(|_| n).map_err(as_broken)
    }

    /// Pipes have a fixed size here.
    pub(crate) fn grow(&mut self) {}

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        self.0.descriptor()
    }

    /// Our end is opened for overlapped operations, which most programs cannot use.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The other end has been closed.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || code(error) == Some(ERROR_PIPE_NOT_CONNECTED)
}

fn as_broken(error: io::Error) -> io::Error {
    match code(&error) {
        // The one code of a closed pipe that std has no kind for.
        Some(ERROR_PIPE_NOT_CONNECTED) => io::ErrorKind::BrokenPipe.into(),
        _ => error,
    }
}

/// What a pipe took of the budget: there is none here.
#[derive(Debug)]
pub(crate) struct PipeGrowth;

/// A pipe from one child to another: what is written, what is read.
pub(crate) fn stage_pipe() -> io::Result<(File, File, PipeGrowth)> {
    let (mut read, mut write) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: both handles outlive the call, which fills them in.
    check(unsafe { CreatePipe(&mut read, &mut write, ptr::null(), PIPE_SIZE as u32) })?;
    // SAFETY: the call has just opened both, and this is their only owner.
    let [read, write] = unsafe { [opened(read)?, opened(write)?] };
    Ok((write.into(), read.into(), PipeGrowth))
}

/// A pipe with a name that cannot be guessed, for this user alone: our end, overlapped, and theirs, which is not.
///
/// Another process of this user would have to find the name and open it between the two calls. Then ours fails,
/// for there is one instance, and nothing has been written.
fn pair(access: u32, open: &mut OpenOptions) -> io::Result<(OwnedHandle, OwnedHandle)> {
    match for_this_user(|security| pair_with(security, access, open))? {
        // In a sandbox it is not enough to be the user. The system's default is made for it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            pair_with(ptr::null(), access, open)
        }
        pair => pair,
    }
}

fn pair_with(
    security: *const SECURITY_ATTRIBUTES,
    access: u32,
    open: &mut OpenOptions,
) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let pid = process::id();
    let [high, low] = [(); 2].map(|()| RandomState::new().hash_one(pid));
    let name = format!(r"\\.\pipe\process-io.{pid}.{high:016x}{low:016x}");
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: it opens a handle; the name ends with a zero and outlives the call; the security attributes are valid, or none.
    let ours = unsafe {
        opened(CreateNamedPipeW(
            wide.as_ptr(),
            access | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            1,
            PIPE_SIZE as u32,
            PIPE_SIZE as u32,
            0,
            security,
        ))
    }?;
    Ok((ours, open.share_mode(0).open(&name)?.into()))
}
