//! [`Outlet`]: a file or pipe of the caller's, written by tokio's blocking pool.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{fs::File, io::AsyncWrite};

use super::BorrowedDescriptor;

/// A handle of our own to what was lent.
#[derive(Debug)]
pub(crate) struct Outlet(File);

impl Outlet {
    pub(crate) fn new(to: BorrowedDescriptor<'_>) -> io::Result<Self> {
        Ok(Self(File::from_std(to.try_clone_to_owned()?.into())))
    }
}

impl AsyncWrite for Outlet {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
