//! [`Signal`]: a signal number by its POSIX name.

use std::fmt;

/// A signal, named as POSIX does.
///
/// On Windows there are no signals. [`Signal::KILL`] ends the process there; [`Signal::TERM`] is a Ctrl-Break to the child
/// and all that is in its group of the console, and an error where it has no console in common with us or leads no
/// [group](crate::Builder::process_group). Any other is an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

impl Signal {
    /// The terminal hung up; many daemons read their configuration again.
    pub const HUP: Self = Self(1);
    /// Interrupt, what Ctrl-C sends.
    pub const INT: Self = Self(2);
    /// Quit, what Ctrl-\ sends.
    pub const QUIT: Self = Self(3);
    /// Kill: cannot be caught or ignored.
    pub const KILL: Self = Self(9);
    /// Terminate: a polite request to end.
    pub const TERM: Self = Self(15);

    /// A signal by its number on this platform, such as `libc::SIGUSR1`.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number on this platform.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
