//! What becomes of us in a copy of this process: one that `fork(2)` has made, and that has not called `execve(2)`.
//!
//! A copy has all our descriptors. It would keep the stdin of a child open that we close, and the lifelines of the
//! [guardians](super::guardian) of children that are to die with us. So it loses them at once: a handler of
//! `pthread_atfork(3)` puts `/dev/null` in their places. They keep their numbers, which the copies of our values still
//! close. A handle that was copied finds end-of-file, and cannot be written to.
//!
//! What a child is given is not known here, for the moment in which it is being started. A copy that another thread makes in
//! that moment has it too.
//!
//! `posix_spawn(3)` and `vfork(2)` call no handler, and need none: our descriptors are close-on-exec.

use std::{
    cell::UnsafeCell,
    io,
    mem::ManuallyDrop,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use super::Owned;

/// At its index, whether a descriptor is [`Private`].
static PRIVATE: Mutex<Vec<bool>> = Mutex::new(Vec::new());

/// The number of a process that is no copy.
pub(crate) const FIRST_GENERATION: u32 = 0;

/// How often this process is a copy of one that used this crate.
static GENERATION: AtomicU32 = AtomicU32::new(FIRST_GENERATION);

/// A number for this process, by which a copy tells that it is one.
pub(crate) fn generation() -> u32 {
    install_handlers();
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process is a copy of the one that had the number `generation`, or of a copy of that. What was started there is
/// not its child.
pub(super) fn is_copy_of(generation: u32) -> bool {
    GENERATION.load(Ordering::Relaxed) != generation
}

/// A descriptor that a copy of this process does not have.
#[derive(Debug)]
pub(super) struct Private(ManuallyDrop<OwnedFd>);

impl Private {
    pub(super) fn new(fd: OwnedFd) -> Self {
        install_handlers();
        mark(&mut lock(), fd.as_raw_fd(), true);
        Self(ManuallyDrop::new(fd))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Until it is closed: the next one of this number may belong to other code.
        let mut private = lock();
        mark(&mut private, self.0.as_raw_fd(), false);
        // SAFETY: it is not used again.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

impl Owned for Private {
    fn duplicate(&self) -> io::Result<Self> {
        OwnedFd::duplicate(self).map(Self::new)
    }
}

impl AsRawFd for Private {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Private {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Deref for Private {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        &self.0
    }
}

fn lock() -> MutexGuard<'static, Vec<bool>> {
    PRIVATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mark(private: &mut Vec<bool>, fd: RawFd, is_private: bool) {
    let index = usize::try_from(fd).unwrap_or_default();
    if private.len() <= index {
        private.resize(index + 1, false);
    }
    private[index] = is_private;
}

/// The lock, while this process is being copied: no other thread of ours can be in the middle of a change then.
struct Held(UnsafeCell<Option<MutexGuard<'static, Vec<bool>>>>);

// SAFETY: only whoever holds the lock that is in it looks at it: the thread that forks, and its copy.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

fn install_handlers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions live as long as the process, and may be called by any thread. Without memory for them a
        // copy keeps what it has.
        unsafe { libc::pthread_atfork(Some(before), Some(after_in_us), Some(after_in_the_copy)) };
    });
}

unsafe extern "C" fn before() {
    let held = lock();
    // SAFETY: see `Held`.
    unsafe { *HELD.0.get() = Some(held) };
}

unsafe extern "C" fn after_in_us() {
    // SAFETY: see `Held`.
    drop(unsafe { (*HELD.0.get()).take() });
}

/// May do what a signal handler may, since other threads may have held any lock: no allocation, above all.
unsafe extern "C" fn after_in_the_copy() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // SAFETY: see `Held`.
    let Some(private) = (unsafe { (*HELD.0.get()).take() }) else {
        return;
    };
    let mut all = (0..)
        .zip(private.iter())
        .filter(|(_, is_private)| **is_private)
        .peekable();
    if all.peek().is_none() {
        return;
    }
    // SAFETY: all are calls that a signal handler may make, and each descriptor is one that this crate owns. Where there is no
    // `/dev/null` to be had the descriptors are closed, although their owners will do so again.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        for (fd, _) in all {
            match null {
                ..0 => libc::close(fd),
                null => libc::dup2(null, fd),
            };
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        if null >= 0 {
            libc::close(null);
        }
    }
}
