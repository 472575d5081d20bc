//! [`Receive`]: a whole handle or its receiving half.

use std::{ops::DerefMut, task::Context};

use super::{ProcessIo, RecvHalf, SendHalf};
use crate::pump::{Pump, Role, Turn};

/// What output can be received from: [`ProcessIo`], [`RecvHalf`], and `&mut` of either.
///
/// Sealed: it cannot be implemented elsewhere.
pub trait Receive: Handle + Unpin {}

impl Receive for ProcessIo {}
impl Receive for RecvHalf {}
impl<T: Receive> Receive for &mut T {}

/// A handle, or a half of one. Nobody else can name it, so that it seals [`Receive`].
#[allow(unreachable_pub)] // What seals a public trait has to be public too.
pub trait Handle {
    /// The whole of it, for a moment.
    fn io(&mut self) -> impl DerefMut<Target = ProcessIo>;

    /// Polls for the task of `cx`.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T;
}

impl Handle for ProcessIo {
    #[inline]
    fn io(&mut self) -> impl DerefMut<Target = ProcessIo> {
        self
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        poll(&mut self.pump, &mut Turn::new(cx))
    }
}

impl Handle for RecvHalf {
    #[inline]
    fn io(&mut self) -> impl DerefMut<Target = ProcessIo> {
        self.lock()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        self.lock().poll_as(Role::Read, cx, poll)
    }
}

impl Handle for SendHalf {
    #[inline]
    fn io(&mut self) -> impl DerefMut<Target = ProcessIo> {
        self.lock()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        self.lock().poll_as(Role::Write, cx, poll)
    }
}

impl<H: Handle> Handle for &mut H {
    #[inline]
    fn io(&mut self) -> impl DerefMut<Target = ProcessIo> {
        H::io(self)
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Pump, &mut Turn<'_, '_>) -> T,
    ) -> T {
        H::poll(self, cx, poll)
    }
}
