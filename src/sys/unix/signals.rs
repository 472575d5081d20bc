//! Which signals a child starts with blocked.

use std::{
    io,
    mem::MaybeUninit,
    os::unix::process::CommandExt,
    process::Command,
    ptr::{null, null_mut},
};

use libc::sigset_t;

/// No system has a larger one.
const LAST_SIGNAL: i32 = 128;

/// Whether this thread blocks any signal. A child inherits that, and no program expects it: it could not be terminated.
pub(super) fn any_blocked() -> io::Result<bool> {
    let mut blocked = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: without a new set it only writes the one that is in force.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), blocked.as_mut_ptr()) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: the call above has written the set. A number that is no signal is an error, and not 1.
    let is_blocked = |signal| unsafe { libc::sigismember(blocked.as_ptr(), signal) } == 1;
    Ok((1..=LAST_SIGNAL).any(is_blocked))
}

/// Has the child start without blocked signals. It takes `fork(2)` then.
///
/// To unblock them in this thread while it spawns would be faster, but they could be delivered to it then: a program that blocks
/// `SIGTERM` in all threads, to read it from a `signalfd(2)` or by `sigwait(3)`, would die of it.
pub(super) fn unblock_in(command: &mut Command) {
    // SAFETY: both calls may be made by a signal handler, and so between fork and exec. The first one initialises the set.
    unsafe {
        command.pre_exec(|| {
            let mut none = MaybeUninit::<sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            match libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut()) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
}
