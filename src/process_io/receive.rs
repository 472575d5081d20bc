//! [`Receive`]: a whole handle or its receiving half.

use std::task::Context;

use super::{ProcessIo, RecvHalf, SendHalf};
use crate::pump::{Pump, Role, Turn};

/// A type that output can be received from: [`ProcessIo`], [`RecvHalf`], and `&mut` of either.
///
/// It is sealed: it cannot be implemented outside this crate.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{ByteStream, ProcessIo, Receive, Source};
/// use futures::TryStreamExt;
///
/// async fn count<T: Receive>(stream: ByteStream<T>) -> process_io::Result<usize> {
///     stream.try_fold(0, async |n, piece| Ok(n + piece.len())).await
/// }
///
/// let (_send, mut recv) = ProcessIo::command("seq").arg("1000").spawn()?.into_split();
/// assert_eq!(count(recv.bytes(Source::Stdout)).await?, 3893);
/// # }
/// # Ok(()) }
/// ```
pub trait Receive: Handle + Unpin {}

impl Receive for ProcessIo {}
impl Receive for RecvHalf {}
impl<T: Receive> Receive for &mut T {}

/// A handle, or a half of one. It cannot be named outside this crate, and so seals [`Receive`].
#[allow(unreachable_pub)] // What seals a public trait has to be public too.
pub trait Handle {
    /// The role in which it waits, if another task may wait in the other.
    const ROLE: Option<Role>;

    /// Calls `act` with the whole handle.
    fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T;

    /// Polls for the task of `cx`.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        self.with(|io| match Self::ROLE {
            Some(role) => io.poll_as(role, cx, poll),
            None => poll(&mut io.pump, &mut Turn::new(cx)),
        })
    }
}

impl Handle for ProcessIo {
    const ROLE: Option<Role> = None;

    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        act(self)
    }
}

impl Handle for RecvHalf {
    const ROLE: Option<Role> = Some(Role::Read);

    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        self.shared.with(Role::Read, act)
    }
}

impl Handle for SendHalf {
    const ROLE: Option<Role> = Some(Role::Write);

    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        self.shared.with(Role::Write, act)
    }
}

impl<H: Handle> Handle for &mut H {
    const ROLE: Option<Role> = H::ROLE;

    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut ProcessIo) -> T) -> T {
        H::with(self, act)
    }
}
