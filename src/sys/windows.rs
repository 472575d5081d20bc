//! Windows: tokio's own child pipes, which keep a thread of its blocking pool busy for each pending
//! operation. `try_read` and `try_write` therefore know only what such a thread has already done.

use std::{
    io::{self, IoSlice},
    os::windows::{
        io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle},
        process::ExitStatusExt,
    },
    pin::Pin,
    process::{ExitStatus, Stdio},
    ptr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{BufMut, BytesMut};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    fs::File,
    io::AsyncWrite,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};
use tokio_util::io::poll_read_buf;
use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, HANDLE, WAIT_OBJECT_0},
    System::{
        Pipes::CreatePipe,
        Threading::{GetExitCodeProcess, TerminateProcess, WaitForSingleObject},
    },
};

use super::{Ends, Scope, Spawned};
use crate::{error::Kind, output::Usage, signal::Signal, stdio::Redirect};

/// A borrowed handle.
pub type BorrowedDescriptor<'a> = BorrowedHandle<'a>;

pub(crate) fn exit_status(code: i32) -> ExitStatus {
    ExitStatus::from_raw(code as u32)
}

/// Pipes have a fixed size here.
pub(crate) fn set_pipe_budget(_: usize) {}

#[derive(Debug)]
pub(crate) enum PipeReader {
    Stdout(ChildStdout),
    Stderr(ChildStderr),
    Merged(File),
}

impl PipeReader {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        buffer.reserve(max);
        let mut buffer = buffer.limit(max);
        let read = match self {
            Self::Stdout(pipe) => poll_read_buf(Pin::new(pipe), cx, &mut buffer),
            Self::Stderr(pipe) => poll_read_buf(Pin::new(pipe), cx, &mut buffer),
            Self::Merged(pipe) => poll_read_buf(Pin::new(pipe), cx, &mut buffer),
        };
        match read {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Poll::Ready(Ok(0))
            }
            read => read,
        }
    }

    pub(crate) fn try_read(&mut self, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
        at_once(self.poll_read(&mut Context::from_waker(Waker::noop()), buffer, max))
    }

    pub(crate) fn grow(&mut self) {}

    pub(crate) fn buffered(&self) -> Option<u64> {
        None
    }

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        match self {
            Self::Stdout(pipe) => pipe.as_handle(),
            Self::Stderr(pipe) => pipe.as_handle(),
            Self::Merged(pipe) => pipe.as_handle(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct PipeWriter(ChildStdin);

impl PipeWriter {
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    pub(crate) fn grow(&mut self) {}

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    pub(crate) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.poll_write(&mut Context::from_waker(Waker::noop()), slices))
    }

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        self.0.as_handle()
    }
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    handle: OwnedHandle,
    exited: Shared<BoxFuture<'static, Result<ExitStatus, Arc<io::Error>>>>,
}

