//! Our ends of the child's pipes: non-blocking descriptors on the reactor.

use std::{
    fs::File,
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio, ioctl_fionread, read, writev};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::coop::poll_proceed,
};

use super::{
    ABOVE_STDIO, BorrowedDescriptor, Outlet, OwnedDescriptor, above_stdio,
    fork::Private,
    grown::Grown,
    move_here,
    populate::{POPULATED, populate},
    register,
};

/// The read end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeReader {
    fd: AsyncFd<Private>,
    grown: Option<Grown>,
    /// The last read gave less than was asked for, and whether that was all has not been asked since.
    was_short: bool,
}

impl PipeReader {
    pub(super) fn new(fd: OwnedFd, capacity: Option<usize>) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Ok(Self {
            grown: capacity.map(|capacity| Grown::fixed(&fd, capacity)),
            fd: register(Private::new(fd), Interest::READABLE)?,
            was_short: false,
        })
    }

    /// Appends at most `max` bytes to `buffer`; 0 at end-of-file.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = match self.fd.poll_read_ready(cx) {
                Poll::Ready(Ok(guard)) => guard,
                Poll::Ready(Err(_)) => {
                    let Err(error) = move_here(&mut self.fd, Interest::READABLE) else {
                        continue;
                    };
                    // What is there is there without a reactor.
                    return Poll::Ready(or_instead(self.try_read(buffer, max), error));
                }
                Poll::Pending => return self.poll_next_packet(cx, buffer, max),
            };
            match read_into(guard.get_inner(), buffer, max) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Ok((n, asked)) => {
                    // A short read has emptied the pipe, unless that holds packets. The next byte is a new edge, so
                    // the call that would only say EAGAIN can be saved.
                    if 0 < n && n < asked {
                        guard.clear_ready();
                        self.was_short = PACKETS;
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// What the last read has left, which happens where the child writes packets: a read gives no more than one, and no edge
    /// tells of the next if both were there before.
    fn poll_next_packet(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        if !self.was_short {
            return Poll::Pending;
        }
        let coop = ready!(poll_proceed(cx));
        self.was_short = false;
        if self.buffered().is_none_or(|bytes| bytes == 0) {
            return Poll::Pending;
        }
        match read_into(self.fd.get_ref(), buffer, max) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => {
                coop.made_progress();
                self.was_short = true;
                Poll::Ready(result.map(|(n, _)| n))
            }
        }
    }

    /// As [`poll_read`](PipeReader::poll_read), of what is there now; `WouldBlock` if nothing is.
    pub(crate) fn try_read(&mut self, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
        read_into(self.fd.get_ref(), buffer, max).map(|(n, _)| n)
    }

    /// Moves at most `max` bytes on without copying them here; 0 at end-of-file, `Unsupported` where that cannot be done.
    #[cfg(target_os = "linux")]
    pub(crate) fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Outlet,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        use rustix::pipe::{SpliceFlags, splice};
        loop {
            let mut guard = match self.fd.poll_read_ready(cx) {
                Poll::Ready(Ok(guard)) => guard,
                Poll::Ready(Err(_)) => {
                    move_here(&mut self.fd, Interest::READABLE)?;
                    continue;
                }
                Poll::Pending => return Poll::Pending,
            };
            let from = self.fd.get_ref();
            let mut empty = false;
            let moved = ready!(to.poll_with(cx, |to| {
                let moved = splice(from, None, to, None, max, SpliceFlags::NONBLOCK);
                if moved != Err(Errno::AGAIN) || !is_writable(to) {
                    return moved;
                }
                // It says the same of an empty pipe and of a full outlet, and that may have been read since.
                empty = ioctl_fionread(from).unwrap_or(0) == 0;
                if empty { Ok(0) } else { Err(Errno::INTR) }
            }));
            match moved {
                Ok(_) if empty => guard.clear_ready(),
                Err(error) if is_refused(&error) => {
                    return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
                }
                moved => return Poll::Ready(moved),
            }
        }
    }

    /// There is no such call here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn poll_splice(
        &mut self,
        _: &mut Context<'_>,
        _: &mut Outlet,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// How many bytes are in the pipe.
    pub(crate) fn buffered(&self) -> Option<u64> {
        ioctl_fionread(self.fd.get_ref()).ok()
    }

    /// The pipe was seen full: makes it larger, once, if that can be had.
    pub(crate) fn grow(&mut self) {
        if self.grown.is_none() {
            self.grown = Some(Grown::grow(self.fd.get_ref()));
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        self.fd.get_ref().as_fd()
    }

    /// The same end in blocking mode. What that has beyond its first size is not counted against the budget any more.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        to_blocking(self.fd.get_ref())
    }
}

/// The write end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeWriter {
    fd: AsyncFd<Private>,
    grown: Option<Grown>,
    /// The reactor was made to forget that the pipe takes something, and is not to be asked before the pipe has been.
    forgotten: bool,
}

