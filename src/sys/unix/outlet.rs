//! [`Outlet`]: a file, pipe or socket of the caller's, written without blocking where possible.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use tokio::io::{AsyncWrite, Interest, unix::AsyncFd};

use super::{ABOVE_STDIO, BorrowedDescriptor, check_runtime, fork::Private, move_here, register};

/// A descriptor of our own to what was lent.
#[derive(Debug)]
pub(crate) struct Outlet {
    end: End,
}

#[derive(Debug)]
enum End {
    Reactor(AsyncFd<Private>),
    /// A regular file, which is always ready.
    File(OwnedFd),
}

impl Outlet {
    pub(crate) fn new(to: BorrowedDescriptor<'_>) -> io::Result<Self> {
        check_runtime()?;
        let dup = || fcntl_dupfd_cloexec(to, ABOVE_STDIO);
        let end = match register(Private::new(dup()?), Interest::WRITABLE) {
            Ok(fd) => End::Reactor(fd),
            // What epoll says of a regular file; kqueue takes it.
            Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                End::File(dup()?)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { end })
    }

    /// What `transfer` comes to, which must not block; waits while it says `EAGAIN`.
    pub(super) fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        mut transfer: impl FnMut(BorrowedFd<'_>) -> Result<usize, Errno>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let (result, guard) = match &mut self.end {
                End::File(fd) => (transfer(fd.as_fd()), None),
                End::Reactor(fd) => match ready!(fd.poll_write_ready(cx)) {
                    Ok(guard) => (transfer(guard.get_inner().as_fd()), Some(guard)),
                    Err(_) => {
                        move_here(fd, Interest::WRITABLE)?;
                        continue;
                    }
                },
            };
            match (result, guard) {
                (Err(Errno::INTR), _) => {}
                (Err(Errno::AGAIN), Some(mut guard)) => guard.clear_ready(),
                (result, _) => return Poll::Ready(result.map_err(Into::into)),
            }
        }
    }
}

impl AsyncWrite for Outlet {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, |fd| write(fd, data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
