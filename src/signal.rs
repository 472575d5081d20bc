//! [`Signal`]: a signal number by its POSIX name.

use std::{error, fmt};

/// A signal, named as POSIX does.
///
/// Constants that exist on Unix only are those of POSIX; the numbers are this platform's. It is shown by its name, and made of one
/// by [`parse`](str::parse):
///
/// ```
/// use process_io::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!("TERM".parse(), Ok(Signal::TERM));
/// assert_eq!("15".parse(), Ok(Signal::TERM));
/// ```
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

/// As [`Display`](fmt::Display): the numbers differ by platform.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is neither the name of a [`Signal`] of this platform nor a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSignalError(pub(crate) ());

impl fmt::Display for ParseSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such signal")
    }
}

impl error::Error for ParseSignalError {}