impl PipeWriter {
    pub(super) fn new(fd: OwnedFd, capacity: Option<usize>) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Ok(Self {
            grown: capacity.map(|capacity| Grown::fixed(&fd, capacity)),
            fd: register(Private::new(fd), Interest::WRITABLE)?,
            forgotten: false,
        })
    }

    /// Resolves when no process has the read end.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !has_no_reader(self.fd.get_ref()) {
            match self.fd.poll_write_ready(cx) {
                Poll::Ready(Ok(mut guard)) => {
                    guard.clear_ready();
                    self.forgotten = true;
                }
                Poll::Ready(Err(_)) => {
                    if move_here(&mut self.fd, Interest::WRITABLE).is_err() {
                        // What is written next tells why.
                        return Poll::Pending;
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// Writes what the pipe takes, at least one byte.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.forgotten {
            match self.try_write(slices) {
                // The reactor will tell when that changes.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.forgotten = false,
                result => return Poll::Ready(result),
            }
        }
        loop {
            let mut guard = match self.fd.poll_write_ready(cx) {
                Poll::Ready(Ok(guard)) => guard,
                Poll::Ready(Err(_)) => {
                    let Err(error) = move_here(&mut self.fd, Interest::WRITABLE) else {
                        continue;
                    };
                    return Poll::Ready(or_instead(self.try_write(slices), error));
                }
                Poll::Pending => return Poll::Pending,
            };
            match write_from(guard.get_inner(), slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return Poll::Ready(result),
            }
        }
    }

    /// A pipe holds nothing back.
    pub(crate) fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Writes what the pipe takes now; `WouldBlock` if it is full.
    pub(crate) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        write_from(self.fd.get_ref(), slices)
    }

    /// The pipe was seen full: makes it larger, once, if that can be had.
    pub(crate) fn grow(&mut self) {
        if self.grown.is_none() {
            self.grown = Some(Grown::grow(self.fd.get_ref()));
        }
    }

    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        self.fd.get_ref().as_fd()
    }

    /// The same end in blocking mode. What that has beyond its first size is not counted against the budget any more.
    pub(crate) fn to_blocking(&self) -> io::Result<OwnedDescriptor> {
        to_blocking(self.fd.get_ref())
    }
}

/// `O_NONBLOCK` belongs to the open file description, and so to all descriptors of it.
fn to_blocking(fd: &OwnedFd) -> io::Result<OwnedDescriptor> {
    let copy = fcntl_dupfd_cloexec(fd, ABOVE_STDIO)?;
    ioctl_fionbio(&copy, false)?;
    Ok(copy)
}

/// What is written would be an error: there is an end, but no reader (`poll(2)`).
fn has_no_reader(fd: &OwnedFd) -> bool {
    super::is_ready(fd.as_fd(), rustix::event::PollFlags::empty())
}

/// A pipe that no child inherits, above the numbers of stdin, stdout and stderr: read end, write end.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = cloexec_pipe()?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}

#[cfg(not(target_vendor = "apple"))]
fn cloexec_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Without `pipe2(2)` there is a moment in which a child would inherit it for as long as it lives.
#[cfg(target_vendor = "apple")]
fn cloexec_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::io::{FdFlags, fcntl_setfd};
    super::siblings::clones::keep_off(|| {
        let (read, write) = rustix::pipe::pipe()?;
        fcntl_setfd(&read, FdFlags::CLOEXEC)?;
        fcntl_setfd(&write, FdFlags::CLOEXEC)?;
        Ok((read, write))
    })
}

/// A pipe from one child to another: what is written, what is read.
pub(crate) fn stage_pipe() -> io::Result<(File, File, Grown)> {
    let (read, write) = pipe()?;
    let grown = Grown::grow(&write);
    Ok((write.into(), read.into(), grown))
}

/// Whether a pipe can be one of packets, as by `O_DIRECT` of `pipe(2)`: a child may set that at any time.
const PACKETS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether what cannot be spliced may still be copied: the file takes none, or a sandbox allows no such call. Nothing has been
/// moved then; if the file is what must not be written, the copying tells that.
#[cfg(target_os = "linux")]
fn is_refused(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::InvalidInput || kind == io::ErrorKind::PermissionDenied
}

#[cfg(target_os = "linux")]
fn is_writable(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    super::is_ready(fd, rustix::event::PollFlags::OUT)
}

/// How many bytes were read, and how many were asked for.
fn read_into(fd: &OwnedFd, buffer: &mut BytesMut, max: usize) -> io::Result<(usize, usize)> {
    // Half of what is wanted is good enough to go on in the same allocation.
    if buffer.capacity() - buffer.len() < max.div_ceil(2) {
        buffer.reserve(max);
    }
    let len = buffer.len();
    let spare = buffer.spare_capacity_mut();
    let asked = spare.len().min(max);
    if len >= POPULATED {
        populate(spare, asked);
    }
    let n = retry(|| read(fd, &mut spare[..asked]).map(|(filled, _)| filled.len()))?;
    // SAFETY: `read` has initialised the first `n` bytes of the spare capacity.
    unsafe { buffer.set_len(len + n) };
    Ok((n, asked))
}

fn write_from(fd: &OwnedFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    retry(|| writev(fd, slices))
}

/// `error` if it would block.
fn or_instead<T>(result: io::Result<T>, error: io::Error) -> io::Result<T> {
    match result {
        Err(blocked) if blocked.kind() == io::ErrorKind::WouldBlock => Err(error),
        result => result,
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}