impl Process {
    fn new(mut child: Child) -> io::Result<Self> {
        let gone = || io::Error::other("the child has no handle");
        let id = child.id().ok_or_else(gone)?;
        let raw = child.raw_handle().ok_or_else(gone)?;
        // SAFETY: the handle is open, for `child` owns it and outlives the borrow.
        let handle = unsafe { BorrowedHandle::borrow_raw(raw) }.try_clone_to_owned()?;
        let exited = async move { child.wait().await.map_err(Arc::new) };
        Ok(Self {
            id,
            handle,
            exited: exited.boxed().shared(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) async fn exited(self: Arc<Self>) -> io::Result<ExitStatus> {
        let exited = self.exited.clone().await;
        exited.map_err(|error| io::Error::new(error.kind(), error))
    }

    pub(crate) fn observe(&self) -> io::Result<Option<ExitStatus>> {
        // SAFETY: the handle is open and ours.
        if unsafe { WaitForSingleObject(self.raw(), 0) } != WAIT_OBJECT_0 {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open and ours, and `code` outlives the call.
        check(unsafe { GetExitCodeProcess(self.raw(), &mut code) })?;
        Ok(Some(ExitStatus::from_raw(code)))
    }

    /// Ends the process, which is all there is here for a signal to do.
    pub(crate) fn signal(&self, number: i32, _: Scope) -> io::Result<()> {
        if number != Signal::KILL.as_raw() && number != Signal::TERM.as_raw() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // SAFETY: the handle is open and ours.
        match check(unsafe { TerminateProcess(self.raw(), 1) }) {
            // What it says of a process that has already ended.
            Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32) => Ok(()),
            ended => ended,
        }
    }

    /// Not looked for yet.
    pub(crate) fn usage(&self) -> Option<Usage> {
        None
    }

    pub(crate) fn release(self: Arc<Self>, kill: bool) {
        if kill {
            let _ = self.signal(Signal::KILL.as_raw(), Scope::Tree);
        }
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

pub(crate) fn spawn(command: &mut Command, ends: Ends) -> io::Result<Spawned> {
    if ends.die_with_parent {
        let error = "a child cannot be made to die with its parent here yet";
        return Err(io::Error::new(io::ErrorKind::Unsupported, error));
    }
    let mut merged = None;
    command.kill_on_drop(false).stdin(stdio(ends.stdin));
    match (ends.stderr, ends.stdout) {
        (Some(stderr), stdout) => {
            command.stdout(stdio(stdout)).stderr(stdio(stderr));
        }
        (None, Redirect::Null) => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        (None, stdout) => {
            let theirs = match stdout {
                Redirect::File(file) => OwnedHandle::from(file),
                Redirect::Inherit => io::stdout().as_handle().try_clone_to_owned()?,
                _ => {
                    let (ours, theirs) = pipe()?;
                    merged = Some(PipeReader::Merged(File::from_std(ours.into())));
                    theirs
                }
            };
            command.stderr(theirs.try_clone()?).stdout(theirs);
        }
    }
    let spawned = command.spawn();
    (command.stdin(Stdio::null()).stdout(Stdio::null())).stderr(Stdio::null());
    let mut child = spawned?;
    Ok(Spawned {
        stdin: child.stdin.take().map(PipeWriter),
        stdout: merged.or_else(|| child.stdout.take().map(PipeReader::Stdout)),
        stderr: child.stderr.take().map(PipeReader::Stderr),
        process: Process::new(child)?,
    })
}

fn stdio(redirect: Redirect) -> Stdio {
    match redirect {
        Redirect::Pipe => Stdio::piped(),
        Redirect::Null => Stdio::null(),
        Redirect::Inherit => Stdio::inherit(),
        Redirect::File(file) => file.into(),
    }
}

/// A pipe that no child inherits: read end, write end.
fn pipe() -> io::Result<(OwnedHandle, OwnedHandle)> {
    let (mut read, mut write) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: both handles outlive the call, which fills them in.
    check(unsafe { CreatePipe(&mut read, &mut write, ptr::null(), 0) })?;
    // SAFETY: the call has just opened both, and nobody else owns them.
    Ok(unsafe {
        (
            OwnedHandle::from_raw_handle(read),
            OwnedHandle::from_raw_handle(write),
        )
    })
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(crate) fn fault(command: &std::process::Command, error: &io::Error) -> Kind {
    let directory = command.get_current_dir();
    match error.kind() {
        io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => Kind::NulByte,
        _ if directory.is_some_and(|path| !path.is_dir()) => Kind::DirectoryNotFound,
        io::ErrorKind::NotFound => Kind::ProgramNotFound,
        io::ErrorKind::PermissionDenied if std::path::Path::new(command.get_program()).is_dir() => {
            Kind::ProgramIsDirectory
        }
        io::ErrorKind::PermissionDenied => Kind::NotExecutable,
        io::ErrorKind::ArgumentListTooLong => Kind::ArgumentListTooLong,
        _ => Kind::Spawn,
    }
}
