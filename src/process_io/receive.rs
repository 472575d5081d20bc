//! [`Receive`]: a whole handle or its receiving half.

use std::task::Context;

use super::{ProcessIo, RecvHalf, SendHalf};
use crate::pump::{Pump, Role, Turn};

/// What output can be received from: [`ProcessIo`], [`RecvHalf`], and `&mut` of either.
///
/// Sealed: it cannot be implemented elsewhere.
pub trait Receive: Handle + Unpin {}

impl Receive for ProcessIo {}
impl Receive for RecvHalf {}
impl<T: Receive> Receive for &mut T {}

/// A handle, or a half of one. It cannot be named elsewhere, and so seals [`Receive`].
#[allow(unreachable_pub)] // What seals a public trait has to be public too.
pub trait Handle {
    /// In which role it waits, where another task may wait in the other.
    const ROLE: Option<Role>;

    /// Does something with the whole of it.
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
