//! The signals that have a name, and their numbers on this platform.

use std::ops::RangeInclusive;

use crate::signal::Signal;

macro_rules! signals {
    ($($name:ident $constant:ident $doc:literal)*) => {
        /// What POSIX names beyond the signals that are the same everywhere.
        impl Signal {
            $(#[doc = $doc] pub const $name: Self = Self::from_raw(libc::$constant);)*
        }

        /// By name. Two have no constant: POSIX has dropped them, or does not know them.
        pub(crate) const SIGNALS: &[(&str, i32)] = &[
            ("SIGHUP", libc::SIGHUP),
            ("SIGINT", libc::SIGINT),
            ("SIGQUIT", libc::SIGQUIT),
            ("SIGKILL", libc::SIGKILL),
            ("SIGTERM", libc::SIGTERM),
            ("SIGPROF", libc::SIGPROF),
            ("SIGIO", libc::SIGIO),
            $((stringify!($constant), libc::$constant),)*
        ];
    };
}

signals! {
    ABRT SIGABRT "Abort, as by `abort(3)`. Unix only."
    ALRM SIGALRM "The timer of `alarm(2)` has run out. Unix only."
    BUS SIGBUS "An access to memory that is not there. Unix only."
    CHLD SIGCHLD "A child has ended, or was stopped or continued. Unix only."
    CONT SIGCONT "Continues a process that is stopped. Unix only."
    FPE SIGFPE "An arithmetic error. Unix only."
    ILL SIGILL "An illegal instruction. Unix only."
    PIPE SIGPIPE "A write to a pipe that nothing reads. Unix only."
    SEGV SIGSEGV "An invalid access to memory. Unix only."
    STOP SIGSTOP "Stop: cannot be caught or ignored. Unix only."
    SYS SIGSYS "A bad system call. Unix only."
    TRAP SIGTRAP "A breakpoint. Unix only."
    TSTP SIGTSTP "Stop, what Ctrl-Z sends. Unix only."
    TTIN SIGTTIN "A background process reads from its terminal. Unix only."
    TTOU SIGTTOU "A background process writes to its terminal. Unix only."
    URG SIGURG "Urgent data at a socket. Unix only."
    USR1 SIGUSR1 "User-defined signal 1. Unix only."
    USR2 SIGUSR2 "User-defined signal 2. Unix only."
    VTALRM SIGVTALRM "The virtual timer has run out. Unix only."
    WINCH SIGWINCH "The terminal has another size. Unix only."
    XCPU SIGXCPU "The limit of processor time is exceeded. Unix only."
    XFSZ SIGXFSZ "The limit of a file's size is exceeded. Unix only."
}

/// Those of real time.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub(crate) fn realtime_signals() -> RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// There are none, or the libc of Rust does not tell which.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
#[allow(clippy::reversed_empty_ranges)]
pub(crate) fn realtime_signals() -> RangeInclusive<i32> {
    1..=0
}
